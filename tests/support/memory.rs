//! Images made in memory, and a source that serves them: what the inventory is tested against without a network.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::allow_attributes,
    reason = "each test binary uses its own part of this"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use snoforge::inventory::{DocumentError, Documents};
use snoforge::oci::{
    BlobRequest, BlobStream, Descriptor, Digest, ImageSource, Platform, RawManifest, Reference,
    SourceError, SourceErrorKind, media_type,
};

/// How a layer is packed.
#[derive(Debug, Clone, Copy)]
pub enum Pack {
    Gzip,
    Zstd,
    Plain,
}

/// A tar layer; names that end in `/` are directories.
pub fn layer(pack: Pack, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    match pack {
        Pack::Plain => tar,
        Pack::Zstd => zstd::encode_all(&*tar, 1).unwrap(),
        Pack::Gzip => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(&tar).unwrap();
            gz.finish().unwrap()
        }
    }
}

/// What the fake does wrong for a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The first endpoint sends other bytes; a second one is right.
    WrongOnce,
    /// Every endpoint sends other bytes.
    WrongAlways,
    /// The stream breaks in the middle.
    Breaks,
}

/// Serves what was put into it.
#[derive(Debug, Default)]
pub struct Fake {
    manifests: BTreeMap<String, RawManifest>,
    blobs: BTreeMap<Digest, Bytes>,
    faults: BTreeMap<Digest, Fault>,
    /// Answers for every reference by digest that is not there otherwise. The golden run names images that nobody has any more.
    pub any_digest: Option<RawManifest>,
    /// Every request, as `manifest REF`, `resolve REF` and `blob DIGEST`.
    pub log: Mutex<Vec<String>>,
}

impl Fake {
    pub fn blob(&mut self, bytes: Vec<u8>, media_type: &str) -> Descriptor {
        let descriptor = Descriptor::new(media_type, Digest::of(&bytes), bytes.len() as u64);
        self.blobs.insert(descriptor.digest.clone(), bytes.into());
        descriptor
    }

    pub fn fault(&mut self, digest: &Digest, fault: Fault) {
        self.faults.insert(digest.clone(), fault);
    }

    /// An image manifest with its blobs, not yet under any name.
    pub fn image(&mut self, config: &serde_json::Value, layers: Vec<Vec<u8>>) -> RawManifest {
        let config = self.blob(
            config.to_string().into_bytes(),
            "application/vnd.oci.image.config.v1+json",
        );
        let layers: Vec<Descriptor> = layers
            .into_iter()
            .map(|l| self.blob(l, "application/vnd.oci.image.layer.v1.tar+gzip"))
            .collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers});
        RawManifest::new(media_type::OCI_MANIFEST, manifest.to_string().into())
    }

    /// A Docker manifest list over images, as `(architecture, image)`.
    pub fn list(entries: &[(&str, &RawManifest)]) -> RawManifest {
        let entry = |(architecture, image): &(&str, &RawManifest)| {
            let mut descriptor = image.descriptor().clone();
            descriptor.platform = Some(Platform {
                architecture: (*architecture).to_owned(),
                os: if *architecture == "unknown" {
                    "unknown"
                } else {
                    "linux"
                }
                .to_owned(),
                variant: None,
            });
            descriptor
        };
        let manifests: Vec<Descriptor> = entries.iter().map(entry).collect();
        let list = json!({"schemaVersion": 2, "mediaType": media_type::DOCKER_LIST, "manifests": manifests});
        RawManifest::new(media_type::DOCKER_LIST, list.to_string().into())
    }

    /// Puts a manifest under its digest in a repository, returns the pinned pull spec.
    pub fn push(&mut self, name: &str, manifest: &RawManifest) -> String {
        let pinned = format!("{name}@{}", manifest.descriptor().digest);
        self.name(&pinned, manifest);
        pinned
    }

    /// Puts a manifest under any pull spec, true or not.
    pub fn name(&mut self, pull_spec: &str, manifest: &RawManifest) {
        let reference: Reference = pull_spec.parse().unwrap();
        self.manifests
            .insert(reference.to_string(), manifest.clone());
    }

    /// A small image of its own, under its digest; returns the pinned pull spec.
    pub fn small(&mut self, name: &str) -> String {
        let manifest = self.image(
            &json!({"architecture": "amd64", "os": "linux"}),
            vec![layer(Pack::Plain, &[("name", name.as_bytes())])],
        );
        self.push(name, &manifest)
    }

    /// A release payload, under its digest.
    pub fn payload(&mut self, name: &str, references: &[u8], metadata: &[u8]) -> String {
        let base = layer(Pack::Gzip, &[("usr/bin/cvo", b"elf")]);
        let top = layer(
            Pack::Gzip,
            &[
                ("release-manifests/", b""),
                ("release-manifests/image-references", references),
                ("release-manifests/release-metadata", metadata),
            ],
        );
        let config = json!({"architecture": "amd64", "os": "linux"});
        let manifest = self.image(&config, vec![base, top]);
        self.push(name, &manifest)
    }

    /// A catalog image of layers, under a tag and its digest.
    pub fn catalog(&mut self, tagged: &str, layers: Vec<Vec<u8>>) -> RawManifest {
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels":
            {"operators.operatorframework.io.index.configs.v1": "/configs"}}});
        let manifest = self.image(&config, layers);
        self.name(tagged, &manifest);
        let reference: Reference = tagged.parse().unwrap();
        self.push(&reference.name(), &manifest);
        manifest
    }

    /// What a pull spec stands for.
    pub fn manifest_of(&self, pull_spec: &str) -> RawManifest {
        let reference: Reference = pull_spec.parse().unwrap();
        self.manifests[&reference.to_string()].clone()
    }

    /// Every pull spec that something was put under.
    pub fn names(&self) -> Vec<String> {
        self.manifests.keys().cloned().collect()
    }

    pub fn requests(&self, kind: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|r| r.starts_with(kind)).count()
    }

    fn find(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        let name = match image.digest() {
            Some(digest) => image.pinned(digest.clone()).to_string(),
            None => image.to_string(),
        };
        let found = self.manifests.get(&name).cloned();
        let any = || self.any_digest.clone().filter(|_| image.digest().is_some());
        found.or_else(any).ok_or_else(|| {
            SourceError::new(
                SourceErrorKind::NotFound,
                format!("manifest of {image}"),
                "no such image",
            )
        })
    }

    fn note(&self, request: String) {
        self.log.lock().unwrap().push(request);
    }
}

