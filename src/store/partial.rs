//! Blobs on their way: written once in order, hashed in the same pass, named only when whole, right and on the disk.
//!
//! ```text
//! .partial/<hex>   file length = bytes written so far = where a resume goes on;
//!                  blocks for the whole blob are reserved behind the end (fallocate KEEP_SIZE)
//!   │  append … append → check (digest) → commit (fdatasync, rename, fsync of the directory, per batch)
//!   ▼
//! oci/blobs/sha256/<hex>
//! ```
//!
//! Invariants: bytes before the file length were written by an earlier [`Partial::append`], in order; only [`Partial::check`]
//! makes a [`Finished`], and only [`Store::commit`] gives a final name, after the data is synced. A crash at any moment leaves a
//! partial that resumes, or that fails its digest and starts again; never a wrong blob under a final name.
//! One process writes at a time ([`super::StoreLock`]). Fetching, retries and resuming by Range are the fetch room's.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::{Advice, FallocateFlags};

use super::{Store, StoreError};
use crate::oci::{Digest, Hasher};

/// Smaller files are not worth the extra call: the file system's own delayed allocation places them well.
const RESERVE_FROM: u64 = 1 << 20;
/// Writeback is started each time this much is new, so that the last sync is short.
const WRITEBACK_EVERY: u64 = 16 << 20;
/// A blob never has more than this unsynced: bounds what a crash of the machine loses and what Ctrl-C has to wait for.
const SYNC_EVERY: u64 = 128 << 20;
/// One buffer of this size re-reads what an earlier run wrote.
const REREAD: usize = 1 << 20;
/// `IOV_MAX` of Linux.
const MAX_SLICES: usize = 1024;

/// A blob on its way, with the hash of what is written so far.
pub struct Partial {
    file: fs_err::File,
    digest: Digest,
    size: u64,
    written: u64,
    pushed: u64,
    synced: u64,
    hasher: Hasher,
}

/// A whole blob whose digest is right, still under its partial name.
#[derive(Debug)]
pub struct Finished {
    file: fs_err::File,
    digest: Digest,
}

/// What [`Partial::check`] found.
#[derive(Debug)]
pub enum Checked {
    /// The bytes are those asked for.
    Right(Finished),
    /// They are not; the partial is gone.
    Wrong {
        /// The digest of what was written.
        got: Digest,
    },
}

impl Store {
    /// Opens or makes the partial of a blob of `size` bytes, reserves its space, and re-reads what is there for the hash.
    /// A file longer than `size` starts again.
    ///
    /// # Errors
    /// The file cannot be opened, reserved ([`StoreError::is_full`]) or read.
    pub fn partial(&self, digest: &Digest, size: u64) -> Result<Partial, StoreError> {
        let path = self.partial_path(digest);
        let file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let mut partial = Partial {
            file,
            digest: digest.clone(),
            size,
            written: 0,
            pushed: 0,
            synced: 0,
            hasher: Hasher::new(digest.algorithm()),
        };
        let there = partial.file.metadata();
        let there = there.map_err(StoreError::io("stat", &path))?.len();
        if there > size {
            partial.restart()?;
        } else {
            partial.reread(there)?;
        }
        partial.reserve()?;
        Ok(partial)
    }

    /// Bytes of the disk that the partial of a blob holds already, reserved ones included; 0 when there is none.
    pub fn partial_allocated(&self, digest: &Digest) -> u64 {
        let meta = fs_err::metadata(self.partial_path(digest));
        meta.map_or(0, |meta| meta.blocks() * 512)
    }

    /// Free bytes of the file system that a plain user may take, and its block size.
    ///
    /// # Errors
    /// The file system does not answer.
    pub fn free_space(&self) -> Result<(u64, u64), StoreError> {
        let stat = rustix::fs::statvfs(self.root());
        let stat = stat.map_err(|e| StoreError::io("stat", self.root())(e.into()))?;
        Ok((stat.f_bavail * stat.f_frsize, stat.f_frsize))
    }

