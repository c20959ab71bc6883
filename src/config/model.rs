//! `ImageSetConfiguration` as validated data, one model for `mirror.openshift.io/v1alpha2` and `v2alpha1`.
//!
//! Source of the format: oc-mirror `v1/pkg/api/v1alpha2/types_config.go` and `internal/pkg/api/v2alpha1/type_config.go`.
//! What later steps may have to complain about keeps its place in the file ([`Located`]).

use serde::Serialize;

/// Line and column in the source file, both from 1; 0 when the value was not read from a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct At {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A value with its place in the file. Compares by value only.
#[derive(Debug, Clone, Default, Eq, Serialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            at: At::default(),
        }
    }
}

impl From<&str> for Located<String> {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

/// Which schema the file is in; it also selects the operator filter's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ApiVersion {
    /// `mirror.openshift.io/v1alpha2` (oc-mirror v1).
    V1Alpha2,
    /// `mirror.openshift.io/v2alpha1` (oc-mirror v2).
    V2Alpha1,
}

/// A whole image set configuration. Empty lists mean "not asked for".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageSet {
    /// The schema.
    pub api: ApiVersion,
    /// Releases.
    pub platform: PlatformSet,
    /// Operator catalogs, in file order.
    pub operators: Vec<OperatorSet>,
    /// Other images, in file order.
    pub additional_images: Vec<AdditionalImage>,
    /// Unanchored regular expressions over source pull specs.
    pub blocked_images: Vec<Located<String>>,
    /// Images named in `helm` entries' `imagePaths` are not computed; charts asked for are reported as unsupported.
    pub helm_charts: Vec<Located<String>>,
}

/// `mirror.platform`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlatformSet {
    /// Whether the graph-data image is asked for.
    pub graph: bool,
    /// Update channels, in file order.
    pub channels: Vec<ReleaseChannel>,
    /// Graph architectures: `amd64`, `arm64`, `ppc64le`, `s390x`, `multi`. When channels are given and this is not: those of
    /// `platforms`, else `["amd64"]`.
    pub architectures: Vec<String>,
    /// v2alpha1 `release`: a payload pull spec that replaces the graph.
    pub release: Option<Located<String>>,
    /// v2alpha1 `kubeVirtContainer`: also the `KubeVirt` boot image named in the payload.
    pub kubevirt_container: bool,
    /// v2alpha1 `platforms`.
    pub platforms: Vec<OsArch>,
}

/// `{os, architecture}` of v2alpha1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OsArch {
    /// `linux`.
    pub os: String,
    /// `amd64`, …
    pub architecture: String,
}

/// Product of a release channel; the graph service differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Product {
    /// OpenShift Container Platform.
    #[default]
    Ocp,
    /// OKD.
    Okd,
}

/// `mirror.platform.channels[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseChannel {
    /// `stable-4.13`.
    pub name: Located<String>,
    /// `ocp` or `okd`.
    pub product: Product,
    /// Lowest version wanted; absent when the field is absent or empty.
    pub min_version: Option<Located<String>>,
    /// Highest version wanted.
    pub max_version: Option<Located<String>>,
    /// Only the versions on the shortest upgrade path.
    pub shortest_path: bool,
    /// From the channel's lowest to its highest version.
    pub full: bool,
}

/// `mirror.operators[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OperatorSet {
    /// Pull spec as written (`oci://…`, `file://…` and `./…` included).
    pub catalog: Located<String>,
    /// Unique name of the rebuilt catalog (`imageset.md` §1.5).
    pub unique_name: String,
    /// All versions rather than channel heads.
    pub full: bool,
    /// v1: do not add what the selected bundles require.
    pub skip_dependencies: bool,
    /// The packages wanted; empty means every package.
    pub packages: Vec<PackageSet>,
}

/// `mirror.operators[].packages[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PackageSet {
    /// Package name.
    pub name: Located<String>,
    /// The package's own range.
    pub range: VersionRange,
    /// Channels wanted; empty means every channel.
    pub channels: Vec<ChannelSet>,
    /// Default channel of the filtered package.
    pub default_channel: Option<Located<String>>,
}

/// `mirror.operators[].packages[].channels[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelSet {
    /// Channel name.
    pub name: Located<String>,
    /// The channel's own range.
    pub range: VersionRange,
}

/// Bounds as written; absent when the field is absent or empty. Not parsed: the two engines read versions differently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VersionRange {
    /// `minVersion`.
    pub min: Option<Located<String>>,
    /// `maxVersion`.
    pub max: Option<Located<String>>,
    /// v1alpha2 `minBundle`.
    pub min_bundle: Option<Located<String>>,
}

/// `mirror.additionalImages[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AdditionalImage {
    /// Pull spec as written.
    pub name: Located<String>,
    /// v2alpha1 `targetRepo`.
    pub target_repo: Option<String>,
    /// v2alpha1 `targetTag`.
    pub target_tag: Option<String>,
}
