//! What is asked of an API server: objects and lists, changes, logs.

use std::fmt;

use http::Request as HttpRequest;
use kube::api::{
    DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::Request;
use serde_json::Value;

use super::transport::Transport;
use super::{Error, Kubeconfig, Reason};
use crate::io::root_text;

/// Items per page, as `kubectl` has it.
const PAGE_ITEMS: u32 = 500;
/// Far more than any Single Node cluster has; ends a server that always says `continue`.
const MAX_PAGES: usize = 400;
/// What of a log is wanted at most.
const MAX_LOG_BYTES: i64 = 1 << 20;
/// Who changed a field, in `managedFields`.
const MANAGER: &str = "snoforge";

/// What is at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    /// All items of a list, in the server's order.
    Items(Vec<Value>),
    /// One object.
    Object(Value),
    /// 404: the object or its group is not there.
    Absent,
}

/// Talks to one API server. Copies share connections; it may be made outside a runtime.
#[derive(Clone)]
pub struct Client {
    pub(super) transport: Transport,
    pub(super) server: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Client");
        shown.field("server", &self.server).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the kubeconfig's current context; each request gets `timeout_secs` from first to last byte.
    ///
    /// # Errors
    /// The token's file cannot be read.
    pub fn new(config: &Kubeconfig, timeout_secs: u64) -> Result<Self, Error> {
        let transport = Transport::new(config, timeout_secs);
        Ok(Self {
            transport: transport.map_err(|e| Error::Kubeconfig {
                path: config.path.clone(),
                reason: format!("credentials: {}", root_text(&e)),
            })?,
            server: config.server(),
        })
    }

    /// The API's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// GETs what is at an API path (`/api/v1/nodes`), all pages when it is a list; a list may be narrowed
    /// (`/api/v1/pods?fieldSelector=status.phase=Pending`).
    ///
    /// # Errors
    /// Anything but success and 404; see [`Reason`].
    pub async fn get(&self, path: &str) -> Result<Got, Error> {
        let mut got = self.pages(path).await;
        // A list that took longer than etcd remembers; its second time is its last.
        if matches!(got, Err(Reason::Expired(_))) {
            got = self.pages(path).await;
        }
        match got {
            Err(Reason::Absent(_)) => Ok(Got::Absent),
            got => got.map_err(|reason| self.error("GET", path, reason)),
        }
    }

