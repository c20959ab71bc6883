//! Why a download did not begin. What goes wrong on the way is in the [`super::Summary`].

use std::path::PathBuf;

use crate::store::StoreError;

/// A download did not begin; nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The plan does not fit.
    #[error("{path} has too little room: {:.1} MiB to fetch, {:.1} MiB free", mib(*need), mib(*have))]
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

/// For the message only.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
