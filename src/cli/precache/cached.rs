//! Manifests from the data directory where it has them, from the registry otherwise and then into the data directory: what
//! resolving needs anyway is not fetched a second time by the download.

use std::sync::Arc;

use async_trait::async_trait;

use crate::oci::{
    BlobRequest, BlobStream, Descriptor, Digest, ImageSource, RawManifest, Reference, SourceError,
    SourceErrorKind, media_type,
};
use crate::store::{Store, StoreError};

/// A registry with a store in front of it.
#[derive(Debug)]
pub(super) struct Cached<S> {
    store: Store,
    upstream: Arc<S>,
}

impl<S: ImageSource> Cached<S> {
    /// Puts `store` in front of `upstream`.
    pub(super) fn new(store: Store, upstream: Arc<S>) -> Self {
        Self { store, upstream }
    }

    /// The manifest when the store has it whole; damaged ones are fetched anew.
    fn stored(&self, digest: &Digest) -> Option<RawManifest> {
        let bytes = fs_err::read(self.store.blob_path(digest)).ok()?;
        let manifest = RawManifest::new(&own_media_type(&bytes)?, bytes.into());
        (manifest.descriptor().digest == *digest).then_some(manifest)
    }
}

/// The type that a manifest says it has. Only OCI manifests may leave it out, and these two differ by one field.
fn own_media_type(bytes: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let said = value.get("mediaType").and_then(|t| t.as_str());
    let shape = if value.get("manifests").is_some() {
        media_type::OCI_INDEX
    } else {
        media_type::OCI_MANIFEST
    };
    Some(said.unwrap_or(shape).to_owned())
}

fn io_error(error: &StoreError) -> SourceError {
    SourceError::new(
        SourceErrorKind::Io,
        "the data directory",
        crate::cli::exit::chain(error),
    )
}

#[async_trait]
impl<S: ImageSource> ImageSource for Cached<S> {
    async fn resolve(&self, image: &Reference) -> Result<Descriptor, SourceError> {
        self.upstream.resolve(image).await
    }

    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        if let Some(manifest) = image.digest().and_then(|digest| self.stored(digest)) {
            return Ok(manifest);
        }
        let manifest = self.upstream.manifest(image).await?;
        self.store
            .put_manifest(&manifest)
            .map_err(|e| io_error(&e))?;
        Ok(manifest)
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        self.upstream.blob(request).await
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        self.upstream.tags(image).await
    }
}
