//! Where assets are put: unfinished ones beside the finished, each moved to its name when it is right, and a record of what is right.
//!
//! ```text
//! OUT/openshift-install  OUT/oc  OUT/rhcos-live.x86_64.iso
//! OUT/assets.json        the record: name → source, version, size, SHA-256
//! OUT/.assets/           unfinished files, gone when there are none
//! ```
//! A lock on OUT itself keeps a second run away.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{Asset, Done};
use crate::cli::exit::{Exit, Failure};
use crate::io::atomic;
use crate::oci::{Algorithm, Digest, Hasher};

/// Version of `assets.json`.
const FORMAT: u32 = 1;

/// What is known of a finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    /// `4.13.1`.
    pub(super) version: String,
    /// `x86_64`, `aarch64`, ….
    pub(super) architecture: String,
    /// Image by digest and path in it, or URL and digest of the archive: the same source gives the same bytes.
    pub(super) source: String,
    /// The release whose name is in it, by digest.
    pub(super) release: Option<String>,
    /// Bytes.
    pub(super) size: u64,
    /// Of the file as it is here.
    pub(super) sha256: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    assets: BTreeMap<String, Entry>,
}

/// The directory while it is worked on.
#[derive(Debug)]
pub(super) struct Desk {
    out: PathBuf,
    record: Record,
    _lock: fs_err::File,
}

impl Desk {
    /// Takes the lock, and removes what a killed run left, except downloads that can go on.
    ///
    /// # Errors
    /// Another run is at work, or the directory cannot be written.
    pub(super) fn open(out: &Path) -> Result<Self, Failure> {
        fs_err::create_dir_all(out)?;
        let lock = fs_err::File::open(out)?;
        if let Err(TryLockError::WouldBlock) = lock.file().try_lock() {
            let message = format!("{}: another `assets` is at work there", out.display());
            return Err(Failure::new(Exit::Environment, message).hint("wait for it, or stop it"));
        }
        let work = out.join(atomic::UNFINISHED);
        fs_err::create_dir_all(&work)?;
        for entry in fs_err::read_dir(&work)?.flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(atomic::PREFIX)
            {
                fs_err::remove_file(entry.path())?;
            }
        }
        // A record that cannot be read records nothing: then everything is taken anew.
        let known = fs_err::read(out.join("assets.json")).unwrap_or_default();
        let record = serde_json::from_slice(&known).ok();
        let record = record.filter(|record: &Record| record.format == FORMAT);
        Ok(Self {
            out: out.to_owned(),
            record: record.unwrap_or(Record {
                format: FORMAT,
                assets: BTreeMap::new(),
            }),
            _lock: lock,
        })
    }

    /// The file of that name, when it is there, from the same source and with the bytes that it had then. Reads all of it.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn kept(
        &self,
        asset: Asset,
        name: &str,
        (source, release): (&str, Option<&str>),
    ) -> Result<Option<Done>, Failure> {
        let path = self.out.join(name);
        let Some(entry) = self.record.assets.get(name) else {
            return Ok(None);
        };
        let same = entry.source == source && entry.release.as_deref() == release;
        let size = fs_err::metadata(&path).map_or(0, |meta| meta.len());
        if !same || size != entry.size || sha256(&path)? != entry.sha256 {
            return Ok(None);
        }
        Ok(Some(Done {
            asset,
            path,
            entry: entry.clone(),
            kept: true,
        }))
    }

    /// A place for an unfinished download, on the same filesystem. Older ones of the same sort, program or ISO, go.
    pub(super) fn download(&self, name: &str) -> PathBuf {
        let work = self.work();
        let is_iso = |name: &str| name.contains(".iso");
        let there = fs_err::read_dir(&work).into_iter().flatten().flatten();
        for entry in there {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            if is_iso(&other) == is_iso(name) && !other.starts_with(name) {
                // What cannot be removed is in nobody's way.
                let _ = fs_err::remove_file(entry.path());
            }
        }
        work.join(name)
    }

    fn work(&self) -> PathBuf {
        self.out.join(atomic::UNFINISHED)
    }

    /// A new unfinished file, gone when it is not finished.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn blank(&self) -> Result<NamedTempFile, Failure> {
        Ok(NamedTempFile::with_prefix_in(atomic::PREFIX, self.work())?)
    }

    /// Gives a finished file its name and mode, and records it.
    ///
    /// # Errors
    /// It cannot be synced or renamed, or the record written.
    pub(super) fn put(
        &mut self,
        asset: Asset,
        name: &str,
        (file, entry): (NamedTempFile, Entry),
    ) -> Result<Done, Failure> {
        let path = self.out.join(name);
        let mode = if asset.is_program() { 0o755 } else { 0o644 };
        let mode = std::fs::Permissions::from_mode(mode);
        file.as_file().set_permissions(mode)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|e| e.error)?;
        atomic::sync_dir(&self.out)?;
        self.record.assets.insert(name.to_owned(), entry.clone());
        let mut text = serde_json::to_vec_pretty(&self.record)
            .map_err(|e| Failure::new(Exit::Internal, format!("assets.json: {e}")))?;
        text.push(b'\n');
        atomic::write(&self.out.join("assets.json"), &text)?;
        Ok(Done {
            asset,
            path,
            entry,
            kept: false,
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Only an empty one goes.
        let _ = fs_err::remove_dir(self.work());
    }
}

/// Reads a whole file.
///
/// # Errors
/// It cannot be read.
pub(super) fn sha256(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut file = fs_err::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = std::io::Read::read(&mut file, &mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_old_stays() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join(atomic::UNFINISHED);
        let desk = Desk::open(dir.path()).unwrap();
        let second = Desk::open(dir.path()).unwrap_err();
        assert!(second.message.contains("at work"), "{}", second.message);
        let names = [
            "rhcos-4.13.1-live.x86_64.iso",
            "oc-4.13.1.tar.gz.0123.partial",
        ];
        for name in names {
            fs_err::write(work.join(name), b"x").unwrap();
        }
        // The same version goes on, another takes its place.
        let path = desk.download(names[0]);
        assert!(path.exists() && work.join(names[1]).exists());
        let other = desk.download("rhcos-4.13.2-live.x86_64.iso");
        assert!(!path.exists() && !other.exists());
        drop(desk);
        assert!(work.join(names[1]).exists());
        let desk = Desk::open(dir.path()).unwrap();
        fs_err::remove_file(
            desk.download("oc-4.13.1.tar.gz")
                .with_extension("gz.0123.partial"),
        )
        .unwrap();
        drop(desk);
        assert!(!work.exists());
    }
}
