//! The v2 rules: catalog-filter as oc-mirror v2 calls it (`imageset.md` §3.6).
//!
//! No dependencies, no final validation; unknown packages and channels are silently ignored upstream, here they are
//! named in [`Selection::missing_packages`] and the warnings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Catalog, Channel};
use super::super::nearest;
use super::chain::ChannelChain;
use super::images::{self, Images};
use super::v2_ask::{Wanted, refuse_min_bundle, validate};
use super::{BundleId, FilterError, SelectedChannel, SelectedPackage, Selection, Semantics};
use crate::config::model::{At, OperatorSet, PackageSet, VersionRange};
use crate::inventory::version::masterminds::{self, Constraint};
use crate::inventory::version::{Version, quote};

pub(super) fn select(
    catalog: &Catalog,
    operator: &OperatorSet,
    semantics: Semantics,
) -> Result<Selection, FilterError> {
    refuse_min_bundle(operator)?;
    validate(operator, semantics)?;
    let mut filter = Filter::new(catalog, operator, semantics)
        .map_err(|e| e.prefixed("failed to filter catalog: "))?;
    filter
        .run()
        .map_err(|e| e.prefixed("failed to filter catalog: "))?;
    Ok(filter.finish())
}

struct Filter<'a> {
    catalog: &'a Catalog,
    operator: &'a OperatorSet,
    semantics: Semantics,
    /// Configured packages by name; a later entry of the same name replaces an earlier one.
    packages: BTreeMap<&'a str, &'a PackageSet>,
    /// Configured channels by package and name; entries of the same package add up.
    channels: BTreeMap<&'a str, BTreeMap<&'a str, &'a VersionRange>>,
    versions: BTreeMap<&'a str, BTreeMap<&'a str, Version>>,
    keep: BTreeMap<&'a str, BTreeSet<String>>,
    result: Selection,
}

impl<'a> Filter<'a> {
    fn new(
        catalog: &'a Catalog,
        operator: &'a OperatorSet,
        semantics: Semantics,
    ) -> Result<Self, FilterError> {
        let mut filter = Self {
            catalog,
            operator,
            semantics,
            packages: BTreeMap::new(),
            channels: BTreeMap::new(),
            versions: BTreeMap::new(),
            keep: BTreeMap::new(),
            result: Selection::default(),
        };
        for package in &operator.packages {
            let name = package.name.value.as_str();
            filter.packages.insert(name, package);
            let ranges = filter.channels.entry(name).or_default();
            let channels = package.channels.iter();
            ranges.extend(channels.map(|c| (c.name.value.as_str(), &c.range)));
        }
        for bundle in &catalog.bundles {
            if !filter.wants_package(&bundle.package) {
                continue;
            }
            let Some(version) = bundle.version() else {
                return Err(FilterError::new(format!(
                    "bundle {} in package {} has no package property",
                    quote(&bundle.name),
                    quote(&bundle.package)
                )));
            };
            let version = masterminds::parse_strict(version).map_err(|e| {
                FilterError::new(e.to_string()).hinting(Some(format!(
                    "the catalog's bundle {} has version {version:?}",
                    bundle.name
                )))
            })?;
            let of_package = filter.versions.entry(&bundle.package).or_default();
            of_package.insert(&bundle.name, version);
        }
        Ok(filter)
    }

    fn wants_package(&self, name: &str) -> bool {
        self.packages.is_empty() || self.packages.contains_key(name)
    }

    fn wants_channel(&self, channel: &Channel) -> bool {
        if self.packages.is_empty() {
            return true;
        }
        let listed = self.channels.get(channel.package.as_str());
        listed.is_some_and(|l| l.is_empty() || l.contains_key(channel.name.as_str()))
    }

    fn run(&mut self) -> Result<(), FilterError> {
        self.set_default_channels()?;
        for channel in &self.catalog.channels {
            if self.wants_channel(channel) {
                self.channel(channel)?;
            }
        }
        Ok(())
    }

