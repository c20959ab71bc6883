//! The image: its size and its holes.

use std::path::{Path, PathBuf};

use crate::disk::apply::next_data;
use crate::disk::error::DiskError;

/// An open image file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file: fs_err::File,
    pub(super) size: u64,
}

/// A piece of the image: data, or a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) end: u64,
    pub(super) is_hole: bool,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        let path = fs_err::canonicalize(path).map_err(DiskError::io("open", path))?;
        let file = fs_err::File::open(&path).map_err(DiskError::io("open", &path))?;
        let meta = file.metadata().map_err(DiskError::io("read", &path))?;
        if !meta.is_file() || meta.len() == 0 {
            return Err(DiskError::NotAnImage(path));
        }
        Ok(Self {
            size: meta.len(),
            path,
            file,
        })
    }

    /// The piece that begins at `at`.
    pub(super) fn piece(&self, at: u64) -> Result<Piece, DiskError> {
        let failed = DiskError::io("read", &self.path);
        let found = next_data(self.file.file(), at, self.size).map_err(failed)?;
        let (end, is_hole) = match found {
            Some((data, end)) if data <= at => (end, false),
            Some((data, _)) => (data.min(self.size), true),
            None => (self.size, true),
        };
        Ok(Piece { at, end, is_hole })
    }

    /// Bytes that are no holes.
    pub(super) fn data_bytes(&self) -> Result<u64, DiskError> {
        let (mut at, mut bytes) = (0, 0);
        while at < self.size {
            let piece = self.piece(at)?;
            if !piece.is_hole {
                bytes += piece.end - piece.at;
            }
            at = piece.end;
        }
        Ok(bytes)
    }
}
