//! From an image set to the closed, pinned list of images: release payloads, operator catalogs, additional images.
//!
//! The result is the lock ([`lock::Inventory`], `inventory.json`); the field's text files are views of it.

pub mod catalog;
pub mod graph;
pub mod lock;
pub mod version;
