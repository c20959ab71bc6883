//! v2: the ranges that the configuration asks for, in the words of oc-mirror, and the checks before filtering.
//!
//! Source: oc-mirror `internal/pkg/operator/catalog_handler.go`, catalog-filter `mirror-config.go`.

use super::{FilterError, Semantics};
use crate::config::model::{At, OperatorSet, VersionRange};
use crate::inventory::version::masterminds::Constraint;
use crate::inventory::version::quote;

/// A range as oc-mirror writes it for the filter; the text tells the cases apart.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) text: String,
    /// Place of the bound that decides.
    pub(super) at: At,
}

impl Wanted {
    pub(super) fn from(range: &VersionRange) -> Option<Self> {
        let mut text = String::new();
        if let Some(min) = &range.min {
            text = format!(">={}", min.value);
        }
        if let Some(max) = &range.max {
            text.push_str(" <=");
            text.push_str(&max.value);
        }
        let at = range.max.as_ref().or(range.min.as_ref())?.at;
        Some(Self { text, at })
    }

    /// The version when minimum and maximum are the same text.
    pub(super) fn exact(&self) -> Option<&str> {
        let mut fields = self.text.split_whitespace();
        let (min, max) = (fields.next()?, fields.next()?);
        let (min, max) = (
            min.strip_prefix(">=").unwrap_or(min),
            max.strip_prefix("<=").unwrap_or(max),
        );
        (fields.next().is_none() && min == max).then_some(min)
    }
}

/// v2alpha1 has no `minBundle`.
pub(super) fn refuse_min_bundle(operator: &OperatorSet) -> Result<(), FilterError> {
    for package in &operator.packages {
        let ranges = package.channels.iter().map(|channel| &channel.range);
        for range in ranges.chain([&package.range]) {
            if let Some(bundle) = &range.min_bundle {
                let error = FilterError::new("json: unknown field \"minBundle\"").at(bundle.at);
                return Err(error.hinting(Some("use minVersion, or the v1 rules".to_owned())));
            }
        }
    }
    Ok(())
}

/// What oc-mirror checks before it filters; all errors, one per line.
pub(super) fn validate(operator: &OperatorSet, semantics: Semantics) -> Result<(), FilterError> {
    let mut errors: Vec<(String, At)> = Vec::new();
    let bad = |wanted: &Wanted| Constraint::parse(&wanted.text, semantics.prereleases()).err();
    for (i, package) in operator.packages.iter().enumerate() {
        let name = quote(&package.name.value);
        let prefix = format!("package {name} at index [{i}] is invalid: ");
        if package.name.value.is_empty() {
            errors.push((format!("{prefix}name must be specified"), package.name.at));
        }
        let own = Wanted::from(&package.range);
        if let Some((wanted, e)) = own.as_ref().and_then(|w| Some((w, bad(w)?))) {
            let what = "versionRange is not in valid semantic versionning format";
            errors.push((format!("{prefix}{what}: {e}"), wanted.at));
        }
        for (j, channel) in package.channels.iter().enumerate() {
            let name = quote(&channel.name.value);
            let channel_prefix = format!("{prefix}channel {name} at index [{j}] is invalid: ");
            if channel.name.value.is_empty() {
                let text = format!("{channel_prefix}name must be specified");
                errors.push((text, channel.name.at));
            }
            let Some(wanted) = Wanted::from(&channel.range) else {
                continue;
            };
            if own.is_some() {
                errors.push((
                    format!("{prefix}package specifies a VersionRange, while channel {name} at index [{j}] equally specifies one: package.VersionRange and channel.VersionRange are exclusive"),
                    wanted.at,
                ));
            }
            if let Some(e) = bad(&wanted) {
                let what = "versionRange is not in valid semantic versionning format";
                errors.push((format!("{channel_prefix}{what}: {e}"), wanted.at));
            }
        }
    }
    let Some((_, at)) = errors.first() else {
        return Ok(());
    };
    let at = *at;
    let texts: Vec<_> = errors.into_iter().map(|(text, _)| text).collect();
    let text = format!("failed to validate catalog filter: {}", texts.join("\n"));
    Err(FilterError::new(text).at(at))
}
