//! Two configs compared: decoded, file by file, unit by unit.
//!
//! Text is compared line by line; of what may be secret ([`secrets`]), of binary and of very large files only sizes and digests
//! are told. How a data URL is written does not count, nor does the order of the entries.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use sha2::Digest as _;

use super::config::Config;
use super::fit;
use super::inspect;
use super::secrets;
use super::view::{File, Unit};

/// Files above this size, in bytes, are told by digest.
const LARGEST_TEXT: usize = 1 << 20;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What differs: `file /etc/motd`, `unit kubelet.service`, `user core`.
    pub subject: String,
    /// Added, removed or changed.
    pub kind: Kind,
    /// Attributes that changed, as `mode 0600 -> 0644`; for contents not shown, sizes and digests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// A unified diff of the text, three lines of context; none for secrets and binaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only in the second config.
    Added,
    /// Only in the first.
    Removed,
    /// In both.
    Changed,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.kind {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        write!(f, "{sign} {}", self.subject)?;
        for note in &self.notes {
            write!(f, "\n    {note}")?;
        }
        for line in self.text.iter().flat_map(|text| text.lines()) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// One side of a comparison: attributes, and contents that may be shown or not.
#[derive(Default)]
struct Side {
    attributes: BTreeMap<String, String>,
    /// By name; empty for the contents themselves.
    parts: BTreeMap<String, Part>,
    /// No part may be shown.
    secret: bool,
}

/// Some bytes: the text when it is worth showing, always size and digest.
#[derive(PartialEq)]
struct Part {
    length: usize,
    sha256: String,
    text: Option<String>,
}

impl From<&[u8]> for Part {
    fn from(bytes: &[u8]) -> Self {
        let printable = |text: &&str| {
            let strange = |c: char| c.is_control() && !"\n\r\t\u{1b}".contains(c);
            text.len() <= LARGEST_TEXT && !text.contains(strange)
        };
        Self {
            length: bytes.len(),
            sha256: hex::encode(sha2::Sha256::digest(bytes)),
            text: std::str::from_utf8(bytes)
                .ok()
                .filter(printable)
                .map(str::to_owned),
        }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// What has to change in `a` to make it `b`; empty when they mean the same.
pub fn diff(a: &Config, b: &Config) -> Vec<Difference> {
    let (a, b) = (sides(a), sides(b));
    let subjects: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    subjects
        .into_iter()
        .filter_map(|subject| compare(subject, a.get(subject), b.get(subject)))
        .collect()
}

fn sides(config: &Config) -> BTreeMap<String, Side> {
    let mut sides = BTreeMap::new();
    let version = config.version().to_string();
    sides.insert("config".to_owned(), rest(config, version));
    for file in config.files() {
        sides.insert(format!("file {}", file.path()), file_side(&file));
    }
    for node in config.directories() {
        sides.insert(
            format!("directory {}", node.path()),
            plain(node.json(), &["path"]),
        );
    }
    for node in config.links() {
        sides.insert(
            format!("link {}", node.path()),
            plain(node.json(), &["path"]),
        );
    }
    for unit in config.units() {
        sides.insert(format!("unit {}", unit.name()), unit_side(&unit));
    }
    for user in config.users() {
        let mut side = plain(user.json(), &["name", "passwordHash", "sshAuthorizedKeys"]);
        let hash = user.json().get("passwordHash").and_then(Value::as_str);
        side.parts
            .insert("password hash".to_owned(), hash.unwrap_or_default().into());
        let keys: Vec<_> = user.ssh_keys().collect();
        side.parts
            .insert("SSH keys".to_owned(), keys.join("\n").as_str().into());
        side.secret = true;
        sides.insert(format!("user {}", user.name()), side);
    }
    sides
}

/// What stands in none of the sections above, key by key, by digest: it may hold anything.
fn rest(config: &Config, version: String) -> Side {
    let mut side = Side {
        secret: true,
        ..Side::default()
    };
    side.attributes.insert("version".to_owned(), version);
    // The way its data URLs are written does not count.
    let mut ignition = json!({"ignition": config.json().get("ignition")});
    fit::re_encode(&mut ignition);
    fit::inflate(&mut ignition);
    let sections = config.json().as_object().into_iter().flatten();
    for (key, value) in sections {
        let value = ignition.get(key).unwrap_or(value);
        let Some(map) = value.as_object() else {
            side.parts
                .insert(key.clone(), canonical(value).as_slice().into());
            continue;
        };
        for (inner, value) in map {
            let told = matches!(
                (key.as_str(), inner.as_str()),
                ("ignition", "version")
                    | ("storage", "files" | "directories" | "links")
                    | ("systemd", "units")
                    | ("passwd", "users")
            );
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !told && !empty {
                side.parts
                    .insert(format!("{key}.{inner}"), canonical(value).as_slice().into());
            }
        }
    }
    side
}

/// JSON with sorted keys.
fn canonical(value: &Value) -> Vec<u8> {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string().into_bytes()
}

fn file_side(file: &File<'_>) -> Side {
    let mut side = plain(file.json(), &["path", "contents", "append", "mode"]);
    let mode = file
        .mode()
        .map_or_else(|| "default".to_owned(), inspect::octal);
    side.attributes.insert("mode".to_owned(), mode);
    let mut parts = Vec::new();
    parts.extend(file.contents().map(|c| (String::new(), c)));
    parts.extend(
        file.append()
            .enumerate()
            .map(|(i, p)| (format!("append {i}"), p)),
    );
    for (name, resource) in parts {
        match resource.decode() {
            Ok(bytes) => {
                side.secret |= secrets::is_secret(file.path(), &bytes);
                side.parts.insert(name, bytes.as_slice().into());
            }
            Err(error) => {
                let what = if name.is_empty() { "contents" } else { &name };
                side.attributes.insert(what.to_owned(), error.to_string());
                let raw = resource.source().unwrap_or_default();
                side.parts
                    .insert(format!("{name} source").trim().to_owned(), raw.into());
                side.secret = true;
            }
        }
    }
    side
}

fn unit_side(unit: &Unit<'_>) -> Side {
    let mut side = plain(unit.json(), &["name", "contents", "dropins"]);
    if let Some(text) = unit.contents() {
        side.parts.insert(String::new(), text.into());
    }
    for dropin in unit.dropins() {
        let text = dropin.contents().unwrap_or_default();
        side.parts
            .insert(format!("drop-in {}", dropin.name()), text.into());
    }
    side.secret = side
        .parts
        .values()
        .any(|part| part.text.as_deref().is_none_or(secrets::text_is_secret));
    side
}

/// Every key that is not in `besides`, as an attribute when it is small and known, else by digest.
fn plain(value: &Value, besides: &[&str]) -> Side {
    const SHOWN: [&str; 11] = [
        "overwrite",
        "user",
        "group",
        "mode",
        "target",
        "hard",
        "enabled",
        "enable",
        "mask",
        "uid",
        "groups",
    ];
    let mut side = Side::default();
    for (key, value) in value.as_object().into_iter().flatten() {
        if besides.contains(&key.as_str()) || value.is_null() {
            continue;
        }
        let shown = match value.as_i64().filter(|_| key == "mode") {
            Some(mode) => inspect::octal(mode),
            None if SHOWN.contains(&key.as_str()) => {
                String::from_utf8_lossy(&canonical(value)).into_owned()
            }
            None => digest(&canonical(value)),
        };
        side.attributes.insert(key.clone(), shown);
    }
    side
}

fn compare(subject: &str, a: Option<&Side>, b: Option<&Side>) -> Option<Difference> {
    let nothing = Side::default();
    let kind = match (a, b) {
        (Some(_), None) => Kind::Removed,
        (None, Some(_)) => Kind::Added,
        _ => Kind::Changed,
    };
    let (a, b) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
    let mut notes = attributes(kind, a, b);
    let mut text = String::new();
    let names: BTreeSet<&String> = a.parts.keys().chain(b.parts.keys()).collect();
    for name in names {
        let (old, new) = (a.parts.get(name), b.parts.get(name));
        if old == new {
            continue;
        }
        let what = if name.is_empty() { "contents" } else { name };
        match texts(old, new).filter(|_| !a.secret && !b.secret) {
            Some((old, new)) => {
                if !name.is_empty() {
                    text.push_str(what);
                    text.push('\n');
                }
                text += &lines::unified(old, new);
            }
            None => notes.push(format!("{what} {} -> {}", summary(old), summary(new))),
        }
    }
    let same = notes.is_empty() && text.is_empty() && kind == Kind::Changed;
    (!same).then(|| Difference {
        subject: subject.to_owned(),
        kind,
        notes,
        text: (!text.is_empty()).then_some(text),
    })
}

fn attributes(kind: Kind, a: &Side, b: &Side) -> Vec<String> {
    let keys: BTreeSet<&String> = a.attributes.keys().chain(b.attributes.keys()).collect();
    let differing = keys.into_iter().filter_map(|key| {
        let (old, new) = (a.attributes.get(key), b.attributes.get(key));
        let side = |v: Option<&String>| v.cloned().unwrap_or_else(|| "unset".to_owned());
        match kind {
            Kind::Changed if old == new => None,
            Kind::Changed => Some(format!("{key} {} -> {}", side(old), side(new))),
            _ => Some(format!("{key} {}", side(old.or(new)))),
        }
    });
    differing.collect()
}

/// Both sides as text, when both are worth showing; an absent side is empty.
fn texts<'a>(old: Option<&'a Part>, new: Option<&'a Part>) -> Option<(&'a str, &'a str)> {
    let text = |part: Option<&'a Part>| part.map_or(Some(""), |part| part.text.as_deref());
    Some((text(old)?, text(new)?))
}

fn summary(part: Option<&Part>) -> String {
    part.map_or_else(
        || "absent".to_owned(),
        |part| {
            let sum = part.sha256.get(..12).unwrap_or_default();
            format!("{} bytes sha256:{sum}", part.length)
        },
    )
}

fn digest(bytes: &[u8]) -> String {
    let sum = hex::encode(sha2::Sha256::digest(bytes));
    format!("sha256:{}", sum.get(..12).unwrap_or_default())
}
