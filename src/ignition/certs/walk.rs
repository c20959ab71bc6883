//! From the config to its texts: every string in the JSON, resources decoded.

use serde_json::{Map, Value};

use super::scan::{self, Visitor};
use crate::ignition::Config;
use crate::ignition::apply::rehash;
use crate::ignition::data_url::{self, CAP, DataUrl};

/// What a person calls a node: the path of its file or the name of its unit, else its JSON pointer.
#[derive(Clone)]
enum Spot {
    Pointer(String),
    Named(String),
}

impl Spot {
    fn name(&self) -> &str {
        match self {
            Self::Pointer(name) | Self::Named(name) => name,
        }
    }

    fn below(&self, key: &str) -> Self {
        match self {
            Self::Pointer(pointer) => {
                let key = key.replace('~', "~0").replace('/', "~1");
                Self::Pointer(format!("{pointer}/{key}"))
            }
            Self::Named(_) => self.clone(),
        }
    }

    fn item(&self, n: usize, item: &Value) -> Self {
        let named = match self {
            Self::Pointer(list) if list == "/storage/files" => item.get("path"),
            Self::Pointer(list) if list == "/systemd/units" => item.get("name"),
            _ => None,
        };
        match named.and_then(Value::as_str) {
            Some(name) => Self::Named(name.to_owned()),
            None => self.below(&n.to_string()),
        }
    }
}

/// Looks at every certificate and key without changing the config.
pub(super) fn look(config: &Config, visit: &mut Visitor<'_>) {
    // A visitor that returns nothing changes nothing; the copy keeps one walk for both.
    let mut root = config.root.clone();
    value(&mut root, &Spot::Pointer(String::new()), visit);
}

/// Puts what the visitor returns into the places of what it was shown.
pub(super) fn change(config: &mut Config, visit: &mut Visitor<'_>) {
    value(&mut config.root, &Spot::Pointer(String::new()), visit);
}

fn value(node: &mut Value, spot: &Spot, visit: &mut Visitor<'_>) {
    match node {
        Value::String(text) => {
            if let Some(new) = scan::text(spot.name(), text, visit) {
                *text = new;
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                let spot = spot.item(n, item);
                value(item, &spot, visit);
            }
        }
        Value::Object(map) => {
            let done = resource(map, spot, visit);
            for (key, child) in map.iter_mut() {
                if !(done && key == "source") {
                    value(child, &spot.below(key), visit);
                }
            }
        }
        _ => (),
    }
}

/// Looks into a `source` that is a data URL; false when there is none that decodes.
fn resource(map: &mut Map<String, Value>, spot: &Spot, visit: &mut Visitor<'_>) -> bool {
    let text = |key| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let gzip = text("compression") == "gzip";
    let Ok(url) = DataUrl::parse(text("source")) else {
        return false;
    };
    let Ok(bytes) = data_url::decode(text("source"), Some(text("compression")), CAP) else {
        return false;
    };
    let Some(new) = scan::bytes(spot.name(), &bytes, visit) else {
        return true;
    };
    let source = if gzip {
        url.with_bytes(&scan::gzip(&new))
    } else {
        url.with_bytes(&new)
    };
    map.insert("source".to_owned(), source.into());
    // The hash is over what the file will hold.
    let hash = map.get_mut("verification").and_then(|v| v.get_mut("hash"));
    if let Some(hash) = hash
        && let Some(new) = hash.as_str().and_then(|old| rehash(old, &new))
    {
        *hash = new.into();
    }
    true
}
