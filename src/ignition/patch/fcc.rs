//! `master-update.fcc`, edited as text: what the installed stage gets.
//!
//! Butane (`variant: fcos`), read by the cluster-bootstrap image. Lines are taken out and put in; no line that stays is rewritten, so
//! that order, comments and number forms (`0555`) survive. Afterwards both texts are parsed, and the new one must hold what the old one
//! held and our items behind it: an edit that this simple view of YAML got wrong is refused, not written.
//!
//! ```text
//! storage:
//!   files:
//!     - path: /etc/kubernetes/…
//!     # snoforge: begin
//!     - path: /usr/local/bin/snoforge-data
//!     # snoforge: end
//! ```

use serde_json::Value;

use super::PatchError;

/// The Butane file in the live config.
pub(super) const PATH: &str = "/opt/openshift/bootstrap-in-place/master-update.fcc";

const BEGIN: &str = "# snoforge: begin";
const END: &str = "# snoforge: end";

/// A list of the document that items go into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    section: &'static str,
    list: &'static str,
    /// The key that names an item.
    key: &'static str,
}

/// `storage.files`.
pub(super) const FILES: Place = Place {
    section: "storage",
    list: "files",
    key: "path",
};
/// `systemd.units`.
pub(super) const UNITS: Place = Place {
    section: "systemd",
    list: "units",
    key: "name",
};

/// The document while it is edited.
#[derive(Debug, Clone)]
pub(super) struct Document {
    lines: Vec<String>,
    value: Value,
}

/// Where a list stands: line numbers from 0.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// The list: the line behind its last item, and the column of its dashes.
    List {
        first: usize,
        end: usize,
        indent: usize,
    },
    /// The section is there, without the list: the line behind it, and the column of its keys.
    Section { end: usize, indent: usize },
    /// Neither is there.
    Nothing,
}

impl Document {
    /// Reads a document and takes out what [`Document::insert`] put into it.
    ///
    /// # Errors
    /// Not YAML, marks without their partner.
    pub(super) fn read(text: &str) -> Result<Self, PatchError> {
        let mut lines = Vec::new();
        let mut open = None;
        for (number, line) in text.lines().enumerate() {
            match (line.trim(), open) {
                (BEGIN, None) => open = Some(number),
                (END, Some(_)) => open = None,
                (BEGIN, Some(_)) | (END, None) => {
                    return Err(refuse(
                        number + 1,
                        "a `# snoforge` mark without its partner",
                    ));
                }
                (_, None) => lines.push(line.to_owned()),
                (_, Some(_)) => {}
            }
        }
        if let Some(number) = open {
            return Err(refuse(
                number + 1,
                "a `# snoforge` mark without its partner",
            ));
        }
        let value = parse(&lines)?;
        Ok(Self { lines, value })
    }

