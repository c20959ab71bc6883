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

/// All rules of a check, and everything that is wrong.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) rows: Vec<Row>,
    pub(crate) findings: Vec<Finding>,
}

impl Rules {
    /// Begins with what of the answers cannot be used.
    pub(crate) fn new(access: Vec<Finding>) -> Self {
        let readable = "every list and object can be read";
        Self {
            rows: vec![Row::new("api-access", readable, &access)],
            findings: access,
        }
    }

    /// What a rule found; `None` when an answer that it reads is not there.
    pub(crate) fn add(
        &mut self,
        rule: &'static str,
        requirement: &'static str,
        found: Option<Vec<Finding>>,
    ) {
        let Some(found) = found else {
            return self.rows.push(Row {
                rule,
                requirement,
                outcome: Outcome::Unknown,
            });
        };
        self.rows.push(Row::new(rule, requirement, &found));
        self.findings.extend(found);
    }
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
