//! The cluster room against an API server of ours.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/apiserver/mod.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod apiserver;
mod calls;
mod faults;
mod rules;
#[path = "../support/schema.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod schema;
mod watch;

use std::path::{Path, PathBuf};

use apiserver::ApiServer;
use serde_json::{Value, json};
use snoforge::cluster::{Client, Error, Kubeconfig, Reason};

const GENERATORS: &str = "/apis/lca.openshift.io/v1/seedgenerators";
const GENERATOR: &str = "/apis/lca.openshift.io/v1/seedgenerators/seedimage";
const SECRETS: &str = "/api/v1/namespaces/openshift-lifecycle-agent/secrets";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn crd(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seed/crds")
        .join(name)
}

/// A server with TLS that knows `SeedGenerator`.
fn server() -> ApiServer {
    let server = ApiServer::mutual_tls();
    server.crd(&crd("lca.openshift.io_seedgenerators.yaml"));
    server
}

fn client_for(kubeconfig: &Value, timeout_secs: u64) -> Result<Client, Error> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kubeconfig");
    fs_err::write(&path, kubeconfig.to_string()).unwrap();
    Client::new(&Kubeconfig::load(&path)?, timeout_secs)
}

fn client(server: &ApiServer) -> Client {
    client_for(&server.kubeconfig(), 60).unwrap()
}

fn generator(image: &str) -> Value {
    json!({"apiVersion": "lca.openshift.io/v1", "kind": "SeedGenerator", "metadata": {"name": "seedimage"},
        "spec": {"seedImage": image}})
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": {"seedAuth": "e30="}})
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    match result {
        Err(Error::Request { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}
