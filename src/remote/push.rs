//! Copies an image into a registry, through the `oci_distribution` crate.
//!
//! Blobs first (those that are there already are not sent), then the manifests byte for byte, an index last. A blob streams from
//! source to registry in one PUT of known length; the registry checks its digest. The crate cannot refresh tokens or retry, so both
//! are done here around it: each request gets a token of ours, a failed blob is opened anew at its source.
//! Not done: cross-repository mounts, upload resume, client certificates (the crate has none of them or hides them).

mod adapter;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use http::HeaderValue;
use oci_distribution as oci;
use oci_distribution::errors::OciDistributionError;
use tokio::time::timeout;

use super::client::Client;
use super::error::Fault;
use super::itinerary::Place;
use super::{authorize, transport};
use crate::oci::{
    BlobRequest, Descriptor, ImageSource, Manifest, RawManifest, Reference, SourceError,
    SourceErrorKind,
};
use adapter::{crate_token, fault};

/// Stall times without a byte asked for after which an upload is given up: a registry may be busy for minutes committing one.
const QUIET_SPELLS: u32 = 10;

/// What a push sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Blobs sent.
    pub blobs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Blobs that were there already.
    pub present: u64,
    /// Manifests sent, the index included.
    pub manifests: u64,
}

impl Client {
    /// Copies `image` from `source` to `target`, which names a tag or, for a push by digest only, the image's digest. Of an index,
    /// the manifests that the source has are copied. Mirrors do not apply; rewritten locations of registries.conf do.
    ///
    /// # Errors
    /// The source fails, the registry refuses, or retries are used up.
    pub async fn push(
        &self,
        source: &dyn ImageSource,
        image: &Reference,
        target: &Reference,
    ) -> Result<Pushed, SourceError> {
        let about = |fault: Fault| fault.about(&format!("push to {target}"));
        let root = source.manifest(image).await?;
        let mut push = Push::new(self, source, image, target)
            .await
            .map_err(about)?;
        push.tree(&root).await?;
        Ok(push.pushed)
    }
}

/// Docker's registry, for one, wants every entry of an index to be there.
const SPARSE_HINT: &str = "this registry refuses an index without all its architectures: download them with --all-arch (`allArch: true` in a factory.yaml), then push again";

struct Push<'a> {
    client: &'a Client,
    source: &'a dyn ImageSource,
    image: &'a Reference,
    place: Place,
    registry: oci::Client,
    sent: BTreeSet<String>,
    /// Bytes of uploads handed to the crate so far.
    uploaded: Arc<AtomicU64>,
    pushed: Pushed,
}

