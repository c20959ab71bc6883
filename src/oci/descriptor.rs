//! Descriptors: what a manifest says about a blob or another manifest (image-spec `descriptor.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::Digest;

/// The media types that this tool reads and keeps.
pub mod media_type {
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// Docker manifest list, schema 2.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Every manifest type, as an HTTP `Accept` value.
    pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
         application/vnd.oci.image.manifest.v1+json, \
         application/vnd.docker.distribution.manifest.list.v2+json, \
         application/vnd.docker.distribution.manifest.v2+json";
}

/// The platform of an entry in an index (image-spec `image-index.md`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `GOARCH`: `amd64`, `arm64`, `ppc64le`, `s390x`.
    pub architecture: String,
    /// `GOOS`: `linux`.
    pub os: String,
    /// CPU variant, `v8` for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Largest size in bytes that a descriptor may claim: 1 TiB, a hundred times the largest layer of the field. With it sums over
/// everything that a registry can name stay far below `u64::MAX`, whatever a hostile one claims.
pub const MAX_SIZE: u64 = 1 << 40;

/// Reads a size in bytes that is at most [`MAX_SIZE`].
///
/// # Errors
/// No number, or a larger one.
pub(crate) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if size > MAX_SIZE {
        let wrong = format!("a size of {size} bytes, the most is {MAX_SIZE}");
        return Err(serde::de::Error::custom(wrong));
    }
    Ok(size)
}

/// Type, digest and size in bytes of a blob or manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type; never guessed from the bytes.
    pub media_type: String,
    /// Digest of the exact bytes.
    pub digest: Digest,
    /// Size in bytes, at most [`MAX_SIZE`] when it was read from a document.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// The platform, on entries of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Annotations, sorted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Whether this layer must not be fetched from a registry (foreign or non-distributable layers).
    pub fn is_foreign(&self) -> bool {
        self.media_type.contains("foreign") || self.media_type.contains("nondistributable")
    }
}
