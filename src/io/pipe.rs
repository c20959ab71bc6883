//! A blob on its way from the network to a reader: async stream → bounded channel → blocking [`Read`], never whole in memory.
//!
//! The network side is async, the reading side blocks on a thread of its own: [`pump`] moves the chunks of a stream into the channel,
//! a [`Pipe`] reads them. [`Hashing`] hashes in the same pass; nothing is judged here.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::oci::{Algorithm, BlobStream, Digest, Hasher, SourceError};
use crate::progress::Event;

/// Chunks between network and reader: enough to keep both busy, a few hundred KiB at most with usual chunk sizes.
const CHUNKS: usize = 8;

type Chunk = Result<Bytes, SourceError>;

/// The async end.
#[derive(Debug)]
pub struct Feed(mpsc::Sender<Chunk>);

/// The blocking end; must not be read on the async runtime.
#[derive(Debug)]
pub struct Pipe {
    receiver: mpsc::Receiver<Chunk>,
    current: Bytes,
    /// Why the stream ended early, where it did: the error that [`Read`] gives has only its text.
    pub failed: Option<SourceError>,
}

/// Both ends.
pub fn pipe() -> (Feed, Pipe) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let pipe = Pipe {
        receiver,
        current: Bytes::new(),
        failed: None,
    };
    (Feed(sender), pipe)
}

/// Moves chunks until the stream ends or nobody reads any more, and reports them as an item of that number, name and size in bytes.
pub async fn pump(
    mut stream: BlobStream,
    feed: Feed,
    (id, name, size): (u64, &str, u64),
    report: impl Fn(Event<'_>),
) {
    let size = Some(size);
    report(Event::Started { id, name, size });
    while let Some(chunk) = stream.body.next().await {
        let bytes = chunk.as_ref().map_or(0, |c| c.len() as u64);
        if let Err(error) = &chunk {
            let reason = error.to_string();
            let reason = reason.as_str();
            report(Event::Failed { id, reason });
            // The reader learns of it, or has gone already.
            let _ = feed.0.send(chunk).await;
            return;
        }
        if feed.0.send(chunk).await.is_err() {
            break;
        }
        report(Event::Advanced { id, bytes });
    }
    report(Event::Finished { id });
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Ok(chunk)) => self.current = chunk,
                Some(Err(error)) => {
                    let text = error.to_string();
                    self.failed = Some(error);
                    self.receiver.close();
                    return Err(io::Error::other(text));
                }
            }
        }
        let mut available = self.current.as_ref();
        let count = available.read(buffer)?;
        self.current.advance(count);
        Ok(count)
    }
}

/// Hashes and counts what passes.
#[derive(Debug)]
pub struct Hashing<R> {
    /// What is read from.
    pub inner: R,
    hasher: Hasher,
    count: u64,
}

impl<R> Hashing<R> {
    /// Before the first byte.
    pub fn new(inner: R, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
            count: 0,
        }
    }

    /// What was read from, the digest of what passed, and its size in bytes.
    pub fn finish(self) -> (R, Digest, u64) {
        (self.inner, self.hasher.finish(), self.count)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.count += count as u64;
        Ok(count)
    }
}
