//! One disk while the image is written, and the thread that does it.

use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use fs_err::File;
use rustix::fs::{Advice, FallocateFlags, fadvise};
use rustix::io::Errno;

use super::feed::{Message, Read};
use super::report::WriteOutcome;
use super::{CHUNK, Job, is_block};
use crate::disk::apply::{exclusive, lock};
use crate::disk::device::Device;
use crate::disk::error::DiskError;
use crate::disk::{contents, kernel};
use crate::oci::{Algorithm, Hasher};
use crate::progress::Event;

/// So many written bytes are synced at once: a disk that fails says so soon, and memory is not full of what is not written.
const SYNC: u64 = 64 << 20;

/// How far a disk is.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// The same as the image so far.
    Same,
    /// Different, so it is written.
    Writing,
    /// Everything but the first MiB is written.
    Written,
    /// Whole, and read.
    Done,
}

/// A disk.
#[derive(Debug)]
pub(super) struct Lane {
    id: u64,
    device: Device,
    file: Option<File>,
    state: State,
    outcome: WriteOutcome,
    unsynced: u64,
    buffer: Vec<u8>,
}

/// Reads back every disk that was written, each on a thread of its own.
pub(super) fn read_back(lanes: &mut [Lane], read: &Read, job: &Job<'_>) {
    std::thread::scope(|scope| {
        for lane in lanes.iter_mut().filter(|lane| lane.is_at_work()) {
            scope.spawn(move || {
                let begun = Instant::now();
                let done = lane.finish(read, job);
                lane.outcome.verifying += begun.elapsed();
                lane.ended(done, job);
            });
        }
    });
}

