//! Manifests from the data directory where it has them, else from the registry, once: what resolving needs anyway is not fetched a
//! second time by the download. Nothing is written: resolving reads manifests that the disk does not need, a catalog's for one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::oci::{
    BlobRequest, BlobStream, Descriptor, Digest, ImageSource, RawManifest, Reference, SourceError,
};
use crate::store::Store;

/// What is kept in memory at most. The manifests of a release and its operators are some MB; a registry may send 4 MiB for each.
const MAX_KEPT_BYTES: u64 = 64 << 20;

/// A registry with a store in front of it.
#[derive(Debug)]
pub(in crate::cli) struct Cached<S> {
    store: Store,
    upstream: Arc<S>,
    fetched: Mutex<Fetched>,
}

/// Manifests of this run.
#[derive(Debug, Default)]
struct Fetched {
    manifests: BTreeMap<Digest, RawManifest>,
    bytes: u64,
}

impl<S: ImageSource> Cached<S> {
    /// Puts `store` in front of `upstream`.
    pub(in crate::cli) fn new(store: Store, upstream: Arc<S>) -> Self {
        Self {
            store,
            upstream,
            fetched: Mutex::default(),
        }
    }

    /// What is here, in memory or on the disk. What cannot be read is fetched, whatever the reason.
    async fn known(&self, digest: &Digest) -> Option<RawManifest> {
        let fetched = || self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = fetched().manifests.get(digest).cloned();
        if kept.is_some() {
            return kept;
        }
        let (store, digest) = (self.store.clone(), digest.clone());
        let read = tokio::task::spawn_blocking(move || store.read_manifest(&digest, None).ok());
        read.await
            .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }

    fn keep(&self, manifest: &RawManifest) {
        let Descriptor { digest, size, .. } = manifest.descriptor();
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if fetched.bytes + size > MAX_KEPT_BYTES {
            return;
        }
        let old = fetched.manifests.insert(digest.clone(), manifest.clone());
        if old.is_none() {
            fetched.bytes += size;
        }
    }
}

#[async_trait]
impl<S: ImageSource> ImageSource for Cached<S> {
    async fn resolve(&self, image: &Reference) -> Result<Descriptor, SourceError> {
        self.upstream.resolve(image).await
    }

    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        if let Some(digest) = image.digest()
            && let Some(manifest) = self.known(digest).await
        {
            return Ok(manifest);
        }
        let manifest = self.upstream.manifest(image).await?;
        self.keep(&manifest);
        Ok(manifest)
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        self.upstream.blob(request).await
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        self.upstream.tags(image).await
    }
}
