//! One pass over one file: digest, and for layers the digest of what they decompress to.

use std::io::{self, BufReader, Read};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::{Item, Problem, unreadable};
use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::read::decompressed;

/// Bytes per read: fits the second-level cache, so that the hash does not wait for memory.
const CHUNK: usize = 1 << 20;

/// How far the kernel is asked to read ahead, and how much is given back at once: the disk works while this core hashes.
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
    let mut content = decompressed(raw)?;
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

/// A file that hashes what passes, reads ahead, and leaves no trace in the page cache.
struct Sequential<'a> {
    file: fs_err::File,
    hasher: Hasher,
    offset: u64,
    /// The first read error, kept apart from what a decompressor makes of it.
    failed: Option<String>,
    advance: &'a mut dyn FnMut(u64),
}

impl Sequential<'_> {
    fn advise(&self, offset: u64, advice: Advice) {
        let length = std::num::NonZeroU64::new(WINDOW);
        let _ = fadvise(self.file.file(), offset, length, advice);
    }
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset == 0 {
            self.advise(0, Advice::WillNeed);
        }
        let count = match self.file.file().read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                self.failed.get_or_insert_with(|| e.to_string());
                return Err(e);
            }
            Ok(count) => count as u64,
        };
        let (before, after) = (self.offset / WINDOW, (self.offset + count) / WINDOW);
        if before == 0 && self.offset == 0 || before != after {
            self.advise((after + 1) * WINDOW, Advice::WillNeed);
        }
        if before != after {
            self.advise(before * WINDOW, Advice::DontNeed);
        } else if count == 0 {
            self.advise(after * WINDOW, Advice::DontNeed);
        }
        self.offset += count;
        let count = usize::try_from(count).unwrap_or(buffer.len());
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        (self.advance)(count as u64);
        Ok(count)
    }
}
