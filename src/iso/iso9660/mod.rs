//! ISO 9660 (ECMA-119) as a live ISO uses it: volume descriptors, directories, Rock Ridge and Joliet names. Read only.
//!
//! ```text
//! sector 16..  volume descriptors, type 255 ends them
//!   @0 type (1 primary, 2 supplementary)   @1 "CD001"   @40 volume id (32)   @80 blocks (u32 LE, BE)
//!   @88 escape sequence (Joliet: %/@ %/C %/E)   @156 root directory record (34)
//! directory record
//!   @0 length   @2 extent LBA (u32 LE, BE)   @10 data length (u32 LE, BE)   @25 flags   @32 name length   @33 name, system use
//! ```
//!
//! Terms: a *tree* is one directory hierarchy (primary, Joliet) over the same files; an *extent* is where a file's bytes are.
//!
//! Invariants: nothing is believed, every length is checked against the medium; a cyclic tree ends a walk with an error.
//! coreos-installer looks in the primary tree for upper-case 8.3 names only; we prefer Rock Ridge, then Joliet, then plain names, so
//! that a re-authored ISO is still recognised.

mod directory;
mod names;

use std::collections::BTreeSet;

use super::error::IsoError;
use super::source::{ReadAt, compression, read};
use directory::Record;
use names::Naming;

/// Bytes of a sector; the unit of every address.
pub const SECTOR: u64 = 2048;
/// The first 16 sectors are the system area: MBR, GPT, legacy headers.
const FIRST_DESCRIPTOR: u64 = 16;
/// Real media have 3 to 5.
const MAX_DESCRIPTORS: u64 = 64;
/// A directory of 16 MiB has 100,000 entries.
const MAX_DIRECTORY: u32 = 16 << 20;
const MAX_ENTRIES: usize = 1 << 20;
/// `PATH_MAX`
const MAX_PATH: usize = 4096;

/// A sector address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Lba(pub u32);

impl Lba {
    /// The byte that the sector begins at.
    pub fn offset(self) -> u64 {
        u64::from(self.0) * SECTOR
    }
}

/// Where a file's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Extent {
    /// First sector.
    pub lba: Lba,
    /// Bytes.
    pub length: u32,
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its own name.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// At least one; several only for a file above 4 GiB.
    pub extents: Vec<Extent>,
    /// Absolute byte offset of its (first) directory record.
    pub record_at: u64,
}

impl Entry {
    /// The extent, when there is exactly one.
    pub fn extent(&self) -> Option<Extent> {
        match self.extents.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.extents.iter().map(|e| u64::from(e.length)).sum()
    }
}

/// One directory hierarchy.
#[derive(Debug)]
pub struct Tree {
    /// Absolute byte offset of its volume descriptor.
    pub descriptor_at: u64,
    naming: Naming,
    root: Extent,
}

/// An ISO 9660 volume.
#[derive(Debug)]
pub struct Volume {
    /// The volume id; the live system finds its medium by it.
    pub id: String,
    /// The system id.
    pub system_id: String,
    /// Sectors of the volume.
    pub blocks: u32,
    /// Primary first.
    trees: Vec<Tree>,
}

impl Volume {
    /// Reads the volume descriptors.
    ///
    /// # Errors
    /// [`IsoError::Compressed`], [`IsoError::NotIso`], [`IsoError::Incomplete`], or a read fails.
    pub fn open(source: &dyn ReadAt) -> Result<Self, IsoError> {
        let mut volume = None;
        for index in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + MAX_DESCRIPTORS {
            let at = index * SECTOR;
            let sector = descriptor(source, at)?;
            match sector.first().copied() {
                Some(255) => return complete(source, volume),
                Some(1) if volume.is_none() => volume = Some(Self::primary(source, at, &sector)?),
                Some(2) => {
                    if let Some(volume) = &mut volume {
                        volume.trees.extend(supplementary(at, &sector));
                    }
                }
                _ => {}
            }
        }
        Err(IsoError::NotIso {
            offset: (FIRST_DESCRIPTOR + MAX_DESCRIPTORS) * SECTOR,
            reason: "the volume descriptors do not end",
        })
    }

