//! The journal of a change in place: the bytes before and after, beside the ISO, until the change is done.
//!
//! ```text
//! @0 "SNOFORGE JOURNL1"   @16 size before (u64)   @24 size after (u64)   @32 regions (u32)
//! @36.. per region: offset (u64), length (u32), length before (u32), bytes before, bytes after       last 32 bytes: SHA-256
//! ```
//! All numbers little endian. `NAME` means "may be half done": the bytes before are put back. `NAME.done` means "done but for cutting the
//! end off". The bytes after only tell whether the ISO is the one that the journal is about. Mode 0600: configs are secret.

use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Target;
use crate::io::atomic::{PREFIX, sync_dir};
use crate::iso::changes::Plan;
use crate::iso::error::IsoError;
use crate::iso::source::{ReadAt, read};

const MAGIC: &[u8; 16] = b"SNOFORGE JOURNL1";

/// A journal that is on disk.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    done: bool,
    before: u64,
    after: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    offset: u64,
    /// What was there; shorter at the end of the ISO.
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Journal {
    /// Whether a journal of either kind is there.
    pub(super) fn is_at(path: &Path) -> bool {
        path.exists() || done(path).exists()
    }

    /// Makes the journal of a plan durable.
    pub(super) fn begin(source: &dyn ReadAt, plan: &Plan, path: &Path) -> Result<Self, IsoError> {
        let mut entries = Vec::new();
        // What lies behind the old end has no past: setting the size takes it back.
        for region in plan.regions.iter().filter(|r| r.offset < plan.old_size) {
            let length = region.end().min(plan.old_size) - region.offset;
            entries.push(Entry {
                offset: region.offset,
                old: read(source, region.offset, length)?,
                new: region.contents.clone(),
            });
        }
        let journal = Self {
            path: path.to_owned(),
            done: false,
            before: plan.old_size,
            after: plan.new_size,
            entries,
        };
        journal.store().map_err(|source| IsoError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(journal)
    }

    fn store(&self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(directory)?;
        let mut file = NamedTempFile::with_prefix_in(PREFIX, directory)?;
        file.write_all(&self.encode())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|e| e.error)?;
        sync_dir(directory)
    }

    fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mut out = MAGIC.to_vec();
        out.extend(self.before.to_le_bytes());
        out.extend(self.after.to_le_bytes());
        out.extend(count.to_le_bytes());
        for entry in &self.entries {
            out.extend(entry.offset.to_le_bytes());
            for part in [&entry.new, &entry.old] {
                out.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            }
            out.extend(&entry.old);
            out.extend(&entry.new);
        }
        out.extend(Sha256::digest(&out));
        out
    }

    /// Reads a journal; none when there is none.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, IsoError> {
        let failed = |source| IsoError::Open {
            path: path.to_owned(),
            source,
        };
        for (file, done) in [(done(path), true), (path.to_owned(), false)] {
            match fs_err::read(&file) {
                Ok(bytes) => {
                    let wrong = || failed(io::Error::other("it is no journal of snoforge"));
                    let mut journal = Self::decode(&bytes).ok_or_else(wrong)?;
                    (journal.path, journal.done) = (path.to_owned(), done);
                    return Ok(Some(journal));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(None)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, digest) = bytes.split_last_chunk::<32>()?;
        if Sha256::digest(body).as_slice() != digest {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?;
        let (before, after) = (u64_of(&mut rest)?, u64_of(&mut rest)?);
        let mut entries = Vec::new();
        for _ in 0..u32_of(&mut rest)? {
            let offset = u64_of(&mut rest)?;
            let (new, old) = (u32_of(&mut rest)?, u32_of(&mut rest)?);
            let old = part(&mut rest, old)?.to_vec();
            let new = part(&mut rest, new)?.to_vec();
            entries.push(Entry { offset, old, new });
        }
        Some(Self {
            path: PathBuf::new(),
            done: false,
            before,
            after,
            entries,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the ISO is the one of this journal: everywhere it has the bytes before or those after.
    pub(super) fn describes(&self, source: &dyn ReadAt) -> Result<bool, IsoError> {
        let size = source.size();
        let sized = (self.before.min(self.after)..=self.before.max(self.after)).contains(&size);
        if !sized && !source.is_device() {
            return Ok(false);
        }
        for Entry { offset, old, new } in &self.entries {
            let length = (old.len() as u64).min(size.saturating_sub(*offset));
            // A cut end cannot tell anything.
            if length == 0 {
                continue;
            }
            let found = read(source, *offset, length)?;
            let known = std::iter::zip(old, new);
            if std::iter::zip(&found, known).any(|(byte, (old, new))| byte != old && byte != new) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the bytes before back, or cuts the end of a change that is done.
    pub(super) fn roll_back(&self, target: &dyn Target) -> io::Result<()> {
        if self.done {
            target.set_len(self.after)?;
            return target.sync();
        }
        for Entry { offset, old, .. } in &self.entries {
            // A medium that takes no writes has nothing to be taken back.
            let mut now = vec![0; old.len()];
            if target.read_exact_at(*offset, &mut now).is_err() || now != *old {
                target.write_all_at(old, *offset)?;
            }
        }
        target.set_len(self.before)?;
        target.sync()
    }

    /// From here on the change is not taken back.
    pub(super) fn commit(&self) -> Result<(), IsoError> {
        self.durable(|| fs_err::rename(&self.path, done(&self.path)))
    }

    /// Removes the journal.
    pub(super) fn end(self) -> Result<(), IsoError> {
        self.durable(|| discard(&self.path))
    }

    fn durable(&self, change: impl FnOnce() -> io::Result<()>) -> Result<(), IsoError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        change()
            .and_then(|()| sync_dir(directory))
            .map_err(|source| IsoError::Write {
                path: self.path.clone(),
                source,
            })
    }
}

/// Removes a journal of either kind, if there is one.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    for path in [path.to_owned(), done(path)] {
        match fs_err::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn done(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.extend(b".done");
    PathBuf::from(std::ffi::OsStr::from_bytes(&name))
}

fn part<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    rest.split_off(..usize::try_from(length).ok()?)
}

fn u32_of(rest: &mut &[u8]) -> Option<u32> {
    let (number, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*number))
}

fn u64_of(rest: &mut &[u8]) -> Option<u64> {
    let (number, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*number))
}
