//! What an inventory amounts to: images, unique blobs, bytes, the partition it needs, and what a new one changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::oci::Digest;

use super::lock::{Group, Inventory, Origin};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Files occupy whole blocks; 4 KiB is the block size of XFS, ext4 and of FAT32 up to 8 GiB.
const BLOCK: u64 = 4096;

/// XFS log (64 MiB at least since xfsprogs 5.15) and allocation groups' fixed parts.
const FILESYSTEM_FIXED: u64 = 128 * MIB;

/// Free space that XFS and ext4 need to allocate without fragmenting, inodes and directories included.
const FILESYSTEM_PERCENT: u64 = 3;

/// The figures of an inventory. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many images.
    pub images: usize,
    /// Images by why they are needed, in a fixed order, no empty ones; the first reason counts.
    pub kinds: Vec<KindCount>,
    /// Images of the live ISO stage.
    pub ai_images: usize,
    /// Images of the installed stage.
    pub ocp_images: usize,
    /// Lines that the filter took out.
    pub ignored: usize,
    /// How many different blobs.
    pub blobs: usize,
    /// Bytes to fetch: each blob and manifest once.
    pub fetch_bytes: u64,
    /// Bytes that storing every image whole would take.
    pub whole_bytes: u64,
    /// Bytes on disk, in whole blocks.
    pub disk_bytes: u64,
    /// The partition to make.
    pub partition: Partition,
}

/// Images of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// `release 4.13.1 x86_64`, the catalog as written, `additional images`, `mapping`.
    pub name: String,
    /// How many images.
    pub images: usize,
    /// Bytes of the blobs that these images need, each once.
    pub bytes: u64,
}

/// Size of the data partition and what it is made of. Bytes, except `gib`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Partition {
    /// What to pass to `precache partition -s`.
    pub gib: u64,
    /// Manifests and blobs, in whole blocks.
    pub contents_bytes: u64,
    /// Log, metadata and the free space the filesystem needs.
    pub filesystem_bytes: u64,
    /// Room for the largest image once more: an older loader on the machine unpacks one image at a time beside the store,
    /// and an interrupted download keeps its partial blobs.
    pub reserve_bytes: u64,
}

impl Summary {
    /// Counts an inventory.
    pub fn of(inventory: &Inventory) -> Self {
        let images = &inventory.images;
        let manifests = inventory.manifests();
        let sizes = || manifests.values().chain(inventory.blobs.values()).copied();
        let in_group = |group| images.iter().filter(|i| i.groups.contains(&group)).count();
        let image_bytes = |blobs: &BTreeSet<&Digest>| sum_of(inventory, blobs);
        let whole = images.iter().map(|i| image_bytes(&i.blobs()));
        let largest = whole.clone().max().unwrap_or(0);
        let disk_bytes = sizes().map(|size| size.next_multiple_of(BLOCK)).sum();
        Self {
            images: images.len(),
            kinds: kinds(inventory),
            ai_images: in_group(Group::Ai),
            ocp_images: in_group(Group::Ocp),
            ignored: inventory.ignored.len(),
            blobs: inventory.blobs.len(),
            fetch_bytes: sizes().sum(),
            whole_bytes: whole.sum(),
            disk_bytes,
            partition: Partition::of(disk_bytes, largest),
        }
    }
}

impl Partition {
    fn of(contents_bytes: u64, reserve_bytes: u64) -> Self {
        let filesystem_bytes = FILESYSTEM_FIXED + contents_bytes.div_ceil(100) * FILESYSTEM_PERCENT;
        let total = contents_bytes + filesystem_bytes + reserve_bytes;
        Self {
            gib: total.div_ceil(GIB),
            contents_bytes,
            filesystem_bytes,
            reserve_bytes,
        }
    }
}

impl std::fmt::Display for Partition {
    /// One sentence: the size and what it is made of.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whole MiB, rounded up: the parts then never add up to less than the whole.
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        write!(
            f,
            "{} GiB: {} MiB of images, {} MiB for the filesystem's log, metadata and free space, {} MiB to unpack the largest image on the machine",
            self.gib,
            mib(self.contents_bytes),
            mib(self.filesystem_bytes),
            mib(self.reserve_bytes)
        )
    }
}

fn sum_of(inventory: &Inventory, blobs: &BTreeSet<&Digest>) -> u64 {
    let sizes = blobs.iter().filter_map(|d| inventory.blobs.get(*d));
    sizes.sum()
}

fn kinds(inventory: &Inventory) -> Vec<KindCount> {
    let mut found: BTreeMap<(u8, String), (usize, BTreeSet<&Digest>)> = BTreeMap::new();
    for image in &inventory.images {
        let Some(origin) = image.origins.first() else {
            continue;
        };
        let entry = found.entry(kind(origin)).or_default();
        entry.0 += 1;
        entry.1.extend(image.blobs());
    }
    let count = |((_, name), (images, blobs)): (_, (usize, BTreeSet<&Digest>))| KindCount {
        name,
        images,
        bytes: sum_of(inventory, &blobs),
    };
    found.into_iter().map(count).collect()
}

fn kind(origin: &Origin) -> (u8, String) {
    match origin {
        Origin::Release {
            version,
            architecture,
        }
        | Origin::Component {
            version,
            architecture,
            ..
        } => (0, format!("release {version} {architecture}")),
        Origin::Operator { catalog, .. } => (1, catalog.clone()),
        Origin::Additional => (2, "additional images".to_owned()),
        Origin::Mapping => (3, "mapping".to_owned()),
        Origin::OsImage { pool } => (4, format!("OS image of pool {pool}")),
    }
}

/// What a new inventory adds, drops and costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Mapping lines of images that are new, sorted.
    pub added: Vec<String>,
    /// Mapping lines of images that are gone, sorted.
    pub dropped: Vec<String>,
    /// How many images are in both.
    pub kept: usize,
    /// Bytes of blobs and manifests that the old inventory does not have.
    pub fetch_bytes: u64,
    /// Bytes of blobs and manifests that `precache prune` then frees.
    pub freed_bytes: u64,
}

/// Compares two inventories by source and by content.
pub fn diff(old: &Inventory, new: &Inventory) -> Diff {
    let contents = |inventory: &Inventory| -> BTreeMap<Digest, u64> {
        let manifests = inventory.manifests().into_iter();
        let mut all: BTreeMap<Digest, u64> = manifests.map(|(d, s)| (d.clone(), s)).collect();
        all.extend(inventory.blobs.clone());
        all
    };
    let (before, after) = (contents(old), contents(new));
    let only = |a: &BTreeMap<Digest, u64>, b: &BTreeMap<Digest, u64>| {
        let missing = a.iter().filter(|(digest, _)| !b.contains_key(*digest));
        missing.map(|(_, size)| size).sum()
    };
    let sources = |i: &Inventory| -> BTreeMap<String, String> {
        let images = i.images.iter();
        images
            .map(|image| (image.source.to_string(), image.mapping_line()))
            .collect()
    };
    let (was, is) = (sources(old), sources(new));
    let lines = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        let missing = a.iter().filter(|(source, _)| !b.contains_key(*source));
        missing.map(|(_, line)| line.clone()).collect::<Vec<_>>()
    };
    let added = lines(&is, &was);
    Diff {
        kept: is.len() - added.len(),
        added,
        dropped: lines(&was, &is),
        fetch_bytes: only(&after, &before),
        freed_bytes: only(&before, &after),
    }
}
