//! What manifests and configurations say about layers, held against what the layers are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use serde::Deserialize;

use super::{Expected, Finding, Problem};
use crate::oci::{Descriptor, Digest, Manifest};
use crate::store::{Store, StoreError};

/// Configurations that have `rootfs.diff_ids`; other artefacts (charts, signatures' payloads) use types of their own.
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// Image configurations of a release are below 64 KiB; the cap keeps a hostile one out of memory.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

struct Image {
    config: Digest,
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
}

/// What the manifests say.
#[derive(Default)]
pub(super) struct Images {
    images: Vec<Image>,
    findings: Vec<(Digest, Problem)>,
}

/// Reads every expected manifest and image configuration that is there. What is missing or damaged is found by the pass over
/// all blobs and not reported here again.
pub(super) fn read_images(store: &Store, expected: &Expected) -> Images {
    let mut images = Images::default();
    for descriptor in expected.manifests.values() {
        let digest = &descriptor.digest;
        let Ok(raw) = store.read_manifest(digest, Some(&descriptor.media_type)) else {
            continue;
        };
        match raw.parse() {
            Ok(Manifest::Index { .. }) => {}
            Ok(Manifest::Image { config, layers }) => {
                images.unexpected(digest, &config, &layers, expected);
                images.image(store, config, layers);
            }
            Err(error) => images.malformed(digest, error.to_string()),
        }
    }
    images
}

impl Images {
    fn malformed(&mut self, digest: &Digest, reason: String) {
        let problem = Problem::Malformed { reason };
        self.findings.push((digest.clone(), problem));
    }

    fn unexpected(
        &mut self,
        manifest: &Digest,
        config: &Descriptor,
        layers: &[Descriptor],
        expected: &Expected,
    ) {
        let named = layers.iter().filter(|layer| !layer.is_foreign());
        for descriptor in named.chain([config]) {
            if expected.blobs.get(&descriptor.digest) != Some(&descriptor.size) {
                let named = descriptor.digest.clone();
                self.findings
                    .push((manifest.clone(), Problem::Unexpected { named }));
            }
        }
    }

    fn image(&mut self, store: &Store, config: Descriptor, layers: Vec<Descriptor>) {
        if !IMAGE_CONFIGS.contains(&config.media_type.as_str()) {
            return;
        }
        let Ok(text) = read_config(store, &config) else {
            return;
        };
        let parsed: Config = match serde_json::from_slice(&text) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&config.digest, error.to_string()),
        };
        let diff_ids = parsed.rootfs.diff_ids;
        if diff_ids.len() == layers.len() {
            self.images.push(Image {
                config: config.digest,
                layers,
                diff_ids,
            });
        } else {
            let reason = format!("{} diff_ids for {} layers", diff_ids.len(), layers.len());
            self.malformed(&config.digest, reason);
        }
    }

    /// The layers to decompress.
    pub(super) fn layers(&self) -> BTreeSet<Digest> {
        let all = self.images.iter().flat_map(|image| &image.layers);
        all.filter(|layer| !layer.is_foreign())
            .map(|layer| layer.digest.clone())
            .collect()
    }

    /// Everything found, given what the layers that could be read decompress to.
    pub(super) fn judge(self, store: &Store, found: &BTreeMap<Digest, Digest>) -> Vec<Finding> {
        let mut findings = self.findings;
        for image in self.images {
            for (layer, expected) in image.layers.iter().zip(image.diff_ids) {
                let found = found.get(&layer.digest).filter(|found| **found != expected);
                if let Some(found) = found {
                    let problem = Problem::WrongDiffId {
                        config: image.config.clone(),
                        expected,
                        found: found.clone(),
                    };
                    findings.push((layer.digest.clone(), problem));
                }
            }
        }
        let findings = findings.into_iter();
        findings
            .map(|(digest, problem)| store.finding(&digest, problem))
            .collect()
    }
}

fn read_config(store: &Store, config: &Descriptor) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    let blob = store.open_blob(&config.digest, config.size)?;
    blob.take(MAX_CONFIG_BYTES)
        .read_to_end(&mut text)
        .map_err(StoreError::io("read", &store.blob_path(&config.digest)))?;
    Ok(text)
}
