//! Where an ISO's bytes come from: a file, a written stick, or memory.
//!
//! Reads are by position and never beyond the end: a length out of a hostile header fails before anything is allocated.

use std::io::{self, Seek as _, SeekFrom};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::FileExt as _;
use rustix::fs::Advice;

use super::error::IsoError;
use super::region::Region;

/// The most that is read into memory at once: 32 times the largest embed area we make.
const READ_LIMIT: u64 = 128 << 20;

/// The largest page of the architectures that OpenShift runs on.
const PAGE: u64 = 64 << 10;

/// Bytes that can be read at any position.
pub trait ReadAt: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// The bytes are not all there, or cannot be read.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// How many bytes there are.
    fn size(&self) -> u64;
    /// Whether the number of bytes cannot change, and says nothing about how many are in use.
    fn is_device(&self) -> bool {
        false
    }
    /// Drops what is remembered of these bytes, so that the next read is from the medium; where nothing is, does nothing.
    fn forget(&self, _range: Range<u64>) {}
}

impl ReadAt for &[u8] {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start
            .checked_add(buffer.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

/// Reads `length` bytes at `offset`.
///
/// # Errors
/// [`IsoError::OutOfBounds`] when they are not all there; [`IsoError::Read`].
pub(crate) fn read(source: &dyn ReadAt, offset: u64, length: u64) -> Result<Vec<u8>, IsoError> {
    let there = offset
        .checked_add(length)
        .is_some_and(|end| end <= source.size());
    let wanted = usize::try_from(length).ok();
    let (true, true, Some(wanted)) = (there, length <= READ_LIMIT, wanted) else {
        return Err(IsoError::OutOfBounds {
            offset,
            length,
            size: source.size(),
        });
    };
    let mut bytes = vec![0; wanted];
    source
        .read_exact_at(offset, &mut bytes)
        .map_err(|source| IsoError::Read { offset, source })?;
    Ok(bytes)
}

/// An ISO file, or a device that one was written to.
#[derive(Debug)]
pub struct Medium {
    file: fs_err::File,
    size: u64,
    device: bool,
}

impl Medium {
    /// Opens for reading.
    ///
    /// # Errors
    /// Not there, not readable, neither a file nor a block device.
    pub fn open(path: &Path) -> Result<Self, IsoError> {
        Self::from_options(path, fs_err::OpenOptions::new().read(true))
    }

    /// Opens for reading and writing; a block device is claimed, which fails while it is mounted.
    ///
    /// # Errors
    /// As [`Medium::open`]; not writable; in use.
    pub fn open_for_writing(path: &Path) -> Result<Self, IsoError> {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true);
        let device = std::fs::metadata(path).is_ok_and(|m| m.file_type().is_block_device());
        if device {
            let exclusive = i32::try_from(rustix::fs::OFlags::EXCL.bits()).unwrap_or_default();
            options.custom_flags(exclusive);
        }
        Self::from_options(path, &options)
    }

    fn from_options(path: &Path, options: &fs_err::OpenOptions) -> Result<Self, IsoError> {
        let fail = |source| IsoError::Open {
            path: path.to_owned(),
            source,
        };
        if path.is_dir() {
            return Err(IsoError::NotAFile(path.to_owned()));
        }
        let mut file = options.open(path).map_err(fail)?;
        let kind = file.metadata().map_err(fail)?.file_type();
        let device = kind.is_block_device();
        if !device && !kind.is_file() {
            return Err(IsoError::NotAFile(path.to_owned()));
        }
        // The metadata of a block device say 0.
        let size = file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self { file, size, device })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// The path as an owned value, for errors.
    pub(super) fn owned_path(&self) -> PathBuf {
        self.path().to_owned()
    }
}

impl ReadAt for Medium {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn is_device(&self) -> bool {
        self.device
    }

    /// Clean pages only, and advice only.
    fn forget(&self, range: Range<u64>) {
        // A page that is covered in part would stay.
        let start = range.start / PAGE * PAGE;
        let length = NonZeroU64::new(range.end.next_multiple_of(PAGE) - start);
        let _ = rustix::fs::fadvise(self.file.file(), start, length, Advice::DontNeed);
    }
}

/// Bytes as they would be after some regions were written.
#[derive(Debug)]
pub(super) struct Overlay<'a> {
    pub source: &'a dyn ReadAt,
    pub regions: &'a [Region],
    pub size: u64,
}

impl ReadAt for Overlay<'_> {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.source.read_exact_at(offset, buffer)?;
        for region in self.regions {
            region.copy_into(offset, buffer);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn is_device(&self) -> bool {
        self.source.is_device()
    }
}

/// The compression that bytes begin with, if any: an ISO downloaded as `.iso.gz` is the commonest wrong input.
pub(super) fn compression(head: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 4] = [
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
    ];
    let found = MAGICS.iter().find(|(magic, _)| head.starts_with(magic));
    found.map(|(_, name)| *name)
}
