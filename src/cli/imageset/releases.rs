//! `imageset releases`: what a channel of the update graph has.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::resolve::graph_source;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Categorised, Exit, Failure, several};
use crate::cli::global::RegistryFlags;
use crate::config::model::{Located, PlatformSet, Product, ReleaseChannel};
use crate::inventory::SourcedGraphs;
use crate::inventory::graph::{GraphError, SelectedRelease, select_releases};
use crate::ui::table;

/// Flags of `releases`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  snoforge imageset releases --channel stable-4.13\n  snoforge imageset releases --channel stable-4.13 --min 4.13.1 --max 4.13.9 --shortest-path --graph saved.json"
)]
pub(crate) struct Releases {
    /// Update channel.
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// Lowest version.
    #[arg(long, value_name = "X.Y.Z")]
    min: Option<String>,
    /// Highest version.
    #[arg(long, value_name = "X.Y.Z")]
    max: Option<String>,
    /// Only the versions on the shortest upgrade path from --min to --max.
    #[arg(long, requires = "min", requires = "max")]
    shortest_path: bool,
    /// Architecture of the graph: amd64, arm64, ppc64le, s390x, multi.
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    arch: String,
    /// Saved graph to read instead of asking the service.
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    registries: RegistryFlags,
}

impl Releases {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let platform = self.platform();
        let source = graph_source(self.graph.as_deref())?;
        let documents = self.registries.web()?;
        let graphs = SourcedGraphs::new(&source, &documents)?;
        let found = block_on(async {
            select_releases(&platform, &self.arch, &graphs)
                .await
                .map_err(|e| several(&e))
        })?;
        found
            .warnings
            .iter()
            .for_each(|warning| context.warn(warning));
        let row = |r: &SelectedRelease| json!({"version": r.version, "payload": r.payload, "architecture": r.architecture});
        let document = json!({"channel": self.channel, "releases": found.releases.iter().map(row).collect::<Vec<_>>()});
        context.result(&document, || {
            let rows = found
                .releases
                .iter()
                .map(|r| vec![r.version.clone(), r.payload.clone()])
                .collect();
            table::render(&["VERSION", "PAYLOAD"], rows, &[])
        })
    }

    /// The flags as an image set would say them; without bounds the whole channel.
    fn platform(&self) -> PlatformSet {
        let bound = |version: &Option<String>| version.clone().map(Located::from);
        let channel = ReleaseChannel {
            name: self.channel.clone().into(),
            product: Product::Ocp,
            min_version: bound(&self.min),
            max_version: bound(&self.max),
            shortest_path: self.shortest_path,
            full: self.min.is_none() || self.max.is_none(),
        };
        PlatformSet {
            channels: vec![channel],
            architectures: vec![self.arch.clone()],
            ..PlatformSet::default()
        }
    }
}

impl Categorised for GraphError {
    fn exit(&self) -> Exit {
        if self.is_unavailable() {
            Exit::Remote
        } else {
            Exit::Usage
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
