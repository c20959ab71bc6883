//! What a rule found: about a cluster, an image or a file.

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely not meant, or to be known before going on.
    Warning,
    /// Does not work.
    Error,
}

/// One thing that is wrong: the rule, the object that decides it, and the cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// Its weight.
    pub severity: Severity,
    /// The object, file or label that decides it.
    pub object: String,
    /// What is wrong, in the operator's words where it has some.
    pub message: String,
    /// What to do.
    pub cure: String,
}

impl Finding {
    /// A finding that ends the work.
    pub(crate) fn error(
        rule: &'static str,
        object: impl Into<String>,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            object: object.into(),
            message: message.into(),
            cure: cure.into(),
        }
    }

    /// The same as a warning.
    #[must_use]
    pub(crate) fn warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }
}

/// Whether any of them is an error.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}
