//! `inventory.json`, the lock: every image with its digest, contents, origin and group.
//!
//! Everything downstream reads the lock, never the YAML. Same inputs, same bytes: lists are sorted, there is no clock and no
//! tool version in it. `format` rises when an older reader could misread a newer file.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::oci::{Descriptor, Digest, Platform, Reference};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// A text is no lock that this version can use.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Not JSON of the lock's shape.
    #[error("not an inventory: {0}")]
    Syntax(String),
    /// Written by a newer version.
    #[error("inventory format {0} is newer than this version reads ({FORMAT})")]
    Format(u32),
}

impl LockError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "make it again with `snoforge imageset resolve`",
            Self::Format(_) => "use the version of snoforge that wrote it, or a newer one",
        }
    }
}

/// The lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    /// [`FORMAT`].
    pub format: u32,
    /// What was asked for.
    pub request: Request,
    /// The releases found, sorted by version, then architecture.
    pub releases: Vec<Release>,
    /// The catalogs read, sorted by name.
    pub catalogs: Vec<Catalog>,
    /// The images, sorted by source, each source once.
    pub images: Vec<Image>,
    /// Lines of the mapping that the filter file took out, sorted. They are in no other list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Size in bytes of every blob (configs and layers, not manifests) that some image needs.
    #[serde(deserialize_with = "sizes")]
    pub blobs: BTreeMap<Digest, u64>,
}

/// The bound of a manifest's sizes holds for a lock that somebody else wrote, too.
fn sizes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Digest, u64>, D::Error> {
    #[derive(Deserialize)]
    struct Size(#[serde(deserialize_with = "crate::oci::deserialize_size")] u64);
    let sizes = BTreeMap::<Digest, Size>::deserialize(deserializer)?;
    Ok(sizes
        .into_iter()
        .map(|(digest, Size(n))| (digest, n))
        .collect())
}

impl Inventory {
    /// Reads `inventory.json`.
    ///
    /// # Errors
    /// Another format, or not of this shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let syntax = |e: serde_json::Error| LockError::Syntax(e.to_string());
        // The format first: a newer file may hold fields that this version refuses.
        let head: Head = serde_json::from_slice(bytes).map_err(syntax)?;
        if head.format != FORMAT {
            return Err(LockError::Format(head.format));
        }
        serde_json::from_slice(bytes).map_err(syntax)
    }

    /// The bytes of `inventory.json`.
    ///
    /// # Panics
    /// Never: the types have a JSON form.
    pub fn render(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("strings, numbers and string-keyed maps only");
        bytes.push(b'\n');
        bytes
    }

    /// SHA-256 of [`Inventory::render`], the name of this exact inventory.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.render())
    }

    /// Every manifest and index that some image needs, with its size in bytes, each digest once.
    pub fn manifests(&self) -> BTreeMap<&Digest, u64> {
        let contents = self.images.iter().flat_map(|i| &i.contents);
        let below = contents.map(|c| (&c.manifest.digest, c.manifest.size));
        let top = self.images.iter();
        top.map(|i| (&i.manifest.digest, i.manifest.size))
            .chain(below)
            .collect()
    }
}

impl Image {
    /// The blobs (config and layers of every content), each once.
    pub fn blobs(&self) -> std::collections::BTreeSet<&Digest> {
        let contents = self.contents.iter();
        contents
            .flat_map(|c| std::iter::once(&c.config).chain(&c.layers))
            .collect()
    }

    /// The line of `mapping.txt`, without line feed.
    pub fn mapping_line(&self) -> String {
        format!("{}={}", self.source, self.destination)
    }
}

/// The inputs; a lock is reused only while they are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// SHA-256 of the image set file's bytes (or of the mapping file's).
    pub source: String,
    /// Everything else that changes the answer, as `flag=value`, sorted.
    pub options: Vec<String>,
}

/// A release payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// `4.13.1`.
    pub version: String,
    /// `x86_64`, `aarch64`, …, `multi`.
    pub architecture: String,
    /// The payload image, by digest.
    pub payload: Reference,
    /// What is known of its signature.
    pub signature: Signature,
}

/// State of a release signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Signature {
    /// A known key signed this digest.
    Verified {
        /// Key id, upper-case hex.
        key: String,
    },
    /// No signature could be had.
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The user switched the check off.
    Skipped,
}

/// A catalog as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalog {
    /// As written in the image set.
    pub name: String,
    /// Digest of the index image, or of the contents of a local directory.
    pub digest: Digest,
}

/// One image of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The logical pull spec, pinned: `registry/ns/name@sha256:…`.
    pub source: Reference,
    /// As it was asked for, where that is another text (a tag).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// Destination of the mapping line: `openshift/release:4.13.1-x86_64-etcd`.
    pub destination: String,
    /// Text files that list it, sorted: `ai`, `ocp`.
    pub groups: Vec<Group>,
    /// Why it is needed, sorted.
    pub origins: Vec<Origin>,
    /// Type, digest and size of the manifest or index itself.
    pub manifest: Descriptor,
    /// The image manifests to fetch: the entries of an index for the asked architectures, or the manifest itself.
    pub contents: Vec<Content>,
}

/// An image manifest and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Content {
    /// The manifest.
    pub manifest: Descriptor,
    /// Platform as the index says; none for a single-platform image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The configuration blob.
    pub config: Digest,
    /// The layers, base first; foreign layers are left out.
    pub layers: Vec<Digest>,
}

/// Boot stage that needs an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Live ISO stage (`ai-images.txt`).
    Ai,
    /// Installed stage (`ocp-images.txt`).
    Ocp,
}

/// Why an image is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Origin {
    /// A release payload itself.
    Release {
        /// `4.13.1`.
        version: String,
        /// `x86_64`.
        architecture: String,
    },
    /// A component of a payload.
    Component {
        /// `4.13.1`.
        version: String,
        /// `x86_64`.
        architecture: String,
        /// `etcd`.
        name: String,
    },
    /// A bundle image or a related image of a bundle.
    Operator {
        /// Catalog as written.
        catalog: String,
        /// Package.
        package: String,
        /// Channels of the selection that contain the bundle, sorted.
        channels: Vec<String>,
        /// Bundle name.
        bundle: String,
    },
    /// `additionalImages`, `--img` or `--ai-img`.
    Additional,
    /// Read from a mapping file.
    Mapping,
    /// The OS image of a pool that was built on a cluster, or what its first boot needs (`osimage precache`).
    OsImage {
        /// `master`.
        pool: String,
    },
}
