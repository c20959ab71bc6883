//! v1: what the configuration asks of packages and channels, in the terms of oc-mirror's diff.
//!
//! Source: oc-mirror v1 `types_include_config.go` (`ConvertToDiffIncludeConfig`); `imageset.md` §3.5.

use super::FilterError;
use crate::config::model::{At, Located, OperatorSet, PackageSet, VersionRange};
use crate::inventory::version::Version;
use crate::inventory::version::blang::{self, Range};

/// What is asked of a package or a channel. At most one member is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) range: Option<Range>,
    pub(super) version: Option<Version>,
    pub(super) bundle: Option<String>,
    /// Place of the bound that decides.
    pub(super) at: At,
    /// A range that was asked for but cannot be read; upstream goes on without it.
    pub(super) unreadable: Option<String>,
}

impl Ask {
    /// Whether versions or bundles are named.
    pub(super) fn names_bundles(&self) -> bool {
        self.version.is_some() || self.bundle.is_some()
    }

    /// Whether nothing at all is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.range.is_none() && !self.names_bundles()
    }

    fn from(range: &VersionRange) -> Result<Self, (String, At)> {
        let mut ask = Self::default();
        let VersionRange {
            min,
            max,
            min_bundle,
        } = range;
        if let (Some(min), Some(_)) = (min, min_bundle) {
            let text = "minimum version and bundle are mutually exclusive";
            return Err((text.to_owned(), min.at));
        }
        if let Some(max) = max {
            ask.at = max.at;
            match Range::between(min.as_ref().map(|m| m.value.as_str()), &max.value) {
                Ok(range) => ask.range = Some(range),
                Err(e) => ask.unreadable = Some(e.to_string()),
            }
        } else if let Some(min) = min {
            ask.at = min.at;
            let version = blang::parse(&min.value).map_err(|e| (e.to_string(), min.at))?;
            ask.version = Some(version);
        } else if let Some(bundle) = min_bundle {
            ask.at = bundle.at;
            ask.bundle = Some(bundle.value.clone());
        }
        Ok(ask)
    }
}

/// A channel to include.
#[derive(Debug, Clone)]
pub(super) struct ChannelAsk {
    pub(super) name: Located<String>,
    pub(super) ask: Ask,
}

/// A package to include.
#[derive(Debug)]
pub(super) struct PackageAsk<'a> {
    pub(super) name: &'a Located<String>,
    pub(super) ask: Ask,
    pub(super) channels: Vec<ChannelAsk>,
    pub(super) config: &'a PackageSet,
}

/// Converts the packages of an operator entry.
///
/// # Errors
/// `package 0 requires a name`, `package P: …`, `channel C: …`.
pub(super) fn convert(operator: &OperatorSet) -> Result<Vec<PackageAsk<'_>>, FilterError> {
    let packages = operator.packages.iter().enumerate();
    packages
        .map(|(i, package)| convert_package(i, package))
        .collect()
}

fn convert_package(index: usize, package: &PackageSet) -> Result<PackageAsk<'_>, FilterError> {
    let name = &package.name;
    if name.value.is_empty() {
        return Err(FilterError::new(format!("package {index} requires a name")).at(name.at));
    }
    let ask = Ask::from(&package.range)
        .map_err(|(e, at)| FilterError::new(format!("package {}: {e}", name.value)).at(at))?;
    let mut channels = Vec::new();
    for (i, channel) in package.channels.iter().enumerate() {
        if channel.name.value.is_empty() {
            let text = format!("package {}: channel {i} requires a name", name.value);
            return Err(FilterError::new(text).at(channel.name.at));
        }
        let ask = Ask::from(&channel.range).map_err(|(e, at)| {
            FilterError::new(format!("channel {}: {e}", channel.name.value)).at(at)
        })?;
        channels.push(ChannelAsk {
            name: channel.name.clone(),
            ask,
        });
    }
    Ok(PackageAsk {
        name,
        ask,
        channels,
        config: package,
    })
}
