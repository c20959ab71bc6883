//! What came of a run.

use std::path::PathBuf;
use std::time::Duration;

use crate::disk::error::DiskError;
use crate::oci::Digest;

/// What came of a run.
#[derive(Debug)]
pub struct WriteReport {
    /// SHA-256 of the whole image, holes read as zeros; `None` when the run was stopped before its end.
    pub digest: Option<Digest>,
    /// Size of the image.
    pub size_bytes: u64,
    /// Stopped before every disk was done.
    pub interrupted: bool,
    /// Wall time.
    pub elapsed: Duration,
    /// The disks, as the plan has them.
    pub disks: Vec<WriteOutcome>,
}

/// What came of one disk.
#[derive(Debug)]
pub struct WriteOutcome {
    /// The disk.
    pub path: PathBuf,
    /// It holds the image, read back and whole.
    pub done: bool,
    /// Bytes that were there already.
    pub kept_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Time in which they were written, without waiting for the image.
    pub writing: Duration,
    /// Bytes read back.
    pub verified_bytes: u64,
    /// Time in which they were.
    pub verifying: Duration,
    /// Why it failed, where it did.
    pub error: Option<DiskError>,
}

impl WriteOutcome {
    /// Bytes per second, both numbers 0 where nothing was done: written, read back.
    pub fn rates(&self) -> (u64, u64) {
        let rate = |bytes: u64, time: Duration| u128::from(bytes) * 1000 / time.as_millis().max(1);
        let fit = |rate| u64::try_from(rate).unwrap_or(u64::MAX);
        (
            fit(rate(self.written_bytes, self.writing)),
            fit(rate(self.verified_bytes, self.verifying)),
        )
    }
}