    fn set_default_channels(&mut self) -> Result<(), FilterError> {
        for package in &self.catalog.packages {
            if !self.wants_package(&package.name) {
                continue;
            }
            let mut default = package.default_channel.as_str();
            if let Some(config) = self.packages.get(package.name.as_str()) {
                let wanted = config.default_channel.as_ref();
                let problem = |text: String, at| {
                    let name = quote(&package.name);
                    FilterError::new(format!(
                        "invalid default channel configuration for package {name}: {text}"
                    ))
                    .at(at)
                };
                if let Some(wanted) = wanted {
                    default = &wanted.value;
                    if !self.has_channel(&package.name, default) {
                        let name = quote(default);
                        let text = format!(
                            "specified default channel override {name} does not exist in the filtered output"
                        );
                        let hint = self.channel_hint(&package.name, default);
                        return Err(problem(text, wanted.at).hinting(hint));
                    }
                } else if !default.is_empty() && !self.has_channel(&package.name, default) {
                    let name = quote(default);
                    let text = format!(
                        "the default channel {name} was filtered out, a new default channel must be configured for this package"
                    );
                    let hint = format!(
                        "add channel {default} to the package, or set defaultChannel to one of its channels"
                    );
                    return Err(problem(text, config.name.at).hinting(Some(hint)));
                }
            }
            self.result.packages.push(SelectedPackage {
                name: package.name.clone(),
                default_channel: default.to_owned(),
            });
        }
        Ok(())
    }

    fn has_channel(&self, package: &str, name: &str) -> bool {
        let mut channels = self.catalog.channels.iter();
        channels.any(|c| c.package == package && c.name == name && self.wants_channel(c))
    }

    fn channel_hint(&self, package: &str, wanted: &str) -> Option<String> {
        let channels = self
            .catalog
            .channels
            .iter()
            .filter(|c| c.package == package);
        let near = nearest::names(wanted, channels.map(|c| c.name.as_str()), 5);
        (!near.is_empty()).then(|| format!("channels of {package}: {}", near.join(", ")))
    }

    /// The range of a channel: its own, else its package's.
    fn range_of(&self, channel: &Channel) -> Option<Wanted> {
        let package = channel.package.as_str();
        let own = self.channels.get(package)?.get(channel.name.as_str());
        own.and_then(|range| Wanted::from(range))
            .or_else(|| Wanted::from(&self.packages.get(package)?.range))
    }

    fn channel(&mut self, channel: &'a Channel) -> Result<(), FilterError> {
        let names = match self.range_of(channel) {
            Some(wanted) if self.operator.full => {
                let text = "Full: true cannot be mixed with versionRange";
                return Err(FilterError::new(text).at(wanted.at));
            }
            Some(wanted) => match self.range(channel, &wanted)? {
                Some(kept) => kept,
                None => return Ok(()),
            },
            None if self.operator.full => channel.entries.iter().map(|e| e.name.clone()).collect(),
            None => {
                let chain = ChannelChain::new(channel).map_err(|e| {
                    let (package, name) = (quote(&channel.package), quote(&channel.name));
                    FilterError::new(format!(
                        "package {package} channel {name} unable to filter head of channel: {e}"
                    ))
                })?;
                BTreeSet::from([chain.head().to_owned()])
            }
        };
        let entries: BTreeSet<&str> = channel.entries.iter().map(|e| e.name.as_str()).collect();
        let entries = entries.into_iter().filter(|name| names.contains(*name));
        self.result.channels.push(SelectedChannel {
            package: channel.package.clone(),
            name: channel.name.clone(),
            entries: entries.map(str::to_owned).collect(),
        });
        self.keep.entry(&channel.package).or_default().extend(names);
        Ok(())
    }

    /// The names in range; none when the channel is to be removed.
    fn range(
        &mut self,
        channel: &'a Channel,
        wanted: &Wanted,
    ) -> Result<Option<BTreeSet<String>>, FilterError> {
        let range = Constraint::parse(&wanted.text, self.semantics.prereleases())
            .map_err(|e| FilterError::new(format!("error parsing version range: {e}")))?;
        let exact = wanted.exact();
        if let Some(version) = exact.filter(|_| self.semantics != Semantics::V2Filter004) {
            return self.exact_bundle(channel, version, wanted.at).map(Some);
        }
        let chain = ChannelChain::new(channel).map_err(FilterError::new)?;
        let none = BTreeMap::new();
        let versions = self.versions.get(channel.package.as_str()).unwrap_or(&none);
        let kept = chain.in_range(&range, versions, &mut self.result.warnings);
        if !kept.is_empty() {
            return Ok(Some(kept));
        }
        let (package, name) = (quote(&channel.package), quote(&channel.name));
        let text = quote(&wanted.text);
        let text = format!(
            "package {package} channel {name} has version range {text} that results in an empty channel"
        );
        let package = self
            .catalog
            .packages
            .iter()
            .rev()
            .find(|p| p.name == channel.package);
        if package.is_some_and(|p| p.default_channel == channel.name) {
            let error = FilterError::new(text).at(wanted.at);
            return Err(error.hinting(self.version_hint(channel, wanted)));
        }
        self.result
            .warnings
            .push(format!("{text}; the channel is left out"));
        // Upstream still counts the channel, so that its package has a (maybe empty) list of bundles.
        self.keep.entry(&channel.package).or_default();
        Ok(None)
    }

