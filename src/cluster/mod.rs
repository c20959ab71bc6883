//! A thin Kubernetes client: kubeconfig, and GET of any object or list by its API path.
//!
//! Formats: kubeconfig v1 (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>): the current context, a CA or the
//! system's, a client certificate or a token; list paging by `limit` and `continue`
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>).
//!
//! It stands on reqwest, not on the `kube` crate: objects are dynamic and only read here, so kube's types bring nothing, while
//! `k8s-openapi` and `kube-client` cost a minute of build time and bring a second HTTP stack beside the one that is here.
//!
//! Invariants: keys and tokens are in no `Debug`, no message; a kubeconfig whose credentials this room does not know is refused
//! before anything is sent; redirects are not followed, so a token goes to its server only.
//!
//! What this room does not do: it runs no credential plugins, changes nothing on a cluster, and does not retry.

mod client;
mod error;
mod kubeconfig;

pub use client::{Client, Got};
pub use error::{Error, Reason};
pub use kubeconfig::Kubeconfig;
