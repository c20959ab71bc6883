//! One seed generation, from the SeedGenerator's creation to a verdict: what lifecycle-agent (LCA) is doing, whether it still is,
//! and how it ended (`seed-image.md` sections 2.3 to 2.5 and 6.2).
//!
//! ```text
//! cluster  → Event::{Object, Absent, Lost} ┐
//! registry → Event::Image                  ├→ Watch::take(event, now) → lines to say, Verdict
//! clock    → Watch::tick(now)              ┘          │
//!                                               State (the state file)
//! ```
//!
//! Imaging deletes the SeedGenerator and stops the API; the restored one has another uid. So neither absence, nor a new uid, nor a
//! refused connection ends anything once step 6 is reached. `oc get seedgenerator` shows the last condition, which is "in progress"
//! for a failed run too: the verdict is read from reasons.
//!
//! Invariants: pure, the time is given; a final verdict never changes; no order of events panics.
//!
//! What this room does not do: it asks no cluster and no registry, and writes no file.

mod advice;
mod seen;
mod state;
mod watch;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use advice::advice;
pub use seen::{Phase, STEPS, Seen};
pub use state::{FORMAT, State};
pub use watch::{Event, Line, Watch};

/// How a seed generation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Not decided.
    GoingOn,
    /// The image is published and the seed cluster is back.
    Completed,
    /// Lifecycle-agent gave up; its reason without the prefixes it repeats.
    Failed {
        /// Why.
        reason: String,
    },
    /// A new image with good labels is in the registry, but the seed cluster failed afterwards or never came back.
    ImagePublishedSeedNotRecovered {
        /// What became of the seed cluster.
        reason: String,
    },
    /// A limit of the watcher's own; the generation may go on.
    DeadlinePassed {
        /// Which.
        deadline: Deadline,
    },
}

impl Verdict {
    /// Whether nothing that is seen later can change it; a passed deadline only ends one watch.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::GoingOn | Self::DeadlinePassed { .. })
    }
}

/// A limit of the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deadline {
    /// The cluster does not become healthy; lifecycle-agent itself waits for ever.
    Health,
    /// The API or the SeedGenerator is away although nothing was imaged yet.
    Unreachable,
    /// The API or the SeedGenerator does not come back after the imaging.
    Return,
    /// All of it.
    Total,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Health => "the cluster did not become healthy in time",
            Self::Unreachable => "the cluster is away although the imaging had not begun",
            Self::Return => "the cluster did not come back from the imaging in time",
            Self::Total => "the seed generation did not end in time",
        })
    }
}

/// How long a watch waits. Times count from the watch's begin where that is later: whoever resumes gets the whole time again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At step 1 or 2.
    pub health: Duration,
    /// Without API or SeedGenerator, before step 6.
    pub unreachable: Duration,
    /// Without API or SeedGenerator, from step 6 on.
    pub away: Duration,
    /// In all.
    pub total: Duration,
}

/// `seed-image.md` section 6.2: imaging takes 7 to 30 minutes without the API.
impl Default for Limits {
    fn default() -> Self {
        Self {
            health: Duration::from_mins(20),
            unreachable: Duration::from_mins(5),
            away: Duration::from_mins(40),
            total: Duration::from_hours(1),
        }
    }
}
