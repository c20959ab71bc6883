//! One request and its answer: kube's TLS and credentials on hyper, with limits of time and size, and each failure by its kind.

use std::error::Error as StdError;
use std::time::Duration;

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connect, HttpConnector, proxy::Tunnel};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt as _};

use super::{Kubeconfig, Reason};
use crate::io::root_text;

/// A page of 500 pods has some 10 MiB.
const MAX_ANSWER_BYTES: usize = 128 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A machine that reboots says no goodbye: after half a minute without a sign of life a watch's connection counts as dead.
const KEEPALIVE: (Duration, u32) = (Duration::from_secs(10), 3);

pub(super) type Stream = UnsyncBoxBody<Bytes, BoxError>;
type Http = BoxCloneSyncService<Request<Body>, Response<Stream>, BoxError>;

/// Sends requests to one server.
#[derive(Clone)]
pub(super) struct Transport {
    service: Http,
    pub(super) timeout_secs: u64,
}

impl Transport {
    pub(super) fn new(from: &Kubeconfig, timeout_secs: u64) -> Result<Self, kube::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(KEEPALIVE.0));
        tcp.set_keepalive_interval(Some(KEEPALIVE.0));
        tcp.set_keepalive_retries(Some(KEEPALIVE.1));
        let service = match &from.proxy {
            None => service(
                from,
                from.config.rustls_https_connector_with_connector(tcp)?,
            )?,
            Some(proxy) => {
                let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                let tunnel = match proxy.basic_auth() {
                    Some(user) => tunnel.with_auth(user.clone()),
                    None => tunnel,
                };
                service(
                    from,
                    from.config.rustls_https_connector_with_connector(tunnel)?,
                )?
            }
        };
        Ok(Self {
            service,
            timeout_secs,
        })
    }

    /// Sends a request; `Ok` with a body that is still to come when the status says success.
    pub(super) async fn open(&self, request: Request<Vec<u8>>) -> Result<Response<Stream>, Reason> {
        self.in_time(self.success(request)).await
    }

    /// Sends a request and takes its whole answer.
    pub(super) async fn bytes(&self, request: Request<Vec<u8>>) -> Result<Vec<u8>, Reason> {
        let answer = async { collect(self.success(request).await?).await };
        self.in_time(answer).await
    }

    /// Sends a request whose answer is an API object.
    pub(super) async fn object(&self, request: Request<Vec<u8>>) -> Result<Value, Reason> {
        let object: Option<Value> = serde_json::from_slice(&self.bytes(request).await?).ok();
        let object = object.filter(Value::is_object);
        object.ok_or_else(|| Reason::Answer("the answer is no JSON object".to_owned()))
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
        let limit = Duration::from_secs(self.timeout_secs);
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or(Err(Reason::Slow(self.timeout_secs)))
    }

    async fn success(&self, request: Request<Vec<u8>>) -> Result<Response<Stream>, Reason> {
        let mut request = request.map(Body::from);
        let headers = request.headers_mut();
        let agent = concat!("snoforge/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let sent = self.service.clone().oneshot(request).await;
        let answer = sent.map_err(|e| failure(e.as_ref()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        // The server's words are welcome, but the status is enough.
        let body = collect(answer).await.ok();
        let said: Option<Value> = body.and_then(|b| serde_json::from_slice(&b).ok());
        let said = said.as_ref().and_then(|v| v.get("message")?.as_str());
        Err(refused(status, said.unwrap_or_default()))
    }
}

fn service<H>(from: &Kubeconfig, connector: H) -> Result<Http, kube::Error>
where
    H: Connect + Clone + Send + Sync + 'static,
{
    let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let http = http.map_err(BoxError::from);
    let http =
        http.map_response(|answer| answer.map(|body| body.map_err(BoxError::from).boxed_unsync()));
    let service = ServiceBuilder::new()
        .layer(from.config.base_uri_layer())
        .option_layer(from.config.auth_layer()?)
        .layer(from.config.extra_headers_layer()?)
        .service(http);
    Ok(BoxCloneSyncService::new(service))
}

async fn collect(answer: Response<Stream>) -> Result<Vec<u8>, Reason> {
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| failure(e.as_ref()))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(Reason::Answer("the answer does not end".to_owned()));
        }
    }
    Ok(bytes)
}

/// The reason that a status and its words tell.
pub(super) fn refused(status: StatusCode, words: &str) -> Reason {
    let colon = if words.is_empty() { "" } else { ": " };
    let text = format!("{status}{colon}{words}");
    match status.as_u16() {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden(text),
        404 => Reason::Absent(text),
        409 => Reason::Conflict(text),
        410 => Reason::Expired(text),
        400 | 422 => Reason::Invalid(text),
        429 | 500.. => Reason::Busy(text),
        _ => Reason::Status(text),
    }
}

/// What broke below HTTP, by the types in the chain of sources.
pub(super) fn failure(error: &(dyn StdError + 'static)) -> Reason {
    let chain: Vec<_> = std::iter::successors(Some(error), |e| below(*e)).collect();
    if let Some(tls) = chain.iter().find_map(|e| e.downcast_ref::<rustls::Error>()) {
        return of_tls(tls);
    }
    let root = chain.last().map_or_else(String::new, |e| root_text(*e));
    let timed_out = chain
        .iter()
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::TimedOut);
    let connecting = chain
        .iter()
        .filter_map(|e| e.downcast_ref::<legacy::Error>())
        .any(legacy::Error::is_connect);
    match (connecting, timed_out) {
        (true, true) => Reason::Connect("no connection within the time limit".to_owned()),
        (true, false) => Reason::Connect(root),
        (false, _) => Reason::Answer(format!("the answer was cut: {root}")),
    }
}

/// What TLS says, with a date where it has one.
fn of_tls(error: &rustls::Error) -> Reason {
    use rustls::CertificateError::{ExpiredContext, NotValidYetContext};
    let time = |time: rustls::pki_types::UnixTime| {
        let seconds = i64::try_from(time.as_secs()).ok()?;
        jiff::Timestamp::from_second(seconds).ok()
    };
    let dated = match error {
        rustls::Error::InvalidCertificate(ExpiredContext { not_after, .. }) => {
            time(*not_after).map(Reason::CertificateExpired)
        }
        rustls::Error::InvalidCertificate(NotValidYetContext { not_before, .. }) => {
            time(*not_before).map(Reason::CertificateNotYetValid)
        }
        _ => None,
    };
    dated.unwrap_or_else(|| Reason::Tls(error.to_string()))
}

/// The error below; an I/O error's `source` leaves out the one that it carries.
fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|e| e as &(dyn StdError + 'static)),
        None => error.source(),
    }
}
