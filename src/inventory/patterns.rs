//! Regular expressions over mapping lines: the filter file and `blockedImages` (`imageset.md` §4.3, §4.5).
//!
//! Go's RE2 and the `regex` crate read the same syntax; neither is anchored.

use regex::RegexSet;
use serde::Deserialize;

use super::InventoryError;

/// Compiled patterns with their texts; matches nothing when empty.
#[derive(Debug, Clone)]
pub struct Patterns {
    texts: Vec<String>,
    set: RegexSet,
}

impl Default for Patterns {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            set: RegexSet::empty(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterFile {
    #[serde(default)]
    patterns: Option<Vec<String>>,
}

impl Patterns {
    /// Compiles patterns; `place` says where they are written.
    ///
    /// # Errors
    /// A text is no regular expression.
    pub fn new(
        place: &str,
        texts: impl IntoIterator<Item = String>,
    ) -> Result<Self, InventoryError> {
        let texts: Vec<String> = texts.into_iter().collect();
        for text in &texts {
            regex::Regex::new(text).map_err(|error| InventoryError::Request {
                detail: format!(
                    "{place}: `{text}` is not a regular expression: {}",
                    last_line(&error.to_string())
                ),
                hint: None,
            })?;
        }
        let set = RegexSet::new(&texts).map_err(|error| InventoryError::Request {
            detail: format!("{place}: {}", last_line(&error.to_string())),
            hint: None,
        })?;
        Ok(Self { texts, set })
    }

    /// Reads a filter file: YAML, `patterns: [regex, …]`. `name` is the file's name for messages.
    ///
    /// # Errors
    /// Not YAML of that shape, or a text is no regular expression.
    pub fn from_filter_file(name: &str, yaml: &str) -> Result<Self, InventoryError> {
        let file: FilterFile =
            serde_saphyr::from_str(yaml).map_err(|error| InventoryError::Request {
                detail: format!(
                    "{name}: not a filter file: {}",
                    error.to_string().lines().next().unwrap_or_default()
                ),
                hint: Some(
                    "a filter file is `patterns:` and a list of regular expressions".to_owned(),
                ),
            })?;
        Self::new(name, file.patterns.unwrap_or_default())
    }

    /// Whether some pattern matches somewhere in one of the texts.
    pub fn matches(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.set.is_match(text))
    }

    /// The patterns as written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unanchored_on_source_or_destination() {
        let filter =
            Patterns::from_filter_file("f", "patterns:\n- ^quay\\W\n- -(ovn|sdn)$\n").unwrap();
        assert!(filter.matches(&["quay.io/a", "x:y"]));
        assert!(filter.matches(&["nvcr.io/a", "openshift/release:4-sdn"]));
        assert!(!filter.matches(&["nvcr.io/a/quay.io", "x:sdn-y"]));
        assert!(
            !Patterns::from_filter_file("f", "patterns:\n")
                .unwrap()
                .matches(&["a"])
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let bad = Patterns::from_filter_file("flt.yaml", "patterns: ['(']").unwrap_err();
        assert!(
            bad.to_string().contains("flt.yaml: `(` is not a regular"),
            "{bad}"
        );
        assert!(Patterns::from_filter_file("f", "pattern: []").is_err());
        assert!(Patterns::from_filter_file("f", "patterns: [").is_err());
    }
}
