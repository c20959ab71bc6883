//! Why a download did not begin. What goes wrong on the way is in the [`super::Summary`].

use std::path::PathBuf;

use crate::store::StoreError;

/// A download did not begin; nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The plan does not fit.
    #[error("{path} has too little room: {need} bytes to fetch, {have} bytes free")]
    NoSpace {
        /// The data directory.
        path: PathBuf,
        /// Bytes that are still to be written.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSpace { need, have, .. } => Some(format!(
                "free {} bytes, make the partition larger, or take images out of the image set",
                need.saturating_sub(*have)
            )),
            Self::Store(error) => error.hint().map(str::to_owned),
        }
    }
}
