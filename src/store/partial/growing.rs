//! A file that grows to a size known before: space reserved ahead, written in order, pushed out to the disk on the way.
//!
//! The file's length is what is written so far; what was reserved lies behind it. Nothing is hashed here.

use std::io::{self, IoSlice};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{Advice, FallocateFlags};

use crate::store::StoreError;

/// Smaller files are not worth the extra call: the file system's own delayed allocation places them well.
const RESERVE_FROM: u64 = 1 << 20;
/// Writeback is started each time this much is new, so that the last sync is short.
const WRITEBACK_EVERY: u64 = 16 << 20;
/// A file never has more than this unsynced: bounds what a crash of the machine loses and what Ctrl-C has to wait for.
const SYNC_EVERY: u64 = 128 << 20;
/// `IOV_MAX` of Linux.
const MAX_SLICES: usize = 1024;

/// The file, open for reading and writing.
#[derive(Debug)]
pub(in crate::store) struct Growing {
    file: fs_err::File,
    size: u64,
    written: u64,
    pushed: u64,
    synced: u64,
}

impl Growing {
    /// Opens or makes it and reserves its space. What is there counts as written; a file longer than `size` starts again.
    ///
    /// # Errors
    /// The file cannot be opened or reserved ([`StoreError::is_full`]).
    pub(in crate::store) fn open(path: &Path, size: u64) -> Result<Self, StoreError> {
        let file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StoreError::io("open", path))?;
        let there = file.metadata().map_err(StoreError::io("stat", path))?.len();
        let mut growing = Self {
            file,
            size,
            written: there,
            pushed: there,
            synced: 0,
        };
        if there > size {
            growing.restart()?;
        } else {
            growing.reserve()?;
        }
        Ok(growing)
    }

    /// Bytes written so far.
    pub(in crate::store) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that the whole has.
    pub(in crate::store) fn size(&self) -> u64 {
        self.size
    }

    /// The file itself; its position is at the start.
    pub(in crate::store) fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// The file itself.
    pub(in crate::store) fn into_file(self) -> fs_err::File {
        self.file
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// More bytes than the whole has, or a failing write.
    pub(in crate::store) fn write(&mut self, chunks: &[Bytes]) -> Result<(), StoreError> {
        let total: u64 = chunks.iter().map(|c| c.len() as u64).sum();
        if total > self.size - self.written {
            let past = io::Error::new(io::ErrorKind::InvalidData, "more bytes than declared");
            return Err(self.error("append to", past));
        }
        self.write_all(chunks)
            .map_err(|e| self.error("write", e.into()))?;
        self.written += total;
        Ok(())
    }

    fn write_all(&self, chunks: &[Bytes]) -> Result<(), rustix::io::Errno> {
        let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|c| IoSlice::new(c)).collect();
        let mut rest = &mut slices[..];
        let mut at = self.written;
        while !rest.is_empty() {
            let now = rest.get(..MAX_SLICES.min(rest.len())).unwrap_or_default();
            let done = match rustix::io::pwritev(&self.file, now, at) {
                Ok(0) if now.iter().any(|s| !s.is_empty()) => return Err(rustix::io::Errno::IO),
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            at += done as u64;
            IoSlice::advance_slices(&mut rest, done);
            if done == 0 {
                break; // only empty slices are left
            }
        }
        Ok(())
    }

    /// Starts writeback of what is new and drops what is on the disk already from the page cache. `DONTNEED` does both without
    /// waiting (`generic_fadvise` in the kernel); advice, so a file system that cannot is no error.
    ///
    /// # Errors
    /// A sync that was due fails.
    pub(in crate::store) fn push_out(&mut self) -> Result<(), StoreError> {
        if self.written - self.pushed >= WRITEBACK_EVERY {
            self.start_writeback();
        }
        if self.written - self.synced >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    /// Starts writeback of everything, without waiting.
    pub(in crate::store) fn start_writeback(&mut self) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
        self.pushed = self.written;
    }

    /// Throws away what is written and goes back to the first byte.
    ///
    /// # Errors
    /// The file cannot be truncated or reserved again.
    pub(in crate::store) fn restart(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).map_err(|e| self.error("empty", e))?;
        (self.written, self.pushed, self.synced) = (0, 0, 0);
        self.reserve()
    }

    /// Makes what is written survive a crash of the machine.
    ///
    /// # Errors
    /// The sync fails.
    pub(in crate::store) fn sync(&mut self) -> Result<(), StoreError> {
        if self.synced < self.written {
            self.file.sync_data().map_err(|e| self.error("sync", e))?;
            self.synced = self.written;
        }
        Ok(())
    }

    fn reserve(&self) -> Result<(), StoreError> {
        use rustix::io::Errno;
        if self.size < RESERVE_FROM || self.written == self.size {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, self.size) {
            Err(e @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => {
                Err(self.error("reserve space for", e.into()))
            }
            // Anything else means that this file system cannot reserve; the write itself will tell.
            _ => Ok(()),
        }
    }

    fn error(&self, operation: &'static str, source: io::Error) -> StoreError {
        StoreError::io(operation, self.file.path())(source)
    }
}
