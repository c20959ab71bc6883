//! The certificate requests of one watch: what became of each, and which may be approved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::requests::{self, Judge, State};
use super::{Facts, Line};
use crate::objects::json::name;

/// The requests that were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    /// The only node whose requests are right, when the user named it.
    node: Option<String>,
    states: BTreeMap<String, State>,
    approved: BTreeSet<String>,
}

impl Pending {
    /// None yet, of this node or of whichever there is.
    pub(super) fn of(node: Option<String>) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    /// What the requests of a look are judged by.
    pub(super) fn judge<'a>(&'a self, facts: &'a Facts) -> Judge<'a> {
        Judge::new(facts.nodes(), facts.requests(), self.node.as_deref())
    }

    /// Takes note of what became of each; gives what there is to say about it.
    pub(super) fn see(&mut self, facts: &Facts) -> Vec<Line> {
        let judge = Judge::new(facts.nodes(), facts.requests(), self.node.as_deref());
        let mut lines = Vec::new();
        for request in facts.requests() {
            let (own, state) = (name(request).to_owned(), requests::state(request));
            let before = self.states.insert(own.clone(), state);
            let shown = requests::shown(request);
            let text = match (before, state) {
                (None, State::Pending) if requests::is_of_kubelet(request) => {
                    let doubt = judge.judge(request).err();
                    let doubt =
                        doubt.map_or_else(String::new, |why| format!("; look at it first: {why}"));
                    format!(
                        "{shown} is pending; the machine approves its own within seconds, else: `{}`{doubt}",
                        requests::by_hand(request)
                    )
                }
                (Some(State::Pending), State::Approved) if !self.approved.contains(&own) => {
                    format!("{shown} is approved")
                }
                (Some(State::Pending), State::Refused) => format!("{shown} was denied"),
                _ => continue,
            };
            lines.push(Line::Say(text));
        }
        lines
    }

    /// Undecided ones that are what the node would ask for.
    pub(super) fn approvable(&self, facts: &Facts) -> Vec<Value> {
        let judge = self.judge(facts);
        let is = |request: &&Value| {
            requests::state(request) == State::Pending && judge.judge(request).is_ok()
        };
        facts.requests().iter().filter(is).cloned().collect()
    }

    /// Takes note that whoever watches approved one.
    pub(super) fn approve(&mut self, request: &Value) {
        self.approved.insert(name(request).to_owned());
    }

    /// Names of those that whoever watches approved.
    pub(super) fn approved(&self) -> Vec<String> {
        self.approved.iter().cloned().collect()
    }

    /// Another cluster has others.
    pub(super) fn forget(&mut self) {
        self.states.clear();
    }
}
