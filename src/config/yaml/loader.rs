//! From parser events to the tree: anchors, merge keys, duplicate keys, the node budget.

use std::collections::{HashMap, HashSet};

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, Tag};

use super::scalar::{Kind, resolve};
use super::{Document, Duplicate, Entry, MAX_BYTES, MAX_NODES, Node, SyntaxError, Value, syntax};
use crate::config::model::At;

/// Reads the first document of a text.
pub(crate) fn parse(text: &str) -> Result<Document, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        let message = format!(
            "yaml: the file has {} bytes, more than the {MAX_BYTES} that are read",
            text.len()
        );
        return Err(at_place(At::default(), message));
    }
    let mut options = granit_parser::options! {};
    options.set_emit_comments(false);
    let mut loader = Loader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax::in_go_words(&error, text))?;
        if matches!(event, Event::DocumentEnd | Event::StreamEnd) {
            break;
        }
        loader.event(event, place(span.start))?;
    }
    Ok(Document {
        root: loader.root.unwrap_or_else(|| Node::null(At::default())),
        duplicates: loader.duplicates,
    })
}

pub(super) fn place(marker: Marker) -> At {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    At {
        line: number(marker.line()),
        column: number(marker.col().saturating_add(1)),
    }
}

fn at_place(at: At, message: String) -> SyntaxError {
    SyntaxError { at, message }
}

#[derive(Default)]
struct Loader {
    root: Option<Node>,
    open: Vec<Open>,
    /// Finished anchored nodes by the parser's number, with their size in nodes.
    anchors: HashMap<usize, (Node, usize)>,
    duplicates: Vec<Duplicate>,
    nodes: usize,
}

/// A collection whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    kind: OpenKind,
    /// `nodes` when it was opened.
    nodes_before: usize,
}

enum OpenKind {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    seen: HashSet<String>,
    /// Values of `<<`; they fill in what the map itself does not say.
    merged: Vec<Node>,
    key: Option<Key>,
}

struct Key {
    text: String,
    at: At,
    merge: bool,
}

impl Loader {
    fn event(&mut self, event: Event<'_>, at: At) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.charge(1, at)?;
                let plain = style == ScalarStyle::Plain;
                let kind = scalar_kind(&text, plain, tag.as_deref());
                let merge = plain && tag.is_none() && text == "<<";
                let text = text.into_owned();
                let node = Node {
                    at,
                    value: Value::Scalar { text, kind },
                };
                self.finish(node, anchor, 1, merge)
            }
            Event::SequenceStart(_, anchor, _) => self.open(at, anchor, OpenKind::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(at, anchor, OpenKind::Map(OpenMap::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    fn charge(&mut self, nodes: usize, at: At) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = if nodes > 1 {
            "yaml: document contains excessive aliasing".to_owned()
        } else {
            format!("yaml: the document has more than {MAX_NODES} nodes")
        };
        Err(at_place(at, message))
    }

    fn open(&mut self, at: At, anchor: usize, kind: OpenKind) -> Result<(), SyntaxError> {
        let nodes_before = self.nodes;
        self.charge(1, at)?;
        self.open.push(Open {
            at,
            anchor,
            kind,
            nodes_before,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map(map) => Value::Map(map.finish()?),
        };
        let size = self.nodes.saturating_sub(open.nodes_before);
        let node = Node { at: open.at, value };
        self.finish(node, open.anchor, size, false)
    }

    fn alias(&mut self, anchor: usize, at: At) -> Result<(), SyntaxError> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            // The parser knows the name, so the anchor is one that is still open.
            return Err(at_place(
                at,
                "yaml: anchor value contains itself".to_owned(),
            ));
        };
        let size = *size;
        // Charged before it is copied.
        let node = if self.nodes.saturating_add(size) > MAX_NODES {
            Node::null(at)
        } else {
            node.clone()
        };
        self.charge(size.max(2), at)?;
        self.finish(node, 0, size, false)
    }

    /// Puts a finished node where it belongs.
    fn finish(
        &mut self,
        node: Node,
        anchor: usize,
        size: usize,
        merge: bool,
    ) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.charge(size.max(2), node.at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open {
                kind: OpenKind::List(items),
                ..
            }) => items.push(node),
            Some(Open {
                kind: OpenKind::Map(map),
                ..
            }) => {
                if let Some(duplicate) = map.push(node, merge)? {
                    self.duplicates.push(duplicate);
                }
            }
        }
        Ok(())
    }
}

impl OpenMap {
    /// Takes keys and values in turn.
    fn push(&mut self, node: Node, merge: bool) -> Result<Option<Duplicate>, SyntaxError> {
        let Some(key) = self.key.take() else {
            self.key = Some(Key::from_node(node, merge)?);
            return Ok(None);
        };
        if key.merge {
            self.merged.push(node);
            return Ok(None);
        }
        let entry = Entry {
            key: key.text,
            at: key.at,
            value: node,
        };
        if self.seen.insert(entry.key.clone()) {
            self.entries.push(entry);
            return Ok(None);
        }
        let duplicate = Duplicate {
            key: entry.key.clone(),
            at: entry.at,
            value_line: entry.value.at.line,
        };
        if let Some(earlier) = self.entries.iter_mut().find(|e| e.key == entry.key) {
            *earlier = entry;
        }
        Ok(Some(duplicate))
    }

    fn finish(mut self) -> Result<Vec<Entry>, SyntaxError> {
        for merged in std::mem::take(&mut self.merged) {
            let at = merged.at;
            let maps = match merged.value {
                Value::List(items) => items,
                value => vec![Node { at, value }],
            };
            for map in maps {
                let Value::Map(entries) = map.value else {
                    let message = "yaml: map merge requires map or sequence of maps as the value";
                    return Err(at_place(at, message.to_owned()));
                };
                for entry in entries {
                    if self.seen.insert(entry.key.clone()) {
                        self.entries.push(entry);
                    }
                }
            }
        }
        Ok(self.entries)
    }
}

impl Key {
    fn from_node(node: Node, merge: bool) -> Result<Self, SyntaxError> {
        match node.value {
            Value::Scalar { text, kind } if kind != Kind::Null => Ok(Self {
                text,
                at: node.at,
                merge,
            }),
            _ => Err(at_place(node.at, "yaml: unsupported map key".to_owned())),
        }
    }
}

fn scalar_kind(text: &str, plain: bool, tag: Option<&Tag>) -> Kind {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => Kind::Text,
        Some("null" | "bool" | "int" | "float") => resolve(text),
        _ if plain => resolve(text),
        _ => Kind::Text,
    }
}
