//! Answers that are not the store's: faults, and what a test gives by path.

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use snoforge::seed::facts::Answer;

use super::faults::Fault;
use super::http::{no_such_path, refused};
use super::query::Query;
use super::store::refusal;

/// A list that is given by path comes in pages of so many.
const PAGE_ITEMS: usize = 2;

/// `None`: only late.
pub(super) fn broken(fault: Fault) -> Option<Response> {
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

pub(super) fn by_path(fixed: &Answer, query: &Query) -> Response {
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
