//! A directory tree as the makers of filesystems want it: no mount, no root.
//!
//! `mkfs.xfs -p` reads a protofile (mkfs.xfs(8)): mode, owner and source per name, white space separated, a directory ends with `$`.
//! It has no quoting, so names with white space cannot be told to it, and it reads each file into memory.
//! `mke2fs -d` walks by itself, and leaves nothing out. FAT is filled by us, root level only: fatfs 0.3 makes directories that `fsck.vfat` calls corrupt.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::DiskError;
use super::request::Filesystem;
use crate::io::atomic::UNFINISHED;

/// mkfs.xfs reads a file by one read(2), which Linux ends there.
const XFS_FILE_MAX: u64 = 0x7fff_f000;
/// fatfs and FAT: 4 GiB minus one.
const FAT_FILE_MAX: u64 = u32::MAX as u64;
/// A file takes whole blocks, and an inode.
const BLOCK: u64 = 4096;

/// Allocation groups that mkfs.xfs makes up to 4 TiB.
const XFS_GROUPS: u64 = 4;

/// The least size in bytes of a partition that certainly takes what is in a directory.
///
/// # Errors
/// The directory cannot be read, or has what the filesystem's maker cannot take.
pub fn least_size(directory: &Path, filesystem: Filesystem) -> Result<u64, DiskError> {
    Ok(Tree::walk(directory, filesystem)?.least())
}

/// A directory that was walked and fits a filesystem.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// One name in it. Sorted by path below each directory; a directory comes before what is in it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    mode: u32,
    pub(super) node: Node,
}

/// A file or a directory.
#[derive(Debug)]
pub(super) enum Node {
    File { source: PathBuf, size: u64 },
    Directory(Vec<Entry>),
}

impl Tree {
    /// Walks `root` and refuses what the filesystem's maker cannot take.
    pub(super) fn walk(root: &Path, filesystem: Filesystem) -> Result<Self, DiskError> {
        let root = fs_err::canonicalize(root).map_err(DiskError::io("read", root))?;
        let entries = entries(&root, Path::new(""), filesystem)?;
        Ok(Self { root, entries })
    }

    /// Refuses a tree that cannot fit; the maker would fail only after filling the disk.
    pub(super) fn fits(&self, filesystem: Filesystem, size: u64) -> Result<(), DiskError> {
        let needed = blocks(&self.entries);
        // Journal and tables: 64 MiB for a small XFS, 2 % for a large ext4.
        let room = size - size / 50 - (size / 4).min(64 << 20);
        if needed <= room {
            return Ok(());
        }
        Err(DiskError::CannotPopulate {
            path: self.root.clone(),
            filesystem: filesystem.name(),
            reason: format!(
                "its {} do not fit in {}",
                super::human(needed),
                super::human(size)
            ),
        })
    }

    /// The least size of a partition that certainly takes it, in bytes: [`Tree::fits`] turned round, and for every allocation group of an
    /// XFS as much as the largest file, which has to lie in one piece.
    fn least(&self) -> u64 {
        let largest = self.files().iter().map(|(_, size)| *size).max();
        let needed = blocks(&self.entries) + XFS_GROUPS * largest.unwrap_or(0) + (64 << 20);
        needed + needed / 48
    }

    /// Every file: its path in the tree, and its size. In the tree's order.
    pub(super) fn files(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        files(&self.entries, &mut found);
        found
    }

    /// The protofile for `mkfs.xfs -p`, sources relative to the tree's root.
    pub(super) fn protofile(&self) -> String {
        // A boot file's name, and block and inode counts: all ignored since 1994.
        let mut text = String::from("/\n0 0\nd--755 0 0\n");
        proto(&self.entries, &mut text);
        text.push_str("$\n");
        text
    }
}

