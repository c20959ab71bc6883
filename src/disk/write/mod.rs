//! One disk image onto one or many disks: read once, written to all at the same time, read back.
//!
//! ```text
//! plan (image, disks: free, large enough)
//!   │
//!   ▼ write: the image is read and hashed once ──┬─ bounded queue ─▶ disk 1: compare, from the first difference on write
//!   │                                            └─ bounded queue ─▶ disk n
//!   ▼ read back, each disk by itself: page cache dropped ─ SHA-256 ─ then the first MiB, with the partition table
//! ```
//!
//! Invariants:
//! - the first MiB of a disk is zeros from before its first write until everything after it was read back and was right: a half
//!   written disk has no partition table and boots nowhere;
//! - a disk is compared with the image until it differs, so that a run goes on where the last one stopped, and a disk that is whole
//!   is only read;
//! - holes of the image read as zeros on the disk, whatever was there;
//! - a disk that fails is left out from then on with its error; the others go on. The slowest sets the pace.
//!
//! What this does not do: it moves no backup GPT to the end of a larger disk; `precache partition` does that when it adds one.

mod feed;
mod lane;
mod report;
mod source;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use self::lane::Lane;
pub use self::report::{WriteOutcome, WriteReport};
use self::source::Source;
use super::device::{Device, DeviceKind};
use super::error::DiskError;
use super::plan::refuse_device;
use crate::progress::{Event, Reporter};

/// Bytes that are read at once, and those at the beginning of the disk that come last.
const CHUNK: u64 = 1 << 20;

/// What will be written where.
#[derive(Debug, Clone, Serialize)]
pub struct WritePlan {
    /// The image file.
    pub image: PathBuf,
    /// Its size, holes included.
    pub size_bytes: u64,
    /// Its size without holes.
    pub data_bytes: u64,
    /// The disks, in the order in which they were named.
    pub disks: Vec<Device>,
}

/// What all threads of a run share.
struct Job<'a> {
    reporter: &'a dyn Reporter,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl WritePlan {
    /// Plans; writes nothing.
    ///
    /// # Errors
    /// The image cannot be read or is empty; a disk is in use, read-only, too small, a partition, named twice or the image itself.
    pub fn new(image: &Path, disks: Vec<Device>) -> Result<Self, DiskError> {
        let source = Source::open(image)?;
        for (n, disk) in disks.iter().enumerate() {
            refuse_device(disk)?;
            if disk.path == source.path || disks.iter().skip(n + 1).any(|d| d.path == disk.path) {
                return Err(DiskError::NamedTwice(disk.path.clone()));
            }
            if disk.size_bytes < source.size {
                return Err(DiskError::TooSmall {
                    path: disk.path.clone(),
                    size_bytes: disk.size_bytes,
                    needed_bytes: source.size,
                });
            }
        }
        Ok(Self {
            size_bytes: source.size,
            data_bytes: source.data_bytes()?,
            image: source.path,
            disks,
        })
    }

    /// Does it. `stop` is asked all the time: once it says yes, what is written is synced, and the next run goes on from there.
    ///
    /// # Errors
    /// The image cannot be read. What fails at a disk is in the report.
    pub fn run(
        &self,
        reporter: &dyn Reporter,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<WriteReport, DiskError> {
        let started = Instant::now();
        let job = Job { reporter, stop };
        let source = Source::open(&self.image)?;
        if source.size != self.size_bytes {
            return Err(DiskError::Changed(self.image.clone()));
        }
        let mut lanes: Vec<Lane> = (0..).zip(&self.disks).map(Lane::open).collect();
        job.phase("write", &lanes, source.size);
        let read = feed::run(&source, &mut lanes, &job);
        reporter.report(Event::PhaseDone);
        let read = read?;
        if let Some(read) = &read {
            job.phase("read back", &lanes, source.size);
            lane::read_back(&mut lanes, read, &job);
            reporter.report(Event::PhaseDone);
        }
        Ok(WriteReport {
            digest: read.map(|read| read.digest),
            size_bytes: source.size,
            interrupted: stop() && lanes.iter().any(|lane| !lane.is_done()),
            elapsed: started.elapsed(),
            disks: lanes.into_iter().map(Lane::outcome).collect(),
        })
    }
}

impl Job<'_> {
    /// A phase with an item for each disk that is not done.
    fn phase(&self, name: &str, lanes: &[Lane], bytes: u64) {
        let at_work = || lanes.iter().filter(|lane| lane.is_at_work());
        let count = at_work().count() as u64;
        self.reporter.report(Event::Phase {
            name,
            items: Some(count),
            bytes: Some(count * bytes),
        });
        for lane in at_work() {
            self.reporter.report(Event::Started {
                id: lane.id(),
                name: &lane.path().display().to_string(),
                size: Some(bytes),
            });
        }
    }

    fn advanced(&self, id: u64, bytes: u64) {
        self.reporter.report(Event::Advanced { id, bytes });
    }
}

/// Whether a device node stands for a disk of the kernel.
fn is_block(device: &Device) -> bool {
    device.kind != DeviceKind::Image
}

#[cfg(test)]
mod tests;
