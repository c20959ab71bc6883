//! The three ways in which a file is named: Rock Ridge (IEEE P1282 over SUSP), Joliet (UCS-2BE), plain (8.3, upper case).

use super::directory::{self, Record};
use super::{Extent, SECTOR, le32};
use crate::iso::error::IsoError;
use crate::iso::source::{ReadAt, read};

/// Continuation areas that one record may chain.
const MAX_CONTINUATIONS: usize = 8;
const MAX_CONTINUATION: u64 = SECTOR;

/// How names of a tree are read and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `skip` bytes of each system use field belong to someone else.
    RockRidge {
        skip: u8,
    },
    Joliet,
    Plain,
}

/// Finds out whether the primary tree has Rock Ridge: `SP` in the `.` record of the root says so.
pub(super) fn of_primary(source: &dyn ReadAt, root: Extent) -> Result<Naming, IsoError> {
    let base = root.lba.offset();
    let bytes = read(source, base, u64::from(root.length).min(SECTOR))?;
    let Some(first) = directory::records(&bytes, base).next().transpose()? else {
        return Ok(Naming::Plain);
    };
    Ok(match first.system_use {
        [b'S', b'P', 7, 1, 0xbe, 0xef, skip, ..] => Naming::RockRidge { skip: *skip },
        _ => Naming::Plain,
    })
}

impl Naming {
    /// Lower is better.
    pub(super) fn preference(self) -> u8 {
        match self {
            Self::RockRidge { .. } => 0,
            Self::Joliet => 1,
            Self::Plain => 2,
        }
    }

    /// The name of a record.
    pub(super) fn name(self, source: &dyn ReadAt, record: &Record<'_>) -> Result<String, IsoError> {
        match self {
            Self::RockRidge { skip } => Ok(rock_ridge(source, record.system_use, skip)?
                .unwrap_or_else(|| plain(&String::from_utf8_lossy(record.name)))),
            Self::Joliet => Ok(plain(&ucs2(record.name))),
            Self::Plain => Ok(plain(&String::from_utf8_lossy(record.name))),
        }
    }

    /// Whether a name on the medium is the asked one.
    pub(super) fn matches(self, name: &str, wanted: &str) -> bool {
        match self {
            Self::RockRidge { .. } | Self::Joliet => name == wanted,
            Self::Plain => name.eq_ignore_ascii_case(wanted) || name == short(wanted),
        }
    }
}

/// Without the version, and without the dot of a name that has no extension.
fn plain(name: &str) -> String {
    let name = name.strip_suffix(";1").unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

/// A name as mkisofs writes it at level 1: `igninfo.json` → `IGNINFO.JSO`.
fn short(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let cut = |part: &str, max: usize| -> String { part.chars().take(max).map(legal).collect() };
    let upper = name.to_ascii_uppercase();
    match upper.rsplit_once('.') {
        Some((stem, extension)) => format!("{}.{}", cut(stem, 8), cut(extension, 3)),
        None => cut(&upper, 8),
    }
}

fn ucs2(name: &[u8]) -> String {
    let (pairs, _) = name.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

/// The `NM` entries of a system use field, joined; none when there are none.
fn rock_ridge(
    source: &dyn ReadAt,
    system_use: &[u8],
    skip: u8,
) -> Result<Option<String>, IsoError> {
    let mut name: Option<Vec<u8>> = None;
    let mut area = system_use
        .get(usize::from(skip)..)
        .unwrap_or_default()
        .to_vec();
    for _ in 0..MAX_CONTINUATIONS {
        let Some((at, length)) = one_area(&area, &mut name) else {
            break;
        };
        area = read(source, at, length)?;
    }
    Ok(name.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Collects `NM` of one area; returns where it continues.
fn one_area(mut area: &[u8], name: &mut Option<Vec<u8>>) -> Option<(u64, u64)> {
    let mut next = None;
    while let [a, b, length, _version, ..] = area {
        let length = usize::from(*length);
        let (Some(entry), Some(rest)) = (area.get(4..length), area.get(length..)) else {
            break;
        };
        match (&[*a, *b], entry) {
            // Flags 2 and 4 stand for `.` and `..`, which have no name of their own.
            (b"NM", [flags, part @ ..]) if flags & 6 == 0 => {
                name.get_or_insert_default().extend(part);
            }
            (b"CE", _) => next = continuation(entry),
            (b"ST", _) => break,
            _ => {}
        }
        area = rest;
    }
    next
}

fn continuation(entry: &[u8]) -> Option<(u64, u64)> {
    let at = u64::from(le32(entry, 0)?) * SECTOR + u64::from(le32(entry, 8)?);
    let length = u64::from(le32(entry, 16)?);
    (length <= MAX_CONTINUATION).then_some((at, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        for (long, expected) in [
            ("igninfo.json", "IGNINFO.JSO"),
            ("kargs.json", "KARGS.JSO"),
            ("fedora", "FEDORA"),
            ("a-very-long-name.tar.gz", "A_VERY_L.GZ"),
        ] {
            assert_eq!(short(long), expected);
        }
        assert_eq!(plain("FILE.;1"), "FILE");
        assert_eq!(plain("GRUB.CFG;1"), "GRUB.CFG");
    }

    #[test]
    fn names_continue() {
        let mut medium = vec![0; 4096];
        medium[2100..2109].copy_from_slice(b"NM\x09\x01\x00tail");
        let mut area = b"NM\x0a\x01\x01head-CE\x1c\x01".to_vec();
        for number in [1_u32, 52, 9] {
            area.extend(number.to_le_bytes());
            area.extend(number.to_be_bytes());
        }
        let name = rock_ridge(&medium.as_slice(), &area, 0).unwrap();
        assert_eq!(name.as_deref(), Some("head-tail"));
        // A continuation that points at itself ends.
        let mut looping = b"NM\x06\x01\x00xCE\x1c\x01".to_vec();
        for number in [0_u32, 0, 34] {
            looping.extend(number.to_le_bytes());
            looping.extend(number.to_be_bytes());
        }
        let name = rock_ridge(&looping.as_slice(), &looping, 0).unwrap();
        assert_eq!(name.as_deref(), Some("xxxxxxxx"));
    }
}
