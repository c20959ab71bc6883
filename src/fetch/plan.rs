//! What has to be fetched: unique blobs and manifests, largest first, each with the images that need it.

use std::collections::{BTreeMap, VecDeque};

use crate::inventory::lock::Inventory;
use crate::oci::Digest;
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

/// What a run would fetch: the images (indices into [`Inventory::images`]) that need each item, by the `id` that the item has in
/// events.
///
/// # Errors
/// The store does not answer.
pub fn open_items(
    inventory: &Inventory,
    store: &Store,
) -> Result<BTreeMap<u64, Vec<usize>>, StoreError> {
    let plan = Plan::new(inventory, store)?;
    let open = plan.open();
    Ok(open
        .map(|(index, item)| (index as u64, item.images.clone()))
        .collect())
}

/// By digest alone: what a hostile manifest calls a layer and an index a manifest is one item, since two would write into the
/// same partial. It is then a manifest, and the blob's size does not count.
fn list(inventory: &Inventory) -> Vec<Item> {
    let mut found: BTreeMap<&Digest, (Kind, u64, Vec<usize>)> = BTreeMap::new();
    for (digest, size) in inventory.manifests() {
        found.insert(digest, (Kind::Manifest, size, Vec::new()));
    }
    for (index, image) in inventory.images.iter().enumerate() {
        let manifests = image.contents.iter().map(|c| &c.manifest.digest);
        for digest in manifests
            .chain([&image.manifest.digest])
            .chain(image.blobs())
        {
            // A lock that names a blob without its size cannot be had from our writer; 0 makes it fail by name.
            let size = || inventory.blobs.get(digest).copied().unwrap_or(0);
            let item = found.entry(digest);
            let images = &mut item.or_insert_with(|| (Kind::Blob, size(), Vec::new())).2;
            if images.last() != Some(&index) {
                images.push(index);
            }
        }
    }
    let item = |(digest, (kind, size, images)): (&Digest, (Kind, u64, Vec<usize>))| Item {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_one_item_whatever_it_is_called() {
        let digest = |n: u8| Digest::of(&[n]);
        let descriptor =
            |n, size| serde_json::json!({"mediaType": "m", "digest": digest(n), "size": size});
        let lock = serde_json::json!({
            "format": 1, "request": {"source": "", "options": []}, "releases": [], "catalogs": [],
            "images": [{
                "source": format!("q.io/a/b@{}", digest(1)), "requested": null, "destination": "q.io/a/b",
                "groups": [], "origins": [], "manifest": descriptor(1, 7),
                "contents": [{"manifest": descriptor(1, 7), "config": digest(2), "layers": [digest(1), digest(2)]}],
            }],
            "blobs": {digest(1).to_string(): 9, digest(2).to_string(): 3},
        });
        let inventory = Inventory::parse(lock.to_string().as_bytes()).unwrap();
        let items = list(&inventory);
        let mut told: Vec<_> = items
            .iter()
            .map(|i| (i.kind, i.size, i.images.clone()))
            .collect();
        told.sort();
        assert_eq!(
            told,
            [(Kind::Blob, 3, vec![0]), (Kind::Manifest, 7, vec![0])]
        );
    }
}
