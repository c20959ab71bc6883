//! The image is read once, hashed, and handed to every disk.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::{Bytes, BytesMut};
use rustix::fs::{Advice, fadvise};

use super::lane::Lane;
use super::source::{Piece, Source};
use super::{CHUNK, Job};
use crate::disk::error::DiskError;
use crate::oci::{Algorithm, Digest, Hasher};

/// Chunks that a disk may be behind: covers a sync of one while the others go on. They are shared: this is the memory for all.
const DEPTH: usize = 48;
/// A hole is handed out in pieces of so many bytes, so that progress is seen and a stop is noticed.
const HOLE: u64 = 64 << 20;

/// What a disk is told, in the order of offsets.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// Bytes from this offset on.
    Data(u64, Bytes),
    /// From this offset on so many zeros.
    Zeros(u64, u64),
    /// The image is at its end.
    End,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Of the whole image.
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// What comes last onto a disk.
    pub(super) head: Bytes,
}

/// Reads the image, while each disk writes on a thread of its own. `None`: stopped, or no disk is left.
pub(super) fn run(
    source: &Source,
    lanes: &mut [Lane],
    job: &Job<'_>,
) -> Result<Option<Read>, DiskError> {
    let head = head(source)?;
    std::thread::scope(|scope| {
        let mut queues = Vec::new();
        for lane in lanes.iter_mut().filter(|lane| lane.is_at_work()) {
            let (queue, receiver) = sync_channel(DEPTH);
            let head = head.clone();
            scope.spawn(move || lane.take(&head, &receiver, job));
            queues.push(Some(queue));
        }
        let mut feed = Feed {
            source,
            queues,
            hasher: Hasher::new(Algorithm::Sha256),
            pool: VecDeque::new(),
            job,
        };
        feed.hasher.update(&head);
        let whole = feed.all(head.len() as u64)?;
        let digest = feed.hasher.finish();
        let size = source.size;
        Ok(whole.then_some(Read { digest, size, head }))
    })
}

fn head(source: &Source) -> Result<Bytes, DiskError> {
    let length = usize::try_from(CHUNK.min(source.size)).unwrap_or_default();
    let mut head = vec![0; length];
    let read = source.file.file().read_exact_at(&mut head, 0);
    read.map_err(DiskError::io("read", &source.path))?;
    Ok(head.into())
}

struct Feed<'a> {
    source: &'a Source,
    /// `None`: that disk has failed.
    queues: Vec<Option<SyncSender<Message>>>,
    hasher: Hasher,
    pool: VecDeque<Bytes>,
    job: &'a Job<'a>,
}

impl Feed<'_> {
    /// Everything from `at` on; `false` when it was stopped.
    fn all(&mut self, mut at: u64) -> Result<bool, DiskError> {
        let zeros = vec![0; usize::try_from(CHUNK).unwrap_or_default()];
        while at < self.source.size {
            let piece = self.source.piece(at)?;
            while at < piece.end {
                if (self.job.stop)() || self.queues.iter().all(Option::is_none) {
                    return Ok(false);
                }
                at = if piece.is_hole {
                    self.hole(at, piece, &zeros)
                } else {
                    self.data(at, piece)?
                };
            }
        }
        self.send(&Message::End);
        Ok(true)
    }

    fn hole(&mut self, at: u64, piece: Piece, zeros: &[u8]) -> u64 {
        let end = piece.end.min(at + HOLE);
        let mut left = end - at;
        while left > 0 {
            let some = zeros.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.hasher.update(zeros.get(..some).unwrap_or_default());
            left -= some as u64;
        }
        self.send(&Message::Zeros(at, end - at));
        end
    }

    fn data(&mut self, at: u64, piece: Piece) -> Result<u64, DiskError> {
        let length = CHUNK.min(piece.end - at);
        let mut chunk = self.buffer();
        chunk.resize(usize::try_from(length).unwrap_or_default(), 0);
        let file = self.source.file.file();
        let read = file.read_exact_at(&mut chunk, at);
        read.map_err(DiskError::io("read", &self.source.path))?;
        // Advice is only advice: a file system that refuses it is read all the same.
        let _ = fadvise(file, at, NonZeroU64::new(length), Advice::DontNeed);
        self.hasher.update(&chunk);
        let chunk = chunk.freeze();
        self.send(&Message::Data(at, chunk.clone()));
        self.pool.push_back(chunk);
        Ok(at + length)
    }

    /// A buffer that every disk is done with, or a new one.
    fn buffer(&mut self) -> BytesMut {
        match self.pool.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(buffer)) => buffer,
            Some(Err(in_use)) => {
                self.pool.push_front(in_use);
                BytesMut::new()
            }
            None => BytesMut::new(),
        }
    }

    /// Waits for each that is too far behind.
    fn send(&mut self, message: &Message) {
        for queue in &mut self.queues {
            let sent = queue.as_ref().map(|queue| queue.send(message.clone()));
            if sent.is_some_and(|sent| sent.is_err()) {
                *queue = None;
            }
        }
    }
}
