//! From room errors to one sentence, a hint and an exit code.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::io::Category;

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

impl From<Category> for Exit {
    fn from(category: Category) -> Self {
        match category {
            Category::Usage => Self::Usage,
            Category::Unsupported => Self::Unsupported,
            Category::Environment => Self::Environment,
            Category::Io => Self::Io,
            Category::Verification => Self::Verification,
        }
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

/// With `--output json`: the document of a command that failed before it had a result.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = json!({"exit": self.exit as u8, "message": self.message, "hint": self.hint});
        json!({ "error": error }).serialize(serializer)
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

/// A file operation of the command line's own.
impl Categorised for io::Error {
    fn exit(&self) -> Exit {
        match self.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Exit::Environment
            }
            _ => Exit::Io,
        }
    }

    fn advice(&self) -> Option<String> {
        let hint = match self.kind() {
            io::ErrorKind::PermissionDenied => {
                "check who owns it and its mode, or run as a user who may"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "mount it read-write, or choose another directory; `dmesg` says if the disk itself failed"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free space there, then run the same command again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A file that the user named and that cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    };
    Failure {
        exit: Exit::Usage,
        message: format!("cannot read {}: {reason}", path.display()),
        hint: error.advice(),
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
    without_numbers(text)
}

/// Drops the `(os error 13)` that the standard library appends: the words before it say the same.
fn without_numbers(mut text: String) -> String {
    while let Some(start) = text.find(" (os error ") {
        let end = text[start..]
            .find(')')
            .map_or(text.len(), |n| start + n + 1);
        text.replace_range(start..end, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_said_in_words() {
        let denied = io::Error::from_raw_os_error(13);
        let failure = Failure::from(io::Error::new(denied.kind(), format!("/mnt/x: {denied}")));
        assert_eq!(failure.exit, Exit::Environment);
        assert_eq!(failure.message, "/mnt/x: Permission denied");
        assert!(failure.hint.is_some());
        assert_eq!(without_numbers("a (os error".to_owned()), "a (os error");
        let missing = unreadable(Path::new("a.yaml"), &io::ErrorKind::NotFound.into());
        assert_eq!(missing.message, "cannot read a.yaml: no such file");
    }
}
