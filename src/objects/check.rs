//! How the rules of a check came out.

use serde::Serialize;

use super::{Finding, Severity};

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing is wrong.
    Pass,
    /// Worth knowing.
    Warning,
    /// It ends the work.
    Fail,
    /// An answer that it reads is not there.
    Unknown,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The rule.
    pub rule: &'static str,
    /// What is required.
    pub requirement: &'static str,
    /// How it came out.
    pub outcome: Outcome,
}

impl Row {
    /// Of what a rule found.
    pub(crate) fn new(rule: &'static str, requirement: &'static str, found: &[Finding]) -> Self {
        let outcome = match found.iter().map(|f| f.severity).max() {
            Some(Severity::Error) => Outcome::Fail,
            Some(Severity::Warning) => Outcome::Warning,
            Some(Severity::Note) | None => Outcome::Pass,
        };
        Self {
            rule,
            requirement,
            outcome,
        }
    }
}
