//! From the configured channels to payloads (`imageset.md` §2.3).

use std::collections::{BTreeMap, BTreeSet};

use super::calculate::{calculate, graph, updates};
use super::paths::Path;
use super::{GraphError, GraphRequest, Graphs, Node};
use crate::config::model::{At, Located, PlatformSet, Product, ReleaseChannel};
use crate::inventory::version::{Version, blang, quote};

/// A channel with both bounds set; they are text, because upstream parses them only when it uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelRange {
    /// Channel.
    pub name: String,
    /// Whose graph.
    pub product: Product,
    /// Lower bound.
    pub min: String,
    /// Upper bound.
    pub max: String,
    /// Only the versions on the shortest path.
    pub shortest_path: bool,
}

/// A release to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedRelease {
    /// Version as the graph has it.
    pub version: String,
    /// Pull spec of the payload, verbatim from the graph.
    pub payload: String,
    /// Graph architecture it was found for.
    pub architecture: String,
    /// Channels that asked for it, sorted; empty when only the way between channels needs it.
    pub channels: Vec<String>,
}

/// What [`select_releases`] finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseSelection {
    /// Each payload once, by rising version, then payload.
    pub releases: Vec<SelectedRelease>,
    /// What a user should know, in the order found.
    pub warnings: Vec<String>,
}

/// The channel with the lowest minimum or the highest maximum; of equals the first by name.
///
/// # Errors
/// [`GraphError::NoChannels`] for an empty list, [`GraphError::Version`] for a bound that does not parse.
pub fn find_release(
    channels: &[ChannelRange],
    lowest: bool,
) -> Result<(String, Version), GraphError> {
    let mut bounds = BTreeMap::new();
    for channel in channels {
        let bound = if lowest { &channel.min } else { &channel.max };
        bounds.insert(&channel.name, blang::parse(bound)?);
    }
    let found = bounds.into_iter().reduce(|best, next| {
        let order = next.1.precedence(&best.1);
        if if lowest { order.is_lt() } else { order.is_gt() } {
            next
        } else {
            best
        }
    });
    let (name, version) = found.ok_or(GraphError::NoChannels)?;
    Ok((name.clone(), version))
}

/// The releases of one channel: the range, or the shortest path with both ends. May be empty, as in upstream v1.
///
/// # Errors
/// Bounds that do not parse; for a shortest path, bounds that are no nodes.
pub async fn channel_releases(
    graphs: &dyn Graphs,
    arch: &str,
    channel: &ChannelRange,
) -> Result<Vec<Node>, GraphError> {
    let (min, max) = (blang::parse(&channel.min)?, blang::parse(&channel.max)?);
    let request = GraphRequest::new(channel.product, arch, &channel.name);
    if channel.shortest_path {
        return Ok(ends_and_path(updates(graphs, request, &min, &max).await?));
    }
    let found = graph(graphs, &request).await?;
    Ok(found.between(&min, &max).into_iter().cloned().collect())
}

/// The releases on the way from the lowest minimum to the highest maximum of the OCP channels; none without any.
///
/// # Errors
/// As [`calculate`] and [`find_release`], with upstream's words before them.
pub async fn cross_channel_releases(
    graphs: &dyn Graphs,
    arch: &str,
    channels: &[ChannelRange],
    warnings: &mut Vec<String>,
) -> Result<Vec<Node>, GraphError> {
    let ocp = channels.iter().filter(|c| c.product == Product::Ocp);
    let ocp: Vec<_> = ocp.cloned().collect();
    if ocp.is_empty() {
        return Ok(Vec::new());
    }
    let (first, min) =
        find_release(&ocp, true).map_err(|e| e.during("failed to find minimum release version"))?;
    let (last, max) = find_release(&ocp, false)
        .map_err(|e| e.during("failed to find maximum release version"))?;
    for (lowest, name, version) in [(true, &first, &min), (false, &last, &max)] {
        warnings.extend(tie(&ocp, lowest, name, version));
    }
    let way = calculate(graphs, arch, (&first, &min), (&last, &max), warnings).await;
    let way = way.map_err(|e| e.during("failed to get upgrade graph"))?;
    Ok(ends_and_path(way))
}

/// Tells when other channels have the same bound: upstream then takes any of them.
fn tie(channels: &[ChannelRange], lowest: bool, name: &str, version: &Version) -> Option<String> {
    let bound = |c: &ChannelRange| blang::parse(if lowest { &c.min } else { &c.max });
    let same = |c: &&ChannelRange| bound(c).is_ok_and(|v| v.same(version));
    let others = channels.iter().filter(same).map(|c| c.name.as_str());
    let others: BTreeSet<_> = others.filter(|other| *other != name).collect();
    let others: Vec<_> = others.into_iter().collect();
    (!others.is_empty()).then(|| {
        let end = if lowest { "starts" } else { "ends" };
        let others = others.join(", ");
        format!(
            "the way between channels {end} with {version} in {name}; {others} would do as well"
        )
    })
}

