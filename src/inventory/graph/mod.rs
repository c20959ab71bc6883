//! Update graphs: which releases a channel has, and which of them a configuration asks for.
//!
//! Format: the Cincinnati graph API v1, `{"nodes":[{"version","payload","metadata"}],"edges":[[from,to],…]}`;
//! rules: `imageset.md` §2.1–2.3 (oc-mirror v1 `pkg/cincinnati`, `pkg/cli/mirror/release.go`). Conditional edges are not used.
//! Error texts are upstream's. Graphs come from the caller ([`Graphs`]): the service or a saved file.

mod calculate;
mod paths;
mod select;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use url::form_urlencoded;

use super::version::{Version, VersionError, blang, quote};
use crate::config::model::{At, Product};

pub use calculate::calculate;
pub use paths::{ChannelName, Path, channel_names};
pub use select::{
    ChannelRange, ReleaseSelection, SelectedRelease, channel_releases, cross_channel_releases,
    find_release, select_releases,
};

/// A release in a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Version.
    pub version: Version,
    /// Pull spec of the payload, as the graph has it.
    pub payload: String,
    /// Free text by name.
    pub metadata: BTreeMap<String, String>,
}

/// The graph of one channel and architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Releases, in the service's order.
    pub nodes: Vec<Node>,
    /// Updates as pairs of indices into `nodes`; every index is in range.
    edges: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
struct RawNode {
    #[serde(default)]
    version: String,
    #[serde(default)]
    payload: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawGraph {
    #[serde(default)]
    nodes: Option<Vec<RawNode>>,
    #[serde(default)]
    edges: Option<Vec<Vec<i64>>>,
}

impl Node {
    /// Parses one node.
    ///
    /// # Errors
    /// [`GraphError::Content`], or [`GraphError::Version`] with blang's text.
    pub fn parse(json: &[u8]) -> Result<Self, GraphError> {
        serde_json::from_slice::<RawNode>(json)
            .map_err(|e| content(e.to_string()))?
            .try_into()
    }
}

impl TryFrom<RawNode> for Node {
    type Error = GraphError;

    fn try_from(raw: RawNode) -> Result<Self, GraphError> {
        Ok(Self {
            version: blang::parse(&raw.version)?,
            payload: raw.payload,
            metadata: raw.metadata.unwrap_or_default(),
        })
    }
}

fn content(detail: String) -> GraphError {
    GraphError::Content { detail }
}

impl Graph {
    /// Parses a graph.
    ///
    /// # Errors
    /// [`GraphError::Content`] for what is no graph (an edge must be two indices of nodes), [`GraphError::Version`] for a
    /// version that is not strict semver.
    pub fn parse(json: &[u8]) -> Result<Self, GraphError> {
        let raw: RawGraph = serde_json::from_slice(json).map_err(|e| content(e.to_string()))?;
        let nodes = raw.nodes.unwrap_or_default().into_iter();
        let nodes = nodes.map(Node::try_from).collect::<Result<Vec<_>, _>>()?;
        let mut edges = Vec::new();
        for edge in raw.edges.unwrap_or_default() {
            let [from, to] = edge.as_slice() else {
                let found = edge.len();
                return Err(content(format!("expected 2 fields, found {found}")));
            };
            let index = |i: i64| usize::try_from(i).ok().filter(|i| *i < nodes.len());
            let (Some(from), Some(to)) = (index(*from), index(*to)) else {
                let count = nodes.len();
                return Err(content(format!(
                    "edge [{from},{to}] leads out of the {count} nodes"
                )));
            };
            edges.push((from, to));
        }
        Ok(Self { nodes, edges })
    }
}

/// Which graph is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GraphRequest {
    /// OKD has one graph for everything.
    pub okd: bool,
    /// `amd64`, …, `multi`.
    pub arch: String,
    /// `stable-4.13`.
    pub channel: String,
    /// The version to start from; sent for shortest paths only.
    pub version: Option<String>,
}

impl GraphRequest {
    /// The request for a channel.
    pub fn new(product: Product, arch: &str, channel: &str) -> Self {
        Self {
            okd: product == Product::Okd,
            arch: arch.to_owned(),
            channel: channel.to_owned(),
            version: None,
        }
    }

    fn starting_at(mut self, version: &Version) -> Self {
        self.version = Some(version.to_string());
        self
    }

    /// The query string, `id` being the client's UUID; empty for OKD.
    pub fn query(&self, id: &str) -> String {
        if self.okd {
            return String::new();
        }
        let pairs = [
            ("arch", self.arch.as_str()),
            ("channel", &self.channel),
            ("id", id),
            ("version", self.version.as_deref().unwrap_or_default()),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(given)
            .finish()
    }

    /// The default address of the graph service.
    pub fn service(&self) -> &'static str {
        if self.okd {
            "https://origin-release.ci.openshift.org/graph"
        } else {
            "https://api.openshift.com/api/upgrades_info/v1/graph"
        }
    }
}

