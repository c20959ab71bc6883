//! GET over HTTPS: one object, or all pages of a list.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::kubeconfig::Credentials;
use super::{Error, Kubeconfig, Reason};
use crate::io::root_text;

/// Items per page, as `kubectl` has it.
const PAGE_ITEMS: u32 = 500;
/// A page of 500 pods has some 10 MiB.
const MAX_PAGE_BYTES: usize = 128 << 20;
/// Far more than any Single Node cluster has; ends a server that always says `continue`.
const MAX_PAGES: usize = 400;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How rustls begins what it says; its type is hidden below reqwest's.
const TLS_TEXTS: [&str; 5] = [
    "invalid peer certificate",
    "received corrupt message",
    "received fatal alert",
    "peer is incompatible",
    "peer misbehaved",
];

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

/// Talks to one API server.
pub struct Client {
    http: reqwest::Client,
    server: String,
    timeout_secs: u64,
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
    /// The CA, the certificate, its key or the token cannot be used.
    pub fn new(config: &Kubeconfig, timeout_secs: u64) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Kubeconfig {
            path: config.path.clone(),
            reason,
        };
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .user_agent(concat!("snoforge/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_secs(timeout_secs))
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(!config.verify);
        if let Some(pem) = &config.authority {
            let bundle = reqwest::Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|bundle| !bundle.is_empty())
                .ok_or_else(|| refuse("certificate-authority is no PEM certificate".to_owned()))?;
            builder = builder.tls_certs_only(bundle);
        }
        builder = match &config.credentials {
            Credentials::Certificate(pem) => {
                let identity = reqwest::Identity::from_pem(pem).map_err(|_| {
                    refuse(
                        "client certificate and key are no PEM, or do not belong together"
                            .to_owned(),
                    )
                })?;
                builder.identity(identity)
            }
            Credentials::Token(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| refuse("the token has characters that no token has".to_owned()))?;
                value.set_sensitive(true);
                builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]))
            }
        };
        let http = builder.build();
        Ok(Self {
            http: http.map_err(|e| refuse(format!("TLS: {}", root_text(&e))))?,
            server: config.server.clone(),
            timeout_secs,
        })
    }

    /// The API's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// GETs what is at an API path (`/api/v1/nodes`), all pages when it is a list.
    ///
    /// # Errors
    /// Anything but 200 and 404; see [`Reason`].
    pub async fn get(&self, path: &str) -> Result<Got, Error> {
        let got = self.pages(path).await;
        got.map_err(|reason| Error::Request {
            server: self.server.clone(),
            path: path.to_owned(),
            reason,
        })
    }

    async fn pages(&self, path: &str) -> Result<Got, Reason> {
        let mut items = Vec::new();
        let mut next = String::new();
        for _ in 0..MAX_PAGES {
            let Some(mut page) = self.page(path, &next).await? else {
                return Ok(Got::Absent);
            };
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
            page.pointer("/metadata/continue")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .clone_into(&mut next);
            if next.is_empty() {
                return Ok(Got::Items(items));
            }
        }
        Err(Reason::Answer("the list does not end".to_owned()))
    }

    /// One page; `None` for 404.
    async fn page(&self, path: &str, token: &str) -> Result<Option<Value>, Reason> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.server))
            .header("accept", "application/json")
            .query(&[("limit", PAGE_ITEMS)]);
        if !token.is_empty() {
            request = request.query(&[("continue", token)]);
        }
        let answer = request.send().await.map_err(|e| self.reason(&e))?;
        let status = answer.status();
        match status {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::UNAUTHORIZED => return Err(Reason::Unauthorized),
            _ => {}
        }
        let body = self.body(answer).await;
        if status != StatusCode::OK {
            // The server's words are welcome, but the status is enough.
            let said: Option<Value> = body.ok().and_then(|b| serde_json::from_slice(&b).ok());
            let said = said.as_ref().and_then(|v| v.get("message")?.as_str());
            let words = said.map_or_else(String::new, |words| format!(": {words}"));
            return Err(Reason::Status(format!("{status}{words}")));
        }
        let page: Option<Value> = serde_json::from_slice(&body?).ok();
        let page = page.filter(Value::is_object);
        page.map(Some)
            .ok_or_else(|| Reason::Answer("the answer is no JSON object".to_owned()))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Reason> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.reason(&e))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_PAGE_BYTES {
                return Err(Reason::Answer("the answer does not end".to_owned()));
            }
        }
        Ok(body)
    }

    fn reason(&self, error: &reqwest::Error) -> Reason {
        let root = root_text(error);
        let tls = TLS_TEXTS.iter().any(|text| root.contains(text));
        if error.is_connect() && error.is_timeout() {
            Reason::Connect("no connection within the time limit".to_owned())
        } else if error.is_timeout() {
            Reason::Slow(self.timeout_secs)
        } else if tls {
            Reason::Tls(root)
        } else if error.is_connect() {
            Reason::Connect(root)
        } else {
            Reason::Answer(format!("the answer was cut: {root}"))
        }
    }
}
