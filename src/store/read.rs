//! Reading blobs: verified and sequential for archives, by range for sources and the registry.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use super::{Store, StoreError};
use crate::oci::{Digest, Hasher};

/// Bytes per read of a range: large enough that a thread hop per read costs little (`crates.md` §10: 4 KiB reads are 13 times
/// slower), small enough that the registry on a node stays below 32 MiB with ten clients, two or three pieces each on their way.
const CHUNK: usize = 256 << 10;

/// A blob from its first to its last byte. The end is an error when size or digest are not the declared ones, so that a
/// damaged blob never passes for a good one.
#[derive(Debug)]
pub struct BlobReader {
    file: fs_err::File,
    digest: Digest,
    hasher: Hasher,
    left: u64,
}

impl Store {
    /// Opens a blob whose size is known.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`] when the file has another size, or it cannot be opened.
    pub fn open_blob(&self, digest: &Digest, size: u64) -> Result<BlobReader, StoreError> {
        match self.blob_size(digest)? {
            None => return Err(StoreError::Missing(digest.clone())),
            Some(found) if found != size => {
                return Err(StoreError::Damaged {
                    digest: digest.clone(),
                    detail: format!("{found} bytes instead of {size}"),
                });
            }
            Some(_) => {}
        }
        let path = self.blob_path(digest);
        let file = fs_err::File::open(&path).map_err(StoreError::io("open", &path))?;
        Ok(BlobReader {
            file,
            digest: digest.clone(),
            hasher: Hasher::new(digest.algorithm()),
            left: size,
        })
    }
}

impl BlobReader {
    /// As [`StoreError::Damaged`], which [`StoreError::io`] finds again behind any adapter.
    fn damaged(&self, detail: String) -> io::Error {
        let digest = self.digest.clone();
        let error = StoreError::Damaged { digest, detail };
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    /// Every read at the end fails again, so that no retry takes the end for a clean one.
    fn check(&self) -> io::Result<()> {
        let found = self.hasher.clone().finish();
        if found == self.digest {
            Ok(())
        } else {
            Err(self.damaged(format!("its bytes have digest {found}")))
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.check().map(|()| 0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let window = buffer.get_mut(..most).unwrap_or_default();
        if window.is_empty() {
            return Ok(0);
        }
        let count = self.file.read(window)?;
        if count == 0 {
            return Err(self.damaged("it ends too early".to_owned()));
        }
        self.hasher.update(window.get(..count).unwrap_or_default());
        self.left -= count as u64;
        Ok(count)
    }
}

/// Bytes `start..end` of a file in pieces of 256 KiB, read on blocking threads. A file that ends before `end` is an error
/// after the last byte it has; never a clean end.
///
/// # Errors
/// The file cannot be opened.
pub async fn read_range(
    path: &Path,
    start: u64,
    end: u64,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || fs_err::File::open(path));
    let file = Arc::new(opened.await.map_err(io::Error::other)??);
    Ok(stream::try_unfold(start, move |offset| {
        let file = Arc::clone(&file);
        async move {
            if offset >= end {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || read_piece(&file, offset, end));
            let piece = read.await.map_err(io::Error::other)??;
            let next = offset + piece.len() as u64;
            Ok(Some((piece, next)))
        }
    }))
}

fn read_piece(file: &fs_err::File, offset: u64, end: u64) -> io::Result<Bytes> {
    let want = usize::try_from(end - offset).unwrap_or(CHUNK).min(CHUNK);
    // Not zeroed first: that would be one pass over memory more, of three.
    let mut piece = Vec::with_capacity(want);
    let read = rustix::io::pread(
        file.file(),
        rustix::buffer::spare_capacity(&mut piece),
        offset,
    );
    let count = read.map_err(io::Error::from).map_err(|e| {
        let what = format!(
            "cannot read {} at byte {offset}: {e}",
            file.path().display()
        );
        io::Error::new(e.kind(), what)
    })?;
    if count == 0 {
        let what = format!("{} ends at byte {offset} of {end}", file.path().display());
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
    }
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt as _;

    fn store_with(bytes: &[u8]) -> (tempfile::TempDir, Store, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let digest = Digest::of(bytes);
        fs_err::write(store.blob_path(&digest), bytes).unwrap();
        (dir, store, digest)
    }

    #[test]
    fn good_bytes_pass_and_damaged_ones_never_do() {
        let (_dir, store, digest) = store_with(b"layer");
        let mut out = Vec::new();
        store
            .open_blob(&digest, 5)
            .unwrap()
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, b"layer");
        assert!(matches!(
            store.open_blob(&digest, 6),
            Err(StoreError::Damaged { .. })
        ));
        fs_err::write(store.blob_path(&digest), b"liver").unwrap();
        let error = store
            .open_blob(&digest, 5)
            .unwrap()
            .read_to_end(&mut out)
            .unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        let mut opened = store.open_blob(&digest, 5).unwrap();
        fs_err::write(store.blob_path(&digest), b"la").unwrap();
        assert!(
            opened
                .read_to_end(&mut out)
                .unwrap_err()
                .to_string()
                .contains("is damaged")
        );
        assert!(matches!(
            store.open_blob(&Digest::of(b"?"), 1),
            Err(StoreError::Missing(_))
        ));
    }

    #[tokio::test]
    async fn ranges_are_exact_and_a_short_file_is_an_error() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 17).collect();
        let (_dir, store, digest) = store_with(&bytes);
        let path = store.blob_path(&digest);
        let len = bytes.len();
        for (start, end) in [
            (0, len),
            (1, 2),
            (CHUNK - 1, 2 * CHUNK + 1),
            (len, len),
            (5, 5),
        ] {
            let stream = read_range(&path, start as u64, end as u64).await.unwrap();
            let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
            assert!(pieces.concat() == bytes[start..end], "{start}..{end}");
        }
        let stream = read_range(&path, 0, len as u64 + 1).await.unwrap();
        let short = stream.try_collect::<Vec<Bytes>>().await.unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }
}
