//! Partitions in front of the data partition that are written before the table tells of them, and the boot code of the first sector.
//!
//! ```text
//! Front::new (pure: free places, a sound table, nobody else's partitions)
//!   │
//!   ▼ run: each content against the disk: what differs is written ─ sync ─ cache dropped ─ compared again, everything
//!   ▼ table (backup, protective MBR) ─ sync ─ boot code ─ sync ─ both read back, the table by another library
//! ```
//!
//! Invariants:
//! - a disk has the partitions and the boot code only while their contents are whole: before the first byte of a content changes, both
//!   are taken away;
//! - what is right already is read, not written, so that a run goes on where the last one stopped;
//! - every other partition of the table stays as it is.

mod content;

use std::path::{Path, PathBuf};

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use gptman::{GPT, GPTPartitionEntry};
use rustix::fs::{Advice, fadvise};
use serde::Serialize;
use uuid::Uuid;

use super::apply::{exclusive, lock, table};
use super::contents::{self, Contents, Partition, Table};
use super::device::{Device, DeviceKind};
use super::error::DiskError;
use super::kernel;
use super::plan::{refuse_device, usable};
use crate::oci::Digest;
use crate::progress::{Event, Reporter};

pub use content::Content;
use content::Pass;

/// Bytes of the first sector that are code; the disk's signature and the protective partition follow.
pub const CODE: usize = 440;

/// A partition whose content is known.
#[derive(Debug, Clone, Serialize)]
pub struct FrontPartition {
    /// Its number.
    pub number: u32,
    /// Its name; one of this name and number may be written over.
    pub name: &'static str,
    /// Its GPT type.
    #[serde(serialize_with = "super::as_text")]
    pub kind: Uuid,
    /// Where it begins; a multiple of 1 MiB.
    pub start_bytes: u64,
    /// Its size; a multiple of 1 MiB. What the content does not fill is zeros.
    pub size_bytes: u64,
    /// What is in it.
    #[serde(skip)]
    pub content: Content,
}

impl FrontPartition {
    fn end_bytes(&self) -> u64 {
        self.start_bytes.saturating_add(self.size_bytes)
    }

    /// Whether a partition of the disk is this one, content aside.
    fn is(&self, there: &Partition) -> bool {
        let place = (there.start_bytes, there.size_bytes) == (self.start_bytes, self.size_bytes);
        let kind = there.kind == self.kind.to_string().to_uppercase();
        place && kind && self.has_name_of(there)
    }

    fn has_name_of(&self, there: &Partition) -> bool {
        there.number == self.number && there.label == self.name
    }
}

/// What will be written; [`Front::run`] does it.
#[derive(Debug)]
pub struct Front {
    device: Device,
    before: Contents,
    partitions: Vec<FrontPartition>,
    code: [u8; CODE],
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontReport {
    /// Bytes that were there already.
    pub kept_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Every partition is there with its content, read back.
    pub done: bool,
    /// SHA-256 of each content, in the order of the partitions; none when the run was stopped.
    pub digests: Vec<Digest>,
}

impl Front {
    /// Checks that everything has its place on a disk whose table is there. Writes nothing.
    ///
    /// # Errors
    /// The device is in use or has no sound GPT; a number or a place is another partition's.
    pub fn new(
        device: &Device,
        contents: &Contents,
        partitions: Vec<FrontPartition>,
        code: [u8; CODE],
    ) -> Result<Self, DiskError> {
        refuse_device(device)?;
        let gpt = usable(device, contents)?;
        let ours = |there: &Partition| partitions.iter().any(|p| p.has_name_of(there));
        let others = || gpt.partitions.iter().filter(|there| !ours(there));
        for new in &partitions {
            let taken = others().find(|there| there.number == new.number);
            if let Some(there) = taken {
                return Err(DiskError::NumberInUse {
                    path: device.path.clone(),
                    number: there.number,
                    found: format!("`{}`", there.label.escape_debug()),
                });
            }
            let overlaps = |there: &&Partition| {
                there.start_bytes < new.end_bytes() && new.start_bytes < there.end_bytes()
            };
            let inside = new.start_bytes >= gpt.first_usable_bytes
                && new.end_bytes() <= gpt.end_usable_bytes;
            if !inside || others().any(|there| overlaps(&there)) {
                let first = others().map(|there| there.start_bytes).min();
                let free = first.unwrap_or(gpt.end_usable_bytes);
                return Err(DiskError::NoRoom {
                    path: device.path.clone(),
                    asked_bytes: new.size_bytes,
                    largest_bytes: free.saturating_sub(new.start_bytes),
                });
            }
        }
        Ok(Self {
            device: device.clone(),
            before: contents.clone(),
            partitions,
            code,
        })
    }

