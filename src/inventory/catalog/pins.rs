//! Versions that the configuration pins but the catalog does not have.
//!
//! Both engines drop some of these silently (`imageset.md` §3.7, §3.9). As telco-ran-tools does before it mirrors, every
//! `maxVersion` of a channel must be, as text, the version of a bundle in that channel; a package that pins one
//! version (`minVersion` and `maxVersion` the same) must have it in some channel. Packages and channels named must exist.

use std::collections::BTreeSet;
use std::fmt;

use super::listing::Bundles;
use super::model::{Catalog, Channel};
use super::nearest;
use crate::config::model::{At, Located, OperatorSet, PackageSet};

/// Something pinned that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinFinding {
    /// The catalog as written in the configuration.
    pub catalog: String,
    /// What is missing.
    pub missing: Missing,
    /// Place of the offending value in the configuration.
    pub at: At,
    /// The nearest names or versions that exist, at most five; versions rise.
    pub nearest: Vec<String>,
}

/// What does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A package.
    Package(String),
    /// A channel of a package.
    Channel {
        /// Package.
        package: String,
        /// Channel.
        channel: String,
    },
    /// A version in a channel, or in any channel of a package.
    Version {
        /// Package.
        package: String,
        /// Channel; none when the package itself is pinned.
        channel: Option<String>,
        /// Version as written.
        version: String,
    },
}

impl fmt::Display for PinFinding {
    /// telco-ran-tools' sentence for versions, so that its users recognise it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.missing {
            Missing::Package(package) => write!(f, "{package} not found")?,
            Missing::Channel { package, channel } => {
                write!(f, "{package} channel {channel} not found")?;
            }
            Missing::Version {
                package,
                channel,
                version,
            } => {
                write!(f, "{package} version {version} not found")?;
                if let Some(channel) = channel {
                    write!(f, " in channel {channel}")?;
                }
            }
        }
        write!(f, ": Catalog {}", self.catalog)
    }
}

impl PinFinding {
    /// Returns what exists instead.
    pub fn hint(&self) -> Option<String> {
        if self.nearest.is_empty() {
            return None;
        }
        let what = match &self.missing {
            Missing::Package(_) => "packages",
            Missing::Channel { .. } => "channels",
            Missing::Version { .. } => "versions",
        };
        Some(format!("nearest {what}: {}", self.nearest.join(", ")))
    }
}

/// Finds everything pinned that does not exist, in configuration order.
pub fn verify_pins(catalog: &Catalog, operator: &OperatorSet) -> Vec<PinFinding> {
    let check = Check {
        catalog,
        bundles: Bundles::of(catalog),
        name: &operator.catalog.value,
    };
    operator
        .packages
        .iter()
        .flat_map(|package| check.package(package))
        .collect()
}

struct Check<'a> {
    catalog: &'a Catalog,
    bundles: Bundles<'a>,
    name: &'a str,
}

impl Check<'_> {
    fn finding(&self, missing: Missing, at: At, nearest: Vec<&str>) -> PinFinding {
        PinFinding {
            catalog: self.name.to_owned(),
            missing,
            at,
            nearest: nearest.into_iter().map(str::to_owned).collect(),
        }
    }

    fn package(&self, wanted: &PackageSet) -> Vec<PinFinding> {
        let name = wanted.name.value.as_str();
        let packages = self.catalog.packages.iter().map(|p| p.name.as_str());
        if !packages.clone().any(|package| package == name) {
            let near = nearest::names(name, packages, 5);
            return vec![self.finding(Missing::Package(name.to_owned()), wanted.name.at, near)];
        }
        let channels = self.catalog.channels.iter();
        let channels: Vec<&Channel> = channels.filter(|c| c.package == name).collect();
        let mut findings = Vec::new();
        for channel in &wanted.channels {
            let channel_name = channel.name.value.as_str();
            let Some(found) = channels.iter().find(|c| c.name == channel_name) else {
                let near =
                    nearest::names(channel_name, channels.iter().map(|c| c.name.as_str()), 5);
                let missing = Missing::Channel {
                    package: name.to_owned(),
                    channel: channel_name.to_owned(),
                };
                findings.push(self.finding(missing, channel.name.at, near));
                continue;
            };
            if let Some(pin) = &channel.range.max {
                findings.extend(self.version(name, &[found], Some(channel_name), pin));
            }
        }
        let range = &wanted.range;
        if let Some(pin) = range
            .max
            .as_ref()
            .filter(|max| range.min.as_ref() == Some(*max))
        {
            findings.extend(self.version(name, &channels, None, pin));
        }
        findings
    }

    fn version(
        &self,
        package: &str,
        channels: &[&Channel],
        channel: Option<&str>,
        pin: &Located<String>,
    ) -> Option<PinFinding> {
        let entries = channels.iter().flat_map(|c| &c.entries);
        let versions: BTreeSet<&str> = entries
            .filter_map(|entry| self.bundles.version(package, &entry.name))
            .collect();
        if versions.contains(pin.value.as_str()) {
            return None;
        }
        let missing = Missing::Version {
            package: package.to_owned(),
            channel: channel.map(str::to_owned),
            version: pin.value.clone(),
        };
        let near = nearest::versions(&pin.value, versions, 5);
        Some(self.finding(missing, pin.at, near))
    }
}
