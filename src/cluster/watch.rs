//! One object over time, level-triggered: what matters is how it is, not how it came there.
//!
//! A list tells the state and its version, a watch from that version what follows; a watch that ends goes on from the last
//! version that it told, and after anything that fails the list is read anew. Where watching is not allowed the lists go on,
//! in growing distance. No failure ends the stream.

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, unfold};
use http::StatusCode;
use http_body_util::BodyExt as _;
use kube::api::{ListParams, WatchParams};
use kube::core::{Request, WatchEvent};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::client::built;
use super::transport::{failure, refused};
use super::{Client, Error, Reason};

/// How long a server keeps a watch open; with keep-alives of TCP below, this is only for servers that hang.
const WATCH_SECS: u32 = 240;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A stream that lived this long was a good one, even if it said nothing.
const GOOD_STREAM: Duration = Duration::from_secs(30);
/// etcd takes no object above 1.5 MiB.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// How the object is.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It is there.
    Object(Value),
    /// Its collection is there, the object is not.
    Absent,
}

type Lines = BoxStream<'static, Result<String, Reason>>;

enum State {
    /// Nothing is known.
    Unknown,
    /// All is known up to this version.
    Known(String),
    /// A watch runs.
    Watching {
        lines: Lines,
        version: String,
        since: Instant,
    },
}

struct Watch {
    client: Client,
    collection: String,
    name: String,
    state: State,
    pause: Duration,
    /// To wait before the next request.
    wait: bool,
    /// The last stream ended before it was of use: the pauses go on growing.
    vain: bool,
}

impl Client {
    /// Watches the object of this name in a collection. The stream never ends; each failure is an item, after which it goes on
    /// by itself. An object may be told twice. A 404 of the collection is a failure ([`Reason::Absent`]): a server that starts
    /// says the same of everything.
    pub fn watch(&self, collection: &str, name: &str) -> BoxStream<'static, Result<Seen, Error>> {
        let watch = Watch {
            client: self.clone(),
            collection: collection.to_owned(),
            name: name.to_owned(),
            state: State::Unknown,
            pause: FIRST_PAUSE,
            wait: false,
            vain: false,
        };
        unfold(watch, |mut watch| async {
            let item = watch.next().await;
            Some((item, watch))
        })
        .boxed()
    }
}

impl Watch {
    async fn next(&mut self) -> Result<Seen, Error> {
        loop {
            if std::mem::take(&mut self.wait) {
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LAST_PAUSE);
            }
            // Until the step is done nothing is known.
            let state = std::mem::replace(&mut self.state, State::Unknown);
            let step = match state {
                State::Unknown => self.list().await.map(Some),
                State::Known(version) => self.open(version).await.map(|()| None),
                State::Watching {
                    lines,
                    version,
                    since,
                } => self.event(lines, version, since).await,
            };
            match step {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => {}
                // The version is too old: nothing failed that anyone need know.
                Err(Reason::Expired(_)) => self.wait = true,
                Err(reason) => {
                    self.wait = true;
                    return Err(self.client.error("WATCH", &self.collection, reason));
                }
            }
        }
    }

    fn selector(&self) -> String {
        format!("metadata.name={}", self.name)
    }

    async fn list(&mut self) -> Result<Seen, Reason> {
        let params = ListParams::default().fields(&self.selector());
        let request = built(Request::new(&*self.collection).list(&params))?;
        let mut list = self.client.transport.object(request).await?;
        let version = list.pointer("/metadata/resourceVersion");
        let version = version.and_then(Value::as_str).map(str::to_owned);
        let version =
            version.ok_or_else(|| Reason::Answer("a list without resourceVersion".to_owned()))?;
        let items = list.get_mut("items").map(Value::take).unwrap_or_default();
        // The server selected; a name is checked all the same.
        let object = match items {
            Value::Array(items) => items.into_iter().find(|item| self.is_ours(item)),
            _ => None,
        };
        self.state = State::Known(version);
        Ok(object.map_or(Seen::Absent, Seen::Object))
    }

    fn is_ours(&self, object: &Value) -> bool {
        object.pointer("/metadata/name").and_then(Value::as_str) == Some(&*self.name)
    }

    async fn open(&mut self, version: String) -> Result<(), Reason> {
        let params = WatchParams::default()
            .timeout(WATCH_SECS)
            .fields(&self.selector());
        let request = built(Request::new(&*self.collection).watch(&params, &version))?;
        let answer = self.client.transport.open(request).await?;
        if !self.vain {
            self.pause = FIRST_PAUSE;
        }
        let body = answer.into_body().into_data_stream();
        let reader = StreamReader::new(body.map_err(std::io::Error::other));
        let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(MAX_EVENT_BYTES));
        let lines = lines.map_err(|e| match e {
            LinesCodecError::Io(e) => failure(&e),
            LinesCodecError::MaxLineLengthExceeded => {
                Reason::Answer("an event does not end".to_owned())
            }
        });
        self.state = State::Watching {
            lines: lines.boxed(),
            version,
            since: Instant::now(),
        };
        Ok(())
    }

    /// The next event; `None` when it tells nothing of the object, or the watch has ended.
    async fn event(
        &mut self,
        mut lines: Lines,
        version: String,
        since: Instant,
    ) -> Result<Option<Seen>, Reason> {
        let limit_secs = u64::from(WATCH_SECS) + self.client.transport.timeout_secs;
        let line = tokio::time::timeout(Duration::from_secs(limit_secs), lines.next()).await;
        let Some(line) = line.map_err(|_| Reason::Slow(limit_secs))? else {
            self.state = State::Known(version);
            self.vain = since.elapsed() < GOOD_STREAM;
            self.wait = self.vain;
            return Ok(None);
        };
        let event = serde_json::from_str::<WatchEvent<Value>>(&line?)
            .map_err(|_| Reason::Answer("an event that is none, or was cut".to_owned()))?;
        let (seen, version) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                let version = version_of(&object).unwrap_or(version);
                let ours = self.is_ours(&object);
                (ours.then_some(Seen::Object(object)), version)
            }
            WatchEvent::Deleted(object) => {
                let version = version_of(&object).unwrap_or(version);
                (self.is_ours(&object).then_some(Seen::Absent), version)
            }
            WatchEvent::Bookmark(mark) => (None, mark.metadata.resource_version),
            WatchEvent::Error(status) => {
                let code = StatusCode::from_u16(status.code);
                let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Err(refused(code, &status.message));
            }
        };
        self.vain = false;
        self.pause = FIRST_PAUSE;
        self.state = State::Watching {
            lines,
            version,
            since,
        };
        Ok(seen)
    }
}

fn version_of(object: &Value) -> Option<String> {
    let version = object.pointer("/metadata/resourceVersion")?;
    version.as_str().map(str::to_owned)
}
