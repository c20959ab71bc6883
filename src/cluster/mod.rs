//! A thin Kubernetes client: kubeconfig; any object or list by its API path, changed, deleted or watched; logs.
//!
//! Formats: kubeconfig v1 (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>): the current context, a CA or the
//! system's, a client certificate or a token; the API's paging, watches and patches
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/>). Objects are dynamic: what they hold is known above.
//!
//! It stands on `kube`: its kubeconfig, TLS, credentials, request paths and event types, on hyper. Not used are three of its
//! parts. `kube::Client` takes answers of any size, repeats 429 and 503 for minutes unasked, writes answers it cannot read to
//! the log, Secrets too, and needs a runtime to be made in: `transport` is what kube names for that, its layers on a service
//! of one's own. `kube::Api` asks for kinds, and we have paths. `kube-runtime`'s watcher hides a 503, and how an API goes away
//! and comes back is what our watchers show: `watch` tells every failure.
//!
//! Invariants: keys and tokens are in no `Debug`, no message; a kubeconfig whose credentials this room does not know is refused
//! before anything is sent; redirects are not followed, so a token goes to its server only; every answer has a limit of size
//! and time.
//!
//! What this room does not do: it runs no credential plugins, and repeats nothing but a watch and a list that expired.

mod client;
mod error;
mod kubeconfig;
mod transport;
mod validity;
mod watch;

pub use client::{Client, Got};
pub use error::{Error, Reason};
pub use kubeconfig::Kubeconfig;
pub use validity::Validity;
pub use watch::Seen;
