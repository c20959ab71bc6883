//! v1: the default channel of each filtered package.
//!
//! Source: oc-mirror v1 `diff.go` (`setDefaultChannel`); `imageset.md` §3.5 "Default channel".

use std::collections::{BTreeMap, BTreeSet};

use super::super::validate::ModelPackage;
use super::v1_engine::Engine;
use super::v1_include::PackageAsk;
use super::{FilterError, SelectedPackage, Semantics};
use crate::inventory::version::quote;

impl<'a> Engine<'_, 'a> {
    /// Finds the default channel of every package of the output.
    pub(super) fn default_channels(
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
