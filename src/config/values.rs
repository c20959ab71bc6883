//! Small YAML files of sections with texts, as values by the name of their flag.
//!
//! ```yaml
//! apiVersion: snoforge.io/v1
//! kind: Seed
//! section: {key: text, other: [text, text]}
//! ```
//!
//! A flag of the same meaning beats the file. What is wrong is reported with its line and column, all at once.

use std::collections::BTreeMap;

use super::model::{At, Located};
use super::yaml::{self, Kind, Node, Value};
use super::{Finding, nearest};

const API_VERSION: &str = "snoforge.io/v1";

/// Section and key in the file, name of the flag, whether it takes several values. A section's fields are side by side.
pub(crate) type Field = (&'static str, &'static str, &'static str, bool);

/// Values by the name of their flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    file: String,
    values: BTreeMap<&'static str, Vec<Located<String>>>,
}

impl Values {
    /// Reads a file of a kind; `file` is the name to print. What is wrong with its shape comes beside the values.
    ///
    /// # Errors
    /// It is no YAML.
    pub(crate) fn read(
        file: &str,
        text: &str,
        kind: &'static str,
        fields: &'static [Field],
    ) -> Result<(Self, Vec<Finding>), Finding> {
        let document = yaml::parse(text).map_err(|e| Finding::new(file, e.at, e.message))?;
        let mut reader = Reader::new(file, kind, fields);
        for duplicate in &document.duplicates {
            reader.wrong(
                duplicate.at,
                format!("the key `{}` is there already", duplicate.key),
            );
        }
        reader.root(&document.root);
        let values = Self {
            file: file.to_owned(),
            values: reader.values,
        };
        Ok((values, reader.findings))
    }

    /// Sets a value from a flag.
    pub(crate) fn set(&mut self, field: &'static str, values: impl IntoIterator<Item = String>) {
        let values: Vec<_> = values.into_iter().map(Located::from).collect();
        if !values.is_empty() {
            self.values.insert(field, values);
        }
    }

    /// A value, and whether it comes from the file.
    pub(crate) fn text(&self, field: &str) -> Option<(&str, bool)> {
        let value = self.values.get(field)?.first()?;
        Some((&value.value, value.at != At::default()))
    }

    /// Whether the value of a field is there.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    /// All values of a field.
    pub(crate) fn all(&self, field: &str) -> impl Iterator<Item = &str> {
        let values = self.values.get(field).into_iter().flatten();
        values.map(|v| v.value.as_str())
    }

    /// A message with the place of a field's value in the file, when it has one.
    pub(crate) fn finding(&self, field: &str, message: impl Into<String>) -> Finding {
        let first = self.values.get(field).and_then(|v| v.first());
        let at = first.map(|v| v.at).unwrap_or_default();
        Finding::new(&self.file, at, message)
    }
}

/// Collects values and complaints.
struct Reader<'a> {
    file: &'a str,
    kind: &'static str,
    fields: &'static [Field],
    findings: Vec<Finding>,
    values: BTreeMap<&'static str, Vec<Located<String>>>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, kind: &'static str, fields: &'static [Field]) -> Self {
        Self {
            file,
            kind,
            fields,
            findings: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    fn wrong(&mut self, at: At, message: String) {
        self.findings.push(Finding::new(self.file, at, message));
    }

    fn unknown(&mut self, at: At, key: &str, known: &[&str]) {
        let hint = match nearest(key, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the fields here are {}", known.join(", ")),
        };
        let finding = Finding::new(self.file, at, format!("unknown field `{key}`"));
        self.findings.push(finding.with_hint(hint));
    }

    /// Reads the whole document.
    fn root(&mut self, root: &Node) {
        let kind = self.kind;
        let Value::Map(entries) = &root.value else {
            return self.wrong(
                root.at,
                format!(
                    "a map with `apiVersion: {API_VERSION}` and `kind: {kind}` is expected here"
                ),
            );
        };
        for (key, wanted) in [("apiVersion", API_VERSION), ("kind", kind)] {
            match root.get(key).map(|e| (&e.value.value, e.value.at)) {
                None => self.wrong(root.at, format!("`{key}: {wanted}` is missing")),
                Some((Value::Scalar { text, .. }, _)) if text == wanted => {}
                Some((_, at)) => self.wrong(at, format!("`{key}` is not {wanted}")),
            }
        }
        let mut sections: Vec<&str> = self.fields.iter().map(|(section, ..)| *section).collect();
        sections.dedup();
        for entry in entries {
            match entry.key.as_str() {
                "apiVersion" | "kind" => {}
                key if sections.contains(&key) => self.section(key, &entry.value),
                key => {
                    let known: Vec<_> = ["apiVersion", "kind"]
                        .into_iter()
                        .chain(sections.iter().copied())
                        .collect();
                    self.unknown(entry.at, key, &known);
                }
            }
        }
    }

    fn section(&mut self, section: &str, node: &Node) {
        let Value::Map(entries) = &node.value else {
            if !node.is_null() {
                self.wrong(node.at, format!("`{section}` is no map"));
            }
            return;
        };
        for entry in entries {
            let field = self
                .fields
                .iter()
                .find(|(of, key, ..)| *of == section && *key == entry.key);
            let Some((_, key, flag, several)) = field else {
                let known: Vec<_> = self
                    .fields
                    .iter()
                    .filter(|(of, ..)| *of == section)
                    .map(|(_, key, ..)| *key)
                    .collect();
                self.unknown(entry.at, &entry.key, &known);
                continue;
            };
            match values(&entry.value, *several) {
                Ok(values) if values.is_empty() => {}
                Ok(values) => {
                    self.values.insert(flag, values);
                }
                Err(at) => self.wrong(
                    at,
                    format!(
                        "`{key}` is no {}",
                        if *several {
                            "list of texts"
                        } else {
                            "text or number"
                        }
                    ),
                ),
            }
        }
    }
}

/// Text, number or truth value as written; null is nothing.
fn values(node: &Node, several: bool) -> Result<Vec<Located<String>>, At> {
    let scalar = |node: &Node| match &node.value {
        Value::Scalar { text, kind } if *kind != Kind::Null => Ok(Located {
            value: match kind {
                Kind::Bool(value) => value.to_string(),
                _ => text.clone(),
            },
            at: node.at,
        }),
        _ => Err(node.at),
    };
    match &node.value {
        _ if node.is_null() => Ok(Vec::new()),
        Value::List(items) if several => items.iter().map(scalar).collect(),
        _ if several => Err(node.at),
        _ => Ok(vec![scalar(node)?]),
    }
}
