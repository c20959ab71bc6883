//! Small documents that are not images: update graphs and release signatures.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

/// Fetches documents by URL. `cli` implements it over HTTP, tests from memory.
///
/// Implementations cap what they read (a graph is about 1 MiB, a signature under 2 KiB) and honour proxy and CA settings.
#[async_trait]
pub trait Documents: Send + Sync + fmt::Debug {
    /// The body of `url`, `None` when the server says that there is no such thing (404).
    ///
    /// # Errors
    /// Every other answer, and no answer.
    async fn get(&self, url: &str, accept: &str) -> Result<Option<Bytes>, DocumentError>;
}

/// A document could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {detail}")]
pub struct DocumentError {
    /// What was asked for.
    pub url: String,
    /// What happened, in one clause.
    pub detail: String,
}

/// Answers that everything is unreachable: for work without a network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

#[async_trait]
impl Documents for Offline {
    async fn get(&self, url: &str, _accept: &str) -> Result<Option<Bytes>, DocumentError> {
        Err(DocumentError {
            url: url.to_owned(),
            detail: "not asked (offline)".to_owned(),
        })
    }
}