/// Where graphs come from. The same request may be made several times: implementations should remember answers.
#[async_trait]
pub trait Graphs: Send + Sync {
    /// Gets a graph.
    ///
    /// # Errors
    /// One clause without secrets; for an HTTP status, [`bad_status`].
    async fn graph(&self, request: &GraphRequest) -> Result<Arc<Graph>, String>;
}

/// Words an HTTP status as upstream does: `ResponseFailed: unexpected HTTP status: 404 Not Found`.
pub fn bad_status(status: &str) -> String {
    format!("ResponseFailed: unexpected HTTP status: {status}")
}

/// Which end of a path is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The start.
    Current,
    /// The goal.
    Requested,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Requested => "requested",
        }
    }
}

/// Why releases cannot be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The graph is not what it should be.
    #[error("ResponseInvalid: {detail}")]
    Content {
        /// What is wrong.
        detail: String,
    },
    /// The graph could not be had.
    #[error("APIRequestError: {context}: {detail}")]
    Request {
        /// `channel "C"`, or `version V in channel C`.
        context: String,
        /// What happened.
        detail: String,
    },
    /// A channel without releases.
    #[error("NoVersionsFound: no cluster versions found{} in the {} channel", for_arch(.arch.as_ref()), quote(.channel))]
    NoVersions {
        /// Architecture, where the operation names it.
        arch: Option<String>,
        /// Channel.
        channel: String,
    },
    /// A version that the channel does not have.
    #[error("VersionNotFound: {} version {version} not found in the {} channel", .end.name(), quote(.channel))]
    VersionNotFound {
        /// Which end of the path it is.
        end: End,
        /// Version.
        version: String,
        /// Channel.
        channel: String,
        /// The nearest versions of the channel, rising.
        nearest: Vec<String>,
    },
    /// A range without releases. Upstream v1 goes on in silence, v2 says `no release images found`.
    #[error("no release images found: channel {} has no release from {min} to {max} for {arch}", quote(.channel))]
    EmptyRange {
        /// Channel.
        channel: String,
        /// Architecture.
        arch: String,
        /// Lower bound.
        min: String,
        /// Upper bound.
        max: String,
        /// The nearest versions of the channel, rising.
        nearest: Vec<String>,
    },
    /// A channel that is not called `prefix-X.Y`.
    #[error("invalid channel name {0}")]
    ChannelName(String),
    /// The channel of the lowest version is newer than that of the highest.
    #[error("no way from channel {source_channel} to channel {target_channel}")]
    Backwards {
        /// Channel of the lowest version.
        source_channel: String,
        /// Channel of the highest version.
        target_channel: String,
    },
    /// No channel to look in.
    #[error("no previous release downloads detected")]
    NoChannels,
    /// A version that is not strict semver.
    #[error("{0}")]
    Version(#[from] VersionError),
    /// Any of these with upstream's words before it.
    #[error("{what}: {error}")]
    While {
        /// What was being done.
        what: String,
        /// What went wrong.
        error: Box<GraphError>,
    },
    /// Any of these with the place of the value in the configuration.
    #[error("{error}")]
    Placed {
        /// The place.
        at: At,
        /// What went wrong.
        error: Box<GraphError>,
    },
}

fn for_arch(arch: Option<&String>) -> String {
    arch.map(|arch| format!(" for {}", quote(arch)))
        .unwrap_or_default()
}

impl GraphError {
    fn during(self, what: impl Into<String>) -> Self {
        Self::While {
            what: what.into(),
            error: Box::new(self),
        }
    }

    fn at(self, at: At) -> Self {
        if at == At::default() {
            return self;
        }
        Self::Placed {
            at,
            error: Box::new(self),
        }
    }

    /// Returns the place of the offending value in the configuration.
    pub fn place(&self) -> Option<At> {
        match self {
            Self::Placed { at, .. } => Some(*at),
            Self::While { error, .. } => error.place(),
            _ => None,
        }
    }

    /// Whether the graph could not be had at all, so that releases must be found in another way.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Request { .. } => true,
            Self::While { error, .. } | Self::Placed { error, .. } => error.is_unavailable(),
            _ => false,
        }
    }

    /// Returns advice for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::VersionNotFound { nearest, .. } | Self::EmptyRange { nearest, .. } => {
                (!nearest.is_empty()).then(|| format!("nearest versions: {}", nearest.join(", ")))
            }
            Self::NoVersions { .. } => Some("check the channel's name and the architecture".into()),
            Self::ChannelName(_) => Some("a channel is called like stable-4.13".into()),
            Self::While { error, .. } | Self::Placed { error, .. } => error.hint(),
            Self::Request { .. } => {
                Some("give a saved graph file, or the release image itself".into())
            }
            _ => None,
        }
    }
}
