//! Rules over the whole file: duplicates, versions, ranges, regular expressions (`imageset.md` 1.2, 1.4, 1.6).

use std::collections::BTreeSet;
use std::slice;

use super::super::fields::Sink;
use super::super::filter::{Patterns, REGEX_HINT};
use super::super::finding::Finding;
use super::super::model::{ApiVersion, ImageSet, Located, OperatorSet, PackageSet, VersionRange};
use super::super::version;
use super::unique;

/// Checks what has been read; upstream's errors under `invalid configuration: `, ours as warnings.
pub(super) fn imageset(sink: &Sink<'_>, imageset: &ImageSet) {
    release_channels(sink, imageset);
    catalogs(sink, imageset);
    for operator in &imageset.operators {
        packages(sink, imageset.api, operator);
    }
    blocked_images(sink, imageset);
    additional_images(sink, imageset);
}

/// What upstream accepts at load and refuses later, so that `check` can tell before anything is fetched: release versions
/// that are none (`v1/pkg/cincinnati`), and for v1alpha2 what the operator filter cannot be built from
/// (`types_include_config.go`, `ConvertToDiffIncludeConfig`).
pub fn selection_errors(file: &str, imageset: &ImageSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for channel in &imageset.platform.channels {
        for (field, bound) in [
            ("minVersion", &channel.min_version),
            ("maxVersion", &channel.max_version),
        ] {
            if let Some(bound) = bound
                && let Err(reason) = version::strict(&bound.value)
            {
                let name = &channel.name.value;
                let message = format!(
                    "release channel {name:?}: {field} {:?}: {reason}",
                    bound.value
                );
                findings.push(Finding::new(file, bound.at, message).with_hint("write it as X.Y.Z"));
            }
        }
    }
    if imageset.api == ApiVersion::V1Alpha2 {
        let packages = imageset
            .operators
            .iter()
            .flat_map(|operator| operator.packages.iter().enumerate());
        for (index, package) in packages {
            package_selection(file, index, package, &mut findings);
        }
    }
    findings
}

fn package_selection(file: &str, index: usize, package: &PackageSet, findings: &mut Vec<Finding>) {
    let name = &package.name.value;
    let mut complain = |at, message: String| findings.push(Finding::new(file, at, message));
    if name.is_empty() {
        complain(package.name.at, format!("package {index} requires a name"));
    }
    if let Some((at, reason)) = bad_selection(&package.range) {
        complain(at, format!("package {name}: {reason}"));
    }
    for (index, channel) in package.channels.iter().enumerate() {
        if channel.name.value.is_empty() {
            complain(
                channel.name.at,
                format!("package {name}: channel {index} requires a name"),
            );
        }
        if let Some((at, reason)) = bad_selection(&channel.range) {
            complain(at, format!("channel {}: {reason}", channel.name.value));
        }
    }
}

fn bad_selection(range: &VersionRange) -> Option<(super::At, String)> {
    let min = range.min.as_ref()?;
    if range.min_bundle.is_some() {
        return Some((
            min.at,
            "minimum version and bundle are mutually exclusive".to_owned(),
        ));
    }
    if range.max.is_some() {
        return None;
    }
    version::strict(&min.value)
        .err()
        .map(|reason| (min.at, reason))
}

fn release_channels(sink: &Sink<'_>, imageset: &ImageSet) {
    let mut seen = BTreeSet::new();
    for channel in &imageset.platform.channels {
        let name = &channel.name;
        if name.value.is_empty() {
            sink.warn(
                name.at,
                "release channel without a name",
                Some("add e.g. `name: stable-4.14`".to_owned()),
            );
        }
        if !seen.insert(&name.value) {
            sink.error(
                name.at,
                format!(
                    "invalid configuration: release channel {:?}: duplicate found in configuration",
                    name.value
                ),
            );
        }
        bounds(
            sink,
            channel.min_version.as_ref(),
            channel.max_version.as_ref(),
        );
    }
}

fn catalogs(sink: &Sink<'_>, imageset: &ImageSet) {
    let mut seen = BTreeSet::new();
    for operator in &imageset.operators {
        // Empty: it could not be named, which has been reported.
        let name = &operator.unique_name;
        if operator.catalog.value.is_empty() && imageset.api == ApiVersion::V1Alpha2 {
            let hint = "add e.g. `catalog: registry.redhat.io/redhat/redhat-operator-index:v4.14`";
            sink.warn(
                operator.catalog.at,
                "operators entry without a catalog",
                Some(hint.to_owned()),
            );
        }
        if !name.is_empty() && !seen.insert(name) {
            let message = format!(
                "invalid configuration: catalog {name:?}: duplicate found in configuration"
            );
            sink.error(operator.catalog.at, message);
        }
    }
}

