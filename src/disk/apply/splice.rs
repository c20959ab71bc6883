//! Moves a filesystem that was made in a file of its own into its place in an image file, without writing its holes.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use fs_err::File;
use rustix::fs::{FallocateFlags, SeekFrom as Whence};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::disk::error::DiskError;

const COPY_CHUNK: usize = 1 << 20;

/// A sparse file of `size` bytes in the image's directory, removed when dropped.
pub(super) fn beside(image: &Path, size: u64) -> Result<NamedTempFile, DiskError> {
    let directory = image.parent().unwrap_or(Path::new("."));
    let file = NamedTempFile::with_prefix_in(".snoforge-mkfs-", directory)
        .map_err(DiskError::io("write", directory))?;
    let sized = file.as_file().set_len(size);
    sized.map_err(DiskError::io("write", file.path()))?;
    Ok(file)
}

/// Copies the data of `from` to `image` at `start`; what is a hole in `from` reads as zeros there.
pub(super) fn into<F: AsFd>(from: &F, image: &mut File, start: u64, size: u64) -> io::Result<()> {
    let clean = clear(image, start, size)?;
    let mut at = 0;
    while at < size {
        let (data, end) = if clean {
            match next_data(from, at, size)? {
                Some(extent) => extent,
                None => break,
            }
        } else {
            (at, size)
        };
        image.seek(SeekFrom::Start(start + data))?;
        copy(from, image, data, end)?;
        at = end;
    }
    image.sync_all()
}

/// Makes the place read as zeros. `false`: this filesystem cannot punch holes, all must be written.
fn clear(image: &File, start: u64, size: u64) -> io::Result<bool> {
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(image, punch, start, size) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// The next piece that is not a hole: from, to.
pub(in crate::disk) fn next_data<F: AsFd>(
    from: &F,
    at: u64,
    size: u64,
) -> io::Result<Option<(u64, u64)>> {
    match rustix::fs::seek(from, Whence::Data(at)) {
        Ok(data) => {
            let end = rustix::fs::seek(from, Whence::Hole(data))?;
            Ok(Some((data, end.min(size))))
        }
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL) => Ok(Some((at, size))),
        Err(other) => Err(other.into()),
    }
}

fn copy<F: AsFd>(from: &F, image: &mut File, mut at: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; COPY_CHUNK];
    while at < end {
        let want = usize::try_from(end - at).map_or(COPY_CHUNK, |left| left.min(COPY_CHUNK));
        let chunk = buffer.get_mut(..want).unwrap_or_default();
        let got = rustix::io::pread(from, &mut *chunk, at)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        image.write_all(chunk.get(..got).unwrap_or_default())?;
        at += got as u64;
    }
    Ok(())
}