    /// Syncs finished blobs and gives them their final names, with one sync of the directory for the whole batch.
    /// The answers are in the order of the batch.
    pub fn commit(&self, batch: Vec<Finished>) -> Vec<(Digest, Result<(), StoreError>)> {
        let mut directories: Vec<PathBuf> = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for finished in batch {
            let renamed = self.rename(&finished);
            let target = self.blob_path(&finished.digest);
            if let Some(parent) = target.parent().filter(|_| renamed.is_ok())
                && !directories.iter().any(|d| d == parent)
            {
                directories.push(parent.to_owned());
            }
            answers.push((finished.digest, renamed));
        }
        for directory in directories {
            if let Err(error) = crate::io::atomic::sync_dir(&directory) {
                let in_it = |digest: &Digest| self.blob_path(digest).starts_with(&directory);
                let kind = error.kind();
                for (digest, answer) in &mut answers {
                    if answer.is_ok() && in_it(digest) {
                        *answer = Err(StoreError::io("sync", &directory)(kind.into()));
                    }
                }
            }
        }
        answers
    }

    fn rename(&self, finished: &Finished) -> Result<(), StoreError> {
        let from = self.partial_path(&finished.digest);
        let to = self.blob_path(&finished.digest);
        finished
            .file
            .sync_data()
            .map_err(StoreError::io("sync", &from))?;
        match fs_err::rename(&from, &to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // The first blob of another algorithm than sha256: its directory is not part of the skeleton.
                let parent = to.parent().unwrap_or(self.root());
                fs_err::create_dir_all(parent).map_err(StoreError::io("create", parent))?;
                fs_err::rename(&from, &to)
            }
            done => done,
        }
        .map_err(StoreError::io("rename", &from))?;
        // Read-only is a courtesy to the next person; FAT mounted by a plain user may refuse it.
        let _ = finished
            .file
            .set_permissions(std::fs::Permissions::from_mode(0o444));
        Ok(())
    }
}

impl StoreError {
    /// Whether the disk or a quota is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }
}

impl Partial {
    /// Bytes on disk, in order from the first: the offset that a resume asks for.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Size of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes the next bytes and hashes them.
    ///
    /// # Errors
    /// More bytes than the blob has, or a failing write ([`StoreError::is_full`]).
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<(), StoreError> {
        let total: u64 = chunks.iter().map(|c| c.len() as u64).sum();
        if total > self.size - self.written {
            let past = io::Error::new(io::ErrorKind::InvalidData, "more bytes than declared");
            return Err(self.error("append to", past));
        }
        self.write_all(chunks)
            .map_err(|e| self.error("write", e.into()))?;
        for chunk in chunks {
            self.hasher.update(chunk);
        }
        self.written += total;
        self.push_out()
    }

