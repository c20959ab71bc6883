//! One destination while the copy runs, and the thread that writes there.

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Job;
use super::plan::{CopyTarget, Need};
use super::report::CopyOutcome;
use super::survey::{Item, Survey};
use crate::progress::Event;
use crate::store::partial::Growing;
use crate::store::{Delta, Store, StoreError, StoreLock};

/// Small files are synced together: so many, or so many bytes.
const UNSYNCED_FILES: usize = 64;
const UNSYNCED_BYTES: u64 = 64 << 20;

/// What the source's reader says to a lane.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// The bytes of this item follow.
    Begin(usize),
    /// Bytes from this offset on.
    Data(u64, Bytes),
    /// That was the item.
    End(End),
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All of it, and right as far as the source can tell.
    Whole,
    /// The source could not be read to the end.
    Cut,
    /// The source's bytes are wrong.
    Wrong,
}

/// A destination.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: u64,
    pub(super) store: Store,
    pub(super) needs: Vec<Need>,
    pub(super) delta: Option<Delta>,
    /// Items whole in `.partial`, to be read back.
    pub(super) ready: BTreeSet<usize>,
    pub(super) error: Option<StoreError>,
    pub(super) settled: bool,
    pub(super) copied: (usize, u64),
    pub(super) wrong: Vec<usize>,
    pub(super) bytes_verified: u64,
    pub(super) verifying: Duration,
    there: (usize, u64),
    bytes_written: u64,
    writing: Duration,
    /// Held until the copy is over.
    lock: Option<StoreLock>,
}

impl Lane {
    /// Makes the skeleton and takes the writer's lock.
    pub(super) fn open(target: CopyTarget) -> Self {
        let mut lane = Self {
            id: target.id,
            store: target.store,
            needs: target.needs,
            delta: target.delta,
            ready: BTreeSet::new(),
            error: target.error,
            settled: false,
            copied: (0, 0),
            wrong: Vec::new(),
            bytes_verified: 0,
            verifying: Duration::ZERO,
            there: target.there,
            bytes_written: 0,
            writing: Duration::ZERO,
            lock: None,
        };
        if lane.is_alive() {
            let opened = Store::create(lane.store.root()).and_then(|store| store.lock());
            match opened {
                Ok(lock) => lane.lock = Some(lock),
                Err(error) => lane.error = Some(error),
            }
        }
        lane
    }

    pub(super) fn name(&self) -> String {
        self.store.root().display().to_string()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.error.is_none()
    }

    /// Bytes that it still takes.
    pub(super) fn to_write(&self, items: &[Item]) -> u64 {
        let each = items
            .iter()
            .zip(&self.needs)
            .map(|(item, need)| match need {
                Need::From(from) => item.size - from,
                Need::There | Need::Lost => 0,
            });
        each.sum()
    }

    /// Bytes that wait to be read back.
    pub(super) fn to_read(&self, items: &[Item]) -> u64 {
        let ready = self.ready.iter().filter_map(|index| items.get(*index));
        ready.map(|item| item.size).sum()
    }

    /// Leaves the destination out from now on.
    pub(super) fn fail(&mut self, error: StoreError, job: &Job<'_>) {
        let reason = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        job.reporter.report(Event::Failed {
            id: self.id,
            reason: &reason,
        });
        self.error = Some(error);
    }

    pub(super) fn outcome(&mut self, survey: &Survey) -> CopyOutcome {
        let path = |index: &usize| survey.items.get(*index).map(|item| item.path.clone());
        let mut wrong: Vec<_> = self.wrong.iter().filter_map(path).collect();
        wrong.sort();
        CopyOutcome {
            root: self.store.root().to_owned(),
            copied: self.copied,
            skipped: self.there,
            bytes_written: self.bytes_written,
            writing: self.writing,
            bytes_verified: self.bytes_verified,
            verifying: self.verifying,
            wrong,
            error: self.error.take(),
            settled: self.settled,
        }
    }

    /// Writes what comes, until the reader hangs up.
    pub(super) fn write(&mut self, items: &[Item], queue: &Receiver<Message>, job: &Job<'_>) {
        match self.take_all(items, queue, job) {
            Ok(()) => job.reporter.report(Event::Finished { id: self.id }),
            Err(error) => self.fail(error, job),
        }
    }

    fn take_all(
        &mut self,
        items: &[Item],
        queue: &Receiver<Message>,
        job: &Job<'_>,
    ) -> Result<(), StoreError> {
        let mut unsynced = Unsynced::default();
        let mut current: Option<(usize, Growing)> = None;
        while let Ok(message) = queue.recv() {
            let begun = Instant::now();
            match (message, &mut current) {
                (Message::Begin(index), _) => {
                    let Some(item) = items.get(index) else {
                        continue;
                    };
                    let path = self.store.partial_dir().join(&item.partial);
                    current = Some((index, Growing::open(&path, item.size)?));
                }
                (Message::Data(at, bytes), Some((_, file))) => {
                    let new = write(file, at, &bytes)?;
                    self.bytes_written += new;
                    job.advanced(self.id, new);
                }
                (Message::End(End::Wrong), Some((_, file))) => {
                    let path = file.file().path();
                    fs_err::remove_file(path).map_err(StoreError::io("remove", path))?;
                    current = None;
                }
                (Message::End(end), Some((index, _))) => {
                    if end == End::Whole {
                        self.ready.insert(*index);
                    }
                    unsynced.add(current.take().map(|(_, file)| file))?;
                }
                (Message::Data(..) | Message::End(_), None) => {}
            }
            self.writing += begun.elapsed();
        }
        let begun = Instant::now();
        // The reader was stopped in the middle of an item: what is there of it is kept.
        unsynced.add(current.take().map(|(_, file)| file))?;
        unsynced.sync()?;
        self.writing += begun.elapsed();
        Ok(())
    }
}

/// Writes the part of `bytes`, which begin at `at`, that the file does not have yet; how much that was.
fn write(file: &mut Growing, at: u64, bytes: &Bytes) -> Result<u64, StoreError> {
    let have = usize::try_from(file.written().saturating_sub(at)).unwrap_or(usize::MAX);
    if have >= bytes.len() {
        return Ok(0);
    }
    let new = bytes.slice(have..);
    file.write(std::slice::from_ref(&new))?;
    file.push_out()?;
    Ok(new.len() as u64)
}

/// Files that are written and not synced: their writeback runs while others are written.
#[derive(Debug, Default)]
struct Unsynced {
    files: Vec<Growing>,
    bytes: u64,
}

impl Unsynced {
    fn add(&mut self, file: Option<Growing>) -> Result<(), StoreError> {
        let Some(mut file) = file else { return Ok(()) };
        file.start_writeback();
        self.bytes += file.size();
        self.files.push(file);
        if self.files.len() >= UNSYNCED_FILES || self.bytes >= UNSYNCED_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        for mut file in self.files.drain(..) {
            file.sync()?;
        }
        self.bytes = 0;
        Ok(())
    }
}
