//! Manifests in the store: written whole, read back with their digest checked, followed to everything they name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use bytes::Bytes;
use serde::Deserialize;

use super::{Store, StoreError};
use crate::oci::{Descriptor, Digest, Manifest, RawManifest, media_type};

/// No registry accepts more than 4 MiB (distribution-spec, Pushing Manifests); a layer is not read into memory by mistake.
const MAX_MANIFEST_BYTES: u64 = 8 << 20;

/// An image in the store with everything that it needs.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The manifests, the image's own first. Entries of an index that the store does not have are left out: only the
    /// asked architectures were fetched.
    pub manifests: Vec<RawManifest>,
    /// Size in bytes of each configuration and layer that they name, foreign layers left out.
    pub blobs: BTreeMap<Digest, u64>,
}

impl Closure {
    /// The whole in bytes, manifests included.
    pub fn size_bytes(&self) -> u64 {
        let manifests = self.manifests.iter().map(|m| m.descriptor().size);
        manifests.chain(self.blobs.values().copied()).sum()
    }
}

impl Store {
    /// Writes a manifest under its digest, unless it is there whole.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_manifest(&self, manifest: &RawManifest) -> Result<(), StoreError> {
        let path = self.blob_path(&manifest.descriptor().digest);
        // The bytes are compared: damage that keeps the size would stay for ever.
        let there = fs_err::metadata(&path).map_or(0, |meta| meta.len());
        if there == manifest.descriptor().size
            && fs_err::read(&path).is_ok_and(|bytes| bytes == manifest.bytes()[..])
        {
            return Ok(());
        }
        crate::io::atomic::write(&path, manifest.bytes()).map_err(StoreError::io("write", &path))
    }

    /// Reads a manifest and checks its digest. `media_type` as the index or the parent says; `None` takes the manifest's own word.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`], or it cannot be read.
    pub fn read_manifest(
        &self,
        digest: &Digest,
        media_type: Option<&str>,
    ) -> Result<RawManifest, StoreError> {
        let size = self.blob_size(digest)?;
        let size = size.ok_or_else(|| StoreError::Missing(digest.clone()))?;
        if size > MAX_MANIFEST_BYTES {
            return Err(StoreError::Damaged {
                digest: digest.clone(),
                detail: format!("{size} bytes are too many for a manifest"),
            });
        }
        let mut bytes = Vec::new();
        let read = self.open_blob(digest, size)?.read_to_end(&mut bytes);
        read.map_err(StoreError::io("read", &self.blob_path(digest)))?;
        let own = media_type.map_or_else(|| own_media_type(&bytes), str::to_owned);
        Ok(RawManifest::new(&own, Bytes::from(bytes)))
    }

    /// Follows an image to everything it needs. Whether the blobs are there is not looked at.
    ///
    /// # Errors
    /// The image's own manifest is missing, or one of those that are there is damaged.
    pub fn closure(&self, image: &Descriptor) -> Result<Closure, StoreError> {
        let mut closure = Closure {
            manifests: Vec::new(),
            blobs: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        let mut queue = vec![image.clone()];
        while let Some(next) = queue.pop() {
            if !seen.insert(next.digest.clone()) {
                continue;
            }
            let raw = match self.read_manifest(&next.digest, Some(&next.media_type)) {
                Err(StoreError::Missing(_)) if next.digest != image.digest => continue,
                other => other?,
            };
            match parse(&raw)? {
                Manifest::Index { manifests } => queue.extend(manifests.into_iter().rev()),
                Manifest::Image { config, layers } => {
                    let kept = layers.into_iter().filter(|layer| !layer.is_foreign());
                    let blobs = kept.chain([config]).map(|d| (d.digest, d.size));
                    closure.blobs.extend(blobs);
                }
            }
            closure.manifests.push(raw);
        }
        Ok(closure)
    }
}

/// Parses a manifest of the store.
///
/// # Errors
/// [`StoreError::Manifest`].
pub(super) fn parse(raw: &RawManifest) -> Result<Manifest, StoreError> {
    raw.parse().map_err(|source| StoreError::Manifest {
        digest: raw.descriptor().digest.clone(),
        source,
    })
}

/// The type that a manifest gives itself. Docker's always do (schema 2 requires it); an OCI one without it is told by shape.
fn own_media_type(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Own {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice(bytes) {
        Ok(Own {
            media_type: Some(own),
            ..
        }) => own,
        Ok(Own {
            manifests: Some(_), ..
        }) => media_type::OCI_INDEX.to_owned(),
        _ => media_type::OCI_MANIFEST.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_is_the_given_the_own_or_told_by_shape() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let docker = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}"}}"#,
            media_type::DOCKER_LIST
        );
        for (text, own) in [
            (docker.as_str(), media_type::DOCKER_LIST),
            (
                r#"{"schemaVersion":2,"manifests":[]}"#,
                media_type::OCI_INDEX,
            ),
            (
                r#"{"schemaVersion":2,"layers":[]}"#,
                media_type::OCI_MANIFEST,
            ),
        ] {
            let raw = RawManifest::new("given", Bytes::copy_from_slice(text.as_bytes()));
            store.put_manifest(&raw).unwrap();
            store.put_manifest(&raw).unwrap();
            let digest = &raw.descriptor().digest;
            assert_eq!(store.read_manifest(digest, Some("given")).unwrap(), raw);
            let sniffed = store.read_manifest(digest, None).unwrap();
            assert_eq!(sniffed.descriptor().media_type, own);
        }
    }

    #[test]
    fn a_damaged_manifest_is_refused_and_a_truncated_one_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let raw = RawManifest::new("m", Bytes::from_static(b"{\"schemaVersion\":2}"));
        let digest = &raw.descriptor().digest;
        assert!(matches!(
            store.read_manifest(digest, None),
            Err(StoreError::Missing(_))
        ));
        fs_err::write(store.blob_path(digest), b"{\"schemaVersion\":1}").unwrap();
        let error = store.read_manifest(digest, None).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        store.put_manifest(&raw).unwrap();
        assert_eq!(store.read_manifest(digest, Some("m")).unwrap(), raw);
        fs_err::write(store.blob_path(digest), b"{").unwrap();
        store.put_manifest(&raw).unwrap();
        assert_eq!(store.read_manifest(digest, Some("m")).unwrap(), raw);
    }
}