    /// Throws away what is written and goes back to the first byte.
    ///
    /// # Errors
    /// The file cannot be truncated or reserved again.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).map_err(|e| self.error("empty", e))?;
        self.hasher = Hasher::new(self.digest.algorithm());
        (self.written, self.pushed, self.synced) = (0, 0, 0);
        self.reserve()
    }

    /// Makes what is written survive a crash of the machine.
    ///
    /// # Errors
    /// The sync fails.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.synced < self.written {
            self.file.sync_data().map_err(|e| self.error("sync", e))?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Compares the digest; removes the file when it is wrong.
    ///
    /// # Errors
    /// A wrong file cannot be removed.
    pub fn check(self) -> Result<Checked, StoreError> {
        let got = self.hasher.finish();
        if got == self.digest && self.written == self.size {
            let (file, digest) = (self.file, self.digest);
            return Ok(Checked::Right(Finished { file, digest }));
        }
        let path = self.file.path();
        fs_err::remove_file(path).map_err(StoreError::io("remove", path))?;
        Ok(Checked::Wrong { got })
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
    fn push_out(&mut self) -> Result<(), StoreError> {
        if self.written - self.pushed >= WRITEBACK_EVERY {
            let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
            self.pushed = self.written;
        }
        if self.written - self.synced >= SYNC_EVERY {
            self.sync()?;
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

    fn reread(&mut self, there: u64) -> Result<(), StoreError> {
        let mut buffer = vec![0; REREAD.min(usize::try_from(there).unwrap_or(REREAD))];
        let mut left = there;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(REREAD).min(buffer.len());
            let part = buffer.get_mut(..room).unwrap_or_default();
            match self.file.read(part) {
                Ok(0) => return Err(self.error("read", io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => {
                    self.hasher.update(part.get(..n).unwrap_or_default());
                    left -= n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error("read", e)),
            }
        }
        (self.written, self.pushed) = (there, there);
        Ok(())
    }

    fn error(&self, operation: &'static str, source: io::Error) -> StoreError {
        StoreError::io(operation, self.file.path())(source)
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partial({} {}/{})", self.digest, self.written, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        (dir, store)
    }

    fn commit(store: &Store, checked: Checked) {
        let Checked::Right(finished) = checked else {
            panic!("{checked:?}")
        };
        for (_, answer) in store.commit(vec![finished]) {
            answer.unwrap();
        }
    }

    #[test]
    fn a_blob_in_two_runs_gets_its_name_only_at_the_end() {
        let (_dir, store) = store();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let bytes = Bytes::from(bytes);
        let digest = Digest::of(&bytes);
        let mut first = store.partial(&digest, 3_000_000).unwrap();
        first
            .append(&[bytes.slice(..10), Bytes::new(), bytes.slice(10..1_234_567)])
            .unwrap();
        drop(first);
        assert!(store.partial_allocated(&digest) >= 1_234_567);
        assert_eq!(store.blob_size(&digest).unwrap(), None);
        let mut second = store.partial(&digest, 3_000_000).unwrap();
        assert_eq!(second.written(), 1_234_567);
        second.append(&[bytes.slice(1_234_567..)]).unwrap();
        let checked = second.check().unwrap();
        assert_eq!(store.blob_size(&digest).unwrap(), None);
        commit(&store, checked);
        assert_eq!(fs_err::read(store.blob_path(&digest)).unwrap(), bytes);
        assert!(!store.partial_path(&digest).exists());
    }

    #[test]
    fn wrong_and_overlong_bytes_are_refused() {
        let (_dir, store) = store();
        let digest = Digest::of(b"good");
        let mut partial = store.partial(&digest, 4).unwrap();
        assert!(partial.append(&[Bytes::from_static(b"goods")]).is_err());
        partial.append(&[Bytes::from_static(b"evil")]).unwrap();
        assert!(
            matches!(partial.check().unwrap(), Checked::Wrong { got } if got == Digest::of(b"evil"))
        );
        assert!(!store.partial_path(&digest).exists());
        fs_err::write(store.partial_path(&digest), b"longer than it").unwrap();
        let mut partial = store.partial(&digest, 4).unwrap();
        assert_eq!(partial.written(), 0);
        partial.append(&[Bytes::from_static(b"go")]).unwrap();
        partial.restart().unwrap();
        partial.append(&[Bytes::from_static(b"good")]).unwrap();
        commit(&store, partial.check().unwrap());
    }

    #[test]
    fn many_slices_the_empty_blob_and_sha512() {
        let (_dir, store) = store();
        let text = "x".repeat(5000);
        let mut hasher = Hasher::new(crate::oci::Algorithm::Sha512);
        hasher.update(text.as_bytes());
        let digest = hasher.finish();
        let slices: Vec<Bytes> = (0..5000).map(|_| Bytes::from_static(b"x")).collect();
        let mut partial = store.partial(&digest, 5000).unwrap();
        partial.append(&slices).unwrap();
        commit(&store, partial.check().unwrap());
        assert_eq!(store.blob_size(&digest).unwrap(), Some(5000));
        let empty = store.partial(&Digest::of(b""), 0).unwrap();
        commit(&store, empty.check().unwrap());
        assert_eq!(store.blob_size(&Digest::of(b"")).unwrap(), Some(0));
    }
}
