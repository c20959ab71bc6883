//! The right answers, before anything goes wrong with them, and the reading of requests.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a broken fixture should stop the test"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use snoforge::oci::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Access, Fault, Rule, Seen};

#[derive(Debug, Default)]
pub(super) struct State {
    /// `repository/manifests/KEY` → type and bytes.
    pub(super) manifests: BTreeMap<String, (String, Bytes)>,
    pub(super) blobs: BTreeMap<Digest, Bytes>,
    pub(super) rules: Vec<Rule>,
    pub(super) seen: Vec<Seen>,
    pub(super) access: Access,
    pub(super) valid_tokens: Vec<String>,
    pub(super) tokens_issued: usize,
    pub(super) tags_per_page: Option<usize>,
    pub(super) pace: Option<Duration>,
    pub(super) sent: u64,
}

impl State {
    pub(super) fn take_fault(&mut self, line: &str) -> Option<Fault> {
        let matching = self
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && line.contains(&rule.on))?;
        if matching.skip > 0 {
            matching.skip -= 1;
            return None;
        }
        matching.left -= 1;
        Some(matching.fault.clone())
    }

    pub(super) fn answer(&mut self, seen: &Seen, host: &str) -> Answer {
        let target = seen.line.split_once(' ').map_or("", |(_, target)| target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/token" {
            return self.token(seen);
        }
        let Some(rest) = path.strip_prefix("/v2/") else {
            return match path.strip_prefix("/doc/") {
                Some(name) => Answer::ok(
                    "application/json",
                    Bytes::from(format!(r#"{{"name":"{name}"}}"#)),
                ),
                None => Answer::status(404),
            };
        };
        if let Some(refusal) = self.refuse(seen, host, rest) {
            return refusal;
        }
        if rest.is_empty() {
            return Answer::ok("application/json", Bytes::from_static(b"{}"));
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return self.tags(repository, query);
        }
        if let Some((kind, bytes)) = self.manifests.get(rest) {
            let mut answer = Answer::ok(kind, bytes.clone());
            answer.counted = true;
            return answer.with("Docker-Content-Digest", Digest::of(bytes).to_string());
        }
        let digest = rest
            .rsplit_once("/blobs/")
            .and_then(|(_, digest)| digest.parse::<Digest>().ok());
        let found = digest.and_then(|digest| Some((self.blobs.get(&digest)?, digest)));
        if let Some((bytes, digest)) = found {
            let mut answer = Answer::ok("application/octet-stream", bytes.clone())
                .with("ETag", format!("\"{digest}\""));
            answer.counted = true;
            answer
        } else {
            let mut answer = Answer::status(404);
            answer.body = Bytes::from_static(
                br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            );
            answer
        }
    }

    /// The answer to a request without the right `Authorization`.
    fn refuse(&self, seen: &Seen, host: &str, rest: &str) -> Option<Answer> {
        let sent = seen.headers.get("authorization").map(String::as_str);
        let challenge = match &self.access {
            Access::Open => return None,
            Access::Basic(login) if sent == Some(&basic(login)) => return None,
            Access::Basic(_) => r#"Basic realm="faulty""#.to_owned(),
            Access::Token { .. } => {
                let token = sent.and_then(|value| value.strip_prefix("Bearer "));
                if token.is_some_and(|token| self.valid_tokens.iter().any(|t| t == token)) {
                    return None;
                }
                let repository = ["/manifests/", "/blobs/", "/tags/"]
                    .iter()
                    .find_map(|part| rest.split_once(part))
                    .map_or("", |(repository, _)| repository);
                format!(
                    r#"Bearer realm="http://{host}/token",service="faulty",scope="repository:{repository}:pull""#
                )
            }
        };
        Some(Answer::status(401).with("WWW-Authenticate", challenge))
    }

    fn token(&mut self, seen: &Seen) -> Answer {
        let Access::Token { login, expires_in } = self.access.clone() else {
            return Answer::status(404);
        };
        let sent = seen.headers.get("authorization");
        let by_refresh = seen.line.starts_with("POST ")
            && login
                .as_ref()
                .is_some_and(|login| seen.body.contains(&format!("refresh_token={login}")));
        if let Some(login) = &login
            && sent != Some(&basic(login))
            && !by_refresh
        {
            return Answer::status(401);
        }
        self.tokens_issued += 1;
        let token = format!("token-{}", self.tokens_issued);
        self.valid_tokens.push(token.clone());
        let body = match expires_in {
            Some(seconds) => serde_json::json!({"token": token, "expires_in": seconds}),
            None => serde_json::json!({"access_token": token}),
        };
        Answer::ok("application/json", Bytes::from(body.to_string()))
    }

    fn tags(&self, repository: &str, query: &str) -> Answer {
        let prefix = format!("{repository}/manifests/");
        let all: Vec<&str> = self
            .manifests
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .filter(|key| !key.contains(':'))
            .collect();
        if all.is_empty() {
            return Answer::status(404);
        }
        let parameter = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let last = parameter("last").unwrap_or("");
        let wanted: Vec<&str> = all.into_iter().filter(|tag| *tag > last).collect();
        let page = self.tags_per_page.unwrap_or(usize::MAX).min(wanted.len());
        let body = serde_json::json!({"name": repository, "tags": &wanted[..page]});
        let answer = Answer::ok("application/json", Bytes::from(body.to_string()));
        match wanted.get(page - 1) {
            Some(end) if page < wanted.len() => answer.with(
                "Link",
                format!(r#"</v2/{repository}/tags/list?last={end}&n={page}>; rel="next""#),
            ),
            _ => answer,
        }
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) head_only: bool,
    /// Counts towards [`Faulty::bytes_sent`].
    pub(super) counted: bool,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            head_only: false,
            counted: false,
        }
    }

    fn ok(kind: &str, body: Bytes) -> Self {
        let mut answer = Self::status(200).with("Content-Type", kind.to_owned());
        answer.body = body;
        answer
    }

    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Makes a 206 of it, as `bytes=N-` asks, or as a fault would have it.
    pub(super) fn cut(&mut self, range: &str, fault: Option<&Fault>) {
        let asked: usize = range
            .trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse()
            .expect("an open range");
        let total = self.body.len();
        if asked >= total {
            *self = Self::status(416);
            return;
        }
        let (first, told) = match fault {
            Some(Fault::RangeEarlier(bytes)) => (asked.saturating_sub(*bytes), total),
            Some(Fault::RangeTotal(told)) => (asked, *told),
            _ => (asked, total),
        };
        self.status = 206;
        self.body = self.body.slice(first..);
        let value = format!("bytes {first}-{}/{told}", total - 1);
        self.headers.push(("Content-Range".to_owned(), value));
    }

    pub(super) fn flip_last_bit(&mut self) {
        let mut bytes = self.body.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        self.body = bytes.into();
    }

    pub(super) fn resize(&mut self, by: isize) {
        let mut bytes = self.body.to_vec();
        bytes.resize(bytes.len().saturating_add_signed(by), 0x55);
        self.body = bytes.into();
    }

    pub(super) fn head(&self, chunked: bool) -> String {
        let mut head = format!("HTTP/1.1 {} Faulty\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else {
            head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head + "\r\n"
    }
}

fn basic(login: &str) -> String {
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(login)
    )
}

/// Reads a request; `None` at the end of the connection, or when it is no HTTP (a TLS hello).
pub(super) async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if buffer.first().is_some_and(|b| !b.is_ascii_uppercase()) || buffer.len() > 64 << 10 {
            // What Go's server says to a TLS hello.
            let refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            socket.write_all(refusal).await.ok()?;
            return None;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).ok()?;
    buffer.drain(..end + 4);
    let mut lines = head.lines();
    let line = lines.next()?.rsplit_once(' ')?.0.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(Some(0), |l| l.parse().ok())?;
    while buffer.len() < length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).ok()?;
    Some(Seen {
        line,
        headers,
        body,
        at: Instant::now(),
    })
}
