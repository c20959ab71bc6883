//! `delta.json`: what a data directory leaves out because its destination has it.
//!
//! ```json
//! { "format": 1, "base": "sha256:…", "lacks": ["sha256:…"] }
//! ```
//!
//! A delta is a data directory with index, manifests and texts of the new image set, and without the blobs that the old one has.
//! `base` is the digest of the old one's `inventory.json`. What is in `lacks` and there all the same counts as there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::oci::Digest;

/// Its name in the data directory.
pub(super) const FILE: &str = "delta.json";
const FORMAT: u32 = 1;

/// The contents of `delta.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    format: u32,
    /// Of the old data directory: digest of its `inventory.json`, when it had one.
    pub base: Option<Digest>,
    /// Blobs that are left out.
    pub lacks: BTreeSet<Digest>,
}

impl Delta {
    pub(super) fn new(base: Option<Digest>, lacks: BTreeSet<Digest>) -> Self {
        Self {
            format: FORMAT,
            base,
            lacks,
        }
    }

    /// The file's text. Same delta, same bytes.
    pub(super) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("digests always serialise") + "\n"
    }
}

impl Store {
    /// Reads `delta.json`; `None` when this is a whole data directory.
    ///
    /// # Errors
    /// [`StoreError::Malformed`], also for a later format, or the file cannot be read.
    pub fn read_delta(&self) -> Result<Option<Delta>, StoreError> {
        let path = self.root().join(FILE);
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io("read", &path)(e)),
        };
        let malformed = |reason: String| StoreError::Malformed {
            path: path.clone(),
            reason,
        };
        let delta: Delta = serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
        if delta.format == FORMAT {
            return Ok(Some(delta));
        }
        let reason = format!("format {}, this version reads {FORMAT}", delta.format);
        Err(malformed(reason))
    }
}
