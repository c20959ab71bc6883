//! The fit ladder on the Ignition side (`live-iso.md` section 13.1, point 4): make a config smaller without changing what it means.
//!
//! 1. compact: JSON without white space;
//! 2. re-encode: every data URL in the form that packs best, base64 only where bytes are no text;
//! 3. inflate: `compression: gzip` is undone, for gzip inside xz defeats xz.
//!
//! Nothing is dropped. A step that does not make the config smaller is not taken. The next step, a larger area, is the room `iso`'s.
//! Ignition's verification hashes cover decoded, inflated contents, so they stay true.

use serde::Serialize;
use serde_json::{Map, Value};

use super::config::Config;
use super::data_url;

/// A way to make a config smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// JSON without white space.
    Compact,
    /// Data URLs in the form that packs best.
    ReEncode,
    /// No gzip inside.
    Inflate,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was tried.
    pub kind: Kind,
    /// Whether it was kept.
    pub taken: bool,
    /// Size of the JSON after it, in bytes.
    pub json_bytes: usize,
    /// Size it packs to, in bytes.
    pub packed_bytes: usize,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            Kind::Compact => "compact JSON",
            Kind::ReEncode => "re-encode data URLs",
            Kind::Inflate => "inflate gzip inside",
        };
        let outcome = if self.taken {
            ""
        } else {
            " (not smaller, not taken)"
        };
        let (json, packed) = (self.json_bytes, self.packed_bytes);
        write!(f, "{what}: {json} bytes, packs to {packed}{outcome}")
    }
}

/// A config that went down the ladder.
#[derive(Clone, PartialEq)]
pub struct Fitted {
    /// The bytes to embed.
    pub bytes: Vec<u8>,
    /// What they pack to.
    pub packed_bytes: usize,
    /// Whether that is within the area.
    pub fits: bool,
    /// The rungs, in order; none after the first that fits.
    pub steps: Vec<Step>,
}

impl std::fmt::Debug for Fitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fitted")
            .field("json_bytes", &self.bytes.len())
            .field("packed_bytes", &self.packed_bytes)
            .field("fits", &self.fits)
            .field("steps", &self.steps)
            .finish()
    }
}

/// Makes `config` as small as needed for `area` bytes. `measure` packs a candidate and says the size; [`packed_size`] will do.
/// `original` is the file as it was read: when it fits, it is embedded as it is.
pub fn fit(
    original: &[u8],
    config: &Config,
    area: usize,
    measure: &dyn Fn(&[u8]) -> usize,
) -> Fitted {
    let packed_bytes = measure(original);
    let mut fitted = Fitted {
        bytes: original.to_vec(),
        packed_bytes,
        fits: packed_bytes <= area,
        steps: Vec::new(),
    };
    let mut config = config.clone();
    for kind in [Kind::Compact, Kind::ReEncode, Kind::Inflate] {
        // Spec 2 is never rewritten.
        if fitted.fits || (kind != Kind::Compact && !config.version().writable()) {
            break;
        }
        let mut candidate = config.clone();
        match kind {
            Kind::Compact => {}
            Kind::ReEncode => re_encode(&mut candidate.root),
            Kind::Inflate => inflate(&mut candidate.root),
        }
        let bytes = candidate.render();
        let packed_bytes = measure(&bytes);
        let smaller = (packed_bytes, bytes.len()) < (fitted.packed_bytes, fitted.bytes.len());
        fitted.steps.push(Step {
            kind,
            taken: smaller,
            json_bytes: bytes.len(),
            packed_bytes,
        });
        if smaller {
            config = candidate;
            fitted.bytes = bytes;
            fitted.packed_bytes = packed_bytes;
            fitted.fits = packed_bytes <= area;
        }
    }
    fitted
}

/// About what a config packs to: xz at level 9 plus a cpio archive's frame. Within a few dozen bytes of the embedded archive.
pub fn packed_size(json: &[u8]) -> usize {
    /// Header, name, padding and trailer of the one member, packed.
    const FRAME: usize = 160;
    xz(json).map_or(json.len(), |bytes| bytes.len()) + FRAME
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    use std::io::Write as _;

    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};

    // The preset's 64 MiB dictionary buys nothing for less data, and costs ten times its size in memory.
    let dictionary = bytes.len().next_power_of_two().clamp(1 << 16, 64 << 20);
    let mut options = LzmaOptions::new_preset(9)?;
    options.dict_size(u32::try_from(dictionary)?);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut writer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

/// The objects with a `source` that the specification knows: files, their appended parts, merged configs, certificate authorities.
fn resources(root: &mut Value) -> Vec<&mut Map<String, Value>> {
    let mut found = Vec::new();
    let (mut ignition, mut storage) = (None, None);
    for (key, value) in root.as_object_mut().into_iter().flatten() {
        match key.as_str() {
            "ignition" => ignition = Some(value),
            "storage" => storage = Some(value),
            _ => {}
        }
    }
    let files = storage.and_then(|s| s.get_mut("files")?.as_array_mut());
    for (key, value) in files.into_iter().flatten().flat_map(members) {
        match key {
            "contents" => found.push(value),
            "append" => found.extend(value.as_array_mut().into_iter().flatten()),
            _ => {}
        }
    }
    for (key, value) in ignition.into_iter().flat_map(members) {
        match key {
            "config" => {
                for (key, value) in members(value) {
                    match key {
                        "replace" => found.push(value),
                        "merge" => found.extend(value.as_array_mut().into_iter().flatten()),
                        _ => {}
                    }
                }
            }
            "security" => {
                let authorities = value.pointer_mut("/tls/certificateAuthorities");
                found.extend(
                    authorities
                        .and_then(Value::as_array_mut)
                        .into_iter()
                        .flatten(),
                );
            }
            _ => {}
        }
    }
    found.into_iter().filter_map(Value::as_object_mut).collect()
}

fn members(value: &mut Value) -> impl Iterator<Item = (&str, &mut Value)> {
    let map = value.as_object_mut().into_iter().flatten();
    map.map(|(key, value)| (key.as_str(), value))
}

/// Writes every data URL without compression in its smallest form. The media type goes: Ignition does not read it.
pub(super) fn re_encode(root: &mut Value) {
    rewrite(root, "");
}

/// Undoes gzip inside.
pub(super) fn inflate(root: &mut Value) {
    rewrite(root, "gzip");
}

fn rewrite(root: &mut Value, compression: &str) {
    for resource in resources(root) {
        let text = |key| {
            resource
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("compression") != compression || text("source").is_empty() {
            continue;
        }
        // What does not decode is lint's to tell; here it stays as it is.
        if let Ok(bytes) = data_url::decode(text("source"), Some(compression), data_url::CAP) {
            resource.insert("source".to_owned(), data_url::encode(&bytes).into());
            if !compression.is_empty() {
                resource.shift_remove("compression");
            }
        }
    }
}
