//! Reads FAT12, FAT16 and FAT32 (Microsoft FAT specification, 2005), long names included, out of memory.
//!
//! ```text
//! sector 0   @11 bytes per sector  @13 sectors per cluster  @14 reserved sectors  @16 FATs  @17 root entries  @19 or @32 sectors
//!            @22 or @36 sectors per FAT  @44 root cluster (FAT32)
//! entry      @0 name (11)  @11 attributes  @20, @26 first cluster (high, low)  @28 size
//! long name  @0 order, last has 0x40  @1, @14, @28 five, six, two UTF-16 units  @13 checksum of the short name
//! ```
//!
//! Invariants: nothing is believed; what is read of files and directories comes to no more bytes than the image has, shared clusters counted
//! each time.

use std::io;

use super::{DELETED, Tree};

/// Bytes of a directory entry.
pub(super) const ENTRY: usize = 32;
const ATTRIBUTES: usize = 11;
const IS_DIRECTORY: u8 = 0x10;
const IS_LABEL: u8 = 0x08;
const IS_LONG_NAME: u8 = 0x0f;
/// The cluster at which counting begins.
const FIRST: u32 = 2;
/// A loader's path has three or four parts.
const MAX_DEPTH: u32 = 8;
const MAX_FILES: usize = 1000;

/// Bits of a FAT entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

/// An image and where its parts are.
pub(super) struct Volume<'a> {
    image: &'a [u8],
    width: Width,
    fat: usize,
    /// FAT12 and FAT16: where the root directory is, and its bytes.
    root_region: (usize, usize),
    /// FAT32: its first cluster.
    root_cluster: u32,
    data: usize,
    cluster: usize,
    clusters: u32,
}

struct Entry {
    name: String,
    is_directory: bool,
    first: u32,
    size: usize,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Takes what is read off what may still be read.
fn charge(room: &mut usize, bytes: usize) -> io::Result<()> {
    let left = room.checked_sub(bytes);
    *room = left.ok_or_else(|| invalid("the files have more bytes than the image"))?;
    Ok(())
}

impl<'a> Volume<'a> {
    /// Reads the first sector.
    pub(super) fn of(image: &'a [u8]) -> io::Result<Self> {
        Self::parse(image).ok_or_else(|| invalid("the first sector is not that of a FAT volume"))
    }

    fn parse(image: &'a [u8]) -> Option<Self> {
        let short = |at: usize| le16(image, at).map(usize::from);
        let long = |at: usize| le32(image, at).and_then(|n| usize::try_from(n).ok());
        let either = |a: usize, b: usize| short(a).filter(|n| *n > 0).or_else(|| long(b));
        let (sector, per_cluster) = (short(11)?, usize::from(*image.get(13)?));
        let sound = image.get(510..512)? == [0x55, 0xaa]
            && [512, 1024, 2048, 4096].contains(&sector)
            && per_cluster.is_power_of_two();
        let (reserved, fats) = (short(14)?, usize::from(*image.get(16)?));
        if !sound || reserved == 0 || fats == 0 {
            return None;
        }
        let (root_entries, per_fat) = (short(17)?, either(22, 36)?);
        let root_sectors = (root_entries * ENTRY).div_ceil(sector);
        let root = reserved.checked_add(fats.checked_mul(per_fat)?)?;
        let data = root.checked_add(root_sectors)?;
        let clusters = either(19, 32)?.checked_sub(data)? / per_cluster;
        let width = match clusters {
            0..4085 => Width::Twelve,
            4085..65525 => Width::Sixteen,
            _ => Width::ThirtyTwo,
        };
        Some(Self {
            image,
            width,
            fat: reserved * sector,
            root_region: (root.checked_mul(sector)?, root_entries * ENTRY),
            root_cluster: le32(image, 44)?,
            data: data.checked_mul(sector)?,
            cluster: per_cluster * sector,
            clusters: u32::try_from(clusters).ok()?,
        })
    }

    /// Every file by its path.
    pub(super) fn files(&self) -> io::Result<Tree> {
        let (mut tree, mut room) = (Tree::new(), self.image.len());
        self.files_of(&self.root()?, "", 0, (&mut tree, &mut room))?;
        Ok(tree)
    }

