//! The undo record: what the bytes were before an ISO was grown.
//!
//! ```text
//! @0 "SNOFORGE UNDO 1\n"   @16 bytes of the pristine ISO   @24 bytes of its embed area   @32 length of the record   @40 regions
//! @44.. per region: offset (u64), length (u32), bytes       last 4 bytes: CRC32 of everything before
//! ```
//! All numbers little endian; the record begins right after the area and is padded to sectors with NULs before its CRC32.

use crate::iso::error::IsoError;
use crate::iso::iso9660::SECTOR;
use crate::iso::region::Region;
use crate::iso::source::{ReadAt, read};

const MAGIC: &[u8; 16] = b"SNOFORGE UNDO 1\n";
/// Two GPTs, an MBR and some directory records are 34 KiB.
const MAX_RECORD: u64 = 1 << 20;

/// How to make the pristine ISO again.
#[derive(Debug)]
pub(in crate::iso) struct Undo {
    /// The bytes that were changed.
    pub regions: Vec<Region>,
    /// Bytes of the ISO.
    pub size: u64,
    /// Bytes of its embed area.
    pub capacity: u64,
}

/// The record for regions that are about to be written; those behind the old end have no past.
pub(super) fn record(
    source: &dyn ReadAt,
    regions: &[Region],
    size: u64,
    capacity: u64,
) -> Result<Vec<u8>, IsoError> {
    let mut body = Vec::new();
    let mut count = 0_u32;
    for region in regions.iter().filter(|r| r.offset < size) {
        let length = region.contents.len();
        body.extend(region.offset.to_le_bytes());
        body.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(read(source, region.offset, length as u64)?);
        count += 1;
    }
    let length = (44 + body.len() as u64 + 4).next_multiple_of(SECTOR);
    let mut record = MAGIC.to_vec();
    for number in [size, capacity, length] {
        record.extend(number.to_le_bytes());
    }
    record.extend(count.to_le_bytes());
    record.extend(body);
    record.resize(usize::try_from(length - 4).unwrap_or(0), 0);
    let crc = crc32(&record);
    record.extend(crc.to_le_bytes());
    Ok(record)
}

/// The record at `offset`, if one is there.
pub(super) fn find(source: &dyn ReadAt, offset: u64) -> Result<Option<Undo>, IsoError> {
    if offset.saturating_add(SECTOR) > source.size() {
        return Ok(None);
    }
    let head = read(source, offset, SECTOR)?;
    let Some(length) = head.strip_prefix(MAGIC).and_then(|h| u64_at(h, 16)) else {
        return Ok(None);
    };
    let fits = offset
        .checked_add(length)
        .is_some_and(|end| end <= source.size());
    if !fits || !(SECTOR..=MAX_RECORD).contains(&length) {
        return Ok(None);
    }
    Ok(parse(&read(source, offset, length)?)
        .filter(|undo| undo.size <= offset && undo.regions.iter().all(|r| r.end() <= undo.size)))
}

fn parse(record: &[u8]) -> Option<Undo> {
    let (body, crc) = record.split_last_chunk::<4>()?;
    if crc32(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let body = body.strip_prefix(MAGIC)?;
    let (size, capacity) = (u64_at(body, 0)?, u64_at(body, 8)?);
    let (count, mut rest) = body.get(24..)?.split_first_chunk::<4>()?;
    let mut regions = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let offset = u64_at(rest, 0)?;
        let (length, tail) = rest.get(8..)?.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        regions.push(Region {
            offset,
            contents: tail.get(..length)?.to_vec(),
        });
        rest = tail.get(length..)?;
    }
    Some(Undo {
        regions,
        size,
        capacity,
    })
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*eight))
}

pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
