//! What a person asks for: a label, a filesystem and a size that exist.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use uuid::{Uuid, uuid};

use super::error::DiskError;

/// Linux filesystem data: what `sgdisk` gives by default, and what the node's scripts expect.
const LINUX_DATA: Uuid = uuid!("0FC63DAF-8483-4772-8E79-3D69D8477DE4");
/// Microsoft basic data: the only type whose FAT other systems mount by themselves.
const BASIC_DATA: Uuid = uuid!("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7");
/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Size of the partition in MiB; the command line asks for GiB.
    pub size_mib: u64,
    /// Its number, from 1.
    pub number: u32,
    /// Label of the partition and of the filesystem.
    pub label: Label,
    /// The filesystem.
    pub filesystem: Filesystem,
    /// Makes a new table, whatever is there.
    pub wipe: bool,
}

/// A label that every filesystem, `/dev/disk/by-partlabel` and a kernel argument can carry: 1 to 16 of `A-Za-z0-9-_.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Label(String);

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Label {
    type Err = DiskError;

    fn from_str(text: &str) -> Result<Self, DiskError> {
        let bad = |reason: &str| DiskError::BadLabel {
            label: text.to_owned(),
            reason: reason.to_owned(),
        };
        if text.is_empty() || text.len() > 16 {
            return Err(bad("is not 1 to 16 characters long"));
        }
        if text.starts_with('-') {
            return Err(bad("begins like an option"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(wrong) = text.chars().find(|c| !allowed(*c)) {
            return Err(bad(&format!("has a `{}`", wrong.escape_default())));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The filesystems that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Filesystem {
    /// By `mkfs.xfs`.
    Xfs,
    /// By `mke2fs`.
    Ext4,
    /// FAT32, by the `fatfs` crate; its label is in upper case, as FAT has it.
    Vfat,
}

impl Filesystem {
    /// As `blkid` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
            Self::Vfat => "vfat",
        }
    }

    pub(super) fn partition_type(self) -> Uuid {
        match self {
            Self::Xfs | Self::Ext4 => LINUX_DATA,
            Self::Vfat => BASIC_DATA,
        }
    }

    /// How many characters its label can have.
    pub fn label_max(self) -> usize {
        match self {
            Self::Xfs => 12,
            Self::Ext4 => 16,
            Self::Vfat => 11,
        }
    }

    /// Least and most size in MiB.
    pub(super) fn size_mib(self, sector_bytes: u32) -> (u64, u64) {
        match self {
            // xfsprogs 5.19 and later refuse less than 300 MiB; 8 EiB is the format's end.
            Self::Xfs => (300, 8 << 40),
            Self::Ext4 => (16, 16 << 20),
            // FAT32 needs 65525 clusters of at least a sector, and counts sectors in 32 bits.
            Self::Vfat if sector_bytes > 512 => (512, (4 << 20) - 1),
            Self::Vfat => (64, (2 << 20) - 1),
        }
    }

    /// How this filesystem writes a label.
    pub(super) fn own_label(self, label: &Label) -> String {
        match self {
            Self::Xfs | Self::Ext4 => label.as_str().to_owned(),
            Self::Vfat => label.as_str().to_uppercase(),
        }
    }
}

impl FromStr for Filesystem {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Xfs, Self::Ext4, Self::Vfat];
        let found = all.into_iter().find(|f| f.name() == text);
        found.ok_or_else(|| format!("`{text}` is none of xfs, ext4, vfat"))
    }
}
