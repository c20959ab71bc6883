//! Pure questions about one graph (`imageset.md` §2.2), and channel names.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use super::{End, Graph, GraphError, Node};
use crate::inventory::catalog::nearest;
use crate::inventory::version::{Version, blang};

/// A way through a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The start.
    pub current: Node,
    /// The goal.
    pub requested: Node,
    /// From start to goal, both included; empty when no way leads there.
    pub path: Vec<Node>,
}

impl Graph {
    /// Versions, rising.
    ///
    /// # Errors
    /// [`GraphError::NoVersions`] when there is none.
    pub fn versions(&self, channel: &str) -> Result<Vec<Version>, GraphError> {
        let mut versions: Vec<_> = self.nodes.iter().map(|n| n.version.clone()).collect();
        if versions.is_empty() {
            return Err(GraphError::NoVersions {
                arch: None,
                channel: channel.to_owned(),
            });
        }
        versions.sort_by(Version::precedence);
        Ok(versions)
    }

    /// The lowest version.
    ///
    /// # Errors
    /// [`GraphError::NoVersions`] when there is none.
    pub fn lowest(&self, arch: &str, channel: &str) -> Result<Version, GraphError> {
        let versions = self.nodes.iter().map(|n| &n.version);
        let lowest = versions.min_by(|a, b| a.precedence(b));
        lowest.cloned().ok_or_else(|| no_versions(arch, channel))
    }

    /// The highest version.
    ///
    /// # Errors
    /// [`GraphError::NoVersions`] when there is none.
    pub fn highest(&self, arch: &str, channel: &str) -> Result<Version, GraphError> {
        let versions = self.nodes.iter().map(|n| &n.version);
        let highest = versions.max_by(|a, b| a.precedence(b));
        highest.cloned().ok_or_else(|| no_versions(arch, channel))
    }

    /// The nodes from `min` to `max`, both included, in graph order. Empty is no error here, as in upstream v1.
    pub fn between(&self, min: &Version, max: &Version) -> Vec<&Node> {
        let inside = |v: &Version| {
            v.precedence(min) != Ordering::Less && v.precedence(max) != Ordering::Greater
        };
        self.nodes.iter().filter(|n| inside(&n.version)).collect()
    }

    /// Whether a version is no node, so that nobody can start from it in this channel.
    pub fn is_blocked(&self, version: &Version) -> bool {
        self.find(version).is_none()
    }

    fn find(&self, version: &Version) -> Option<usize> {
        self.nodes.iter().position(|n| n.version.same(version))
    }

    /// Up to five versions around one that does not exist, rising.
    pub(super) fn nearest(&self, version: &str) -> Vec<String> {
        let all: Vec<_> = self.nodes.iter().map(|n| n.version.to_string()).collect();
        let near = nearest::versions(version, all.iter().map(String::as_str), 5);
        near.into_iter().map(str::to_owned).collect()
    }

    /// The shortest way; of several equally short ones that with the largest jumps first.
    ///
    /// # Errors
    /// [`GraphError::VersionNotFound`] when either end is no node. That no way leads there is no error.
    pub fn shortest_path(
        &self,
        channel: &str,
        from: &Version,
        to: &Version,
    ) -> Result<Path, GraphError> {
        let missing = |end, version: &Version| GraphError::VersionNotFound {
            end,
            version: version.to_string(),
            channel: channel.to_owned(),
            nearest: self.nearest(&version.to_string()),
        };
        let node = |end, version: &Version| {
            let index = self.find(version);
            index
                .and_then(|i| Some((i, self.nodes.get(i)?)))
                .ok_or_else(|| missing(end, version))
        };
        let (start, current) = node(End::Current, from)?;
        let (goal, requested) = node(End::Requested, to)?;
        let path = self.walk(start, goal);
        let path = path.into_iter().filter_map(|i| self.nodes.get(i)).cloned();
        Ok(Path {
            current: current.clone(),
            requested: requested.clone(),
            path: path.collect(),
        })
    }

    /// Breadth first, neighbours in falling version order; indices from start to goal.
    fn walk(&self, start: usize, goal: usize) -> Vec<usize> {
        let mut neighbours: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, to) in &self.edges {
            neighbours.entry(*from).or_default().push(*to);
        }
        for to in neighbours.values_mut() {
            to.sort_by(|a, b| match (self.nodes.get(*a), self.nodes.get(*b)) {
                (Some(a), Some(b)) => b.version.precedence(&a.version),
                _ => Ordering::Equal,
            });
        }
        let mut came_from = BTreeMap::from([(start, start)]);
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front().filter(|node| *node != goal) {
            for next in neighbours.get(&node).into_iter().flatten() {
                came_from.entry(*next).or_insert_with(|| {
                    queue.push_back(*next);
                    node
                });
            }
        }
        if !came_from.contains_key(&goal) {
            return Vec::new();
        }
        let before = |node: &usize| came_from.get(node).copied().filter(|_| *node != start);
        let mut path: Vec<_> = std::iter::successors(Some(goal), before).collect();
        path.reverse();
        path
    }
}

fn no_versions(arch: &str, channel: &str) -> GraphError {
    GraphError::NoVersions {
        arch: Some(arch.to_owned()),
        channel: channel.to_owned(),
    }
}

/// A channel's name in its parts: `stable-4.13`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelName {
    /// `stable`; may hold dashes.
    pub prefix: String,
    /// `4.13.0`.
    pub version: Version,
}

impl ChannelName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`GraphError::ChannelName`] without a dash, [`GraphError::Version`] when no `X.Y` follows it.
    pub fn parse(name: &str) -> Result<Self, GraphError> {
        let (prefix, version) = split(name)?;
        Ok(Self {
            prefix: prefix.to_owned(),
            version: blang::parse(&format!("{version}.0"))?,
        })
    }
}

fn split(name: &str) -> Result<(&str, &str), GraphError> {
    name.rsplit_once('-')
        .ok_or_else(|| GraphError::ChannelName(name.to_owned()))
}

/// Parses the names of a source and a target channel; both are split before either version is read, as upstream does.
///
/// # Errors
/// As [`ChannelName::parse`].
pub fn channel_names(source: &str, target: &str) -> Result<(ChannelName, ChannelName), GraphError> {
    split(source)?;
    split(target)?;
    Ok((ChannelName::parse(source)?, ChannelName::parse(target)?))
}
