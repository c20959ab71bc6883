//! The image store on the data partition: one OCI image layout, written safely.
//!
//! ```text
//! DIR/
//! ├── snoforge.json           format version, inventory digest, groups
//! ├── imageset.yaml  inventory.json  mapping.txt  …
//! ├── .partial/<hex>          blobs on their way; file length = bytes written so far
//! └── oci/                    OCI image layout 1.0.0 (image-spec `image-layout.md`)
//!     ├── oci-layout  index.json
//!     └── blobs/sha256/<hex>  manifests, configs, layers; read-only once here
//! ```
//!
//! Invariant: a file below `oci/blobs` was complete, had its digest and was synced when it got its name.

mod layout;
mod partial;

pub use layout::{Store, StoreError};
pub use partial::{Checked, Finished, Partial, StoreLock};
