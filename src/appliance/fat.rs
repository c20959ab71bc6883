//! A small FAT file system as a tree in memory, read and made by the `fatfs` crate.
//!
//! fatfs 0.3 writes `.` and `..` of a new directory with long names, and `..` of one in the root with the root's cluster: `fsck.vfat`
//! calls both corrupt (<https://github.com/rafalh/rust-fatfs/issues/117>). [`make`] sets them right afterwards.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _, Write as _};

use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions};

/// Path (`EFI/BOOT/BOOTX64.EFI`) → content. Directories are what paths name.
pub(super) type Tree = BTreeMap<String, Vec<u8>>;

type Disk = Cursor<Vec<u8>>;

/// A loader's path has three or four parts.
const MAX_DEPTH: u32 = 8;
const MAX_FILES: usize = 1000;
/// A directory entry, and what it has where.
const ENTRY: usize = 32;
const ATTRIBUTES: usize = 11;
const IS_DIRECTORY: u8 = 0x10;
const IS_LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;
/// The cluster at which FAT counting begins.
const FIRST_CLUSTER: u32 = 2;

/// Reads all files of an image. A hostile one ends with an error: it cannot hold more than its own size in files.
pub(super) fn read(image: Vec<u8>) -> io::Result<Tree> {
    let mut room = image.len() as u64;
    let volume = FileSystem::new(Cursor::new(image), options())?;
    let mut tree = Tree::new();
    read_directory(&volume.root_dir(), "", 0, (&mut tree, &mut room))?;
    Ok(tree)
}

fn options() -> FsOptions {
    FsOptions::new().update_accessed_date(false)
}

fn read_directory(
    directory: &Dir<'_, Disk>,
    path: &str,
    depth: u32,
    (tree, room): (&mut Tree, &mut u64),
) -> io::Result<()> {
    let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    if depth > MAX_DEPTH {
        return refuse("directories are too deep");
    }
    for entry in directory.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.as_str(), "." | "..") {
            continue;
        }
        let path = format!("{path}{name}");
        if entry.is_dir() {
            read_directory(
                &entry.to_dir(),
                &format!("{path}/"),
                depth + 1,
                (tree, room),
            )?;
            continue;
        }
        let Some(left) = room.checked_sub(entry.len()) else {
            return refuse("the files have more bytes than the image");
        };
        *room = left;
        let mut bytes = Vec::new();
        entry.to_file().take(entry.len()).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != entry.len() {
            return refuse("a file is shorter than it says");
        }
        tree.insert(path, bytes);
        if tree.len() > MAX_FILES {
            return refuse("there are too many files");
        }
    }
    Ok(())
}

/// Makes a FAT32 image of `size` bytes; `id` is its volume id. Same tree, same bytes.
pub(super) fn make(tree: &Tree, size: u64, label: [u8; 11], id: u32) -> io::Result<Vec<u8>> {
    let length = usize::try_from(size).map_err(io::Error::other)?;
    let mut disk = Cursor::new(vec![0; length]);
    let format = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_sector(512)
        .volume_id(id)
        .volume_label(label);
    fatfs::format_volume(&mut disk, format)?;
    disk.set_position(0);
    {
        let volume = FileSystem::new(&mut disk, options())?;
        for (path, bytes) in tree {
            for (slash, _) in path.match_indices('/') {
                let directory = path.get(..slash).unwrap_or_default();
                volume.root_dir().create_dir(directory)?;
            }
            let mut file = volume.root_dir().create_file(path)?;
            file.write_all(bytes)?;
            file.flush()?;
        }
        // Counts the free clusters, which `unmount` then writes down.
        volume.stats()?;
        volume.unmount()?;
    }
    let mut image = disk.into_inner();
    let repaired = Repair::of(&mut image).and_then(|mut repair| repair.all());
    repaired.ok_or_else(|| io::Error::other("fatfs made something unexpected"))?;
    Ok(image)
}

/// Sets the dot entries of an image right that fatfs made just now; `None` where it is not what fatfs makes.
struct Repair<'a> {
    image: &'a mut [u8],
    fat: usize,
    data: usize,
    cluster: usize,
    root: u32,
}

impl<'a> Repair<'a> {
    fn of(image: &'a mut [u8]) -> Option<Self> {
        let sector = usize::from(le16(image, 11)?);
        let per_cluster = usize::from(*image.get(13)?);
        let reserved = usize::from(le16(image, 14)?);
        let fats = usize::from(*image.get(16)?);
        let fat_sectors = usize::try_from(le32(image, 36)?).ok()?;
        Some(Self {
            fat: reserved * sector,
            data: (reserved + fats * fat_sectors) * sector,
            cluster: per_cluster * sector,
            root: le32(image, 44)?,
            image,
        })
    }

    fn all(&mut self) -> Option<()> {
        let mut open = vec![self.root];
        while let Some(directory) = open.pop() {
            for child in self.children(directory)? {
                self.dots(child, directory == self.root)?;
                open.push(child);
            }
        }
        Some(())
    }

    /// Where a cluster's bytes begin.
    fn at(&self, cluster: u32) -> Option<usize> {
        let index = usize::try_from(cluster.checked_sub(FIRST_CLUSTER)?).ok()?;
        Some(self.data + index * self.cluster)
    }

