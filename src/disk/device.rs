//! Finds a disk and states what the kernel knows about it: sysfs, `/proc/self/mountinfo`, `/proc/swaps`, the udev database.
//!
//! No `lsblk`: these files are what it reads, they are there on every node, and a test can lay them out in a directory.
//! What is *on* the disk is the business of [`super::read`].

use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::DiskError;
use super::human;

mod sysfs;

/// Where the kernel's files are; everything is read below one root so that rules are tested without hardware.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
}

impl System {
    /// The running machine.
    pub fn host() -> Self {
        Self::below(Path::new("/"))
    }

    /// A machine laid out in a directory: `sys/`, `proc/`, `dev/` and `run/` below `root`.
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }
}

/// How a person names a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A device node, a link to one, or an image file.
    Path(PathBuf),
    /// `serial=…`, compared whole and without regard to case.
    Serial(String),
    /// `wwn=…`, compared whole and without regard to case, `0x`, `naa.` and `eui.`.
    Wwn(String),
}

impl From<&str> for Selector {
    fn from(text: &str) -> Self {
        match text.split_once('=') {
            Some(("serial", value)) => Self::Serial(value.to_owned()),
            Some(("wwn", value)) => Self::Wwn(value.to_owned()),
            _ => Self::Path(text.into()),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Serial(serial) => write!(f, "serial={serial}"),
            Self::Wwn(wwn) => write!(f, "wwn={wwn}"),
        }
    }
}

/// One disk, or something that a person took for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The device node or image file, links resolved.
    pub path: PathBuf,
    /// What it is.
    pub kind: DeviceKind,
    /// Its size.
    pub size_bytes: u64,
    /// Logical sector: the unit of the partition table. 512 for an image file unless its table says otherwise.
    pub sector_bytes: u32,
    /// Physical sector.
    pub physical_sector_bytes: u32,
    /// Vendor and model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// World-wide name, as the kernel writes it.
    pub wwn: Option<String>,
    /// `usb`, `nvme`, `ata`, `virtio`, …
    pub transport: Option<String>,
    /// The medium can be taken out (USB sticks say so, USB disks do not).
    pub removable: bool,
    /// The kernel refuses writes.
    pub read_only: bool,
    /// Everything that uses the disk or a partition of it; empty means free.
    pub uses: Vec<Use>,
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A whole disk.
    Disk,
    /// A partition of the disk `of`.
    Partition {
        /// The disk.
        of: PathBuf,
    },
    /// A device-mapper or md device.
    Mapped,
    /// A regular file.
    Image,
}

/// One reason why a disk is not free.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Use {
    /// The kernel's name of the disk, the partition, or the device above it.
    pub device: String,
    /// What it does there.
    #[serde(flatten)]
    pub how: How,
}

/// What uses a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how", content = "what")]
pub enum How {
    /// It holds `/`.
    Root,
    /// It is mounted there.
    Mounted(PathBuf),
    /// It is swap space.
    Swap,
    /// A device-mapper (LVM, LUKS, multipath), md or bcache device stands on it; its name.
    Held(String),
    /// It backs this loop device.
    Loop(String),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = &self.device;
        match &self.how {
            How::Root => write!(f, "{device} holds the running system's /"),
            How::Mounted(at) => write!(f, "{device} is mounted at {}", at.display()),
            How::Swap => write!(f, "{device} is swap space"),
            How::Held(by) => write!(f, "{device} is part of {by}"),
            How::Loop(by) => write!(f, "it is attached to {by}"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.kind == DeviceKind::Image {
            write!(f, " (image file)")?;
        }
        if let Some(model) = &self.model {
            write!(f, ", {model}")?;
        }
        if let Some(serial) = &self.serial {
            write!(f, ", serial {serial}")?;
        }
        write!(f, ", {}", human(self.size_bytes))?;
        if let Some(transport) = &self.transport {
            write!(f, ", {transport}")?;
        }
        write!(f, ", {}-byte sectors", self.sector_bytes)
    }
}

/// Finds the one device that a selector names.
///
/// # Errors
/// None or more than one answers; the path is no disk; sysfs cannot be read.
pub fn find(system: &System, selector: &Selector) -> Result<Device, DiskError> {
    let wanted = match selector {
        Selector::Path(path) => return find_path(system, path),
        Selector::Serial(serial) => (serial.to_lowercase(), false),
        Selector::Wwn(wwn) => (bare_wwn(wwn), true),
    };
    let disks = list(system)?;
    let answers = |disk: &&Device| match &wanted {
        (serial, false) => disk.serial.as_ref().map(|s| s.to_lowercase()).as_ref() == Some(serial),
        (wwn, _) => disk.wwn.as_deref().map(bare_wwn).as_ref() == Some(wwn),
    };
    let matches: Vec<&Device> = disks.iter().filter(answers).collect();
    match matches.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(DiskError::NoMatch {
            selector: selector.to_string(),
            candidates: disks.iter().map(ToString::to_string).collect(),
        }),
        several => Err(DiskError::Ambiguous {
            selector: selector.to_string(),
            candidates: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Lists the disks of a machine, sorted by path: no partitions, mapped, loop, RAM or optical devices, and no empty card readers.
///
/// # Errors
/// sysfs cannot be read.
pub fn list(system: &System) -> Result<Vec<Device>, DiskError> {
    let directory = system.path("sys/block");
    let mut disks = Vec::new();
    for entry in fs_err::read_dir(&directory).map_err(DiskError::io("read", &directory))? {
        let entry = entry.map_err(DiskError::io("read", &directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let virtual_kind = ["loop", "ram", "zram", "sr", "fd", "nbd"];
        if virtual_kind.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit())) {
            continue;
        }
        let disk = sysfs::device(system, &name)?;
        if disk.kind == DeviceKind::Disk && disk.size_bytes > 0 {
            disks.push(disk);
        }
    }
    disks.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(disks)
}

fn find_path(system: &System, path: &Path) -> Result<Device, DiskError> {
    let real = match fs_err::canonicalize(path) {
        Ok(real) => real,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let disks = list(system).unwrap_or_default();
            return Err(DiskError::NoMatch {
                selector: path.display().to_string(),
                candidates: disks.iter().map(ToString::to_string).collect(),
            });
        }
        Err(e) => return Err(DiskError::io("open", path)(e)),
    };
    let meta = fs_err::metadata(&real).map_err(DiskError::io("open", &real))?;
    if meta.file_type().is_block_device() {
        let name = sysfs::name_of(system, meta.rdev())?;
        return sysfs::device(system, &name);
    }
    if !meta.is_file() {
        return Err(DiskError::NotADisk(real));
    }
    Ok(Device {
        uses: sysfs::loops_over(system, &real),
        size_bytes: meta.len(),
        sector_bytes: super::contents::image_sector(&real)?,
        physical_sector_bytes: 512,
        read_only: meta.permissions().readonly(),
        path: real,
        kind: DeviceKind::Image,
        model: None,
        serial: None,
        wwn: None,
        transport: None,
        removable: false,
    })
}

fn bare_wwn(wwn: &str) -> String {
    let lower = wwn.to_lowercase();
    let bare = ["0x", "naa.", "eui.", "nvme."]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix));
    bare.unwrap_or(&lower).to_owned()
}

#[cfg(test)]
mod tests;
