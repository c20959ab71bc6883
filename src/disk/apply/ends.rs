//! The first and the last MiB of a disk: where tables and whole-disk signatures are. Saved, erased, put back.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use fs_err::File;

use super::{Job, extents};
use crate::disk::error::DiskError;
use crate::disk::{MIB, kernel};

/// Both ends of the disk as they were: more than any table or whole-disk signature takes.
pub(super) struct Saved {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Saved {
    pub(super) fn take(job: &mut Job<'_>) -> Result<Self, DiskError> {
        let mut end = |at: u64| {
            job.disk.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::new();
            (&mut job.disk).take(MIB).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let size = job.plan.device.size_bytes;
        let both = end(0).and_then(|head| Ok((head, end(size.saturating_sub(MIB))?)));
        let (head, tail) = both.map_err(job.io("read"))?;
        Ok(Self { head, tail })
    }

    pub(super) fn restore(&self, job: &mut Job<'_>) -> Result<(), DiskError> {
        let tail_at = job.plan.device.size_bytes - self.tail.len() as u64;
        let mut write = |at: u64, bytes: &[u8]| {
            job.disk.seek(SeekFrom::Start(at))?;
            job.disk.write_all(bytes)
        };
        let written = write(tail_at, &self.tail).and_then(|()| write(0, &self.head));
        let written = written.and_then(|()| job.disk.sync_all());
        written.map_err(job.io("restore"))?;
        if job.is_image() {
            return Ok(());
        }
        let gone: Vec<u32> = job.plan.create.iter().map(|n| n.number).collect();
        let present = extents(job.plan.before.partitions());
        kernel::refresh(job.disk.file(), &gone, &present).map_err(job.io("re-read"))
    }
}

/// Zeroes the first and the last MiB: every superblock that a prober looks at, md and ZFS at the end included.
pub(super) fn erase(file: &mut File, size: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(MIB).map_err(io::Error::other)?];
    let length = size.min(MIB);
    for at in [0, size - length] {
        file.seek(SeekFrom::Start(at))?;
        io::copy(&mut zeros.as_slice().take(length), file)?;
    }
    Ok(())
}
