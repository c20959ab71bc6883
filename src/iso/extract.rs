//! Files out of an ISO. Names come from the medium, so they are checked like any other hostile input.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::error::IsoError;
use super::iso9660::Entry;
use super::source::{ReadAt, read};

const BUFFER: u64 = 1 << 20;

/// Copies a file to `name` below `directory`; both are made. Returns where it is now.
///
/// # Errors
/// The name leads out of the directory, the file is there already, or a read or write fails.
pub fn extract(
    source: &dyn ReadAt,
    entry: &Entry,
    directory: &Path,
    name: &str,
) -> Result<PathBuf, IsoError> {
    let inside = Path::new(name)
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    if !inside || name.is_empty() || name.contains('\0') {
        return Err(IsoError::NotAPlainFile(name.escape_debug().to_string()));
    }
    let path = directory.join(name);
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => IsoError::OutputExists(path.clone()),
        _ => IsoError::Write {
            path: path.clone(),
            source,
        },
    };
    fs_err::create_dir_all(path.parent().unwrap_or(directory)).map_err(failed)?;
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    for extent in &entry.extents {
        let (mut at, mut left) = (extent.lba.offset(), u64::from(extent.length));
        while left > 0 {
            let bytes = read(source, at, left.min(BUFFER))?;
            file.write_all(&bytes).map_err(failed)?;
            at += bytes.len() as u64;
            left -= bytes.len() as u64;
        }
    }
    Ok(path)
}
