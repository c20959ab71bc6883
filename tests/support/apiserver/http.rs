//! Requests: who asks, what goes wrong, and what the store says.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::Shared;
use super::kinds::Place;
use super::query::Query;
use super::scripted::{broken, by_path};
use super::store::{Answered, Refusal, Store, refusal};
use super::tls::Certified;
use super::{table, watch};

const MAX_BODY_BYTES: usize = 8 << 20;

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

pub(super) fn no_such_path() -> Refusal {
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
    // Whoever else one acts as may nothing.
    if let Some(user) = head.headers.get("impersonate-user") {
        let message = format!("User {user:?} cannot do this");
        return refused(&refusal(403, "Forbidden", message));
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
        if (self.method.as_str(), sub) == ("PUT", Some("approval"))
            && store.kind(place).name == "CertificateSigningRequest"
        {
            let object = store.approve(place, self.object()?)?;
            return Ok((StatusCode::OK, object));
        }
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
                let options = if self.body.is_empty() {
                    Value::Null
                } else {
                    self.object()?
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
            json!({"kind": format!("{}List", kind.name), "apiVersion": kind.api_version, "metadata": metadata, "items": page}),
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
