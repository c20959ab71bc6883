//! Requests and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, LINK, RANGE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::json;

use super::Registry;
use super::names::Tag;
use super::range::{Span, span};
use crate::oci::{Digest, RawManifest, media_type};
use crate::store::{StoreError, read_range};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Everything but GET and HEAD of what is there (distribution-spec, Error Codes).
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code,
            message: message.into(),
        }
    }
}

/// What is asked for.
struct Ask {
    /// HEAD: nothing of a blob is read.
    head: bool,
    headers: HeaderMap,
    query: BTreeMap<String, String>,
}

pub(super) fn router(registry: Arc<Registry>) -> Router {
    let root =
        |state: State<Arc<Registry>>, request: Request| handle(state, String::new(), request);
    let below = |state: State<Arc<Registry>>, Path(rest): Path<String>, request: Request| {
        handle(state, rest, request)
    };
    Router::new()
        .route("/v2", any(root))
        .route("/v2/", any(root))
        .route("/v2/{*rest}", any(below))
        .with_state(registry)
}

async fn handle(State(registry): State<Arc<Registry>>, rest: String, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    let answered = if head || request.method() == Method::GET {
        let ask = Ask {
            head,
            query: query(request.uri().query().unwrap_or_default()),
            headers: request.headers().clone(),
        };
        route(registry, &rest, &ask).await
    } else {
        Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "UNSUPPORTED",
            message: "this registry is read-only".to_owned(),
        })
    };
    let response = answered.unwrap_or_else(|refusal| refuse(&refusal));
    tracing::debug!(method = %request.method(), path = %request.uri().path(), status = response.status().as_u16(), "answered");
    if head {
        // The headers of the GET, its length included; dropping the body reads nothing.
        let (parts, _body) = response.into_parts();
        return Response::from_parts(parts, Body::empty());
    }
    response
}

async fn route(registry: Arc<Registry>, rest: &str, ask: &Ask) -> Result<Response, Refusal> {
    if rest.is_empty() {
        return Ok(json_answer("application/json", &json!({})));
    }
    if rest == "_catalog" {
        let all = registry.names.with_hosts();
        return Ok(paged(
            ask,
            "/v2/_catalog",
            all,
            |page| json!({ "repositories": page }),
        ));
    }
    let (head, last) = rest.rsplit_once('/').unwrap_or((rest, ""));
    let (name, kind) = head.rsplit_once('/').unwrap_or(("", head));
    if !matches!(kind, "manifests" | "blobs" | "tags" | "referrers") {
        let message = format!("no such endpoint: /v2/{rest}");
        return Err(Refusal::not_found("UNSUPPORTED", message));
    }
    if !registry.names.contains(name) {
        let message = format!("repository `{name}` is not in the store");
        return Err(Refusal::not_found("NAME_UNKNOWN", message));
    }
    match (kind, last) {
        ("manifests", key) => manifest(registry, name, key, ask).await,
        ("blobs", digest) => blob(&registry, parse_digest(digest)?, ask).await,
        ("tags", "list") => Ok(paged(
            ask,
            &format!("/v2/{name}/tags/list"),
            registry.names.tags(name),
            |page| json!({ "name": name, "tags": page }),
        )),
        ("referrers", digest) => {
            parse_digest(digest)?;
            let empty =
                json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] });
            Ok(json_answer(media_type::OCI_INDEX, &empty))
        }
        _ => {
            let message = format!("no such endpoint: /v2/{rest}");
            Err(Refusal::not_found("UNSUPPORTED", message))
        }
    }
}

