//! What has to be in containers-storage: the images of a group with their names.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::lock::{Group, Image, Inventory};
use crate::oci::{Digest, Reference};
use crate::store::{Store, StoreError};

/// An image to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// `repo@sha256:…`, the name that must exist exactly so.
    pub source: Reference,
    /// `repo:tag` names beside it.
    pub tags: Vec<Reference>,
    /// Its layers, of all platforms in the store.
    pub layers: BTreeSet<Digest>,
    /// Bytes of its configurations and layers that no earlier job has: the sum over the jobs is what is really copied.
    pub size_bytes: u64,
    /// Why it cannot be loaded at all: something of it is not in the store.
    pub lacks: Option<String>,
}

impl Job {
    /// All its names, the pinned one first.
    pub fn names(&self) -> impl Iterator<Item = &Reference> {
        std::iter::once(&self.source).chain(&self.tags)
    }

    /// Whether a list of names has all of its own.
    pub fn is_in(&self, names: &BTreeSet<String>) -> bool {
        self.names().all(|name| names.contains(&name.to_string()))
    }
}

/// The images of a group in the inventory's order, which is by name. A tag that several images would get is left out: the last one
/// would take it from the others.
///
/// # Errors
/// The file system of the store does not answer.
pub fn jobs(inventory: &Inventory, group: Group, store: &Store) -> Result<Vec<Job>, StoreError> {
    let images = inventory.images.iter();
    let images = images.filter(|image| image.groups.contains(&group));
    let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
    for image in images {
        let new = image.blobs().into_iter().filter(|blob| seen.insert(*blob));
        let size_bytes = new.filter_map(|blob| inventory.blobs.get(blob)).sum();
        jobs.push(Job {
            source: image.source.clone(),
            tags: tags(image, group).into_iter().collect(),
            layers: layers(image),
            size_bytes,
            lacks: lacks(inventory, image, store)?,
        });
    }
    let mut claims: BTreeMap<Reference, usize> = BTreeMap::new();
    for tag in jobs.iter().flat_map(|job| &job.tags) {
        *claims.entry(tag.clone()).or_default() += 1;
    }
    for job in &mut jobs {
        job.tags.retain(|tag| claims.get(tag) == Some(&1));
    }
    Ok(jobs)
}

/// The tag that was asked for; in the live stage also that of the mapping's destination, since its scripts ask for release images so.
fn tags(image: &Image, group: Group) -> BTreeSet<Reference> {
    let requested = image
        .requested
        .as_deref()
        .and_then(|text| text.parse().ok());
    let requested = requested.and_then(|name: Reference| {
        let tag = name.tag_or_latest()?;
        name.with_tag(tag).ok()
    });
    let mapped = image
        .destination
        .rsplit_once(':')
        .filter(|_| group == Group::Ai);
    let mapped = mapped.and_then(|(_, tag)| image.source.with_tag(tag).ok());
    requested.into_iter().chain(mapped).collect()
}

fn layers(image: &Image) -> BTreeSet<Digest> {
    let contents = image.contents.iter();
    contents
        .flat_map(|content| content.layers.iter().cloned())
        .collect()
}

/// The first blob or manifest that is missing or has another size: no retry brings it.
fn lacks(
    inventory: &Inventory,
    image: &Image,
    store: &Store,
) -> Result<Option<String>, StoreError> {
    let manifests = image.contents.iter().map(|content| &content.manifest);
    let manifests = manifests
        .chain([&image.manifest])
        .map(|m| (&m.digest, Some(m.size)));
    let blobs = image.blobs();
    let blobs = blobs
        .iter()
        .map(|digest| (*digest, inventory.blobs.get(digest).copied()));
    for (digest, expected) in manifests.chain(blobs) {
        match (store.blob_size(digest)?, expected) {
            (None, _) => return Ok(Some(format!("{digest} is not in the store"))),
            (Some(found), Some(expected)) if found != expected => {
                let reason = format!("{digest} is damaged: {found} bytes instead of {expected}");
                return Ok(Some(reason));
            }
            _ => {}
        }
    }
    Ok(None)
}
