//! A published seed image: what its labels say, whether a target takes it, and what is in its one layer.
//!
//! Format 4 (`seed-image.md` sections 4.3 and 4.4): one image, one layer of eleven files, and two labels. The cluster's facts are
//! in a label, so manifest and configuration tell all that a target compares; the 10 to 20 GB of the layer are read only by
//! [`deep()`] (once, never stored) and by [`containers`] (to the list, which comes first).

mod contents;
mod deep;
mod deployment;
mod info;
mod nested;
mod stream;
mod tar;
mod verdict;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(in crate::seed) use contents::{Archives, Files, Stopped};
pub(in crate::seed) use deep::whole;
pub use deep::{DeepReport, containers, deep};
pub use deployment::{Deployment, DeploymentError, kernel_arguments};
pub use info::Info;
pub(in crate::seed) use nested::{parents, pass};
pub(in crate::seed) use tar::walk;
pub use verdict::compare;

use super::error::Error;
use super::finding::Finding;
use crate::oci::{Descriptor, Digest, ImageSource, Manifest, Reference};

/// The format that this version knows, and every lifecycle-agent since May 2024 writes.
pub const FORMAT: &str = "4";
const FORMAT_LABEL: &str = "com.openshift.lifecycle-agent.seed_format_version";
const INFO_LABEL: &str = "com.openshift.lifecycle-agent.seed_cluster_info";
/// Largest configuration taken; real ones have a few KiB.
const CONFIG_CAP: u64 = 8 << 20;

/// What manifest and configuration say.
#[derive(Debug, Clone)]
pub struct SeedImage {
    /// As it was asked for.
    pub reference: Reference,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Architecture of the configuration.
    pub architecture: String,
    /// When it was made, as the configuration says; empty when it does not.
    pub created: String,
    /// The one layer.
    pub layer: Descriptor,
    /// What the layer is uncompressed, when the configuration says so.
    pub diff_id: Option<Digest>,
    /// The label with the format version.
    pub format: Option<String>,
    /// The label with the cluster's facts, byte for byte.
    pub info_text: Option<String>,
    /// The same, read.
    pub info: Option<Info>,
    /// What is wrong with the labels.
    pub findings: Vec<Finding>,
}

/// What is shown of an image.
#[derive(Debug, Clone, Serialize)]
pub struct Summary<'a> {
    /// As it was asked for.
    pub image: String,
    /// Digest of the manifest.
    pub digest: &'a Digest,
    /// Format version.
    pub format: Option<&'a str>,
    /// Architecture.
    pub architecture: &'a str,
    /// When it was made.
    pub created: &'a str,
    /// Digest of the layer.
    pub layer: &'a Digest,
    /// Size of the layer as it is stored, in bytes.
    pub layer_bytes: u64,
    /// The cluster's facts.
    pub info: Option<&'a Info>,
}

impl SeedImage {
    /// For people and scripts.
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            image: self.reference.to_string(),
            digest: &self.digest,
            format: self.format.as_deref(),
            architecture: &self.architecture,
            created: &self.created,
            layer: &self.layer.digest,
            layer_bytes: self.layer.size,
            info: self.info.as_ref(),
        }
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    created: String,
    #[serde(rename = "config", default)]
    run: Option<Run>,
    #[serde(default)]
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
struct Run {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// Reads manifest and configuration.
///
/// # Errors
/// The registry, or no image of one layer at all; what is wrong with the labels is in [`SeedImage::findings`].
pub async fn inspect(source: &dyn ImageSource, reference: &Reference) -> Result<SeedImage, Error> {
    let refuse = |reason: String| Error::Image {
        image: reference.to_string(),
        reason,
    };
    let manifest = source.manifest(reference).await?;
    let (config, layers) = match manifest.parse().map_err(|e| refuse(e.to_string()))? {
        Manifest::Image { config, layers } => (config, layers),
        Manifest::Index { manifests } => {
            return Err(refuse(format!(
                "it is an index of {} images",
                manifests.len()
            )));
        }
    };
    let [layer] = layers.as_slice() else {
        return Err(refuse(format!("it has {} layers", layers.len())));
    };
    let bytes = source.small_blob(reference, &config, CONFIG_CAP).await?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|e| refuse(format!("its configuration is none: {e}")))?;
    let labels = config.run.and_then(|run| run.labels).unwrap_or_default();
    let diff_ids = config.rootfs.map(|r| r.diff_ids).unwrap_or_default();
    let format = labels.get(FORMAT_LABEL).cloned();
    let info_text = labels.get(INFO_LABEL).cloned();
    let (info, findings) = read_labels(format.as_deref(), info_text.as_deref());
    Ok(SeedImage {
        reference: reference.clone(),
        digest: manifest.descriptor().digest.clone(),
        architecture: config.architecture,
        created: config.created,
        layer: layer.clone(),
        diff_id: diff_ids.into_iter().next(),
        format,
        info_text,
        info,
        findings,
    })
}

fn read_labels(format: Option<&str>, info: Option<&str>) -> (Option<Info>, Vec<Finding>) {
    const AGAIN: &str = "make the image again with a current lifecycle-agent";
    let mut findings = Vec::new();
    match format {
        Some(FORMAT) => {}
        None => findings.push(Finding::error("format-version", format!("label {FORMAT_LABEL}"), format!("seed image is missing the {FORMAT_LABEL} label, please build a new image using the latest version of the lca-cli"), AGAIN)),
        Some(other) => findings.push(Finding::error("format-version", format!("label {FORMAT_LABEL}"), format!("seed image format version mismatch: expected {FORMAT}, got {other}"), AGAIN)),
    }
    let object = format!("label {INFO_LABEL}");
    let Some(text) = info else {
        findings.push(Finding::error(
            "cluster-info",
            object,
            "the label is missing: no target can be compared",
            AGAIN,
        ));
        return (None, findings);
    };
    match serde_json::from_str::<Info>(text) {
        Ok(info) => {
            findings.extend(info.faults(&object));
            (Some(info), findings)
        }
        Err(error) => {
            findings.push(Finding::error(
                "cluster-info",
                object,
                format!("it is no seed cluster info: {error}"),
                AGAIN,
            ));
            (None, findings)
        }
    }
}
