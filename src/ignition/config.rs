//! A whole config: read, look up, write.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::Error;
use super::shape;
use super::version::{Refusal, Version};
use super::view::{Directory, File, Link, Node, Resource, Unit, User};

/// An Ignition config of a supported version whose known keys have the types of the specification.
#[derive(Clone, PartialEq)]
pub struct Config {
    pub(super) root: Value,
    version: Version,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("version", &self.version)
            .field("files", &self.files().count())
            .field("units", &self.units().count())
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// Not JSON (a repeated key included), a type that is not the specification's, a version that is not supported.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let root = json(bytes)?;
        let text = root.pointer("/ignition/version").and_then(Value::as_str);
        let found = text.filter(|t| !t.is_empty());
        let version = found.ok_or(Error::NoVersion)?;
        let version = Version::parse(version).map_err(|refusal| match refusal {
            Refusal::Malformed => Error::NoVersion,
            Refusal::Experimental => Error::Experimental {
                found: version.to_owned(),
            },
            Refusal::Unsupported => Error::Unsupported {
                found: version.to_owned(),
            },
        })?;
        let known = if version.writable() {
            shape::SPEC_3
        } else {
            shape::SPEC_2
        };
        shape::check(&root, known, &mut String::new())?;
        Ok(Self { root, version })
    }

    /// The version it came in and is written in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The bytes: compact JSON without a line feed at the end, keys in their order.
    pub fn render(&self) -> Vec<u8> {
        self.root.to_string().into_bytes()
    }

    /// The JSON. It holds secrets.
    pub fn json(&self) -> &Value {
        &self.root
    }

    /// `storage.files`, in order.
    pub fn files(&self) -> impl Iterator<Item = File<'_>> {
        self.section("storage").items("files").map(File)
    }

    /// The file of this path; the last one when a broken config has several.
    pub fn file(&self, path: &str) -> Option<File<'_>> {
        self.files().filter(|file| file.path() == path).last()
    }

    /// `storage.directories`, in order.
    pub fn directories(&self) -> impl Iterator<Item = Directory<'_>> {
        self.section("storage").items("directories").map(Directory)
    }

    /// `storage.links`, in order.
    pub fn links(&self) -> impl Iterator<Item = Link<'_>> {
        self.section("storage").items("links").map(Link)
    }

    /// `passwd.users`, in order.
    pub fn users(&self) -> impl Iterator<Item = User<'_>> {
        self.section("passwd").items("users").map(User)
    }

    /// `systemd.units`, in order.
    pub fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        self.section("systemd").items("units").map(Unit)
    }

    /// The unit of this name.
    pub fn unit(&self, name: &str) -> Option<Unit<'_>> {
        self.units().filter(|unit| unit.name() == name).last()
    }

    /// Every resource that is neither contents nor append of a file: `ignition.config` and certificate authorities.
    pub fn other_resources(&self) -> Vec<Resource<'_>> {
        let one = |pointer: &str, key: &str| Node {
            value: self
                .root
                .pointer(pointer)
                .and_then(|v| v.get(key))
                .unwrap_or(&Value::Null),
            pointer: format!("{pointer}/{key}"),
        };
        let list = |pointer: &str, key: &str| {
            let value = self.root.pointer(pointer).unwrap_or(&Value::Null);
            let pointer = pointer.to_owned();
            Node { value, pointer }.items(key).map(Resource)
        };
        let mut found: Vec<_> = list("/ignition/config", "merge").collect();
        let replace = one("/ignition/config", "replace");
        found.extend(replace.value.is_object().then_some(Resource(replace)));
        found.extend(list("/ignition/security/tls", "certificateAuthorities"));
        found
    }

    fn section(&self, key: &str) -> Node<'_> {
        Node {
            value: self.root.get(key).unwrap_or(&Value::Null),
            pointer: format!("/{key}"),
        }
    }
}

fn json(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| Error::Syntax {
        line: error.line(),
        column: error.column(),
        problem: problem(&error),
    })
}

/// The reader's text without the place, which stands in front already.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

/// Reads any JSON, but refuses a key that comes twice: a reader would silently drop the first.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key {key:?} comes twice")));
            }
            let value = access.next_value_seed(Strict)?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}
