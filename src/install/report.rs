//! What a watch came to: stages with their times, traps, operators.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::stage::history;
use super::{Facts, Stage, Trap, Verdict, condition, has, short};
use crate::objects::json::{name, text};

/// From when to when a stage was, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Whether this watch saw it begin; else the cluster's objects tell, by the machine's clock.
    watched: bool,
}

/// The stages so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans(BTreeMap<Stage, Span>);

impl Spans {
    /// A stage begins; `known` is when, where the objects tell of what nobody watched.
    pub(super) fn begin(&mut self, stage: Stage, known: Option<Timestamp>, now: Timestamp) {
        let span = Span {
            began: Some(known.unwrap_or(now)),
            ended: None,
            watched: known.is_none(),
        };
        self.0.insert(stage, span);
    }

    /// A stage is over, unless it was already.
    pub(super) fn end(&mut self, stage: Stage, now: Timestamp) {
        if let Some(span) = self.0.get_mut(&stage) {
            span.ended.get_or_insert(now);
        }
    }

    /// A stage that nobody watched, as far as the objects tell.
    pub(super) fn past(&mut self, stage: Stage, facts: &Facts) {
        let (began, ended) = history(facts, stage);
        if began.is_some() || ended.is_some() {
            let watched = false;
            let span = Span {
                began,
                ended,
                watched,
            };
            self.0.entry(stage).or_insert(span);
        }
    }

    /// The absence that is the reboot began with its first look.
    pub(super) fn rebooted(&mut self, since: Timestamp) {
        for (stage, span) in &mut self.0 {
            match stage {
                Stage::Bootstrap => span.ended = Some(since),
                Stage::Reboot => span.began = Some(since),
                _ => {}
            }
        }
    }

    /// When a stage began.
    pub(super) fn began(&self, stage: Stage) -> Option<Timestamp> {
        self.0.get(&stage)?.began
    }

    /// For a report; `last` is the stage that nothing came after yet.
    pub(super) fn took(&self, last: Stage, now: Timestamp) -> Vec<Took> {
        let all = self
            .0
            .iter()
            .filter(|(stage, _)| **stage != Stage::Complete);
        all.map(|(stage, span)| Took::new(*stage, span, *stage == last, now))
            .collect()
    }
}

/// A stage in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Took {
    /// Which.
    pub stage: Stage,
    /// When it began, RFC 3339.
    pub began: Option<String>,
    /// When it ended, RFC 3339.
    pub ended: Option<String>,
    /// How long it took, or has been going on.
    pub seconds: Option<u64>,
    /// Whether this watch saw it begin; else the times are those of the cluster's objects, by the machine's clock.
    pub watched: bool,
}

impl Took {
    fn new(stage: Stage, span: &Span, is_last: bool, now: Timestamp) -> Self {
        let until = span.ended.or(is_last.then_some(now));
        Self {
            stage,
            began: span.began.map(|t| t.to_string()),
            ended: span.ended.map(|t| t.to_string()),
            seconds: span
                .began
                .zip(until)
                .map(|(began, until)| super::since(began, until).as_secs()),
            watched: span.watched,
        }
    }
}

/// The operators that are not done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Operators {
    /// How many there are.
    pub total: usize,
    /// How many are available.
    pub available: usize,
    /// Names and words of those that are degraded.
    pub degraded: Vec<(String, String)>,
    /// Names and words of those that are progressing.
    pub progressing: Vec<(String, String)>,
}

impl Operators {
    pub(super) fn new(facts: &Facts) -> Self {
        let all = facts.operators();
        let with = |kind: &str| {
            let those = all.iter().filter(|o| has(o, kind, "True"));
            let said = |o: &Value| {
                condition(o, kind)
                    .map_or("", |c| text(c, "/message"))
                    .to_owned()
            };
            those
                .map(|o| (name(o).to_owned(), short(&said(o))))
                .collect()
        };
        Self {
            total: all.len(),
            available: all.iter().filter(|o| has(o, "Available", "True")).count(),
            degraded: with("Degraded"),
            progressing: with("Progressing"),
        }
    }
}

/// What a watch came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it stands.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The furthest stage.
    pub stage: Stage,
    /// What it waits for; empty in the end.
    pub waiting: String,
    /// The API's URL.
    pub server: String,
    /// The node's name.
    pub node: Option<String>,
    /// The release.
    pub version: Option<String>,
    /// When the watch began, RFC 3339.
    pub began: String,
    /// How long it was.
    pub seconds: u64,
    /// Seconds from the first answer of the live system's API to the whole release, by the machine's clock.
    pub installed_in: Option<u64>,
    /// The stages so far.
    pub stages: Vec<Took>,
    /// The operators.
    pub operators: Operators,
    /// Traps that were seen.
    pub traps: Vec<Trap>,
    /// The web console's address, once it is installed.
    pub console: Option<String>,
    /// Certificate requests that this watch approved.
    pub approved: Vec<String>,
}
