//! Files in a store that nothing names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::io::atomic::PREFIX;
use crate::oci::Digest;
use crate::store::{Store, StoreError};

/// A file that nothing names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// The blob that it is a part of, when it is an unfinished one.
    pub(crate) unfinished: Option<Digest>,
}

/// Every file below `oci/blobs` that is not in `keep`, everything in `.partial`, foreign files in `oci`, and temporary files of
/// writes that a crash cut off. Sorted by path. Other files of the data directory are none of the store's business.
pub(crate) fn strays(store: &Store, keep: &BTreeSet<Digest>) -> Result<Vec<Stray>, StoreError> {
    let mut found = Vec::new();
    let blobs = store.layout_dir().join("blobs");
    for (path, meta) in entries(&blobs)? {
        if !meta.is_dir() {
            found.push(stray(path, meta.len()));
            continue;
        }
        let algorithm = file_name(&path).to_owned();
        for (path, meta) in entries(&path)? {
            let digest = format!("{algorithm}:{}", file_name(&path)).parse::<Digest>();
            if !digest.is_ok_and(|digest| keep.contains(&digest)) && !meta.is_dir() {
                found.push(stray(path, meta.len()));
            }
        }
    }
    for (path, meta) in entries(&store.layout_dir())? {
        if !meta.is_dir() && !matches!(file_name(&path), "oci-layout" | "index.json") {
            found.push(stray(path, meta.len()));
        }
    }
    for (path, meta) in entries(store.root())? {
        if !meta.is_dir() && file_name(&path).starts_with(PREFIX) {
            found.push(stray(path, meta.len()));
        }
    }
    for (path, meta) in entries(&store.partial_dir())? {
        if !meta.is_dir() {
            let hex = file_name(&path).split('.').next().unwrap_or_default();
            let unfinished = format!("sha256:{hex}").parse();
            let unfinished = unfinished.or_else(|_| format!("sha512:{hex}").parse()).ok();
            found.push(Stray {
                unfinished,
                ..stray(path, meta.len())
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn stray(path: PathBuf, size_bytes: u64) -> Stray {
    Stray {
        path,
        size_bytes,
        unfinished: None,
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default()
}

/// The entries of a directory; none when it is not there. Symbolic links are not followed.
pub(in crate::store) fn entries(
    dir: &Path,
) -> Result<Vec<(PathBuf, std::fs::Metadata)>, StoreError> {
    let listed = match fs_err::read_dir(dir) {
        Ok(listed) => listed,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", dir)(e)),
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry.map_err(StoreError::io("list", dir))?;
        match fs_err::symlink_metadata(entry.path()) {
            Ok(meta) => found.push((entry.path(), meta)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(StoreError::io("stat", &entry.path())(e)),
        }
    }
    Ok(found)
}
