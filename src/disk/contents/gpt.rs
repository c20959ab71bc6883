//! Reads a GPT (UEFI 2.10 section 5.3), hostile bytes included.
//!
//! gptman writes our tables, but does not read foreign ones: it multiplies and indexes by what a header says, and panics on a partition
//! at sector 0. Only a table that passes here is handed to it.
//!
//! | header offset | size | field |
//! |---|---|---|
//! | 0 | 8 | `EFI PART` |
//! | 8, 12 | 4, 4 | revision 1.0, header size 92 |
//! | 16 | 4 | CRC-32 of the header with this field zero |
//! | 24, 32 | 8, 8 | own LBA, other header's LBA |
//! | 40, 48 | 8, 8 | first and last usable LBA |
//! | 56 | 16 | disk GUID, mixed-endian |
//! | 72, 80, 84, 88 | 8, 4, 4, 4 | entries: LBA, count, size, CRC-32 |

use std::io::{self, Read, Seek};

use uuid::Uuid;

use super::{Gpt, Partition, Table, le32, read_at};

const HEADER_BYTES: usize = 92;
const ENTRY_BYTES: usize = 128;
/// More entries than this is no table of a real disk (128 is the rule, 4096 was seen).
const MAX_ENTRIES: u32 = 4096;

/// What is at a place where a header belongs.
enum Found {
    Nothing,
    Bad(String),
    Good(Raw),
}

/// A header and its entries, checksums right.
struct Raw {
    first_usable: u64,
    other_lba: u64,
    entries_lba: u64,
    count: u32,
    guid: Uuid,
    entries: Vec<u8>,
}

/// Reads the table of a disk of `size` bytes.
pub(super) fn read<R: Read + Seek>(disk: &mut R, size: u64, sector: u32) -> io::Result<Table> {
    let sector = u64::from(sector);
    let last = (size / sector).saturating_sub(1);
    let primary = look(disk, 1, last, sector)?;
    let backup = look(disk, last, last, sector)?;
    let (raw, repairs) = match (primary, backup) {
        (Found::Good(primary), backup) => {
            let repairs = repairs(&primary, &backup, last);
            (primary, repairs)
        }
        (Found::Nothing, Found::Nothing) => return Ok(Table::None),
        (_, Found::Good(backup)) => {
            let note = "the primary table is damaged; the backup is used";
            (backup, vec![note.to_owned()])
        }
        (Found::Bad(reason), _) | (_, Found::Bad(reason)) => return Ok(Table::Broken(reason)),
    };
    Ok(match sound(&raw, size, sector) {
        Ok(gpt) => Table::Gpt(Gpt { repairs, ..gpt }),
        Err(reason) => Table::Broken(reason),
    })
}

fn repairs(primary: &Raw, backup: &Found, last: u64) -> Vec<String> {
    let note = match backup {
        _ if primary.other_lba != last => "the disk grew; the backup table moves to its end",
        Found::Good(backup) if backup.entries == primary.entries => return Vec::new(),
        Found::Good(_) => "the backup table is outdated",
        Found::Bad(_) | Found::Nothing => "the backup table is damaged",
    };
    vec![note.to_owned()]
}

fn look<R: Read + Seek>(disk: &mut R, lba: u64, last: u64, sector: u64) -> io::Result<Found> {
    let header = read_at(disk, lba.saturating_mul(sector), HEADER_BYTES)?;
    if header.get(..8) != Some(b"EFI PART") {
        return Ok(Found::Nothing);
    }
    let Some(mut raw) = parse(&header) else {
        return Ok(Found::Bad("GPT header of an unknown form".to_owned()));
    };
    let own = le64(&header, 24);
    if crc_without(&header, 16) != le32(&header, 16) || own != Some(lba) {
        return Ok(Found::Bad(
            "GPT header with a wrong checksum or place".to_owned(),
        ));
    }
    if raw.entries_lba > last {
        return Ok(Found::Bad(
            "GPT whose entries are outside of the disk".to_owned(),
        ));
    }
    let bytes = raw.count as usize * ENTRY_BYTES;
    raw.entries = read_at(disk, raw.entries_lba * sector, bytes)?;
    if raw.entries.len() != bytes || Some(crc(&raw.entries)) != le32(&header, 88) {
        return Ok(Found::Bad(
            "GPT whose entries have a wrong checksum".to_owned(),
        ));
    }
    Ok(Found::Good(raw))
}

