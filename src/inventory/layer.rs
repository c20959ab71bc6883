//! Reading a layer while it arrives: blob stream → bounded channel → hash → decompress → tar, never whole in memory or on disk.
//!
//! The channel is `io::pipe`'s. The layer is read to its end even when the reader has found what it wants, because its digest can
//! be checked only then; a wrong digest outweighs what the reader made of the bytes. Wrong bytes are asked for once more, elsewhere.
//!
//! Layers are gzip, zstd or plain tar, told by their first bytes (media types are wrong often enough).

use std::io::{self, BufReader, Read};

use crate::io::pipe::{Hashing, Pipe, pipe, pump};
use crate::io::unpack::decompressed;
use crate::oci::{BlobRequest, BlobStream, Descriptor, Digest, Reference};
use crate::oci::{SourceError, SourceErrorKind};

use super::InventoryError;
use super::session::Session;

/// zstd frames may ask for any window. 64 MiB is more than any level but `--ultra` asks for, and fits the memory we may use.
const ZSTD_WINDOW_LOG: u32 = 26;

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
    let (feed, pipe) = pipe();
    let digest = layer.digest.clone();
    let reader = tokio::task::spawn_blocking(move || consume(pipe, &digest, &visit));
    let name = layer.digest.to_string();
    let item = (session.next_item(), name.as_str(), layer.size);
    pump(stream, feed, item, |event| session.report(event)).await;
    match reader.await {
        Ok(result) => result,
        Err(error) => Err(Failure::Content(format!("the reader stopped: {error}"))),
    }
}

fn consume<T>(
    pipe: Pipe,
    expected: &Digest,
    visit: &dyn Fn(&mut dyn Read) -> io::Result<T>,
) -> Result<T, Failure> {
    let stored = Hashing::new(pipe, expected.algorithm());
    let mut raw = BufReader::with_capacity(64 << 10, stored);
    let outcome = decompressed(&mut raw, ZSTD_WINDOW_LOG).and_then(|mut tar| visit(&mut *tar));
    let drained = io::copy(&mut raw, &mut io::sink());
    let (pipe, found, _) = raw.into_inner().finish();
    if let Some(error) = pipe.failed {
        return Err(Failure::Source(error));
    }
    if drained.is_err() || found != *expected {
        return Err(Failure::Digest);
    }
    outcome.map_err(|e| Failure::Content(e.to_string()))
}
