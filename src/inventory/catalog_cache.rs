//! Parsed catalogs on disk, by the digest of the catalog image.
//!
//! `catalog-<format>-<hex>.json`: the catalog as JSON on the first line, the SHA-256 of that line on the second. Anything else in the file
//! (cut short, changed, another format) counts as not there, and the catalog is read again. Files are written whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::io::atomic;
use crate::oci::{Algorithm, Digest, Hasher};

use super::catalog::model::Catalog;

/// Rises with every change of [`Catalog`]'s fields or of what the parser keeps.
const FORMAT: u32 = 1;

fn path(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join(format!("catalog-{FORMAT}-{}.json", digest.hex()))
}

/// The catalog, when it is there and whole.
pub(super) fn load(directory: &Path, digest: &Digest) -> Option<Catalog> {
    let bytes = fs_err::read(path(directory, digest)).ok()?;
    let (line, sum) = bytes.split_at_checked(bytes.iter().position(|b| *b == b'\n')? + 1)?;
    let expected = Digest::of(line).to_string();
    if sum.strip_suffix(b"\n") != Some(expected.as_bytes()) {
        tracing::warn!(%digest, "catalog cache is damaged, reading the catalog again");
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Keeps a catalog.
pub(super) fn save(directory: &Path, digest: &Digest, catalog: &Catalog) -> io::Result<()> {
    fs_err::create_dir_all(directory)?;
    atomic::write_with(&path(directory, digest), |out| {
        let mut summing = Summing {
            out,
            hasher: Hasher::new(Algorithm::Sha256),
        };
        serde_json::to_writer(&mut summing, catalog)?;
        summing.write_all(b"\n")?;
        let sum = summing.hasher.finish();
        writeln!(summing.out, "{sum}")
    })
}

struct Summing<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
}

impl Write for Summing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::catalog::model::Package;

    #[test]
    fn only_a_whole_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"index");
        let catalog = Catalog {
            packages: vec![Package {
                name: "nfd".to_owned(),
                default_channel: "stable".to_owned(),
            }],
            ..Catalog::default()
        };
        assert_eq!(load(dir.path(), &digest), None);
        save(dir.path(), &digest, &catalog).unwrap();
        assert_eq!(load(dir.path(), &digest), Some(catalog.clone()));
        let file = path(dir.path(), &digest);
        let good = fs_err::read(&file).unwrap();
        for cut in 0..good.len() {
            atomic::write(&file, &good[..cut]).unwrap();
            assert_eq!(load(dir.path(), &digest), None, "cut at {cut}");
        }
        let mut changed = good.clone();
        let at = good.windows(3).position(|w| w == b"nfd").unwrap();
        changed[at] = b'x';
        atomic::write(&file, &changed).unwrap();
        assert_eq!(load(dir.path(), &digest), None);
    }
}
