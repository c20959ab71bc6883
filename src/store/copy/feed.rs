//! The source: every item is read once, hashed, and handed to each lane that lacks it.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::{Bytes, BytesMut};
use rustix::fs::{Advice, fadvise};

use super::Job;
use super::lane::{End, Lane, Message};
use super::plan::Need;
use super::report::Refused;
use super::survey::{Item, Kind, Survey};
use crate::oci::{Algorithm, Digest, Hasher};

/// Bytes per read: large enough for the read-ahead of a USB disk and for one write.
const CHUNK: usize = 1 << 20;

/// Chunks that a lane may be behind: covers a sync of one lane while the others go on. The chunks are shared, so that this
/// is the memory for all lanes together.
const DEPTH: usize = 48;

/// The source while the copy runs.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) survey: Survey,
    pub(super) bytes: u64,
    /// What the files that have no digest in their name were found to be.
    found: BTreeMap<usize, Digest>,
    /// Items that cannot be had, and why.
    refused: BTreeMap<usize, String>,
    pool: VecDeque<Bytes>,
}

/// The reader's end of a lane.
struct Feed {
    queue: SyncSender<Message>,
    needs: Vec<Need>,
    hung_up: bool,
}

impl Read {
    pub(super) fn of(survey: Survey) -> Self {
        Self {
            survey,
            bytes: 0,
            found: BTreeMap::new(),
            refused: BTreeMap::new(),
            pool: VecDeque::new(),
        }
    }

    /// What an item must hash to; `None` for a file that was not read.
    pub(super) fn digest(&self, index: usize) -> Option<&Digest> {
        match &self.survey.items.get(index)?.kind {
            Kind::Blob(digest) => Some(digest),
            Kind::File { .. } => self.found.get(&index),
        }
    }

    /// What was refused, in order of path.
    pub(super) fn refused_items(&self) -> Vec<Refused> {
        let items = self.refused.iter().filter_map(|(index, reason)| {
            let item = self.survey.items.get(*index)?;
            Some(Refused {
                path: item.path.clone(),
                images: self.survey.users(item),
                reason: reason.clone(),
            })
        });
        let mut all: Vec<_> = items.chain(self.survey.refused.iter().cloned()).collect();
        all.sort();
        all
    }

    /// Reads what lanes lack, while each writes on a thread of its own.
    pub(super) fn copy(&mut self, lanes: &mut [Lane], job: &Job<'_>) {
        // Out of `self` for the time that the lanes borrow it.
        let items = std::mem::take(&mut self.survey.items);
        std::thread::scope(|scope| {
            let alive = lanes.iter_mut().filter(|lane| lane.is_alive());
            let start = |lane: &mut Lane| {
                let (sender, receiver) = sync_channel(DEPTH);
                let needs = lane.needs.clone();
                (sender, receiver, needs)
            };
            let mut feeds = Vec::new();
            for lane in alive {
                let (queue, receiver, needs) = start(lane);
                let items = items.as_slice();
                scope.spawn(move || lane.write(items, &receiver, job));
                feeds.push(Feed {
                    queue,
                    needs,
                    hung_up: false,
                });
            }
            self.read_all(&items, &mut feeds, job);
        });
        self.survey.items = items;
        for (need, index) in lanes
            .iter_mut()
            .flat_map(|lane| lane.needs.iter_mut().zip(0..))
        {
            if *need != Need::There && self.refused.contains_key(&index) {
                *need = Need::Lost;
            }
        }
        self.pool.clear();
    }

    fn read_all(&mut self, items: &[Item], feeds: &mut [Feed], job: &Job<'_>) {
        for (index, item) in items.iter().enumerate() {
            let mut wanting = Wanting::new(feeds, index);
            let Some(from) = wanting.lowest() else {
                continue;
            };
            wanting.send(&Message::Begin(index));
            // Whole everywhere already, left by an earlier run: reading it back tells whether it is right.
            let known = matches!(item.kind, Kind::Blob(_));
            if known && item.size > 0 && from == item.size {
                wanting.send(&Message::End(End::Whole));
                continue;
            }
            match self.read_one(item, &mut wanting, job) {
                Ok(None) => return,
                Ok(Some(found)) => {
                    let end = self.judge(index, item, found);
                    wanting.send(&Message::End(end));
                }
                Err(error) => {
                    self.refused.insert(index, error.to_string());
                    wanting.send(&Message::End(End::Cut));
                }
            }
            if feeds.iter().all(|feed| feed.hung_up) {
                return;
            }
        }
    }

