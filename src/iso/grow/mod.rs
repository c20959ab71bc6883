//! A larger Ignition embed area, without making the ISO anew.
//!
//! The area moves to the end of the volume: the directory records of its file are pointed there in every tree, the volume and the
//! isohybrid partitions grow, the backup GPT moves. No file moves, nothing that is signed changes. After the area, an *undo record*
//! keeps the bytes that were changed, so that an emptied ISO is again the pristine one, bit by bit.
//!
//! ```text
//! pristine volume │ (old backup GPT) │ new area (multiple of 256 KiB) │ undo record │ padding │ backup GPT
//! ```
//!
//! Only an area that is a file of its own can move: on s390x it is in the middle of the boot image. `extract minimal-iso` of
//! coreos-installer does not work on a grown ISO; it does not on any customised one.

mod partitions;
mod undo;

use super::error::IsoError;
use super::image::LiveIso;
use super::iso9660::SECTOR;
use super::region::Region;
use super::source::{Overlay, ReadAt, read};

pub(super) use undo::Undo;

/// The new area is a multiple of the usual size of one.
const STEP: u64 = 256 << 10;
/// isohybrid images end at a multiple of this.
const CYLINDER: u64 = 1 << 20;
/// The header that named the area up to RHCOS 4.10: magic, offset, length.
const LEGACY_HEADER: u64 = 32768 - 24;

/// A grown ISO.
#[derive(Debug)]
pub(super) struct Growth {
    /// What to write.
    pub regions: Vec<Region>,
    /// Bytes of the ISO.
    pub size: u64,
    /// Bytes of the embed area.
    pub capacity: u64,
}

/// Whether the area of this ISO may and can be made larger.
///
/// # Errors
/// [`IsoError::TooLarge`], [`IsoError::CannotGrow`]
pub(super) fn check(iso: &LiveIso, needed: u64, allowed: bool) -> Result<(), IsoError> {
    let capacity = iso.area.length;
    if !allowed {
        return Err(IsoError::TooLarge { needed, capacity });
    }
    if !iso.area.whole_file {
        return Err(IsoError::CannotGrow {
            needed,
            capacity,
            reason: "it is a part of the boot image",
        });
    }
    Ok(())
}

/// The pristine state of a grown ISO; none when it is not grown.
///
/// # Errors
/// A read fails.
pub(super) fn undo(source: &dyn ReadAt, iso: &LiveIso) -> Result<Option<Undo>, IsoError> {
    undo::find(source, iso.area.offset + iso.area.length)
}

/// What empties the place at the end of a device, which cannot be cut off as the end of a file can.
pub(super) fn left_behind(source: &dyn ReadAt, iso: &LiveIso) -> Option<Region> {
    source
        .is_device()
        .then(|| zeroes(iso.area.offset, iso.area.length))
}

/// Where the ISO ends on its medium.
///
/// # Errors
/// A read fails.
pub(super) fn image_end(source: &dyn ReadAt, iso: &LiveIso) -> Result<u64, IsoError> {
    if !source.is_device() {
        return Ok(source.size());
    }
    let tables = partitions::read(source)?;
    Ok(iso.volume.size().max(tables.end()).min(source.size()))
}

/// Plans an area that holds `packed`.
///
/// # Errors
/// [`IsoError::CannotGrow`]; a read fails.
pub(super) fn plan(
    source: &dyn ReadAt,
    iso: &LiveIso,
    packed: Vec<u8>,
) -> Result<Growth, IsoError> {
    let Some(undo) = undo(source, iso)? else {
        return from_pristine(source, iso, packed);
    };
    // Grown before: start from where that started, so that there is one undo record, and it leads to the pristine ISO.
    let overlay = Overlay {
        source,
        regions: &undo.regions,
        size: if source.is_device() {
            source.size()
        } else {
            undo.size
        },
    };
    from_pristine(&overlay, &LiveIso::read(&overlay)?, packed)
}

