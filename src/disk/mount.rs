//! The data partition of a disk or image file, found by its label and mounted for a while, by `mount(8)`.
//!
//! A filesystem in an image file is mounted through a loop device that the kernel takes away with the mount.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::contents::{self, Partition, Signature};
use super::device::{self, Device, DeviceKind, Selector, System};
use super::error::DiskError;
use super::plan::node;
use crate::exec;

/// A filesystem that can be mounted: a partition, a whole disk, or a part of an image file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The partition, disk or image file, links resolved.
    pub path: PathBuf,
    /// Where in the image file it is: start and size in bytes.
    part: Option<(u64, u64)>,
    filesystem: &'static str,
}

/// What may be done below the mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written.
    Read,
    /// Files are written.
    Write,
}

/// Finds the data partition: of the disk or image file that `selector` names, the one partition whose label, or whose filesystem's label,
/// is `label`. A partition, and a disk or image without a table, is taken as it is.
///
/// # Errors
/// The selector names no device, none or more than one partition has the label, it is mounted or otherwise in use, or cannot be read.
pub fn volume(system: &System, selector: &Selector, label: &str) -> Result<Volume, DiskError> {
    let device = device::find(system, selector)?;
    let contents = contents::read(&device)?;
    let labelled = |p: &&Partition| {
        let own = p.content.as_ref().map(|c| c.label.as_str());
        p.label == label || own.is_some_and(|own| own.eq_ignore_ascii_case(label))
    };
    let partitions: Vec<&Partition> = contents.partitions().iter().filter(labelled).collect();
    let missing = |found| DiskError::DataNotFound {
        path: device.path.clone(),
        label: label.to_owned(),
        found,
    };
    let (volume, free) = match (partitions.as_slice(), &contents.signature) {
        ([one], _) => part(system, &device, one, missing(0))?,
        ([], Some(whole)) if contents.partitions().is_empty() => {
            let volume = Volume {
                path: device.path.clone(),
                part: None,
                filesystem: mountable(whole).ok_or_else(|| missing(0))?,
            };
            (volume, device)
        }
        (several, _) => return Err(missing(several.len())),
    };
    if free.uses.is_empty() {
        return Ok(volume);
    }
    Err(DiskError::InUse {
        path: free.path,
        uses: free.uses,
    })
}

/// A partition as a volume, and the device that must not be in use.
fn part(
    system: &System,
    device: &Device,
    partition: &Partition,
    missing: DiskError,
) -> Result<(Volume, Device), DiskError> {
    let filesystem = partition.content.as_ref().and_then(mountable);
    let filesystem = filesystem.ok_or(missing)?;
    if device.kind == DeviceKind::Image {
        let volume = Volume {
            path: device.path.clone(),
            part: Some((partition.start_bytes, partition.size_bytes)),
            filesystem,
        };
        return Ok((volume, device.clone()));
    }
    let path = node(device, partition.number).unwrap_or_else(|| device.path.clone());
    let own = device::find(system, &Selector::Path(path.clone()))?;
    let volume = Volume {
        path,
        part: None,
        filesystem,
    };
    Ok((volume, own))
}

/// The name of a filesystem that the kernel mounts from one device.
fn mountable(found: &Signature) -> Option<&'static str> {
    let known = ["xfs", "ext2", "ext3", "ext4", "vfat", "exfat", "btrfs"];
    known.into_iter().find(|kind| *kind == found.kind)
}

impl Volume {
    /// Mounts it on a new directory of its own.
    ///
    /// # Errors
    /// Not root, or the mount fails.
    pub fn mount(&self, access: Access) -> Result<Mounted, DiskError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(DiskError::Permission {
                operation: "mount",
                path: self.path.clone(),
                source: std::io::ErrorKind::PermissionDenied.into(),
            });
        }
        let at = tempfile::Builder::new().prefix("snoforge-").tempdir();
        // Kept: a temporary directory removes what is below it, and that will be the data.
        let at = at.map_err(DiskError::io("mount", &self.path))?.keep();
        let args: [OsString; 6] = [
            "-t".into(),
            self.filesystem.into(),
            "-o".into(),
            self.options(access).into(),
            self.path.clone().into(),
            at.clone().into(),
        ];
        if let Err(source) = exec::run("mount", &args) {
            let _ = fs_err::remove_dir(&at);
            return Err(self.failed("mount", source));
        }
        Ok(Mounted {
            volume: self.clone(),
            at,
            attached: true,
        })
    }

    fn options(&self, access: Access) -> String {
        let mut options = "noatime,nodev,nosuid".to_owned();
        if access == Access::Read {
            options += ",ro";
        }
        if self.filesystem == "xfs" {
            // Sticks that were cloned from one another have one UUID.
            options += ",nouuid";
        }
        if let Some((start, size)) = self.part {
            let _ = write!(options, ",loop,offset={start},sizelimit={size}");
        } else if self.path.is_file() {
            options += ",loop";
        }
        options
    }

    fn failed(&self, operation: &'static str, source: exec::ExecError) -> DiskError {
        DiskError::Mount {
            operation,
            path: self.path.clone(),
            source,
        }
    }
}

/// A mounted volume; unmounted on drop.
#[derive(Debug)]
pub struct Mounted {
    volume: Volume,
    at: PathBuf,
    attached: bool,
}

impl Mounted {
    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// What is mounted.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Unmounts it, which waits until everything is on the medium.
    ///
    /// # Errors
    /// It is in use, or the medium fails.
    pub fn unmount(mut self) -> Result<(), DiskError> {
        self.detach()
    }

    fn detach(&mut self) -> Result<(), DiskError> {
        if !std::mem::take(&mut self.attached) {
            return Ok(());
        }
        let unmounted = exec::run("umount", &[&self.at]);
        unmounted.map_err(|source| self.volume.failed("unmount", source))?;
        // Only if empty.
        let _ = fs_err::remove_dir(&self.at);
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
            tracing::warn!(at = %self.at.display(), %error, "still mounted");
        }
    }
}
