//! An image file while it is made: `NAME.partial`, beside it a lock against a second run, and its name only when it is whole.
//!
//! The lock is a file of its own, `NAME.partial.lock`: whoever writes a partition table locks the image itself.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::atomic::{parent, sync_dir};

/// An image that is not whole; gone when dropped, unless it got its name.
#[derive(Debug)]
pub struct Unfinished {
    image: PathBuf,
    partial: PathBuf,
    lock: PathBuf,
    _locked: fs_err::File,
}

impl Unfinished {
    /// Makes an empty file of `size_bytes`, with `mode` less the umask. What a killed run left goes.
    ///
    /// # Errors
    /// `WouldBlock` while another run makes the same image; it cannot be written.
    pub fn create(image: &Path, size_bytes: u64, mode: u32) -> io::Result<Self> {
        let partial = partial(image);
        let lock = partial.with_added_extension("lock");
        let mut options = fs_err::OpenOptions::new();
        let locked = options.create(true).truncate(false).write(true);
        let locked = locked.open(&lock)?;
        let busy = matches!(locked.file().try_lock(), Err(TryLockError::WouldBlock));
        // The other run may have removed it since it was opened.
        if busy || !is_at(&locked, &lock)? {
            let message = format!("another run is making {}", image.display());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        let unfinished = Self {
            image: image.to_owned(),
            partial,
            lock,
            _locked: locked,
        };
        let _ = fs_err::remove_file(&unfinished.partial);
        let mut options = fs_err::OpenOptions::new();
        let file = options.create_new(true).write(true).mode(mode);
        file.open(&unfinished.partial)?.set_len(size_bytes)?;
        Ok(unfinished)
    }

    /// Where it is until then.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// It cannot be synced or renamed.
    pub fn publish(self) -> io::Result<()> {
        fs_err::File::open(&self.partial)?.sync_all()?;
        fs_err::rename(&self.partial, &self.image)?;
        sync_dir(parent(&self.image))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `publish` only the lock is there.
        let _ = fs_err::remove_file(&self.partial);
        let _ = fs_err::remove_file(&self.lock);
    }
}

/// Where an image is until it is whole.
pub fn partial(image: &Path) -> PathBuf {
    image.with_added_extension("partial")
}

fn is_at(file: &fs_err::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    let there = fs_err::metadata(path);
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_run_leaves_the_first_one_alone() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("stick.img");
        let left = || fs_err::read_dir(dir.path()).unwrap().count();
        // What a killed run left.
        fs_err::write(partial(&image), b"old and longer").unwrap();
        fs_err::write(dir.path().join("stick.img.partial.lock"), b"").unwrap();
        let first = Unfinished::create(&image, 5, 0o600).unwrap();
        fs_err::write(first.path(), b"whole").unwrap();
        let second = Unfinished::create(&image, 5, 0o600).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(fs_err::read(first.path()).unwrap(), b"whole");
        first.publish().unwrap();
        assert_eq!(fs_err::read(&image).unwrap(), b"whole");
        let mode = fs_err::metadata(&image).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, left()), (0o600, 1));
        // One that is given up leaves what is there.
        drop(Unfinished::create(&image, 1 << 30, 0o644).unwrap());
        assert_eq!(left(), 1);
        assert_eq!(fs_err::read(&image).unwrap(), b"whole");
    }
}