fn from_pristine(
    source: &dyn ReadAt,
    iso: &LiveIso,
    mut packed: Vec<u8>,
) -> Result<Growth, IsoError> {
    let (needed, old_capacity) = (packed.len() as u64, iso.area.length);
    let refuse = |reason| IsoError::CannotGrow {
        needed,
        capacity: old_capacity,
        reason,
    };
    let tables = partitions::read(source)?;
    let old_size = image_end(source, iso)?;
    if tables.has_more_than(iso.volume.size()) {
        return Err(refuse("a partition follows the ISO"));
    }
    let start = old_size.max(iso.volume.size()).next_multiple_of(SECTOR);
    let capacity = needed.next_multiple_of(STEP);
    packed.resize(
        usize::try_from(capacity).map_err(|_| refuse("it is too large"))?,
        0,
    );
    let mut changed = pointers(source, iso, start, capacity)?;
    // The length of the undo record does not depend on where the volume ends: everything is counted once, then written.
    let sized = |end: u64| -> Result<(Vec<Region>, u64), IsoError> {
        let mut changed = sizes(iso, end).ok_or_else(|| refuse("it is too large"))?;
        let (tables, size) = tables.grown(end, CYLINDER);
        changed.extend(tables);
        Ok((changed, size))
    };
    let area_end = start + capacity;
    let before = |regions: &[Region]| undo::record(source, regions, old_size, old_capacity);
    let (sizes_now, _) = sized(area_end)?;
    let record_length = before(&[changed.as_slice(), &sizes_now].concat())?.len() as u64;
    let (sizes_then, size) = sized(area_end + record_length)?;
    changed.extend(sizes_then);
    if source.is_device() && size > source.size() {
        return Err(refuse("the device has no room after the ISO"));
    }
    let record = before(&changed)?;
    // The new place is written first in the order of the plan's making; in place, a journal covers the rest.
    changed.push(zeroes(iso.area.offset, old_capacity));
    changed.push(Region {
        offset: start,
        contents: packed,
    });
    changed.push(Region {
        offset: area_end,
        contents: record,
    });
    Ok(Growth {
        regions: changed,
        size,
        capacity,
    })
}

/// A secret must not stay behind in the old area.
fn zeroes(offset: u64, length: u64) -> Region {
    Region {
        offset,
        contents: vec![0; usize::try_from(length).unwrap_or(0)],
    }
}

/// Everything that says where the area is: a directory record in each tree, the legacy header.
fn pointers(
    source: &dyn ReadAt,
    iso: &LiveIso,
    start: u64,
    capacity: u64,
) -> Result<Vec<Region>, IsoError> {
    let refuse = |reason| IsoError::CannotGrow {
        needed: capacity,
        capacity: iso.area.length,
        reason,
    };
    let lba = u32::try_from(start / SECTOR).map_err(|_| refuse("the ISO is too large"))?;
    let length = u32::try_from(capacity).map_err(|_| refuse("it is too large"))?;
    let mut regions = Vec::new();
    for tree in iso.volume.trees() {
        let Some(entry) = tree.find(source, &iso.area.file)? else {
            continue;
        };
        if entry.extent().map(|e| e.lba.offset()) != Some(iso.area.offset) {
            return Err(refuse("its trees do not agree on where it is"));
        }
        regions.push(Region {
            offset: entry.record_at + 2,
            contents: [both32(lba), both32(length)].concat(),
        });
    }
    if read(source, LEGACY_HEADER, 8)? == b"coreiso+" {
        regions.push(Region {
            offset: LEGACY_HEADER + 8,
            contents: [start.to_le_bytes(), capacity.to_le_bytes()].concat(),
        });
    }
    Ok(regions)
}

/// The size of the volume, in every tree's descriptor.
fn sizes(iso: &LiveIso, end: u64) -> Option<Vec<Region>> {
    let blocks = u32::try_from(end.div_ceil(SECTOR)).ok()?;
    let trees = iso.volume.trees().iter();
    Some(
        trees
            .map(|tree| Region {
                offset: tree.descriptor_at + 80,
                contents: both32(blocks).to_vec(),
            })
            .collect(),
    )
}

/// A number in both byte orders (ECMA-119 7.3.3).
fn both32(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    let (little, big) = bytes.split_at_mut(4);
    little.copy_from_slice(&number.to_le_bytes());
    big.copy_from_slice(&number.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
