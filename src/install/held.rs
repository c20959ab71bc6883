//! The traps that were seen: which hold, and which are over.

use jiff::Timestamp;
use serde::Serialize;

use super::Line;
use crate::objects::Finding;

/// A trap, from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trap {
    /// What and how to cure it.
    #[serde(flatten)]
    pub finding: Finding,
    /// When it was first seen, RFC 3339.
    pub since: String,
    /// When it was seen no longer, RFC 3339; none while it holds.
    pub until: Option<String>,
}

/// All of one watch, in the order in which they were seen. Rule and object tell one from another; what it says may change.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Vec<Trap>);

impl Held {
    /// Those that hold.
    pub(super) fn now(&self) -> impl Iterator<Item = &Finding> {
        let held = self.0.iter().filter(|t| t.until.is_none());
        held.map(|t| &t.finding)
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Trap] {
        &self.0
    }

    /// Takes those that a look found in place of the ones before; gives what there is to say about it.
    pub(super) fn set(&mut self, found: Vec<Finding>, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        for trap in self.0.iter_mut().filter(|t| t.until.is_none()) {
            let own = &trap.finding;
            if let Some(same) = found.iter().find(|f| is_same(f, own)) {
                trap.finding = same.clone();
                continue;
            }
            lines.push(Line::Say(format!("over: {}: {}", own.rule, own.object)));
            trap.until = Some(now.to_string());
        }
        for finding in found {
            if !self.now().any(|held| is_same(held, &finding)) {
                lines.push(Line::Trap(finding.clone()));
                self.0.push(Trap {
                    finding,
                    since: now.to_string(),
                    until: None,
                });
            }
        }
        lines
    }
}

fn is_same(one: &Finding, other: &Finding) -> bool {
    one.rule == other.rule && one.object == other.object
}