fn ends_and_path(way: Path) -> Vec<Node> {
    let mut all = vec![way.current, way.requested];
    all.extend(way.path);
    all
}

/// Finds the payloads that a configuration asks for, for one architecture.
///
/// Stricter than upstream v1 in one thing: a channel whose range holds no release is an error with the nearest versions.
///
/// # Errors
/// All that is wrong, channel by channel.
pub async fn select_releases(
    platform: &PlatformSet,
    arch: &str,
    graphs: &dyn Graphs,
) -> Result<ReleaseSelection, Vec<GraphError>> {
    let mut found: BTreeMap<String, (Version, BTreeSet<String>)> = BTreeMap::new();
    let (mut errors, mut ranges, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for channel in &platform.channels {
        match configured(channel, arch, graphs, &mut warnings).await {
            Ok((range, nodes)) => {
                for node in nodes {
                    let entry = found.entry(node.payload);
                    let entry = entry.or_insert_with(|| (node.version, BTreeSet::new()));
                    entry.1.insert(range.name.clone());
                }
                ranges.push(range);
            }
            Err(error) => errors.push(error),
        }
    }
    let ocp = ranges
        .iter()
        .filter(|range| range.product == Product::Ocp)
        .count();
    if errors.is_empty() && ocp > 1 {
        match cross_channel_releases(graphs, arch, &ranges, &mut warnings).await {
            Ok(nodes) => {
                for node in nodes {
                    let entry = found.entry(node.payload);
                    entry.or_insert_with(|| (node.version, BTreeSet::new()));
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|(_, (a, _)), (_, (b, _))| a.precedence(b));
    let releases = found
        .into_iter()
        .map(|(payload, (version, channels))| SelectedRelease {
            version: version.to_string(),
            payload,
            architecture: arch.to_owned(),
            channels: channels.into_iter().collect(),
        });
    Ok(ReleaseSelection {
        releases: releases.collect(),
        warnings,
    })
}

/// Fills in the bounds of a configured channel and finds its releases, of which there must be some.
async fn configured(
    channel: &ReleaseChannel,
    arch: &str,
    graphs: &dyn Graphs,
    warnings: &mut Vec<String>,
) -> Result<(ChannelRange, Vec<Node>), GraphError> {
    let max_at = channel
        .max_version
        .as_ref()
        .or(channel.min_version.as_ref());
    let at = max_at.map_or(channel.name.at, |bound| bound.at);
    let range = bounds(channel, arch, graphs)
        .await
        .map_err(|e| e.at(channel.name.at))?;
    let nodes = channel_releases(graphs, arch, &range).await;
    let nodes = nodes.map_err(|e| e.at(at))?;
    let request = GraphRequest::new(channel.product, arch, &range.name);
    if nodes.is_empty() {
        let nearest = graph(graphs, &request).await?.nearest(&range.max);
        let empty = GraphError::EmptyRange {
            channel: range.name,
            arch: arch.to_owned(),
            min: range.min,
            max: range.max,
            nearest,
        };
        return Err(empty.at(at));
    }
    let written = [&channel.min_version, &channel.max_version];
    for bound in written.into_iter().flatten() {
        let version = blang::parse(&bound.value)?;
        if nodes.iter().all(|node| !node.version.same(&version)) {
            let line = place(bound.at);
            warnings.push(format!(
                "channel {} has no release {version} for {arch}; the bound{line} takes what lies inside it",
                quote(&range.name)
            ));
        }
    }
    Ok((range, nodes))
}

fn place(at: At) -> String {
    if at == At::default() {
        String::new()
    } else {
        format!(" at line {}", at.line)
    }
}

/// The bounds of a channel: as written, else from the graph.
async fn bounds(
    channel: &ReleaseChannel,
    arch: &str,
    graphs: &dyn Graphs,
) -> Result<ChannelRange, GraphError> {
    let name = &channel.name.value;
    let request = GraphRequest::new(channel.product, arch, name);
    let text = |bound: &Option<Located<String>>| bound.as_ref().map(|b| b.value.clone());
    let (mut min, mut max) = (text(&channel.min_version), text(&channel.max_version));
    if max.is_none() {
        let highest = graph(graphs, &request).await?.highest(arch, name)?;
        max = Some(highest.to_string());
        if min.is_none() && !channel.full {
            min.clone_from(&max);
        }
    }
    if min.is_none() {
        let lowest = graph(graphs, &request).await?.lowest(arch, name)?;
        min = Some(lowest.to_string());
    }
    Ok(ChannelRange {
        name: name.clone(),
        product: channel.product,
        min: min.unwrap_or_default(),
        max: max.unwrap_or_default(),
        shortest_path: channel.shortest_path,
    })
}
