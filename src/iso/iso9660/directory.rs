//! Directory records (ECMA-119 9.1).

use super::{Extent, Lba, SECTOR, le32};
use crate::iso::error::IsoError;

const FLAG_DIRECTORY: u8 = 1 << 1;
/// The file goes on in the next record.
const FLAG_CONTINUES: u8 = 1 << 7;
/// Everything before the name.
const FIXED: usize = 33;

/// One record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Absolute byte offset.
    pub at: u64,
    pub extent: Extent,
    pub is_dir: bool,
    pub continues: bool,
    /// As on the medium.
    pub name: &'a [u8],
    /// The system use field, where Rock Ridge lives.
    pub system_use: &'a [u8],
}

impl Record<'_> {
    /// `.` and `..`
    pub(super) fn is_self_or_parent(&self) -> bool {
        matches!(self.name, [0 | 1])
    }
}

/// The records of a directory whose bytes begin at the absolute offset `base`.
pub(super) fn records(
    bytes: &[u8],
    base: u64,
) -> impl Iterator<Item = Result<Record<'_>, IsoError>> {
    let mut position = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let length = usize::from(*bytes.get(position)?);
            let at = base + position as u64;
            if length == 0 {
                // A record never crosses a sector: the rest of this one is empty.
                position = next_sector(position)?;
                continue;
            }
            let record = bytes.get(position..position + length);
            position += length;
            let parsed = record.and_then(|record| parse(record, at));
            if parsed.is_none() {
                // Nothing after a wrong record can be trusted.
                position = usize::MAX;
            }
            return Some(parsed.ok_or(IsoError::NotIso {
                offset: at,
                reason: "a directory record is wrong",
            }));
        }
    })
}

fn next_sector(position: usize) -> Option<usize> {
    let sector = usize::try_from(SECTOR).ok()?;
    (position / sector).checked_add(1)?.checked_mul(sector)
}

fn parse(record: &[u8], at: u64) -> Option<Record<'_>> {
    let flags = *record.get(25)?;
    let name_length = usize::from(*record.get(32)?);
    let name = record.get(FIXED..FIXED + name_length)?;
    // The system use field begins at an even offset.
    let used = FIXED + name_length + usize::from(name_length.is_multiple_of(2));
    Some(Record {
        at,
        extent: Extent {
            lba: Lba(le32(record, 2)?),
            length: le32(record, 10)?,
        },
        is_dir: flags & FLAG_DIRECTORY != 0,
        continues: flags & FLAG_CONTINUES != 0,
        name,
        system_use: record.get(used..).unwrap_or_default(),
    })
}
