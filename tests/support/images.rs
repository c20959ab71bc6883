//! Small but real images: gzip tar layers, configurations with `diff_ids`, manifests and lists of both families. Same
//! arguments, same bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use snoforge::oci::{Descriptor, Digest, Platform, RawManifest, media_type};
use snoforge::store::Store;

/// OCI or Docker schema 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Oci,
    Docker,
}

/// An image with its blobs, configuration first.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: RawManifest,
    pub(crate) platform: Platform,
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
}

impl Family {
    pub(crate) fn types(self) -> [&'static str; 4] {
        match self {
            Self::Oci => [
                media_type::OCI_INDEX,
                media_type::OCI_MANIFEST,
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+gzip",
            ],
            Self::Docker => [
                media_type::DOCKER_LIST,
                media_type::DOCKER_MANIFEST,
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ],
        }
    }
}

/// A tar with one file per name and contents.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that do not compress, the same for the same seed (xorshift64).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// An image of uncompressed layer tars, which are stored with gzip.
pub(crate) fn image(family: Family, architecture: &str, layers: &[Vec<u8>]) -> Image {
    let stored = layers
        .iter()
        .map(|tar| (gzip(tar), Digest::of(tar)))
        .collect();
    assemble(family, architecture, stored)
}

/// An image of layers as they are stored, each with the diff id that its configuration claims.
pub(crate) fn assemble(
    family: Family,
    architecture: &str,
    layers: Vec<(Vec<u8>, Digest)>,
) -> Image {
    let [_, manifest_type, config_type, layer_type] = family.types();
    let diff_ids: Vec<&Digest> = layers.iter().map(|(_, diff_id)| diff_id).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": diff_ids.iter().map(|_| json!({ "created_by": "test" })).collect::<Vec<_>>(),
    });
    let mut blobs = vec![blob(config_type, config.to_string().into_bytes())];
    blobs.extend(layers.into_iter().map(|(bytes, _)| blob(layer_type, bytes)));
    let descriptors: Vec<&Descriptor> = blobs.iter().map(|(descriptor, _)| descriptor).collect();
    let text = json!({
        "schemaVersion": 2, "mediaType": manifest_type,
        "config": descriptors.first(), "layers": descriptors.get(1..),
    });
    Image {
        manifest: RawManifest::new(manifest_type, text.to_string().into()),
        platform: Platform {
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            variant: None,
        },
        blobs,
    }
}

/// An index of images.
pub(crate) fn index(family: Family, images: &[&Image]) -> RawManifest {
    let [index_type, ..] = family.types();
    let manifests: Vec<Descriptor> = images
        .iter()
        .map(|image| Descriptor {
            platform: Some(image.platform.clone()),
            ..image.manifest.descriptor().clone()
        })
        .collect();
    let text = json!({ "schemaVersion": 2, "mediaType": index_type, "manifests": manifests });
    RawManifest::new(index_type, text.to_string().into())
}

/// Puts an image's manifest and blobs into a store.
pub(crate) fn put(store: &Store, image: &Image) {
    store.put_manifest(&image.manifest).unwrap();
    for (descriptor, bytes) in &image.blobs {
        fs_err::write(store.blob_path(&descriptor.digest), bytes).unwrap();
    }
}

fn blob(media_type: &str, bytes: Vec<u8>) -> (Descriptor, Bytes) {
    let bytes = Bytes::from(bytes);
    let descriptor = Descriptor::new(media_type, Digest::of(&bytes), bytes.len() as u64);
    (descriptor, bytes)
}
