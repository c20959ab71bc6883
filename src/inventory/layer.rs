//! Reading a layer while it arrives: blob stream → bounded channel → hash → decompress → tar, never whole in memory or on disk.
//!
//! The network side is async, the reading side blocks: a task pushes chunks into a channel of [`CHANNEL_CHUNKS`], a blocking
//! thread reads them. The layer is read to its end even when the reader has found what it wants, because its digest can
//! be checked only then; a wrong digest outweighs what the reader made of the bytes. Wrong bytes are asked for once more, elsewhere.
//!
//! Layers are gzip, zstd or plain tar, told by their first bytes (media types are wrong often enough).

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::oci::{BlobRequest, BlobStream, Descriptor, Digest, Hasher, Reference};
use crate::oci::{SourceError, SourceErrorKind};
use crate::progress::Event;

use super::InventoryError;
use super::session::Session;

/// Chunks between network and parser: enough to keep both busy, a few hundred KiB at most with usual chunk sizes.
const CHANNEL_CHUNKS: usize = 8;

/// zstd frames may ask for any window. 64 MiB is more than any level but `--ultra` asks for, and fits the memory we may use.
const ZSTD_WINDOW_LOG: u32 = 26;

type Chunk = Result<Bytes, SourceError>;

/// Reads a layer through `visit`, which gets the decompressed tar stream and may be called twice (from the start).
///
/// # Errors
/// The source fails, the digest is wrong, or `visit` fails on bytes that are right.
pub(super) async fn read<T, F>(
    session: &Session<'_>,
    image: &Reference,
    layer: &Descriptor,
    visit: F,
) -> Result<T, InventoryError>
where
    T: Send + 'static,
    F: Fn(&mut dyn Read) -> io::Result<T> + Clone + Send + 'static,
{
    let mut avoid = Vec::new();
    loop {
        let request = BlobRequest {
            image,
            digest: &layer.digest,
            size: layer.size,
            offset: 0,
            avoid: &avoid,
        };
        let stream = session.services.source.blob(request).await?;
        let endpoint = stream.endpoint.clone();
        match attempt(session, layer, stream, visit.clone()).await {
            Ok(value) => return Ok(value),
            Err(Failure::Digest) if avoid.is_empty() => avoid.push(endpoint),
            Err(failure) => return Err(failure.at(image, layer, &endpoint)),
        }
    }
}

enum Failure {
    Source(SourceError),
    Digest,
    Content(String),
}

impl Failure {
    fn at(self, image: &Reference, layer: &Descriptor, endpoint: &str) -> InventoryError {
        match self {
            Self::Source(error) => error.into(),
            Self::Digest => SourceError::new(
                SourceErrorKind::Digest,
                format!("layer {} of {image}", layer.digest),
                format!("wrong bytes from {endpoint}"),
            )
            .into(),
            Self::Content(detail) => InventoryError::Layer {
                image: image.to_string(),
                digest: layer.digest.to_string(),
                detail,
            },
        }
    }
}

async fn attempt<T, F>(
    session: &Session<'_>,
    layer: &Descriptor,
    stream: BlobStream,
    visit: F,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Fn(&mut dyn Read) -> io::Result<T> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel::<Chunk>(CHANNEL_CHUNKS);
    let digest = layer.digest.clone();
    let reader = tokio::task::spawn_blocking(move || consume(receiver, &digest, &visit));
    pump(session, layer, stream, sender).await;
    match reader.await {
        Ok(result) => result,
        Err(error) => Err(Failure::Content(format!("the reader stopped: {error}"))),
    }
}

/// Moves chunks until the stream ends or nobody listens any more.
async fn pump(
    session: &Session<'_>,
    layer: &Descriptor,
    mut stream: BlobStream,
    sender: mpsc::Sender<Chunk>,
) {
    let id = session.next_item();
    let name = layer.digest.to_string();
    session.report(Event::Started {
        id,
        name: &name,
        size: Some(layer.size),
    });
    while let Some(chunk) = stream.body.next().await {
        let bytes = chunk.as_ref().map_or(0, |c| c.len() as u64);
        if let Err(error) = &chunk {
            let reason = error.to_string();
            session.report(Event::Failed {
                id,
                reason: &reason,
            });
            // The reader learns of it, or has gone already.
            let _ = sender.send(chunk).await;
            return;
        }
        if sender.send(chunk).await.is_err() {
            break;
        }
        session.report(Event::Advanced { id, bytes });
    }
    session.report(Event::Finished { id });
}

fn consume<T>(
    receiver: mpsc::Receiver<Chunk>,
    expected: &Digest,
    visit: &dyn Fn(&mut dyn Read) -> io::Result<T>,
) -> Result<T, Failure> {
    let mut raw = BufReader::with_capacity(64 << 10, ChannelReader::new(receiver, expected));
    let outcome = decompress(&mut raw).and_then(|mut tar| visit(&mut *tar));
    let drained = io::copy(&mut raw, &mut io::sink());
    let reader = raw.into_inner();
    if let Some(error) = reader.failed {
        return Err(Failure::Source(error));
    }
    if drained.is_err() || reader.hasher.finish() != *expected {
        return Err(Failure::Digest);
    }
    outcome.map_err(|e| Failure::Content(e.to_string()))
}

/// The blocking end of the channel; hashes what passes.
struct ChannelReader {
    receiver: mpsc::Receiver<Chunk>,
    current: Bytes,
    hasher: Hasher,
    failed: Option<SourceError>,
}

impl ChannelReader {
    fn new(receiver: mpsc::Receiver<Chunk>, expected: &Digest) -> Self {
        Self {
            receiver,
            current: Bytes::new(),
            hasher: Hasher::new(expected.algorithm()),
            failed: None,
        }
    }
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Ok(chunk)) => {
                    self.hasher.update(&chunk);
                    self.current = chunk;
                }
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
        bytes::Buf::advance(&mut self.current, count);
        Ok(count)
    }
}

fn decompress<'a>(raw: &'a mut BufReader<ChannelReader>) -> io::Result<Box<dyn Read + 'a>> {
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