    fn judge(&mut self, index: usize, item: &Item, found: Digest) -> End {
        match &item.kind {
            Kind::Blob(digest) if *digest != found => {
                let reason = format!("its bytes have digest {found}");
                self.refused.insert(index, reason);
                End::Wrong
            }
            Kind::Blob(_) => End::Whole,
            Kind::File { .. } => {
                self.found.insert(index, found);
                End::Whole
            }
        }
    }

    /// Its digest; `None` when it was stopped.
    fn read_one(
        &mut self,
        item: &Item,
        wanting: &mut Wanting<'_>,
        job: &Job<'_>,
    ) -> std::io::Result<Option<Digest>> {
        let path = self.survey.source.root().join(&item.path);
        let mut file = fs_err::File::open(&path)?;
        same_size(&path, file.metadata()?.len(), item.size)?;
        // Advice is only advice: a file system that refuses it is read all the same.
        let _ = fadvise(file.file(), 0, None, Advice::Sequential);
        let algorithm = match &item.kind {
            Kind::Blob(digest) => digest.algorithm(),
            Kind::File { .. } => Algorithm::Sha256,
        };
        let mut hasher = Hasher::new(algorithm);
        let mut at = 0;
        while at < item.size {
            if (job.stop)() || wanting.is_empty() {
                return Ok(None);
            }
            let left = usize::try_from(item.size - at).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = self.buffer();
            chunk.resize(left, 0);
            if let Err(error) = file.read_exact(&mut chunk) {
                same_size(&path, file.metadata()?.len(), item.size)?;
                return Err(error);
            }
            hasher.update(&chunk);
            let chunk = chunk.freeze();
            wanting.send(&Message::Data(at, chunk.clone()));
            self.pool.push_back(chunk);
            let _ = fadvise(
                file.file(),
                at,
                NonZeroU64::new(left as u64),
                Advice::DontNeed,
            );
            at += left as u64;
            self.bytes += left as u64;
        }
        Ok(Some(hasher.finish()))
    }

    /// A buffer that every lane is done with, or a new one.
    fn buffer(&mut self) -> BytesMut {
        match self.pool.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(buffer)) => buffer,
            Some(Err(in_use)) => {
                self.pool.push_front(in_use);
                BytesMut::with_capacity(CHUNK)
            }
            None => BytesMut::with_capacity(CHUNK),
        }
    }
}

fn same_size(path: &Path, found: u64, expected: u64) -> std::io::Result<()> {
    if found == expected {
        return Ok(());
    }
    let what = format!("{} has {found} bytes instead of {expected}", path.display());
    Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what))
}

/// The feeds that lack one item.
struct Wanting<'a> {
    feeds: Vec<&'a mut Feed>,
    index: usize,
}

impl<'a> Wanting<'a> {
    fn new(feeds: &'a mut [Feed], index: usize) -> Self {
        let lacks = |feed: &&mut Feed| {
            !feed.hung_up && matches!(feed.needs.get(index), Some(Need::From(_)))
        };
        Self {
            feeds: feeds.iter_mut().filter(lacks).collect(),
            index,
        }
    }

    fn is_empty(&self) -> bool {
        self.feeds.iter().all(|feed| feed.hung_up)
    }

    /// The first byte that one of them lacks.
    fn lowest(&self) -> Option<u64> {
        let from = |feed: &&mut Feed| match feed.needs.get(self.index) {
            Some(Need::From(from)) => Some(*from),
            _ => None,
        };
        self.feeds.iter().filter_map(from).min()
    }

    /// Waits for each that is too far behind.
    fn send(&mut self, message: &Message) {
        for feed in self.feeds.iter_mut().filter(|feed| !feed.hung_up) {
            feed.hung_up = feed.queue.send(message.clone()).is_err();
        }
    }
}
