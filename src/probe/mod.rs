//! Questions to the network that a site or a bench leans on: name servers, time servers, whether a port is open, who signed a
//! server's certificate.
//!
//! | file | asks | format |
//! |---|---|---|
//! | `dns` | one name server for the addresses of one name | RFC 1035, over UDP and, for long answers, TCP |
//! | `ntp` | one time server for its time | SNTP, RFC 4330: one packet |
//! | `port` | whether something listens | TCP |
//! | `timed` | nothing: a connection with a last moment | |
//! | `tls` | whose certificate a server shows | TLS 1.2 and 1.3, RFC 5280 |
//!
//! Every question blocks, no longer than it is told; several are asked on threads of the caller. Nothing is remembered and nothing is
//! trusted: answers are for people to read. Not done: following delegations (a name server that a machine is given does that), TSIG,
//! NTS.

mod dns;
mod error;
mod ntp;
mod port;
mod timed;
mod tls;

pub use dns::{Family, lookup};
pub use error::Error;
pub use ntp::{Time, time};
pub use port::connect;
pub use tls::{Shown, certificate};
