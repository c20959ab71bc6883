//! The partition tables of an isohybrid image: an MBR and a GPT over the same bytes as the ISO (UEFI 2.10 section 5).
//!
//! The first partition covers the volume, so it grows with it; the backup GPT stays at the end. Everything else is kept byte by byte,
//! the length of the entry array included. A GPT whose checksums are wrong is nobody's, and is left alone.

use super::undo::crc32;
use crate::iso::error::IsoError;
use crate::iso::region::Region;
use crate::iso::source::{self, ReadAt};

/// The tables count in these, whatever the medium's sectors are.
const BLOCK: u64 = 512;
const HEADER: usize = 92;
/// A partition that begins up to here covers the volume; the EFI system partition lies within it, after the first files.
const COVERS: u64 = 64;
/// 128 entries are usual; isohybrid writers use up to 248.
const MAX_ENTRIES: u64 = 1024;

/// The tables of an image; either may be missing.
#[derive(Debug, Default)]
pub(super) struct Tables {
    mbr: Option<Vec<u8>>,
    gpt: Option<Gpt>,
}

#[derive(Debug)]
struct Gpt {
    header: Vec<u8>,
    entries_at: u64,
    entry_size: usize,
    entries: Vec<u8>,
    backup: u64,
}

/// Reads the tables.
pub(super) fn read(source: &dyn ReadAt) -> Result<Tables, IsoError> {
    let head = source::read(source, 0, BLOCK)?;
    Ok(Tables {
        mbr: head.ends_with(b"\x55\xaa").then_some(head),
        gpt: Gpt::read(source)?,
    })
}

impl Gpt {
    fn read(source: &dyn ReadAt) -> Result<Option<Self>, IsoError> {
        let header = source::read(source, BLOCK, BLOCK)?;
        let sound = header.starts_with(b"EFI PART")
            && u32_at(&header, 12) == Some(92)
            && u32_at(&header, 16) == Some(checksum(&header));
        let place = (|| {
            let count = u64::from(u32_at(&header, 80)?);
            let size = u64::from(u32_at(&header, 84)?);
            let plausible = count <= MAX_ENTRIES && (128..=4096).contains(&size);
            plausible.then_some((u64_at(&header, 72)?.checked_mul(BLOCK)?, count * size, size))
        })();
        let (true, Some((entries_at, length, size))) = (sound, place) else {
            return Ok(None);
        };
        let entries = source::read(source, entries_at, length)?;
        if u32_at(&header, 88) != Some(crc32(&entries)) {
            return Ok(None);
        }
        Ok(Some(Self {
            backup: u64_at(&header, 32).unwrap_or(0),
            entry_size: usize::try_from(size).unwrap_or(128),
            header,
            entries_at,
            entries,
        }))
    }

    /// Start and end (exclusive), in blocks, of the partitions.
    fn partitions(&self) -> impl Iterator<Item = (u64, u64)> {
        let used = self.entries.chunks_exact(self.entry_size);
        let used = used.filter(|entry| entry.iter().take(16).any(|b| *b != 0));
        used.filter_map(|entry| Some((u64_at(entry, 32)?, u64_at(entry, 40)?.saturating_add(1))))
    }

    /// Blocks that the entry array takes.
    fn array_blocks(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(BLOCK)
    }