/// `None`: another revision, or sizes that our writer does not keep.
fn parse(header: &[u8]) -> Option<Raw> {
    let (count, entry_bytes) = (le32(header, 80)?, le32(header, 84)?);
    let known = le32(header, 8)? == 0x0001_0000 && le32(header, 12)? as usize == HEADER_BYTES;
    if !known || entry_bytes as usize != ENTRY_BYTES || !(1..=MAX_ENTRIES).contains(&count) {
        return None;
    }
    Some(Raw {
        first_usable: le64(header, 40)?,
        other_lba: le64(header, 32)?,
        entries_lba: le64(header, 72)?,
        count,
        guid: guid(header.get(56..72)?)?,
        entries: Vec::new(),
    })
}

/// Checks that the table can be written back with every entry as it is.
fn sound(raw: &Raw, size: u64, sector: u64) -> Result<Gpt, String> {
    let array_bytes = (raw.entries.len() as u64).next_multiple_of(sector);
    let least = 2 * sector + array_bytes;
    let end_usable_bytes = (size / sector * sector).saturating_sub(array_bytes + sector);
    let first_usable_bytes = raw.first_usable.saturating_mul(sector);
    if first_usable_bytes < least || first_usable_bytes >= end_usable_bytes {
        return Err("GPT with an impossible first usable sector".to_owned());
    }
    // The backup's entries lie before it; the primary's at sector 2, where our writer puts them.
    if raw.other_lba != 1 && raw.entries_lba != 2 {
        return Err("GPT with its entries in an unusual place".to_owned());
    }
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(raw.entries.chunks_exact(ENTRY_BYTES)) {
        if entry
            .get(..16)
            .is_some_and(|kind| kind.iter().any(|b| *b != 0))
        {
            let partition = partition(number, entry, sector);
            let inside = |p: &Partition| {
                p.start_bytes >= first_usable_bytes && p.end_bytes() <= end_usable_bytes
            };
            let partition = partition.filter(inside);
            let outside = || format!("GPT whose partition {number} is outside of the disk");
            partitions.push(partition.ok_or_else(outside)?);
        }
    }
    distinct(&partitions)?;
    Ok(Gpt {
        guid: raw.guid,
        entries: raw.count,
        first_usable_bytes,
        end_usable_bytes,
        partitions,
        repairs: Vec::new(),
    })
}

fn partition(number: u32, entry: &[u8], sector: u64) -> Option<Partition> {
    let (first, last) = (le64(entry, 32)?, le64(entry, 40)?);
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    let (name, _) = entry.get(56..128)?.as_chunks::<2>();
    let name = name.iter().map(|unit| u16::from_le_bytes(*unit));
    let name: Vec<u16> = name.take_while(|unit| *unit != 0).collect();
    Some(Partition {
        number,
        start_bytes: first.checked_mul(sector)?,
        size_bytes: sectors.checked_mul(sector)?,
        kind: guid(entry.get(..16)?)?.to_string().to_uppercase(),
        guid: Some(guid(entry.get(16..32)?)?),
        label: String::from_utf16_lossy(&name),
        content: None,
    })
}

/// No two partitions overlap or share a GUID: our writer, rightly, refuses both.
fn distinct(partitions: &[Partition]) -> Result<(), String> {
    let mut sorted: Vec<&Partition> = partitions.iter().collect();
    sorted.sort_by_key(|p| p.start_bytes);
    for pair in sorted.windows(2) {
        if let [a, b] = pair
            && a.end_bytes() > b.start_bytes
        {
            let (a, b) = (a.number, b.number);
            return Err(format!("GPT whose partitions {a} and {b} overlap"));
        }
    }
    sorted.sort_by_key(|p| (p.guid, p.number));
    for pair in sorted.windows(2) {
        if let [a, b] = pair
            && a.guid == b.guid
        {
            let (a, b) = (a.number, b.number);
            return Err(format!("GPT whose partitions {a} and {b} have one GUID"));
        }
    }
    Ok(())
}

fn guid(bytes: &[u8]) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(bytes.try_into().ok()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The CRC with the four bytes at `at` taken as zero.
fn crc_without(bytes: &[u8], at: usize) -> Option<u32> {
    let mut bytes = bytes.to_vec();
    bytes.get_mut(at..at.checked_add(4)?)?.fill(0);
    Some(crc(&bytes))
}