    /// The text, with a line feed at its end.
    pub(super) fn render(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// Whether a list has an item of this name.
    pub(super) fn has(&self, place: Place, name: &str) -> bool {
        self.position(place, name).is_some()
    }

    /// The item of this name.
    pub(super) fn item(&self, place: Place, name: &str) -> Option<&Value> {
        items(&self.value, place).get(self.position(place, name)?)
    }

    /// Takes out the items of this name. Says whether there was one.
    ///
    /// # Errors
    /// The lines of an item cannot be told from the rest.
    pub(super) fn remove(&mut self, place: Place, name: &str) -> Result<bool, PatchError> {
        let mut removed = false;
        while let Some(index) = self.position(place, name) {
            let lines = self.item_lines(place, index)?;
            let line = lines.start + 1;
            let mut new = self.lines.clone();
            new.drain(lines);
            let mut expected = self.value.clone();
            if let Some(list) = list_mut(&mut expected, place) {
                list.remove(index);
                if list.is_empty() {
                    *list_slot(&mut expected, place) = Value::Null;
                }
            }
            self.accept(new, &expected, line)?;
            removed = true;
        }
        Ok(removed)
    }

    /// Puts items, each a block of lines that begins with `- `, behind the last item of a list, between marks.
    ///
    /// # Errors
    /// The list is written in a form that lines cannot be added to.
    pub(super) fn insert(&mut self, place: Place, items: &[String]) -> Result<(), PatchError> {
        let found = self.find(place)?;
        let (at, indent, head) = match found {
            Found::List { end, indent, .. } => (end, indent, Vec::new()),
            Found::Section { end, indent } => {
                let key = format!("{:indent$}{}:", "", place.list);
                (end, indent + 2, vec![key])
            }
            Found::Nothing => {
                let keys = vec![format!("{}:", place.section), format!("  {}:", place.list)];
                (self.lines.len(), 4, keys)
            }
        };
        let pad = |line: &str| match line {
            "" => String::new(),
            line => format!("{:indent$}{line}", ""),
        };
        let mut block = vec![pad(BEGIN)];
        block.extend(head);
        block.extend(items.iter().flat_map(|item| item.lines()).map(pad));
        block.push(pad(END));
        let added = parse_items(items)?;
        let mut expected = self.value.clone();
        match list_slot(&mut expected, place) {
            Value::Array(list) => list.extend(added),
            slot => *slot = Value::Array(added),
        }
        let mut new = self.lines.clone();
        new.splice(at..at, block);
        self.accept(new, &expected, at + 1)
    }

    /// Takes new lines over if they mean what they must mean.
    fn accept(
        &mut self,
        lines: Vec<String>,
        expected: &Value,
        at: usize,
    ) -> Result<(), PatchError> {
        let value = parse(&lines)?;
        if value != *expected {
            return Err(refuse(
                at,
                "is written in a form that cannot be edited line by line",
            ));
        }
        self.lines = lines;
        self.value = value;
        Ok(())
    }

    fn position(&self, place: Place, name: &str) -> Option<usize> {
        let named = |item: &Value| item.get(place.key).and_then(Value::as_str) == Some(name);
        items(&self.value, place).iter().position(named)
    }

    fn item_lines(&self, place: Place, index: usize) -> Result<std::ops::Range<usize>, PatchError> {
        let Found::List { first, end, indent } = self.find(place)? else {
            return Err(refuse(0, "a list of another form than the installer's"));
        };
        let dash = |line: &&str| indent_of(line) == indent && line.trim_start().starts_with('-');
        let numbers = (first..end).zip(self.lines.iter().skip(first));
        let mut starts = numbers.filter_map(|(n, line)| dash(&line.as_str()).then_some(n));
        let start = starts.nth(index);
        let start =
            start.ok_or_else(|| refuse(first, "a list of another form than the installer's"))?;
        let next = starts.next().unwrap_or(end);
        // Blank lines and comments in front of the next item stay with it.
        let inner = (start..next).rev().find(|n| {
            let line = self.lines.get(*n).map_or("", String::as_str);
            *n == start || (!line.trim().is_empty() && indent_of(line) > indent)
        });
        Ok(start..inner.unwrap_or(start) + 1)
    }

    fn find(&self, place: Place) -> Result<Found, PatchError> {
        let whole = 0..self.lines.len();
        let Some((key, body)) = self.mapping(whole, 0, place.section)? else {
            return Ok(Found::Nothing);
        };
        let indent = self.first_indent(body.clone()).unwrap_or(2);
        if indent == 0 {
            return Err(refuse(key + 1, "a section that is not indented"));
        }
        let Some((key, body)) = self.mapping(body.clone(), indent, place.list)? else {
            let end = self.content_end(body, 1).unwrap_or(key + 1);
            return Ok(Found::Section { end, indent });
        };
        let dashes = self.first_indent(body.clone()).unwrap_or(indent + 2);
        let end = self.content_end(body, dashes).unwrap_or(key + 1);
        Ok(Found::List {
            first: key + 1,
            end,
            indent: dashes,
        })
    }

    /// The key `name` at column `indent` among `lines`: its line and the lines of its value.
    fn mapping(
        &self,
        lines: std::ops::Range<usize>,
        indent: usize,
        name: &str,
    ) -> Result<Option<(usize, std::ops::Range<usize>)>, PatchError> {
        let rest = |line: &str| {
            let at_column = indent_of(line) == indent;
            let rest = line.trim_start().strip_prefix(name)?.strip_prefix(':')?;
            at_column.then(|| rest.trim().to_owned())
        };
        let numbered = || lines.clone().zip(self.lines.iter().skip(lines.start));
        let Some((key, rest)) = numbered().find_map(|(n, line)| Some((n, rest(line)?))) else {
            return Ok(None);
        };
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(refuse(
                key + 1,
                &format!("`{name}` is not written as a block"),
            ));
        }
        // A sequence may stand in the column of its key.
        let ends = |line: &str| {
            let text = line.trim_start();
            let column = indent_of(line);
            let in_list = column == indent && text.starts_with("- ");
            !text.is_empty() && !text.starts_with('#') && column <= indent && !in_list
        };
        let end = numbered().find(|(n, line)| *n > key && ends(line));
        let end = end.map_or(lines.end, |(n, _)| n);
        Ok(Some((key, key + 1..end)))
    }

    /// Column of the first line that says something.
    fn first_indent(&self, lines: std::ops::Range<usize>) -> Option<usize> {
        let says = |l: &&String| !l.trim().is_empty() && !l.trim_start().starts_with('#');
        let mut body = self.lines.iter().take(lines.end).skip(lines.start);
        body.find(says).map(|l| indent_of(l))
    }

    /// The line behind the last one that is not blank and not left of `indent`.
    fn content_end(&self, lines: std::ops::Range<usize>, indent: usize) -> Option<usize> {
        let numbered = lines.clone().zip(self.lines.iter().skip(lines.start));
        let mut inside = numbered.filter(|(_, l)| !l.trim().is_empty() && indent_of(l) >= indent);
        inside.next_back().map(|(n, _)| n + 1)
    }
}

fn refuse(line: usize, problem: &str) -> PatchError {
    PatchError::Butane {
        path: PATH,
        line,
        problem: problem.to_owned(),
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn parse(lines: &[String]) -> Result<Value, PatchError> {
    let text = lines.join("\n") + "\n";
    serde_saphyr::from_str(&text).map_err(|e| {
        let line = e
            .location()
            .map_or(0, |l| usize::try_from(l.line()).unwrap_or(0));
        refuse(line, "is not YAML")
    })
}

fn parse_items(items: &[String]) -> Result<Vec<Value>, PatchError> {
    let lines: Vec<_> = items
        .iter()
        .flat_map(|i| i.lines())
        .map(str::to_owned)
        .collect();
    match parse(&lines)? {
        Value::Array(items) => Ok(items),
        _ => Err(refuse(0, "the items to add are no list")),
    }
}

fn items(value: &Value, place: Place) -> &[Value] {
    let list = value.get(place.section).and_then(|s| s.get(place.list));
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn list_mut(value: &mut Value, place: Place) -> Option<&mut Vec<Value>> {
    list_slot(value, place).as_array_mut()
}

/// The value at `section.list`, made null when absent.
fn list_slot(value: &mut Value, place: Place) -> &mut Value {
    let known = value.get(place.section).is_some_and(Value::is_object);
    if !known {
        value[place.section] = Value::Object(serde_json::Map::new());
    }
    let section = &mut value[place.section];
    if section.get(place.list).is_none() {
        section[place.list] = Value::Null;
    }
    &mut section[place.list]
}
