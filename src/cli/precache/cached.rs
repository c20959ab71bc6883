//! Manifests from the data directory where it has them, from the registry otherwise and then into the data directory: what
//! resolving needs anyway is not fetched a second time by the download.

use std::sync::Arc;

use async_trait::async_trait;

use crate::oci::{
    BlobRequest, BlobStream, Descriptor, ImageSource, RawManifest, Reference, SourceError,
    SourceErrorKind,
};
use crate::store::{Store, StoreError};

/// A registry with a store in front of it.
#[derive(Debug)]
pub(in crate::cli) struct Cached<S> {
    store: Store,
    upstream: Arc<S>,
    keep: bool,
}

impl<S: ImageSource> Cached<S> {
    /// Puts `store` in front of `upstream`.
    pub(in crate::cli) fn new(store: Store, upstream: Arc<S>) -> Self {
        Self {
            store,
            upstream,
            keep: true,
        }
    }

    /// The same, for a plan: nothing is written.
    pub(in crate::cli) fn looking(store: Store, upstream: Arc<S>) -> Self {
        Self {
            keep: false,
            ..Self::new(store, upstream)
        }
    }

    /// Asks the store on a blocking thread: a write waits for the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(store)).await;
        let done = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
        done.map_err(|e| io_error(&e))
    }
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
        if let Some(digest) = image.digest().cloned() {
            // What cannot be read is fetched, whatever the reason.
            let read = move |store: Store| Ok(store.read_manifest(&digest, None).ok());
            if let Some(manifest) = self.on_disk(read).await? {
                return Ok(manifest);
            }
        }
        let manifest = self.upstream.manifest(image).await?;
        if self.keep {
            let copy = manifest.clone();
            self.on_disk(move |store| store.put_manifest(&copy)).await?;
        }
        Ok(manifest)
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        self.upstream.blob(request).await
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        self.upstream.tags(image).await
    }
}
