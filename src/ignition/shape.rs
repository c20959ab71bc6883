//! The types of the keys that the specification knows, and the walk that checks them.
//!
//! Go's decoder, which Ignition uses, takes null for any type; so does this. A key that is not in the table for the config's version is
//! unknown: kept, and reported by `lint`.

use serde_json::Value;

use super::error::Error;

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Not checked.
    Any,
    /// A string.
    Text,
    /// A boolean.
    Flag,
    /// A whole number.
    Int,
    /// An array.
    List(&'static Shape),
    /// An object: key, first minor version of spec 3 that has it, type.
    Map(&'static [(&'static str, u8, Shape)]),
}

use Shape::{Any, Flag, Int, List, Map, Text};

const TEXTS: Shape = List(&Text);
const VERIFICATION: Shape = Map(&[("hash", 0, Text)]);
const HEADER: Shape = Map(&[("name", 0, Text), ("value", 0, Text)]);
const RESOURCE: Shape = Map(&[
    ("source", 0, Text),
    ("compression", 0, Text),
    ("httpHeaders", 1, List(&HEADER)),
    ("verification", 0, VERIFICATION),
]);
const OWNER: Shape = Map(&[("id", 0, Int), ("name", 0, Text)]);

const CONFIG: Shape = Map(&[("merge", 0, List(&RESOURCE)), ("replace", 0, RESOURCE)]);
const IGNITION: Shape = Map(&[
    ("version", 0, Text),
    ("config", 0, CONFIG),
    (
        "proxy",
        1,
        Map(&[
            ("httpProxy", 0, Text),
            ("httpsProxy", 0, Text),
            ("noProxy", 0, TEXTS),
        ]),
    ),
    (
        "security",
        0,
        Map(&[(
            "tls",
            0,
            Map(&[("certificateAuthorities", 0, List(&RESOURCE))]),
        )]),
    ),
    (
        "timeouts",
        0,
        Map(&[("httpResponseHeaders", 0, Int), ("httpTotal", 0, Int)]),
    ),
]);

const USER: Shape = Map(&[
    ("name", 0, Text),
    ("passwordHash", 0, Text),
    ("sshAuthorizedKeys", 0, TEXTS),
    ("uid", 0, Int),
    ("gecos", 0, Text),
    ("homeDir", 0, Text),
    ("noCreateHome", 0, Flag),
    ("primaryGroup", 0, Text),
    ("groups", 0, TEXTS),
    ("noUserGroup", 0, Flag),
    ("noLogInit", 0, Flag),
    ("shell", 0, Text),
    ("shouldExist", 2, Flag),
    ("system", 0, Flag),
]);
const GROUP: Shape = Map(&[
    ("name", 0, Text),
    ("gid", 0, Int),
    ("passwordHash", 0, Text),
    ("shouldExist", 2, Flag),
    ("system", 0, Flag),
]);
const PASSWD: Shape = Map(&[("users", 0, List(&USER)), ("groups", 0, List(&GROUP))]);

const FILE: Shape = Map(&[
    ("path", 0, Text),
    ("overwrite", 0, Flag),
    ("contents", 0, RESOURCE),
    ("append", 0, List(&RESOURCE)),
    ("mode", 0, Int),
    ("user", 0, OWNER),
    ("group", 0, OWNER),
]);
const DIRECTORY: Shape = Map(&[
    ("path", 0, Text),
    ("overwrite", 0, Flag),
    ("mode", 0, Int),
    ("user", 0, OWNER),
    ("group", 0, OWNER),
]);
const LINK: Shape = Map(&[
    ("path", 0, Text),
    ("overwrite", 0, Flag),
    ("target", 0, Text),
    ("hard", 0, Flag),
    ("user", 0, OWNER),
    ("group", 0, OWNER),
]);
const PARTITION: Shape = Map(&[
    ("label", 0, Text),
    ("number", 0, Int),
    ("sizeMiB", 0, Int),
    ("startMiB", 0, Int),
    ("typeGuid", 0, Text),
    ("guid", 0, Text),
    ("wipePartitionEntry", 0, Flag),
    ("shouldExist", 0, Flag),
    ("resize", 2, Flag),
]);
const DISK: Shape = Map(&[
    ("device", 0, Text),
    ("wipeTable", 0, Flag),
    ("partitions", 0, List(&PARTITION)),
]);
const FILESYSTEM: Shape = Map(&[
    ("device", 0, Text),
    ("format", 0, Text),
    ("path", 0, Text),
    ("label", 0, Text),
    ("uuid", 0, Text),
    ("options", 0, TEXTS),
    ("mountOptions", 1, TEXTS),
    ("wipeFilesystem", 0, Flag),
]);
const STORAGE: Shape = Map(&[
    ("disks", 0, List(&DISK)),
    ("raid", 0, List(&Any)),
    ("luks", 2, List(&Any)),
    ("filesystems", 0, List(&FILESYSTEM)),
    ("files", 0, List(&FILE)),
    ("directories", 0, List(&DIRECTORY)),
    ("links", 0, List(&LINK)),
]);

