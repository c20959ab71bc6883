//! From the objects of one moment to the stage, and to what it waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::requests::{self, State};
use super::{Facts, Stage, condition, has, moment, short, since, some};
use crate::objects::json::{list, name, text};

/// How long an operator must not have been progressing: as `openshift-install` has it.
const SETTLED: Duration = Duration::from_secs(30);
/// What the machine-config-daemon says of itself, on the node.
pub(super) const MACHINE_STATE: &str =
    "/metadata/annotations/machineconfiguration.openshift.io~1state";

/// The operators at rest: their names, when they came to it by the machine's clock, and when this watch first saw that.
#[derive(Debug, Clone, Default)]
pub(super) struct Rests(BTreeMap<(String, String), Timestamp>);

impl Rests {
    /// Takes note of those that rest now.
    pub(super) fn see(&mut self, facts: &Facts, now: Timestamp) {
        let before = std::mem::take(&mut self.0);
        let keys = facts.operators().iter().filter_map(Self::key);
        self.0 = keys
            .map(|key| {
                let seen = before.get(&key).copied().unwrap_or(now);
                (key, seen)
            })
            .collect();
    }

    fn key(operator: &Value) -> Option<(String, String)> {
        let condition =
            condition(operator, "Progressing").filter(|c| text(c, "/status") == "False")?;
        let began = text(condition, "/lastTransitionTime");
        Some((name(operator).to_owned(), began.to_owned()))
    }

    /// By the machine's clock, so that who comes late need not wait; or by this one, in case the machine's is ahead.
    fn is_settled(&self, operator: &Value, now: Timestamp) -> bool {
        let Some(key) = Self::key(operator) else {
            return false;
        };
        let seen = self.0.get(&key).copied();
        let both = [seen, key.1.parse().ok()];
        both.into_iter()
            .flatten()
            .any(|then| since(then, now) > SETTLED)
    }
}

/// The stage, and what it waits for.
pub(super) fn standing(facts: &Facts, rests: &Rests, now: Timestamp) -> (Stage, String) {
    if is_installed(facts) {
        let all = facts.operators().iter();
        let unsettled: Vec<&str> = all
            .filter(|o| !rests.is_settled(o, now))
            .map(name)
            .collect();
        if unsettled.is_empty() {
            return (Stage::Complete, String::new());
        }
        let waits = format!("operators that settle: {}", some(&unsettled));
        return (Stage::Version, waits);
    }
    let Some(node) = facts.node() else {
        return match facts.bootstrapped() {
            None => (Stage::Bootstrap, bootstrap(facts)),
            Some(_) => (Stage::Node, registration(facts)),
        };
    };
    if !facts.is_ready() {
        return (Stage::Ready, unready(node));
    }
    if let Some(waits) = configuration(facts, node) {
        return (Stage::MachineConfig, waits);
    }
    match operators(facts) {
        Some(waits) => (Stage::Operators, waits),
        None => (Stage::Version, version(facts)),
    }
}

fn is_installed(facts: &Facts) -> bool {
    let wanted = [
        ("Available", "True"),
        ("Failing", "False"),
        ("Progressing", "False"),
    ];
    let version = facts.version();
    version.is_some_and(|v| wanted.iter().all(|(kind, status)| has(v, kind, status)))
}

fn bootstrap(facts: &Facts) -> String {
    let progress = version(facts);
    format!("bootkube and the temporary control plane; {progress}")
}

fn registration(facts: &Facts) -> String {
    let pending = facts
        .requests()
        .iter()
        .filter(|r| requests::state(r) == State::Pending);
    match pending.count() {
        0 => "the kubelet, which registers the node".to_owned(),
        n => format!("the node to register; certificate requests pending: {n}"),
    }
}

fn unready(node: &Value) -> String {
    let own = name(node);
    match condition(node, "Ready") {
        Some(ready) => format!(
            "node {own} to become ready: {}",
            short(text(ready, "/message"))
        ),
        None => format!("node {own} to tell how it is"),
    }
}

