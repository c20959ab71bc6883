//! What came of a copy.

use std::path::PathBuf;
use std::time::Duration;

use crate::store::StoreError;

/// The end of a copy.
#[derive(Debug)]
pub struct CopyReport {
    /// Files of the source that were not copied, in order of path.
    pub refused: Vec<Refused>,
    /// One for each destination, in the order asked.
    pub destinations: Vec<CopyOutcome>,
    /// Images of the source's index whose manifests are usable.
    pub images: usize,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// It was stopped before all was done; run again to go on.
    pub interrupted: bool,
}

/// A file of the source that cannot be used: it landed nowhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Below the data directory.
    pub path: PathBuf,
    /// Images that need it, in index order; empty for other files.
    pub images: Vec<String>,
    /// What is wrong.
    pub reason: String,
}

/// One destination.
#[derive(Debug)]
pub struct CopyOutcome {
    /// The data directory.
    pub root: PathBuf,
    /// Files and bytes that this run wrote and read back right.
    pub copied: (usize, u64),
    /// Files and bytes that were there before.
    pub skipped: (usize, u64),
    /// Bytes written by this run, whatever came of them.
    pub bytes_written: u64,
    /// Time in which they were written and synced.
    pub writing: Duration,
    /// Bytes read back from the medium.
    pub bytes_verified: u64,
    /// Time that this took.
    pub verifying: Duration,
    /// Files that the medium did not give back as they were written, in order of path.
    pub wrong: Vec<PathBuf>,
    /// Why the destination was left out.
    pub error: Option<StoreError>,
    /// Whether all of the source that is usable is there, the index included.
    pub settled: bool,
}

impl CopyOutcome {
    /// Bytes per second that were written, syncs included.
    pub fn write_rate(&self) -> u64 {
        rate(self.bytes_written, self.writing)
    }

    /// Bytes per second that were read back.
    pub fn verify_rate(&self) -> u64 {
        rate(self.bytes_verified, self.verifying)
    }
}

fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / millis
}
