//! Requests: who asks, what goes wrong, and what the store says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use snoforge::seed::facts::Answer;

use super::Shared;
use super::faults::Fault;
use super::store::{Answered, Place, Refusal, Store, refusal};
use super::tls::Certified;
use super::{table, watch};

/// What is given by path, not by the store, comes in pages of so many.
const PAGE_ITEMS: usize = 2;
const MAX_BODY_BYTES: usize = 8 << 20;

/// The part behind `?`.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    fn new(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether an object is in the collection and fits the selectors.
    pub(super) fn selects(&self, collection: &Place, at: &Place, object: &Value) -> bool {
        let inside = at.collection == collection.collection
            && (collection.namespace.is_empty() || collection.namespace == at.namespace);
        let fields = self.get("fieldSelector").unwrap_or_default();
        let labels = self.get("labelSelector").unwrap_or_default();
        let pairs = |text: &str| -> Vec<(String, String)> {
            let parts = text.split(',').filter(|part| !part.is_empty());
            let parts = parts.map(|part| part.split_once('=').expect("only `=` is supported"));
            parts
                .map(|(k, v)| (k.to_owned(), v.trim_start_matches('=').to_owned()))
                .collect()
        };
        inside
            && pairs(fields).iter().all(|(key, value)| match key.as_str() {
                "metadata.name" => at.name == *value,
                "metadata.namespace" => at.namespace == *value,
                "involvedObject.name" => object["involvedObject"]["name"] == *value.as_str(),
                other => panic!("the field selector {other} is not supported"),
            })
            && pairs(labels)
                .iter()
                .all(|(key, value)| object["metadata"]["labels"][key] == *value.as_str())
    }
}

pub(super) fn status(said: &Refusal) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": said.message, "reason": said.reason, "code": said.code})
}

pub(super) fn refused(said: &Refusal) -> Response {
    let code = StatusCode::from_u16(said.code).unwrap();
    (code, status(said).to_string()).into_response()
}

pub(super) fn invalid_version(version: &str) -> Refusal {
    refusal(
        400,
        "BadRequest",
        format!("Invalid resourceVersion: {version}"),
    )
}

fn no_such_path() -> Refusal {
    refusal(
        404,
        "NotFound",
        "the server could not find the requested resource",
    )
}

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(certified): ConnectInfo<Certified>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let seen = format!("{} {}", head.method, head.uri);
    // The whole request is read, or a fault's answer could be lost behind a reset.
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.unwrap();
    shared.seen.lock().unwrap().push(seen);
    let sent = head.headers.get(header::AUTHORIZATION);
    let token = format!("Bearer {}", shared.token);
    if !certified.0 && sent.is_none_or(|sent| sent != token.as_str()) {
        return refused(&refusal(401, "Unauthorized", "Unauthorized"));
    }
    let path = head.uri.path();
    let query = Query::new(head.uri.query().unwrap_or_default());
    let fault = {
        let mut faults = shared.faults.lock().unwrap();
        faults.take(path, query.get("continue").is_some())
    };
    if let Some(fault) = fault {
        match broken(fault) {
            Some(answer) => return answer,
            None => tokio::time::sleep(Duration::from_secs(10)).await,
        }
    }
    if head.method == Method::GET
        && let Some(fixed) = shared.fixed.get(path)
    {
        return by_path(fixed, &query);
    }
    let accept = head.headers.get(header::ACCEPT);
    let accept = accept.and_then(|a| a.to_str().ok()).unwrap_or_default();
    let kind = head.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        method: &head.method,
        query,
        table: accept.contains("as=Table"),
        body: &body,
        kind,
    };
    asked.answer(&shared, path)
}

struct Asked<'a> {
    method: &'a Method,
    query: Query,
    table: bool,
    body: &'a Bytes,
    kind: &'a str,
}