    /// Does it. `stop` is asked all the time: once it says yes, the next run goes on from there.
    ///
    /// # Errors
    /// The disk changed or is busy; a read or write fails; the disk does not keep what is written.
    pub fn run(
        &self,
        reporter: &dyn Reporter,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<FrontReport, DiskError> {
        let mut job = Job::open(self, reporter, stop)?;
        let whole = job.is_announced()?;
        let announced = job.may_boot()?;
        let first = job.pass("write", Pass::Write { announced })?;
        let mut report = FrontReport {
            kept_bytes: first.kept.saturating_sub(first.shared),
            written_bytes: first.written + first.shared,
            done: false,
            digests: first.digests,
        };
        if stop() {
            job.sync()?;
            return Ok(report);
        }
        if first.written > 0 {
            job.sync()?;
            report.digests = job.pass("read back", Pass::Compare)?.digests;
            if stop() {
                return Ok(report);
            }
        }
        if !whole || first.written > 0 {
            job.announce()?;
        }
        report.done = true;
        Ok(report)
    }

    fn path(&self) -> &Path {
        &self.device.path
    }

    fn total(&self) -> u64 {
        self.partitions.iter().map(|p| p.size_bytes).sum()
    }
}

/// An open, locked disk that is still as planned.
struct Job<'a> {
    front: &'a Front,
    file: File,
    reporter: &'a dyn Reporter,
    stop: &'a (dyn Fn() -> bool + Sync),
}

/// What one pass over all contents came to.
#[derive(Debug, Default)]
struct Tally {
    kept: u64,
    written: u64,
    /// Copied by the kernel, and found to be right: part of `kept`.
    shared: u64,
    digests: Vec<Digest>,
}

impl<'a> Job<'a> {
    fn open(
        front: &'a Front,
        reporter: &'a dyn Reporter,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, DiskError> {
        let path = front.path();
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true);
        let mut file = if front.device.kind == DeviceKind::Image {
            options.open(path).map_err(DiskError::io("open", path))?
        } else {
            exclusive(&mut options, path)?
        };
        lock(&file, path)?;
        let (size, sector) = (front.device.size_bytes, front.device.sector_bytes);
        let now = contents::read_from(&mut file, size, sector);
        if now.map_err(DiskError::io("read", path))? != front.before {
            return Err(DiskError::Changed(path.to_owned()));
        }
        Ok(Self {
            front,
            file,
            reporter,
            stop,
        })
    }

    /// Whether the table and the first sector tell of everything already.
    fn is_announced(&mut self) -> Result<bool, DiskError> {
        let Table::Gpt(gpt) = &self.front.before.table else {
            return Ok(false);
        };
        let there = |new: &FrontPartition| gpt.partitions.iter().any(|p| new.is(p));
        let all = gpt.repairs.is_empty() && self.front.partitions.iter().all(there);
        Ok(all && self.first_sector()?.starts_with(&self.front.code))
    }

    /// Whether the table or the first sector may tell of any content: an older one of another size, or what an interrupted change left.
    fn may_boot(&self) -> Result<bool, DiskError> {
        let front = self.front;
        let ours = |there: &Partition| front.partitions.iter().any(|p| p.has_name_of(there));
        let code = |sector: Vec<u8>| sector.iter().take(CODE).any(|byte| *byte != 0);
        Ok(front.before.partitions().iter().any(ours) || code(self.first_sector()?))
    }

    fn pass(&mut self, name: &str, mut pass: Pass) -> Result<Tally, DiskError> {
        self.drop_cache();
        let bytes = Some(self.front.total());
        self.reporter.report(Event::Phase {
            name,
            items: Some(self.front.partitions.len() as u64),
            bytes,
        });
        let mut tally = Tally::default();
        for (id, partition) in (0..).zip(&self.front.partitions) {
            self.reporter.report(Event::Started {
                id,
                name: partition.name,
                size: Some(partition.size_bytes),
            });
            if !self.fill(id, partition, &mut pass, &mut tally)? {
                break;
            }
            self.reporter.report(Event::Finished { id });
        }
        self.reporter.report(Event::PhaseDone);
        Ok(tally)
    }

