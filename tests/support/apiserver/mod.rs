//! A Kubernetes API server: objects under the real CRDs' schemas and rules, lists in pages, watches, tables, mutual TLS, and
//! scripted faults, all settable while a client runs. It lives on threads of its own, so tests of the built program can use it.
//!
//! ```ignore
//! let server = ApiServer::mutual_tls();
//! server.crd(Path::new("tests/seed/crds/lca.openshift.io_seedgenerators.yaml"));
//! server.put(path, json!({…}));                     // as an operator would: create or replace, status too
//! server.fault("/apis/lca.openshift.io", Fault::Status(404, ""));
//! server.close();                                   // refused
//! server.open();                                    // as before, at the same port
//! server.change_certificate();                      // another server at its address, until renew_certificate()
//! ```
//!
//! A binary that uses it has `mod schema` at its root.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a broken fixture should stop the test"
)]

mod faults;
mod http;
mod kinds;
mod query;
mod script;
mod scripted;
mod store;
mod table;
mod tls;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use snoforge::seed::facts::Answer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) use faults::{End, Fault};
use store::Store;
use tls::{Authority, Certified, Leaf, Tls};

/// What lives on while the server is away.
struct Shared {
    store: Mutex<Store>,
    /// Answers to GET by path, before the store is asked.
    fixed: BTreeMap<String, Answer>,
    faults: Mutex<faults::Faults>,
    token: String,
    seen: Mutex<Vec<String>>,
    logs: Mutex<BTreeMap<(String, String), String>>,
    ends: Mutex<Vec<End>>,
    bookmarks: Mutex<usize>,
    changed: tokio::sync::watch::Sender<()>,
}

/// The certificates of a server with TLS.
struct Secure {
    servers: Authority,
    users: Authority,
    leaf: Leaf,
    user: Leaf,
}

/// The server; it ends with this.
pub(crate) struct ApiServer {
    pub(crate) address: String,
    shared: Arc<Shared>,
    secure: Mutex<Option<Secure>>,
    running: Mutex<Option<Runtime>>,
}

impl ApiServer {
    /// Plain HTTP, one token, answers by path, faults.
    pub(crate) fn start(
        token: &str,
        fixed: BTreeMap<String, Answer>,
        faults: &[(&str, Fault)],
    ) -> Self {
        let server = Self::new(token, fixed, false);
        for (path, fault) in faults {
            server.fault(path, *fault);
        }
        server
    }

    /// TLS on both sides, with an empty store.
    pub(crate) fn mutual_tls() -> Self {
        Self::mutual_tls_with(BTreeMap::new())
    }

    /// TLS on both sides, with answers by path.
    pub(crate) fn mutual_tls_with(fixed: BTreeMap<String, Answer>) -> Self {
        // No header has this token.
        Self::new("\n", fixed, true)
    }

    fn new(token: &str, fixed: BTreeMap<String, Answer>, secure: bool) -> Self {
        // An address of its own, so that nobody takes the port while the server is away.
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let host = format!("127.{}.{high}.{low}", std::process::id() % 120 + 64);
        let secure = secure.then(|| {
            let (servers, users) = (Authority::new("server-ca"), Authority::new("client-ca"));
            let (leaf, user) = (servers.leaf(&host), users.leaf("system:admin"));
            Secure {
                servers,
                users,
                leaf,
                user,
            }
        });
        let mut server = Self {
            address: format!("{host}:0"),
            shared: Arc::new(Shared {
                store: Mutex::default(),
                fixed,
                faults: Mutex::default(),
                token: token.to_owned(),
                seen: Mutex::default(),
                logs: Mutex::default(),
                ends: Mutex::default(),
                bookmarks: Mutex::default(),
                changed: tokio::sync::watch::Sender::new(()),
            }),
            secure: Mutex::new(secure),
            running: Mutex::new(None),
        };
        server.address = server.open().to_string();
        server
    }

