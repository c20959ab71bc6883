//! A file-based catalog, reduced to what the filters, the listings and the pin check need.
//!
//! Format: operator-registry `alpha/declcfg` (`olm.package`, `olm.channel`, `olm.bundle`); see `imageset.md` §3.2.
//! Icons, CSV metadata, bundle objects, deprecations and `skipRange` are dropped while reading.
//!
//! Invariants: the lists stand in upstream's reading order (paths compared component by component, then order in the
//! file), because the v2 filter reports the first error it meets. Nothing is checked here: a catalog may hold
//! duplicates, dangling names and bad versions; [`super::validate`] says what upstream would say.

use serde::{Deserialize, Serialize};

/// A parsed catalog. It serialises compactly, for a cache keyed by the catalog's digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// `olm.package` objects.
    pub packages: Vec<Package>,
    /// `olm.channel` objects.
    pub channels: Vec<Channel>,
    /// `olm.bundle` objects.
    pub bundles: Vec<Bundle>,
}

/// `olm.package`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Default channel; empty when the object has none.
    pub default_channel: String,
}

/// `olm.channel`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Package it belongs to.
    pub package: String,
    /// Name.
    pub name: String,
    /// Entries in file order, duplicates included.
    pub entries: Vec<Entry>,
    /// Values of its `olm.channel` properties, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<Priority>,
}

/// An `olm.channel` property; the highest priority wins when a default channel must be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// Channel named in the property (normally the channel itself).
    pub channel: String,
    /// Priority, higher wins.
    pub priority: i64,
}

/// An entry of a channel: one edge list of the upgrade graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bundle name.
    pub name: String,
    /// Bundle it replaces; empty when none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub replaces: String,
    /// Bundles it skips, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skips: Vec<String>,
}

/// `olm.bundle`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Package it belongs to.
    pub package: String,
    /// Name.
    pub name: String,
    /// Bundle image; may be empty.
    pub image: String,
    /// Values of its `olm.package` properties; a valid bundle has exactly one.
    pub identities: Vec<Identity>,
    /// Values of its `olm.gvk` properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<Gvk>,
    /// Values of its `olm.gvk.required` properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<Gvk>,
    /// Values of its `olm.package.required` properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_packages: Vec<RequiredPackage>,
    /// Whether its manifests are inline (`olm.bundle.object`), in which case it needs no image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_objects: bool,
    /// Related images in file order; the bundle image is normally among them.
    pub related_images: Vec<RelatedImage>,
}

impl Bundle {
    /// Returns the version as written in the first `olm.package` property.
    pub fn version(&self) -> Option<&str> {
        self.identities
            .first()
            .map(|identity| identity.version.as_str())
    }
}

/// An `olm.package` property: which package and version a bundle is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Package.
    pub package: String,
    /// Version as written.
    pub version: String,
}

/// Group, version and kind of an API.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gvk {
    /// Group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// An `olm.package.required` property.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequiredPackage {
    /// Package.
    pub package: String,
    /// blang range; empty means any version.
    pub range: String,
}

/// A related image of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedImage {
    /// Name; may be empty.
    pub name: String,
    /// Pull spec; may be empty.
    pub image: String,
}
