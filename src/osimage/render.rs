//! What a build works on, readable: the rendered `MachineConfig` and the Containerfile.
//!
//! ```text
//! ConfigMap mc-BUILD:         data["machineconfig.json.gz"] = base64(gzip(MachineConfig as JSON))
//! ConfigMap containerfile-BUILD, in 4.14 dockerfile-RENDERED: the Containerfile
//! ```
//!
//! Taken are such `ConfigMaps` (JSON or YAML, a List of them too), what stands under their key at any stage of packing, a
//! `MachineConfig`, and a bare Ignition config. Files in it are shown decoded: texts as blocks, binaries and secrets by size and digest.
//!
//! Invariant: nothing larger than [`MAX_BYTES`] is unpacked, by whatever way; packings are at most [`MAX_DEPTH`] deep.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::error::Error;
use crate::ignition::{data_url, secrets};
use crate::objects::json::{list, name, text};
use crate::objects::yaml;
use crate::oci::Digest;

/// Bytes of one thing unpacked: a rendered `MachineConfig` has some hundred KiB, and no `ConfigMap` holds more than 1 MiB.
pub const MAX_BYTES: usize = 64 << 20;
/// Bytes that are read as YAML, which costs more than JSON.
const MAX_YAML: usize = 4 << 20;
/// `ConfigMap`, base64, gzip, and one to spare.
const MAX_DEPTH: u8 = 4;
/// Key of the `MachineConfig`.
pub const CONFIG_KEY: &str = "machineconfig.json.gz";

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rendered {
    /// `MachineConfig`, `Ignition` or `Containerfile`.
    pub kind: &'static str,
    /// Its own name, or that of its `ConfigMap`; may be empty.
    pub name: String,
    /// YAML, or the Containerfile.
    pub text: String,
}

/// Shows what is in a file; `file` is for messages, `secret` shows secrets too.
///
/// # Errors
/// It is none of what the head names, it is damaged, or it is too large.
pub fn render(file: &str, bytes: &[u8], secret: bool) -> Result<Vec<Rendered>, Error> {
    let mut shown = Vec::new();
    unpack(file, bytes, MAX_DEPTH, &mut |value| {
        show(file, value, "", secret, &mut shown)
    })?;
    if shown.is_empty() {
        return Err(Error::file(
            file,
            format!("there is neither `{CONFIG_KEY}` nor a Containerfile in it"),
        ));
    }
    Ok(shown)
}

type Sink<'a> = dyn FnMut(&Value) -> Result<(), Error> + 'a;

fn unpack(file: &str, bytes: &[u8], depth: u8, sink: &mut Sink<'_>) -> Result<(), Error> {
    let refuse = |reason: &str| Err(Error::file(file, reason));
    if depth == 0 {
        return refuse("it is packed too many times");
    }
    if bytes.len() > MAX_BYTES {
        return refuse("it has more than 64 MiB");
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut out = Vec::new();
        let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(MAX_BYTES as u64 + 1);
        if reader.read_to_end(&mut out).is_err() {
            return refuse("the gzip stream is damaged or cut off");
        }
        return unpack(file, &out, depth - 1, sink);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("it is neither gzip nor text");
    };
    if let Some(packed) = packed(text) {
        return unpack(file, &packed, depth - 1, sink);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => return sink(&value),
        Err(e) if text.trim_start().starts_with('{') => {
            return refuse(&format!(
                "line {}, column {}: no JSON",
                e.line(),
                e.column()
            ));
        }
        Err(_) if text.len() > MAX_YAML => return refuse("it is no JSON, and too large for YAML"),
        Err(_) => {}
    }
    match serde_saphyr::from_multiple::<Value>(text) {
        Ok(all) if all.iter().all(Value::is_object) => all.iter().try_for_each(sink),
        _ => refuse("it is no object: neither JSON nor YAML with a map"),
    }
}

/// Base64 of gzip, with line ends or without.
fn packed(text: &str) -> Option<Vec<u8>> {
    // What every gzip stream with deflate begins with.
    if !text.trim_start().starts_with("H4sI") {
        return None;
    }
    let bare: String = text.split_ascii_whitespace().collect();
    BASE64.decode(bare).ok()
}

