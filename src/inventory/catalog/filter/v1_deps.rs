//! v1: bundles that selected bundles require, by API or by package.
//!
//! Source: oc-mirror v1 `diff.go` (`addAllDependencies`, `getBundlesThatProvide`); `imageset.md` §3.5 "Dependencies".
//! Upstream visits packages and APIs in Go map order; here they go by name, and a warning tells when another order
//! would have chosen otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::Gvk;
use super::super::validate::{Model, ModelBundle, ModelPackage};
use super::v1::Output;
use super::v1_graph::Upgrades;
use crate::inventory::version::blang::Range;
use crate::inventory::version::quote;

/// A bundle in one channel of its package: package, channel, name.
type Place<'a> = (&'a str, &'a str, &'a str);

/// What is still to be provided.
#[derive(Default)]
struct Required<'a> {
    apis: BTreeSet<&'a Gvk>,
    /// APIs provided already, and by which package.
    served: BTreeMap<&'a Gvk, &'a str>,
    /// Ranges by package; `None` is satisfied by any version.
    packages: BTreeMap<&'a str, Vec<Option<Range>>>,
}

/// Adds everything required, and what that requires, to `output`.
///
/// # Errors
/// Upstream's text; ranges are checked when the model is made, so only a head out of reach remains.
pub(super) fn add<'a>(
    model: &Model<'a>,
    output: &mut Output<'a>,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let mut providers: BTreeMap<&str, BTreeSet<Place<'a>>> = BTreeMap::new();
    let mut visited = BTreeSet::new();
    let mut current = output.bundles(model);
    while !current.is_empty() {
        let mut required = requirements(&current)?;
        if required.apis.is_empty() && required.packages.is_empty() {
            break;
        }
        current = Vec::new();
        for (name, package) in &model.0 {
            for place in providing(name, package, &mut required, warnings) {
                if visited.insert(place) {
                    providers.entry(place.0).or_default().insert(place);
                    current.extend(bundle_at(model, place));
                }
            }
        }
    }
    for (name, places) in providers {
        if let Some(package) = model.0.get(name) {
            add_package(package, places, output)?;
        }
    }
    Ok(())
}

fn bundle_at<'a>(model: &Model<'a>, place: Place<'a>) -> Option<ModelBundle<'a>> {
    let channel = model.0.get(place.0)?.channels.get(place.1)?;
    channel.0.get(place.2).cloned()
}

fn requirements<'a>(bundles: &[ModelBundle<'a>]) -> Result<Required<'a>, String> {
    let mut required = Required::default();
    for bundle in bundles {
        required.apis.extend(bundle.required());
        for wanted in bundle.required_packages() {
            let range = match wanted.range.as_str() {
                "" => None,
                text => Some(Range::parse(text).map_err(|e| e.to_string())?),
            };
            let ranges = required.packages.entry(&wanted.package).or_default();
            ranges.push(range);
        }
    }
    Ok(required)
}

/// The latest bundles of a package that provide what is required; APIs provided are struck off.
fn providing<'a>(
    name: &'a str,
    package: &ModelPackage<'a>,
    required: &mut Required<'a>,
    warnings: &mut Vec<String>,
) -> BTreeSet<Place<'a>> {
    let ranges = required.packages.remove(name).unwrap_or_default();
    let mut by_api: BTreeMap<&Gvk, Vec<Candidate<'a>>> = BTreeMap::new();
    let mut by_range: Vec<Vec<Candidate<'a>>> = ranges.iter().map(|_| Vec::new()).collect();
    for (channel, bundles) in &package.channels {
        for bundle in bundles.0.values() {
            let is_default = *channel == package.default_channel;
            let candidate = || Candidate::new(bundle, channel, is_default);
            let provided = bundle.blob.map_or(&[][..], |b| &b.provided);
            for api in provided {
                if required.apis.contains(api) {
                    by_api.entry(api).or_default().push(candidate());
                } else if let Some(first) = required.served.get(api) {
                    warn_once(
                        warnings,
                        format!(
                            "dependency {}: package {} and package {} provide it; the first is taken",
                            api_name(api),
                            quote(first),
                            quote(name)
                        ),
                    );
                }
            }
            for (range, found) in ranges.iter().zip(&mut by_range) {
                if range.as_ref().is_none_or(|r| r.contains(&bundle.version)) {
                    found.push(candidate());
                }
            }
        }
    }
    // One bundle per version, the last one found, as upstream keys them by version.
    let mut latest = BTreeMap::new();
    for (api, found) in by_api {
        required.apis.remove(api);
        required.served.insert(api, name);
        pick(name, found, || api_name(api), &mut latest, warnings);
    }
    for found in by_range {
        pick(
            name,
            found,
            || "its version range".to_owned(),
            &mut latest,
            warnings,
        );
    }
    latest
        .into_values()
        .map(|(channel, bundle)| (name, channel, bundle))
        .collect()
}

