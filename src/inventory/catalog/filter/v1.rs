//! The v1 rules: oc-mirror's stateless "diff" (`imageset.md` §3.5).
//!
//! The catalog is linked and checked first, as upstream does; the result is checked again, but that only becomes
//! [`Selection::validation_error`], because a list of images needs no valid catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Catalog, Channel};
use super::super::validate::{self, Model, ModelBundle};
use super::images::{self, Images};
use super::v1_engine::Engine;
use super::v1_include;
use super::{BundleId, FilterError, SelectedChannel, SelectedPackage, Selection, Semantics};
use crate::config::model::OperatorSet;

/// The filtered catalog while it grows: bundle names by package and channel. A package may be there without channels.
#[derive(Debug, Default)]
pub(super) struct Output<'a>(pub(super) BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>);

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

    pub(super) fn drop_empty(&mut self) {
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

/// `full` without packages: the catalog as it is; upstream neither links nor checks it.
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
