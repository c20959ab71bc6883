//! v1: the bundles on the way from a bundle to its channel's head, along `replaces` only.
//!
//! Source: oc-mirror v1 `diff_include.go` (`fillUpgradeGraph`, `findIntersectingBundles`); `imageset.md` §3.5 "Fill graph".

use std::collections::{BTreeMap, BTreeSet};

use super::super::validate::ModelChannel;

/// The replaces edges of a channel, upward: who replaces a bundle.
#[derive(Debug)]
pub(super) struct Upgrades<'m, 'a> {
    channel: &'m ModelChannel<'a>,
    replacers: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'m, 'a> Upgrades<'m, 'a> {
    pub(super) fn of(channel: &'m ModelChannel<'a>) -> Self {
        let mut replacers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, bundle) in &channel.0 {
            if !bundle.entry.replaces.is_empty() {
                let above = replacers.entry(&bundle.entry.replaces).or_default();
                above.push(name);
            }
        }
        Self { channel, replacers }
    }

    fn replaces(&self, name: &str) -> Option<&'a str> {
        let entry = self.channel.0.get(name)?.entry;
        Some(entry.replaces.as_str()).filter(|name| !name.is_empty())
    }

    /// `start` and what it replaces, down to the first name that is no bundle of the channel or comes a second time.
    fn chain(&self, start: &'a str) -> Vec<&'a str> {
        let mut chain = vec![start];
        while let Some(next) = chain.last().and_then(|name| self.replaces(name)) {
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        chain
    }

    /// All bundles between `start` and `head`, both included; `None` when no chain joins them.
    pub(super) fn fill(&self, start: &'a str, head: &'a str) -> Option<BTreeSet<&'a str>> {
        if start == head {
            return Some(BTreeSet::from([head]));
        }
        let start_chain = self.chain(start);
        let head_chain = self.chain(head);
        let mut meeting = head_chain.into_iter();
        let meeting = meeting.find(|name| start_chain.contains(name))?;
        let mut filled = BTreeSet::new();
        let mut next: Vec<&str> = self.above(meeting).to_vec();
        while let Some(name) = next.pop() {
            if filled.insert(name) {
                next.extend(self.above(name));
            }
        }
        for name in start_chain.iter().take_while(|name| **name != meeting) {
            filled.remove(name);
        }
        filled.extend([start, head]);
        Some(filled)
    }

    fn above(&self, name: &str) -> &[&'a str] {
        self.replacers.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::validate::ModelBundle;
    use super::*;
    use crate::inventory::catalog::model::Entry;
    use crate::inventory::version::Version;

    /// The graph of oc-mirror's `TestFindIntersectingBundles`: replaces only, since `skips` are not followed.
    const EDGES: [(&str, &str); 9] = [
        ("0.1.0", ""),
        ("0.1.1", "0.1.0"),
        ("0.2.0", "0.1.1"),
        ("0.3.0", "0.2.0"),
        ("1.0.0", "0.1.0"),
        ("1.1.0", "1.0.0"),
        ("2.0.0", "0.1.0"),
        ("2.1.0", "2.0.0"),
        ("3.0.0", "1.1.0"),
    ];

    #[test]
    fn fills_as_upstream() {
        let all: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
        let entries = EDGES.map(|(name, replaces)| Entry {
            name: name.to_owned(),
            replaces: replaces.to_owned(),
            skips: Vec::new(),
        });
        let bundle = |entry| ModelBundle {
            entry,
            blob: None,
            version: Version::default(),
        };
        let bundles = entries.iter().map(|e| (e.name.as_str(), bundle(e)));
        let channel = ModelChannel(bundles.collect());
        let upgrades = Upgrades::of(&channel);
        let rows = [
            ("0.2.0", "0.2.0", &["0.2.0"][..]),
            ("0.1.0", "3.0.0", &all[..]),
            ("0.2.0", "3.0.0", &all[2..]),
            ("0.1.1", "0.3.0", &["0.1.1", "0.2.0", "0.3.0"]),
            ("0.1.1", "2.0.0", &all[1..]),
        ];
        for (start, end, wanted) in rows {
            let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
            assert_eq!(upgrades.fill(start, end), Some(wanted), "{start} to {end}");
        }
        assert_eq!(upgrades.fill("0.2.0", "elsewhere"), None);
    }
}
