//! Ignition configs: read, edit by typed operations, check, show, compare, make small.
//!
//! Format: <https://coreos.github.io/ignition/specs/>, spec 2.x (read only) and 3.0 to 3.5 (written in the version they came in).
//! A config is kept as the JSON it was read as: order and unknown keys survive every edit, no explicit null is added, and the
//! same input with the same edits gives the same bytes. The shape is checked once, when it is read; lookups need no checks after that.
//!
//! Not done here: fetching remote sources, merging configs, packing into the embed area (room `iso`).

mod apply;
pub mod certs;
pub mod config;
pub mod data_url;
pub mod diff;
pub mod edit;
mod error;
pub mod fit;
pub mod inspect;
pub mod lint;
pub mod secrets;
mod shape;
pub mod unit;
mod version;
pub mod view;

pub use config::Config;
pub use edit::{Change, Edit, NewFile, NewUnit};
pub use error::Error;
pub use version::Version;

#[cfg(test)]
mod tests;