#[async_trait]
impl ImageSource for Fake {
    async fn resolve(&self, image: &Reference) -> Result<Descriptor, SourceError> {
        self.note(format!("resolve {image}"));
        Ok(self.find(image)?.descriptor().clone())
    }

    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        self.note(format!("manifest {image}"));
        // Answers come in any order: the inventory must not depend on it.
        let wait = self.log.lock().unwrap().len() as u64 * 7919 % 5;
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        self.find(image)
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        self.note(format!("blob {}", request.digest));
        let what = format!("blob {}", request.digest);
        let bytes = self.blobs.get(request.digest).cloned();
        let bytes = bytes.ok_or_else(|| {
            SourceError::new(SourceErrorKind::NotFound, what.clone(), "no such blob")
        })?;
        let wrong: Bytes = bytes.iter().map(|b| b ^ 1).collect::<Vec<u8>>().into();
        let endpoint = if request.avoid.is_empty() {
            "one"
        } else {
            "two"
        };
        let mut chunks: Vec<Result<Bytes, SourceError>> = Vec::new();
        let served = match self.faults.get(request.digest) {
            Some(Fault::WrongAlways) => wrong,
            Some(Fault::WrongOnce) if request.avoid.is_empty() => wrong,
            _ => bytes,
        };
        let served = served.slice(usize::try_from(request.offset).unwrap()..);
        for start in (0..served.len()).step_by(1000) {
            chunks.push(Ok(served.slice(start..served.len().min(start + 1000))));
        }
        if self.faults.get(request.digest) == Some(&Fault::Breaks) {
            chunks.truncate(chunks.len() / 2);
            chunks.push(Err(SourceError::new(
                SourceErrorKind::Unavailable,
                what,
                "connection reset",
            )));
        }
        Ok(BlobStream {
            endpoint: endpoint.to_owned(),
            body: futures_util::stream::iter(chunks).boxed(),
        })
    }

    async fn tags(&self, _image: &Reference) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }
}

/// Documents by URL; everything else is not there.
#[derive(Debug, Default)]
pub struct Shelf {
    pub documents: BTreeMap<String, Bytes>,
    /// Every URL asked for.
    pub log: Mutex<Vec<String>>,
}

#[async_trait]
impl Documents for Shelf {
    async fn get(&self, url: &str, accept: &str) -> Result<Option<Bytes>, DocumentError> {
        self.log.lock().unwrap().push(url.to_owned());
        if url.contains("/graph") && accept != "application/json" {
            return Err(DocumentError {
                url: url.to_owned(),
                detail: "415 Unsupported Media Type".to_owned(),
            });
        }
        Ok(self.documents.get(url).cloned())
    }
}

