//! Where things are in a store directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::oci::Digest;

/// A store directory that has the layout's skeleton.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory holds no store.
    #[error("{0} is not a snoforge data directory")]
    NotAStore(PathBuf),
    /// A read or write failed.
    #[error("cannot {operation} {path}")]
    Io {
        /// The verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl StoreError {
    /// Wraps an I/O error with what was tried.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAStore(_) => Some("name the directory that `precache download -f` filled"),
            Self::Io { .. } => None,
        }
    }
}

impl Store {
    /// Opens a store, or makes the skeleton in an existing or new directory.
    ///
    /// # Errors
    /// A directory or the layout file cannot be made.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        let store = Self {
            root: root.to_owned(),
        };
        for dir in [store.blobs_dir(), store.partial_dir()] {
            fs_err::create_dir_all(&dir).map_err(StoreError::io("create", &dir))?;
        }
        let marker = store.layout_dir().join("oci-layout");
        if !marker.exists() {
            let text = b"{\"imageLayoutVersion\":\"1.0.0\"}";
            crate::io::atomic::write(&marker, text).map_err(StoreError::io("write", &marker))?;
        }
        Ok(store)
    }

    /// Opens an existing store; writes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] when there is no layout.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let store = Self {
            root: root.to_owned(),
        };
        if store.layout_dir().join("oci-layout").is_file() {
            Ok(store)
        } else {
            Err(StoreError::NotAStore(root.to_owned()))
        }
    }

    /// The directory that was opened.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `DIR/oci`.
    pub fn layout_dir(&self) -> PathBuf {
        self.root.join("oci")
    }

    /// `DIR/oci/blobs/sha256`.
    pub fn blobs_dir(&self) -> PathBuf {
        self.layout_dir().join("blobs/sha256")
    }

    /// `DIR/.partial`.
    pub fn partial_dir(&self) -> PathBuf {
        self.root.join(".partial")
    }

    /// Where a complete blob or manifest is.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.layout_dir()
            .join("blobs")
            .join(digest.algorithm().name())
            .join(digest.hex())
    }

    /// Where a blob on its way is.
    pub fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.partial_dir().join(digest.hex())
    }

    /// Size of a complete blob, `None` when it is not there.
    ///
    /// # Errors
    /// The file system does not answer.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.blob_path(digest);
        match fs_err::metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io("stat", &path)(e)),
        }
    }
}
