//! `snoforge.json`: what a data directory is for.
//!
//! ```json
//! { "format": 1, "inventory": "sha256:…", "created": "2026-11-20T10:00:00Z", "tool": "snoforge 0.1.0",
//!   "groups": { "ai": ["quay.io/…@sha256:…"], "ocp": ["…"] } }
//! ```
//!
//! `format` is read first and alone: a later format may change everything else. Within a known format unknown fields are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::oci::{Digest, Reference};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

const FILE: &str = "snoforge.json";

/// The contents of `snoforge.json` beside the format number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// SHA-256 of `inventory.json`.
    pub inventory: Digest,
    /// When the directory was last filled, RFC 3339; given by the caller, who reads the clock.
    pub created: String,
    /// `snoforge 0.1.0`.
    pub tool: String,
    /// Pinned sources by group (`ai`, `ocp`), each list sorted.
    pub groups: BTreeMap<String, Vec<Reference>>,
}

#[derive(Serialize)]
struct Versioned<'a> {
    format: u32,
    #[serde(flatten)]
    header: &'a Header,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u64,
}

/// As [`Header`], with the number that was checked before; `flatten` and `deny_unknown_fields` exclude each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(rename = "format")]
    _format: u32,
    inventory: Digest,
    created: String,
    tool: String,
    groups: BTreeMap<String, Vec<Reference>>,
}

impl Header {
    /// The file's text. Same header, same bytes.
    fn to_json(&self) -> String {
        let versioned = Versioned {
            format: FORMAT,
            header: self,
        };
        let text = serde_json::to_string_pretty(&versioned);
        text.expect("strings, numbers and maps with string keys always serialise") + "\n"
    }

    /// Groups that list `source`, sorted.
    pub fn groups_of(&self, source: &Reference) -> Vec<String> {
        let listed = self
            .groups
            .iter()
            .filter(|(_, sources)| sources.contains(source));
        listed.map(|(group, _)| group.clone()).collect()
    }
}

impl Store {
    /// Reads `snoforge.json`; `None` when there is none yet.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`], [`StoreError::Malformed`], or the file cannot be read.
    pub fn read_header(&self) -> Result<Option<Header>, StoreError> {
        let path = self.root().join(FILE);
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io("read", &path)(e)),
        };
        let malformed = |e: serde_json::Error| StoreError::Malformed {
            path: path.clone(),
            reason: e.to_string(),
        };
        let found = serde_json::from_slice::<FormatOnly>(&text)
            .map_err(malformed)?
            .format;
        if found > u64::from(FORMAT) {
            return Err(StoreError::NewerFormat {
                path,
                found,
                known: FORMAT,
            });
        }
        let known: Known = serde_json::from_slice(&text).map_err(malformed)?;
        Ok(Some(Header {
            inventory: known.inventory,
            created: known.created,
            tool: known.tool,
            groups: known.groups,
        }))
    }

    /// Replaces `snoforge.json`.
    ///
    /// # Errors
    /// The file cannot be written; the old one is then untouched.
    pub fn write_header(&self, header: &Header) -> Result<(), StoreError> {
        let path = self.root().join(FILE);
        crate::io::atomic::write(&path, header.to_json().as_bytes())
            .map_err(StoreError::io("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let digest = Digest::of(b"x");
        let source: Reference = format!("quay.io/a/b@{digest}").parse().unwrap();
        Header {
            inventory: digest,
            created: "2026-11-20T10:00:00Z".into(),
            tool: "snoforge 0.1.0".into(),
            groups: [("ai".to_owned(), vec![source])].into(),
        }
    }

    #[test]
    fn round_trip_and_refusals() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        assert_eq!(store.read_header().unwrap(), None);
        let header = header();
        store.write_header(&header).unwrap();
        assert_eq!(store.read_header().unwrap().as_ref(), Some(&header));
        assert_eq!(header.groups_of(&header.groups["ai"][0]), ["ai"]);

        let path = dir.path().join(FILE);
        let replace = |from: &str, to: &str| {
            let text = header.to_json().replace(from, to);
            assert_ne!(text, header.to_json());
            fs_err::write(&path, text).unwrap();
            store.read_header().unwrap_err()
        };
        let newer = replace("\"format\": 1", "\"format\": 2, \"shape\": \"new\"");
        assert!(newer.to_string().contains("format 2") && newer.hint().is_some());
        let unknown = replace("\"tool\"", "\"tools\": 1, \"tool\"");
        assert!(
            unknown.to_string().contains("unknown field `tools`"),
            "{unknown}"
        );
        assert!(matches!(
            replace("sha256:", "sha1:"),
            StoreError::Malformed { .. }
        ));
        assert!(matches!(replace("{", "["), StoreError::Malformed { .. }));
    }
}
