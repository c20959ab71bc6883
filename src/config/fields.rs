//! Typed access to the fields of one YAML map, with the manners of Go's `encoding/json` under `DisallowUnknownFields`.
//!
//! Names match whatever their case; `null` is the same as absent; nothing is converted (a number is no string). A field that
//! is asked for is known; [`Fields::finish`] reports the others. All complaints go to one [`Sink`], so that a reader is
//! straight-line code without error paths: it gets the zero value and reading goes on.

use std::cell::RefCell;

use super::finding::{Finding, nearest};
use super::model::{At, Located};
use super::yaml::{Entry, Kind, Node, Value};

/// Collects what is wrong with one file.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    file: &'a str,
    /// What upstream puts before each decoding error, e.g. `decode ImageSetConfiguration: `.
    decoding: String,
    /// Go package of the types in decoding errors.
    package: &'static str,
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: &'a str, decoding: String, package: &'static str) -> Self {
        Self {
            file,
            decoding,
            package,
            errors: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub(super) fn error(&self, at: At, message: impl Into<String>) {
        self.push(self.finding(at, message));
    }

    /// A finding in this file.
    pub(super) fn finding(&self, at: At, message: impl Into<String>) -> Finding {
        Finding::new(self.file, at, message)
    }

    pub(super) fn push(&self, finding: Finding) {
        self.errors.borrow_mut().push(finding);
    }

    pub(super) fn warn(&self, at: At, message: impl Into<String>, hint: Option<String>) {
        let mut finding = self.finding(at, message);
        finding.hint = hint;
        self.warnings.borrow_mut().push(finding);
    }

    /// Errors and warnings, each in file order.
    pub(super) fn into_findings(self) -> (Vec<Finding>, Vec<Finding>) {
        let sorted = |cell: RefCell<Vec<Finding>>| {
            let mut findings = cell.into_inner();
            findings.sort_by_key(|finding| finding.at);
            findings
        };
        (sorted(self.errors), sorted(self.warnings))
    }
}

/// The fields of one map, being read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    sink: &'a Sink<'a>,
    entries: &'a [Entry],
    at: At,
    /// Go's name of the struct this map fills.
    name: &'static str,
    /// Dotted path from the root, empty there.
    path: String,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The root map; `None` (and a finding) when it is none.
    pub(super) fn root(sink: &'a Sink<'a>, node: &'a Node, name: &'static str) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self::of(sink, entries, node.at, name, String::new())),
            _ if node.is_null() => Some(Self::of(sink, &[], node.at, name, String::new())),
            _ => {
                let kind = node.json_kind();
                let type_name = format!("{}.{name}", sink.package);
                let message = format!(
                    "{}json: cannot unmarshal {kind} into Go value of type {type_name}",
                    sink.decoding
                );
                sink.error(node.at, message);
                None
            }
        }
    }

    fn of(
        sink: &'a Sink<'a>,
        entries: &'a [Entry],
        at: At,
        name: &'static str,
        path: String,
    ) -> Self {
        Self {
            sink,
            entries,
            at,
            name,
            path,
            known: Vec::new(),
        }
    }

    /// Where the map begins.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Where complaints go.
    pub(super) fn sink(&self) -> &'a Sink<'a> {
        self.sink
    }

    /// The value of a field; of several spellings the last. Absent and `null` are `None`.
    fn take(&mut self, field: &'static str) -> Option<&'a Node> {
        self.known.push(field);
        let mut spellings = self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.key.eq_ignore_ascii_case(field));
        let last = spellings.next()?;
        if let Some(other) = spellings.next() {
            let message = format!(
                "{:?} and {:?} are the same field, only this one counts",
                other.key, last.key
            );
            self.sink
                .warn(last.at, message, Some("merge the two".to_owned()));
        }
        Some(&last.value).filter(|value| !value.is_null())
    }

    /// Knows a field without looking at it.
    pub(super) fn ignore(&mut self, field: &'static str) {
        self.known.push(field);
    }

    /// Text with its place; empty, at the map's place, when absent.
    pub(super) fn text(&mut self, field: &'static str) -> Located<String> {
        self.optional(field).unwrap_or_else(|| Located {
            value: String::new(),
            at: self.at,
        })
    }

    /// Text that is there and not empty.
    pub(super) fn optional(&mut self, field: &'static str) -> Option<Located<String>> {
        let node = self.take(field)?;
        self.string(field, node)
            .filter(|text| !text.value.is_empty())
    }

    fn string(&self, field: &'static str, node: &Node) -> Option<Located<String>> {
        match &node.value {
            Value::Scalar {
                text,
                kind: Kind::Text,
            } => Some(Located {
                value: text.clone(),
                at: node.at,
            }),
            Value::Scalar { text, .. } => {
                let hint = format!("put it in quotes: '{text}'");
                self.mismatch(field, node, "string", Some(hint));
                None
            }
            _ => {
                self.mismatch(field, node, "string", None);
                None
            }
        }
    }

    /// A truth value; false when absent.
    pub(super) fn flag(&mut self, field: &'static str) -> bool {
        let Some(node) = self.take(field) else {
            return false;
        };
        if let Value::Scalar {
            kind: Kind::Bool(value),
            ..
        } = &node.value
        {
            return *value;
        }
        self.mismatch(
            field,
            node,
            "bool",
            Some("write true or false, without quotes".to_owned()),
        );
        false
    }

    /// Checks that a field, if there, is an integer.
    pub(super) fn check_integer(&mut self, field: &'static str) {
        let Some(node) = self.take(field) else {
            return;
        };
        match &node.value {
            Value::Scalar {
                text,
                kind: Kind::Number,
            } if is_integral(text) => {}
            _ => self.mismatch(
                field,
                node,
                "int64",
                Some("write a whole number, without quotes".to_owned()),
            ),
        }
    }

    /// A list of texts; empty when absent.
    pub(super) fn texts(&mut self, field: &'static str) -> Vec<Located<String>> {
        let items = self.items(field, "string");
        items
            .iter()
            .filter(|item| !item.is_null())
            .filter_map(|item| self.string(field, item))
            .collect()
    }

    /// A map, read by `read`; `None` when absent.
    pub(super) fn object<T>(
        &mut self,
        field: &'static str,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let node = self.take(field)?;
        self.enter(field, node, name, read)
    }

    /// A list of maps, each read by `read`; empty when absent. A `null` item is an empty map.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        name: &'static str,
        mut read: impl FnMut(&mut Fields<'a>) -> T,
    ) -> Vec<T> {
        let items = self.items(field, &format!("{}.{name}", self.sink.package));
        items
            .iter()
            .filter_map(|item| self.enter(field, item, name, &mut read))
            .collect()
    }

    fn items(&mut self, field: &'static str, item_type: &str) -> &'a [Node] {
        match self.take(field) {
            None => &[],
            Some(Node {
                value: Value::List(items),
                ..
            }) => items,
            Some(node) => {
                let hint = "write a list: each item on its own line after `- `".to_owned();
                self.mismatch(field, node, &format!("[]{item_type}"), Some(hint));
                &[]
            }
        }
    }

    fn enter<T>(
        &self,
        field: &'static str,
        node: &'a Node,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let entries: &[Entry] = match &node.value {
            Value::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                self.mismatch(field, node, &format!("{}.{name}", self.sink.package), None);
                return None;
            }
        };
        let mut fields = Self::of(self.sink, entries, node.at, name, self.path_of(field));
        let value = read(&mut fields);
        fields.finish();
        Some(value)
    }

    /// Reports the fields nobody asked for.
    pub(super) fn finish(self) {
        let unknown = self.entries.iter().filter(|entry| {
            !self
                .known
                .iter()
                .any(|known| entry.key.eq_ignore_ascii_case(known))
        });
        for entry in unknown {
            let message = format!("{}json: unknown field {:?}", self.sink.decoding, entry.key);
            let hint = match nearest(&entry.key, &self.known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the fields here are {}", self.known.join(", ")),
            };
            self.sink
                .push(self.sink.finding(entry.at, message).with_hint(hint));
        }
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    fn mismatch(&self, field: &str, node: &Node, type_name: &str, hint: Option<String>) {
        let kind = match &node.value {
            // Go names the number when the target is a number too.
            Value::Scalar {
                text,
                kind: Kind::Number,
            } if type_name == "int64" => format!("number {text}"),
            _ => node.json_kind().to_owned(),
        };
        let message = format!(
            "{}json: cannot unmarshal {kind} into Go struct field {}.{} of type {type_name}",
            self.sink.decoding,
            self.name,
            self.path_of(field)
        );
        let mut finding = self.sink.finding(node.at, message);
        finding.hint = hint;
        self.sink.push(finding);
    }
}

/// Whether a YAML number is an integer; `4.0` is.
fn is_integral(text: &str) -> bool {
    let plain = text.replace('_', "");
    plain.contains(['x', 'X', 'o', 'O', 'b', 'B'])
        || plain.parse::<f64>().is_ok_and(|n| n.fract() == 0.0)
}
