//! The v1 rules: oc-mirror's stateless "diff" (`imageset.md` §3.5).
//!
//! The catalog is linked and checked first, as upstream does; the result is checked again, but that only becomes
//! [`Selection::validation_error`], because a list of images needs no valid catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Catalog, Channel};
use super::super::nearest;
use super::super::validate::{self, Model, ModelBundle, ModelChannel, ModelPackage};
use super::images::{self, Images};
use super::v1_graph::Upgrades;
use super::v1_include::{self, Ask, ChannelAsk, PackageAsk};
use super::{
    BundleId, FilterError, SelectedChannel, SelectedPackage, Selection, Semantics, v1_deps,
};
use crate::config::model::{Located, OperatorSet};
use crate::inventory::version::quote;

/// The filtered catalog while it grows: bundle names by package and channel. A package may be there without channels.
#[derive(Debug, Default)]
pub(super) struct Output<'a>(BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>);

impl<'a> Output<'a> {
    /// The bundles of a channel, which is made when missing.
    pub(super) fn channel(&mut self, package: &'a str, channel: &'a str) -> &mut BTreeSet<&'a str> {
        self.0
            .entry(package)
            .or_default()
            .entry(channel)
            .or_default()
    }

    pub(super) fn contains(&self, package: &str, channel: &str, bundle: &str) -> bool {
        let channels = self.0.get(package);
        let bundles = channels.and_then(|channels| channels.get(channel));
        bundles.is_some_and(|bundles| bundles.contains(bundle))
    }

    /// Every bundle in every channel.
    pub(super) fn bundles(&self, model: &Model<'a>) -> Vec<ModelBundle<'a>> {
        let mut all = Vec::new();
        for (package, channels) in &self.0 {
            for (channel, names) in channels {
                let source = model.0.get(package).and_then(|p| p.channels.get(channel));
                let found = names.iter().filter_map(|name| source?.0.get(name));
                all.extend(found.cloned());
            }
        }
        all
    }

    fn drop_empty(&mut self) {
        for channels in self.0.values_mut() {
            channels.retain(|_, bundles| !bundles.is_empty());
        }
        self.0.retain(|_, channels| !channels.is_empty());
    }
}

pub(super) fn select(
    catalog: &Catalog,
    operator: &OperatorSet,
    semantics: Semantics,
) -> Result<Selection, FilterError> {
    let asks = v1_include::convert(operator)?;
    if operator.full && asks.is_empty() {
        return Ok(whole(catalog));
    }
    let model = validate::model(catalog).map_err(|e| {
        FilterError::new(format!(
            "error converting new declarative config to model: {e}"
        ))
    })?;
    let mut engine = Engine {
        model: &model,
        heads_only: !operator.full,
        semantics,
        output: Output::default(),
        warnings: Vec::new(),
    };
    let packages = engine
        .run(&asks, operator.skip_dependencies)
        .map_err(|e| e.prefixed("error generating diff: "))?;
    let mut selection = Selection {
        packages,
        warnings: engine.warnings,
        ..Selection::default()
    };
    for (package, channels) in &engine.output.0 {
        for (name, bundles) in channels {
            selection.channels.push(SelectedChannel {
                package: (*package).to_owned(),
                name: (*name).to_owned(),
                entries: bundles.iter().map(|b| (*b).to_owned()).collect(),
            });
        }
    }
    let missing = asks.iter().map(|ask| ask.name);
    let missing = missing.filter(|name| !engine.output.0.contains_key(name.value.as_str()));
    selection.missing_packages = missing.cloned().collect();
    Ok(finish(catalog, selection))
}

/// `full` without packages: the catalog as it is; upstream does not even link it.
fn whole(catalog: &Catalog) -> Selection {
    let mut selection = Selection::default();
    for package in &catalog.packages {
        selection.packages.push(SelectedPackage {
            name: package.name.clone(),
            default_channel: package.default_channel.clone(),
        });
    }
    for channel in &catalog.channels {
        let entries: BTreeSet<_> = channel.entries.iter().map(|e| e.name.clone()).collect();
        selection.channels.push(SelectedChannel {
            package: channel.package.clone(),
            name: channel.name.clone(),
            entries: entries.into_iter().collect(),
        });
    }
    selection.packages.sort();
    selection.channels.sort();
    let mut bundles: Vec<_> = catalog
        .bundles
        .iter()
        .map(|b| BundleId {
            package: b.package.clone(),
            name: b.name.clone(),
        })
        .collect();
    bundles.sort();
    bundles.dedup();
    selection.bundles = bundles;
    selection.validation_error = validate::problem(catalog);
    images::collect(catalog, &mut selection, Images::BundleAndRelated);
    selection
}

