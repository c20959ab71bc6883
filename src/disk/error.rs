//! Everything that a disk, a plan or its application can refuse.

mod advice;

use std::io;
use std::path::PathBuf;

use super::device::Use;
use super::human;
use crate::exec::ExecError;

/// Why a disk was not found, planned or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// No device answers to the selector.
    #[error("no disk matches `{selector}`; there are: {}", or_none(.candidates))]
    NoMatch {
        /// As asked.
        selector: String,
        /// One line per disk that is there.
        candidates: Vec<String>,
    },
    /// More than one device answers to the selector.
    #[error("`{selector}` matches {} disks: {}", .candidates.len(), .candidates.join(", "))]
    Ambiguous {
        /// As asked.
        selector: String,
        /// One line per match.
        candidates: Vec<String>,
    },
    /// The path names neither a block device nor a regular file.
    #[error("{0} is neither a block device nor an image file")]
    NotADisk(PathBuf),
    /// The path names a partition.
    #[error("{path} is a partition of {disk}")]
    IsPartition {
        /// As found.
        path: PathBuf,
        /// Its disk.
        disk: PathBuf,
    },
    /// The path names a device-mapper or md device.
    #[error("{0} is a device-mapper or RAID device, not a disk")]
    IsMapped(PathBuf),
    /// The device refuses writes.
    #[error("{0} is read-only")]
    ReadOnly(PathBuf),
    /// Something uses the disk or a partition of it.
    #[error("{path} is in use: {}", list(.uses))]
    InUse {
        /// The disk.
        path: PathBuf,
        /// By what.
        uses: Vec<Use>,
    },
    /// The kernel or another process holds the disk.
    #[error("{path} is busy: another process or the kernel holds it")]
    Busy {
        /// The disk.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The disk has something other than a sound GPT, and `--wipe` was not given.
    #[error("{path} is not an empty or GPT disk: {found}")]
    NeedsWipe {
        /// The disk.
        path: PathBuf,
        /// What is on it.
        found: String,
    },
    /// The partition number is taken.
    #[error("partition {number} of {path} is in use: {found}")]
    NumberInUse {
        /// The disk.
        path: PathBuf,
        /// The number.
        number: u32,
        /// What is there.
        found: String,
    },
    /// The number is outside of the table.
    #[error("partition number {number} is out of range: the table of {path} has 1 to {max}")]
    NumberOutOfRange {
        /// The disk.
        path: PathBuf,
        /// The number.
        number: u32,
        /// The highest.
        max: u32,
    },
    /// Another partition has the label.
    #[error("{path} has a partition labelled `{label}` already: number {number}")]
    LabelInUse {
        /// The disk.
        path: PathBuf,
        /// The label.
        label: String,
        /// Who has it.
        number: u32,
    },
    /// Exactly the asked partition is there.
    #[error("partition {number} of {path} is there already: `{label}`, {}, {filesystem}", human(*.size_bytes))]
    AlreadyThere {
        /// The disk.
        path: PathBuf,
        /// The number.
        number: u32,
        /// Its label.
        label: String,
        /// Its size.
        size_bytes: u64,
        /// Its filesystem.
        filesystem: String,
    },
    /// No gap is large enough.
    #[error("{} do not fit on {path}: the largest free space is {}", human(*.asked_bytes), human(*.largest_bytes))]
    NoRoom {
        /// The disk.
        path: PathBuf,
        /// As asked.
        asked_bytes: u64,
        /// The largest aligned gap.
        largest_bytes: u64,
    },
    /// The filesystem cannot have this size.
    #[error("{filesystem} cannot be {}: it takes {} to {}", human(*.asked_bytes), human(*.min_bytes), human(*.max_bytes))]
    SizeOutOfRange {
        /// The filesystem.
        filesystem: &'static str,
        /// As asked.
        asked_bytes: u64,
        /// Its least.
        min_bytes: u64,
        /// Its most.
        max_bytes: u64,
    },
    /// The label cannot be used.
    #[error("label `{label}` {reason}")]
    BadLabel {
        /// As asked.
        label: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// A label (`--keep`, `--label`) names no partition, or more than one.
    #[error("{path} has {found} partitions labelled `{label}`")]
    KeepNotFound {
        /// The disk.
        path: PathBuf,
        /// The label.
        label: String,
        /// How many have it.
        found: usize,
    },
    /// There is nothing to remove.
    #[error("{path} has no partition besides `{label}`")]
    NothingToRemove {
        /// The disk.
        path: PathBuf,
        /// What stays.
        label: String,
    },
    /// Between plan and application something wrote to the disk.
    #[error("{0} changed since the plan was made")]
    Changed(PathBuf),
    /// A file that the asked filesystem cannot be populated with.
    #[error("cannot put {path} on {filesystem}: {reason}")]
    CannotPopulate {
        /// The file.
        path: PathBuf,
        /// The filesystem.
        filesystem: &'static str,
        /// Why.
        reason: String,
    },
    /// No permission.
    #[error("no permission to {operation} {path}")]
    Permission {
        /// The verb.
        operation: &'static str,
        /// The device or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A read or write failed.
    #[error("cannot {operation} {path}")]
    Io {
        /// The verb.
        operation: &'static str,
        /// The device or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A program is missing or failed.
    #[error("cannot make a filesystem on {path}")]
    Tool {
        /// The partition or image.
        path: PathBuf,
        /// The reason.
        source: ExecError,
    },
    /// The table cannot be written as planned.
    #[error("cannot write the partition table of {path}")]
    Table {
        /// The disk.
        path: PathBuf,
        /// The reason.
        source: gptman::Error,
    },
    /// An image to be written that is no file, or has no bytes.
    #[error("{0} is no image file, or is empty")]
    NotAnImage(PathBuf),
    /// A disk that was named twice, or is the image itself.
    #[error("{0} is named more than once")]
    NamedTwice(PathBuf),
    /// An image does not fit.
    #[error("{path} has {}, the image {}", human(*.size_bytes), human(*.needed_bytes))]
    TooSmall {
        /// The disk.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// A disk reads back other bytes than were written.
    #[error("{path} does not keep what is written to it: {found}")]
    NotKept {
        /// The disk.
        path: PathBuf,
        /// Where they differ.
        found: String,
    },
    /// The second reader sees something else than what was written.
    #[error("{path} read back wrong: {found}")]
    ReadBack {
        /// The disk or partition.
        path: PathBuf,
        /// Where they differ.
        found: String,
    },
    /// The kernel does not show the new partition.
    #[error("the kernel does not show {path}")]
    NoNode {
        /// The partition's device node.
        path: PathBuf,
        /// The reason, where there is one.
        source: Option<io::Error>,
    },
    /// No filesystem, or more than one, with the label of the data partition.
    #[error("{path} has {found} filesystems labelled `{label}`")]
    DataNotFound {
        /// The disk.
        path: PathBuf,
        /// The label.
        label: String,
        /// How many have it.
        found: usize,
    },
    /// A filesystem cannot be mounted or unmounted.
    #[error("cannot {operation} {path}")]
    Mount {
        /// `mount` or `unmount`.
        operation: &'static str,
        /// The partition, disk or image.
        path: PathBuf,
        /// The reason.
        source: ExecError,
    },
    /// Applying failed, and so did putting the old table back.
    #[error("{cause}; the old partition table of {path} could not be put back")]
    NotRolledBack {
        /// The disk.
        path: PathBuf,
        /// What failed first.
        cause: Box<DiskError>,
        /// Why rolling back failed.
        source: Box<DiskError>,
    },
}

impl DiskError {
    /// Wraps an I/O error with what was tried.
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission {
                operation,
                path,
                source,
            },
            io::ErrorKind::ResourceBusy => Self::Busy { path, source },
            _ => Self::Io {
                operation,
                path,
                source,
            },
        }
    }
}

fn or_none(lines: &[String]) -> String {
    if lines.is_empty() {
        "none".to_owned()
    } else {
        lines.join(", ")
    }
}

fn list(uses: &[Use]) -> String {
    let lines: Vec<String> = uses.iter().map(ToString::to_string).collect();
    lines.join(", ")
}
