//! What is wrong with a value or a file, before anything is written or sent.

/// Why this room cannot do what it was asked for.
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
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Value { .. } => None,
        }
    }
}
