//! What a Kubernetes API says, kept as it is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the API said to one GET.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// A list's items.
    Items(Vec<Value>),
    /// One object.
    Object(Value),
    /// 404 of the object or its group.
    Absent,
    /// Anything else, in one clause.
    Error(String),
}
