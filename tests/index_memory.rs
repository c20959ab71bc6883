//! A large catalog image never sits in memory: the resident set is measured while a synthetic one is read.
//!
//! Alone in its binary, because the peak is that of the whole process. The ignored test is the 1 GB index of the issue:
//! `cargo test --release --test index_memory -- --ignored --nocapture`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::format_push_string,
    reason = "a test stops at what it did not expect, and says what it measured"
)]

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use snoforge::inventory::{Offline, Services, read_catalog};
use snoforge::oci::{
    Algorithm, BlobRequest, BlobStream, Descriptor, Digest, Hasher, ImageSource, RawManifest,
    Reference, SourceError, SourceErrorKind, media_type,
};
use snoforge::progress::Silent;

const MIB: usize = 1 << 20;
const BUNDLES_PER_PACKAGE: usize = 40;

/// One catalog image; its layer is a file, so that what is measured is the reader.
#[derive(Debug)]
struct OnDisk {
    manifest: RawManifest,
    config: Bytes,
    layer: PathBuf,
    layer_digest: Digest,
}

/// Text that compresses about as real CSV metadata does, different in each bundle.
fn filler(seed: usize, length: usize) -> String {
    let words = [
        "operator ",
        "cluster ",
        "install ",
        "version ",
        "image ",
        "description ",
    ];
    let mut text = String::with_capacity(length + 40);
    let mut state = seed as u64 + 1;
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text += words[(state >> 33) as usize % words.len()];
        if state.is_multiple_of(7) {
            text += &format!("{:x} ", state >> 20);
        }
    }
    text
}

/// A package of `BUNDLES_PER_PACKAGE` bundles whose objects are about `size` bytes together.
fn package(number: usize, size: usize) -> String {
    let name = format!("package-{number}");
    let mut text = json!({"schema": "olm.package", "name": name, "defaultChannel": "stable", "icon": {"base64data": "x".repeat(20_000)}}).to_string();
    let entries: Vec<_> = (0..BUNDLES_PER_PACKAGE)
        .map(|v| json!({"name": format!("{name}.v1.{v}.0")}))
        .collect();
    text +=
        &json!({"schema": "olm.channel", "package": name, "name": "stable", "entries": entries})
            .to_string();
    for version in 0..BUNDLES_PER_PACKAGE {
        let image = |n: usize| json!({"name": format!("i{n}"), "image": format!("registry.example.com/{name}/image-{n}@sha256:{:064x}", number * 1_000_003 + version * 101 + n)});
        let related: Vec<_> = (0..20).map(image).collect();
        let metadata = filler(number * 1000 + version, size / BUNDLES_PER_PACKAGE);
        text += &json!({"schema": "olm.bundle", "package": name, "name": format!("{name}.v1.{version}.0"), "image": image(0)["image"],
            "properties": [{"type": "olm.package", "value": {"packageName": name, "version": format!("1.{version}.0")}},
                           {"type": "olm.csv.metadata", "value": {"description": metadata}}],
            "relatedImages": related})
        .to_string();
    }
    text
}

struct Hashing<W>(W, Hasher, u64);

impl<W: std::io::Write> std::io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.update(&bytes[..count]);
        self.2 += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Writes a catalog of `total` bytes of JSON; one package in ten is YAML-free but ten times as large, as in the field.
fn make(directory: &Path, total: usize) -> OnDisk {
    let layer = directory.join("layer");
    let out = fs_err::File::create(&layer).unwrap();
    let hashing = Hashing(out, Hasher::new(Algorithm::Sha256), 0);
    let gz = flate2::write::GzEncoder::new(hashing, flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    let (mut written, mut number) = (0, 0);
    while written < total {
        let size = if number % 10 == 0 { 20 * MIB } else { 2 * MIB };
        let text = package(number, size.min(total - written));
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        let path = format!("configs/package-{number}/catalog.json");
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        written += text.len();
        number += 1;
    }
    let mut hashing = tar.into_inner().unwrap().finish().unwrap();
    hashing.flush().unwrap();
    let Hashing(_, hasher, size) = hashing;
    let layer_digest = hasher.finish();
    let config: Bytes = json!({"config": {"Labels": {"operators.operatorframework.io.index.configs.v1": "/configs"}}}).to_string().into();
    let config_descriptor = Descriptor::new(
        "application/vnd.oci.image.config.v1+json",
        Digest::of(&config),
        config.len() as u64,
    );
    let layers = [Descriptor::new(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        layer_digest.clone(),
        size,
    )];
    let manifest = json!({"schemaVersion": 2, "config": config_descriptor, "layers": layers});
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, manifest.to_string().into());
    OnDisk {
        manifest,
        config,
        layer,
        layer_digest,
    }
}

#[async_trait]
impl ImageSource for OnDisk {
    async fn manifest(&self, _image: &Reference) -> Result<RawManifest, SourceError> {
        Ok(self.manifest.clone())
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        let body = if *request.digest == self.layer_digest {
            let file = fs_err::File::open(&self.layer).unwrap();
            let chunks = futures_util::stream::unfold(file, |mut file| async move {
                let mut chunk = vec![0; 64 << 10];
                let count = file.read(&mut chunk).unwrap();
                chunk.truncate(count);
                (count > 0).then(|| (Ok(Bytes::from(chunk)), file))
            });
            chunks.boxed()
        } else {
            futures_util::stream::iter([Ok(self.config.clone())]).boxed()
        };
        Ok(BlobStream {
            endpoint: "disk".to_owned(),
            body,
        })
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        Err(SourceError::new(
            SourceErrorKind::NotFound,
            image.to_string(),
            "no tags",
        ))
    }
}

/// A line of `/proc/self/status` in MiB.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

/// Reads a catalog of `total` bytes; returns the peak resident set in MiB.
fn peak_of(total: usize) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let source = make(directory.path(), total);
    // The peak counts from here on: 5 resets VmHWM (proc(5), clear_refs).
    let reset = fs_err::OpenOptions::new()
        .write(true)
        .open("/proc/self/clear_refs");
    reset.unwrap().write_all(b"5").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let cache = directory.path().join("cache");
    let services = Services {
        source: &source,
        documents: &Offline,
        reporter: &Silent,
    };
    let started = std::time::Instant::now();
    let read = read_catalog(services, "registry.example.com/index:v1", Some(&cache));
    let (_, catalog) = runtime.block_on(read).unwrap();
    let peak = status("VmHWM");
    assert_eq!(
        catalog.bundles.len(),
        catalog.packages.len() * BUNDLES_PER_PACKAGE
    );
    eprintln!(
        "{} MiB of JSON in {} MiB of gzip: {} packages, {} bundles, peak {peak} MiB resident, {:.1} s",
        total / MIB,
        std::fs::metadata(&source.layer).unwrap().len() as usize / MIB,
        catalog.packages.len(),
        catalog.bundles.len(),
        started.elapsed().as_secs_f64()
    );
    peak
}

#[test]
fn memory_does_not_grow_with_the_metadata() {
    let peak = peak_of(16 * MIB);
    assert!(peak < 48, "{peak} MiB for a catalog of 16 MiB");
}

#[test]
#[ignore = "a gigabyte takes half a minute; run by hand and by scripts/test"]
fn a_gigabyte_index() {
    let peak = peak_of(1024 * MIB);
    assert!(peak <= 256, "{peak} MiB");
}
