//! What is on a disk: its partition table and the signatures of filesystems, RAID, LVM and swap.
//!
//! GPT is parsed by gptman, after our own look at the header (gptman trusts the entry count of a hostile header); MBR by us.
//! A disk counts as GPT when a valid primary or backup header is there and the MBR, if any, has a 0xEE entry. That is the kernel's
//! view, except that a GPT without any MBR counts too, because it is what an erased first sector leaves.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::device::Device;
use super::error::DiskError;

mod magic;

pub use magic::Signature;
pub(super) use magic::probe;

/// The head of a disk that is looked at for the MBR and both possible places of the primary header.
const HEAD: usize = 8192;
/// More entries than this is no table of a real disk (128 is the rule, 4096 was seen).
const MAX_ENTRIES: u32 = 4096;

/// What is on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The partition table.
    pub table: Table,
    /// A filesystem, RAID or LVM signature of the disk as a whole.
    pub signature: Option<Signature>,
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
        _ => gpt(disk, size, sector)?,
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

fn gpt<R: Read + Seek>(disk: &mut R, size: u64, sector: u32) -> io::Result<Table> {
    let sector_bytes = u64::from(sector);
    let last = (size / sector_bytes).saturating_sub(1) * sector_bytes;
    let primary = header(disk, sector_bytes)?;
    let backup = header(disk, last)?;
    match (&primary, &backup) {
        (None, None) => return Ok(Table::None),
        (p, b) if [p, b].iter().any(|h| matches!(h, Some(Err(_)))) => {
            let reason = p.clone().and_then(Result::err);
            let reason = reason.or_else(|| b.clone().and_then(Result::err));
            return Ok(Table::Broken(reason.unwrap_or_default()));
        }
        _ => {}
    }
    let parsed = match gptman::GPT::read_from(disk, sector_bytes) {
        Ok(parsed) => parsed,
        Err(reason) => return Ok(Table::Broken(format!("GPT with {reason}"))),
    };
    Ok(match sound(&parsed, size) {
        Ok(mut gpt) => {
            gpt.repairs = repairs(&parsed, last / sector_bytes, backup.is_some());
            Table::Gpt(gpt)
        }
        Err(reason) => Table::Broken(reason),
    })
}

/// Looks at a header before gptman allocates what it asks for. `None`: no signature; `Some(Err)`: nothing we can rewrite safely.
fn header<R: Read + Seek>(disk: &mut R, offset: u64) -> io::Result<Option<Result<(), String>>> {
    let bytes = read_at(disk, offset, 92)?;
    if bytes.get(..8) != Some(b"EFI PART") {
        return Ok(None);
    }
    let (count, entry) = (le32(&bytes, 80), le32(&bytes, 84));
    Ok(Some(match (count, entry) {
        (Some(1..=MAX_ENTRIES), Some(128)) => Ok(()),
        (Some(count), Some(entry)) => Err(format!("GPT with {count} entries of {entry} bytes")),
        _ => Err("GPT header cut short".to_owned()),
    }))
}

fn repairs(parsed: &gptman::GPT, last_lba: u64, backup_there: bool) -> Vec<String> {
    if parsed.is_backup() {
        return vec!["the primary table is damaged; the backup is used".to_owned()];
    }
    if parsed.header.backup_lba != last_lba {
        return vec!["the disk grew; the backup table moves to its end".to_owned()];
    }
    if !backup_there {
        return vec!["the backup table is missing".to_owned()];
    }
    Vec::new()
}

/// Checks what gptman does not: that the table can be written back with every entry as it is.
fn sound(parsed: &gptman::GPT, size: u64) -> Result<Gpt, String> {
    let header = &parsed.header;
    let sector = parsed.sector_size;
    let entry_bytes = u64::from(header.number_of_partition_entries) * 128;
    let array_bytes = entry_bytes.div_ceil(sector) * sector;
    if parsed.is_primary() && header.partition_entry_lba != 2 {
        return Err("GPT with its entries in an unusual place".to_owned());
    }
    let end_usable_bytes = (size / sector * sector)
        .checked_sub(array_bytes + sector)
        .ok_or("GPT on a disk too small for it")?;
    let first_usable_bytes = header
        .first_usable_lba
        .checked_mul(sector)
        .filter(|f| *f >= 2 * sector + array_bytes && *f < end_usable_bytes)
        .ok_or("GPT with an impossible first usable sector")?;
    let partitions = partitions(parsed, first_usable_bytes, end_usable_bytes)?;
    Ok(Gpt {
        guid: Uuid::from_bytes_le(header.disk_guid),
        entries: header.number_of_partition_entries,
        first_usable_bytes,
        end_usable_bytes,
        partitions,
        repairs: Vec::new(),
    })
}

fn partitions(parsed: &gptman::GPT, first: u64, end: u64) -> Result<Vec<Partition>, String> {
    let mut found = Vec::new();
    for (number, entry) in parsed.iter().filter(|(_, e)| e.is_used()) {
        let start = entry.starting_lba.checked_mul(parsed.sector_size);
        let sectors = entry.ending_lba.checked_add(1);
        let size = sectors
            .and_then(|e| e.checked_sub(entry.starting_lba))
            .and_then(|s| s.checked_mul(parsed.sector_size));
        let inside = |start: u64, size: u64| {
            start >= first && size > 0 && start.checked_add(size).is_some_and(|e| e <= end)
        };
        let (Some(start_bytes), Some(size_bytes)) = (start, size) else {
            return Err(format!("GPT whose partition {number} has no sense"));
        };
        if !inside(start_bytes, size_bytes) {
            return Err(format!(
                "GPT whose partition {number} is outside of the disk"
            ));
        }
        found.push(Partition {
            number,
            start_bytes,
            size_bytes,
            kind: upper(entry.partition_type_guid),
            guid: Some(Uuid::from_bytes_le(entry.unique_partition_guid)),
            label: entry.partition_name.as_str().to_owned(),
            content: None,
        });
    }
    let mut by_start: Vec<&Partition> = found.iter().collect();
    by_start.sort_by_key(|p| p.start_bytes);
    for (a, b) in by_start.iter().zip(by_start.iter().skip(1)) {
        if a.end_bytes() > b.start_bytes {
            return Err(format!(
                "GPT whose partitions {} and {} overlap",
                a.number, b.number
            ));
        }
    }
    let mut guids: Vec<_> = found.iter().map(|p| (p.guid, p.number)).collect();
    guids.sort_unstable();
    for (a, b) in guids.iter().zip(guids.iter().skip(1)) {
        if a.0 == b.0 {
            return Err(format!(
                "GPT whose partitions {} and {} have one GUID",
                a.1, b.1
            ));
        }
    }
    Ok(found)
}

fn upper(guid: [u8; 16]) -> String {
    Uuid::from_bytes_le(guid).to_string().to_uppercase()
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}
