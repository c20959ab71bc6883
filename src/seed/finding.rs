//! What a rule found: about a cluster, or about an image.

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