impl Lane {
    pub(super) fn open((id, device): (u64, &Device)) -> Self {
        let (file, error) = match open(device) {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            id,
            device: device.clone(),
            file,
            state: State::Same,
            outcome: WriteOutcome {
                path: device.path.clone(),
                done: false,
                kept_bytes: 0,
                written_bytes: 0,
                writing: Duration::ZERO,
                verified_bytes: 0,
                verifying: Duration::ZERO,
                error,
            },
            unsynced: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.device.path
    }

    /// Neither failed nor done.
    pub(super) fn is_at_work(&self) -> bool {
        self.outcome.error.is_none() && !self.is_done()
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) fn outcome(self) -> WriteOutcome {
        WriteOutcome {
            done: self.state == State::Done,
            ..self.outcome
        }
    }

    /// Takes what comes, until the reader hangs up.
    pub(super) fn take(&mut self, head: &[u8], queue: &Receiver<Message>, job: &Job<'_>) {
        let done = self.take_all(head, queue, job);
        self.ended(done, job);
    }

    fn ended(&mut self, done: Result<(), DiskError>, job: &Job<'_>) {
        let Err(error) = done else {
            return job.reporter.report(Event::Finished { id: self.id });
        };
        let reason = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let id = self.id;
        let reason = &reason;
        job.reporter.report(Event::Failed { id, reason });
        self.outcome.error = Some(error);
    }

    fn take_all(
        &mut self,
        head: &[u8],
        queue: &Receiver<Message>,
        job: &Job<'_>,
    ) -> Result<(), DiskError> {
        drop_cache(self.file()?);
        job.advanced(self.id, head.len() as u64);
        while let Ok(message) = queue.recv() {
            let begun = Instant::now();
            let length = match &message {
                Message::Data(_, bytes) => bytes.len() as u64,
                Message::Zeros(_, length) => *length,
                Message::End => 0,
            };
            if self.state == State::Same {
                if !self.is_same(&message, head)? {
                    self.begin(head.len())?;
                } else if matches!(message, Message::End) {
                    self.state = State::Done;
                } else {
                    self.outcome.kept_bytes += length;
                }
            }
            if self.state == State::Writing {
                self.write(&message)?;
                self.outcome.written_bytes += length;
                self.outcome.writing += begun.elapsed();
            }
            job.advanced(self.id, length);
        }
        if self.state == State::Writing {
            self.sync()?;
        }
        Ok(())
    }

    /// Whether the disk has these bytes; at the end, whether it has the first ones.
    fn is_same(&mut self, message: &Message, head: &[u8]) -> Result<bool, DiskError> {
        match message {
            Message::Data(at, bytes) => Ok(self.read_at(*at, bytes.len())? == bytes),
            Message::End => {
                let same = self.read_at(0, head.len())? == head;
                if same {
                    self.outcome.kept_bytes += head.len() as u64;
                }
                Ok(same)
            }
            Message::Zeros(at, length) => {
                let end = at + length;
                let mut at = *at;
                while at < end {
                    let some = CHUNK.min(end - at);
                    let bytes = self.read_at(at, usize::try_from(some).unwrap_or_default())?;
                    if bytes.iter().any(|byte| *byte != 0) {
                        return Ok(false);
                    }
                    at += some;
                }
                Ok(true)
            }
        }
    }

    /// Before the first write: what is on the disk is no disk any more.
    fn begin(&mut self, head: usize) -> Result<(), DiskError> {
        self.write_at(0, &vec![0; head])?;
        self.sync()?;
        self.state = State::Writing;
        Ok(())
    }

    fn write(&mut self, message: &Message) -> Result<(), DiskError> {
        match message {
            Message::Data(at, bytes) => self.write_at(*at, bytes)?,
            Message::Zeros(at, length) => self.zero(*at, *length)?,
            Message::End => {
                self.sync()?;
                self.state = State::Written;
            }
        }
        if self.unsynced >= SYNC {
            self.sync()?;
        }
        Ok(())
    }

    /// By the kernel, which may have the disk do it; written where neither can.
    fn zero(&mut self, at: u64, length: u64) -> Result<(), DiskError> {
        let flags = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        let file = self.file()?;
        match rustix::fs::fallocate(file.file(), flags, at, length) {
            Ok(()) => return Ok(()),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {}
            Err(other) => return Err(DiskError::io("write", self.path())(other.into())),
        }
        let zeros = vec![0; usize::try_from(CHUNK).unwrap_or_default()];
        let (mut at, end) = (at, at + length);
        while at < end {
            let some = usize::try_from(CHUNK.min(end - at)).unwrap_or_default();
            self.write_at(at, zeros.get(..some).unwrap_or_default())?;
            at += some as u64;
        }
        Ok(())
    }

    /// Hashes what is on the medium, and puts the first MiB there when it is right.
    fn finish(&mut self, read: &Read, job: &Job<'_>) -> Result<(), DiskError> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&read.head);
        let mut at = read.head.len() as u64;
        job.advanced(self.id, at);
        drop_cache(self.file()?);
        while at < read.size {
            if (job.stop)() {
                return Ok(());
            }
            let some = CHUNK.min(read.size - at);
            hasher.update(self.read_at(at, usize::try_from(some).unwrap_or_default())?);
            let _ = fadvise(
                self.file()?.file(),
                at,
                NonZeroU64::new(some),
                Advice::DontNeed,
            );
            self.outcome.verified_bytes += some;
            job.advanced(self.id, some);
            at += some;
        }
        let found = hasher.finish();
        if found != read.digest {
            return Err(self.not_kept(format!("{found} instead of {}", read.digest)));
        }
        self.write_at(0, &read.head)?;
        self.sync()?;
        drop_cache(self.file()?);
        if *self.read_at(0, read.head.len())? != *read.head {
            return Err(self.not_kept("its first MiB is another".to_owned()));
        }
        self.state = State::Done;
        self.tell_kernel();
        Ok(())
    }

    /// Best effort: a kernel that does not look now does so when the disk is plugged in again.
    fn tell_kernel(&self) {
        let (Some(file), true) = (&self.file, is_block(&self.device)) else {
            return;
        };
        if let Ok(contents) = contents::read(&self.device) {
            let extent = |p: &contents::Partition| (p.number, p.start_bytes, p.size_bytes);
            let present: Vec<_> = contents.partitions().iter().map(extent).collect();
            let _ = kernel::refresh(file.file(), &[], &present);
        }
    }

    fn not_kept(&self, found: String) -> DiskError {
        DiskError::NotKept {
            path: self.path().to_owned(),
            found,
        }
    }

    fn file(&self) -> Result<&File, DiskError> {
        let file = self.file.as_ref();
        file.ok_or_else(|| DiskError::Changed(self.path().to_owned()))
    }

    fn read_at(&mut self, at: u64, length: usize) -> Result<&[u8], DiskError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length, 0);
        let read = self.file()?.file().read_exact_at(&mut buffer, at);
        read.map_err(DiskError::io("read", self.path()))?;
        self.buffer = buffer;
        Ok(&self.buffer)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let written = self.file()?.file().write_all_at(bytes, at);
        written.map_err(DiskError::io("write", self.path()))?;
        self.unsynced += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let synced = self.file()?.sync_data();
        synced.map_err(DiskError::io("sync", self.path()))?;
        self.unsynced = 0;
        Ok(())
    }
}

/// A block device is opened exclusively: nobody mounts it while it is written, and the kernel may zero it without asking others.
fn open(device: &Device) -> Result<File, DiskError> {
    let path = &device.path;
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true);
    let file = if is_block(device) {
        exclusive(&mut options, path)?
    } else {
        options.open(path).map_err(DiskError::io("open", path))?
    };
    lock(&file, path)?;
    Ok(file)
}

/// What is read next comes from the medium: only clean pages can be dropped, so nothing may be unsynced.
fn drop_cache(file: &File) {
    let _ = fadvise(file.file(), 0, None, Advice::DontNeed);
    let _ = fadvise(file.file(), 0, None, Advice::Sequential);
}
