//! Packages, channels and versions of a catalog as plain rows, as `oc mirror list operators` shows them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Bundle, Catalog, Channel};
use crate::inventory::version::{Version, masterminds};

/// A package and the head of its default channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Package.
    pub name: String,
    /// Default channel; empty when the catalog names none.
    pub default_channel: String,
    /// Head of the default channel; absent when it has not exactly one.
    pub head: Option<String>,
    /// Version of that head as written.
    pub version: Option<String>,
}

/// A channel and its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Package.
    pub package: String,
    /// Channel.
    pub channel: String,
    /// Whether it is the package's default channel.
    pub is_default: bool,
    /// Head; absent when the channel has not exactly one.
    pub head: Option<String>,
    /// Version of the head as written.
    pub version: Option<String>,
}

/// A version in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Channel.
    pub channel: String,
    /// Bundle.
    pub bundle: String,
    /// Version as written.
    pub version: String,
}

/// Lists the packages, sorted by name.
pub fn packages(catalog: &Catalog) -> Vec<PackageRow> {
    let bundles = Bundles::of(catalog);
    let mut rows: Vec<_> = catalog
        .packages
        .iter()
        .map(|package| {
            let default = catalog
                .channels
                .iter()
                .find(|c| c.package == package.name && c.name == package.default_channel);
            let head = default.and_then(head);
            let version = head.and_then(|head| bundles.version(&package.name, head));
            PackageRow {
                name: package.name.clone(),
                default_channel: package.default_channel.clone(),
                head: head.map(str::to_owned),
                version: version.map(str::to_owned),
            }
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// Lists the channels of a package, sorted by name; empty when the package does not exist.
pub fn channels(catalog: &Catalog, package: &str) -> Vec<ChannelRow> {
    let bundles = Bundles::of(catalog);
    let of_package = catalog.packages.iter().find(|p| p.name == package);
    let default = of_package.map_or("", |p| p.default_channel.as_str());
    let mut rows: Vec<_> = catalog
        .channels
        .iter()
        .filter(|channel| channel.package == package)
        .map(|channel| {
            let head = head(channel);
            let version = head.and_then(|head| bundles.version(package, head));
            ChannelRow {
                package: package.to_owned(),
                channel: channel.name.clone(),
                is_default: channel.name == default,
                head: head.map(str::to_owned),
                version: version.map(str::to_owned),
            }
        })
        .collect();
    rows.sort_by(|a, b| a.channel.cmp(&b.channel));
    rows
}

/// Lists the versions of a package, of one channel or of all, sorted by channel, then by rising version.
pub fn versions(catalog: &Catalog, package: &str, channel: Option<&str>) -> Vec<VersionRow> {
    let bundles = Bundles::of(catalog);
    let mut rows = Vec::new();
    for found in &catalog.channels {
        if found.package != package || channel.is_some_and(|name| name != found.name) {
            continue;
        }
        let names: BTreeSet<_> = found.entries.iter().map(|e| e.name.as_str()).collect();
        for name in names {
            if let Some(version) = bundles.version(package, name) {
                rows.push(VersionRow {
                    channel: found.name.clone(),
                    bundle: name.to_owned(),
                    version: version.to_owned(),
                });
            }
        }
    }
    rows.sort_by(|a, b| {
        let by_version = compare_versions(&a.version, &b.version);
        a.channel
            .cmp(&b.channel)
            .then(by_version)
            .then_with(|| a.bundle.cmp(&b.bundle))
    });
    rows
}

/// Compares by precedence; what is no version sorts first, by its text.
pub(super) fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    let parsed = |text| masterminds::parse_lenient(text).ok();
    match (parsed(a), parsed(b)) {
        (Some(x), Some(y)) => Version::precedence(&x, &y).then_with(|| a.cmp(b)),
        (x, y) => x.is_some().cmp(&y.is_some()).then_with(|| a.cmp(b)),
    }
}

/// The one entry that no other replaces or skips.
pub(super) fn head(channel: &Channel) -> Option<&str> {
    let named: BTreeSet<&str> = channel
        .entries
        .iter()
        .flat_map(|e| e.skips.iter().chain([&e.replaces]))
        .map(String::as_str)
        .collect();
    let all: BTreeSet<&str> = channel.entries.iter().map(|e| e.name.as_str()).collect();
    let mut heads = all.difference(&named);
    let head = heads.next()?;
    heads.next().is_none().then_some(head)
}

/// Bundles by package and name.
pub(super) struct Bundles<'a>(BTreeMap<(&'a str, &'a str), &'a Bundle>);

impl<'a> Bundles<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let all = catalog.bundles.iter();
        Self(
            all.map(|b| ((b.package.as_str(), b.name.as_str()), b))
                .collect(),
        )
    }

    pub(super) fn version(&self, package: &str, name: &str) -> Option<&'a str> {
        self.0.get(&(package, name)).and_then(|b| b.version())
    }
}
