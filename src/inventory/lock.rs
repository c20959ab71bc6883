//! `inventory.json`, the lock: every image with its digest, contents, origin and group.
//!
//! Everything downstream reads the lock, never the YAML. Same inputs, same bytes: lists are sorted, there is no clock and no
//! tool version in it. `format` rises when an older reader could misread a newer file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::{Descriptor, Digest, Platform, Reference};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

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
    /// Sources that the filter file took out, as whole mapping lines, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Size in bytes of every blob (configs and layers, not manifests) that some image needs.
    pub blobs: BTreeMap<Digest, u64>,
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
}