    /// Both copies, for an image of `blocks` blocks whose volume ends at `end`.
    fn grown(&self, end: u64, blocks: u64) -> Vec<Region> {
        let mut entries = self.entries.clone();
        for entry in entries.chunks_exact_mut(self.entry_size) {
            let used = entry.iter().take(16).any(|b| *b != 0);
            if used && u64_at(entry, 32).is_some_and(|start| start <= COVERS) {
                put(entry, 40, &(end - 1).to_le_bytes());
            }
        }
        let backup_entries = blocks - 1 - self.array_blocks();
        let header = |own: u64, other: u64, entries_at: u64| {
            let mut header = self.header.clone();
            put(&mut header, 24, &own.to_le_bytes());
            put(&mut header, 32, &other.to_le_bytes());
            put(&mut header, 48, &(backup_entries - 1).to_le_bytes());
            put(&mut header, 72, &entries_at.to_le_bytes());
            put(&mut header, 88, &crc32(&entries).to_le_bytes());
            let sum = checksum(&header);
            put(&mut header, 16, &sum.to_le_bytes());
            header
        };
        let region = |block: u64, contents: Vec<u8>| Region {
            offset: block * BLOCK,
            contents,
        };
        vec![
            region(1, header(1, blocks - 1, self.entries_at / BLOCK)),
            region(self.entries_at / BLOCK, entries.clone()),
            region(blocks - 1, header(blocks - 1, 1, backup_entries)),
            region(backup_entries, entries),
        ]
    }
}

impl Tables {
    /// The last byte that a table speaks of, exclusive.
    pub(super) fn end(&self) -> u64 {
        let gpt = self.gpt.iter().flat_map(|gpt| {
            let ends = gpt.partitions().map(|(_, end)| end);
            ends.chain([gpt.backup.saturating_add(1)])
        });
        let mbr = self.mbr_partitions().map(|(start, length)| start + length);
        gpt.chain(mbr).max().unwrap_or(0).saturating_mul(BLOCK)
    }

    /// Whether a partition begins where or after the volume ends.
    pub(super) fn has_more_than(&self, volume: u64) -> bool {
        let gpt = self
            .gpt
            .iter()
            .flat_map(Gpt::partitions)
            .map(|(start, _)| start);
        let starts = gpt.chain(self.mbr_partitions().map(|(start, _)| start));
        starts
            .into_iter()
            .any(|start| start.saturating_mul(BLOCK) >= volume)
    }

    /// Start and length in blocks.
    fn mbr_partitions(&self) -> impl Iterator<Item = (u64, u64)> {
        let entries = self.mbr.as_deref().and_then(|mbr| mbr.get(446..510));
        entries
            .unwrap_or_default()
            .chunks_exact(16)
            .filter_map(|entry| {
                let (start, length) = (u32_at(entry, 8)?, u32_at(entry, 12)?);
                (length > 0).then_some((u64::from(start), u64::from(length)))
            })
    }

    /// The tables for a volume that now has `new` bytes, and the size of the image.
    pub(super) fn grown(&self, new: u64, cylinder: u64) -> (Vec<Region>, u64) {
        let Some(mbr) = &self.mbr else {
            return (Vec::new(), new);
        };
        let backup = self
            .gpt
            .as_ref()
            .map_or(0, |gpt| (gpt.array_blocks() + 1) * BLOCK);
        let size = (new + backup).next_multiple_of(cylinder);
        let blocks = size / BLOCK;
        let mut regions = vec![Region {
            offset: 0,
            contents: grown_mbr(mbr, blocks),
        }];
        if let Some(gpt) = &self.gpt {
            regions.extend(gpt.grown(new / BLOCK, blocks));
        }
        (regions, size)
    }
}

fn grown_mbr(mbr: &[u8], blocks: u64) -> Vec<u8> {
    let mut mbr = mbr.to_vec();
    let entries = mbr.get_mut(446..510).unwrap_or_default();
    for entry in entries.chunks_exact_mut(16) {
        let (Some(start), Some(length)) = (u32_at(entry, 8), u32_at(entry, 12)) else {
            continue;
        };
        let start = u64::from(start);
        if length > 0 && start <= COVERS {
            let length = u32::try_from(blocks - start).unwrap_or(u32::MAX);
            put(entry, 12, &length.to_le_bytes());
        }
    }
    mbr
}

/// The header's checksum, which counts itself as zero.
fn checksum(header: &[u8]) -> u32 {
    let mut own = header.get(..HEADER).unwrap_or_default().to_vec();
    put(&mut own, 16, &[0; 4]);
    crc32(&own)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?))
}
