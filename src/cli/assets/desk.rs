//! Where assets are put: unfinished ones beside the finished, each moved to its name when it is right, and a record of what is right.
//!
//! ```text
//! OUT/openshift-install  OUT/oc  OUT/rhcos-live.x86_64.iso
//! OUT/assets.json        the record: name → source, version, size, SHA-256
//! OUT/.assets/           unfinished files; its lock keeps a second run away
//! ```

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
        let work = out.join(".assets");
        fs_err::create_dir_all(&work)?;
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(work.join("lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.file().try_lock() {
            let message = format!("{}: another `assets` is at work there", out.display());
            return Err(Failure::new(Exit::Environment, message).hint("wait for it, or stop it"));
        }
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

    /// A place for an unfinished download, on the same filesystem.
    pub(super) fn download(&self, name: &str) -> PathBuf {
        self.out.join(".assets").join(name)
    }

    /// A new unfinished file, gone when it is not finished.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn blank(&self) -> Result<NamedTempFile, Failure> {
        let work = self.out.join(".assets");
        Ok(NamedTempFile::with_prefix_in(atomic::PREFIX, work)?)
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
