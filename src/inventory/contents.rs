//! What an image consists of: the manifests to fetch for the asked architectures, their configs and layers, with sizes.
//!
//! An index keeps its bytes and digest whatever is asked for (the cluster pulls by it); only the asked entries are followed.

use std::collections::BTreeMap;

use crate::oci::{Descriptor, Digest, Manifest, RawManifest, Reference};

use super::InventoryError;
use super::lock::Content;
use super::session::{self, Session};

/// Which entries of an index are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Every entry, attestations included.
    All,
    /// The linux images of these `GOARCH`s; at least one of them must be there.
    Architectures(Vec<String>),
}

/// An image, resolved.
#[derive(Debug)]
pub(super) struct Contents {
    /// The manifest or index itself.
    pub(super) manifest: Descriptor,
    /// The image manifests.
    pub(super) images: Vec<Content>,
    /// Sizes of their configs and layers.
    pub(super) blobs: BTreeMap<Digest, u64>,
    /// Asked architectures that the index does not have.
    pub(super) missing: Vec<String>,
}

/// Resolves one image that has a digest.
pub(super) async fn read(
    session: &Session<'_>,
    image: &Reference,
    wanted: &Wanted,
) -> Result<Contents, InventoryError> {
    let raw = session.manifest(image).await?;
    let mut found = Contents {
        manifest: raw.descriptor().clone(),
        images: Vec::new(),
        blobs: BTreeMap::new(),
        missing: Vec::new(),
    };
    match session::parse(image, &raw)? {
        Manifest::Image { config, layers } => found.add(image, &raw, None, (config, layers))?,
        Manifest::Index { manifests } => {
            let (entries, missing) = pick(image, &manifests, wanted)?;
            found.missing = missing;
            for entry in entries {
                let reference = image.pinned(entry.digest.clone());
                let raw = session.manifest(&reference).await?;
                match session::parse(&reference, &raw)? {
                    Manifest::Image { config, layers } => {
                        found.add(image, &raw, Some(entry), (config, layers))?;
                    }
                    Manifest::Index { .. } => return Err(session::nested_index(image)),
                }
            }
        }
    }
    Ok(found)
}

impl Contents {
    fn add(
        &mut self,
        image: &Reference,
        raw: &RawManifest,
        entry: Option<&Descriptor>,
        (config, layers): (Descriptor, Vec<Descriptor>),
    ) -> Result<(), InventoryError> {
        let layers: Vec<Descriptor> = layers.into_iter().filter(|l| !l.is_foreign()).collect();
        for blob in std::iter::once(&config).chain(&layers) {
            let known = self.blobs.insert(blob.digest.clone(), blob.size);
            if known.is_some_and(|size| size != blob.size) {
                return Err(InventoryError::Image {
                    image: image.to_string(),
                    detail: format!("blob {} has two sizes in it", blob.digest),
                    hint: None,
                });
            }
        }
        self.images.push(Content {
            manifest: raw.descriptor().clone(),
            platform: entry.and_then(|e| e.platform.clone()),
            config: config.digest,
            layers: layers.into_iter().map(|l| l.digest).collect(),
        });
        Ok(())
    }
}

/// The wanted entries in index order, and the asked architectures that are not there.
fn pick<'a>(
    image: &Reference,
    manifests: &'a [Descriptor],
    wanted: &Wanted,
) -> Result<(Vec<&'a Descriptor>, Vec<String>), InventoryError> {
    let Wanted::Architectures(asked) = wanted else {
        return Ok((manifests.iter().collect(), Vec::new()));
    };
    let has = |a: &String| manifests.iter().any(|m| session::is_linux(m, a));
    let (present, missing): (Vec<String>, Vec<String>) = asked.iter().cloned().partition(has);
    if present.is_empty() {
        let names = asked.join(", linux/");
        return Err(session::no_platform(image, &names, manifests));
    }
    let entries = manifests
        .iter()
        .filter(|m| present.iter().any(|a| session::is_linux(m, a)));
    Ok((entries.collect(), missing))
}