/// One request, or one upload session.
enum Step<'a> {
    Exists(&'a Descriptor),
    Blob(&'a Descriptor),
    Manifest(&'a RawManifest, oci::Reference),
}

impl<'a> Push<'a> {
    async fn new(
        client: &'a Client,
        source: &'a dyn ImageSource,
        image: &'a Reference,
        target: &Reference,
    ) -> Result<Self, Fault> {
        let places = client.places(target, super::registries::Purpose::Manifest)?;
        let place = places
            .into_iter()
            .next_back()
            .ok_or_else(|| Fault::config("registries.conf names no place for it"))?;
        let scheme = place.host.scheme(client.stall()).await?;
        transport::learn_challenge(client, &place).await?;
        Ok(Self {
            registry: adapter::registry(client, &place, scheme)?,
            client,
            source,
            image,
            place,
            sent: BTreeSet::new(),
            uploaded: Arc::default(),
            pushed: Pushed::default(),
        })
    }

    /// An image, or an index with what the source has of it.
    async fn tree(&mut self, root: &RawManifest) -> Result<(), SourceError> {
        let mut sparse = false;
        match self.parse(root)? {
            Manifest::Image { config, layers } => self.blobs(&config, &layers).await?,
            Manifest::Index { manifests } => {
                for entry in manifests {
                    sparse |= !self.entry(&entry).await?;
                }
            }
        }
        let target = &self.place.image;
        let reference = match (target.digest(), target.tag_or_latest()) {
            (Some(_), _) | (None, None) => self.by_digest(root),
            (None, Some(tag)) => self.by_tag(tag),
        };
        let sent = self.manifest(root, reference).await;
        sent.map_err(|error| match error.kind {
            SourceErrorKind::Protocol if sparse => error.with_hint(SPARSE_HINT),
            _ => error,
        })
    }

    /// Pushes an entry of an index; `false` when the source does not have it.
    async fn entry(&mut self, entry: &Descriptor) -> Result<bool, SourceError> {
        let image = self.image.pinned(entry.digest.clone());
        let manifest = match self.source.manifest(&image).await {
            Ok(manifest) => manifest,
            // A store keeps an index whole but only the architectures that were asked for.
            Err(error) if error.kind == SourceErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Manifest::Image { config, layers } = self.parse(&manifest)? {
            self.blobs(&config, &layers).await?;
        }
        let reference = self.by_digest(&manifest);
        self.manifest(&manifest, reference).await?;
        Ok(true)
    }

    fn parse(&self, manifest: &RawManifest) -> Result<Manifest, SourceError> {
        let what = format!(
            "manifest {} of {}",
            manifest.descriptor().digest,
            self.image.name()
        );
        manifest
            .parse()
            .map_err(|e| SourceError::new(SourceErrorKind::Protocol, what, e.to_string()))
    }

    async fn blobs(
        &mut self,
        config: &Descriptor,
        layers: &[Descriptor],
    ) -> Result<(), SourceError> {
        for blob in layers.iter().chain([config]) {
            if blob.is_foreign() || !self.sent.insert(blob.digest.to_string()) {
                continue;
            }
            if self.step(&Step::Exists(blob)).await? {
                self.pushed.present += 1;
            } else {
                self.step(&Step::Blob(blob)).await?;
                self.pushed.blobs += 1;
                self.pushed.bytes += blob.size;
            }
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        manifest: &RawManifest,
        to: oci::Reference,
    ) -> Result<(), SourceError> {
        self.step(&Step::Manifest(manifest, to)).await?;
        self.pushed.manifests += 1;
        Ok(())
    }

    fn by_digest(&self, manifest: &RawManifest) -> oci::Reference {
        let digest = manifest.descriptor().digest.to_string();
        oci::Reference::with_digest(self.place.host.name.clone(), self.repository(), digest)
    }

    fn by_tag(&self, tag: &str) -> oci::Reference {
        oci::Reference::with_tag(
            self.place.host.name.clone(),
            self.repository(),
            tag.to_owned(),
        )
    }

    fn repository(&self) -> String {
        self.place.image.repository().to_owned()
    }

    /// A step with retries and, once, a fresh token. The answer means something for [`Step::Exists`] only.
    async fn step(&self, step: &Step<'_>) -> Result<bool, SourceError> {
        let what = match step {
            Step::Exists(blob) | Step::Blob(blob) => format!("push of blob {}", blob.digest),
            Step::Manifest(manifest, _) => {
                format!("push of manifest {}", manifest.descriptor().digest)
            }
        };
        let what = format!("{what} to {}", self.place.endpoint());
        let mut itinerary = self
            .client
            .itinerary(what.clone(), vec![self.place.clone()]);
        let (mut rejected, mut used) = (None, None);
        loop {
            let (index, place) = itinerary.next().await?;
            let attempt = async {
                let _slot = place
                    .host
                    .enter(self.client.inner.options.retry.deadline)
                    .await?;
                used = self.log_in(rejected.as_ref()).await?;
                self.watch(self.attempt(step)).await
            };
            match attempt.await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Source(error)) => return Err(error),
                Err(Trouble::Registry(fault)) => {
                    let stale = fault.kind == SourceErrorKind::Unauthorized
                        && rejected.is_none()
                        && used
                            .as_ref()
                            .is_some_and(|header| header.as_bytes().starts_with(b"Bearer"));
                    if stale {
                        rejected = used.take();
                    } else {
                        itinerary.failed(index, fault);
                    }
                }
            }
        }
    }

    /// Gives a request up when nothing moves.
    async fn watch(
        &self,
        request: impl Future<Output = Result<bool, Trouble>>,
    ) -> Result<bool, Trouble> {
        let mut request = std::pin::pin!(request);
        let mut before = self.uploaded.load(Ordering::Relaxed);
        let mut quiet = 0;
        loop {
            if let Ok(answer) = timeout(self.client.stall(), &mut request).await {
                return answer;
            }
            let now = self.uploaded.load(Ordering::Relaxed);
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
            if quiet == QUIET_SPELLS {
                let fault = transport::stalled(self.client.stall() * QUIET_SPELLS);
                return Err(fault.into());
            }
        }
    }

    /// Gives the crate a header of ours for its next requests.
    async fn log_in(&self, rejected: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Fault> {
        let scope = format!("repository:{}:pull,push", self.place.image.repository());
        let found = authorize::header(self.client, &self.place, &scope, rejected).await?;
        let header = found.map(|found| found.header);
        let Some(token) = header.as_ref().and_then(crate_token) else {
            return Ok(header);
        };
        let name = self.by_tag("latest");
        // The crate looks for a token only where some authentication is stored.
        let anonymous = oci::secrets::RegistryAuth::Anonymous;
        self.registry
            .store_auth_if_needed(name.resolve_registry(), &anonymous)
            .await;
        for operation in [oci::RegistryOperation::Pull, oci::RegistryOperation::Push] {
            self.registry
                .tokens
                .insert(&name, operation, token.clone())
                .await;
        }
        Ok(header)
    }

    async fn attempt(&self, step: &Step<'_>) -> Result<bool, Trouble> {
        let name = self.by_tag("latest");
        let done = match step {
            Step::Exists(blob) => {
                self.registry
                    .blob_exists(&name, &blob.digest.to_string())
                    .await
            }
            Step::Blob(blob) => return self.upload(&name, blob).await.map(|()| true),
            Step::Manifest(manifest, to) => {
                let kind = HeaderValue::try_from(&manifest.descriptor().media_type)
                    .map_err(|_| Fault::protocol("its media type cannot be a header"))?;
                let bytes = manifest.bytes().clone();
                let sent = self.registry.push_manifest_raw(to, bytes, kind).await;
                sent.map(|_| true)
            }
        };
        done.map_err(|error| fault(error).into())
    }

    async fn upload(&self, name: &oci::Reference, blob: &Descriptor) -> Result<(), Trouble> {
        let request = BlobRequest {
            image: self.image,
            digest: &blob.digest,
            size: blob.size,
            offset: 0,
            avoid: &[],
        };
        let body = self
            .source
            .blob(request)
            .await
            .map_err(Trouble::Source)?
            .body;
        // The crate's error type has no room for ours: it is put aside.
        let aside: Arc<Mutex<Option<SourceError>>> = Arc::default();
        let keep = Arc::clone(&aside);
        let uploaded = Arc::clone(&self.uploaded);
        let body = body.inspect_ok(move |bytes| {
            uploaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        let body = body.map_err(move |error| {
            let text = error.to_string();
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            OciDistributionError::GenericError(Some(text))
        });
        let digest = blob.digest.to_string();
        let sent = self
            .registry
            .push_blob_stream(name, body, &digest, Some(blob.size))
            .await;
        let source = aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (sent, source) {
            (_, Some(error)) => Err(Trouble::Source(error)),
            (Err(error), None) => Err(fault(error).into()),
            (Ok(_), None) => Ok(()),
        }
    }
}

/// Which side failed.
enum Trouble {
    Source(SourceError),
    Registry(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Registry(fault)
    }
}
