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
