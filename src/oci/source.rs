//! Where images come from: a registry, a layout on disk and a fake answer the same questions.
//!
//! The idea is go-containerregistry's (`pkg/v1`): code that works out or copies images never knows which one it talks to.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::{Descriptor, Digest, Hasher, RawManifest, Reference};

/// Answers for manifests and blobs.
#[async_trait]
pub trait ImageSource: Send + Sync + fmt::Debug {
    /// What `image` (tag or digest) is now: type, digest, size. Cheaper than the manifest where the source allows (HEAD).
    ///
    /// # Errors
    /// Not found, refused, or out of retries; see [`SourceErrorKind`].
    async fn resolve(&self, image: &Reference) -> Result<Descriptor, SourceError> {
        Ok(self.manifest(image).await?.descriptor().clone())
    }

    /// The manifest of `image` byte for byte, verified when the reference has a digest.
    ///
    /// # Errors
    /// As [`ImageSource::resolve`], and [`SourceErrorKind::Digest`] for wrong bytes.
    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError>;

    /// Opens a blob from an offset. See [`BlobStream`] for what the stream promises.
    ///
    /// # Errors
    /// As [`ImageSource::resolve`].
    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError>;

    /// A small blob whole, verified: a configuration. At most `cap` bytes are read, whatever the manifest or the source says.
    ///
    /// # Errors
    /// As [`ImageSource::resolve`], [`SourceErrorKind::Protocol`] for one above `cap`, [`SourceErrorKind::Digest`] for wrong bytes.
    async fn small_blob(
        &self,
        image: &Reference,
        blob: &Descriptor,
        cap: u64,
    ) -> Result<Vec<u8>, SourceError> {
        let what = || format!("configuration {} of {image}", blob.digest);
        if blob.size > cap {
            let detail = format!("it claims {} bytes, {cap} are read at most", blob.size);
            return Err(SourceError::new(SourceErrorKind::Protocol, what(), detail));
        }
        let request = BlobRequest {
            image,
            digest: &blob.digest,
            size: blob.size,
            offset: 0,
            avoid: &[],
        };
        let mut stream = self.blob(request).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() as u64 > cap {
                break;
            }
        }
        let mut hasher = Hasher::new(blob.digest.algorithm());
        hasher.update(&bytes);
        if hasher.finish() == blob.digest {
            return Ok(bytes);
        }
        let detail = format!("wrong bytes from {}", stream.endpoint);
        Err(SourceError::new(SourceErrorKind::Digest, what(), detail))
    }

    /// The tags of the repository of `image`, in the order the source gives them.
    ///
    /// # Errors
    /// As [`ImageSource::resolve`].
    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError>;
}

/// Which blob, from where on.
#[derive(Debug, Clone, Copy)]
pub struct BlobRequest<'a> {
    /// Names the repository; its tag and digest are not looked at.
    pub image: &'a Reference,
    /// The blob.
    pub digest: &'a Digest,
    /// Its size in bytes as the manifest says.
    pub size: u64,
    /// First byte wanted; what is before it is on disk already.
    pub offset: u64,
    /// Endpoints ([`BlobStream::endpoint`]) that sent wrong bytes for this blob and are to be tried last.
    pub avoid: &'a [String],
}

/// The bytes of a blob from the asked offset on, contiguous, to the declared size.
///
/// The source reconnects by Range inside the stream, skips what it got twice, and ends with an error when out of retries or
/// when the body is longer or shorter than declared. It does *not* hash: the reader does, in the same pass that writes.
pub struct BlobStream {
    /// The physical place that answers (`host:port/repository`), for `avoid` and for messages.
    pub endpoint: String,
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes, SourceError>>,
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The category of a failure: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// The image, blob or repository is not there.
    NotFound,
    /// Credentials missing or refused.
    Unauthorized,
    /// Rate limits, server errors, resets, stalls: retried already, may work later.
    Unavailable,
    /// An answer that is against the protocol, or a length that differs from the descriptor's.
    Protocol,
    /// Bytes that do not have the asked digest.
    Digest,
    /// Forbidden by configuration (`blocked` in registries.conf), or configuration that cannot work.
    Config,
    /// A local read failed.
    Io,
}

/// A source failed: what was asked for, what happened, what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}: {detail}")]
pub struct SourceError {
    /// The category.
    pub kind: SourceErrorKind,
    /// What was asked for, with its place: `manifest of quay.io/a/b:c`.
    pub what: String,
    /// What happened, in one clause, without secrets.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error without a hint.
    pub fn new(kind: SourceErrorKind, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            detail: detail.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