fn api_name(api: &Gvk) -> String {
    format!("{}/{} {}", api.group, api.version, api.kind)
}

fn warn_once(warnings: &mut Vec<String>, warning: String) {
    if !warnings.contains(&warning) {
        warnings.push(warning);
    }
}

#[derive(Debug)]
struct Candidate<'a> {
    bundle: ModelBundle<'a>,
    channel: &'a str,
    is_default: bool,
}

impl<'a> Candidate<'a> {
    fn new(bundle: &ModelBundle<'a>, channel: &'a str, is_default: bool) -> Self {
        Self {
            bundle: bundle.clone(),
            channel,
            is_default,
        }
    }

    fn name(&self) -> &'a str {
        &self.bundle.entry.name
    }
}

/// Takes the highest version; among equals the default channel's copy, then the highest build metadata, name, channel.
fn pick<'a>(
    package: &str,
    mut found: Vec<Candidate<'a>>,
    what: impl Fn() -> String,
    latest: &mut BTreeMap<String, (&'a str, &'a str)>,
    warnings: &mut Vec<String>,
) {
    found.sort_by(|a, b| {
        let (x, y) = (&a.bundle.version, &b.bundle.version);
        x.precedence(y)
            .then(a.is_default.cmp(&b.is_default))
            .then_with(|| x.build.cmp(&y.build))
            .then_with(|| a.name().cmp(b.name()))
            .then_with(|| a.channel.cmp(b.channel))
    });
    let Some(chosen) = found.pop() else {
        return;
    };
    if let Some(other) = found.last() {
        let same = other.bundle.version.same(&chosen.bundle.version);
        if same && other.is_default == chosen.is_default {
            warn_once(
                warnings,
                format!(
                    "dependency on package {} ({}): {} of channel {} and {} of channel {} serve alike; the first is taken",
                    quote(package),
                    what(),
                    chosen.name(),
                    chosen.channel,
                    other.name(),
                    other.channel
                ),
            );
        }
    }
    let version = chosen.bundle.version.to_string();
    latest.insert(version, (chosen.channel, chosen.name()));
}

/// Adds dependency bundles of one package, each with the way to its channel's head; lower channels and versions first.
fn add_package<'a>(
    package: &ModelPackage<'a>,
    places: BTreeSet<Place<'a>>,
    output: &mut Output<'a>,
) -> Result<(), String> {
    let mut ordered: Vec<_> = places.into_iter().collect();
    let version = |place: &Place<'a>| {
        let bundle = package.channels.get(place.1).and_then(|c| c.0.get(place.2));
        bundle.map(|b| b.version.clone()).unwrap_or_default()
    };
    ordered.sort_by(|a, b| {
        a.1.cmp(b.1)
            .then_with(|| version(a).precedence(&version(b)))
    });
    for (owner, channel, name) in ordered {
        let Some(source) = package.channels.get(channel) else {
            continue;
        };
        let head = source.head()?;
        let skips = source.0.get(head).map_or(&[][..], |b| &b.entry.skips);
        if output.contains(owner, channel, name) || skips.iter().any(|skip| skip == name) {
            continue;
        }
        let Some(filled) = Upgrades::of(source).fill(name, head) else {
            return Err(format!(
                "channel {channel}: head {} not reachable from bundle {}",
                quote(head),
                quote(name)
            ));
        };
        output.channel(owner, channel).extend(filled);
    }
    Ok(())
}
