//! A source in memory whose blobs are computed, not kept, and which can be told to misbehave.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use snoforge::inventory::lock::{Content, FORMAT, Image, Inventory, Request};
use snoforge::oci::{
    Algorithm, BlobRequest, BlobStream, Digest, Hasher, ImageSource, RawManifest, Reference,
    SourceError, SourceErrorKind, media_type,
};

const CHUNK: u64 = 64 << 10;
const POOL_SIZE: u64 = 1 << 20;

/// The bytes of a made-up blob in a range that lies within one chunk: a window into a pool, so that they cost nothing.
pub(crate) fn content(seed: u64, range: Range<u64>) -> Bytes {
    static POOL: LazyLock<Bytes> = LazyLock::new(|| {
        let word = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        (0..POOL_SIZE / 8)
            .flat_map(|n| word(n).to_le_bytes())
            .collect()
    });
    let chunk = range.start / CHUNK;
    assert!(range.end <= (chunk + 1) * CHUNK);
    let window = (seed * 104_729 + chunk * 15_485_863) % (POOL_SIZE - CHUNK);
    let at = |n: u64| usize::try_from(window + n - chunk * CHUNK).unwrap();
    POOL.slice(at(range.start)..at(range.end))
}

/// What goes wrong with one request of a blob.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// One byte is another one.
    WrongByte,
    /// The connection breaks for good at this offset.
    CutAt(u64),
    /// One byte more than declared.
    TooLong,
    /// The body ends early, without an error.
    TooShort,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) image: String,
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) avoid: Vec<String>,
}

/// Called with the bytes of each chunk before it is given out.
pub(crate) type Hook = Arc<dyn Fn(u64) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Fake {
    blobs: BTreeMap<Digest, (u64, u64)>,
    manifests: BTreeMap<Digest, RawManifest>,
    images: Vec<Image>,
    seeds: BTreeMap<u64, Digest>,
    /// Per blob, for its next requests in order.
    pub(crate) faults: Mutex<BTreeMap<Digest, Vec<Fault>>>,
    /// Repositories that answer "not found".
    pub(crate) absent: Vec<String>,
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) hook: Option<Hook>,
    pub(crate) pause: Duration,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    /// A blob of a size, the same each time.
    pub(crate) fn blob_of(&mut self, seed: u64, size: u64) -> Digest {
        if let Some(known) = self.seeds.get(&seed) {
            return known.clone();
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for start in (0..size).step_by(usize::try_from(CHUNK).unwrap()) {
            hasher.update(&content(seed, start..size.min(start + CHUNK)));
        }
        let digest = hasher.finish();
        self.blobs.insert(digest.clone(), (seed, size));
        self.seeds.insert(seed, digest.clone());
        digest
    }

    /// Adds an image with layers `(seed, size)`; returns its index in the inventory.
    pub(crate) fn image(&mut self, repository: &str, layers: &[(u64, u64)]) -> usize {
        let number = self.images.len() as u64;
        let config = self.blob_of(1_000_000 + number, 700 + number);
        let digests: Vec<Digest> = layers.iter().map(|(s, n)| self.blob_of(*s, *n)).collect();
        let entry = |d: &Digest| {
            let size = self.blobs[d].1;
            serde_json::json!({"mediaType": "x/y", "digest": d, "size": size})
        };
        let text = serde_json::json!({
            "schemaVersion": 2,
            "config": entry(&config),
            "layers": digests.iter().map(entry).collect::<Vec<_>>(),
        });
        let raw = RawManifest::new(media_type::OCI_MANIFEST, text.to_string().into());
        let manifest = raw.descriptor().clone();
        let source: Reference = format!("{repository}@{}", manifest.digest).parse().unwrap();
        self.manifests.insert(manifest.digest.clone(), raw);
        self.images.push(Image {
            source,
            requested: None,
            destination: format!("openshift/release:{number}"),
            groups: Vec::new(),
            origins: Vec::new(),
            manifest: manifest.clone(),
            contents: vec![Content {
                manifest,
                platform: None,
                config,
                layers: digests,
            }],
        });
        self.images.len() - 1
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory {
            format: FORMAT,
            request: Request::default(),
            releases: Vec::new(),
            catalogs: Vec::new(),
            images: self.images.clone(),
            ignored: Vec::new(),
            blobs: self
                .blobs
                .iter()
                .map(|(d, (_, n))| (d.clone(), *n))
                .collect(),
        }
    }

    /// Bytes of all blobs and manifests.
    pub(crate) fn unique(&self) -> u64 {
        let manifests = self.manifests.values().map(|m| m.descriptor().size);
        self.blobs.values().map(|(_, n)| n).sum::<u64>() + manifests.sum::<u64>()
    }

    pub(crate) fn break_next(&self, blob: &Digest, faults: &[Fault]) {
        let mut all = self.faults.lock().unwrap();
        all.insert(blob.clone(), faults.to_vec());
    }

    fn here(&self, image: &Reference) -> Result<(), SourceError> {
        if self.absent.contains(&image.name()) {
            let kind = SourceErrorKind::NotFound;
            return Err(SourceError::new(kind, image.name(), "no such repository"));
        }
        Ok(())
    }
}

#[async_trait]
impl ImageSource for Fake {
    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        self.here(image)?;
        let found = image.digest().and_then(|d| self.manifests.get(d)).cloned();
        found.ok_or_else(|| SourceError::new(SourceErrorKind::NotFound, image.to_string(), "gone"))
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        self.asked.lock().unwrap().push(Asked {
            image: request.image.name(),
            digest: request.digest.clone(),
            offset: request.offset,
            avoid: request.avoid.to_vec(),
        });
        self.here(request.image)?;
        let (seed, size) = self.blobs[request.digest];
        let mut faults = self.faults.lock().unwrap();
        let fault = faults.get_mut(request.digest).filter(|f| !f.is_empty());
        let fault = fault.map(|f| f.remove(0));
        let end = match fault {
            Some(Fault::TooLong) => size + 1,
            Some(Fault::TooShort) => size - 1,
            _ => size,
        };
        let (hook, pause) = (self.hook.clone(), self.pause);
        let chunks = (request.offset / CHUNK..end.div_ceil(CHUNK)).map(move |n| {
            let range = (n * CHUNK).max(request.offset)..end.min((n + 1) * CHUNK);
            (range, fault.clone())
        });
        let offset = request.offset;
        let body = futures_util::stream::iter(chunks).then(move |(range, fault)| {
            let hook = hook.clone();
            async move {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                if let Some(Fault::CutAt(at)) = fault
                    && range.end > at
                {
                    let kind = SourceErrorKind::Unavailable;
                    return Err(SourceError::new(kind, "blob", "connection reset"));
                }
                let mut bytes = content(seed, range.clone());
                if matches!(fault, Some(Fault::WrongByte)) && range.start == offset {
                    let mut changed = bytes.to_vec();
                    changed[0] ^= 1;
                    bytes = changed.into();
                }
                if let Some(hook) = hook {
                    hook(bytes.len() as u64);
                }
                Ok(bytes)
            }
        });
        Ok(BlobStream {
            endpoint: request.image.name(),
            body: body.boxed(),
        })
    }

    async fn tags(&self, _image: &Reference) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }
}