    /// One bundle of the package with this version, whichever channels contain it.
    fn exact_bundle(
        &mut self,
        channel: &Channel,
        version: &str,
        at: At,
    ) -> Result<BTreeSet<String>, FilterError> {
        let wanted = masterminds::parse_lenient(version).map_err(|e| {
            FilterError::new(format!(
                "error finding specific bundle: error parsing specific version: {e}"
            ))
            .at(at)
        })?;
        let of_package = self.versions.get(channel.package.as_str());
        let mut same: Vec<_> = of_package
            .into_iter()
            .flatten()
            .filter(|(_, v)| v.same(&wanted))
            .map(|(name, v)| (&v.build, *name))
            .collect();
        same.sort_unstable();
        let Some((_, chosen)) = same.last() else {
            let text = format!(
                "error finding specific bundle: specific version {version} not found in bundles"
            );
            let near = of_package.into_iter().flatten().map(|(_, v)| v.to_string());
            let near: Vec<_> = near.collect();
            let near = nearest::versions(version, near.iter().map(String::as_str), 5);
            let hint = format!("versions of {}: {}", channel.package, near.join(", "));
            let hint = (!near.is_empty()).then_some(hint);
            return Err(FilterError::new(text).at(at).hinting(hint));
        };
        if same.len() > 1 {
            let names: Vec<_> = same.iter().map(|(_, name)| *name).collect();
            let warning = format!(
                "package {}: version {version} is that of {}; {chosen} is taken",
                quote(&channel.package),
                names.join(", ")
            );
            if !self.result.warnings.contains(&warning) {
                self.result.warnings.push(warning);
            }
        }
        Ok(BTreeSet::from([(*chosen).to_owned()]))
    }

    fn version_hint(&self, channel: &Channel, wanted: &Wanted) -> Option<String> {
        let of_package = self.versions.get(channel.package.as_str())?;
        let names = channel.entries.iter();
        let versions: Vec<_> = names
            .filter_map(|e| of_package.get(e.name.as_str()))
            .map(Version::to_string)
            .collect();
        let bound = wanted.text.split_whitespace().next_back()?;
        let bound = bound.trim_start_matches(['<', '>', '=']);
        let near = nearest::versions(bound, versions.iter().map(String::as_str), 5);
        if near.is_empty() {
            return None;
        }
        let note = if near.iter().all(|v| v.contains('-')) && !wanted.text.contains('-') {
            "; these are prereleases, which a range only takes when a bound is one too"
        } else {
            ""
        };
        let near = near.join(", ");
        Some(format!(
            "versions of channel {}: {near}{note}",
            channel.name
        ))
    }

    fn finish(mut self) -> Selection {
        let kept_none = self.keep.is_empty();
        let mut bundles = BTreeSet::new();
        for bundle in &self.catalog.bundles {
            let keep = self.keep.get(bundle.package.as_str());
            let kept = keep.is_some_and(|names| names.contains(&bundle.name));
            // Without any channel upstream drops nothing.
            if kept || kept_none && self.wants_package(&bundle.package) {
                bundles.insert(BundleId {
                    package: bundle.package.clone(),
                    name: bundle.name.clone(),
                });
            }
        }
        self.result.bundles = bundles.into_iter().collect();
        self.result.packages.sort();
        self.result.channels.sort();
        self.report_missing();
        images::collect(self.catalog, &mut self.result, Images::Related);
        if self.result.images.is_empty() {
            self.result
                .warnings
                .push("no related images found".to_owned());
        }
        self.result
    }

    fn report_missing(&mut self) {
        for package in &self.operator.packages {
            let name = &package.name.value;
            if !self.result.bundles.iter().any(|b| b.package == *name) {
                self.result.missing_packages.push(package.name.clone());
                continue;
            }
            for channel in &package.channels {
                if !self.has_channel(name, &channel.name.value) {
                    let hint = self.channel_hint(name, &channel.name.value);
                    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                    self.result.warnings.push(format!(
                        "package {} has no channel {}; it is ignored{hint}",
                        quote(name),
                        quote(&channel.name.value)
                    ));
                }
            }
        }
    }
}
