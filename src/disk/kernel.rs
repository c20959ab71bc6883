//! Tells the kernel about a changed partition table, and waits until it shows the new partition.
//!
//! `BLKRRPART` makes the kernel read the table itself. Where it cannot (a partition of the disk is open, the kernel has no GPT parser),
//! each partition is told by `BLKPG` (`linux/blkpg.h`), as `partx` does. With `iso/digest/lanes.rs` this
//! is the one file of the crate with `unsafe`.
#![expect(
    unsafe_code,
    reason = "the partition re-read ioctls have no safe wrapper"
)]

use std::fs::Metadata;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use super::error::DiskError;
use super::plan::NewPartition;

const BLKPG: u64 = 0x1269;
const ADD_PARTITION: i32 = 1;
const DEL_PARTITION: i32 = 2;
/// udev on a busy factory laptop takes seconds.
const NODE_TIMEOUT: Duration = Duration::from_secs(15);
const NODE_POLL: Duration = Duration::from_millis(50);

nix::ioctl_none!(blkrrpart, 0x12, 95);
nix::ioctl_write_ptr_bad!(blkpg, BLKPG, BlkpgArg);

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
#[derive(Debug)]
pub(super) struct BlkpgArg {
    op: i32,
    flags: i32,
    length: i32,
    data: *mut BlkpgPartition,
}

/// `struct blkpg_partition`: bytes, then the number, then two names that the kernel ignores.
#[repr(C)]
#[derive(Debug)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: i32,
    names: [[u8; 64]; 2],
}

/// A partition as the kernel knows it: number, start and size in bytes.
pub(super) type Extent = (u32, u64, u64);

/// Makes the kernel's view that of the table: without the partitions `gone`, with those `present`.
pub(super) fn refresh<F: AsRawFd>(disk: &F, gone: &[u32], present: &[Extent]) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument; the descriptor is open for the whole call because `disk` is borrowed.
    match unsafe { blkrrpart(disk.as_raw_fd()) } {
        Ok(_) => {}
        // A partition is open; or a loop device without partition scanning.
        Err(Errno::EBUSY | Errno::EINVAL) => {
            for number in gone {
                match tell(disk, DEL_PARTITION, *number, 0, 0) {
                    // Not there: an earlier run told the kernel.
                    Err(Errno::ENXIO) | Ok(()) => {}
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Err(other) => return Err(other.into()),
    }
    // Small kernels are built without a GPT parser: there BLKRRPART succeeds and forgets every partition.
    for (number, start, size) in present {
        match tell(disk, ADD_PARTITION, *number, *start, *size) {
            // There already: `wait` checks that it is the same.
            Err(Errno::EBUSY) | Ok(()) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

fn tell<F: AsRawFd>(disk: &F, op: i32, number: u32, start: u64, length: u64) -> Result<(), Errno> {
    let signed = |n: u64| i64::try_from(n).map_err(|_| Errno::EOVERFLOW);
    let mut partition = BlkpgPartition {
        start: signed(start)?,
        length: signed(length)?,
        number: i32::try_from(number).map_err(|_| Errno::EOVERFLOW)?,
        names: [[0; 64]; 2],
    };
    let argument = BlkpgArg {
        op,
        flags: 0,
        length: i32::try_from(size_of::<BlkpgPartition>()).map_err(|_| Errno::EOVERFLOW)?,
        data: &raw mut partition,
    };
    // SAFETY: both structs have the layout of linux/blkpg.h and live until the call returns; the kernel only reads them.
    unsafe { blkpg(disk.as_raw_fd(), &raw const argument) }.map(|_| ())
}

/// Waits until the kernel shows the partition where the plan has it, and its device node is there.
///
/// # Errors
/// [`DiskError::NoNode`] after 15 s; [`DiskError::ReadBack`] when the kernel has it elsewhere.
pub(super) fn wait(node: &Path, new: &NewPartition) -> Result<(), DiskError> {
    for _ in 0..NODE_TIMEOUT.as_millis() / NODE_POLL.as_millis() {
        let meta = fs_err::metadata(node).ok();
        let meta = meta.filter(|m| m.file_type().is_block_device());
        if let Some((start, size)) = meta.as_ref().and_then(extent) {
            return same(node, new, start, size);
        }
        std::thread::sleep(NODE_POLL);
    }
    Err(DiskError::NoNode {
        path: node.to_owned(),
        source: None,
    })
}

fn same(node: &Path, new: &NewPartition, start: u64, size: u64) -> Result<(), DiskError> {
    if (start, size) == (new.start_bytes, new.size_bytes) {
        return Ok(());
    }
    Err(DiskError::ReadBack {
        path: node.to_owned(),
        found: format!("the kernel has {size} bytes at {start}"),
    })
}

/// Start and size in bytes, from the sysfs directory of the node's own device number (a stale node has none).
fn extent(meta: &Metadata) -> Option<(u64, u64)> {
    let (major, minor) = (
        nix::sys::stat::major(meta.rdev()),
        nix::sys::stat::minor(meta.rdev()),
    );
    let bytes = |file: &str| -> Option<u64> {
        let path = format!("/sys/dev/block/{major}:{minor}/{file}");
        let sectors: u64 = fs_err::read_to_string(path).ok()?.trim().parse().ok()?;
        sectors.checked_mul(512)
    };
    Some((bytes("start")?, bytes("size")?))
}