/// What the machine-config-daemon has before it.
fn configuration(facts: &Facts, node: &Value) -> Option<String> {
    let Some(pool) = facts.pool() else {
        return Some("the machine-config-operator, which makes the pool master".to_owned());
    };
    let count = |field: &str| {
        let value = pool.get("status").and_then(|s| s.get(field));
        value.and_then(Value::as_u64).unwrap_or_default()
    };
    let (all, updated) = (count("machineCount"), count("updatedMachineCount"));
    if has(pool, "Updated", "True") || (all > 0 && updated >= all) {
        return None;
    }
    let state = match text(node, MACHINE_STATE) {
        "" => "is not there yet",
        state => state,
    };
    Some(format!(
        "pool master, {updated} of {all} nodes updated; machine-config-daemon: {state}"
    ))
}

/// Which operators are not done, with what they say when they are few.
fn operators(facts: &Facts) -> Option<String> {
    let all = facts.operators();
    if all.is_empty() {
        return Some("the cluster-version-operator, which creates the operators".to_owned());
    }
    let missing: Vec<&Value> = all
        .iter()
        .filter(|o| !has(o, "Available", "True"))
        .collect();
    let busy = all
        .iter()
        .filter(|o| has(o, "Available", "True"))
        .filter(|o| has(o, "Progressing", "True") || has(o, "Degraded", "True"));
    let busy: Vec<&Value> = busy.collect();
    if missing.is_empty() && busy.is_empty() {
        return None;
    }
    let available = all.len() - missing.len();
    let head = format!("operators: {available} of {} available", all.len());
    let part = |word: &str, which: &[&Value], kind: &str| match which {
        [] => String::new(),
        few if few.len() <= 2 => {
            let says = few.iter().map(|o| {
                let said = condition(o, kind).map_or("", |c| text(c, "/message"));
                let colon = if said.is_empty() { "" } else { ": " };
                format!("{}{colon}{}", name(o), short(said))
            });
            format!("; {word}: {}", says.collect::<Vec<_>>().join("; "))
        }
        many => {
            let names: Vec<&str> = many.iter().map(|o| name(o)).collect();
            format!("; {word}: {}", some(&names))
        }
    };
    let not_yet = part("not yet", &missing, "Available");
    let busy = part("at work", &busy, "Progressing");
    Some(format!("{head}{not_yet}{busy}"))
}

/// What the cluster-version-operator says.
fn version(facts: &Facts) -> String {
    let Some(version) = facts.version() else {
        return "no ClusterVersion yet".to_owned();
    };
    let said = |kind: &str| {
        let condition = condition(version, kind).filter(|c| text(c, "/status") == "True")?;
        Some(format!(
            "ClusterVersion: {}",
            short(text(condition, "/message"))
        ))
    };
    let said = said("Failing").or_else(|| said("Progressing"));
    said.unwrap_or_else(|| "ClusterVersion says nothing yet".to_owned())
}

/// When a stage began and ended, as far as the objects tell of what nobody watched.
pub(super) fn history(facts: &Facts, stage: Stage) -> (Option<Timestamp>, Option<Timestamp>) {
    let created = |object: Option<&Value>| moment(object?, "/metadata/creationTimestamp");
    let changed = |object: Option<&Value>, kind: &str| {
        let condition = condition(object?, kind).filter(|c| text(c, "/status") == "True")?;
        moment(condition, "/lastTransitionTime")
    };
    let returned = || created(facts.bootstrapped());
    let registered = || created(facts.node());
    let ready = || changed(facts.node(), "Ready");
    let configured = || changed(facts.pool(), "Updated");
    match stage {
        Stage::Api => (None, facts.born()),
        Stage::Bootstrap => (facts.born(), None),
        Stage::Reboot => (None, returned()),
        Stage::Node => (returned(), registered()),
        Stage::Ready => (registered(), ready()),
        Stage::MachineConfig => (ready(), configured()),
        Stage::Operators => (configured(), None),
        Stage::Version => (None, completed(facts)),
        Stage::Complete => (completed(facts), None),
    }
}

/// When the release was first whole.
pub(super) fn completed(facts: &Facts) -> Option<Timestamp> {
    let first = list(facts.version()?, "/status/history").last()?;
    moment(first, "/completionTime")
}
