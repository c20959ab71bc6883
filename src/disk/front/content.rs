//! The content of a partition against what is on the disk.

use std::path::PathBuf;
use std::sync::Arc;

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use rustix::fs::{Advice, copy_file_range, fadvise};

use super::{FrontPartition, Job, Tally};
use crate::disk::device::DeviceKind;
use crate::disk::error::DiskError;
use crate::oci::{Algorithm, Hasher};
use crate::progress::Event;

/// Bytes that are compared, and written, at once.
const CHUNK: u64 = 1 << 20;
/// So many written bytes are synced at once: a stick that fails says so soon, and memory is not full of what is not written.
const SYNC: u64 = 64 << 20;

/// What goes into a partition.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// The first bytes of a file or device.
    File {
        /// Which.
        path: PathBuf,
        /// How many.
        length_bytes: u64,
    },
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length_bytes, .. } => *length_bytes,
        }
    }
}

/// What is done about a difference.
#[derive(Debug)]
pub(super) enum Pass {
    /// It is written; where table and boot code tell of the content, they are taken away first.
    Write {
        /// They do.
        announced: bool,
    },
    /// The disk does not keep what is written to it.
    Compare,
}

/// An open content.
enum Source<'a> {
    Bytes(&'a [u8]),
    File(File),
}

impl<'a> Source<'a> {
    fn open(content: &'a Content) -> Result<Self, DiskError> {
        Ok(match content {
            Content::Bytes(bytes) => Self::Bytes(bytes),
            Content::File { path, .. } => {
                Self::File(File::open(path).map_err(DiskError::io("open", path))?)
            }
        })
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        match self {
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let end = at.saturating_add(buffer.len());
                buffer.copy_from_slice(bytes.get(at..end).unwrap_or_default());
                Ok(())
            }
            Self::File(file) => {
                let read = file.read_exact_at(buffer, at);
                read.map_err(DiskError::io("read", file.path()))
            }
        }
    }
}

impl Job<'_> {
    /// One partition; `false` when the run was stopped.
    pub(super) fn fill(
        &mut self,
        id: u64,
        partition: &FrontPartition,
        pass: &mut Pass,
        tally: &mut Tally,
    ) -> Result<bool, DiskError> {
        let source = Source::open(&partition.content)?;
        if matches!(pass, Pass::Write { announced: false }) {
            tally.shared += self.share(&source, partition)?;
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let (mut wanted, mut found) = (vec![0; block(CHUNK)], vec![0; block(CHUNK)]);
        let (length, mut at, mut unsynced) = (partition.content.length(), 0, 0);
        while at < partition.size_bytes {
            if (self.stop)() {
                return Ok(false);
            }
            let some = CHUNK.min(partition.size_bytes - at);
            let there = length.saturating_sub(at).min(some);
            wanted.resize(block(some), 0);
            found.resize(block(some), 0);
            let (content, rest) = wanted.split_at_mut(block(there));
            source.read(at, content)?;
            rest.fill(0);
            hasher.update(content);
            let place = partition.start_bytes + at;
            let read = self.file.read_exact_at(&mut found, place);
            read.map_err(self.io("read"))?;
            if found == wanted {
                tally.kept += some;
            } else {
                self.differs(place, &wanted, pass)?;
                tally.written += some;
                unsynced += some;
            }
            if unsynced >= SYNC {
                self.sync()?;
                unsynced = 0;
            }
            let length = std::num::NonZeroU64::new(some);
            let _ = fadvise(self.file.file(), place, length, Advice::DontNeed);
            self.reporter.report(Event::Advanced { id, bytes: some });
            at += some;
        }
        tally.digests.push(hasher.finish());
        Ok(true)
    }

    fn differs(&mut self, place: u64, wanted: &[u8], pass: &mut Pass) -> Result<(), DiskError> {
        let Pass::Write { announced } = pass else {
            return Err(DiskError::NotKept {
                path: self.front.path().to_owned(),
                found: format!("other bytes at {place}"),
            });
        };
        if std::mem::take(announced) {
            self.withdraw()?;
        }
        let written = self.file.write_all_at(wanted, place);
        written.map_err(self.io("write"))
    }

    /// In an image file the kernel copies, and shares blocks where the filesystem can; returns how many bytes. Best effort: the rest is
    /// found to differ.
    fn share(&self, source: &Source<'_>, partition: &FrontPartition) -> Result<u64, DiskError> {
        let (Source::File(file), DeviceKind::Image) = (source, &self.front.device.kind) else {
            return Ok(0);
        };
        let length = partition.content.length().min(partition.size_bytes);
        let (mut from, mut to) = (0, partition.start_bytes);
        while from < length && !(self.stop)() {
            let want = usize::try_from((length - from).min(SYNC)).unwrap_or_default();
            let (source, target) = (file.file(), self.file.file());
            match copy_file_range(source, Some(&mut from), target, Some(&mut to), want) {
                Ok(copied) if copied > 0 => {}
                _ => break,
            }
        }
        self.sync()?;
        self.drop_cache();
        Ok(from)
    }
}

/// A length that is at most [`CHUNK`].
fn block(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}
