//! Operator catalogs in file-based form: reading them, and selecting bundles as oc-mirror does.
//!
//! | module | what |
//! |---|---|
//! | [`model`] | the parsed catalog |
//! | [`parse`] | one file at a time into a [`parse::Builder`]; local directories |
//! | [`validate`] | what operator-registry objects to |
//! | [`filter`] | the v1 and v2 selection rules |
//! | [`pins`] | pinned versions that do not exist |
//! | [`listing`] | packages, channels and versions as plain rows |
//!
//! Nothing here speaks to a registry: the caller hands over file contents.

pub mod filter;
mod ignore;
pub mod listing;
pub mod model;
pub(super) mod nearest;
pub mod parse;
pub mod pins;
mod raw;
#[cfg(test)]
mod tests;
pub mod validate;

use std::path::PathBuf;

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or directory could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not file-based catalog content.
    #[error("{path}: {reason}")]
    Content {
        /// Path below the catalog's directory.
        path: String,
        /// What is wrong, with line and column where they are known.
        reason: String,
    },
    /// A symbolic link leads out of the catalog's directory.
    #[error("{path}: symbolic link leads out of the catalog directory")]
    Escape {
        /// The link.
        path: PathBuf,
    },
    /// There is no file in it that could hold a catalog.
    #[error("no catalog file was found")]
    Empty,
}

impl CatalogError {
    /// Returns advice for the user.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Content { .. } => Some(
                "list files that are no catalog content in a .indexignore file next to them, as opm does",
            ),
            Self::Empty => {
                Some("is this the right directory? an index image keeps its catalog below /configs")
            }
            Self::Escape { .. } => Some("copy the file into the catalog directory"),
            Self::Read { .. } => None,
        }
    }
}