fn finish(catalog: &Catalog, mut selection: Selection) -> Selection {
    let names: BTreeSet<_> = selection
        .channels
        .iter()
        .flat_map(|c| c.entries.iter().map(|e| (c.package.clone(), e.clone())))
        .collect();
    let ids = names
        .into_iter()
        .map(|(package, name)| BundleId { package, name });
    selection.bundles = ids.collect();
    images::collect(catalog, &mut selection, Images::BundleAndRelated);
    selection.validation_error = validate::problem(&filtered(catalog, &selection));
    selection
}

/// The catalog that upstream would write.
fn filtered(catalog: &Catalog, selection: &Selection) -> Catalog {
    let mut filtered = Catalog::default();
    for package in &selection.packages {
        filtered.packages.push(super::super::model::Package {
            name: package.name.clone(),
            default_channel: package.default_channel.clone(),
        });
    }
    for selected in &selection.channels {
        let mut sources = catalog.channels.iter();
        let Some(source) =
            sources.find(|c| c.package == selected.package && c.name == selected.name)
        else {
            continue;
        };
        let entries = source.entries.iter();
        filtered.channels.push(Channel {
            entries: entries
                .filter(|e| selected.entries.contains(&e.name))
                .cloned()
                .collect(),
            ..source.clone()
        });
    }
    let kept: BTreeSet<_> = selection
        .bundles
        .iter()
        .map(|b| (&b.package, &b.name))
        .collect();
    let bundles = catalog.bundles.iter();
    filtered.bundles = bundles
        .filter(|b| kept.contains(&(&b.package, &b.name)))
        .cloned()
        .collect();
    filtered
}

struct Engine<'m, 'a> {
    model: &'m Model<'a>,
    heads_only: bool,
    semantics: Semantics,
    output: Output<'a>,
    warnings: Vec<String>,
}

impl<'a> Engine<'_, 'a> {
    fn run(
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

    fn default_channels(
        &mut self,
        asks: &[PackageAsk<'_>],
    ) -> Result<Vec<SelectedPackage>, FilterError> {
        let (mut packages, mut warnings) = (Vec::new(), Vec::new());
        for (name, channels) in &self.output.0 {
            let Some(package) = self.model.0.get(name) else {
                continue;
            };
            let ask = asks.iter().rev().find(|ask| ask.name.value == *name);
            let old = package.default_channel;
            let default = if channels.contains_key(old) {
                old.to_owned()
            } else {
                let (new, why) = self.other_default(name, package, channels, ask)?;
                warnings.push(format!(
                    "package {}: default channel {} was filtered out, {} takes its place ({why})",
                    quote(name),
                    quote(old),
                    quote(&new)
                ));
                new
            };
            packages.push(SelectedPackage {
                name: (*name).to_owned(),
                default_channel: default,
            });
        }
        self.warnings.extend(warnings);
        Ok(packages)
    }

    /// A default channel when the catalog's own did not survive, and why it is this one.
    fn other_default(
        &self,
        name: &str,
        package: &ModelPackage<'a>,
        channels: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        ask: Option<&PackageAsk<'_>>,
    ) -> Result<(String, String), FilterError> {
        let main = self.semantics != Semantics::V1At413;
        if let Some(default) = ask.and_then(|ask| ask.config.default_channel.as_ref())
            && package.channels.contains_key(default.value.as_str())
        {
            return Ok((default.value.clone(), "as defaultChannel says".to_owned()));
        }
        if let Some([only]) = ask.map(|ask| ask.channels.as_slice())
            && main
        {
            let why = "the only channel asked for";
            return Ok((only.name.value.clone(), why.to_owned()));
        }
        let best = package.by_priority(channels.keys().copied());
        match best.split_first() {
            Some((first, [])) => return Ok(((*first).to_owned(), "by priority".to_owned())),
            Some((first, others)) => {
                let why = format!("by priority, the same as that of {}", others.join(", "));
                return Ok(((*first).to_owned(), why));
            }
            None => {}
        }
        let text = format!(
            "the current default channel {} for package {} could not be determined... ensure that your ImageSetConfiguration filtering criteria results in a package version that exists in the current default channel or use the 'defaultChannel' field ",
            quote(package.default_channel),
            quote(name)
        );
        let kept: Vec<_> = channels.keys().copied().collect();
        let hint = format!(
            "set defaultChannel to one of the channels that are left: {}",
            kept.join(", ")
        );
        let at = ask.map(|ask| ask.name.at).unwrap_or_default();
        Err(FilterError::new(text).at(at).hinting(Some(hint)))
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
