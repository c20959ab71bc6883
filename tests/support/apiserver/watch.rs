//! Watches: what happened since a version, and what happens, until the time limit or a scripted end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::Shared;
use super::faults::End;
use super::kinds::{Kind, Place};
use super::query::Query;
use super::store::{Refusal, Store};

struct Watch {
    shared: Arc<Shared>,
    place: Place,
    query: Query,
    from: u64,
    /// How many scripted ends and bookmarks there were when it began.
    ends: usize,
    bookmarks: usize,
    changed: Receiver<()>,
    until: Instant,
    over: bool,
}

pub(super) fn watch(shared: &Arc<Shared>, place: Place, query: Query) -> Response {
    let secs = query.get("timeoutSeconds").and_then(|s| s.parse().ok());
    let changed = shared.changed.subscribe();
    let (first, from) = {
        let store = shared.store.lock().unwrap();
        match query.get("resourceVersion").unwrap_or_default() {
            "" | "0" => (initial(&store, &place, &query), store.version),
            version => match version.parse::<u64>() {
                Ok(from) if from < store.compacted => (line("ERROR", &too_old(from)), u64::MAX),
                Ok(from) => (String::new(), from),
                Err(_) => {
                    let said = super::http::invalid_version(version);
                    return super::http::refused(&said);
                }
            },
        }
    };
    let watch = Watch {
        shared: Arc::clone(shared),
        place,
        query,
        from,
        ends: shared.ends.lock().unwrap().len(),
        bookmarks: *shared.bookmarks.lock().unwrap(),
        changed,
        until: Instant::now() + Duration::from_secs(secs.unwrap_or(1800)),
        over: from == u64::MAX,
    };
    let rest = stream::unfold(watch, |mut watch| async move {
        let next = watch.next().await?;
        Some((next, watch))
    });
    let first = stream::iter((!first.is_empty()).then(|| Ok(Bytes::from(first))));
    let all = futures_util::StreamExt::chain(first, rest);
    (
        [("content-type", "application/json")],
        Body::from_stream(all),
    )
        .into_response()
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        if self.over {
            return None;
        }
        loop {
            let lines = self.news();
            if !lines.is_empty() {
                return Some(Ok(lines.into()));
            }
            let end = self.shared.ends.lock().unwrap().get(self.ends).copied();
            if let Some(end) = end {
                self.ends += 1;
                // A half event is followed by an end of its own, which the script has set beside it.
                self.over = end != End::InEvent;
                return match end {
                    End::Whole => None,
                    End::Broken => Some(Err(std::io::Error::other("scripted"))),
                    End::InEvent => Some(Ok(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"obj"))),
                };
            }
            let changed = tokio::time::timeout_at(self.until, self.changed.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                return None;
            }
        }
    }

    fn news(&mut self) -> String {
        let store = self.shared.store.lock().unwrap();
        let kind = store.kind(&self.place);
        let mut lines = String::new();
        for event in store.events.iter().filter(|e| e.version > self.from) {
            if self.query.selects(&self.place, &event.place, &event.object) {
                lines += &line(event.what, &event.object);
            }
        }
        self.from = store.version.max(self.from);
        let bookmarks = *self.shared.bookmarks.lock().unwrap();
        if bookmarks > self.bookmarks && self.query.get("allowWatchBookmarks") == Some("true") {
            self.bookmarks = bookmarks;
            lines += &line("BOOKMARK", &bookmark(kind, self.from));
        }
        lines
    }
}

fn initial(store: &Store, place: &Place, query: &Query) -> String {
    let objects = store.objects.iter();
    let ours = objects.filter(|(at, object)| query.selects(place, at, object));
    ours.map(|(_, object)| line("ADDED", object)).collect()
}

fn line(what: &str, object: &Value) -> String {
    json!({"type": what, "object": object}).to_string() + "\n"
}

fn bookmark(kind: &Kind, version: u64) -> Value {
    json!({"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"resourceVersion": version.to_string()}})
}

fn too_old(from: u64) -> Value {
    super::http::status(&Refusal {
        code: 410,
        reason: "Expired",
        message: format!("too old resource version: {from}"),
    })
}
