//! The client: options made into places, and the answers of [`ImageSource`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::credentials::{CredentialSource, Credentials};
use super::error::Fault;
use super::host::Host;
use super::itinerary::{Itinerary, Jitter, Place};
use super::limit::RateLimit;
use super::registries::{Purpose, Registries};
use super::tls::{self, Clients, Profile};
use super::token::Tokens;
use super::{Error, Options, blob, pull};
use crate::oci::{
    BlobRequest, BlobStream, Descriptor, ImageSource, RawManifest, Reference, SourceError,
};

/// Talks to registries; clones share connections, tokens, gates and counters.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) limit: Option<RateLimit>,
    pub(super) received: AtomicU64,
    pub(super) credentials: Credentials,
    pub(super) tokens: Tokens,
    registries: Registries,
    pub(super) clients: Clients,
    hosts: Mutex<BTreeMap<(String, bool), Arc<Host>>>,
    jitter: Arc<Jitter>,
}

impl Client {
    /// Reads the configuration files and makes a client; connects to nothing.
    ///
    /// # Errors
    /// A file that was named is missing, or a file that is there is not what it should be.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self {
            inner: Arc::new(Inner {
                limit: options.limit_rate.map(RateLimit::new),
                received: AtomicU64::new(0),
                credentials: Credentials::load(&options)?,
                tokens: Tokens::default(),
                registries: Registries::load(&options)?,
                clients: Clients::new(&options),
                hosts: Mutex::default(),
                jitter: Arc::new(Jitter::new(options.jitter_seed)),
                options,
            }),
        })
    }

    /// Body bytes of blobs and manifests that came over the wire so far, those that were thrown away included.
    pub fn bytes_received(&self) -> u64 {
        self.inner.received.load(Ordering::Relaxed)
    }

    /// Time without a byte after which an answer counts as stalled.
    pub(super) fn stall(&self) -> std::time::Duration {
        self.inner.options.retry.stall_timeout
    }

    pub(super) fn count(&self, bytes: usize) {
        self.inner
            .received
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What is remembered of a physical registry.
    pub(super) fn host(&self, registry: &str, insecure: bool) -> Result<Arc<Host>, Fault> {
        // Docker Hub's registry answers under another name than its images carry.
        let name = match registry {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let insecure = insecure || !self.inner.options.tls_verify;
        let mut hosts = self
            .inner
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), insecure);
        if let Some(host) = hosts.get(&key) {
            return Ok(Arc::clone(host));
        }
        let http = self.inner.clients.get(&Profile {
            verify: !insecure,
            certificates: tls::directory(&self.inner.options, registry),
        })?;
        let host = Arc::new(Host::new(name, insecure, http, self.inner.options.per_host));
        hosts.insert(key, Arc::clone(&host));
        Ok(host)
    }

    /// Which file and key hold the credentials for the repository of `image` at its own place (mirrors have their own), without
    /// asking a helper program.
    ///
    /// # Errors
    /// A credential file that has to be looked at is broken, or registries.conf blocks the image.
    pub fn credential_source(
        &self,
        image: &Reference,
    ) -> Result<Option<CredentialSource>, SourceError> {
        let what = || format!("credentials for {}", image.name());
        let places = self.inner.registries.places(image, Purpose::Manifest);
        let own = places.map_err(|fault| fault.about(&what()))?.pop();
        let Some((own, _)) = own else {
            return Ok(None);
        };
        let source = self
            .inner
            .credentials
            .source(own.registry(), own.repository());
        source.map_err(|error| Fault::from(error).about(&what()))
    }

    /// The places that may answer for `image`, best first.
    pub(super) fn places(&self, image: &Reference, purpose: Purpose) -> Result<Vec<Place>, Fault> {
        let located = self.inner.registries.places(image, purpose)?;
        let place = |(image, insecure): (Reference, bool)| {
            let host = self.host(image.registry(), insecure)?;
            Ok(Place { host, image })
        };
        located.into_iter().map(place).collect()
    }

    pub(super) fn itinerary(&self, what: String, places: Vec<Place>) -> Itinerary {
        let policy = self.inner.options.retry.clone();
        Itinerary::new(what, places, policy, Arc::clone(&self.inner.jitter))
    }
}

#[async_trait]
impl ImageSource for Client {
    async fn resolve(&self, image: &Reference) -> Result<Descriptor, SourceError> {
        pull::resolve(self, image).await
    }

    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        pull::manifest(self, image).await
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        blob::open(self, request).await
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        pull::tags(self, image).await
    }
}