impl Asked<'_> {
    fn answer(self, shared: &Arc<Shared>, path: &str) -> Response {
        let mut store = shared.store.lock().unwrap();
        let Some((place, sub)) = store.find(path) else {
            return refused(&no_such_path());
        };
        if self.method == Method::GET && place.name.is_empty() && self.query.get("watch").is_some()
        {
            drop(store);
            return watch::watch(shared, place, self.query);
        }
        if self.method == Method::GET && sub.as_deref() == Some("log") {
            return match store.get(&place) {
                Ok(_) => self.log(shared, path).into_response(),
                Err(said) => refused(&said),
            };
        }
        let before = store.version;
        let done = self.done(&mut store, &place, sub.as_deref());
        if store.version != before {
            shared.changed.send_replace(());
        }
        drop(store);
        match done {
            Ok((code, object)) => (code, object.to_string()).into_response(),
            Err(said) => refused(&said),
        }
    }

    fn done(
        &self,
        store: &mut Store,
        place: &Place,
        sub: Option<&str>,
    ) -> Result<(StatusCode, Value), Refusal> {
        let status = sub == Some("status");
        let known = sub.is_none() || (status && store.kind(place).status);
        let ok = |object| (StatusCode::OK, object);
        match (self.method.as_str(), place.name.is_empty()) {
            _ if !known => Err(no_such_path()),
            ("GET", true) => self.list(store, place).map(ok),
            ("GET", false) => {
                let object = store.get(place)?.clone();
                if self.table {
                    let items = std::slice::from_ref(&object);
                    let table = table::table(store.kind(place), items, &json!({}));
                    return Ok(ok(table));
                }
                Ok(ok(object))
            }
            ("POST", true) => {
                let made = store.create(place, self.object()?)?;
                Ok((StatusCode::CREATED, made))
            }
            ("PUT", false) => store.update(place, self.object()?, status).map(ok),
            ("PATCH", false) if self.kind == "application/apply-patch+yaml" => {
                let object = self.object()?;
                if store.objects.contains_key(place) {
                    return store.patch(place, &object, status).map(ok);
                }
                let made = store.create(place, object)?;
                Ok((StatusCode::CREATED, made))
            }
            ("PATCH", false) if self.kind == "application/merge-patch+json" => {
                store.patch(place, &self.object()?, status).map(ok)
            }
            ("PATCH", false) => Err(refusal(415, "UnsupportedMediaType", self.kind)),
            ("DELETE", false) => {
                let options = match self.body.is_empty() {
                    true => Value::Null,
                    false => self.object()?,
                };
                let uid = options["preconditions"]["uid"].as_str();
                store.delete(place, uid).map(ok)
            }
            _ => {
                let message = "the server does not allow this method on the requested resource";
                Err(refusal(405, "MethodNotAllowed", message))
            }
        }
    }

    fn object(&self) -> Answered {
        let object: Option<Value> = serde_json::from_slice(self.body).ok();
        let object = object.filter(Value::is_object);
        object.ok_or_else(|| refusal(400, "BadRequest", "the body is no JSON object"))
    }

    fn list(&self, store: &Store, place: &Place) -> Answered {
        let selected = store.objects.iter();
        let all: Vec<&Value> = selected
            .filter(|(at, object)| self.query.selects(place, at, object))
            .map(|(_, object)| object)
            .collect();
        // `continue` is the version of the first page and how many were given; the objects are those of now.
        let token = self.query.get("continue").filter(|token| !token.is_empty());
        let (version, start): (u64, usize) = match token {
            None => (store.version, 0),
            Some(token) => {
                let parts = token.split_once('-');
                let parts = parts.and_then(|(v, n)| Some((v.parse().ok()?, n.parse().ok()?)));
                parts.ok_or_else(|| refusal(400, "BadRequest", "continue key is not valid"))?
            }
        };
        if version < store.compacted {
            let message =
                "The provided continue parameter is too old to display a consistent list result.";
            return Err(refusal(410, "Expired", message));
        }
        let limit = self.query.get("limit").and_then(|n| n.parse().ok());
        let limit = limit.filter(|n| *n > 0).unwrap_or(usize::MAX);
        let end = start.saturating_add(limit).min(all.len());
        let page: Vec<Value> = all
            .iter()
            .take(end)
            .skip(start)
            .map(|o| (*o).clone())
            .collect();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if end < all.len() {
            metadata["continue"] = format!("{version}-{end}").into();
            metadata["remainingItemCount"] = (all.len() - end).into();
        }
        let kind = store.kind(place);
        if self.table {
            return Ok(table::table(kind, &page, &metadata));
        }
        Ok(
            json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version, "metadata": metadata, "items": page}),
        )
    }

    fn log(&self, shared: &Shared, path: &str) -> String {
        let container = self.query.get("container").unwrap_or_default();
        let logs = shared.logs.lock().unwrap();
        let key = (
            path.trim_end_matches("/log").to_owned(),
            container.to_owned(),
        );
        let text = logs.get(&key).map(String::as_str).unwrap_or_default();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let tail = self.query.get("tailLines").and_then(|n| n.parse().ok());
        let skip = lines.len().saturating_sub(tail.unwrap_or(usize::MAX));
        let mut text = lines.get(skip..).unwrap_or_default().concat();
        if let Some(limit) = self.query.get("limitBytes").and_then(|n| n.parse().ok()) {
            text.truncate(limit);
        }
        text
    }
}

/// `None`: only late.
fn broken(fault: Fault) -> Option<Response> {
    Some(match fault {
        Fault::Status(code, message) => refused(&refusal(code, "", message)),
        Fault::ExpiredPage => refused(&refusal(
            410,
            "Expired",
            "The provided continue parameter is too old",
        )),
        Fault::Slow => return None,
        Fault::Cut => {
            let parts = [
                Ok(Bytes::from_static(b"{\"kind\":\"List\",\"items\":[")),
                Err(std::io::Error::other("cut")),
            ];
            Body::from_stream(futures_util::stream::iter(parts)).into_response()
        }
        Fault::Garbage => "<html>".into_response(),
        Fault::Endless => list(Vec::new(), Some(0)),
        Fault::Elsewhere => {
            let to = [(header::LOCATION, "http://127.0.0.1:1/")];
            (StatusCode::FOUND, to, "{}").into_response()
        }
    })
}

fn by_path(fixed: &Answer, query: &Query) -> Response {
    let token = query.get("continue").and_then(|c| c.strip_prefix("page-"));
    let start: usize = token.map_or(0, |n| n.parse().unwrap());
    match fixed {
        Answer::Items(items) => {
            let end = start + PAGE_ITEMS;
            let page = items.iter().skip(start).take(PAGE_ITEMS).cloned();
            list(page.collect(), (end < items.len()).then_some(end))
        }
        Answer::Object(object) => object.to_string().into_response(),
        _ => refused(&no_such_path()),
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