async fn manifest(
    registry: Arc<Registry>,
    name: &str,
    key: &str,
    ask: &Ask,
) -> Result<Response, Refusal> {
    let unknown = |message: String| Refusal::not_found("MANIFEST_UNKNOWN", message);
    let digest = if key.contains(':') {
        parse_digest(key)?
    } else {
        match registry.names.tag(name, key) {
            Tag::Image(image) => image.digest.clone(),
            Tag::Ambiguous => {
                let message = format!(
                    "tag `{key}` of `{name}` is in several registries: ask with the registry's host before the name"
                );
                return Err(unknown(message));
            }
            Tag::Unknown => return Err(unknown(format!("`{name}` has no tag `{key}`"))),
        }
    };
    let read = tokio::task::spawn_blocking(move || registry.manifest(&digest)).await;
    let raw = match read.map_err(|e| internal(&e))? {
        Ok(raw) => raw,
        Err(StoreError::Missing(digest)) => {
            return Err(unknown(format!("{digest} is not in the store")));
        }
        Err(error) => return Err(internal(&error)),
    };
    let descriptor = raw.descriptor();
    let digest = descriptor.digest.to_string();
    let answer = content(&descriptor.media_type, &digest);
    if unchanged(ask, &digest) {
        return finish(answer.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    finish(
        answer.header(CONTENT_LENGTH, descriptor.size),
        raw.bytes().clone().into(),
    )
}

impl Registry {
    /// A manifest under the media type that the index gives it, else its own. A layer is no manifest, whatever is asked.
    fn manifest(&self, digest: &Digest) -> Result<RawManifest, StoreError> {
        let given = self.names.media_type(digest);
        let raw = self.store.read_manifest(digest, given)?;
        match raw.parse() {
            Ok(_) => Ok(raw),
            Err(_) => Err(StoreError::Missing(digest.clone())),
        }
    }
}

async fn blob(registry: &Registry, digest: Digest, ask: &Ask) -> Result<Response, Refusal> {
    let size = registry
        .store
        .blob_size(&digest)
        .map_err(|e| internal(&e))?;
    let Some(size) = size else {
        let message = format!("{digest} is not in the store");
        return Err(Refusal::not_found("BLOB_UNKNOWN", message));
    };
    if let Some(expected) = registry.sizes.get(&digest).filter(|n| **n != size) {
        let detail = format!("{size} bytes instead of {expected}");
        return Err(internal(&StoreError::Damaged { digest, detail }));
    }
    let text = digest.to_string();
    let mut answer = content("application/octet-stream", &text).header(ACCEPT_RANGES, "bytes");
    if unchanged(ask, &text) {
        return finish(answer.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    let same = ask.header(IF_RANGE).is_none_or(|tag| tag == etag(&text));
    let range = ask.header(RANGE).filter(|_| same);
    let (start, end) = match span(range, size) {
        Span::Whole => (0, size),
        Span::Part { start, end } => {
            let value = format!("bytes {start}-{}/{size}", end - 1);
            answer = answer
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_RANGE, value);
            (start, end)
        }
        Span::Unsatisfiable => {
            let answer = answer.status(StatusCode::RANGE_NOT_SATISFIABLE);
            let answer = answer.header(CONTENT_RANGE, format!("bytes */{size}"));
            return finish(answer.header(CONTENT_LENGTH, 0), Body::empty());
        }
    };
    let answer = answer.header(CONTENT_LENGTH, end - start);
    if ask.head {
        return finish(answer, Body::empty());
    }
    let path = registry.store.blob_path(&digest);
    let stream = read_range(&path, start, end)
        .await
        .map_err(|e| internal(&e))?;
    // The first piece is there before the status goes out: a disk that cannot be read gives an error that says so. Later the
    // connection is cut, which no client takes for the end.
    let mut stream = Box::pin(stream);
    let first = stream.try_next().await.map_err(|e| internal(&e))?;
    let rest = stream.inspect_err(move |error| tracing::warn!(%error, "transfer of {digest} cut"));
    let whole = stream::iter(first.map(Ok)).chain(rest);
    finish(answer, Body::from_stream(whole))
}

impl Ask {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|e: crate::oci::DigestError| Refusal {
        status: StatusCode::BAD_REQUEST,
        code: "DIGEST_INVALID",
        message: e.to_string(),
    })
}

fn etag(digest: &str) -> String {
    format!("\"{digest}\"")
}

fn unchanged(ask: &Ask, digest: &str) -> bool {
    let tags = ask.header(IF_NONE_MATCH).unwrap_or_default();
    tags.split(',')
        .any(|tag| tag.trim().trim_start_matches("W/") == etag(digest))
}

fn content(media_type: &str, digest: &str) -> http::response::Builder {
    Response::builder()
        .header(CONTENT_TYPE, media_type)
        .header(CONTENT_DIGEST, digest)
        .header(ETAG, etag(digest))
        .header(API_VERSION, "registry/2.0")
}

fn json_answer(media_type: &str, value: &serde_json::Value) -> Response {
    let text = value.to_string();
    let answer = Response::builder()
        .header(CONTENT_TYPE, media_type)
        .header(CONTENT_LENGTH, text.len())
        .header(API_VERSION, "registry/2.0");
    answer.body(text.into()).unwrap_or_default()
}

/// A media type out of a file that is no header value would be the only reason to fail.
fn finish(answer: http::response::Builder, body: Body) -> Result<Response, Refusal> {
    answer.body(body).map_err(|e| internal(&e))
}

fn internal(error: &dyn std::error::Error) -> Refusal {
    let mut message = error.to_string();
    if let Some(source) = error.source() {
        message = format!("{message}: {source}");
    }
    tracing::warn!(error = message, "request failed");
    Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "UNKNOWN",
        message,
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let error = json!({ "code": refusal.code, "message": refusal.message });
    let mut response = json_answer("application/json", &json!({ "errors": [error] }));
    *response.status_mut() = refusal.status;
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = http::HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// One page of a sorted list: at most `n` after `last`, with a `Link` to the next (distribution-spec, Content Discovery).
fn paged<'a>(
    ask: &Ask,
    path: &str,
    all: impl Iterator<Item = &'a str>,
    wrap: impl FnOnce(&[&str]) -> serde_json::Value,
) -> Response {
    let after = ask.query.get("last").map_or("", String::as_str);
    let limit = ask.query.get("n").and_then(|n| n.parse().ok());
    let mut rest = all.filter(|item| *item > after).peekable();
    let page: Vec<&str> = rest.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let mut response = json_answer("application/json", &wrap(&page));
    if let (Some(limit), Some(last), Some(_)) = (limit, page.last(), rest.peek()) {
        let link = format!("<{path}?n={limit}&last={last}>; rel=\"next\"");
        if let Ok(link) = http::HeaderValue::from_str(&link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    response
}

fn query(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}
