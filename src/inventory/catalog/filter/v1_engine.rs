//! v1: the run over the packages asked for.
//!
//! Source: oc-mirror v1 `diff.go` (`Run`), `diff_include.go` (`includeNewInOutputModel`, `getBundlesForVersions`).

use std::collections::{BTreeMap, BTreeSet};

use super::super::nearest;
use super::super::validate::{Model, ModelBundle, ModelChannel, ModelPackage};
use super::v1::Output;
use super::v1_graph::Upgrades;
use super::v1_include::{Ask, ChannelAsk, PackageAsk};
use super::{FilterError, SelectedPackage, Semantics, v1_deps};
use crate::config::model::Located;
use crate::inventory::version::quote;

/// The state of a run.
pub(super) struct Engine<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) heads_only: bool,
    pub(super) semantics: Semantics,
    pub(super) output: Output<'a>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Engine<'_, 'a> {
    /// Fills the output; returns its packages.
    pub(super) fn run(
        &mut self,
        asks: &[PackageAsk<'_>],
        skip_dependencies: bool,
    ) -> Result<Vec<SelectedPackage>, FilterError> {
        if asks.is_empty() {
            self.all_heads()?;
        } else {
            self.include(asks)?;
            self.output.drop_empty();
        }
        if !skip_dependencies {
            v1_deps::add(self.model, &mut self.output, &mut self.warnings)
                .map_err(FilterError::new)?;
        }
        self.default_channels(asks)
    }

    fn all_heads(&mut self) -> Result<(), FilterError> {
        for (name, package) in &self.model.0 {
            self.output.0.entry(name).or_default();
            for (channel_name, channel) in &package.channels {
                let head = channel.head().map_err(FilterError::new)?;
                self.output.channel(name, channel_name).insert(head);
            }
        }
        Ok(())
    }

    fn include(&mut self, asks: &[PackageAsk<'_>]) -> Result<(), FilterError> {
        let mut errors = Vec::new();
        for ask in asks {
            self.include_package(ask, &mut errors);
        }
        let Some(first) = errors.first() else {
            return Ok(());
        };
        let (at, hint) = (first.at.unwrap_or_default(), first.hint.clone());
        let mut texts: Vec<String> = Vec::new();
        for error in errors {
            if !texts.contains(&error.text) {
                texts.push(error.text);
            }
        }
        let joined = match texts.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let text = format!("error including items:\n{joined}");
        Err(FilterError::new(text).at(at).hinting(hint))
    }

    fn include_package(&mut self, ask: &PackageAsk<'_>, errors: &mut Vec<FilterError>) {
        let wanted = ask.name.value.as_str();
        let Some((name, package)) = self.model.0.get_key_value(wanted) else {
            let text = format!(
                "[package={}] package does not exist in new model",
                quote(wanted)
            );
            let near = nearest::names(wanted, self.model.0.keys().copied(), 5);
            let hint = (!near.is_empty()).then(|| format!("nearest packages: {}", near.join(", ")));
            errors.push(FilterError::new(text).at(ask.name.at).hinting(hint));
            return;
        };
        self.warn_unreadable(ask);
        let mut channels = BTreeMap::new();
        let mut wanted_channels = ask.channels.clone();
        if ask.channels.is_empty() && ask.ask.is_empty() {
            if !self.heads_only {
                for (channel, bundles) in &package.channels {
                    channels.insert(*channel, bundles.0.keys().copied().collect());
                }
                self.output.0.insert(name, channels);
                return;
            }
            wanted_channels = every_channel(package, &Ask::default());
        }
        let skip_missing = ask.ask.names_bundles();
        if ask.ask.range.is_some() {
            if ask.channels.is_empty() {
                wanted_channels = every_channel(package, &ask.ask);
            } else {
                self.range_on_both(name, ask, errors);
            }
        } else if skip_missing {
            wanted_channels.extend(every_channel(package, &ask.ask));
        }
        for channel in &wanted_channels {
            match self.include_channel(package, channel, skip_missing) {
                Ok(Some((channel, bundles))) => {
                    channels.insert(channel, bundles);
                }
                Ok(None) => errors.push(unknown_channel(name, package, &channel.name)),
                Err((text, hint)) => {
                    let place = channel_place(name, &channel.name.value);
                    let error = FilterError::new(format!("{place} {text}"));
                    errors.push(error.at(channel.ask.at).hinting(hint));
                }
            }
        }
        self.output.0.insert(name, channels);
    }

    fn warn_unreadable(&mut self, ask: &PackageAsk<'_>) {
        let channels = ask.channels.iter().map(|c| (c.name.value.as_str(), &c.ask));
        for (channel, ask_of) in channels.chain([("", &ask.ask)]) {
            if let Some(reason) = &ask_of.unreadable {
                let channel = if channel.is_empty() {
                    String::new()
                } else {
                    format!(" channel {}", quote(channel))
                };
                self.warnings.push(format!(
                    "package {}{channel}: the version range cannot be read and is ignored: {reason}",
                    quote(&ask.name.value)
                ));
            }
        }
    }

    fn range_on_both(&mut self, name: &str, ask: &PackageAsk<'_>, errors: &mut Vec<FilterError>) {
        for channel in &ask.channels {
            let place = channel_place(name, &channel.name.value);
            if channel.ask.range.is_some() {
                let text = format!(
                    "{place} range setting is mutually exclusive between package and channel"
                );
                errors.push(FilterError::new(text).at(channel.ask.at));
            } else {
                self.warnings.push(format!(
                    "{place} the package's version range is ignored, because channels are listed"
                ));
            }
        }
    }

    /// The bundles of one channel entry; `Ok(None)` when the channel does not exist.
    #[expect(
        clippy::type_complexity,
        reason = "channel and bundles, or text and hint; used once"
    )]
    fn include_channel(
        &self,
        package: &ModelPackage<'a>,
        wanted: &ChannelAsk,
        skip_missing: bool,
    ) -> Result<Option<(&'a str, BTreeSet<&'a str>)>, (String, Option<String>)> {
        let found = package.channels.get_key_value(wanted.name.value.as_str());
        let Some((name, channel)) = found else {
            return Ok(None);
        };
        let bundles = if let Some(range) = &wanted.ask.range {
            let bundles = channel.0.iter();
            let inside = bundles.filter(|(_, b)| range.contains(&b.version));
            inside.map(|(name, _)| *name).collect()
        } else if wanted.ask.version.is_some() {
            self.versions(channel, &wanted.ask, skip_missing)?
        } else if self.heads_only && wanted.ask.is_empty() {
            BTreeSet::from([channel.head().map_err(|e| (e, None))?])
        } else {
            // Also `minBundle` alone: upstream looks at versions only.
            channel.0.keys().copied().collect()
        };
        Ok(Some((name, bundles)))
    }

    /// The bundle of the version asked for, and the way from it to the head.
    fn versions(
        &self,
        channel: &ModelChannel<'a>,
        ask: &Ask,
        skip_missing: bool,
    ) -> Result<BTreeSet<&'a str>, (String, Option<String>)> {
        let wanted = ask
            .version
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let matches = |bundle: &ModelBundle<'_>| {
            let version = bundle.version.to_string();
            let before_dash = version.split('-').next() == Some(wanted.as_str());
            version == wanted || before_dash && self.semantics != Semantics::V1At413
        };
        let bundles = channel.0.iter();
        let picked: Vec<&str> = bundles
            .filter(|(_, b)| matches(b))
            .map(|(n, _)| *n)
            .collect();
        if picked.len() != 1 && !skip_missing {
            let exact = channel.0.values().any(|b| b.version.to_string() == wanted);
            let missing = if exact {
                String::new()
            } else {
                format!("versions=[{}]", quote(&wanted))
            };
            let text = format!("bundles do not exist in channel: {missing}");
            let versions: Vec<_> = channel.0.values().map(|b| b.version.to_string()).collect();
            let near = nearest::versions(&wanted, versions.iter().map(String::as_str), 5);
            let hint = format!("nearest versions: {}", near.join(", "));
            return Err((text, Some(hint)));
        }
        let head = channel.head().map_err(|e| (e, None))?;
        let upgrades = Upgrades::of(channel);
        let mut all: BTreeSet<&str> = picked.iter().copied().collect();
        for start in picked {
            // A bundle that no replaces chain joins to the head stands alone.
            all.extend(upgrades.fill(start, head).into_iter().flatten());
        }
        Ok(all)
    }
}

fn every_channel(package: &ModelPackage<'_>, ask: &Ask) -> Vec<ChannelAsk> {
    let names = package.channels.keys();
    names
        .map(|name| ChannelAsk {
            name: (*name).to_owned().into(),
            ask: ask.clone(),
        })
        .collect()
}

fn channel_place(package: &str, channel: &str) -> String {
    format!("[package={} channel={}]", quote(package), quote(channel))
}

fn unknown_channel(
    package_name: &str,
    package: &ModelPackage<'_>,
    channel: &Located<String>,
) -> FilterError {
    let place = channel_place(package_name, &channel.value);
    let near = nearest::names(&channel.value, package.channels.keys().copied(), 5);
    FilterError::new(format!("{place} channel does not exist in new model"))
        .at(channel.at)
        .hinting(Some(format!("nearest channels: {}", near.join(", "))))
}
