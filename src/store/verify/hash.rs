//! One pass over one file: digest, and for layers the digest of what they decompress to.

use std::io::{self, BufReader, Read};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::{Item, Problem, unreadable};
use crate::io::unpack::{LARGEST_WINDOW_LOG, decompressed};
use crate::oci::{Algorithm, Digest, Hasher};

/// Bytes per read: the kernel's read-ahead for sequential files, so that the disk works on the next piece while this core hashes
/// one that is still in its cache. Asking for more with `WILLNEED` doubled the time in the kernel and gained nothing.
const CHUNK: usize = 256 << 10;

/// How much is given back to the page cache at once: a disk that is larger than memory must not push everything else out.
const WINDOW: u64 = 8 << 20;

/// Hashes a file; with `item.decode` gives the diff id too.
pub(super) fn check(
    path: &Path,
    item: &Item,
    buffer: &mut Vec<u8>,
    advance: &mut dyn FnMut(u64),
) -> Result<Option<Digest>, Problem> {
    let file = fs_err::File::open(path).map_err(|e| unreadable(&e))?;
    let mut raw = Sequential {
        file,
        hasher: Hasher::new(item.digest.algorithm()),
        offset: 0,
        failed: None,
        advance,
    };
    // Advice is only advice: a file system that refuses it is read all the same.
    let _ = fadvise(raw.file.file(), 0, None, Advice::Sequential);
    let wanted = usize::try_from(item.size).unwrap_or(CHUNK).clamp(1, CHUNK);
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let decoded = item.decode.then(|| diff_id(&mut raw, buffer));
    let drained = drain(&mut raw, buffer, |_| {});
    if let Some(reason) = raw
        .failed
        .take()
        .or_else(|| drained.err().map(|e| e.to_string()))
    {
        return Err(Problem::Unreadable { reason });
    }
    let found = raw.hasher.finish();
    if found != item.digest {
        return Err(Problem::WrongDigest { found });
    }
    decoded.transpose().map_err(|e| Problem::Undecodable {
        reason: e.to_string(),
    })
}

fn diff_id(raw: &mut dyn Read, buffer: &mut [u8]) -> io::Result<Digest> {
    let raw = BufReader::with_capacity(CHUNK, raw);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut content = decompressed(raw, LARGEST_WINDOW_LOG)?;
    drain(&mut *content, buffer, |bytes| hasher.update(bytes))?;
    drop(content);
    Ok(hasher.finish())
}

fn drain(from: &mut dyn Read, buffer: &mut [u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    loop {
        match from.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => each(buffer.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A file that hashes what passes and leaves nothing in the page cache.
struct Sequential<'a> {
    file: fs_err::File,
    hasher: Hasher,
    offset: u64,
    /// The first read error, kept apart from what a decompressor makes of it.
    failed: Option<String>,
    advance: &'a mut dyn FnMut(u64),
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.file.file().read(buffer) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                self.failed.get_or_insert_with(|| e.to_string());
                return Err(e);
            }
        };
        let end = self.offset + count as u64;
        let window = self.offset / WINDOW;
        if count == 0 || window != end / WINDOW {
            let length = std::num::NonZeroU64::new(WINDOW);
            let _ = fadvise(self.file.file(), window * WINDOW, length, Advice::DontNeed);
        }
        self.offset = end;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        (self.advance)(count as u64);
        Ok(count)
    }
}
