//! Which bundles of a catalog an operator entry selects, by the rules of oc-mirror v1 or v2.
//!
//! Rules: `imageset.md` §3.5 (v1: oc-mirror's `pkg/operator/diff`), §3.6 (v2: `sherine-k/catalog-filter`). The case
//! files in `tests/cases_filter.rs` are the judge; error texts are upstream's, so that users find them.
//!
//! Where upstream's answer depends on Go's map order, the choice here is fixed (highest build metadata, then name) and a
//! warning says so. Upstream's silence about configured packages that end up empty is reported in
//! [`Selection::missing_packages`]; about pins that match nothing, see [`super::pins`].

mod chain;
mod images;
mod v1;
mod v1_default;
mod v1_deps;
mod v1_engine;
mod v1_graph;
mod v1_include;
mod v2;
mod v2_ask;

use std::collections::{BTreeMap, BTreeSet};

use super::model::Catalog;
use crate::config::model::{ApiVersion, At, Located, OperatorSet};
use crate::inventory::version::masterminds::Prereleases;

pub use chain::ChannelChain;

/// Whose rules apply. The variants are the released behaviours that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Semantics {
    /// oc-mirror v1, main.
    V1,
    /// oc-mirror v1, release-4.13 (what telco-ran-tools shipped): exact versions only, no default-channel fallback.
    V1At413,
    /// oc-mirror v2, 4.20 and later: catalog-filter 0.0.5, semver >= 3.4.
    V2,
    /// oc-mirror v2, 4.19: catalog-filter 0.0.5, semver 3.3.
    V2Semver33,
    /// oc-mirror v2, 4.18: catalog-filter 0.0.4, semver 3.3; min equal to max is a range like any other.
    V2Filter004,
}

impl Semantics {
    /// Every variant.
    pub const ALL: [Self; 5] = [
        Self::V1,
        Self::V1At413,
        Self::V2,
        Self::V2Semver33,
        Self::V2Filter004,
    ];

    /// Returns the name used on the command line and in the case files.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1At413 => "v1@4.13",
            Self::V2 => "v2",
            Self::V2Semver33 => "v2@semver3.3",
            Self::V2Filter004 => "v2@catalog-filter0.0.4",
        }
    }

    /// Finds the variant of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether these are the v1 rules.
    pub fn is_v1(self) -> bool {
        matches!(self, Self::V1 | Self::V1At413)
    }

    fn prereleases(self) -> Prereleases {
        match self {
            Self::V2Semver33 | Self::V2Filter004 => Prereleases::PerComparator,
            Self::V1 | Self::V1At413 | Self::V2 => Prereleases::PerGroup,
        }
    }
}

impl From<ApiVersion> for Semantics {
    fn from(api: ApiVersion) -> Self {
        match api {
            ApiVersion::V1Alpha2 => Self::V1,
            ApiVersion::V2Alpha1 => Self::V2,
        }
    }
}

/// What an operator entry selects. All lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Packages of the filtered catalog.
    pub packages: Vec<SelectedPackage>,
    /// Channels of the filtered catalog, by package, then name.
    pub channels: Vec<SelectedChannel>,
    /// Bundles, by package, then name.
    pub bundles: Vec<BundleId>,
    /// Pull specs as the catalog has them, with the bundles that need them.
    pub images: BTreeMap<String, BTreeSet<ImageOrigin>>,
    /// What a user should know, in the order found.
    pub warnings: Vec<String>,
    /// v1: what operator-registry objects to in the filtered catalog; oc-mirror v1 stops with it. It matters when a
    /// filtered catalog is served, not for the list of images.
    pub validation_error: Option<String>,
    /// Packages asked for of which nothing is left, in configuration order.
    pub missing_packages: Vec<Located<String>>,
}

/// A package of the filtered catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectedPackage {
    /// Package.
    pub name: String,
    /// Default channel; empty when the catalog names none.
    pub default_channel: String,
}

/// A channel of the filtered catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectedChannel {
    /// Package.
    pub package: String,
    /// Channel.
    pub name: String,
    /// Bundle names, sorted. v2 may leave a channel empty (`imageset.md` §3.6 step 4).
    pub entries: Vec<String>,
}

/// A bundle of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleId {
    /// Package.
    pub package: String,
    /// Bundle.
    pub name: String,
}

/// Why an image is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageOrigin {
    /// Package.
    pub package: String,
    /// Bundle.
    pub bundle: String,
    /// Channels of the selection that contain the bundle, sorted.
    pub channels: Vec<String>,
}

/// Why an operator entry cannot be followed: upstream's words, the place in the configuration, and what exists instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FilterError {
    text: String,
    at: Option<At>,
    hint: Option<String>,
}

impl FilterError {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            at: None,
            hint: None,
        }
    }

    fn at(mut self, at: At) -> Self {
        if at != At::default() {
            self.at = Some(at);
        }
        self
    }

    fn hinting(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    fn prefixed(mut self, prefix: &str) -> Self {
        self.text.insert_str(0, prefix);
        self
    }

    /// Returns the place of the offending value in the configuration, when one value is to blame.
    pub fn place(&self) -> Option<At> {
        self.at
    }

    /// Returns advice: the nearest names or versions that exist.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Selects bundles.
///
/// # Errors
/// Where upstream stops; [`FilterError`] carries its text.
pub fn select(
    catalog: &Catalog,
    operator: &OperatorSet,
    semantics: Semantics,
) -> Result<Selection, FilterError> {
    if semantics.is_v1() {
        v1::select(catalog, operator, semantics)
    } else {
        v2::select(catalog, operator, semantics)
    }
}

/// Says what oc-mirror v1 refuses in an operator entry before it reads the catalog: a `defaultChannel` that is not among
/// the package's channels.
pub fn v1_config_error(operator: &OperatorSet) -> Option<FilterError> {
    operator.packages.iter().find_map(|package| {
        let default = package.default_channel.as_ref()?;
        let mut channels = package.channels.iter();
        if channels.any(|c| c.name == *default) {
            return None;
        }
        let text = format!(
            "defaultChannel has been set with '{0}', please ensure that '{0}' is declared in the channels section for the package '{1}' in the config ",
            default.value, package.name.value
        );
        Some(FilterError::new(text).at(default.at))
    })
}

/// Returns the packages that must be read for this entry; `None` means all of them. v1 needs the whole catalog unless
/// dependencies are switched off.
pub fn needed_packages(operator: &OperatorSet, semantics: Semantics) -> Option<BTreeSet<String>> {
    if operator.packages.is_empty() || semantics.is_v1() && !operator.skip_dependencies {
        return None;
    }
    let names = operator.packages.iter().map(|p| p.name.value.clone());
    Some(names.collect())
}