    /// Listens (again), at the address of before.
    pub(crate) fn open(&self) -> SocketAddr {
        let app = Router::new().fallback(http::answer);
        let app = app.with_state(Arc::clone(&self.shared));
        let app = app.into_make_service_with_connect_info::<Certified>();
        let secure = self.secure.lock().unwrap();
        let config = secure.as_ref().map(|s| tls::config(&s.leaf, &s.users));
        let address = self.address.clone();
        // On a thread of its own: a runtime must not be started or stopped inside another.
        let (runtime, address) = apart(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let listener = runtime.block_on(bound(&address));
            let address = listener.local_addr().unwrap();
            runtime.spawn(async move {
                match config {
                    Some(config) => axum::serve(Tls::new(listener, config), app).await.unwrap(),
                    None => axum::serve(listener, app).await.unwrap(),
                }
            });
            (runtime, address)
        });
        *self.running.lock().unwrap() = Some(runtime);
        address
    }

    /// Ends all connections; from now on they are refused.
    pub(crate) fn close(&self) {
        if let Some(runtime) = self.running.lock().unwrap().take() {
            apart(move || runtime.shutdown_timeout(Duration::from_secs(10)));
        }
    }

    /// A certificate of a CA that is not its own, as another server at its address has. Who is connected is cut off.
    pub(crate) fn change_certificate(&self) {
        self.serve_certificate(Some(&Authority::new("another-ca")));
    }

    /// A new certificate of its own CA, as recert makes one for a cluster that was imaged. Who is connected is cut off.
    pub(crate) fn renew_certificate(&self) {
        self.serve_certificate(None);
    }

    /// A certificate of its own CA for these years. Who is connected is cut off.
    pub(crate) fn certificate_of_years(&self, years: (i32, i32)) {
        let host = self.address.rsplit_once(':').unwrap().0;
        let mut secure = self.secure.lock().unwrap();
        let now = secure.as_mut().expect("a server with TLS");
        now.leaf = now.servers.leaf_of_years(host, years);
        drop(secure);
        self.close();
        self.open();
    }

    /// From now on [`ApiServer::kubeconfig`] has a client certificate for these years.
    pub(crate) fn user_of_years(&self, years: (i32, i32)) {
        let mut secure = self.secure.lock().unwrap();
        let now = secure.as_mut().expect("a server with TLS");
        now.user = now.users.leaf_of_years("system:admin", years);
    }

    fn serve_certificate(&self, strange: Option<&Authority>) {
        let host = self.address.rsplit_once(':').unwrap().0;
        let mut secure = self.secure.lock().unwrap();
        let now = secure.as_mut().expect("a server with TLS");
        now.leaf = strange.unwrap_or(&now.servers).leaf(host);
        drop(secure);
        self.close();
        self.open();
    }

    /// A kubeconfig for it, with its own CA: a client certificate where it has TLS, else its token.
    pub(crate) fn kubeconfig(&self) -> Value {
        let secure = self.secure.lock().unwrap();
        let (cluster, user) = match secure.as_ref() {
            None => (
                json!({"server": format!("http://{}", self.address)}),
                json!({"token": self.shared.token}),
            ),
            Some(secure) => (
                json!({"server": format!("https://{}", self.address), "certificate-authority-data": BASE64.encode(&secure.servers.pem)}),
                json!({"client-certificate-data": BASE64.encode(&secure.user.pem), "client-key-data": BASE64.encode(&secure.user.key_pem)}),
            ),
        };
        json!({"apiVersion": "v1", "kind": "Config", "current-context": "admin",
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "admin", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": user}]})
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.close();
    }
}

/// A program that another test starts at this moment still holds our old socket, from its fork to its exec.
async fn bound(address: &str) -> TcpListener {
    for _ in 0..1000 {
        match TcpListener::bind(address).await {
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            bound => return bound.unwrap(),
        }
    }
    panic!("{address} stays in use");
}

/// Runs work on a thread of its own.
fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}
