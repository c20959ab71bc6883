//! Image manifests and indexes, OCI and Docker schema 2.
//!
//! Both families share one JSON shape: an image has `config` and `layers`, an index (Docker: list) has `manifests`.
//! Docker schema 1 is refused: its digest is over a canonical form that no current release image uses.

use bytes::Bytes;
use serde::Deserialize;

use super::{Descriptor, Digest, media_type};

/// A manifest as the registry sent it. Invariant: `descriptor` has the digest and size of `bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    descriptor: Descriptor,
    bytes: Bytes,
}

impl RawManifest {
    /// Describes `bytes` (SHA-256) under the media type that came with them.
    pub fn new(media_type: &str, bytes: Bytes) -> Self {
        let descriptor = Descriptor::new(media_type, Digest::of(&bytes), bytes.len() as u64);
        Self { descriptor, bytes }
    }

    /// Media type, digest, size.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Parses the bytes.
    ///
    /// # Errors
    /// The bytes are no image manifest or index, or of a kind that is not supported.
    pub fn parse(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.descriptor.media_type, &self.bytes)
    }
}

/// What a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image {
        /// The image configuration.
        config: Descriptor,
        /// The layers, base first.
        layers: Vec<Descriptor>,
    },
    /// An image per platform.
    Index {
        /// The entries, in file order.
        manifests: Vec<Descriptor>,
    },
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of the right shape.
    #[error("not an image manifest: {0}")]
    Syntax(String),
    /// Well formed, but of a kind that is not supported.
    #[error("unsupported manifest: {0}")]
    Unsupported(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Manifest {
    /// Parses a manifest that came with `media_type` (from the HTTP header or the descriptor).
    ///
    /// # Errors
    /// As for [`RawManifest::parse`].
    pub fn parse(media_type: &str, bytes: &[u8]) -> Result<Self, ManifestError> {
        let shape: Shape =
            serde_json::from_slice(bytes).map_err(|e| ManifestError::Syntax(e.to_string()))?;
        if shape.schema_version != Some(2) {
            let version = shape.schema_version.unwrap_or_default();
            return Err(ManifestError::Unsupported(format!(
                "schema version {version}"
            )));
        }
        // The manifest's own word against the header's: a registry that calls an index an image lies in one of them.
        let claims_index = |t: &str| t == media_type::OCI_INDEX || t == media_type::DOCKER_LIST;
        match (shape.manifests, shape.config, shape.layers) {
            (Some(manifests), None, None) => Ok(Self::Index { manifests }),
            (None, Some(config), Some(layers)) => {
                if claims_index(shape.media_type.as_deref().unwrap_or(media_type)) {
                    return Err(ManifestError::Syntax(format!(
                        "an image under media type {media_type}"
                    )));
                }
                Ok(Self::Image { config, layers })
            }
            _ => Err(ManifestError::Unsupported(format!(
                "neither an image nor an index (media type {media_type})"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_and_index_are_told_apart() {
        let digest = Digest::of(b"x");
        let entry = format!(r#"{{"mediaType":"m","digest":"{digest}","size":1}}"#);
        let image = format!(r#"{{"schemaVersion":2,"config":{entry},"layers":[{entry}]}}"#);
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
        let parse = |t: &str, s: &str| Manifest::parse(t, s.as_bytes());
        assert!(matches!(
            parse(media_type::DOCKER_MANIFEST, &image),
            Ok(Manifest::Image { .. })
        ));
        assert!(matches!(
            parse(media_type::OCI_INDEX, &index),
            Ok(Manifest::Index { .. })
        ));
        assert!(parse(media_type::OCI_INDEX, &image).is_err());
        assert!(parse(media_type::OCI_MANIFEST, r#"{"schemaVersion":1}"#).is_err());
        assert!(parse(media_type::OCI_MANIFEST, "<html>").is_err());
        for size in ["-1", "1099511627777", "18446744073709551615"] {
            let wrong = image.replace("\"size\":1", &format!("\"size\":{size}"));
            assert!(parse(media_type::OCI_MANIFEST, &wrong).is_err(), "{size}");
        }
    }
}
