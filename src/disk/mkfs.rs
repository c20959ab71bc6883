//! Makes filesystems on a whole file or partition node: `mkfs.xfs`, `mke2fs`, and FAT32 by the `fatfs` crate.
//!
//! The features are those of RHEL 8 (kernel 4.18, RHCOS 4.12) whatever machine this runs on, because the maker's defaults move faster
//! than the nodes' kernels: an XFS with `nrext64` or `bigtime`, or an ext4 with `orphan_file`, is not mountable there.

use std::ffi::OsString;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use uuid::Uuid;

use super::error::DiskError;
use super::plan::NewPartition;
use super::populate::{Node, Tree};
use super::request::Filesystem;
use crate::exec::{self, ExecError};

/// All that kernel 4.18 has; named one by one, because `mke2fs.conf` may say anything.
const EXT4_FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,\
sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// The size that every XFS has had by default.
const XFS_BLOCK: u64 = 4096;
/// Arguments end at 2 MiB; a store path is a hundred bytes.
const FILES_PER_XFS_DB: usize = 500;

/// A maker that is known to be installed.
#[derive(Debug)]
pub(super) enum Maker {
    Xfs { version: (u32, u32) },
    Ext4,
    Vfat,
}

impl Maker {
    /// Checks that the program is there, before anything is written.
    pub(super) fn find(new: &NewPartition, device: &Path) -> Result<Self, DiskError> {
        Ok(match new.filesystem {
            Filesystem::Xfs => {
                let text = exec::run("mkfs.xfs", &["-V"]).map_err(failed(device))?;
                Self::Xfs {
                    version: version(&String::from_utf8_lossy(&text)),
                }
            }
            Filesystem::Ext4 => {
                exec::run("mke2fs", &["-V"]).map_err(failed(device))?;
                Self::Ext4
            }
            Filesystem::Vfat => Self::Vfat,
        })
    }