fn show(
    file: &str,
    value: &Value,
    of: &str,
    secret: bool,
    shown: &mut Vec<Rendered>,
) -> Result<(), Error> {
    let kind = text(value, "/kind");
    if kind == "List" || kind == "ConfigMapList" {
        for item in list(value, "/items") {
            show(file, item, of, secret, shown)?;
        }
        return Ok(());
    }
    if kind == "ConfigMap" {
        return config_map(file, value, secret, shown);
    }
    let (kind, place) = if kind == "MachineConfig" {
        ("MachineConfig", "/spec/config")
    } else if value.get("ignition").is_some() {
        ("Ignition", "")
    } else {
        let reason = "it is no ConfigMap of a build, no MachineConfig and no Ignition config";
        return Err(Error::file(file, reason));
    };
    let mut readable = value.clone();
    if let Some(config) = readable.pointer_mut(place) {
        ignition(config, secret);
    }
    let own = name(value);
    shown.push(Rendered {
        kind,
        name: if own.is_empty() { of } else { own }.to_owned(),
        text: yaml::document(&readable),
    });
    Ok(())
}

fn config_map(
    file: &str,
    map: &Value,
    secret: bool,
    shown: &mut Vec<Rendered>,
) -> Result<(), Error> {
    let own = name(map);
    let entries = |key: &str| {
        map.get(key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    let mut packed: Vec<(&String, Vec<u8>)> = Vec::new();
    for (key, value) in entries("data") {
        packed.push((key, value.as_str().unwrap_or_default().as_bytes().to_vec()));
    }
    for (key, value) in entries("binaryData") {
        let bytes = BASE64.decode(value.as_str().unwrap_or_default());
        let bytes =
            bytes.map_err(|_| Error::file(file, format!("binaryData.{key} is no base64")))?;
        packed.push((key, bytes));
    }
    for (key, bytes) in packed {
        let is_file = ["containerfile", "dockerfile"].contains(&key.to_ascii_lowercase().as_str());
        if is_file {
            shown.push(Rendered {
                kind: "Containerfile",
                name: own.to_owned(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        } else if key == CONFIG_KEY {
            unpack(file, &bytes, MAX_DEPTH - 1, &mut |value| {
                // A ConfigMap inside a ConfigMap is nobody's doing.
                let inner =
                    text(value, "/kind") == "MachineConfig" || value.get("ignition").is_some();
                if !inner {
                    return Err(Error::file(
                        file,
                        format!("{own}: `{CONFIG_KEY}` holds no MachineConfig"),
                    ));
                }
                show(file, value, own, secret, shown)
            })?;
        }
    }
    Ok(())
}

/// Makes the parts of an Ignition config readable.
fn ignition(config: &mut Value, secret: bool) {
    for file in list_mut(config, "/storage/files") {
        let path = text(file, "/path").to_owned();
        if let Some(mode) = file.get_mut("mode")
            && let Some(number) = mode.as_u64()
        {
            *mode = json!(format!("{number:#o}").replacen("0o", "0", 1));
        }
        for place in ["contents", "append"] {
            match file.get_mut(place) {
                Some(Value::Array(parts)) => {
                    for part in parts {
                        resource(part, &path, secret);
                    }
                }
                Some(part) => resource(part, &path, secret),
                None => {}
            }
        }
    }
    for unit in list_mut(config, "/systemd/units") {
        let own = text(unit, "/name").to_owned();
        hide(unit, "contents", &own, secret);
        for dropin in list_mut(unit, "/dropins") {
            hide(dropin, "contents", &own, secret);
        }
    }
    for user in list_mut(config, "/passwd/users") {
        hide(user, "passwordHash", "password", secret);
    }
}

fn list_mut<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = value.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// Puts `text`, or size and digest, in the place of a data URL.
fn resource(part: &mut Value, path: &str, secret: bool) {
    let Some(map) = part.as_object_mut() else {
        return;
    };
    let source = map
        .get("source")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let compression = map.get("compression").and_then(Value::as_str);
    if !source.starts_with("data:") {
        return;
    }
    let shown = match data_url::decode(source, compression, MAX_BYTES) {
        Err(e) => ("undecodable", json!(e.to_string())),
        Ok(bytes) if !secret && secrets::is_secret(path, &bytes) => ("secret", digest(&bytes)),
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => ("text", json!(text)),
            Ok(text) => ("binary", digest(text.as_bytes())),
            Err(e) => ("binary", digest(e.as_bytes())),
        },
    };
    let mut readable = Map::new();
    readable.insert(shown.0.to_owned(), shown.1);
    for (key, value) in map.iter() {
        if !["source", "compression"].contains(&key.as_str()) {
            readable.insert(key.clone(), value.clone());
        }
    }
    *map = readable;
}

fn hide(map: &mut Value, key: &str, path: &str, secret: bool) {
    let Some(value) = map.get_mut(key) else {
        return;
    };
    let text = value.as_str().unwrap_or_default();
    if !secret && secrets::is_secret(path, text.as_bytes()) {
        *value = json!({"secret": digest(text.as_bytes())});
    }
}

fn digest(bytes: &[u8]) -> Value {
    json!(format!("{} bytes, {}", bytes.len(), Digest::of(bytes)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn sample() -> Vec<u8> {
        json!({
            "apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfig", "metadata": {"name": "rendered-master-1"},
            "spec": {"config": {"ignition": {"version": "3.4.0"}, "storage": {"files": [
                {"path": "/etc/motd", "mode": 420, "contents": {"source": "data:,hello%0Aworld%0A"}},
                {"path": "/var/lib/kubelet/config.json", "contents": {"source": "data:,hunter2"}},
                {"path": "/bin/x", "contents": {"source": "data:;base64,AAH/"}},
                {"path": "/bad", "contents": {"source": "data:;base64,*"}},
                {"path": "/remote", "contents": {"source": "https://a.b/c"}}
            ]}, "passwd": {"users": [{"name": "core", "passwordHash": "$6$hunter2"}]}, "systemd": {"units": [
                {"name": "a.service", "contents": "[Unit]\nDescription=a\n", "dropins": [{"name": "b.conf", "contents": "[Service]\nEnvironment=PASSWORD=hunter2\n"}]}
            ]}}}
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn every_packing_gives_the_same_text() {
        let plain = render("f", &sample(), false).unwrap();
        let text = &plain[0].text;
        for part in [
            "mode: \"0644\"\n",
            "text: |\n              hello\n              world\n",
            "binary: \"3 bytes, sha256:",
            "undecodable: ",
            "source: https://a.b/c\n",
            "contents: |\n            [Unit]\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            render("f", &sample(), true).unwrap()[0]
                .text
                .contains("hunter2")
        );
        let zipped = gzip(&sample());
        let coded = BASE64.encode(&zipped);
        let map =
            json!({"kind": "ConfigMap", "metadata": {"name": "mc-x"}, "data": {CONFIG_KEY: coded}});
        let yaml = yaml::document(&map);
        for bytes in [
            &zipped[..],
            coded.as_bytes(),
            map.to_string().as_bytes(),
            yaml.as_bytes(),
        ] {
            assert_eq!(render("f", bytes, false).unwrap(), plain);
        }
        let file = json!({"kind": "ConfigMap", "metadata": {"name": "dockerfile-x"}, "data": {"Dockerfile": "FROM a\n"}});
        let both = json!({"kind": "List", "items": [map, file]});
        let both = render("f", both.to_string().as_bytes(), false).unwrap();
        assert_eq!(both[0], plain[0]);
        assert_eq!(
            (both[1].kind, &*both[1].name, &*both[1].text),
            ("Containerfile", "dockerfile-x", "FROM a\n")
        );
    }

    #[test]
    fn what_is_none_of_it_is_refused() {
        let bomb = gzip(&vec![b' '; MAX_BYTES + 2]);
        let deep = (0..6).fold(sample(), |bytes, _| gzip(&bytes));
        let nested = json!({"kind": "ConfigMap", "data": {CONFIG_KEY: json!({"kind": "ConfigMap", "data": {}}).to_string()}});
        for (bytes, why) in [
            (&bomb[..], "more than 64 MiB"),
            (&deep, "too many times"),
            (&gzip(&sample())[..40], "damaged or cut off"),
            (b"\xff\xfe", "neither gzip nor text"),
            (b"{\"a\":", "no JSON"),
            (b"hello", "no object"),
            (b"kind: Pod\n", "no ConfigMap of a build"),
            (
                b"{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"b\"}}",
                "neither `machineconfig.json.gz` nor",
            ),
            (nested.to_string().as_bytes(), "holds no MachineConfig"),
            (b"", "neither"),
        ] {
            let error = render("f", bytes, false).unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), at in 0usize..900) {
            let _ = render("f", &bytes, false);
            let mut zipped = gzip(&sample());
            if let Some(byte) = zipped.get_mut(at) {
                *byte ^= bytes.first().copied().unwrap_or(1);
            }
            let _ = render("f", &zipped, false);
        }
    }
}
