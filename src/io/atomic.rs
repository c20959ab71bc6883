//! Files that are either wholly there or not at all.
//!
//! Temporary file in the same directory → write → fsync → rename → fsync of the directory. A crash leaves the old file.

use std::io::{self, Write};
use std::path::Path;

use nix::errno::Errno;
use tempfile::NamedTempFile;

/// How the name of a temporary file begins: one that a killed process left may be removed.
pub const PREFIX: &str = ".tmp-";

/// A directory of unfinished files beside the finished ones: what is in it is not verified, and is copied nowhere.
pub const UNFINISHED: &str = ".assets";

/// Replaces `path` with `contents` (mode 0644).
///
/// # Errors
/// Any failing step; the old file is then untouched.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(contents))
}

/// Replaces `path` with what `fill` writes (mode 0644).
///
/// # Errors
/// Any failing step, that of `fill` included; the old file is then untouched.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    replace(path, 0o644, fill)
}

/// Replaces `path` with `contents` that only the owner may read (mode 0600).
///
/// # Errors
/// As [`write()`].
pub fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, 0o600, |file| file.write_all(contents))
}

/// Replaces `path` with a copy of `from` that everyone may run (mode 0755).
///
/// # Errors
/// As [`write()`], and `from` cannot be read.
pub fn copy_executable(from: &Path, path: &Path) -> io::Result<()> {
    let mut source = fs_err::File::open(from)?;
    replace(path, 0o755, |file| io::copy(&mut source, file).map(drop))
}

fn replace(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let with_path = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let directory = parent(path);
    // The crate's error names the temporary file, which nobody asked for.
    let mut temporary =
        NamedTempFile::with_prefix_in(PREFIX, directory).map_err(|e| with_path(bare(&e)))?;
    let mut buffered = io::BufWriter::new(temporary.as_file_mut());
    fill(&mut buffered).map_err(with_path)?;
    buffered.flush().map_err(with_path)?;
    drop(buffered);
    temporary
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))
        .map_err(with_path)?;
    temporary.as_file().sync_all().map_err(with_path)?;
    temporary.persist(path).map_err(|e| with_path(e.error))?;
    sync_dir(directory)
}

/// The system's error without what was wrapped around it.
fn bare(error: &io::Error) -> io::Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::NotADirectory => Errno::ENOTDIR,
        io::ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        kind => return kind.into(),
    };
    code.into()
}

/// Makes renames and new names in a directory durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync_dir(directory: &Path) -> io::Result<()> {
    fs_err::File::open(directory)?.sync_all()
}

/// The directory that a file is in: `.` for a plain name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file_and_not_the_temporary_one() {
        let missing = write(Path::new("/proc/none/f"), b"x")
            .unwrap_err()
            .to_string();
        assert_eq!(
            missing,
            "/proc/none/f: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_failing_writer_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |w| {
            w.write_all(b"half")?;
            Err(io::Error::other("cable pulled"))
        });
        assert!(failed.unwrap_err().to_string().contains("cable pulled"));
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