    async fn pages(&self, path: &str) -> Result<Got, Reason> {
        let mut items = Vec::new();
        let mut params = ListParams::default().limit(PAGE_ITEMS);
        let (path, fields) = path.split_once("?fieldSelector=").unwrap_or((path, ""));
        if !fields.is_empty() {
            params = params.fields(fields);
        }
        for _ in 0..MAX_PAGES {
            let request = built(Request::new(path).list(&params))?;
            let mut page = self.transport.object(request).await?;
            let is_list = page
                .get("kind")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.ends_with("List"));
            if !is_list {
                return Ok(Got::Object(page));
            }
            // Go writes an empty list as null.
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                Some(Value::Null) => {}
                _ => return Err(Reason::Answer("a list without items".to_owned())),
            }
            let next = page.pointer("/metadata/continue").and_then(Value::as_str);
            match next.filter(|next| !next.is_empty()) {
                Some(next) => params.continue_token = Some(next.to_owned()),
                None => return Ok(Got::Items(items)),
            }
        }
        Err(Reason::Answer("the list does not end".to_owned()))
    }

    /// POSTs an object to its collection; the answer is the object as the server has it.
    ///
    /// # Errors
    /// [`Reason::Conflict`]: one of this name exists. [`Reason::Invalid`]: schema or rules refuse it.
    pub async fn create(&self, collection: &str, object: &Value) -> Result<Value, Error> {
        let request = built(Request::new(collection).create(&owned(), json(object)));
        self.change("POST", collection, request).await
    }

    /// PUTs an object in place of the one at `path`; with a `resourceVersion` in it only if that is still the server's.
    ///
    /// # Errors
    /// [`Reason::Conflict`]: it was changed meanwhile.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, Error> {
        let request = named(path)
            .and_then(|(collection, name)| built(collection.replace(name, &owned(), json(object))));
        self.change("PUT", path, request).await
    }

    /// Merges changes (a merge patch, RFC 7386) into the object at `path`.
    pub async fn patch(&self, path: &str, changes: &Value) -> Result<Value, Error> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = named(path).and_then(|(collection, name)| {
            built(collection.patch(name, &params, &Patch::Merge(changes)))
        });
        self.change("PATCH", path, request).await
    }

    /// Creates the object at `path`, or gives it these fields (server-side apply).
    ///
    /// # Errors
    /// [`Reason::Conflict`]: somebody else owns a field that would change.
    pub async fn apply(&self, path: &str, object: &Value) -> Result<Value, Error> {
        let params = PatchParams::apply(MANAGER);
        let request = named(path).and_then(|(collection, name)| {
            built(collection.patch(name, &params, &Patch::Apply(object)))
        });
        self.change("PATCH", path, request).await
    }

    /// Deletes the object at `path`, only the one of this `uid` when one is given; whether there was one. It may live on until
    /// its finalizers are done.
    ///
    /// # Errors
    /// [`Reason::Conflict`]: another uid.
    pub async fn delete(&self, path: &str, uid: Option<&str>) -> Result<bool, Error> {
        let uid = uid.map(str::to_owned);
        let params = DeleteParams {
            preconditions: uid.map(|uid| Preconditions {
                uid: Some(uid),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let request =
            named(path).and_then(|(collection, name)| built(collection.delete(name, &params)));
        match self.change("DELETE", path, request).await {
            Ok(_) => Ok(true),
            Err(Error::Request {
                reason: Reason::Absent(_),
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The last lines of a container's log, at most 1 MiB of them; `pod` is the pod's path.
    pub async fn log_tail(&self, pod: &str, container: &str, lines: u32) -> Result<String, Error> {
        let params = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(MAX_LOG_BYTES),
            tail_lines: Some(i64::from(lines)),
            ..LogParams::default()
        };
        let request =
            named(pod).and_then(|(collection, name)| built(collection.logs(name, &params)));
        let answer = match request {
            // A pod's log is no JSON; a refusal is.
            Ok(request) => self.transport.bytes(request).await,
            Err(reason) => Err(reason),
        };
        let bytes = answer.map_err(|reason| self.error("GET", &format!("{pod}/log"), reason))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn change(
        &self,
        method: &'static str,
        path: &str,
        request: Result<HttpRequest<Vec<u8>>, Reason>,
    ) -> Result<Value, Error> {
        let answer = match request {
            Ok(request) => self.transport.object(request).await,
            Err(reason) => Err(reason),
        };
        answer.map_err(|reason| self.error(method, path, reason))
    }

    pub(super) fn error(&self, method: &'static str, path: &str, reason: Reason) -> Error {
        Error::Request {
            server: self.server.clone(),
            method,
            path: path.to_owned(),
            reason,
        }
    }
}

/// A path's collection and the name in it.
fn named(path: &str) -> Result<(Request, &str), Reason> {
    let parts = path.rsplit_once('/');
    let parts = parts.filter(|(collection, name)| !collection.is_empty() && !name.is_empty());
    let (collection, name) =
        parts.ok_or_else(|| Reason::Invalid("the path names no object".to_owned()))?;
    Ok((Request::new(collection), name))
}

pub(super) fn built(
    request: Result<HttpRequest<Vec<u8>>, kube::core::request::Error>,
) -> Result<HttpRequest<Vec<u8>>, Reason> {
    request.map_err(|e| Reason::Invalid(format!("no request: {}", root_text(&e))))
}

fn owned() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        dry_run: false,
    }
}

fn json(object: &Value) -> Vec<u8> {
    object.to_string().into_bytes()
}
