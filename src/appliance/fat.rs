//! A small FAT file system as a tree in memory: read by us ([`volume`]), made by the `fatfs` crate, which panics on damaged ones.
//!
//! fatfs 0.3 writes `.` and `..` of a new directory with long names, and `..` of one in the root with the root's cluster: `fsck.vfat`
//! calls both corrupt (<https://github.com/rafalh/rust-fatfs/issues/117>). [`make`] sets them right afterwards.

mod volume;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write as _};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use volume::{ENTRY, Volume};

/// Path (`EFI/BOOT/BOOTX64.EFI`) → content. Directories are what paths name.
pub(super) type Tree = BTreeMap<String, Vec<u8>>;

/// What the first byte of a free directory entry is.
const DELETED: u8 = 0xe5;

/// Reads all files of an image. A hostile one ends with an error.
pub(super) fn read(image: &[u8]) -> io::Result<Tree> {
    Volume::of(image)?.files()
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
    let options = FsOptions::new().update_accessed_date(false);
    let volume = FileSystem::new(&mut disk, options)?;
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
    let mut image = disk.into_inner();
    for (at, in_root) in Volume::of(&image)?.directories()? {
        dots(&mut image, at, in_root)
            .ok_or_else(|| io::Error::other("fatfs made another directory than expected"))?;
    }
    Ok(image)
}

/// Long name, `.`, long name, `..` → `.`, `..`, two free entries; `None` where something else is.
fn dots(image: &mut [u8], at: usize, in_root: bool) -> Option<()> {
    let entries = image.get_mut(at..at + 4 * ENTRY)?;
    let (one, two) = (ENTRY, 3 * ENTRY);
    if !entries.get(one..)?.starts_with(b".          ")
        || !entries.get(two..)?.starts_with(b"..         ")
    {
        return None;
    }
    entries.copy_within(one..one + ENTRY, 0);
    entries.copy_within(two..two + ENTRY, ENTRY);
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
        assert_eq!(read(&image).unwrap(), tree());
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

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    #[test]
    fn what_mtools_makes_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (image, file) = (path("fat.img"), path("content"));
        let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        fs_err::write(&file, &content).unwrap();
        // FAT12, FAT16, FAT32
        for (sectors, flag) in [("2880", "-v"), ("65536", "-v"), ("140000", "-F")] {
            let _ = fs_err::remove_file(&image);
            let made = ["-C", "-i", &image, "-T", sectors, flag];
            let made = [
                &made[..],
                if flag == "-v" {
                    &["LABEL", "::"]
                } else {
                    &["::"]
                },
            ]
            .concat();
            if matches!(
                exec::run("mformat", &made),
                Err(exec::ExecError::Missing(_))
            ) {
                eprintln!("skipped: no mtools");
                return;
            }
            let run = |program: &str, args: &[&str]| exec::run(program, args).unwrap();
            run("mmd", &["-i", &image, "::/EFI", "::/EFI/BOOT"]);
            run("mcopy", &["-i", &image, &file, "::/EFI/BOOT/BOOTX64.EFI"]);
            run(
                "mcopy",
                &[
                    "-i",
                    &image,
                    &file,
                    "::/EFI/a name longer than eight.and three",
                ],
            );
            run("mcopy", &["-i", &image, &file, "::/gone"]);
            run("mdel", &["-i", &image, "::/gone"]);
            let tree = read(&fs_err::read(&image).unwrap()).unwrap();
            let paths: Vec<&str> = tree.keys().map(String::as_str).collect();
            let long = "EFI/a name longer than eight.and three";
            assert_eq!(paths, ["EFI/BOOT/BOOTX64.EFI", long], "{sectors}");
            assert!(tree.values().all(|bytes| *bytes == content), "{sectors}");
        }
    }

    /// A volume of 128 KiB with a directory `EFI`.
    fn small(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
        let mut disk = Cursor::new(vec![0; 128 << 10]);
        fatfs::format_volume(&mut disk, FormatVolumeOptions::new()).unwrap();
        disk.set_position(0);
        let volume = FileSystem::new(&mut disk, FsOptions::new()).unwrap();
        volume.root_dir().create_dir("EFI").unwrap();
        for (name, bytes) in files {
            let mut file = volume.root_dir().create_file(&name).unwrap();
            file.write_all(&bytes).unwrap();
        }
        volume.unmount().unwrap();
        disk.into_inner()
    }

    #[test]
    fn a_chain_is_read_as_far_as_it_is_counted() {
        let mut image = small([("EFI/B".to_owned(), vec![0; 60_000])]);
        let mut windows = image.windows(11);
        let at = windows.position(|name| name == b"B          ").unwrap();
        // A file of one byte at the head of a long chain.
        image[at + 28..at + ENTRY].copy_from_slice(&1_u32.to_le_bytes());
        let tree = read(&image).unwrap();
        assert_eq!(tree["EFI/B"], [0]);
        assert!(tree["EFI/B"].capacity() < 4096);
        // Directories that share it.
        image[at + 11] = 0x10;
        assert_eq!(read(&image).unwrap(), Tree::new());
        for copy in 1..4 {
            image.copy_within(at..at + ENTRY, at + copy * ENTRY);
        }
        let refused = read(&image).unwrap_err().to_string();
        assert!(refused.contains("more bytes than the image"), "{refused}");
    }

    #[test]
    fn no_byte_makes_it_panic_or_hang() {
        let files = (0..20).map(|n| (format!("EFI/a long name {n}"), vec![n; 700]));
        let good = small(files);
        assert_eq!(read(&good).unwrap().len(), 20);
        // Knuth's generator: the same bytes every time.
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        for round in 0..6000 {
            let mut bad = good.clone();
            // The boot sector; or FAT and directories.
            let place = if round % 2 == 0 { 64 } else { 8 << 10 };
            for _ in 0..=random(3) {
                let at = random(place);
                bad[at] = [
                    0,
                    1,
                    2,
                    0x7f,
                    0x80,
                    0xe5,
                    0xff,
                    u8::try_from(random(256)).unwrap(),
                ][random(8)];
            }
            let _ = read(&bad);
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
        assert!(read(&[0; 4096]).is_err());
        // Cut off behind its first sectors, it has no files.
        assert_eq!(read(&good[..4096]).unwrap_or_default(), Tree::new());
        // The directory contains itself.
        let mut cyclic = good.clone();
        let (at, _) = Volume::of(&good).unwrap().directories().unwrap()[0];
        let own = at + ENTRY * 5;
        assert_eq!(
            cyclic[own], b'B',
            "after two dots, two free entries and a long name"
        );
        cyclic[own + 11] = 0x10;
        let (dot, file) = cyclic.split_at_mut(own);
        file[26..28].copy_from_slice(&dot[at + 26..at + 28]);
        assert!(read(&cyclic).unwrap_err().to_string().contains("too deep"));
    }
}
