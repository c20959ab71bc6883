//! The layer while it arrives: blob stream → bounded channel → hash → gunzip → hash → reader, never whole in memory or on disk.
//!
//! The network side is async, the reading side blocks on a thread of its own; the channel between them holds
//! [`CHANNEL_CHUNKS`] chunks.

use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::oci::{
    Algorithm, BlobRequest, BlobStream, Descriptor, Digest, Hasher, ImageSource, Reference,
    SourceError,
};
use crate::progress::{Event, Reporter};
use crate::seed::error::Error;

const CHANNEL_CHUNKS: usize = 8;
/// A frame may ask for any window; 64 MiB is more than any level but `--ultra` asks for.
const ZSTD_WINDOW_LOG: u32 = 26;

/// What came of a layer.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    /// What the reader made of it.
    pub(super) value: io::Result<T>,
    /// Digest of the stored bytes; `None` when it was not read to its end.
    pub(super) digest: Option<Digest>,
    /// Digest and size of the uncompressed bytes, under the same condition.
    pub(super) unpacked: Option<(Digest, u64)>,
}

/// Reads a layer through `visit`, which gets it uncompressed. With `whole` the rest is read too, for the digests; without it the
/// transfer ends when `visit` is done.
///
/// # Errors
/// The source fails.
pub(super) async fn read<T, F>(
    source: &dyn ImageSource,
    (image, layer): (&Reference, &Descriptor),
    reporter: &dyn Reporter,
    whole: bool,
    visit: F,
) -> Result<Outcome<T>, Error>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
{
    let request = BlobRequest {
        image,
        digest: &layer.digest,
        size: layer.size,
        offset: 0,
        avoid: &[],
    };
    let stream = source.blob(request).await?;
    let (sender, receiver) = mpsc::channel(CHANNEL_CHUNKS);
    let algorithm = layer.digest.algorithm();
    let reader = tokio::task::spawn_blocking(move || consume(receiver, algorithm, whole, visit));
    let name = layer.digest.to_string();
    pump(reporter, (&name, layer.size), stream, sender).await;
    let stopped = |e: tokio::task::JoinError| Error::Image {
        image: image.to_string(),
        reason: format!("the reader stopped: {e}"),
    };
    Ok(reader.await.map_err(stopped)??)
}

type Chunk = Result<Bytes, SourceError>;

/// Moves chunks until the stream ends or nobody listens any more.
async fn pump(
    reporter: &dyn Reporter,
    (name, size): (&str, u64),
    mut stream: BlobStream,
    sender: mpsc::Sender<Chunk>,
) {
    let size = Some(size);
    reporter.report(Event::Started { id: 0, name, size });
    while let Some(chunk) = stream.body.next().await {
        let bytes = chunk.as_ref().map_or(0, |c| c.len() as u64);
        if let Err(error) = &chunk {
            let reason = error.to_string();
            let reason = reason.as_str();
            reporter.report(Event::Failed { id: 0, reason });
            // The reader learns of it, or has gone already.
            let _ = sender.send(chunk).await;
            return;
        }
        if sender.send(chunk).await.is_err() {
            break;
        }
        reporter.report(Event::Advanced { id: 0, bytes });
    }
    reporter.report(Event::Finished { id: 0 });
}

fn consume<T>(
    receiver: mpsc::Receiver<Chunk>,
    algorithm: Algorithm,
    whole: bool,
    visit: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<Outcome<T>, SourceError> {
    let stored = Hashing::new(Channel::new(receiver), algorithm);
    let mut raw = BufReader::with_capacity(64 << 10, stored);
    let (value, unpacked) = unpacked(&mut raw, whole, visit);
    let drained = whole && io::copy(&mut raw, &mut io::sink()).is_ok();
    let stored = raw.into_inner();
    if let Some(error) = stored.inner.failed {
        return Err(error);
    }
    Ok(Outcome {
        value,
        digest: drained.then(|| stored.hasher.finish()),
        unpacked,
    })
}

fn unpacked<T>(
    raw: &mut dyn BufRead,
    whole: bool,
    visit: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> (io::Result<T>, Option<(Digest, u64)>) {
    let plain = decompressed(raw);
    let mut reader = match plain {
        Ok(reader) => Hashing::new(reader, Algorithm::Sha256),
        Err(error) => return (Err(error), None),
    };
    let value = visit(&mut reader);
    if !whole {
        return (value, None);
    }
    match io::copy(&mut reader, &mut io::sink()) {
        Ok(_) => (value, Some((reader.hasher.finish(), reader.count))),
        // The reader's own complaint says more.
        Err(error) => (value.and(Err(error)), None),
    }
}

/// By the first bytes: gzip, which podman pushes unless told otherwise, zstd, or no compression.
fn decompressed<'a>(raw: &'a mut dyn BufRead) -> io::Result<Box<dyn Read + 'a>> {
    let start = raw.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(raw)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(raw))
}

/// Hashes and counts what passes.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    count: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
            count: 0,
        }
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

/// The blocking end of the channel.
struct Channel {
    receiver: mpsc::Receiver<Chunk>,
    current: Bytes,
    failed: Option<SourceError>,
}

impl Channel {
    fn new(receiver: mpsc::Receiver<Chunk>) -> Self {
        Self {
            receiver,
            current: Bytes::new(),
            failed: None,
        }
    }
}

impl Read for Channel {
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
