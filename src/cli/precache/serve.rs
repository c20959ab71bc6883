//! `precache serve` and `node serve`: the store as a read-only registry.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;

use super::plan::DataDir;
use crate::cli::context::{Context, block_on, env, on_interrupt};
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::inventory::lock::Inventory;
use crate::node::registry::{Registry, RegistryError, serve};

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
}

impl Serve {
    /// Serves until interrupted.
    ///
    /// # Errors
    /// No data directory, or the address cannot be listened on.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let registry = registry(&data, data.inventory().ok().as_ref())?;
        let repositories = registry.repositories();
        block_on(async {
            let listener = TcpListener::bind(self.listen).await.map_err(|e| {
                let failure = Failure::new(
                    Exit::Environment,
                    format!("cannot listen on {}: {e}", self.listen),
                );
                failure.hint("choose another --listen address, or stop what uses it")
            })?;
            let address = listener
                .local_addr()
                .map_err(|e| Failure::new(Exit::Environment, e.to_string()))?;
            context.result(&json!({"listen": address, "repositories": repositories}), || {
                format!("serving {repositories} repositories on http://{address}, read-only; Ctrl-C ends it")
            })?;
            let stop = on_interrupt();
            let socket = env("NOTIFY_SOCKET");
            Ok(serve(
                registry,
                listener,
                socket.as_deref().map(OsStr::new),
                stop.cancelled_owned(),
            )
            .await?)
        })
    }
}

/// The registry of a data directory. Without an inventory (a layout of another tool) blobs are served as they are.
///
/// # Errors
/// The index cannot be read.
pub(in crate::cli) fn registry(
    data: &DataDir,
    inventory: Option<&Inventory>,
) -> Result<Registry, RegistryError> {
    let registry = Registry::open(data.store.clone())?;
    Ok(match inventory {
        Some(inventory) => registry.expecting(inventory.blobs.clone()),
        None => registry,
    })
}

impl Categorised for RegistryError {
    fn exit(&self) -> Exit {
        match self {
            Self::Index(source) => source.exit(),
            Self::Serve(_) | Self::Notify { .. } => Exit::Environment,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint().map(str::to_owned)
    }
}
