//! What came of a download, by image.

use std::fmt;
use std::time::Duration;

use crate::inventory::lock::Inventory;
use crate::oci::{Digest, Reference, SourceErrorKind};

use super::plan::{Kind, Plan};

/// The end of a download. Images are either downloaded, skipped, failed or (after a stop) none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Images of the inventory.
    pub images_total: usize,
    /// Images that this run completed.
    pub downloaded: usize,
    /// Images that were complete before.
    pub skipped: usize,
    /// Images that could not be had, in inventory order, each once.
    pub failed: Vec<Failure>,
    /// What is not on the disk, whatever the reason.
    pub missing: Missing,
    /// Bytes of blobs and manifests that came over the wire into the store, bytes thrown away included.
    pub bytes_fetched: u64,
    /// Bytes of all unique blobs and manifests of the inventory.
    pub bytes_unique: u64,
    /// Bytes that storing each image whole would have taken on top of `bytes_unique`.
    pub bytes_shared_saved: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// The user stopped it; run again to go on.
    pub interrupted: bool,
    /// The disk filled up in mid-run, which stopped it.
    pub disk_full: bool,
}

impl Summary {
    /// Whether every image is on the disk.
    pub fn is_complete(&self) -> bool {
        self.missing.items == 0
    }
}

/// What is not on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missing {
    /// Blobs and manifests.
    pub items: usize,
    /// Their bytes, less what partials hold.
    pub bytes: u64,
}

/// An image that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The image.
    pub image: Reference,
    /// One sentence: which blob or manifest, and what happened.
    pub reason: String,
    /// What to do about it, where the source knows.
    pub hint: Option<String>,
    /// The category.
    pub kind: FailureKind,
}

/// Category of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The source refused or failed.
    Source(SourceErrorKind),
    /// The disk is full.
    DiskFull,
    /// Another local write or read failed.
    Store,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, self.reason)
    }
}

/// Why one item failed.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    pub(super) kind: FailureKind,
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

/// State of one item.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Complete before.
    Kept,
    /// Not fetched (yet).
    Open,
    /// Completed by this run.
    Done,
    /// Given up.
    Failed(Reason),
}

/// Adds up item states to images; `held` tells how much of an item its partial has. What is the run's own (bytes fetched,
/// time, why it stopped) is left for the caller.
pub(super) fn by_image(
    inventory: &Inventory,
    plan: &Plan,
    states: &[State],
    held: impl Fn(&Digest) -> u64,
) -> Summary {
    #[derive(Clone, Default)]
    struct Tally<'a> {
        open: bool,
        done: bool,
        failed: Option<&'a Reason>,
    }
    let mut tallies = vec![Tally::default(); inventory.images.len()];
    let mut missing = Missing::default();
    let (mut unique, mut whole) = (0, 0);
    for (item, state) in plan.items.iter().zip(states) {
        unique += item.size;
        whole += item.size * item.images.len() as u64;
        if let State::Open | State::Failed(_) = state {
            missing.items += 1;
            missing.bytes += item.size.saturating_sub(held(&item.digest));
        }
        for image in &item.images {
            let Some(tally) = tallies.get_mut(*image) else {
                continue;
            };
            match state {
                State::Done => tally.done = true,
                State::Open => tally.open = true,
                // A missing manifest says more about an image than a missing blob.
                State::Failed(reason) if tally.failed.is_none() || item.kind == Kind::Manifest => {
                    tally.failed = Some(reason);
                }
                State::Kept | State::Failed(_) => {}
            }
        }
    }
    let count = |wanted: fn(&Tally<'_>) -> bool| tallies.iter().filter(|t| wanted(t)).count();
    let failed = inventory.images.iter().zip(&tallies);
    let failed = failed.filter_map(|(image, tally)| {
        let reason = tally.failed?;
        Some(Failure {
            image: image.source.clone(),
            reason: reason.text.clone(),
            hint: reason.hint.clone(),
            kind: reason.kind,
        })
    });
    Summary {
        images_total: inventory.images.len(),
        downloaded: count(|t| t.failed.is_none() && !t.open && t.done),
        skipped: count(|t| t.failed.is_none() && !t.open && !t.done),
        failed: failed.collect(),
        missing,
        bytes_fetched: 0,
        bytes_unique: unique,
        bytes_shared_saved: whole - unique,
        elapsed: Duration::ZERO,
        interrupted: false,
        disk_full: false,
    }
}