const DROPIN: Shape = Map(&[("name", 0, Text), ("contents", 0, Text)]);
const UNIT: Shape = Map(&[
    ("name", 0, Text),
    ("enabled", 0, Flag),
    ("mask", 0, Flag),
    ("contents", 0, Text),
    ("dropins", 0, List(&DROPIN)),
]);
const SYSTEMD: Shape = Map(&[("units", 0, List(&UNIT))]);
const KERNEL_ARGUMENTS: Shape = Map(&[("shouldExist", 0, TEXTS), ("shouldNotExist", 0, TEXTS)]);

/// Spec 3.
pub(super) const SPEC_3: Shape = Map(&[
    ("ignition", 0, IGNITION),
    ("kernelArguments", 3, KERNEL_ARGUMENTS),
    ("passwd", 0, PASSWD),
    ("storage", 0, STORAGE),
    ("systemd", 0, SYSTEMD),
]);

const FILE_2: Shape = Map(&[
    ("path", 0, Text),
    ("overwrite", 0, Flag),
    ("contents", 0, RESOURCE),
    ("append", 0, Flag),
    ("mode", 0, Int),
    ("user", 0, OWNER),
    ("group", 0, OWNER),
]);
const UNIT_2: Shape = Map(&[
    ("name", 0, Text),
    ("enable", 0, Flag),
    ("enabled", 0, Flag),
    ("mask", 0, Flag),
    ("contents", 0, Text),
    ("dropins", 0, List(&DROPIN)),
]);

/// The part of spec 2 that is read.
pub(super) const SPEC_2: Shape = Map(&[
    ("ignition", 0, Map(&[("version", 0, Text)])),
    ("passwd", 0, PASSWD),
    (
        "storage",
        0,
        Map(&[
            ("files", 0, List(&FILE_2)),
            ("directories", 0, List(&DIRECTORY)),
            ("links", 0, List(&LINK)),
        ]),
    ),
    ("systemd", 0, Map(&[("units", 0, List(&UNIT_2))])),
]);

/// Checks types.
///
/// # Errors
/// The first known key whose value has another type.
pub(super) fn check(value: &Value, shape: Shape, pointer: &mut String) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    match shape {
        Any => Ok(()),
        Text => value
            .is_string()
            .then_some(())
            .ok_or_else(|| mismatch(value, pointer, "a string")),
        Flag => value
            .is_boolean()
            .then_some(())
            .ok_or_else(|| mismatch(value, pointer, "true or false")),
        Int => value
            .is_i64()
            .then_some(())
            .ok_or_else(|| mismatch(value, pointer, "a whole number")),
        List(inner) => {
            let items = value
                .as_array()
                .ok_or_else(|| mismatch(value, pointer, "an array"))?;
            items.iter().enumerate().try_for_each(|(index, item)| {
                below(pointer, &index.to_string(), |p| check(item, *inner, p))
            })
        }
        Map(keys) => {
            let map = value
                .as_object()
                .ok_or_else(|| mismatch(value, pointer, "an object"))?;
            keys.iter()
                .try_for_each(|(key, _, inner)| match map.get(*key) {
                    Some(child) => below(pointer, key, |p| check(child, *inner, p)),
                    None => Ok(()),
                })
        }
    }
}

/// Visits the JSON pointer of every key that spec 3 of this minor version does not know.
pub(super) fn unknown_keys(
    value: &Value,
    shape: Shape,
    minor: u8,
    pointer: &mut String,
    found: &mut Vec<String>,
) {
    match (shape, value) {
        (List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                below(pointer, &index.to_string(), |p| {
                    unknown_keys(item, *inner, minor, p, found);
                });
            }
        }
        (Map(keys), Value::Object(map)) => {
            for (key, child) in map {
                let known = keys
                    .iter()
                    .find(|(name, since, _)| name == key && *since <= minor);
                below(pointer, key, |p| match known {
                    Some((_, _, inner)) => unknown_keys(child, *inner, minor, p, found),
                    None => found.push(p.clone()),
                });
            }
        }
        _ => {}
    }
}

/// Runs `visit` with one more reference token (RFC 6901) on the pointer.
fn below<T>(pointer: &mut String, token: &str, visit: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
    let result = visit(pointer);
    pointer.truncate(length);
    result
}

fn mismatch(value: &Value, pointer: &str, expected: &'static str) -> Error {
    Error::Shape {
        pointer: if pointer.is_empty() { "/" } else { pointer }.to_owned(),
        expected,
        found: type_name(value),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
