//! The outside world during one resolve: images, documents, progress; and what every step asks of an image.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::oci::{Descriptor, ImageSource, Manifest, RawManifest, Reference};
use crate::progress::{Event, Reporter};

use super::InventoryError;
use super::documents::Documents;

/// Configs are a few KiB; labels of bundle images make some of them large.
const MAX_CONFIG: u64 = 8 << 20;

/// What a resolve works with.
#[derive(Debug, Clone, Copy)]
pub struct Services<'a> {
    /// Manifests and blobs.
    pub source: &'a dyn ImageSource,
    /// Graphs and signatures.
    pub documents: &'a dyn Documents,
    /// Progress.
    pub reporter: &'a dyn Reporter,
}

/// Services with the counter that gives items of a phase their numbers.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) services: Services<'a>,
    next_item: AtomicU64,
}

/// One image for one platform.
#[derive(Debug, Clone)]
pub(super) struct SingleImage {
    /// Names the repository and the digest of the image manifest.
    pub(super) reference: Reference,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    /// Whether it was picked from an index.
    pub(super) from_index: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(services: Services<'a>) -> Self {
        Self {
            services,
            next_item: AtomicU64::new(0),
        }
    }

    pub(super) fn next_item(&self) -> u64 {
        self.next_item.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn report(&self, event: Event<'_>) {
        self.services.reporter.report(event);
    }

    pub(super) async fn manifest(&self, image: &Reference) -> Result<RawManifest, InventoryError> {
        Ok(self.services.source.manifest(image).await?)
    }

    /// The digest form of `image`; asks only when a tag is all there is.
    pub(super) async fn pin(&self, image: &Reference) -> Result<Reference, InventoryError> {
        if let Some(digest) = image.digest() {
            return Ok(image.pinned(digest.clone()));
        }
        let found = self.services.source.resolve(image).await?;
        Ok(image.pinned(found.digest))
    }

    /// The linux/`architecture` image of `image`, which may be an index or a single image of whatever platform.
    pub(super) async fn single_image(
        &self,
        image: &Reference,
        architecture: &str,
    ) -> Result<SingleImage, InventoryError> {
        let raw = self.manifest(image).await?;
        match parse(image, &raw)? {
            Manifest::Image { config, layers } => Ok(SingleImage {
                reference: image.clone(),
                config,
                layers,
                from_index: false,
            }),
            Manifest::Index { manifests } => {
                let entry = manifests.iter().find(|m| is_linux(m, architecture));
                let entry = entry.ok_or_else(|| no_platform(image, architecture, &manifests))?;
                let reference = image.pinned(entry.digest.clone());
                let raw = self.manifest(&reference).await?;
                let Manifest::Image { config, layers } = parse(&reference, &raw)? else {
                    return Err(nested_index(image));
                };
                Ok(SingleImage {
                    reference,
                    config,
                    layers,
                    from_index: true,
                })
            }
        }
    }

    /// The configuration of an image as JSON.
    pub(super) async fn config(
        &self,
        image: &SingleImage,
    ) -> Result<serde_json::Value, InventoryError> {
        let source = self.services.source;
        let bytes = source
            .small_blob(&image.reference, &image.config, MAX_CONFIG)
            .await?;
        serde_json::from_slice(&bytes).map_err(|e| InventoryError::Image {
            image: image.reference.to_string(),
            detail: format!("image configuration is not JSON: {e}"),
            hint: None,
        })
    }
}

/// Parses a manifest, naming the image in the error.
pub(super) fn parse(image: &Reference, raw: &RawManifest) -> Result<Manifest, InventoryError> {
    raw.parse().map_err(|error| InventoryError::Manifest {
        image: image.to_string(),
        error,
    })
}

/// Whether an index entry is for linux on this architecture (`GOARCH`).
pub(super) fn is_linux(entry: &Descriptor, architecture: &str) -> bool {
    entry
        .platform
        .as_ref()
        .is_some_and(|p| p.os == "linux" && p.architecture == architecture)
}

/// An index without the architecture, with what it has instead.
pub(super) fn no_platform(
    image: &Reference,
    architecture: &str,
    manifests: &[Descriptor],
) -> InventoryError {
    let platforms = manifests.iter().filter_map(|m| m.platform.as_ref());
    let has: Vec<String> = platforms
        .map(|p| format!("{}/{}", p.os, p.architecture))
        .collect();
    InventoryError::Image {
        image: image.to_string(),
        detail: format!("no linux/{architecture} in it (it has {})", has.join(", ")),
        hint: Some(
            "ask for one of its architectures with --arch, or for all with --all-arch".to_owned(),
        ),
    }
}

/// An index inside an index; no image of the field has one.
pub(super) fn nested_index(image: &Reference) -> InventoryError {
    InventoryError::Image {
        image: image.to_string(),
        detail: "an index within an index is not supported".to_owned(),
        hint: None,
    }
}
