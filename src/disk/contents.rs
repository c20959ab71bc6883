//! What is on a disk: its partition table and the signatures of filesystems, RAID, LVM and swap.
//!
//! A disk counts as GPT when a valid primary or backup header is there and the MBR, if any, has a 0xEE entry. That is the kernel's
//! view, except that a GPT without any MBR counts too, because it is what an erased first sector leaves.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::device::Device;
use super::error::DiskError;
use super::plan::UNFINISHED;

mod gpt;
mod magic;

pub use magic::Signature;
pub(super) use magic::probe;

/// The head of a disk that is looked at for the MBR and both possible places of the primary header.
const HEAD: usize = 8192;
/// What is on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The partition table.
    pub table: Table,
    /// A filesystem, RAID or LVM signature of the disk as a whole.
    pub signature: Option<Signature>,
}

impl Contents {
    /// The partitions of either sort of table, sorted by number.
    pub fn partitions(&self) -> &[Partition] {
        match &self.table {
            Table::Gpt(gpt) => &gpt.partitions,
            Table::Mbr(partitions) => partitions,
            Table::None | Table::Broken(_) => &[],
        }
    }
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// None.
    None,
    /// GPT.
    Gpt(Gpt),
    /// MBR, primary partitions only.
    Mbr(Vec<Partition>),
    /// A GPT that cannot be trusted, and why.
    Broken(String),
}

/// A sound GPT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpt {
    /// The disk's GUID.
    #[serde(serialize_with = "super::as_text")]
    pub guid: Uuid,
    /// How many partitions the table can hold.
    pub entries: u32,
    /// Where partitions may begin.
    pub first_usable_bytes: u64,
    /// Where the last partition must end (exclusive), once the backup table is at the end of the disk.
    pub end_usable_bytes: u64,
    /// The used entries, sorted by number.
    pub partitions: Vec<Partition>,
    /// What writing the table will repair: a backup header that is not at the end, a damaged primary.
    pub repairs: Vec<String>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins.
    pub start_bytes: u64,
    /// Its size.
    pub size_bytes: u64,
    /// GPT: type GUID in upper case; MBR: `0x83`.
    pub kind: String,
    /// GPT: its GUID.
    #[serde(serialize_with = "super::as_text_if_any")]
    pub guid: Option<Uuid>,
    /// GPT: its name.
    pub label: String,
    /// What is in it.
    pub content: Option<Signature>,
}

impl Partition {
    /// Where it ends (exclusive).
    pub fn end_bytes(&self) -> u64 {
        self.start_bytes.saturating_add(self.size_bytes)
    }

    /// Whether an earlier run was stopped before it was formatted; the next one takes its place.
    pub fn is_unfinished(&self) -> bool {
        self.label == UNFINISHED
    }
}

/// Reads what is on a device; writes nothing.
///
/// # Errors
/// No permission, or the device cannot be read.
pub fn read(device: &Device) -> Result<Contents, DiskError> {
    let mut file = fs_err::File::open(&device.path).map_err(DiskError::io("open", &device.path))?;
    read_from(&mut file, device.size_bytes, device.sector_bytes)
        .map_err(DiskError::io("read", &device.path))
}

pub(super) fn read_from<R: Read + Seek>(
    disk: &mut R,
    size: u64,
    sector: u32,
) -> io::Result<Contents> {
    let head = read_at(disk, 0, HEAD)?;
    let signature = probe(disk, 0, size)?;
    let mbr = mbr(&head, sector).filter(|_| signature.as_ref().is_none_or(|s| !s.is_fat()));
    let protective = mbr
        .as_ref()
        .is_none_or(|entries| entries.is_empty() || entries.iter().any(|e| e.kind == "0xEE"));
    let mut table = match mbr {
        Some(entries) if !protective => Table::Mbr(entries),
        _ => gpt::read(disk, size, sector)?,
    };
    if let Table::Mbr(partitions) | Table::Gpt(Gpt { partitions, .. }) = &mut table {
        for partition in partitions.iter_mut().filter(|p| p.end_bytes() <= size) {
            partition.content = probe(disk, partition.start_bytes, partition.size_bytes)?;
        }
    }
    Ok(Contents { table, signature })
}

/// The sector size that an image file's own GPT implies: 4096 when its primary header is there, else 512.
pub(super) fn image_sector(path: &Path) -> Result<u32, DiskError> {
    let mut file = fs_err::File::open(path).map_err(DiskError::io("open", path))?;
    let head = read_at(&mut file, 0, HEAD).map_err(DiskError::io("read", path))?;
    let signed_at = |at: usize| head.get(at..at + 8) == Some(b"EFI PART");
    Ok(if signed_at(4096) && !signed_at(512) {
        4096
    } else {
        512
    })
}

/// Up to `length` bytes from `offset`; fewer at the end of the disk.
pub(super) fn read_at<R: Read + Seek>(
    disk: &mut R,
    offset: u64,
    length: usize,
) -> io::Result<Vec<u8>> {
    disk.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length);
    disk.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The used entries of an MBR; `None` without one.
fn mbr(head: &[u8], sector: u32) -> Option<Vec<Partition>> {
    if head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let mut found = Vec::new();
    for (number, entry) in (1..).zip(head.get(446..510)?.chunks_exact(16)) {
        let (kind, start, length) = (*entry.get(4)?, le32(entry, 8)?, le32(entry, 12)?);
        if kind != 0 && length != 0 {
            found.push(Partition {
                number,
                start_bytes: u64::from(start) * u64::from(sector),
                size_bytes: u64::from(length) * u64::from(sector),
                kind: format!("0x{kind:02X}"),
                guid: None,
                label: String::new(),
                content: None,
            });
        }
    }
    Some(found)
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests;