    /// Takes partitions and boot code away before the first byte of a content changes.
    fn withdraw(&mut self) -> Result<(), DiskError> {
        let mut staged = self.staged()?;
        for partition in &self.front.partitions {
            if staged[partition.number].is_used() {
                let failed = self.table_error();
                staged.remove(partition.number).map_err(failed)?;
            }
        }
        self.write_code(&[0; CODE])?;
        self.write_table(&mut staged)
    }

    /// The commit point.
    fn announce(&mut self) -> Result<(), DiskError> {
        let mut staged = self.staged()?;
        let sector = staged.sector_size;
        for partition in &self.front.partitions {
            let before = self.front.before.partitions().iter();
            let mut own = before.filter(|there| partition.has_name_of(there));
            let guid = own.find_map(|p| p.guid);
            staged[partition.number] = GPTPartitionEntry {
                partition_type_guid: partition.kind.to_bytes_le(),
                unique_partition_guid: guid.unwrap_or_else(Uuid::new_v4).to_bytes_le(),
                starting_lba: partition.start_bytes / sector,
                ending_lba: partition.end_bytes() / sector - 1,
                attribute_bits: 0,
                partition_name: partition.name.into(),
            };
        }
        self.write_table(&mut staged)?;
        self.write_code(&self.front.code)?;
        self.drop_cache();
        let found = table::differs(&mut self.file, &staged);
        let code = self.first_sector()?.starts_with(&self.front.code);
        let found = found.or_else(|| (!code).then(|| "other boot code".to_owned()));
        if let Some(found) = found {
            return Err(DiskError::ReadBack {
                path: self.front.path().to_owned(),
                found,
            });
        }
        self.tell_kernel(&staged);
        Ok(())
    }

    fn staged(&mut self) -> Result<GPT, DiskError> {
        let failed = self.table_error();
        table::existing(&mut self.file, u64::from(self.front.device.sector_bytes)).map_err(failed)
    }

    fn write_table(&mut self, staged: &mut GPT) -> Result<(), DiskError> {
        let failed = self.table_error();
        table::write(&mut self.file, staged).map_err(failed)?;
        self.sync()
    }

    fn write_code(&self, code: &[u8; CODE]) -> Result<(), DiskError> {
        let mut sector = self.first_sector()?;
        if let Some(place) = sector.get_mut(..CODE) {
            place.copy_from_slice(code);
        }
        let written = self.file.write_all_at(&sector, 0);
        written.map_err(self.io("write"))?;
        self.sync()
    }

    fn first_sector(&self) -> Result<Vec<u8>, DiskError> {
        let mut sector = vec![0; 512];
        let read = self.file.read_exact_at(&mut sector, 0);
        read.map_err(self.io("read"))?;
        Ok(sector)
    }

    /// Best effort: a kernel that does not look now does so when the disk is plugged in again.
    fn tell_kernel(&self, staged: &GPT) {
        if self.front.device.kind == DeviceKind::Image {
            return;
        }
        let sector = staged.sector_size;
        let used = staged.iter().filter(|(_, entry)| entry.is_used());
        let present: Vec<_> = used
            .map(|(number, entry)| {
                let sectors = entry.ending_lba + 1 - entry.starting_lba;
                (number, entry.starting_lba * sector, sectors * sector)
            })
            .collect();
        let gone: Vec<u32> = self.front.partitions.iter().map(|p| p.number).collect();
        let _ = kernel::refresh(self.file.file(), &gone, &present);
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_all().map_err(self.io("sync"))
    }

    /// What is read next comes from the medium, as far as it is synced.
    fn drop_cache(&self) {
        let _ = fadvise(self.file.file(), 0, None, Advice::DontNeed);
    }

    fn io(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> DiskError + use<> {
        DiskError::io(operation, self.front.path().to_owned())
    }

    fn table_error(&self) -> impl FnOnce(gptman::Error) -> DiskError + use<> {
        let path: PathBuf = self.front.path().to_owned();
        move |source| match source {
            gptman::Error::Io(source) => DiskError::io("write", path)(source),
            source => DiskError::Table { path, source },
        }
    }
}

#[cfg(test)]
mod tests;
