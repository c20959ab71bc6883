//! YAML as a tree in which every value knows its place.
//!
//! Serde cannot express what Go's readers of these files do (case-insensitive keys, the last of two equal keys wins, all errors
//! at once, each with its place), so the events of `granit_parser` (the parser below serde-saphyr) are kept as a small tree.
//! Scalars are resolved as `sigs.k8s.io/yaml` and `gopkg.in/yaml.v2` do, that is YAML 1.1: `yes`, `on`, `0x10` and `1_000` are
//! no strings. Only the first document is read, as there. Syntax errors carry those libraries' texts.
//!
//! Invariants: keys within one map are unique; the tree has at most [`MAX_NODES`] nodes after aliases are expanded.

mod loader;
mod scalar;
mod syntax;

pub(crate) use loader::parse;
pub(crate) use scalar::{Kind, resolve};

use super::model::At;

/// Far above any real file (the largest seen are some 100 KiB), far below what hurts.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Nodes of one document, alias expansions counted.
pub(crate) const MAX_NODES: usize = 200_000;

/// The first document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its root; null when the file is empty.
    pub(crate) root: Node,
    /// Keys written more than once in one map; the tree holds the last value.
    pub(crate) duplicates: Vec<Duplicate>,
}

/// A key that its map already had.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    /// Place of the second key.
    pub(crate) at: At,
    /// Line of the second value, which is the line Go names.
    pub(crate) value_line: u32,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// The text after YAML's escapes, and what it stands for.
    Scalar { text: String, kind: Kind },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in file order.
    Map(Vec<Entry>),
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) value: Node,
}

/// Why a text is no YAML, in go-yaml's words (`yaml: line 4: did not find expected ',' or ']'`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: At,
    pub(crate) message: String,
}

impl Node {
    fn null(at: At) -> Self {
        Self {
            at,
            value: Value::Scalar {
                text: String::new(),
                kind: Kind::Null,
            },
        }
    }

    /// Whether this is `null`, `~` or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(
            self.value,
            Value::Scalar {
                kind: Kind::Null,
                ..
            }
        )
    }

    /// The entry with exactly this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The JSON name of what stands here, as `encoding/json` puts it in its errors.
    pub(crate) fn json_kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "array",
            Value::Map(_) => "object",
            Value::Scalar { kind, .. } => match kind {
                Kind::Null => "null",
                Kind::Bool(_) => "bool",
                Kind::Number => "number",
                Kind::Text => "string",
            },
        }
    }
}

#[cfg(test)]
mod tests;
