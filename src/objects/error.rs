//! What is wrong with a value or a credential file.

use std::path::PathBuf;

use crate::oci::ReferenceError;

/// Why a value cannot go into an object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that is none of its kind.
    #[error("{field} `{text}` is refused: {reason}")]
    Value {
        /// The flag without dashes, or the field.
        field: &'static str,
        /// The value.
        text: String,
        /// The rule it breaks.
        reason: String,
    },
    /// No credential file, or one without an entry that is needed.
    #[error("auth file {path}: {reason}", path = .path.display())]
    Auth {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
}

impl Error {
    /// A value that is refused; a very long one is cut.
    pub(crate) fn value(field: &'static str, text: &str, reason: impl Into<String>) -> Self {
        Self::Value {
            field,
            text: text.chars().take(300).collect(),
            reason: reason.into(),
        }
    }

    /// A text that is no pull spec.
    pub(crate) fn reference(field: &'static str, error: &ReferenceError) -> Self {
        Self::value(field, &error.text, error.reason)
    }

    /// What to do about it, where that does not depend on who asked.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Value { .. } => None,
            Self::Auth { .. } => Some(
                "make one with `podman login --authfile FILE REGISTRY` for a user who may push"
                    .to_owned(),
            ),
        }
    }
}
