//! The distribution-spec client: references → places → bytes that are what their digest says.
//!
//! Specifications: OCI distribution-spec v1.1 (pull, tags), the Docker token flow (`docs/spec/auth/token.md` and `oauth.md` of
//! distribution), `containers-auth.json(5)`, `containers-registries.conf(5)` version 2, `containers-certs.d(5)`.
//!
//! ```text
//! Reference ─ registries ─→ Place… ─ Itinerary ─→ one attempt at one Host ─→ body
//!              (mirrors)             (order, back-off)  (gate, slots, TLS, token)
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `options` | what the caller decides: plain data, no environment read here |
//! | `registries` | registries.conf: which physical places may answer for a reference |
//! | `credentials`, `secret` | whose password for which place |
//! | `tls` | certs.d and one HTTP client per TLS profile |
//! | `challenge`, `token`, `authorize` | `WWW-Authenticate`, the token service (single flight), the header to send |
//! | `host` | what is remembered of one registry: scheme, challenge, gate, slots |
//! | `itinerary` | which place next, and when |
//! | `transport` | one authorised request, its answer judged |
//! | `pull`, `blob`, `web` | manifests and tags, blob streams, plain documents |
//! | `push` | copies an image into a registry, through the `oci_distribution` crate |
//! | `probe` | whether an account may push |
//! | `greet` | whether a registry answers, its clock, and what it says to the login |
//!
//! Invariants: a manifest is verified against the digest it was asked by; a blob stream is contiguous and has the declared
//! length, its digest is the reader's business; `Authorization` never leaves the registry's own origin; a 401 is answered at
//! most twice. Not done: HTTP/2 (one TCP flow for all blobs is slower), foreign layers' `urls`, `credsStore`.

mod authorize;
mod blob;
mod challenge;
mod client;
mod credentials;
mod error;
mod greet;
mod host;
mod itinerary;
mod limit;
mod options;
mod probe;
mod pull;
mod push;
mod registries;
mod secret;
mod tls;
mod token;
mod transport;
mod web;

pub use client::Client;
pub use credentials::{Account, CredentialSource, Login};
pub use error::Error;
pub use greet::{Greeting, Visit};
pub use options::{Environment, Options, RetryPolicy};
pub use push::Pushed;
pub use tls::{CertificateFile, certificate_files};
pub use web::FileHead;
