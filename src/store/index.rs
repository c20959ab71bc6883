//! `oci/index.json`: the names of the images in the layout (image-spec `image-layout.md`, section index.json file).
//!
//! One entry per name, sorted by name, then digest. The name is the annotation `org.opencontainers.image.ref.name` with the
//! full pull spec: `quay.io/ns/name@sha256:…`, or `quay.io/ns/name:tag`. skopeo opens it as `oci:DIR/oci:NAME`; its grammar
//! for NAME (containers/image `oci/internal/oci_util.go`, the same in 1.9 and 1.19) is components of letters and digits with
//! *single* separators `- . _ : @ +` or `--` between them, joined by `/`. Every pinned pull spec fits except those whose
//! repository has `__` or `---` in it; a tag fits unless it has two separators in a row or one at an end. What does not fit is
//! listed all the same: newer skopeos open it by position (`oci:DIR/oci:@N`), every reader through the registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::oci::{Descriptor, Reference, media_type};

/// The annotation that carries an image's name.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The name, a full pull spec when we wrote it; layouts of other tools may have a mere tag or no name.
    pub name: Option<String>,
    /// The manifest or index, without the name's annotation.
    pub descriptor: Descriptor,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

impl IndexEntry {
    /// An image under its pull spec.
    pub fn new(reference: &Reference, descriptor: Descriptor) -> Self {
        Self {
            name: Some(reference.to_string()),
            descriptor,
        }
    }

    /// The name as a pull spec; `None` when it is no full one (`latest` is not `docker.io/library/latest`).
    pub fn reference(&self) -> Option<Reference> {
        let name = self.name.as_deref()?;
        let reference: Reference = name.parse().ok()?;
        (reference.to_string() == name).then_some(reference)
    }

    /// The name, or the digest where there is none.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => self.descriptor.digest.to_string(),
        }
    }

    fn from_descriptor(mut descriptor: Descriptor) -> Self {
        let name = descriptor.annotations.remove(REF_NAME);
        Self { name, descriptor }
    }

    fn into_descriptor(self) -> Descriptor {
        let mut descriptor = self.descriptor;
        if let Some(name) = self.name {
            descriptor.annotations.insert(REF_NAME.to_owned(), name);
        }
        descriptor
    }
}

/// The text of an `index.json` with these entries: sorted, each once.
///
/// # Errors
/// [`StoreError::AmbiguousName`] when two entries with one name differ in digest: readers would pick either.
pub(super) fn to_json(entries: impl IntoIterator<Item = IndexEntry>) -> Result<String, StoreError> {
    let mut sorted = BTreeMap::new();
    for entry in entries {
        let unnamed = entry
            .name
            .is_none()
            .then(|| entry.descriptor.digest.clone());
        let digest = entry.descriptor.digest.clone();
        let old = sorted.insert((entry.name.clone(), unnamed), entry);
        if let Some(old) = old.filter(|old| old.descriptor.digest != digest) {
            return Err(StoreError::AmbiguousName(old.label()));
        }
    }
    let file = File {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.to_owned()),
        manifests: sorted
            .into_values()
            .map(IndexEntry::into_descriptor)
            .collect(),
    };
    let text = serde_json::to_string_pretty(&file);
    Ok(text.expect("descriptors always serialise") + "\n")
}

impl Store {
    /// Reads the index, in file order; empty when there is no `index.json` yet.
    ///
    /// # Errors
    /// [`StoreError::Malformed`], or the file cannot be read.
    pub fn read_index(&self) -> Result<Vec<IndexEntry>, StoreError> {
        let path = self.layout_dir().join("index.json");
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(StoreError::io("read", &path)(e)),
        };
        let malformed = |reason: String| StoreError::Malformed {
            path: path.clone(),
            reason,
        };
        let file: File = serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
        if file.schema_version != 2 {
            let reason = format!("schema version {} instead of 2", file.schema_version);
            return Err(malformed(reason));
        }
        let entries = file.manifests.into_iter();
        Ok(entries.map(IndexEntry::from_descriptor).collect())
    }

    /// Replaces the whole index. Same entries in any order, same bytes.
    ///
    /// # Errors
    /// [`StoreError::AmbiguousName`], or the file cannot be written; the old one is then untouched.
    pub fn replace_index(
        &self,
        entries: impl IntoIterator<Item = IndexEntry>,
    ) -> Result<(), StoreError> {
        let path = self.layout_dir().join("index.json");
        crate::io::atomic::write(&path, to_json(entries)?.as_bytes())
            .map_err(StoreError::io("write", &path))
    }

    /// Finds images by name, or by a digest that an entry points to.
    ///
    /// # Errors
    /// [`StoreError::UnknownImage`], or the index cannot be read.
    pub fn find_image(&self, name: &str) -> Result<IndexEntry, StoreError> {
        let wanted = name.parse::<Reference>().ok();
        let full = wanted.as_ref().map(Reference::to_string);
        let matches = |entry: &IndexEntry| {
            let own = entry.name.as_deref();
            own == Some(name)
                || own.is_some() && own == full.as_deref()
                || entry.descriptor.digest.to_string() == name
        };
        let mut entries = self.read_index()?.into_iter();
        let found = entries.find(matches);
        found.ok_or_else(|| StoreError::UnknownImage(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn entry(name: &str, content: &[u8]) -> IndexEntry {
        let descriptor = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(content), 1);
        IndexEntry {
            name: (!name.is_empty()).then(|| name.to_owned()),
            descriptor,
        }
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        assert!(store.read_index().unwrap().is_empty());
        let (a, b, c) = (
            entry("q.io/a:1", b"1"),
            entry("q.io/b:1", b"1"),
            entry("", b"2"),
        );
        store
            .replace_index([b.clone(), a.clone(), c.clone(), a.clone()])
            .unwrap();
        let path = store.layout_dir().join("index.json");
        let first = fs_err::read(&path).unwrap();
        assert_eq!(
            store.read_index().unwrap(),
            [c.clone(), a.clone(), b.clone()]
        );
        store.replace_index([c, b.clone(), a.clone()]).unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), first);

        let clash = store.replace_index([a.clone(), entry("q.io/a:1", b"other")]);
        assert!(matches!(clash, Err(StoreError::AmbiguousName(name)) if name == "q.io/a:1"));
        assert_eq!(fs_err::read(&path).unwrap(), first);
        assert_eq!(store.find_image("q.io/b:1").unwrap(), b);
        assert!(store.find_image("q.io/b:2").is_err());
    }

    #[test]
    fn only_full_pull_specs_are_references() {
        assert!(entry("latest", b"").reference().is_none());
        assert!(entry("", b"").reference().is_none());
        let full = entry("q.io/a:1", b"").reference().unwrap();
        assert_eq!((full.registry(), full.tag()), ("q.io", Some("1")));
    }

    #[test]
    fn a_damaged_index_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        for (text, why) in [
            ("{", "line 1"),
            (r#"{"schemaVersion":1,"manifests":[]}"#, "schema version 1"),
            (
                r#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:..","size":1}]}"#,
                "not a digest",
            ),
        ] {
            fs_err::write(store.layout_dir().join("index.json"), text).unwrap();
            let error = store.read_index().unwrap_err().to_string();
            assert!(
                error.contains("index.json") && error.contains(why),
                "{error}"
            );
        }
    }
}