    fn files_of(
        &self,
        directory: &[u8],
        path: &str,
        depth: u32,
        (tree, room): (&mut Tree, &mut usize),
    ) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(invalid("directories are too deep"));
        }
        // Every entry and every directory counts, so that a hostile tree of directories ends too.
        for entry in entries(directory) {
            let path = format!("{path}{}", entry.name);
            if entry.is_directory {
                let below = self.directory(entry.first)?;
                charge(room, below.len())?;
                self.files_of(&below, &format!("{path}/"), depth + 1, (tree, room))?;
                continue;
            }
            charge(room, entry.size.max(ENTRY))?;
            let bytes = self.chain(entry.first, entry.size)?;
            if bytes.len() < entry.size {
                return Err(invalid("a file is shorter than it says"));
            }
            tree.insert(path, bytes);
            if tree.len() > MAX_FILES {
                return Err(invalid("there are too many files"));
            }
        }
        Ok(())
    }

    /// Where each directory's first entry is in the image, and whether it is in the root.
    pub(super) fn directories(&self) -> io::Result<Vec<(usize, bool)>> {
        let (mut found, mut open) = (Vec::new(), vec![(self.root()?, true)]);
        while let Some((directory, in_root)) = open.pop() {
            for entry in entries(&directory).into_iter().filter(|e| e.is_directory) {
                if found.len() > MAX_FILES {
                    return Err(invalid("there are too many directories"));
                }
                found.push((self.at(entry.first)?, in_root));
                open.push((self.directory(entry.first)?, false));
            }
        }
        Ok(found)
    }

    fn root(&self) -> io::Result<Vec<u8>> {
        if self.width == Width::ThirtyTwo {
            return self.directory(self.root_cluster);
        }
        let (at, length) = self.root_region;
        let region = self.image.get(at..at.saturating_add(length));
        Ok(region
            .ok_or_else(|| invalid("the root is cut off"))?
            .to_vec())
    }

    /// Where a cluster's bytes begin.
    fn at(&self, cluster: u32) -> io::Result<usize> {
        let index = cluster.checked_sub(FIRST).filter(|n| *n < self.clusters);
        let index = index.and_then(|n| usize::try_from(n).ok());
        let at = index.and_then(|n| n.checked_mul(self.cluster)?.checked_add(self.data));
        at.ok_or_else(|| invalid("a cluster is not there"))
    }

    /// The bytes of a directory, whose size is written nowhere.
    fn directory(&self, first: u32) -> io::Result<Vec<u8>> {
        let most = self.image.len();
        let bytes = self.chain(first, most + 1)?;
        // Only a circle comes to more than there is.
        if bytes.len() > most {
            return Err(invalid("a chain of clusters is a circle"));
        }
        Ok(bytes)
    }

    /// The bytes of a cluster and of those that follow it, `most` at most.
    fn chain(&self, first: u32, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut next = Some(first);
        while let Some(cluster) = next.filter(|_| bytes.len() < most) {
            let at = self.at(cluster)?;
            let length = self.cluster.min(most - bytes.len());
            let there = self.image.get(at..at + length);
            bytes.extend_from_slice(there.ok_or_else(|| invalid("a cluster is cut off"))?);
            next = self.next(cluster)?;
        }
        Ok(bytes)
    }

    /// The cluster after this one, if it is not the last.
    fn next(&self, cluster: u32) -> io::Result<Option<u32>> {
        let last = match self.width {
            Width::Twelve => 0xff8,
            Width::Sixteen => 0xfff8,
            Width::ThirtyTwo => 0x0fff_fff8,
        };
        let next = self.fat_entry(cluster);
        let next = next.ok_or_else(|| invalid("the FAT is cut off"))?;
        Ok((next < last).then_some(next))
    }

    fn fat_entry(&self, cluster: u32) -> Option<u32> {
        let n = usize::try_from(cluster).ok()?;
        Some(match self.width {
            Width::Twelve => {
                let pair = le16(self.image, self.fat + n + n / 2)?;
                u32::from(if n.is_multiple_of(2) {
                    pair & 0xfff
                } else {
                    pair >> 4
                })
            }
            Width::Sixteen => u32::from(le16(self.image, self.fat + 2 * n)?),
            Width::ThirtyTwo => le32(self.image, self.fat + 4 * n)? & 0x0fff_ffff,
        })
    }
}

/// The entries of a directory, without dots, labels and what is deleted.
fn entries(directory: &[u8]) -> Vec<Entry> {
    let (mut found, mut long) = (Vec::new(), Vec::new());
    for entry in directory.chunks_exact(ENTRY) {
        match (entry.first(), entry.get(ATTRIBUTES)) {
            (None | Some(0), _) | (_, None) => break,
            (Some(&DELETED), _) => long.clear(),
            (_, Some(&IS_LONG_NAME)) => long.push(entry),
            (_, Some(attributes)) if attributes & IS_LABEL != 0 => long.clear(),
            (_, Some(attributes)) => {
                let pieces = std::mem::take(&mut long);
                let name = long_name(&pieces, entry).unwrap_or_else(|| short_name(entry));
                if !matches!(name.as_str(), "." | "..") {
                    found.extend(of(entry, name, attributes & IS_DIRECTORY != 0));
                }
            }
        }
    }
    found
}

fn of(entry: &[u8], name: String, is_directory: bool) -> Option<Entry> {
    Some(Entry {
        name,
        is_directory,
        first: u32::from(le16(entry, 20)?) << 16 | u32::from(le16(entry, 26)?),
        size: usize::try_from(le32(entry, 28)?).ok()?,
    })
}

/// The pieces come last first, and belong to a short name by its checksum.
fn long_name(pieces: &[&[u8]], entry: &[u8]) -> Option<String> {
    let short = entry.get(..ATTRIBUTES)?;
    let sum = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let last = pieces.first()?.first()? & 0x40 != 0;
    if !last || pieces.iter().any(|piece| piece.get(13) != Some(&sum)) {
        return None;
    }
    let mut units = Vec::new();
    for piece in pieces.iter().rev() {
        for range in [1..11, 14..26, 28..32] {
            let (pairs, _) = piece.get(range)?.as_chunks::<2>();
            units.extend(pairs.iter().map(|pair| u16::from_le_bytes(*pair)));
        }
    }
    let end = units.iter().position(|unit| *unit == 0);
    let units = units.get(..end.unwrap_or(units.len()))?;
    let name = String::from_utf16(units).ok()?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// `BOOTX64 EFI` → `BOOTX64.EFI`.
fn short_name(entry: &[u8]) -> String {
    let text = |range: std::ops::Range<usize>| {
        let bytes = entry.get(range).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim_end().replace('/', "_")
    };
    let (base, extension) = (text(0..8), text(8..11));
    if extension.is_empty() {
        return base;
    }
    format!("{base}.{extension}")
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
