//! Applying edits to the JSON of a config.
//!
//! Every function here leaves what it is not about: other keys, the order of the entries. Nothing is made before it is sure that the
//! edit succeeds.

use serde_json::{Map, Value, json};
use sha2::Digest as _;

use super::config::Config;
use super::data_url::{self, DataUrl};
use super::edit::{Change, Edit, NewFile, NewUnit};
use super::error::Error;

impl Config {
    /// Applies one edit. The config is unchanged when it fails.
    ///
    /// # Errors
    /// Spec 2, a file or unit that is not there, a path that is a directory or a link.
    pub fn apply(&mut self, edit: &Edit) -> Result<Change, Error> {
        if !self.version().writable() {
            return Err(Error::ReadOnly {
                version: self.version(),
            });
        }
        match edit {
            Edit::SetFile(file) => self.set_file(file),
            Edit::SetContents { path, contents } => self.set_contents(path, &contents.0),
            Edit::SetMode { path, mode } => {
                let file = self.existing_file(path)?;
                Ok(set(file, "mode", json!(mode)))
            }
            Edit::Append { path, contents } => self.append(path, contents),
            Edit::RemoveFile { path } => Ok(self.remove("storage", "files", "path", path)),
            Edit::SetUnit(unit) => Ok(self.set_unit(unit)),
            Edit::SetDropin {
                unit,
                name,
                contents,
            } => Ok(self.set_dropin(unit, name, contents)),
            Edit::RemoveUnit { name } => Ok(self.remove("systemd", "units", "name", name)),
            Edit::RemoveDropin { unit, name } => Ok(self.remove_dropin(unit, name)),
        }
    }

    fn set_file(&mut self, file: &NewFile) -> Result<Change, Error> {
        self.refuse_taken(&file.path)?;
        let old = self.file(&file.path);
        let same_contents = old.as_ref().is_some_and(|old| {
            old.append().next().is_none()
                && matches!(old.bytes(), Ok(Some(bytes)) if bytes == file.contents)
        });
        let is_new = old.is_none();
        let entry = entry(
            self.list("storage", "files"),
            "path",
            &file.path,
            |path| json!({"overwrite": true, "path": path, "user": {"name": "root"}}),
        );
        let mut change = set(entry, "overwrite", json!(true));
        if !same_contents {
            entry.shift_remove("append");
            entry.insert(
                "contents".to_owned(),
                json!({"source": data_url::encode(&file.contents)}),
            );
            change = Change::Replaced;
        }
        if set(entry, "mode", json!(file.mode)) != Change::Unchanged {
            change = Change::Replaced;
        }
        Ok(if is_new { Change::Added } else { change })
    }

    fn set_contents(&mut self, path: &str, bytes: &[u8]) -> Result<Change, Error> {
        let old = self.file(path).ok_or_else(|| missing("file", path))?;
        if matches!(old.bytes(), Ok(Some(old)) if old == bytes) {
            return Ok(Change::Unchanged);
        }
        let resource = old.contents();
        let source = resource.as_ref().and_then(super::view::Resource::source);
        let source = source
            .and_then(|s| DataUrl::parse(s).ok())
            .map_or_else(|| data_url::encode(bytes), |url| url.with_bytes(bytes));
        let hash = resource.as_ref().and_then(super::view::Resource::hash);
        let hash = hash.and_then(|hash| rehash(hash, bytes));
        let file = self.existing_file(path)?;
        let contents = file.entry("contents").or_insert(Value::Null);
        if !contents.is_object() {
            *contents = json!({});
        }
        if let Some(contents) = contents.as_object_mut() {
            contents.insert("source".to_owned(), source.into());
            contents.shift_remove("compression");
            match hash {
                Some(hash) => set(contents, "verification", json!({"hash": hash})),
                None => Change::from(contents.shift_remove("verification").is_some()),
            };
        }
        Ok(Change::Replaced)
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> Result<Change, Error> {
        self.refuse_taken(path)?;
        let old = self.file(path);
        let there = |old: &super::view::File<'_>| {
            old.append()
                .any(|part| part.decode().is_ok_and(|part| part == bytes))
        };
        if old.as_ref().is_some_and(there) {
            return Ok(Change::Unchanged);
        }
        let is_new = old.is_none();
        let file = entry(
            self.list("storage", "files"),
            "path",
            path,
            |path| json!({"path": path, "user": {"name": "root"}}),
        );
        array(file, "append").push(json!({"source": data_url::encode(bytes)}));
        if is_new {
            set(file, "mode", json!(0o644));
            return Ok(Change::Added);
        }
        Ok(Change::Replaced)
    }

    fn set_unit(&mut self, unit: &NewUnit) -> Change {
        let is_new = self.unit(&unit.name).is_none();
        let entry = entry(
            self.list("systemd", "units"),
            "name",
            &unit.name,
            |name| json!({"name": name}),
        );
        let enabled = unit.enabled.map(|on| set(entry, "enabled", json!(on)));
        let contents = unit.contents.as_ref();
        let contents = contents.map(|text| set(entry, "contents", json!(text)));
        let changed = [enabled, contents]
            .into_iter()
            .flatten()
            .any(|c| c != Change::Unchanged);
        if is_new {
            Change::Added
        } else {
            Change::from(changed)
        }
    }

