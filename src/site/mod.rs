//! One machine's identity and network: what is asked for, whether it can work, and the kernel arguments that say it.
//!
//! ```text
//! flags | one row of a list → Request → Site → kargs | keyfiles
//! sites.yaml | sites.csv    → list    → [Site]
//! ```
//!
//! A [`Site`] is made by [`Request::resolve`] only, so that it cannot hold an address, a name or a number that is wrong.
//! The kernel arguments are those of dracut.cmdline(7) as `NetworkManager`'s `nm-initrd-generator` (8) reads them, which is what
//! every live ISO since RHCOS 4.6 runs: `rd.neednet=1 ip=IP::GW:NETMASK:HOST:IF:none[:DNS1[:DNS2]]`, IPv6 in brackets, and
//! `vlan=`, `bond=`, `ifname=`, `nameserver=` where they are needed (`cli.md`, `live-iso.md` section 3). [`keyfiles`] says the
//! same as `NetworkManager` connection profiles. [`lint()`] judges such arguments when somebody else wrote them.
//! [`install_config`] says of the same site what the installer wants to know.
//!
//! Not here: DHCP (then there is nothing to say), the characters that a boot loader would mangle and the size of the karg area
//! ([`crate::iso`]), writing the host name and the time servers into the installed system ([`crate::ignition`]).

mod address;
mod cluster;
pub mod dns;
mod error;
pub mod install_config;
mod kargs;
mod keyfile;
mod lint;
pub mod list;
mod name;
mod network;
mod request;

pub use address::Address;
pub use cluster::Cluster;
pub use error::{Error, Field};
pub use kargs::kargs;
pub use keyfile::{Keyfile, keyfiles};
pub use lint::lint;
pub use name::{Hostname, Interface, Mac};
pub use network::{Bond, Link, Network, Vlan};
pub use request::{Request, Resolved};

use std::path::PathBuf;

use serde::Serialize;

/// One machine, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// Its name, as it goes into `/etc/hostname` and the `ip=` argument.
    pub hostname: Option<Hostname>,
    /// Name and base domain of the cluster that it becomes, said or seen in the host name; nothing else here depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// Its static network; `None` leaves the machine to DHCP.
    pub network: Option<Network>,
    /// Time servers, names or addresses, in the order asked for.
    pub ntp: Vec<String>,
    /// Further kernel arguments, one each, in the order asked for.
    pub kargs: Vec<String>,
    /// The disk to install to, a path below `/dev`.
    pub installation_disk: Option<String>,
    /// Partition label of the data partition, when it is not the usual one.
    pub label: Option<String>,
    /// An Ignition config of its own, as written: a relative path is relative to the list.
    pub ignition: Option<PathBuf>,
}
