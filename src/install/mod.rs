//! One bootstrap-in-place installation as its API shows it: which stage it is in, what it waits for, which trap it sits in.
//!
//! ```text
//! cluster → Event::{Here(Facts), Away(Reason)} ┐
//! clock   ─────────────────────────────────────┴→ Watch::take(event, now) → lines to say, requests to approve, Verdict
//!
//! api → bootstrap → reboot → node → ready → machine-config → operators → version → complete
//! ```
//!
//! Nothing is kept outside the cluster: the stage is read from its objects, so a watch may begin at any moment and as often as one
//! likes. What tells the two boots apart is the ConfigMap `kube-system/bootstrap`: with bootstrap in place it is
//! `bootstrap-in-place-post-reboot.sh` of the installed system that writes it (openshift/installer, `data/data/bootstrap/`), while
//! the kubelet of the live system registers no node. The end is that of `openshift-install wait-for install-complete`: `ClusterVersion`
//! Available, not Failing, not Progressing, and no operator progressing for 30 seconds.
//!
//! Invariants: pure, the time is given; a stage never goes back within one watch; a final verdict never changes; only certificate
//! requests that [`requests::Judge`] finds to be of the node itself are ever offered for approval.
//!
//! What this room does not do: it asks no cluster and approves nothing itself.

mod absence;
mod facts;
mod held;
mod pending;
mod report;
pub mod requests;
mod stage;
mod traps;
mod watch;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use facts::{CONSOLE, Facts, NODES, console_url};
pub use held::Trap;
pub use report::{Operators, Report, Took};
pub use watch::{Event, Line, Watch};

use crate::objects::json::{list, text};

/// A stage of the installation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No API yet: the machine boots the medium and loads its images.
    Api,
    /// The temporary control plane of the live system.
    Bootstrap,
    /// The disk is written; the machine reboots, changes its OS and reboots again. No API.
    Reboot,
    /// The installed system has its API, the kubelet asks for its certificate and registers.
    Node,
    /// The node becomes ready: network, serving certificate.
    Ready,
    /// The machine-config-daemon brings the node to its rendered config.
    MachineConfig,
    /// The operators become available.
    Operators,
    /// The `ClusterVersion` completes and the operators settle.
    Version,
    /// Installed.
    Complete,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Api,
        Self::Bootstrap,
        Self::Reboot,
        Self::Node,
        Self::Ready,
        Self::MachineConfig,
        Self::Operators,
        Self::Version,
        Self::Complete,
    ];

    /// As in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Bootstrap => "bootstrap",
            Self::Reboot => "reboot",
            Self::Node => "node",
            Self::Ready => "ready",
            Self::MachineConfig => "machine-config",
            Self::Operators => "operators",
            Self::Version => "version",
            Self::Complete => "complete",
        }
    }

    /// A stage that lasts longer is worth a look at the machine. Generous: the slowest that the field tells of is a first boot from a
    /// USB stick that copies its images before anything starts.
    fn patience(self) -> Duration {
        Duration::from_mins(match self {
            Self::Node => 15,
            Self::Ready => 20,
            Self::Bootstrap | Self::MachineConfig | Self::Version => 30,
            Self::Api | Self::Reboot => 45,
            Self::Operators | Self::Complete => 60,
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How an installation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Not decided.
    GoingOn,
    /// Installed.
    Completed,
    /// It cannot go on, or nobody may look.
    Failed {
        /// Why, in one clause.
        reason: String,
        /// What to do.
        #[serde(skip)]
        cure: String,
    },
    /// The watch's own time is over; the installation may go on.
    DeadlinePassed {
        /// Whether the API was away at that moment.
        away: bool,
    },
}

/// A condition of an object, whatever its status.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut all = list(object, "/status/conditions").iter();
    all.find(|c| text(c, "/type") == kind)
}

/// Whether a condition has this status.
fn has(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "/status") == status)
}

/// A moment at a JSON pointer.
fn moment(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// How long ago; nothing when it lies ahead.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// How long a condition has been as it is.
fn lasting(condition: &Value, now: Timestamp) -> Duration {
    moment(condition, "/lastTransitionTime").map_or(Duration::ZERO, |then| since(then, now))
}

/// A time for people: `40s`, `12m`, `2h5m`, `3d4h`.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let (d, h, m) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, m) => format!("{m}m"),
        (0, h, m) => format!("{h}h{m}m"),
        (d, h, _) => format!("{d}d{h}h"),
    }
}

/// The first line of what a cluster says, and not too much of it.
fn short(text: &str) -> String {
    const MOST: usize = 200;
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// The first few, and how many more.
fn some(names: &[&str]) -> String {
    const MOST: usize = 4;
    let first: Vec<&str> = names.iter().take(MOST).copied().collect();
    match names.len().saturating_sub(MOST) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
