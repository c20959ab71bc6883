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

pub mod catalog;
mod contents;
mod documents;
mod error;
mod inputs;
mod layer;
pub mod lock;
pub mod mapping;
mod patterns;
mod payload;
mod session;
mod signature;
mod split;
mod summary;
mod tags;
mod tarball;
pub mod version;
pub mod views;

pub use documents::{DocumentError, Documents, Offline};
pub use error::{Category, InventoryError};
pub use inputs::{GraphSource, Inputs, Resolved};
pub use patterns::Patterns;
pub use session::Services;
pub use signature::{Keyring, SignatureCheck, SignatureError};
pub use summary::{Diff, KindCount, Partition, Summary, diff};
