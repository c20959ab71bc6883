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
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::Advice;

use super::{Store, StoreError};
use crate::oci::{Digest, Hasher};
pub(super) use growing::Growing;

mod growing;

/// One buffer of this size re-reads what an earlier run wrote.
const REREAD: usize = 1 << 20;

/// A blob on its way, with the hash of what is written so far.
pub struct Partial {
    growing: Growing,
    digest: Digest,
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
        let mut partial = Partial {
            growing: Growing::open(&self.partial_path(digest), size)?,
            digest: digest.clone(),
            hasher: Hasher::new(digest.algorithm()),
        };
        partial.reread()?;
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
        // Writeback of all begins before the first sync waits: one journal commit then serves most of the batch.
        for finished in &batch {
            let _ = rustix::fs::fadvise(&finished.file, 0, None, Advice::DontNeed);
        }
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
        self.growing.written()
    }

    /// Size of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.growing.size()
    }

    /// Writes the next bytes and hashes them.
    ///
    /// # Errors
    /// More bytes than the blob has, or a failing write ([`StoreError::is_full`]).
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.growing.write(chunks)?;
        for chunk in chunks {
            self.hasher.update(chunk);
        }
        self.growing.push_out()
    }

    /// Throws away what is written and goes back to the first byte.
    ///
    /// # Errors
    /// The file cannot be truncated or reserved again.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.hasher = Hasher::new(self.digest.algorithm());
        self.growing.restart()
    }

    /// Makes what is written survive a crash of the machine.
    ///
    /// # Errors
    /// The sync fails.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.growing.sync()
    }

    /// Compares the digest; removes the file when it is wrong.
    ///
    /// # Errors
    /// A wrong file cannot be removed.
    pub fn check(self) -> Result<Checked, StoreError> {
        let got = self.hasher.finish();
        let whole = self.growing.written() == self.growing.size();
        let (file, digest) = (self.growing.into_file(), self.digest);
        if got == digest && whole {
            return Ok(Checked::Right(Finished { file, digest }));
        }
        fs_err::remove_file(file.path()).map_err(StoreError::io("remove", file.path()))?;
        Ok(Checked::Wrong { got })
    }

    /// Hashes what an earlier run wrote.
    fn reread(&mut self) -> Result<(), StoreError> {
        let mut left = self.growing.written();
        let path = self.growing.file().path().to_owned();
        let failed = |e: io::Error| StoreError::io("read", &path)(e);
        let mut file = self.growing.file().file();
        let mut buffer = vec![0; REREAD.min(usize::try_from(left).unwrap_or(REREAD))];
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(REREAD).min(buffer.len());
            let part = buffer.get_mut(..room).unwrap_or_default();
            match file.read(part) {
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => {
                    self.hasher.update(part.get(..n).unwrap_or_default());
                    left -= n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (written, size) = (self.written(), self.size());
        write!(f, "Partial({} {written}/{size})", self.digest)
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
