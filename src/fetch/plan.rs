//! What has to be fetched: unique blobs and manifests, largest first, each with the images that need it.

use std::collections::{BTreeMap, VecDeque};

use crate::inventory::lock::Inventory;
use crate::oci::{Descriptor, Digest};
use crate::store::{Store, StoreError};

/// How an item is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `/blobs/`: a configuration or a layer.
    Blob,
    /// `/manifests/`: an image manifest or index.
    Manifest,
}

/// A blob or manifest that some images need.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Indices into `Inventory::images`, ascending, never empty.
    pub(super) images: Vec<usize>,
}

/// Everything the inventory names.
#[derive(Debug)]
pub(super) struct Plan {
    /// Largest first; equal sizes by digest.
    pub(super) items: Vec<Item>,
    /// Per item, whether it was complete before.
    pub(super) complete: Vec<bool>,
}

impl Plan {
    /// Lists the items and looks which are complete: by size alone, because a final name is only given to what was right.
    pub(super) fn new(inventory: &Inventory, store: &Store) -> Result<Self, StoreError> {
        let mut items = list(inventory);
        items.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        let complete = items
            .iter()
            .map(|item| Ok(store.blob_size(&item.digest)? == Some(item.size)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { items, complete })
    }

    /// Indices and items that are still to be fetched, in order.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Item)> {
        let all = self.items.iter().enumerate().zip(&self.complete);
        all.filter(|(_, complete)| !**complete)
            .map(|(item, _)| item)
    }

    /// Bytes of disk that the open items still take, beyond what their partials hold, in blocks of `block` bytes.
    pub(super) fn disk_need(&self, store: &Store, block: u64) -> u64 {
        self.open()
            .map(|(_, item)| {
                let whole = item.size.next_multiple_of(block.max(1));
                whole.saturating_sub(store.partial_allocated(&item.digest))
            })
            .sum()
    }
}

fn list(inventory: &Inventory) -> Vec<Item> {
    let mut found: BTreeMap<(Kind, &Digest), (u64, Vec<usize>)> = BTreeMap::new();
    for (index, image) in inventory.images.iter().enumerate() {
        let mut add = |kind, digest, size| {
            let images = &mut found.entry((kind, digest)).or_insert((size, Vec::new())).1;
            if images.last() != Some(&index) {
                images.push(index);
            }
        };
        let manifests = image.contents.iter().map(|c| &c.manifest);
        for Descriptor { digest, size, .. } in manifests.chain([&image.manifest]) {
            add(Kind::Manifest, digest, *size);
        }
        for content in &image.contents {
            for digest in content.layers.iter().chain([&content.config]) {
                // A lock that names a blob without its size cannot be had from our writer; 0 makes it fail by name.
                add(
                    Kind::Blob,
                    digest,
                    inventory.blobs.get(digest).copied().unwrap_or(0),
                );
            }
        }
    }
    let item = |((kind, digest), (size, images)): ((Kind, &Digest), (u64, Vec<usize>))| Item {
        kind,
        digest: digest.clone(),
        size,
        images,
    };
    found.into_iter().map(item).collect()
}

/// The items not yet taken. Slots take from the large end, so that the tail is short; one slot takes from the small end, so
/// that the round trips of hundreds of small items pass while the link is busy with the large ones.
#[derive(Debug)]
pub(super) struct Queue(VecDeque<usize>);

impl Queue {
    pub(super) fn new(plan: &Plan) -> Self {
        Self(plan.open().map(|(index, _)| index).collect())
    }

    pub(super) fn take(&mut self, from_small_end: bool) -> Option<usize> {
        if from_small_end {
            self.0.pop_back()
        } else {
            self.0.pop_front()
        }
    }
}
