//! From selected bundles to pull specs with their origins.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Bundle, Catalog};
use super::{BundleId, ImageOrigin, Selection};

/// Which images of a bundle count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Images {
    /// The bundle image and its related images (v1).
    BundleAndRelated,
    /// The related images only; the bundle image is normally one of them (v2).
    Related,
}

/// Fills [`Selection::images`] from the bundles and channels selected.
pub(super) fn collect(catalog: &Catalog, selection: &mut Selection, which: Images) {
    let mut blobs: BTreeMap<(&str, &str), &Bundle> = BTreeMap::new();
    for bundle in &catalog.bundles {
        // The first of two bundles with one name counts, as upstream.
        blobs
            .entry((&bundle.package, &bundle.name))
            .or_insert(bundle);
    }
    for BundleId { package, name } in &selection.bundles {
        let Some(bundle) = blobs.get(&(package.as_str(), name.as_str())) else {
            continue;
        };
        let related = bundle.related_images.iter().map(|i| i.image.as_str());
        if which == Images::Related
            && let Some(image) = related.clone().find(|image| image.contains("oci://"))
        {
            selection.warnings.push(format!(
                "invalid image: {image} 'oci' is not supported in operator catalogs SKIPPING bundle {name} of operator {package}"
            ));
            continue;
        }
        let own = (which == Images::BundleAndRelated).then_some(bundle.image.as_str());
        let channels = selection.channels.iter();
        let channels = channels.filter(|c| c.package == *package && c.entries.contains(name));
        let origin = ImageOrigin {
            package: package.clone(),
            bundle: name.clone(),
            channels: channels.map(|c| c.name.clone()).collect(),
        };
        let images: BTreeSet<&str> = own.into_iter().chain(related).collect();
        for image in images.into_iter().filter(|image| !image.is_empty()) {
            let origins = selection.images.entry(image.to_owned()).or_default();
            origins.insert(origin.clone());
        }
    }
}