    fn primary(source: &dyn ReadAt, at: u64, sector: &[u8]) -> Result<Self, IsoError> {
        let bad = |reason| IsoError::NotIso { offset: at, reason };
        let root = root(sector).ok_or_else(|| bad("the root directory record is wrong"))?;
        let text = |from: usize| {
            let bytes = sector.get(from..from + 32).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes);
            text.trim_end_matches([' ', '\0']).to_owned()
        };
        Ok(Self {
            id: text(40),
            system_id: text(8),
            blocks: le32(sector, 80).ok_or_else(|| bad("the volume has no size"))?,
            trees: vec![Tree {
                descriptor_at: at,
                naming: names::of_primary(source, root)?,
                root,
            }],
        })
    }

    /// Bytes of the volume; a file may go on after them (backup GPT, padding).
    pub fn size(&self) -> u64 {
        u64::from(self.blocks) * SECTOR
    }

    /// Every tree; the primary one first.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Looks a path up (`images/ignition.img`), in the tree with the best names first.
    ///
    /// # Errors
    /// A directory cannot be read or is malformed.
    pub fn find(&self, source: &dyn ReadAt, path: &str) -> Result<Option<Entry>, IsoError> {
        let mut trees: Vec<&Tree> = self.trees.iter().collect();
        trees.sort_by_key(|tree| tree.naming.preference());
        for tree in trees {
            if let Some(entry) = tree.find(source, path)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Looks a file of one extent up.
    ///
    /// # Errors
    /// As [`Volume::find`]; [`IsoError::NotAPlainFile`] when it is a directory or in several extents.
    pub fn find_file(
        &self,
        source: &dyn ReadAt,
        path: &str,
    ) -> Result<Option<(Entry, Extent)>, IsoError> {
        let Some(entry) = self.find(source, path)? else {
            return Ok(None);
        };
        match entry.extent() {
            Some(extent) if !entry.is_dir => Ok(Some((entry, extent))),
            _ => Err(IsoError::NotAPlainFile(path.to_owned())),
        }
    }

    /// Every file and directory below `path` (empty: all), with full paths, sorted.
    ///
    /// # Errors
    /// A directory cannot be read, is malformed, or the tree is cyclic.
    pub fn walk(&self, source: &dyn ReadAt) -> Result<Vec<(String, Entry)>, IsoError> {
        let best = self.trees.iter().min_by_key(|t| t.naming.preference());
        best.map_or_else(|| Ok(Vec::new()), |tree| tree.walk(source))
    }
}

impl Tree {
    /// Looks a path up in this tree.
    ///
    /// # Errors
    /// As [`Volume::find`].
    pub fn find(&self, source: &dyn ReadAt, path: &str) -> Result<Option<Entry>, IsoError> {
        let mut directory = self.root;
        let mut parts = path.split('/').filter(|p| !p.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let entries = self.list(source, directory)?;
            let found = entries
                .into_iter()
                .find(|e| self.naming.matches(&e.name, part));
            let Some(found) = found else { return Ok(None) };
            if parts.peek().is_none() {
                return Ok(Some(found));
            }
            match found.extent() {
                Some(extent) if found.is_dir => directory = extent,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn walk(&self, source: &dyn ReadAt) -> Result<Vec<(String, Entry)>, IsoError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([self.root.lba]);
        let mut open = vec![(String::new(), self.root)];
        while let Some((prefix, directory)) = open.pop() {
            for entry in self.list(source, directory)? {
                let path = format!("{prefix}{}", entry.name);
                if path.len() > MAX_PATH {
                    return Err(IsoError::NotIso {
                        offset: entry.record_at,
                        reason: "a path is too long",
                    });
                }
                if let (true, Some(extent)) = (entry.is_dir, entry.extent()) {
                    if !seen.insert(extent.lba) {
                        return Err(IsoError::NotIso {
                            offset: entry.record_at,
                            reason: "a directory contains itself",
                        });
                    }
                    open.push((format!("{path}/"), extent));
                }
                found.push((path, entry));
                if found.len() > MAX_ENTRIES {
                    return Err(IsoError::NotIso {
                        offset: directory.lba.offset(),
                        reason: "there are too many files",
                    });
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// The entries of a directory; records of a file in several extents are joined.
    fn list(&self, source: &dyn ReadAt, directory: Extent) -> Result<Vec<Entry>, IsoError> {
        if directory.length > MAX_DIRECTORY {
            return Err(IsoError::NotIso {
                offset: directory.lba.offset(),
                reason: "a directory is too long",
            });
        }
        let base = directory.lba.offset();
        let bytes = read(source, base, u64::from(directory.length))?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut continues = false;
        for record in directory::records(&bytes, base) {
            let record: Record<'_> = record?;
            if record.is_self_or_parent() {
                continue;
            }
            let extent = record.extent;
            match entries.last_mut() {
                Some(last) if continues => last.extents.push(extent),
                _ => entries.push(Entry {
                    name: self.naming.name(source, &record)?,
                    is_dir: record.is_dir,
                    extents: vec![extent],
                    record_at: record.at,
                }),
            }
            continues = record.continues;
        }
        Ok(entries)
    }
}

fn descriptor(source: &dyn ReadAt, at: u64) -> Result<Vec<u8>, IsoError> {
    let bad = |reason| IsoError::NotIso { offset: at, reason };
    let named = match read(source, at, SECTOR) {
        Ok(sector) if sector.get(1..6) == Some(b"CD001") => return Ok(sector),
        Ok(_) => bad("no volume descriptor is there"),
        Err(IsoError::OutOfBounds { .. }) => bad("the file ends before the volume descriptors do"),
        Err(other) => return Err(other),
    };
    let head = read(source, 0, source.size().min(8)).unwrap_or_default();
    match compression(&head) {
        Some(format) => Err(IsoError::Compressed(format)),
        None => Err(named),
    }
}

fn complete(source: &dyn ReadAt, volume: Option<Volume>) -> Result<Volume, IsoError> {
    let volume = volume.ok_or(IsoError::NotIso {
        offset: FIRST_DESCRIPTOR * SECTOR,
        reason: "it has no primary volume descriptor",
    })?;
    if volume.size() > source.size() {
        return Err(IsoError::Incomplete {
            expected: volume.size(),
            found: source.size(),
        });
    }
    Ok(volume)
}

/// A Joliet tree; other supplementary volumes have no names that we could read.
fn supplementary(at: u64, sector: &[u8]) -> Option<Tree> {
    let escape = sector.get(88..91)?;
    let joliet = matches!(escape, b"%/@" | b"%/C" | b"%/E");
    let root = root(sector)?;
    joliet.then_some(Tree {
        descriptor_at: at,
        naming: Naming::Joliet,
        root,
    })
}

fn root(sector: &[u8]) -> Option<Extent> {
    let record = sector.get(156..190)?;
    Some(Extent {
        lba: Lba(le32(record, 2)?),
        length: le32(record, 10)?,
    })
}

/// The little-endian half of a both-endian number.
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests;
