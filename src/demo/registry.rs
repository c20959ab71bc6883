//! The sample's registry: a store in a temporary directory, served on loopback by the same code as `precache serve`.

use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::sample::{self, Sample};
use crate::cli::{Exit, Failure};
use crate::io::atomic;
use crate::node::registry;
use crate::store::{IndexEntry, Store};

/// Hosts whose images the sample has.
const HOSTS: [&str; 2] = ["quay.io", "registry.redhat.io"];

/// A running registry; stops when dropped.
pub(super) struct Registry {
    graph: PathBuf,
    conf: PathBuf,
    _stop: DropGuard,
    _runtime: tokio::runtime::Runtime,
}

impl Registry {
    /// Makes the sample in `dir` and serves it on a free port.
    pub(super) fn start(dir: &Path) -> Result<Self, Failure> {
        let io = |e: std::io::Error| Failure::new(Exit::Io, format!("cannot make the sample: {e}"));
        let sample = sample::make().map_err(io)?;
        let store = fill(&dir.join("registry"), &sample)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(io)?;
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .map_err(io)?;
        let port = listener.local_addr().map_err(io)?.port();
        let stop = CancellationToken::new();
        let served = registry::Registry::open(store)?;
        runtime.spawn(registry::serve(
            served,
            listener,
            None,
            stop.clone().cancelled_owned(),
        ));
        let (graph, conf) = (dir.join("graph.json"), dir.join("registries.conf"));
        atomic::write(&graph, sample.graph.to_string().as_bytes()).map_err(io)?;
        atomic::write(&conf, registries_conf(port).as_bytes()).map_err(io)?;
        Ok(Self {
            graph,
            conf,
            _stop: stop.drop_guard(),
            _runtime: runtime,
        })
    }
}

impl Registry {
    /// The flags that lead a command here. The sample is not signed, and its graph is a file: nothing is asked of the outside.
    pub(super) fn flags(&self) -> Vec<String> {
        let (graph, conf) = (
            self.graph.display().to_string(),
            self.conf.display().to_string(),
        );
        vec![
            "--graph".to_owned(),
            graph,
            "--registries-conf".to_owned(),
            conf,
            "--ignore-release-signature".to_owned(),
        ]
    }
}

fn fill(dir: &Path, sample: &Sample) -> Result<Store, Failure> {
    let store = Store::create(dir)?;
    for (digest, bytes) in &sample.blobs {
        fs_err::write(store.blob_path(digest), bytes)
            .map_err(|e| Failure::new(Exit::Io, e.to_string()))?;
    }
    let mut entries = Vec::new();
    for (reference, manifest) in &sample.manifests {
        store.put_manifest(manifest)?;
        entries.push(IndexEntry::new(reference, manifest.descriptor().clone()));
    }
    store.replace_index(entries)?;
    Ok(store)
}

fn registries_conf(port: u16) -> String {
    let entry = |host: &str| {
        format!(
            "[[registry]]\nprefix = \"{host}\"\nlocation = \"127.0.0.1:{port}/{host}\"\ninsecure = true\n"
        )
    };
    HOSTS.map(entry).join("\n")
}
