//! The writer's lock: one process at a time changes a store.
//!
//! `flock(2)` on `DIR/.lock`: the kernel drops it with the process, so that a crash leaves nothing to clean up. Readers do
//! not take it. The file stays; its presence means nothing. Who has the lock first removes the temporary files that a killed
//! writer left: nobody is about to name them any more.

use std::fs::TryLockError;

use super::verify::entries;
use super::{Store, StoreError};
use crate::io::atomic::PREFIX;

/// The right to change a store; released on drop.
#[derive(Debug)]
pub struct StoreLock {
    _file: fs_err::File,
}

impl Store {
    /// Takes the writer's lock, without waiting.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process (or another lock of this one) holds it; what a killed writer left cannot be removed.
    pub fn lock(&self) -> Result<StoreLock, StoreError> {
        let path = self.root().join(".lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.file().try_lock() {
            Ok(()) => {
                self.sweep()?;
                Ok(StoreLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy(self.root().to_owned())),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path)(e)),
        }
    }

    fn sweep(&self) -> Result<(), StoreError> {
        let own = ["", "bin", "files"].map(|name| self.root().join(name));
        for directory in own.into_iter().chain([self.layout_dir()]) {
            for (path, meta) in entries(&directory)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if meta.is_file() && name.starts_with(PREFIX) {
                    fs_err::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                }
            }
        }
        Ok(())
    }

    /// Keeps writers away while the store is read, without writing: readers share this lock. `None` where there is none to take:
    /// no writer has been here, or the medium knows no locks.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while a writer is at work.
    pub fn lock_shared(&self) -> Result<Option<StoreLock>, StoreError> {
        let Ok(file) = fs_err::File::open(self.root().join(".lock")) else {
            return Ok(None);
        };
        match file.file().try_lock_shared() {
            Ok(()) => Ok(Some(StoreLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy(self.root().to_owned())),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_goes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let left = [dir.path().join(".tmp-a"), store.layout_dir().join(".tmp-b")];
        for path in &left {
            fs_err::write(path, "x").unwrap();
        }
        fs_err::write(dir.path().join(".tmp"), "somebody's").unwrap();
        let lock = store.lock().unwrap();
        assert!(left.iter().all(|path| !path.exists()));
        assert!(dir.path().join(".tmp").exists());
        drop(lock);
    }

    #[test]
    fn second_writer_is_refused_until_the_first_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let first = store.lock().unwrap();
        let refused = store.lock().unwrap_err();
        assert!(matches!(refused, StoreError::Busy(_)) && refused.hint().is_some());
        Store::open(dir.path()).unwrap();
        assert!(matches!(store.lock_shared(), Err(StoreError::Busy(_))));
        drop(first);
        let readers = [store.lock_shared().unwrap(), store.lock_shared().unwrap()];
        assert!(matches!(store.lock(), Err(StoreError::Busy(_))));
        drop(readers);
        store.lock().unwrap();
    }
}
