//! One data directory onto one or many others: read once, written to all at the same time, read back.
//!
//! ```text
//! survey (SRC: index, manifests, bin/, files/) ─ plan (each DST: what is missing, does it fit)
//!   │
//!   ▼ copy: SRC is read and hashed once ──┬─ bounded queue ─▶ DST 1: .partial/<name> ─ sync
//!   │                                     └─ bounded queue ─▶ DST n: .partial/<name> ─ sync
//!   ▼ read back, each DST by itself: page cache dropped ─ SHA-256 ─ rename to the final name ─ sync of the directory
//!   ▼ settle, each DST by itself: text files ─ snoforge.json ─ index.json
//! ```
//!
//! Invariants:
//! - a file gets its final name at a destination only after its bytes were read back from the medium and were right, so that a
//!   run counts on names and sizes alone;
//! - `snoforge.json` and `index.json` come last: until then a new destination is no data directory, an old one is what it was;
//! - a blob of the source whose bytes are wrong lands nowhere, and an image that needs it is not in a destination's index;
//! - a destination that fails is left out from then on with its error; the others go on. The slowest sets the pace;
//! - killed or stopped at any moment, the next run goes on from the length of each partial.
//!
//! A partial that an earlier run left may have lost bytes in a crash; when such a one reads back wrong it is written once more
//! from its first byte. What reads back wrong after that is the fault of the medium.
//!
//! What this does not do: it mounts nothing, and removes nothing that is at a destination (`precache prune` does).

mod feed;
mod lane;
mod plan;
mod readback;
mod report;
mod settle;
mod survey;

use std::time::Instant;

use crate::progress::{Event, Reporter};
use lane::Lane;
pub use plan::{CopyPlan, CopyTarget};
pub use report::{CopyOutcome, CopyReport, Refused};

/// What a run of the copy shares with all its threads.
struct Job<'a> {
    reporter: &'a dyn Reporter,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl CopyPlan {
    /// Does what the plan says. `stop` is asked all the time: once it says yes, what is written is synced and kept for the next run.
    pub fn run(self, reporter: &dyn Reporter, stop: &(dyn Fn() -> bool + Sync)) -> CopyReport {
        let started = Instant::now();
        let job = Job { reporter, stop };
        let mut lanes: Vec<Lane> = self.targets.into_iter().map(Lane::open).collect();
        let mut read = feed::Read::of(self.survey);
        // The second time only for what an earlier run left and what read back wrong.
        loop {
            job.phase("copy", &lanes, |lane| lane.to_write(&read.survey.items));
            read.copy(&mut lanes, &job);
            reporter.report(Event::PhaseDone);
            if stop() {
                break;
            }
            job.phase("read back", &lanes, |lane| lane.to_read(&read.survey.items));
            let again = readback::all(&mut lanes, &read, &job);
            reporter.report(Event::PhaseDone);
            if !again || stop() {
                break;
            }
        }
        if !stop() {
            settle::all(&mut lanes, &read.survey);
        }
        CopyReport {
            refused: read.refused_items(),
            interrupted: stop() && lanes.iter().any(|lane| !lane.settled),
            images: read.survey.images.len(),
            bytes_read: read.bytes,
            elapsed: started.elapsed(),
            destinations: lanes.iter_mut().map(|l| l.outcome(&read.survey)).collect(),
        }
    }
}

impl Job<'_> {
    /// A phase with an item for each destination that is not done with it.
    fn phase(&self, name: &str, lanes: &[Lane], bytes: impl Fn(&Lane) -> u64) {
        let alive = || lanes.iter().filter(|lane| lane.is_alive());
        self.reporter.report(Event::Phase {
            name,
            items: Some(alive().count() as u64),
            bytes: Some(alive().map(&bytes).sum()),
        });
        for lane in alive() {
            self.reporter.report(Event::Started {
                id: lane.id,
                name: &lane.name(),
                size: Some(bytes(lane)),
            });
        }
    }

    fn advanced(&self, id: u64, bytes: u64) {
        self.reporter.report(Event::Advanced { id, bytes });
    }
}

#[cfg(test)]
mod tests;
