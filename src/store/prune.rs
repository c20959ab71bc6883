//! Dropping what the inventory no longer names: first the plan, then the deed.
//!
//! Order of the deed: the index without the dropped entries becomes durable before the first blob goes, so that a crash never
//! leaves a name that points nowhere.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Store, StoreError, StoreLock, verify};
use crate::oci::Digest;

/// What a prune removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Names (or digests of nameless entries) that leave the index, in its order.
    pub images: Vec<String>,
    /// Files with their sizes in bytes, sorted by path: blobs, unfinished blobs, temporary files.
    pub files: Vec<(PathBuf, u64)>,
}

impl PrunePlan {
    /// Bytes that the files have.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.files.is_empty()
    }
}

impl Store {
    /// Works out what is neither a manifest nor a blob in `keep`. Unfinished blobs of `keep` stay: a download goes on with them.
    ///
    /// # Errors
    /// The index or a directory cannot be read.
    pub fn plan_prune(&self, keep: &BTreeSet<Digest>) -> Result<PrunePlan, StoreError> {
        let dropped = self.read_index()?.into_iter();
        let dropped = dropped.filter(|entry| !keep.contains(&entry.descriptor.digest));
        let mut files = Vec::new();
        for stray in verify::strays(self, keep)? {
            let wanted = stray
                .unfinished
                .as_ref()
                .is_some_and(|digest| keep.contains(digest));
            let complete = match &stray.unfinished {
                Some(digest) => self.blob_size(digest)?.is_some(),
                None => false,
            };
            if !wanted || complete {
                files.push((stray.path, stray.size_bytes));
            }
        }
        Ok(PrunePlan {
            images: dropped.map(|entry| entry.label()).collect(),
            files,
        })
    }

    /// Does what the plan says.
    ///
    /// # Errors
    /// The index cannot be replaced (nothing is removed then) or a file cannot be removed.
    pub fn prune(&self, _lock: &StoreLock, plan: &PrunePlan) -> Result<(), StoreError> {
        if !plan.images.is_empty() {
            let dropped: BTreeSet<&str> = plan.images.iter().map(String::as_str).collect();
            let entries = self.read_index()?.into_iter();
            self.replace_index(entries.filter(|e| !dropped.contains(e.label().as_str())))?;
        }
        for (path, _) in &plan.files {
            fs_err::remove_file(path).map_err(StoreError::io("remove", path))?;
        }
        let blobs = self.blobs_dir();
        crate::io::atomic::sync_dir(&blobs).map_err(StoreError::io("sync", &blobs))
    }

    /// Removes a blob or manifest whose bytes are wrong. Names that point at it stay: the next download makes it whole.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove_blob(&self, _lock: &StoreLock, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob_path(digest);
        fs_err::remove_file(&path).map_err(StoreError::io("remove", &path))
    }
}
