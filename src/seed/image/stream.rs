//! The layer while it arrives: blob stream → bounded channel → hash → gunzip → hash → reader, never whole in memory or on disk.
//!
//! The channel is `io::pipe`'s.

use std::io::{self, BufRead, BufReader, Read};

use crate::io::pipe::{Hashing, Pipe, pipe, pump};
use crate::io::unpack::decompressed;
use crate::oci::{Algorithm, BlobRequest, Descriptor, Digest, ImageSource, Reference, SourceError};
use crate::progress::Reporter;
use crate::seed::error::Error;

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

/// Reads a layer through `visit`, which gets it uncompressed. With `whole` the rest is read too, for the digests; without it, and
/// when `visit` fails, the transfer ends when `visit` is done.
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
    let (feed, pipe) = pipe();
    let algorithm = layer.digest.algorithm();
    let reader = tokio::task::spawn_blocking(move || consume(pipe, algorithm, whole, visit));
    let name = layer.digest.to_string();
    let item = (0, name.as_str(), layer.size);
    pump(stream, feed, item, |event| reporter.report(event)).await;
    let stopped = |e: tokio::task::JoinError| Error::Image {
        image: image.to_string(),
        reason: format!("the reader stopped: {e}"),
    };
    Ok(reader.await.map_err(stopped)??)
}

fn consume<T>(
    pipe: Pipe,
    algorithm: Algorithm,
    whole: bool,
    visit: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<Outcome<T>, SourceError> {
    let stored = Hashing::new(pipe, algorithm);
    let mut raw = BufReader::with_capacity(64 << 10, stored);
    let (value, unpacked) = unpacked(&mut raw, whole, visit);
    let drained = whole && value.is_ok() && io::copy(&mut raw, &mut io::sink()).is_ok();
    let (pipe, digest, _) = raw.into_inner().finish();
    if let Some(error) = pipe.failed {
        return Err(error);
    }
    Ok(Outcome {
        value,
        digest: drained.then_some(digest),
        unpacked,
    })
}

fn unpacked<T>(
    raw: &mut dyn BufRead,
    whole: bool,
    visit: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> (io::Result<T>, Option<(Digest, u64)>) {
    let plain = decompressed(raw, ZSTD_WINDOW_LOG);
    let mut reader = match plain {
        Ok(reader) => Hashing::new(reader, Algorithm::Sha256),
        Err(error) => return (Err(error), None),
    };
    let value = visit(&mut reader);
    if !whole || value.is_err() {
        return (value, None);
    }
    match io::copy(&mut reader, &mut io::sink()) {
        Ok(_) => {
            let (_, digest, size) = reader.finish();
            (value, Some((digest, size)))
        }
        Err(error) => (Err(error), None),
    }
}
