//! What is wrong in a file, and where.

use std::fmt;

use serde::Serialize;

use super::model::At;

/// One thing to tell the author of a file. Displays as `file:line:column: message`; the place is left out when it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file as the user named it.
    pub file: String,
    /// The place; line 0 when the finding is about the whole file.
    pub at: At,
    /// What is wrong. Where oc-mirror has a text for it, that text.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// A finding without a hint.
    pub fn new(file: &str, at: At, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            at,
            message: message.into(),
            hint: None,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.at.line > 0 {
            write!(f, "{}:", self.at.line)?;
            if self.at.column > 0 {
                write!(f, "{}:", self.at.column)?;
            }
        }
        write!(f, " {}", self.message)
    }
}

impl std::error::Error for Finding {}

/// The candidate closest to `word`, case ignored, when it is close enough to be a slip of the pen.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase();
    candidates
        .iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(left != right))
                .min(previous + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            previous = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("minversion", "minversions", 1),
            ("chanels", "channels", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn nearest_is_close_or_nothing() {
        let names = ["channels", "architectures", "graph"];
        assert_eq!(nearest("chanels", &names), Some("channels"));
        assert_eq!(nearest("Architecture", &names), Some("architectures"));
        assert_eq!(nearest("foo", &names), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &names), None);
    }

    #[test]
    fn place_is_printed_when_known() {
        let at = At { line: 3, column: 7 };
        assert_eq!(
            Finding::new("a.yaml", at, "no").to_string(),
            "a.yaml:3:7: no"
        );
        let whole = Finding::new("a.yaml", At::default(), "no").with_hint("yes");
        assert_eq!(whole.to_string(), "a.yaml: no");
        assert_eq!(whole.hint(), Some("yes"));
    }
}
