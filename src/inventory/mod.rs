//! From an image set to the closed, pinned list of images: release payloads, operator catalogs, additional images.
//!
//! ```text
//! ImageSet ─┬ platform ── graph | --release-image | tag ─ release ─ image-references ┐
//!           ├ operators ─ index_image | directory ─ catalog ─ filter ────────────────┼ candidates ─ resolve ─ lock ─ views
//!           └ additionalImages, --img, --ai-img ─────────────────────────────────────┘
//! ```
//! The result is the lock ([`lock::Inventory`], `inventory.json`); the field's text files are views of it. Specification:
//! `imageset.md` of the project, which follows oc-mirror and telco-ran-tools. Images come from an
//! [`crate::oci::ImageSource`], other documents from [`Documents`]: nothing here knows HTTP.

pub mod architecture;
mod candidates;
pub mod catalog;
mod catalog_cache;
mod contents;
mod documents;
mod error;
mod files;
pub mod graph;
mod graphs;
mod index_image;
mod inputs;
mod layer;
pub mod lock;
pub mod mapping;
mod operators;
mod os_images;
mod payload;
mod releases;
mod resolve;
mod session;
mod sharing;
mod signature;
mod split;
mod stamp;
mod summary;
pub mod tags;
mod tarball;
pub mod version;
pub mod views;

pub use documents::{DocumentError, Documents, Offline};
pub use error::{Category, InventoryError};
pub use files::{Taken, WantedFile, take_files, take_from_archive};
pub use graphs::SourcedGraphs;
pub use inputs::{GraphSource, Inputs, Options, Resolved};
pub use operators::read_catalog;
pub use os_images::Payload;
pub use releases::{read_release, release_image};
pub use resolve::{from_mapping, resolve};
pub use session::Services;
pub use sharing::{GroupShare, ImageShare, SharedBlob, Sharing};
pub use signature::{Keyring, SignatureCheck, SignatureError};
pub use stamp::{Mark, StampError, stamp};
pub use summary::{Diff, KindCount, Partition, Summary, diff};
