//! Inventory × source → store: every blob once, largest first, in parallel, resumable.
//!
//! ```text
//! Inventory ─ plan ─▶ queue of unique blobs and manifests
//!                       │ one item per slot (`Options::parallel` slots)
//!                       ▼
//!     ImageSource::blob ─▶ batches of chunks ─▶ hash + write (store::Partial, blocking threads)
//!                       │ right digest
//!                       ▼
//!                    commit (sync, rename; in batches) ─▶ done, counted per image
//! ```
//!
//! Invariants: a blob is fetched once however many images share it; no blob is ever whole in memory; one failed item never
//! stops another; what is complete is known by its name alone, so that a run over a complete store only looks at sizes.
//! The pull engine (authentication, mirrors, retries, reconnects) is behind [`crate::oci::ImageSource`]; `index.json` is the
//! store's and is written by the caller, from the images that [`Summary`] does not list as failed or missing.

mod commit;
mod error;
mod plan;
mod run;
mod summary;
mod transfer;

pub use error::FetchError;
pub use plan::open_items;
pub use run::{Options, run};
pub use summary::{Failure, FailureKind, Missing, Summary};
