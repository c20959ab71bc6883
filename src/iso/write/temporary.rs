//! A file that is not there until it is whole.
//!
//! Where the filesystem can, it has no name until then (`O_TMPFILE`), so that a killed process or a power cut leaves nothing behind. Else (VFAT,
//! NFS) it has a hidden one, which is removed when the change fails, but not when the process is killed.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{AtFlags, CWD, OFlags};
use tempfile::{Builder, NamedTempFile};

use super::Overwrite;
use crate::io::atomic::{PREFIX, parent};

/// The config and the connections in an ISO have keys and pull secrets: they are its owner's.
const MODE: u32 = 0o600;

/// A new file; gone when dropped before [`Temporary::publish`].
#[derive(Debug)]
pub(super) struct Temporary {
    file: fs_err::File,
    /// None while it has none.
    name: Option<NamedTempFile>,
}

impl Temporary {
    /// Makes one in `directory`.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        if let Ok(file) = unnamed(directory) {
            return Ok(Self { file, name: None });
        }
        let name = Builder::new()
            .prefix(PREFIX)
            .permissions(std::fs::Permissions::from_mode(MODE))
            .tempfile_in(directory)?;
        let file = fs_err::OpenOptions::new().write(true).open(name.path())?;
        let name = Some(name);
        Ok(Self { file, name })
    }

    /// Where to write.
    pub(super) fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// Gives it the name `output`, which is in the same directory.
    ///
    /// # Errors
    /// `AlreadyExists`, unless that may be replaced; any other failing step.
    pub(super) fn publish(self, output: &Path, overwrite: Overwrite) -> io::Result<()> {
        let link = |to: &Path| Ok(link(&self.file, to)?);
        let name = match (self.name, overwrite) {
            (None, Overwrite::Refuse) => return link(output),
            // No link takes the place of a file, but a rename does.
            (None, Overwrite::Replace) => {
                let made = Builder::new()
                    .prefix(PREFIX)
                    .make_in(parent(output), link)?;
                return Ok(made.persist(output).map(drop)?);
            }
            (Some(name), _) => name,
        };
        match overwrite {
            Overwrite::Refuse => name.persist_noclobber(output),
            Overwrite::Replace => name.persist(output),
        }?;
        Ok(())
    }
}

/// Only where it can get its name later.
fn unnamed(directory: &Path) -> io::Result<fs_err::File> {
    fs_err::metadata("/proc/self/fd")?;
    let flag = i32::try_from(OFlags::TMPFILE.bits()).unwrap_or_default();
    fs_err::OpenOptions::new()
        .write(true)
        .custom_flags(flag)
        .mode(MODE)
        .open(directory)
}

/// By way of `/proc`: linking a descriptor itself is root's privilege (open(2), `O_TMPFILE`).
fn link(file: &fs_err::File, to: &Path) -> rustix::io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.file().as_raw_fd());
    rustix::fs::linkat(CWD, own, CWD, to, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    #[test]
    fn nothing_is_seen_before_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let count = || fs_err::read_dir(dir.path()).unwrap().count();
        if unnamed(dir.path()).is_err() {
            eprintln!("skipped: the filesystem has no O_TMPFILE");
            return;
        }
        let output = dir.path().join("o");
        let make = |text: &str| {
            let temporary = Temporary::new(dir.path()).unwrap();
            temporary.file().write_all(text.as_bytes()).unwrap();
            temporary
        };
        let first = make("first");
        drop(make("dropped"));
        assert_eq!(count(), 0);
        first.publish(&output, Overwrite::Refuse).unwrap();
        let refused = make("second").publish(&output, Overwrite::Refuse);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs_err::read(&output).unwrap(), b"first");
        make("third").publish(&output, Overwrite::Replace).unwrap();
        assert_eq!(fs_err::read(&output).unwrap(), b"third");
        assert_eq!(count(), 1);
    }

    #[test]
    fn with_a_name_where_there_is_no_other_way() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("o");
        let make = || {
            let name = Builder::new().tempfile_in(dir.path()).unwrap();
            let file = fs_err::OpenOptions::new().write(true).open(name.path());
            Temporary {
                file: file.unwrap(),
                name: Some(name),
            }
        };
        drop(make());
        make().publish(&output, Overwrite::Refuse).unwrap();
        assert!(make().publish(&output, Overwrite::Refuse).is_err());
        make().publish(&output, Overwrite::Replace).unwrap();
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
