//! Where things are in a store directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::oci::{Digest, ManifestError};

/// The contents of the `oci-layout` file (image-spec `image-layout.md`).
pub(super) const OCI_LAYOUT: &[u8] = b"{\"imageLayoutVersion\":\"1.0.0\"}";

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
    /// Another process writes into the directory.
    #[error("{0} is in use by another snoforge")]
    Busy(PathBuf),
    /// A file of the store was written by a later version.
    #[error("{path} has format {found}, this version knows formats up to {known}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// A file of the store is not what it should be.
    #[error("{path} is malformed: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where the parser knows it.
        reason: String,
    },
    /// A blob or manifest is not there.
    #[error("{0} is not in the store")]
    Missing(Digest),
    /// A blob's bytes are not those of its name.
    #[error("{digest} is damaged: {detail}")]
    Damaged {
        /// The name.
        digest: Digest,
        /// What was found.
        detail: String,
    },
    /// A manifest that cannot be used.
    #[error("cannot use manifest {digest}")]
    Manifest {
        /// The manifest.
        digest: Digest,
        /// The reason.
        source: ManifestError,
    },
    /// No image of that name.
    #[error("no image `{0}` in the store")]
    UnknownImage(String),
    /// One name for two images.
    #[error("`{0}` names two different images")]
    AmbiguousName(String),
    /// An image that the asked archive format cannot hold.
    #[error("cannot export `{name}`: {reason}")]
    Export {
        /// The image.
        name: String,
        /// Why not.
        reason: String,
    },
    /// What is to be written does not fit.
    #[error("{path} has too little room: {need} bytes to write, {have} bytes free")]
    NoSpace {
        /// The data directory.
        path: PathBuf,
        /// Bytes of disk that it takes.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// A delta came to a disk that does not hold what it builds on.
    #[error("{path}: {lost} blobs are neither there nor in the delta", path = .path.display())]
    NotTheBase {
        /// The destination.
        path: PathBuf,
        /// How many are in neither.
        lost: usize,
    },
    /// Of two data directories that must be apart, one is or contains the other.
    #[error("{inner} is {}", if .inner == .outer { "given twice".to_owned() } else { format!("the same as, or inside, {}", .outer.display()) })]
    Overlap {
        /// One.
        inner: PathBuf,
        /// The other.
        outer: PathBuf,
    },
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
    /// Wraps an I/O error with what was tried; a store error that came through a reader stays what it is.
    pub(crate) fn io(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => Self::Io {
                operation,
                path,
                source,
            },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAStore(_) => Some("name the directory that `precache download -f` filled"),
            Self::Busy(_) => {
                Some("wait until the other download, prune or copy is done, or stop it")
            }
            Self::NewerFormat { .. } => {
                Some("use the snoforge that wrote it (DIR/bin/snoforge), or a newer one")
            }
            Self::Missing(_) | Self::Damaged { .. } | Self::Manifest { .. } => Some(
                "run `precache verify`: it names every file that is missing or wrong, and says how to get it again",
            ),
            Self::Malformed { .. } => {
                Some("run `precache download` again: it writes the file anew")
            }
            Self::UnknownImage(_) => Some("`precache list` prints the names of all images"),
            Self::NoSpace { .. } => {
                Some("free space, or use a larger partition; nothing was written there")
            }
            Self::NotTheBase { .. } => Some(
                "this delta was made for a disk with another image set: copy the whole data directory instead; nothing was written there",
            ),
            Self::Overlap { .. } => Some("name each directory once, and none inside another"),
            Self::AmbiguousName(_) | Self::Export { .. } | Self::Io { .. } => None,
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
            crate::io::atomic::write(&marker, OCI_LAYOUT)
                .map_err(StoreError::io("write", &marker))?;
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

    /// A store that may not be there yet: for looking only.
    pub(super) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
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