    fn set_dropin(&mut self, unit: &str, name: &str, contents: &str) -> Change {
        let units = self.list("systemd", "units");
        let unit = entry(units, "name", unit, |unit| json!({"name": unit}));
        let dropins = array(unit, "dropins");
        let is_new = position(dropins, "name", name).is_none();
        let dropin = entry(dropins, "name", name, |name| json!({"name": name}));
        match set(dropin, "contents", json!(contents)) {
            _ if is_new => Change::Added,
            change => change,
        }
    }

    fn remove_dropin(&mut self, unit: &str, name: &str) -> Change {
        let Some(units) = self.existing_list("systemd", "units") else {
            return Change::Unchanged;
        };
        let Some(at) = position(units, "name", unit) else {
            return Change::Unchanged;
        };
        let Some(entry) = units.get_mut(at).and_then(Value::as_object_mut) else {
            return Change::Unchanged;
        };
        let Some(dropins) = entry.get_mut("dropins").and_then(Value::as_array_mut) else {
            return Change::Unchanged;
        };
        let change = remove_from(dropins, "name", name);
        if change == Change::Removed && dropins.is_empty() {
            entry.shift_remove("dropins");
            if entry.keys().all(|key| key == "name") {
                units.remove(at);
            }
        }
        change
    }

    fn remove(&mut self, section: &str, list: &str, key: &str, name: &str) -> Change {
        self.existing_list(section, list)
            .map_or(Change::Unchanged, |list| remove_from(list, key, name))
    }

    fn refuse_taken(&self, path: &str) -> Result<(), Error> {
        let taken = |kind| Error::Taken {
            path: path.to_owned(),
            kind,
        };
        if self.directories().any(|d| d.path() == path) {
            return Err(taken("directory"));
        }
        if self.links().any(|l| l.path() == path) {
            return Err(taken("link"));
        }
        Ok(())
    }

    fn existing_file(&mut self, path: &str) -> Result<&mut Map<String, Value>, Error> {
        self.existing_list("storage", "files")
            .and_then(|files| {
                let at = position(files, "path", path)?;
                files.get_mut(at)?.as_object_mut()
            })
            .ok_or_else(|| missing("file", path))
    }

    fn existing_list(&mut self, section: &str, key: &str) -> Option<&mut Vec<Value>> {
        self.root.get_mut(section)?.get_mut(key)?.as_array_mut()
    }

    /// The array `root.section.key`, made when absent.
    fn list(&mut self, section: &str, key: &str) -> &mut Vec<Value> {
        let root = self.root.as_object_mut().expect("checked when it was read");
        let section = root.entry(section).or_insert(Value::Null);
        if !section.is_object() {
            *section = json!({});
        }
        let section = section.as_object_mut().expect("just made an object");
        array(section, key)
    }
}

impl From<bool> for Change {
    fn from(changed: bool) -> Self {
        if changed {
            Self::Replaced
        } else {
            Self::Unchanged
        }
    }
}

fn missing(kind: &'static str, name: &str) -> Error {
    Error::Missing {
        kind,
        name: name.to_owned(),
    }
}

/// The array at `key`; an absent or null one is made.
fn array<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    let slot = map.entry(key).or_insert(Value::Null);
    if !slot.is_array() {
        *slot = json!([]);
    }
    slot.as_array_mut().expect("just made an array")
}

/// Where the entry stands; the last one of that name, as the lookups of `Config`.
fn position(list: &[Value], key: &str, name: &str) -> Option<usize> {
    list.iter()
        .rposition(|item| item.get(key).and_then(Value::as_str) == Some(name))
}

/// The entry of that name; made at the end when there is none.
fn entry<'a>(
    list: &'a mut Vec<Value>,
    key: &str,
    name: &str,
    make: impl FnOnce(&str) -> Value,
) -> &'a mut Map<String, Value> {
    let at = position(list, key, name).unwrap_or(list.len());
    if at == list.len() {
        list.push(make(name));
    }
    list.get_mut(at)
        .and_then(Value::as_object_mut)
        .expect("found by a key, or just made")
}

fn set(map: &mut Map<String, Value>, key: &str, value: Value) -> Change {
    if map.get(key) == Some(&value) {
        return Change::Unchanged;
    }
    map.insert(key.to_owned(), value);
    Change::Replaced
}

fn remove_from(list: &mut Vec<Value>, key: &str, name: &str) -> Change {
    let before = list.len();
    list.retain(|item| item.get(key).and_then(Value::as_str) != Some(name));
    if list.len() == before {
        Change::Unchanged
    } else {
        Change::Removed
    }
}

/// The hash of other bytes by the function that `hash` names; none when it names none.
pub(super) fn rehash(hash: &str, bytes: &[u8]) -> Option<String> {
    match hash.split_once('-')? {
        ("sha256", _) => Some(format!(
            "sha256-{}",
            hex::encode(sha2::Sha256::digest(bytes))
        )),
        ("sha512", _) => Some(format!(
            "sha512-{}",
            hex::encode(sha2::Sha512::digest(bytes))
        )),
        _ => None,
    }
}