fn packages(sink: &Sink<'_>, api: ApiVersion, operator: &OperatorSet) {
    let catalog = &operator.catalog.value;
    let mut seen = BTreeSet::new();
    for package in &operator.packages {
        let name = &package.name;
        if !seen.insert(&name.value) {
            match api {
                ApiVersion::V1Alpha2 => {
                    let message =
                        format!("package {:?} is listed twice in this catalog", name.value);
                    sink.warn(name.at, message, Some("merge the two entries".to_owned()));
                }
                ApiVersion::V2Alpha1 => sink.error(
                    name.at,
                    format!(
                        "invalid configuration: catalog {catalog:?}: duplicate package entry {:?}",
                        name.value
                    ),
                ),
            }
        }
        bounds(sink, package.range.min.as_ref(), package.range.max.as_ref());
        channels(sink, api, catalog, package);
        match api {
            ApiVersion::V1Alpha2 => default_channel(sink, package),
            ApiVersion::V2Alpha1 => v2_versions(sink, catalog, package),
        }
    }
}

fn channels(sink: &Sink<'_>, api: ApiVersion, catalog: &str, package: &PackageSet) {
    let mut seen = BTreeSet::new();
    for channel in &package.channels {
        let name = &channel.name;
        bounds(sink, channel.range.min.as_ref(), channel.range.max.as_ref());
        if seen.insert(&name.value) {
            continue;
        }
        match api {
            ApiVersion::V1Alpha2 => {
                let message = format!("channel {:?} is listed twice, only this one counts", name.value);
                sink.warn(name.at, message, Some("merge the two entries".to_owned()));
            }
            ApiVersion::V2Alpha1 => sink.error(
                name.at,
                format!(
                    "invalid configuration: catalog {catalog:?}: operator {:?}: duplicate channel entry {:?}",
                    package.name.value, name.value
                ),
            ),
        }
    }
}

/// oc-mirror v1 wants the default among the listed channels. The blank at the end is upstream's.
fn default_channel(sink: &Sink<'_>, package: &PackageSet) {
    let Some(default) = &package.default_channel else {
        return;
    };
    if package
        .channels
        .iter()
        .any(|channel| channel.name == *default)
    {
        return;
    }
    let (name, package) = (&default.value, &package.name.value);
    sink.error(
        default.at,
        format!(
            "defaultChannel has been set with '{name}', please ensure that '{name}' is declared in the channels section for the package '{package}' in the config "
        ),
    );
}

/// oc-mirror v2 wants readable versions, on the package or on its channels.
fn v2_versions(sink: &Sink<'_>, catalog: &str, package: &PackageSet) {
    let operator = format!(
        "invalid configuration: catalog {catalog:?}: operator {:?}",
        package.name.value
    );
    readable(sink, &operator, &package.range);
    for channel in &package.channels {
        readable(
            sink,
            &format!("{operator}: channel {:?}", channel.name.value),
            &channel.range,
        );
        let bound = channel.range.min.as_ref().or(channel.range.max.as_ref());
        if let Some(bound) = bound
            && (package.range.min.is_some() || package.range.max.is_some())
        {
            let message = "mixing both filtering by minVersion/maxVersion and filtering by channel minVersion/maxVersion is not allowed";
            sink.error(bound.at, format!("{operator}: {message}"));
        }
    }
}

fn readable(sink: &Sink<'_>, what: &str, range: &VersionRange) {
    for (field, bound) in [("maxVersion", &range.max), ("minVersion", &range.min)] {
        if let Some(bound) = bound
            .as_ref()
            .filter(|bound| version::lenient(&bound.value).is_none())
        {
            let message = format!(
                "{what}: {field} {:?} must respect semantic versioning notation",
                bound.value
            );
            sink.error(bound.at, message);
        }
    }
}

/// Warns of a range that is upside down.
fn bounds(sink: &Sink<'_>, min: Option<&Located<String>>, max: Option<&Located<String>>) {
    let (Some(min), Some(max)) = (min, max) else {
        return;
    };
    if let (Some(low), Some(high)) = (version::lenient(&min.value), version::lenient(&max.value))
        && low > high
    {
        let message = format!(
            "minVersion {:?} is higher than maxVersion {:?}: nothing is selected",
            min.value, max.value
        );
        sink.warn(min.at, message, Some("swap the two".to_owned()));
    }
}

fn blocked_images(sink: &Sink<'_>, imageset: &ImageSet) {
    for pattern in &imageset.blocked_images {
        if pattern.value.is_empty() {
            let hint = "write a regular expression over pull specs, or remove the entry".to_owned();
            sink.warn(
                pattern.at,
                "blocked image without a name: it blocks every image",
                Some(hint),
            );
        }
        let Err(wrong) = Patterns::compile(slice::from_ref(pattern)) else {
            continue;
        };
        for (at, reason) in wrong {
            let message = format!(
                "invalid configuration: blocked image {:?}: invalid regular expression: {reason}",
                pattern.value
            );
            sink.push(sink.finding(at, message).with_hint(REGEX_HINT));
        }
    }
}

fn additional_images(sink: &Sink<'_>, imageset: &ImageSet) {
    for image in &imageset.additional_images {
        if image.name.value.is_empty() {
            let hint = "add e.g. `name: registry.redhat.io/ubi9/ubi:latest`".to_owned();
            sink.warn(image.name.at, "additional image without a name", Some(hint));
        }
        if let Some(target) = image
            .target_repo
            .as_ref()
            .filter(|target| !unique::is_path(target))
        {
            sink.warn(image.name.at, unique::invalid_path(target), None);
        }
    }
}