fn entries(root: &Path, below: &Path, filesystem: Filesystem) -> Result<Vec<Entry>, DiskError> {
    let directory = root.join(below);
    let mut found = Vec::new();
    for entry in fs_err::read_dir(&directory).map_err(DiskError::io("read", &directory))? {
        let entry = entry.map_err(DiskError::io("read", &directory))?;
        if entry.file_name() == UNFINISHED && filesystem != Filesystem::Ext4 {
            continue;
        }
        found.push(one(root, &below.join(entry.file_name()), filesystem)?);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn one(root: &Path, relative: &Path, filesystem: Filesystem) -> Result<Entry, DiskError> {
    let path = root.join(relative);
    let refuse = |reason: &str| DiskError::CannotPopulate {
        path: path.clone(),
        filesystem: filesystem.name(),
        reason: reason.to_owned(),
    };
    let name = relative.file_name().and_then(|n| n.to_str());
    let name = name.ok_or_else(|| refuse("its name is not UTF-8"))?;
    let quoted =
        name.contains(char::is_whitespace) || name.starts_with(['$', ':']) || name.contains('"');
    if filesystem == Filesystem::Xfs && quoted {
        return Err(refuse(
            "its name has a character that mkfs.xfs cannot be told",
        ));
    }
    if name == UNFINISHED {
        return Err(refuse(
            "it holds unfinished downloads; finish them with `snoforge assets`, or remove it",
        ));
    }
    let meta = fs_err::symlink_metadata(&path).map_err(DiskError::io("read", &path))?;
    let node = if meta.is_dir() {
        if filesystem == Filesystem::Vfat {
            return Err(refuse("directories are not supported there"));
        }
        Node::Directory(entries(root, relative, filesystem)?)
    } else if meta.is_file() {
        let max = match filesystem {
            Filesystem::Xfs => XFS_FILE_MAX,
            Filesystem::Vfat => FAT_FILE_MAX,
            Filesystem::Ext4 => u64::MAX,
        };
        if meta.len() > max {
            return Err(refuse("it is too large"));
        }
        Node::File {
            source: relative.to_owned(),
            size: meta.len(),
        }
    } else {
        return Err(refuse("it is neither a file nor a directory"));
    };
    Ok(Entry {
        name: name.to_owned(),
        mode: meta.permissions().mode() & 0o777,
        node,
    })
}

fn blocks(entries: &[Entry]) -> u64 {
    let sizes = entries.iter().map(|entry| match &entry.node {
        Node::File { size, .. } => size.next_multiple_of(BLOCK) + BLOCK,
        Node::Directory(below) => blocks(below) + BLOCK,
    });
    sizes.sum()
}

fn files(entries: &[Entry], found: &mut Vec<(String, u64)>) {
    for entry in entries {
        match &entry.node {
            Node::File { source, size } => found.push((source.display().to_string(), *size)),
            Node::Directory(below) => files(below, found),
        }
    }
}

fn proto(entries: &[Entry], text: &mut String) {
    for Entry { name, mode, node } in entries {
        let _ = match node {
            Node::File { source, .. } => {
                writeln!(text, "{name} ---{mode:03o} 0 0 {}", source.display())
            }
            Node::Directory(below) => {
                let _ = writeln!(text, "{name} d--{mode:03o} 0 0");
                proto(below, text);
                writeln!(text, "$")
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_downloads_stay_behind() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("files").join(UNFINISHED);
        fs_err::create_dir_all(&work).unwrap();
        fs_err::write(work.join("rhcos-live.x86_64.iso"), [1; 9]).unwrap();
        fs_err::write(dir.path().join("files/oc"), [1; 5]).unwrap();
        let tree = Tree::walk(dir.path(), Filesystem::Xfs).unwrap();
        assert_eq!(tree.files(), [("files/oc".to_owned(), 5)]);
        let refused = Tree::walk(dir.path(), Filesystem::Ext4).unwrap_err();
        assert!(refused.to_string().contains("unfinished"), "{refused}");
    }
}
