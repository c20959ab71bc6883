//! The way between channels, minor by minor (`imageset.md` §2.2 "calculate").

use std::collections::BTreeSet;
use std::sync::Arc;

use super::paths::{ChannelName, Path, channel_names};
use super::{Graph, GraphError, GraphRequest, Graphs, Node};
use crate::config::model::Product;
use crate::inventory::version::{Version, quote};

pub(super) async fn graph(
    graphs: &dyn Graphs,
    request: &GraphRequest,
) -> Result<Arc<Graph>, GraphError> {
    graphs.graph(request).await.map_err(|detail| {
        let context = match &request.version {
            Some(version) => format!("version {version} in channel {}", request.channel),
            None => format!("channel {}", quote(&request.channel)),
        };
        GraphError::Request { context, detail }
    })
}

pub(super) async fn updates(
    graphs: &dyn Graphs,
    request: GraphRequest,
    from: &Version,
    to: &Version,
) -> Result<Path, GraphError> {
    let request = request.starting_at(from);
    let found = graph(graphs, &request).await?;
    found.shortest_path(&request.channel, from, to)
}

async fn is_blocked(
    graphs: &dyn Graphs,
    request: &GraphRequest,
    version: &Version,
) -> Result<bool, GraphError> {
    let found = graph(graphs, request).await?;
    // An empty channel is an error, not a block.
    found.versions(&request.channel)?;
    Ok(found.is_blocked(version))
}

/// One end of a cross-channel way.
type Stop<'a> = (&'a str, &'a Version);

/// The way from a version in one channel to a version in another, minor by minor.
///
/// When a channel on the way does not know the version to start from, the way stops there: the result is what was
/// found so far and the requested release, with a warning.
///
/// # Errors
/// As the operations of [`Graph`], with `channel "C": ` before errors of the first channel.
pub async fn calculate(
    graphs: &dyn Graphs,
    arch: &str,
    source: Stop<'_>,
    target: Stop<'_>,
    warnings: &mut Vec<String>,
) -> Result<Path, GraphError> {
    let ((source_channel, from), (target_channel, to)) = (source, target);
    let request = |channel: &str| GraphRequest::new(Product::Ocp, arch, channel);
    if source_channel == target_channel {
        return updates(graphs, request(target_channel), from, to).await;
    }
    let (source_name, target_name) = channel_names(source_channel, target_channel)?;
    if source_name.version == target_name.version {
        let target = request(target_channel);
        if is_blocked(graphs, &target, from).await? {
            warnings.push(blocked(from, target_channel));
            return updates(graphs, target, to, to).await;
        }
        return updates(graphs, target, from, to).await;
    }
    let in_source = |e: GraphError| e.during(format!("channel {}", quote(source_channel)));
    let first = request(source_channel);
    let latest = graph(graphs, &first).await.map_err(in_source)?;
    let latest = latest.highest(arch, source_channel).map_err(in_source)?;
    let mut way = updates(graphs, first, from, &latest)
        .await
        .map_err(in_source)?;
    let steps = Steps {
        graphs,
        arch,
        prefix: source_name.prefix.clone(),
        target_channel,
        target: target_name,
        to,
    };
    let backwards = GraphError::Backwards {
        source_channel: source_channel.to_owned(),
        target_channel: target_channel.to_owned(),
    };
    way.requested = steps
        .walk(source_name.version, latest, &mut way.path, warnings)
        .await?
        .ok_or(backwards)?;
    let mut seen = BTreeSet::new();
    way.path.retain(|node| seen.insert(node.payload.clone()));
    Ok(way)
}

fn blocked(version: &Version, channel: &str) -> String {
    format!("No upgrade path for {version} in target channel {channel}")
}

/// The channels between source and target, exclusive of the source.
struct Steps<'a> {
    graphs: &'a dyn Graphs,
    arch: &'a str,
    prefix: String,
    target_channel: &'a str,
    target: ChannelName,
    to: &'a Version,
}

impl Steps<'_> {
    /// Extends `path` to the target; returns the requested node, or nothing when the target lies behind.
    async fn walk(
        &self,
        mut source: Version,
        mut start: Version,
        path: &mut Vec<Node>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Node>, GraphError> {
        // EUS channels exist for even minors only.
        let step = if self.prefix == "eus" { 2 } else { 1 };
        loop {
            source.minor = source.minor.saturating_add(step);
            if source.precedence(&self.target.version).is_gt()
                || source.major < self.target.version.major
            {
                return Ok(None);
            }
            let last = source == self.target.version;
            let channel = if last {
                self.target_channel.to_owned()
            } else {
                format!("{}-{}.{}", self.prefix, source.major, source.minor)
            };
            let request = GraphRequest::new(Product::Ocp, self.arch, &channel);
            let goal = if last {
                self.to.clone()
            } else {
                let found = graph(self.graphs, &request).await?;
                found.highest(self.arch, &channel)?
            };
            if is_blocked(self.graphs, &request, &start).await? {
                warnings.push(blocked(&start, self.target_channel));
                let target = GraphRequest::new(Product::Ocp, self.arch, self.target_channel);
                // Upstream looks for the step's goal in the target channel.
                let found = updates(self.graphs, target, &goal, &goal).await?;
                return Ok(Some(found.requested));
            }
            let found = updates(self.graphs, request, &start, &goal).await?;
            path.extend(found.path);
            if last {
                return Ok(Some(found.requested));
            }
            start = goal;
        }
    }
}
