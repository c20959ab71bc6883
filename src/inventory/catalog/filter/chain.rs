//! The v2 filter's view of a channel: its checks, its head, and the range walk.
//!
//! Source: catalog-filter `pkg/filter/mirror-config/v1alpha1/channel.go`; `imageset.md` §3.6. Names without an entry of
//! their own (replaced or skipped bundles that left the catalog) are nodes too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::model::{Channel, Entry};
use crate::inventory::version::masterminds::Constraint;
use crate::inventory::version::{Version, quote};

/// A channel that passed the checks: one head, no cycle.
#[derive(Debug)]
pub struct ChannelChain<'a> {
    head: &'a str,
    entries: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> ChannelChain<'a> {
    /// Checks a channel and finds its head.
    ///
    /// # Errors
    /// Upstream's texts, joined by line breaks.
    pub fn new(channel: &'a Channel) -> Result<Self, String> {
        if channel.entries.is_empty() {
            return Err("channel has no entries".to_owned());
        }
        let mut errors = Vec::new();
        let mut entries = BTreeMap::new();
        let mut incoming: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in &channel.entries {
            let name = entry.name.as_str();
            if entries.contains_key(name) {
                errors.push(format!("duplicate channel entry {}", quote(name)));
                continue;
            }
            entries.insert(name, entry);
            if entry.replaces == name {
                let name = quote(name);
                errors.push(format!("invalid channel entry {name}: replaces itself"));
            }
            for skip in entry.skips.iter().filter(|skip| *skip == name) {
                let name = quote(skip);
                errors.push(format!("invalid channel entry {name}: skips itself"));
            }
            for target in edges(entry) {
                incoming.entry(target).or_default().insert(name);
            }
        }
        let names = channel.entries.iter().map(|entry| entry.name.as_str());
        let mut heads: Vec<&str> = names.filter(|name| !incoming.contains_key(name)).collect();
        heads.sort_unstable();
        let head = match *heads.as_slice() {
            [] => {
                errors.push("no channel heads found".to_owned());
                ""
            }
            [head] => head,
            _ => {
                errors.push(format!(
                    "multiple channel heads found: [{}]",
                    heads.join(" ")
                ));
                ""
            }
        };
        if !errors.is_empty() {
            return Err(errors.join("\n"));
        }
        if has_cycle(head, &entries, incoming) {
            return Err("detected a cycle in the upgrade graph of the channel".to_owned());
        }
        Ok(Self { head, entries })
    }

    /// Returns the head.
    pub fn head(&self) -> &'a str {
        self.head
    }

    /// Keeps the part of the replaces chain that holds every version in range, and the skips in range; it never makes a
    /// second head. Returns the names kept; pushes a warning for each name out of range.
    pub fn in_range(
        &self,
        range: &Constraint,
        versions: &BTreeMap<&str, Version>,
        warnings: &mut Vec<String>,
    ) -> BTreeSet<String> {
        let accepted = |name: &str| versions.get(name).is_some_and(|v| range.accepts(v));
        let chain = self.chain();
        let counts = self.counts(&chain, accepted);
        // Counts fall from head to tail: the new head is the lowest node that still has all of them at or below it.
        let most = counts.first().copied().unwrap_or_default();
        let top = counts.iter().rposition(|count| *count == most).unwrap_or(0);
        let mut kept = BTreeSet::new();
        let walk = chain.iter().zip(&counts).skip(top);
        for (name, _) in walk.take_while(|(_, count)| **count > 0) {
            match versions.get(name) {
                None => warnings.push(format!(
                    "including bundle {}: it is unversioned but is required to ensure inclusion of all bundles in the range",
                    quote(name)
                )),
                Some(version) if !range.accepts(version) => warnings.push(format!(
                    "including bundle {} with version {}: it falls outside the specified range of {} but is required to ensure inclusion of all bundles in the range",
                    quote(name),
                    quote(&version.to_string()),
                    quote(&range.to_string())
                )),
                Some(_) => {}
            }
            kept.insert((*name).to_owned());
            let skips = self.entries.get(name).map_or(&[][..], |e| &e.skips);
            kept.extend(skips.iter().filter(|s| accepted(s)).cloned());
        }
        kept
    }

    /// Head, what it replaces, and so on; it ends, because there is no cycle.
    fn chain(&self) -> Vec<&'a str> {
        let replaces = |name: &&'a str| {
            let entry = self.entries.get(name)?;
            (!entry.replaces.is_empty()).then_some(entry.replaces.as_str())
        };
        std::iter::successors(Some(self.head), replaces).collect()
    }

    /// For each chain node, how many different names in range are at or below it.
    fn counts(&self, chain: &[&str], accepted: impl Fn(&str) -> bool) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut counts: Vec<usize> = chain
            .iter()
            .rev()
            .map(|name| {
                let skips = self.entries.get(name).map_or(&[][..], |e| &e.skips);
                let names = skips.iter().map(String::as_str).chain([*name]);
                seen.extend(names.filter(|n| accepted(n)).map(str::to_owned));
                seen.len()
            })
            .collect();
        counts.reverse();
        counts
    }
}

fn edges(entry: &Entry) -> impl Iterator<Item = &str> {
    let replaces = Some(entry.replaces.as_str()).filter(|name| !name.is_empty());
    replaces
        .into_iter()
        .chain(entry.skips.iter().map(String::as_str))
}

/// Sorts topologically from the head; edges that are left over form a cycle.
fn has_cycle<'a>(
    head: &'a str,
    entries: &BTreeMap<&'a str, &'a Entry>,
    mut incoming: BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> bool {
    let mut queue = VecDeque::from([head]);
    while let Some(name) = queue.pop_front() {
        for target in entries.get(name).into_iter().flat_map(|e| edges(e)) {
            let Some(sources) = incoming.get_mut(target) else {
                continue;
            };
            sources.remove(name);
            if sources.is_empty() {
                incoming.remove(target);
                queue.push_back(target);
            }
        }
    }
    !incoming.is_empty()
}
