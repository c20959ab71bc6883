//! From room errors to one sentence, a hint and an exit code.

use std::fmt;
use std::process::ExitCode;

/// The categories of `cli.md`; the number is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A bug or an unforeseen failure.
    Internal = 1,
    /// Wrong flags or a wrong input file.
    Usage = 2,
    /// Understood, but not supported.
    Unsupported = 3,
    /// A missing tool, a missing permission, a busy disk.
    Environment = 4,
    /// A registry or service failed.
    Remote = 5,
    /// A local read or write failed.
    Io = 6,
    /// Bytes are not what they must be.
    Verification = 7,
    /// Some of the work is done; run again to go on.
    Partial = 8,
    /// Interrupted by the user; run again to go on.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What ends a command: category, one sentence, what to do.
#[derive(Debug)]
pub struct Failure {
    /// The category.
    pub exit: Exit,
    /// One sentence without full stop; may have several lines when there are several findings.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A room error that knows its category.
pub trait Categorised: std::error::Error {
    /// The category.
    fn exit(&self) -> Exit;
    /// What to do.
    fn advice(&self) -> Option<String>;
}

impl<E: Categorised> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: error.exit(),
            message: chain(&error),
            hint: error.advice(),
        }
    }
}

/// Several failures of one kind as one: the first decides category and hint.
pub(super) fn several<E: Categorised>(errors: &[E]) -> Failure {
    let message = errors
        .iter()
        .map(|e| chain(e))
        .collect::<Vec<_>>()
        .join("\nerror: ");
    Failure {
        exit: errors.first().map_or(Exit::Internal, Categorised::exit),
        message,
        hint: errors.iter().find_map(Categorised::advice),
    }
}

/// The error and its sources in one line; a source that an error repeats in its own text is not said twice.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        next = source.source();
    }
    text
}
