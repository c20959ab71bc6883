//! A data directory as the verbs see it: the store and the lock in it.

use std::path::Path;

use crate::cli::exit::{Categorised, Exit, Failure};
use crate::cli::imageset::resolve::read_lock;
use crate::inventory::lock::Inventory;
use crate::oci::Descriptor;
use crate::store::{Expected, Store, StoreError};

/// An opened data directory.
#[derive(Debug)]
pub(in crate::cli) struct DataDir {
    /// The store in it.
    pub store: Store,
}

impl DataDir {
    /// Opens a directory that `download` filled; writes nothing.
    ///
    /// # Errors
    /// It is no data directory.
    pub(in crate::cli) fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            store: Store::open(folder)?,
        })
    }

    /// Its inventory.
    ///
    /// # Errors
    /// There is none, or it is not readable.
    pub(in crate::cli) fn inventory(&self) -> Result<Inventory, Failure> {
        let path = self.store.root().join("inventory.json");
        let found = read_lock(&path)?;
        found.ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, format!("{} is missing", path.display()));
            failure.hint("run `precache download` into the directory first")
        })
    }
}

/// Everything that the inventory needs on the disk.
pub(in crate::cli) fn expected(inventory: &Inventory) -> Expected {
    Expected::new(
        inventory.blobs.iter().map(|(d, s)| (d.clone(), *s)),
        manifests(inventory),
    )
}

/// Indexes and image manifests of all images.
fn manifests(inventory: &Inventory) -> impl Iterator<Item = Descriptor> {
    inventory.images.iter().flat_map(|image| {
        let contents = image
            .contents
            .iter()
            .map(|content| content.manifest.clone());
        contents.chain([image.manifest.clone()])
    })
}

impl Categorised for StoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotAStore(_)
            | Self::UnknownImage(_)
            | Self::AmbiguousName(_)
            | Self::NotTheBase { .. }
            | Self::Overlap { .. } => Exit::Usage,
            Self::Busy(_) => Exit::Environment,
            Self::NewerFormat { .. } | Self::Export { .. } => Exit::Unsupported,
            Self::Missing(_)
            | Self::Damaged { .. }
            | Self::Malformed { .. }
            | Self::Manifest { .. } => Exit::Verification,
            Self::NoSpace { .. } => Exit::Io,
            Self::Io { source, .. } => source.exit(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => source.advice(),
            _ => self.hint().map(str::to_owned),
        }
    }
}