    /// Formats `target`, a partition node or a file of the partition's size, and fills it.
    pub(super) fn make(
        &self,
        target: &Path,
        new: &NewPartition,
        sector: u32,
        tree: Option<&Tree>,
    ) -> Result<(), DiskError> {
        let label = new.filesystem.own_label(&new.label);
        match self {
            Self::Xfs { version } => xfs(target, &label, sector, tree, *version),
            Self::Ext4 => ext4(target, &label, tree),
            Self::Vfat => {
                vfat(target, &label, sector, tree).map_err(DiskError::io("format", target))
            }
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(ExecError) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError::Tool { path, source }
}

/// `mkfs.xfs version 6.1.0` → (6, 1).
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Each option only where this mkfs.xfs knows it; the years are those of its release.
fn xfs_features(version: (u32, u32)) -> [String; 3] {
    let since = |from: (u32, u32), option: &'static str| if version >= from { option } else { "" };
    [
        // 2020: bigtime, inobtcount; RHEL 8 has neither. reflink is on in RHEL 8 by default.
        format!(
            "crc=1,finobt=1,rmapbt=0,reflink=1{}",
            since((5, 10), ",bigtime=0,inobtcount=0")
        ),
        // 2022: nrext64; 2024: exchange.
        format!(
            "sparse=1{}{}",
            since((5, 19), ",nrext64=0"),
            since((6, 11), ",exchange=0")
        ),
        format!("version=2{}", since((6, 11), ",parent=0")),
    ]
}

fn xfs(
    target: &Path,
    label: &str,
    sector: u32,
    tree: Option<&Tree>,
    version: (u32, u32),
) -> Result<(), DiskError> {
    let [metadata, inode, naming] = xfs_features(version);
    let mut args: Vec<OsString> = ["-q", "-f", "-L", label].map(OsString::from).to_vec();
    let block = format!("size={XFS_BLOCK}");
    for (flag, value) in [
        ("-b", block),
        ("-m", metadata),
        ("-i", inode),
        ("-n", naming),
    ] {
        args.extend([flag.into(), value.into()]);
    }
    // On a device mkfs.xfs asks for the sector size; an image file has none but the table's.
    if target.is_file() {
        args.extend(["-s".into(), format!("size={sector}").into()]);
    }
    let Some(tree) = tree else {
        args.push(target.into());
        return exec::run("mkfs.xfs", &args)
            .map(drop)
            .map_err(failed(target));
    };
    let mut proto = tempfile::NamedTempFile::new().map_err(DiskError::io("write", "protofile"))?;
    proto
        .write_all(tree.protofile().as_bytes())
        .map_err(DiskError::io("write", proto.path()))?;
    args.extend(["-p".into(), proto.path().into(), target.into()]);
    exec::run_in(&tree.root, "mkfs.xfs", &args).map_err(failed(target))?;
    whole(target, tree)
}

/// Checks that every file got all of its blocks.
///
/// `mkfs.xfs -p` (6.1 at least) asks for one extent per file, gets a shorter one when no allocation group has so much in one piece, and
/// writes the whole file there all the same: over the next group's headers or over another file, with exit status 0.
fn whole(target: &Path, tree: &Tree) -> Result<(), DiskError> {
    for files in tree.files().chunks(FILES_PER_XFS_DB) {
        let mut args: Vec<OsString> = vec!["-r".into()];
        for (path, _) in files {
            args.extend(["-c".into(), format!("path /{path}").into()]);
            args.extend(["-c".into(), "print core.size core.nblocks".into()]);
        }
        args.push(target.into());
        let told = exec::run("xfs_db", &args).map_err(failed(target))?;
        let told = String::from_utf8_lossy(&told);
        let numbers = |key: &str| -> Vec<Option<u64>> {
            let values = told.lines().filter_map(|l| l.strip_prefix(key));
            values.map(|v| v.parse().ok()).collect()
        };
        let (sizes, blocks) = (numbers("core.size = "), numbers("core.nblocks = "));
        for (at, (path, size)) in files.iter().enumerate() {
            let there = sizes.get(at).copied().flatten() == Some(*size);
            let blocks = blocks.get(at).copied().flatten().unwrap_or(0);
            if !there || blocks < size.div_ceil(XFS_BLOCK) {
                return Err(DiskError::CannotPopulate {
                    path: tree.root.join(path),
                    filesystem: Filesystem::Xfs.name(),
                    reason: "mkfs.xfs found no room for it in one piece".to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn ext4(target: &Path, label: &str, tree: Option<&Tree>) -> Result<(), DiskError> {
    let args = [
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-O",
        EXT4_FEATURES,
        "-L",
        label,
    ];
    let mut args: Vec<OsString> = args.map(OsString::from).to_vec();
    if let Some(tree) = tree {
        args.extend(["-d".into(), tree.root.clone().into()]);
    }
    args.extend(["-E".into(), "root_owner=0:0".into(), target.into()]);
    exec::run("mke2fs", &args).map(drop).map_err(failed(target))
}

fn vfat(target: &Path, label: &str, sector: u32, tree: Option<&Tree>) -> io::Result<()> {
    let mut file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .open(target)?;
    let mut padded = [b' '; 11];
    for (to, from) in padded.iter_mut().zip(label.bytes()) {
        *to = from;
    }
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    let options = fatfs::FormatVolumeOptions::new()
        .fat_type(fatfs::FatType::Fat32)
        .bytes_per_sector(u16::try_from(sector).map_err(io::Error::other)?)
        .volume_id(u32::from_le_bytes([a, b, c, d]))
        .volume_label(padded);
    fatfs::format_volume(&mut file, options)?;
    if let Some(tree) = tree {
        file.rewind()?;
        let stream = fscommon::BufStream::new(&mut file);
        let options = fatfs::FsOptions::new().update_accessed_date(false);
        let volume = fatfs::FileSystem::new(stream, options)?;
        for entry in &tree.entries {
            // `Tree::walk` lets no directory through for FAT.
            if let Node::File { source, .. } = &entry.node {
                let mut from = fs_err::File::open(tree.root.join(source))?;
                let mut to = volume.root_dir().create_file(&entry.name)?;
                io::copy(&mut from, &mut to)?;
                to.flush()?;
            }
        }
        volume.unmount()?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_follow_the_version() {
        assert_eq!(version("mkfs.xfs version 6.1.0\n"), (6, 1));
        // RHEL 8 has 5.0 and would refuse an option that it does not know.
        assert_eq!(
            xfs_features((5, 0)).join(" "),
            "crc=1,finobt=1,rmapbt=0,reflink=1 sparse=1 version=2"
        );
        let new = xfs_features((6, 17)).join(" ");
        for off in [
            "bigtime=0",
            "inobtcount=0",
            "nrext64=0",
            "exchange=0",
            "parent=0",
        ] {
            assert!(new.contains(off), "{off} in {new}");
        }
    }
}