    /// The cluster after this one; `None` at the end.
    fn next(&self, cluster: u32) -> Option<u32> {
        let entry = self.fat + usize::try_from(cluster).ok()? * 4;
        let next = le32(self.image, entry)? & 0x0fff_ffff;
        (FIRST_CLUSTER..0x0fff_fff8).contains(&next).then_some(next)
    }

    /// First clusters of the directories in a directory.
    fn children(&self, directory: u32) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut cluster = Some(directory);
        while let Some(this) = cluster {
            let at = self.at(this)?;
            for entry in self.image.get(at..at + self.cluster)?.chunks_exact(ENTRY) {
                let (first, attributes) = (*entry.first()?, *entry.get(ATTRIBUTES)?);
                let named = !matches!(first, 0 | DELETED | b'.');
                if named && attributes & IS_DIRECTORY != 0 && attributes != IS_LONG_NAME {
                    let low = u32::from(le16(entry, 26)?);
                    found.push(u32::from(le16(entry, 20)?) << 16 | low);
                }
            }
            cluster = self.next(this);
        }
        Some(found)
    }

    /// Long name, `.`, long name, `..` → `.`, `..`, two free entries.
    fn dots(&mut self, directory: u32, in_root: bool) -> Option<()> {
        let at = self.at(directory)?;
        let entries = self.image.get_mut(at..at + 4 * ENTRY)?;
        let (one, two) = (1, 3);
        if !entries.get(one * ENTRY..)?.starts_with(b".          ")
            || !entries.get(two * ENTRY..)?.starts_with(b"..         ")
        {
            return None;
        }
        entries.copy_within(one * ENTRY..(one + 1) * ENTRY, 0);
        entries.copy_within(two * ENTRY..(two + 1) * ENTRY, ENTRY);
        for free in entries.get_mut(2 * ENTRY..)?.chunks_exact_mut(ENTRY) {
            free.fill(0);
            *free.first_mut()? = DELETED;
        }
        if in_root {
            let parent = entries.get_mut(ENTRY..2 * ENTRY)?;
            parent.get_mut(20..22)?.fill(0);
            parent.get_mut(26..28)?.fill(0);
        }
        Some(())
    }
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec;

    const SIZE: u64 = 64 << 20;

    fn tree() -> Tree {
        let mut tree = Tree::from([
            ("EFI/BOOT/BOOTX64.EFI".to_owned(), vec![7; 700_000]),
            ("EFI/BOOT/grubx64.efi".to_owned(), vec![8; 3]),
            (
                "EFI/redhat/grub.cfg".to_owned(),
                b"search --label x".to_vec(),
            ),
            ("EFI/redhat/fonts/unicode.pf2".to_owned(), Vec::new()),
        ]);
        // More than one cluster of entries.
        for n in 0..40 {
            tree.insert(format!("EFI/redhat/a-rather-long-name-{n}"), vec![n]);
        }
        tree
    }

    #[test]
    fn what_is_made_is_read() {
        let image = make(&tree(), SIZE, *b"SNOFORGE   ", 0x1234_5678).unwrap();
        assert_eq!(
            image,
            make(&tree(), SIZE, *b"SNOFORGE   ", 0x1234_5678).unwrap()
        );
        assert_eq!(read(image).unwrap(), tree());
    }

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    #[test]
    fn other_readers_agree() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("esp.img");
        let path = path.to_str().unwrap();
        fs_err::write(path, make(&tree(), SIZE, *b"SNOFORGE   ", 1).unwrap()).unwrap();
        match exec::run("fsck.vfat", &["-n", path]) {
            Err(exec::ExecError::Missing(_)) => eprintln!("skipped: no fsck.vfat"),
            checked => {
                let said = String::from_utf8(checked.unwrap()).unwrap();
                assert_eq!(said.lines().count(), 2, "{said}");
            }
        }
        match exec::run("mtype", &["-i", path, "::/EFI/redhat/grub.cfg"]) {
            Err(exec::ExecError::Missing(_)) => eprintln!("skipped: no mtools"),
            typed => assert_eq!(typed.unwrap(), b"search --label x"),
        }
    }

    #[test]
    fn hostile_images_end_with_an_error() {
        let good = make(
            &Tree::from([("A/B".to_owned(), vec![1])]),
            SIZE,
            *b"X          ",
            1,
        )
        .unwrap();
        assert!(read(vec![0; 4096]).is_err());
        // Cut off behind its first sectors, it has no files.
        assert_eq!(read(good[..4096].to_vec()).unwrap_or_default(), Tree::new());
        // The directory contains itself.
        let mut cyclic = good.clone();
        let repair = Repair::of(&mut cyclic).unwrap();
        let child = repair.children(repair.root).unwrap()[0];
        let at = repair.at(child).unwrap();
        let own = at + 4 * ENTRY;
        for entry in cyclic[own..own + 4 * ENTRY].chunks_exact_mut(ENTRY) {
            if entry[ATTRIBUTES] != IS_LONG_NAME && entry[0] == b'B' {
                entry[ATTRIBUTES] = IS_DIRECTORY;
                entry[26..28].copy_from_slice(&u16::try_from(child).unwrap().to_le_bytes());
            }
        }
        assert!(read(cyclic).unwrap_err().to_string().contains("too deep"));
    }
}
