//! A read-only OCI distribution registry over a store (distribution-spec v1.1, the Pull and Content Discovery categories).
//!
//! | request (GET and HEAD) | answer |
//! |---|---|
//! | `/v2/` | `{}` |
//! | `/v2/<name>/manifests/<digest or tag>` | the manifest byte for byte under its own media type |
//! | `/v2/<name>/blobs/<digest>` | the blob, or one `Range` of it |
//! | `/v2/<name>/tags/list` | tags, with `n` and `last` |
//! | `/v2/<name>/referrers/<digest>` | an empty index: the store keeps no referrers |
//! | `/v2/_catalog` | repositories |
//!
//! `<name>` is a repository of the store's index, with its registry's host before it or without: mirror entries point at
//! `127.0.0.1:PORT/<repository>`. Of a known repository every digest in the store is answered; of an unknown one nothing. When two
//! hosts have the same repository with the same tag for different images, the tag needs the host.
//!
//! The index is read once, at the start; nothing is ever written. A blob that cannot be read, or that is shorter or longer than the
//! inventory says, is an error 500 with the reason, also in the log; a read error in the middle of a blob cuts the connection, so that
//! no client takes a part for the whole. Digests of blobs are not computed here: every client does.

mod answer;
mod names;
mod notify;
mod range;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::future::{Future, IntoFuture as _};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::oci::Digest;
use crate::store::{Store, StoreError};
use names::Names;

/// How long transfers may go on after the shutdown signal.
const GRACE: Duration = Duration::from_secs(5);

/// A registry, ready to serve.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    names: Names,
    sizes: BTreeMap<Digest, u64>,
}

/// The registry could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store's index cannot be read.
    #[error("cannot read the names of the images")]
    Index(#[source] StoreError),
    /// The listening socket failed.
    #[error("cannot serve")]
    Serve(#[source] io::Error),
    /// The service manager's socket does not take the readiness message.
    #[error(
        "cannot tell the service manager that the registry is ready (NOTIFY_SOCKET `{socket}`)"
    )]
    Notify {
        /// The socket's name.
        socket: String,
        /// The reason.
        source: io::Error,
    },
}

impl RegistryError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Index(source) => source.hint(),
            Self::Serve(_) | Self::Notify { .. } => None,
        }
    }
}

impl Registry {
    /// Reads the names of the store's images.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn open(store: Store) -> Result<Self, RegistryError> {
        let entries = store.read_index().map_err(RegistryError::Index)?;
        let names = Names::new(&entries);
        Ok(Self {
            store,
            names,
            sizes: BTreeMap::new(),
        })
    }

    /// Tells the sizes in bytes that blobs must have; those not listed are served as they are.
    #[must_use]
    pub fn expecting(self, sizes: BTreeMap<Digest, u64>) -> Self {
        Self { sizes, ..self }
    }

    /// How many repositories it answers for, counted with their hosts.
    pub fn repositories(&self) -> usize {
        self.names.with_hosts().count()
    }
}

/// Serves until `shutdown` is done, then lets transfers end for five seconds. `notify_socket` is the value of `NOTIFY_SOCKET`
/// (`sd_notify(3)`): the service manager is told once connections are accepted.
///
/// # Errors
/// The listener fails, or the service manager cannot be told.
pub async fn serve(
    registry: Registry,
    listener: TcpListener,
    notify_socket: Option<&OsStr>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RegistryError> {
    let (stopping, stopped) = oneshot::channel::<()>();
    let listener = listener.tap_io(|stream| {
        // Headers and the first piece of a body are two writes; without this the second waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, answer::router(Arc::new(registry)));
    let server = server.with_graceful_shutdown(async move {
        shutdown.await;
        drop(stopping);
    });
    if let Some(socket) = notify_socket {
        notify::ready(socket).map_err(|source| RegistryError::Notify {
            socket: socket.display().to_string(),
            source,
        })?;
    }
    let overdue = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server.into_future() => ended.map_err(RegistryError::Serve),
        () = overdue => Ok(()),
    }
}
