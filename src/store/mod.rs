//! The image store on the data partition: one OCI image layout, written safely.
//!
//! ```text
//! DIR/
//! ├── snoforge.json           format version, inventory digest, groups        [`Header`]
//! ├── delta.json              only in a delta: what it leaves out             [`Delta`]
//! ├── imageset.yaml  inventory.json  mapping.txt  …
//! ├── .lock                   held by the one process that writes             [`StoreLock`]
//! ├── .partial/<hex>          blobs on their way; file length = bytes written so far. A copy also has `file-<hex>`: other files
//! └── oci/                    OCI image layout 1.0.0 (image-spec `image-layout.md`)
//!     ├── oci-layout  index.json                                              [`IndexEntry`]
//!     └── blobs/sha256/<hex>  manifests, configs, layers; read-only once here
//! ```
//!
//! Invariant: a file below `oci/blobs` was complete, had its digest and was synced when it got its name.
//! Readers ([`Store::open`]) write nothing, so a store on read-only media works.

mod copy;
mod delta;
mod export;
mod header;
mod index;
mod layout;
mod list;
mod lock;
mod manifest;
mod partial;
mod prune;
mod read;
mod source;
mod verify;

pub use copy::{CopyOutcome, CopyPlan, CopyReport, CopyTarget, Refused};
pub use delta::Delta;
pub use export::{artefact_name, dir_tgz, docker_archive, oci_archive};
pub use header::{FORMAT, Header};
pub use index::{IndexEntry, REF_NAME};
pub use layout::{Store, StoreError};
pub use list::{ListedImage, Listing};
pub use lock::StoreLock;
pub use manifest::Closure;
pub use partial::{Checked, Finished, Partial};
pub use prune::PrunePlan;
pub use read::{BlobReader, read_range};
pub use verify::{Depth, Expected, Finding, Problem, Report};
