//! `docker save` archives: `manifest.json`, configurations, uncompressed layers.
//!
//! Format: moby `image/spec/v1.2.md`, section "Combined Image JSON + Filesystem Changeset Format", in the flat form that podman and
//! skopeo write: `<config hex>.json`, `<diff id hex>.tar`, `manifest.json` last. A layer's size must stand before its bytes, so
//! each layer is decompressed twice: once to count and hash it, once to write it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use serde::Serialize;

use super::{Archive, whole};
use crate::io::unpack::{LARGEST_WINDOW_LOG, decompressed};
use crate::oci::{Algorithm, Descriptor, Digest, Hasher, Manifest, Platform};
use crate::store::{IndexEntry, Store, StoreError};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: BTreeSet<String>,
    layers: Vec<String>,
}

/// One image of the archive.
struct Image {
    config: Descriptor,
    layers: Vec<Descriptor>,
    tags: BTreeSet<String>,
}

/// A layer as it stands in the archive.
struct Plain {
    diff_id: Digest,
    size: u64,
}

/// Writes images as `docker save` does, of each the one for `architecture` (`amd64`) when it has several. An image is known by its
/// tags in the store; one that is there by digest only goes in without a name, since the format has no place for digests.
///
/// # Errors
/// [`StoreError::Export`] when an image has no or several manifests for the architecture; else as [`super::dir_tgz`].
pub fn docker_archive(
    store: &Store,
    images: &[IndexEntry],
    architecture: &str,
    out: &Path,
) -> Result<(), StoreError> {
    let mut chosen = BTreeMap::new();
    for entry in images {
        let (digest, config, layers) = choose(store, entry, architecture)?;
        let image = chosen.entry(digest).or_insert(Image {
            config,
            layers,
            tags: BTreeSet::new(),
        });
        let tagged = entry.reference().filter(|r| r.digest().is_none());
        image.tags.extend(tagged.map(|r| r.to_string()));
    }
    let mut layers = BTreeMap::new();
    for layer in chosen.values().flat_map(|image| &image.layers) {
        if !layers.contains_key(&layer.digest) {
            layers.insert(layer.digest.clone(), (layer, measure(store, layer)?));
        }
    }
    whole(out, |file| {
        let mut archive = Archive::new(file, out);
        let mut written = BTreeSet::new();
        for (layer, plain) in layers.values() {
            if written.insert(plain.diff_id.clone()) {
                let content = open(store, layer)?;
                archive.blob(&layer_name(&plain.diff_id), plain.size, content)?;
            }
        }
        let mut saved = Vec::new();
        for image in chosen.values() {
            let (digest, size) = (&image.config.digest, image.config.size);
            let config = format!("{}.json", digest.hex());
            if written.insert(digest.clone()) {
                archive.blob(&config, size, store.open_blob(digest, size)?)?;
            }
            let plains = image.layers.iter().filter_map(|l| layers.get(&l.digest));
            saved.push(Saved {
                config,
                repo_tags: image.tags.clone(),
                layers: plains
                    .map(|(_, plain)| layer_name(&plain.diff_id))
                    .collect(),
            });
        }
        archive.bytes("manifest.json", &manifest_json(&saved))?;
        archive.finish().map(drop)
    })
}

fn manifest_json(saved: &[Saved]) -> Vec<u8> {
    serde_json::to_vec(saved).expect("strings always serialise")
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

/// The image manifest for the architecture, or the only one there is.
fn choose(
    store: &Store,
    entry: &IndexEntry,
    architecture: &str,
) -> Result<(Digest, Descriptor, Vec<Descriptor>), StoreError> {
    let refuse = |reason: String| StoreError::Export {
        name: entry.label(),
        reason,
    };
    let mut platforms: BTreeMap<Digest, Platform> = BTreeMap::new();
    let mut found = Vec::new();
    for raw in store.closure(&entry.descriptor)?.manifests {
        let digest = raw.descriptor().digest.clone();
        match crate::store::manifest::parse(&raw)? {
            Manifest::Index { manifests } => {
                let known = manifests
                    .into_iter()
                    .filter_map(|d| Some((d.digest, d.platform?)));
                platforms.extend(known);
            }
            Manifest::Image { config, layers } => found.push((digest, config, layers)),
        }
    }
    if found.len() > 1 {
        found.retain(|(digest, ..)| {
            platforms
                .get(digest)
                .is_some_and(|p| p.architecture == architecture)
        });
    }
    let count = found.len();
    match found.pop() {
        Some((_, _, layers)) if layers.iter().any(Descriptor::is_foreign) => Err(refuse(
            "it has layers that may not be distributed".to_owned(),
        )),
        Some(image) if count == 1 => Ok(image),
        _ => Err(refuse(format!(
            "it has {count} manifests for {architecture}"
        ))),
    }
}

fn open(store: &Store, layer: &Descriptor) -> Result<Box<dyn Read>, StoreError> {
    let blob = store.open_blob(&layer.digest, layer.size)?;
    let path = store.blob_path(&layer.digest);
    decompressed(BufReader::with_capacity(1 << 20, blob), LARGEST_WINDOW_LOG)
        .map_err(StoreError::io("read", &path))
}

/// What a layer decompresses to. One that does not is read again as it is: damage is worth another word than a bad image.
fn measure(store: &Store, layer: &Descriptor) -> Result<Plain, StoreError> {
    let path = store.blob_path(&layer.digest);
    let mut hashing = Hashing {
        hasher: Hasher::new(Algorithm::Sha256),
        size: 0,
    };
    if let Err(error) = io::copy(&mut open(store, layer)?, &mut hashing) {
        let mut blob = store.open_blob(&layer.digest, layer.size)?;
        io::copy(&mut blob, &mut io::sink()).map_err(StoreError::io("read", &path))?;
        return Err(StoreError::io("decompress", &path)(error));
    }
    Ok(Plain {
        diff_id: hashing.hasher.finish(),
        size: hashing.size,
    })
}

struct Hashing {
    hasher: Hasher,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