/// The shared data folder, when this checkout has it beside it.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared"));
    let found = root.join("data/imagesets").join(path);
    if found.exists() {
        return Some(found);
    }
    skip(&format!("{} is absent", found.display()));
    None
}

/// Says why a test does nothing.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Where release payloads are.
pub const PAYLOADS: &str = "quay.io/openshift-release-dev/ocp-release";
/// The catalog of [`world`].
pub const INDEX: &str = "registry.example.com/redhat/index:v4.13";

/// `image-references` of a payload.
pub fn references(version: &str, components: &[(&str, &str)]) -> Vec<u8> {
    let tag = |(name, image): &(&str, &str)| json!({"name": name, "from": {"kind": "DockerImage", "name": image}});
    let tags: Vec<_> = components.iter().map(tag).collect();
    json!({"kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "metadata": {"name": version}, "spec": {"tags": tags}})
        .to_string()
        .into_bytes()
}

/// `release-metadata` of a payload.
pub fn metadata(version: &str) -> Vec<u8> {
    json!({"kind": "cincinnati-metadata-v0", "version": version, "previous": []})
        .to_string()
        .into_bytes()
}

/// A package of one channel `stable` with one bundle per version, linear.
pub fn package(name: &str, versions: &[&str], images: &[&str]) -> Vec<u8> {
    let mut text =
        json!({"schema": "olm.package", "name": name, "defaultChannel": "stable"}).to_string();
    let mut entries = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let mut entry = json!({"name": format!("{name}.v{version}")});
        if index > 0 {
            entry["replaces"] = json!(format!("{name}.v{}", versions[index - 1]));
        }
        entries.push(entry);
        let related: Vec<_> = images
            .iter()
            .map(|i| json!({"name": "", "image": i}))
            .collect();
        text += &json!({"schema": "olm.bundle", "package": name, "name": format!("{name}.v{version}"), "image": images[0],
            "properties": [{"type": "olm.package", "value": {"packageName": name, "version": version}}], "relatedImages": related})
        .to_string();
    }
    text +=
        &json!({"schema": "olm.channel", "package": name, "name": "stable", "entries": entries})
            .to_string();
    text.into_bytes()
}

/// A release of two components that share one image, an operator of two images (one by tag, one a list), an additional image.
#[derive(Debug)]
pub struct World {
    pub fake: Fake,
    pub payload: String,
    pub list: String,
}

/// Makes it.
pub fn world() -> World {
    let mut fake = Fake::default();
    let etcd = fake.small("quay.io/openshift-release-dev/ocp-v4.0-art-dev");
    let payload = fake.payload(
        PAYLOADS,
        &references("4.13.1", &[("cli", &etcd), ("etcd", &etcd)]),
        &metadata("4.13.1"),
    );
    let made = fake.manifest_of(&payload);
    fake.name(&format!("{PAYLOADS}:4.13.1-x86_64"), &made);
    let (amd, arm) = (
        fake.small("registry.example.com/op/amd"),
        fake.small("registry.example.com/op/arm"),
    );
    let (amd, arm) = (fake.manifest_of(&amd), fake.manifest_of(&arm));
    fake.push("registry.example.com/op/nfd", &amd);
    fake.push("registry.example.com/op/nfd", &arm);
    let list = Fake::list(&[("amd64", &amd), ("arm64", &arm), ("unknown", &amd)]);
    let list = fake.push("registry.example.com/op/nfd", &list);
    let tagged = fake.small("registry.example.com/op/bundle");
    let tagged = fake.manifest_of(&tagged);
    fake.name("registry.example.com/op/bundle:v1", &tagged);
    let catalog = package(
        "nfd",
        &["4.13.0"],
        &["registry.example.com/op/bundle:v1", &list],
    );
    fake.catalog(
        INDEX,
        vec![layer(Pack::Gzip, &[("configs/nfd/catalog.json", &catalog)])],
    );
    let tools = fake.small("quay.io/tools/tools");
    let tools = fake.manifest_of(&tools);
    fake.name("quay.io/tools/tools:v2", &tools);
    World {
        fake,
        payload,
        list,
    }
}

/// The image set that asks for all of it, below `mirror:`.
pub const WORLD: &str = "  platform:\n    channels:\n    - name: stable-4.13\n      minVersion: 4.13.1\n      maxVersion: 4.13.1\n  operators:\n  - catalog: registry.example.com/redhat/index:v4.13\n    packages:\n    - name: nfd\n      channels:\n      - name: stable\n        minVersion: 4.13.0\n        maxVersion: 4.13.0\n  additionalImages:\n  - name: quay.io/tools/tools:v2\n";
