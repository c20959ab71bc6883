//! What a watch came to: stages with their times, traps, operators.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Facts, Stage, Verdict, condition, has, short};
use crate::objects::Finding;
use crate::objects::json::{name, text};

/// From when to when a stage was, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) began: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    /// Whether this watch saw it begin; else the cluster's objects tell, by the machine's clock.
    pub(super) watched: bool,
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
    /// `is_last`: nothing came after it yet.
    pub(super) fn new(stage: Stage, span: &Span, is_last: bool, now: Timestamp) -> Self {
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
    /// Certificate requests that this watch approved.
    pub approved: Vec<String>,
}
