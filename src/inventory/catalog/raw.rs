//! Catalog objects as they are read: a JSON or YAML value without the members that nobody uses.
//!
//! Skipping happens while streaming, so icons, CSV metadata and bundle objects never reach memory. A later duplicate
//! key wins, as in Go's decoder. A value of the wrong kind counts as absent: objects of unknown schemas may give any
//! shape to the member names in use, and what a known object then lacks the filters and [`super::validate`] report.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::model::{
    Bundle, Channel, Entry, Gvk, Identity, Package, Priority, RelatedImage, RequiredPackage,
};

/// The members in use, anywhere in an object.
const KEPT: [&str; 19] = [
    "schema",
    "name",
    "package",
    "defaultChannel",
    "image",
    "entries",
    "replaces",
    "skips",
    "properties",
    "type",
    "value",
    "packageName",
    "version",
    "versionRange",
    "group",
    "kind",
    "channelName",
    "priority",
    "relatedImages",
];

/// A pruned value.
#[derive(Debug)]
pub(super) enum Raw {
    Text(String),
    Number(i64),
    List(Vec<Raw>),
    Map(Vec<(&'static str, Raw)>),
    /// Null, a truth value, a fraction.
    Other,
}

impl Raw {
    fn member(&mut self, key: &str) -> Raw {
        let Self::Map(members) = self else {
            return Self::Other;
        };
        let found = members.iter_mut().rev().find(|(name, _)| *name == key);
        found.map_or(Self::Other, |(_, value)| {
            std::mem::replace(value, Self::Other)
        })
    }

    /// Takes a text member out; empty when there is none.
    pub(super) fn text(&mut self, key: &str) -> String {
        match self.member(key) {
            Self::Text(text) => text,
            _ => String::new(),
        }
    }

    fn list<T>(&mut self, key: &str, convert: impl Fn(Self) -> T) -> Vec<T> {
        match self.member(key) {
            Self::List(items) => items.into_iter().map(convert).collect(),
            _ => Vec::new(),
        }
    }

    /// Takes the values of the properties of one type.
    fn properties<T>(&mut self, kind: &str, convert: impl Fn(&mut Self) -> T) -> Vec<T> {
        let Self::Map(members) = self else {
            return Vec::new();
        };
        let found = members
            .iter_mut()
            .rev()
            .find(|(name, _)| *name == "properties");
        let Some((_, Self::List(properties))) = found else {
            return Vec::new();
        };
        let is_kind = |p: &&mut Self| {
            matches!(p, Self::Map(members)
                if members.iter().rev().find(|(name, _)| *name == "type").is_some_and(
                    |(_, value)| matches!(value, Self::Text(text) if text == kind)))
        };
        properties
            .iter_mut()
            .filter(is_kind)
            .map(|p| convert(&mut p.member("value")))
            .collect()
    }

    pub(super) fn into_package(mut self) -> Package {
        Package {
            name: self.text("name"),
            default_channel: self.text("defaultChannel"),
        }
    }

    pub(super) fn into_channel(mut self) -> Channel {
        let entry = |mut raw: Self| Entry {
            name: raw.text("name"),
            replaces: raw.text("replaces"),
            skips: raw.list("skips", |skip| match skip {
                Self::Text(text) => text,
                _ => String::new(),
            }),
        };
        Channel {
            package: self.text("package"),
            name: self.text("name"),
            entries: self.list("entries", entry),
            priorities: self.properties("olm.channel", |value| Priority {
                channel: value.text("channelName"),
                priority: match value.member("priority") {
                    Self::Number(number) => number,
                    _ => 0,
                },
            }),
        }
    }

    pub(super) fn into_bundle(mut self) -> Bundle {
        let gvk = |value: &mut Self| Gvk {
            group: value.text("group"),
            version: value.text("version"),
            kind: value.text("kind"),
        };
        Bundle {
            package: self.text("package"),
            name: self.text("name"),
            image: self.text("image"),
            identities: self.properties("olm.package", |value| Identity {
                package: value.text("packageName"),
                version: value.text("version"),
            }),
            provided: self.properties("olm.gvk", gvk),
            required: self.properties("olm.gvk.required", gvk),
            required_packages: self.properties("olm.package.required", |value| RequiredPackage {
                package: value.text("packageName"),
                range: value.text("versionRange"),
            }),
            has_objects: !self.properties("olm.bundle.object", |_| ()).is_empty(),
            related_images: self.list("relatedImages", |mut raw| RelatedImage {
                name: raw.text("name"),
                image: raw.text("image"),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

/// A member name, kept or not.
struct Key(Option<&'static str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key(KEPT.into_iter().find(|kept| *kept == name)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Some(key) => members.push((key, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Raw::Map(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(i64::try_from(number).map_or(Raw::Other, Raw::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Other)
    }
}
