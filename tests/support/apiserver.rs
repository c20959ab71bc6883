//! A Kubernetes API server for reading: objects and lists by path, two items a page, one token, scripted faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use snoforge::seed::facts::Answer;

const PAGE_ITEMS: usize = 2;

/// What goes wrong at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, with a `Status` object.
    Status(u16, &'static str),
    /// No answer for ten seconds.
    Slow,
    /// The connection ends inside the answer.
    Cut,
    /// A page that is no JSON.
    Garbage,
    /// `continue` for ever.
    Endless,
}

struct Held {
    objects: BTreeMap<String, Answer>,
    faults: BTreeMap<String, Fault>,
    token: String,
    seen: Mutex<Vec<String>>,
}

/// The running server; it ends with this.
pub(crate) struct ApiServer {
    pub(crate) address: String,
    held: Arc<Held>,
    _runtime: tokio::runtime::Runtime,
}

impl ApiServer {
    pub(crate) fn start(
        token: &str,
        objects: BTreeMap<String, Answer>,
        faults: &[(&str, Fault)],
    ) -> Self {
        let faults = faults.iter().map(|(p, f)| ((*p).to_owned(), *f));
        let held = Arc::new(Held {
            objects,
            faults: faults.collect(),
            token: format!("Bearer {token}"),
            seen: Mutex::default(),
        });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&held));
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            held,
            _runtime: runtime,
        }
    }

    /// Requests so far, as `METHOD PATH?QUERY`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.held.seen.lock().unwrap().clone()
    }
}

fn status(code: u16, message: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
    (StatusCode::from_u16(code).unwrap(), body.to_string()).into_response()
}

async fn answer(State(held): State<Arc<Held>>, request: Request) -> Response {
    let seen = format!("{} {}", request.method(), request.uri());
    held.seen.lock().unwrap().push(seen);
    let sent = request.headers().get("authorization");
    if sent.is_none_or(|sent| sent != held.token.as_str()) {
        return status(401, "Unauthorized");
    }
    let path = request.uri().path();
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    let start = pairs.find_map(|pair| pair.strip_prefix("continue=page-"));
    let start: usize = start.map_or(0, |n| n.parse().unwrap());
    match held.faults.get(path) {
        Some(Fault::Status(code, message)) => return status(*code, message),
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(10)).await,
        Some(Fault::Cut) => {
            let parts = [
                Ok(Bytes::from_static(b"{\"kind\":\"List\",\"items\":[")),
                Err(std::io::Error::other("cut")),
            ];
            return Body::from_stream(futures_util::stream::iter(parts)).into_response();
        }
        Some(Fault::Garbage) => return "<html>".into_response(),
        Some(Fault::Endless) => return list(Vec::new(), Some(0)),
        None => {}
    }
    match held.objects.get(path) {
        Some(Answer::Items(items)) => {
            let end = start + PAGE_ITEMS;
            let page = items.iter().skip(start).take(PAGE_ITEMS).cloned();
            list(page.collect(), (end < items.len()).then_some(end))
        }
        Some(Answer::Object(object)) => object.to_string().into_response(),
        _ => status(404, "the server could not find the requested resource"),
    }
}

fn list(items: Vec<Value>, next: Option<usize>) -> Response {
    let metadata = next.map_or_else(
        || json!({"resourceVersion": "10"}),
        |next| json!({"resourceVersion": "10", "continue": format!("page-{next}")}),
    );
    // Go writes a nil slice as null.
    let items = if items.is_empty() {
        Value::Null
    } else {
        items.into()
    };
    json!({"kind": "ThingList", "apiVersion": "v1", "metadata": metadata, "items": items})
        .to_string()
        .into_response()
}
