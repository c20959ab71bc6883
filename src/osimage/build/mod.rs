//! Where a build stands: pure functions from the objects of one moment to a line and a verdict.
//!
//! ```text
//! v1:   MachineOSConfig → MachineOSBuild (Prepared → Building → Succeeded | Failed | Interrupted) → Job, 4 attempts → pods
//! 4.14: pool's label → pool's conditions (BuildPending → Building → BuildSuccess | BuildFailed | BuildInterrupted) ↔ build pod
//! ```
//!
//! Whoever watches gets the objects, in any order and as often as it likes, and asks again: nothing is remembered here. Objects
//! are the API's JSON; what is missing in them is taken for not there yet. Vector: `job_to_build_state.json`.

pub mod clean;
pub mod job;
pub mod rollout;
mod v1;
mod v414;

use serde::Serialize;
use serde_json::Value;

pub use v1::{Objects as V1Objects, current, state as v1};
pub use v414::{Objects as V414Objects, state as v414};

use crate::objects::json::{list, text};

/// Label of the operator's own pods.
pub const BUILDER_SELECTOR: &str = "k8s-app=machine-os-builder";

/// Where a build stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// One line for people.
    pub line: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// What is worth knowing whatever it comes to.
    pub notes: Vec<String>,
}

/// What a build comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// The image is pushed.
    Succeeded {
        /// `name@sha256:…`.
        image: String,
    },
    /// It does not go on by itself.
    Failed {
        /// Why, in one clause.
        reason: String,
        /// Whose log tells more.
        log: Option<Log>,
    },
    /// Somebody or something ended it.
    Interrupted {
        /// Why, in one clause.
        reason: String,
    },
    /// It goes on.
    Waiting {
        /// For what.
        why: String,
    },
}

/// A container's log, in the operator's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The pod.
    pub pod: String,
    /// Its container.
    pub container: String,
}

impl State {
    fn waiting(line: impl Into<String>) -> Self {
        let line = line.into();
        Self {
            verdict: Verdict::Waiting { why: line.clone() },
            line,
            notes: Vec::new(),
        }
    }

    fn failed(reason: impl Into<String>, log: Option<Log>) -> Self {
        let reason = reason.into();
        Self {
            line: format!("failed: {reason}"),
            verdict: Verdict::Failed { reason, log },
            notes: Vec::new(),
        }
    }

    /// Whether there is nothing to wait for.
    pub fn is_final(&self) -> bool {
        !matches!(self.verdict, Verdict::Waiting { .. })
    }
}

/// A condition that is `True`.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut all = list(object, "/status/conditions").iter();
    all.find(|c| text(c, "/type") == kind && text(c, "/status") == "True")
}

/// Reason and message of a condition as one clause.
fn clause(condition: &Value) -> String {
    match (text(condition, "/reason"), text(condition, "/message")) {
        ("", "") => "no reason is given".to_owned(),
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// A pod's container that went wrong, init containers first, and what is said of it.
fn broken(pod: &Value) -> Option<(Log, String)> {
    let init = list(pod, "/status/initContainerStatuses").iter();
    let all = init.chain(list(pod, "/status/containerStatuses"));
    let pod_name = text(pod, "/metadata/name");
    let log = |container: &str| Log {
        pod: pod_name.to_owned(),
        container: container.to_owned(),
    };
    for status in all {
        let name = text(status, "/name");
        for state in ["/state/terminated", "/lastState/terminated"] {
            let Some(ended) = status.pointer(state) else {
                continue;
            };
            let code = ended.pointer("/exitCode").and_then(Value::as_i64);
            if let Some(code) = code.filter(|code| *code != 0) {
                let reason = text(ended, "/reason");
                return Some((log(name), format!("{name} ended with {code} ({reason})")));
            }
        }
        let waiting = text(status, "/state/waiting/reason");
        if !["", "PodInitializing", "ContainerCreating"].contains(&waiting) {
            let message = text(status, "/state/waiting/message");
            return Some((log(name), format!("{name}: {waiting} {message}")));
        }
    }
    let reason = text(pod, "/status/reason");
    let evicted = !reason.is_empty() && text(pod, "/status/phase") == "Failed";
    evicted.then(|| {
        (
            log(BUILD_CONTAINER),
            format!("{reason}: {}", text(pod, "/status/message")),
        )
    })
}

/// Why a pod has no node.
fn unschedulable(pod: &Value) -> Option<String> {
    let mut conditions = list(pod, "/status/conditions").iter();
    let found =
        conditions.find(|c| text(c, "/type") == "PodScheduled" && text(c, "/status") == "False");
    found.map(clause)
}

/// The container that builds and pushes.
const BUILD_CONTAINER: &str = "image-build";

/// Why the builder is not at work; `None` when it is.
fn builder(deployment: Option<&Value>) -> Option<&'static str> {
    match deployment {
        None => Some("machine-os-builder is not there yet"),
        Some(object) => {
            let available = object.pointer("/status/availableReplicas");
            let none = available.and_then(Value::as_u64).unwrap_or_default() == 0;
            none.then_some("machine-os-builder is not ready yet")
        }
    }
}

/// What is said of a pool that nobody boots from.
fn no_nodes(pool: &Value) -> Option<String> {
    let count = pool.pointer("/status/machineCount").and_then(Value::as_u64);
    (count == Some(0)).then(|| {
        format!(
            "the pool `{}` has no nodes: the image is built, and nobody boots it",
            text(pool, "/metadata/name")
        )
    })
}
