//! Makes small images in their real formats: gzip'd tar layers, image configuration, Docker schema 2 or OCI manifest, index.
//!
//! Everything is deterministic: fixed times and owners, pseudo-random content from a seed. Tests use it as well.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::oci::{Descriptor, Digest, Platform, RawManifest, media_type};

/// A compressed layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The gzip'd tar.
    pub bytes: Bytes,
    /// Digest of the tar before compression.
    pub diff_id: Digest,
}

impl Layer {
    /// A layer that holds `files` (path below `/`, contents), in the given order.
    ///
    /// # Errors
    /// A path is not valid in a tar.
    pub fn of_files(files: &[(&str, &[u8])]) -> io::Result<Self> {
        let mut archive = tar::Builder::new(Vec::new());
        archive.mode(tar::HeaderMode::Deterministic);
        for (path, contents) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *contents)?;
        }
        let tar = archive.into_inner()?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar)?;
        Ok(Self {
            bytes: gzip.finish()?.into(),
            diff_id: Digest::of(&tar),
        })
    }

    /// A layer with one file of `size` bytes that do not compress; `seed` tells layers apart.
    ///
    /// # Errors
    /// As [`Layer::of_files`].
    pub fn of_noise(seed: u64, size: usize) -> io::Result<Self> {
        let name = format!("usr/share/sample/{seed:016x}");
        Self::of_files(&[(&name, &noise(seed, size))])
    }
}

/// Bytes of a splitmix64 generator.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Which family of media types an image uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Docker schema 2, what most release images are.
    Docker,
    /// OCI.
    Oci,
}

/// An image with everything it names.
#[derive(Debug, Clone)]
pub struct Image {
    /// The manifest.
    pub manifest: RawManifest,
    /// Configuration and layers by digest.
    pub blobs: BTreeMap<Digest, Bytes>,
}

impl Image {
    /// An image for `linux/<architecture>` with `layers`, base first, and labels.
    pub fn new(
        family: Family,
        architecture: &str,
        layers: &[Layer],
        labels: &[(&str, &str)],
    ) -> Self {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let diff_ids: Vec<_> = layers.iter().map(|l| l.diff_id.to_string()).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = Bytes::from(config.to_string());
        let (manifest_type, config_type, layer_type) = family.types();
        let entry = |media_type: &str, bytes: &Bytes| {
            descriptor(&Descriptor::new(
                media_type,
                Digest::of(bytes),
                bytes.len() as u64,
            ))
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_type,
            "config": entry(config_type, &config),
            "layers": layers.iter().map(|l| entry(layer_type, &l.bytes)).collect::<Vec<_>>(),
        });
        let mut blobs: BTreeMap<_, _> = layers
            .iter()
            .map(|l| (Digest::of(&l.bytes), l.bytes.clone()))
            .collect();
        blobs.insert(Digest::of(&config), config);
        Self {
            manifest: RawManifest::new(manifest_type, manifest.to_string().into()),
            blobs,
        }
    }
}

impl Family {
    fn types(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Docker => (
                media_type::DOCKER_MANIFEST,
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ),
            Self::Oci => (
                media_type::OCI_MANIFEST,
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+gzip",
            ),
        }
    }
}

/// An index over images, one per architecture.
pub fn index(family: Family, images: &[(&str, &Image)]) -> RawManifest {
    let media_type = match family {
        Family::Docker => media_type::DOCKER_LIST,
        Family::Oci => media_type::OCI_INDEX,
    };
    let entries: Vec<_> = images
        .iter()
        .map(|(architecture, image)| {
            let platform = Platform {
                architecture: (*architecture).to_owned(),
                os: "linux".to_owned(),
                variant: None,
            };
            descriptor(&Descriptor {
                platform: Some(platform),
                ..image.manifest.descriptor().clone()
            })
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
    RawManifest::new(media_type, index.to_string().into())
}

fn descriptor(descriptor: &Descriptor) -> Value {
    serde_json::to_value(descriptor).expect("a descriptor has only string keys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Manifest;

    #[test]
    fn same_seed_same_image() {
        let make = || {
            Image::new(
                Family::Docker,
                "amd64",
                &[Layer::of_noise(7, 1000).unwrap()],
                &[("a", "b")],
            )
        };
        let image = make();
        assert_eq!(image.manifest, make().manifest);
        let Ok(Manifest::Image { config, layers }) = image.manifest.parse() else {
            panic!("an image")
        };
        assert!(
            image.blobs.contains_key(&config.digest) && image.blobs.contains_key(&layers[0].digest)
        );
        assert!(layers[0].size > 1000, "noise must not compress");
    }
}
