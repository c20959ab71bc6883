//! One authorised request to one host, and the judgement of its answer.

use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, RANGE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use std::time::Duration;
use tokio::time::timeout;

use super::authorize;
use super::challenge::Challenge;
use super::client::Client;
use super::error::{Fault, Retry};
use super::host::Host;
use super::itinerary::Place;
use crate::oci::SourceErrorKind;

/// How much of an error page is read to find the registry's own words.
const ERROR_BODY_CAP: usize = 64 << 10;

/// A longer `Retry-After` is cut: nobody waits so long, and an instant so far away may not exist.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Tokens of other requests that may turn out to be expired too, one after the other, before a refusal counts.
const STALE_REPLAYS: u32 = 2;

/// What to ask of a place.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Behind `/v2/REPOSITORY/`.
    pub(super) path: &'a str,
    pub(super) accept: Option<&'a str>,
    /// First byte wanted, when not 0.
    pub(super) from: u64,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: None,
            from: 0,
        }
    }

    fn request(
        &self,
        http: &reqwest::Client,
        url: &str,
        authorization: Option<&HeaderValue>,
    ) -> RequestBuilder {
        let mut request = http.request(self.method.clone(), url);
        if let Some(accept) = self.accept {
            request = request.header(ACCEPT, accept);
        }
        if self.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.from));
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

/// Sends a request and returns a successful answer whose body is not yet read. A refusal is answered with credentials once, and
/// with a fresh token once more; a replay with the token of another request, which may have expired as well, does not count,
/// [`STALE_REPLAYS`] times.
pub(super) async fn send(client: &Client, place: &Place, ask: &Ask<'_>) -> Result<Response, Fault> {
    let host = &place.host;
    let (scheme, repository) = (host.scheme(client.stall()).await?, place.image.repository());
    let url = format!("{scheme}://{}/v2/{repository}/{}", host.name, ask.path);
    let scope = || host.scope(&place.image);
    let mut sent = authorize::header(client, place, &scope(), None).await?;
    let mut replays = if sent.is_none() { 2 } else { 1 };
    let mut stale = STALE_REPLAYS;
    loop {
        let request = ask.request(&host.http, &url, sent.as_ref().map(|sent| &sent.header));
        let response = answer_of(host, request, client.stall()).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
            // Not a failure of the place: the asker tries without a Range.
            StatusCode::RANGE_NOT_SATISFIABLE if ask.from > 0 => return Ok(response),
            _ => return judge(response, client.stall()).await,
        }
        let mut other = None;
        if let Some(challenge) = asks_for_other(&response)
            && replays > 0
        {
            host.learn(challenge, &place.image);
            let rejected = sent.as_ref().map(|sent| &sent.header);
            other = authorize::header(client, place, &scope(), rejected).await?;
        }
        match &other {
            None => return Err(authorize::refused(client, place, response).await),
            Some(other) if other.cached && stale > 0 => stale -= 1,
            Some(_) => replays -= 1,
        }
        sent = other;
    }
}

/// Asks a registry how it wants to be talked to, unless that is known.
pub(super) async fn learn_challenge(client: &Client, place: &Place) -> Result<(), Fault> {
    let host = &place.host;
    if host.auth_scheme().is_some() {
        return Ok(());
    }
    let url = format!("{}://{}/v2/", host.scheme(client.stall()).await?, host.name);
    let response = answer_of(host, host.http.get(url), client.stall()).await?;
    if let Some(challenge) = asks_for_other(&response) {
        host.learn(challenge, &place.image);
    }
    Ok(())
}

/// The challenge of a refusal that other credentials may turn.
fn asks_for_other(response: &Response) -> Option<Challenge> {
    let challenge = Challenge::of(response.headers())?;
    let unknown = response.status() == StatusCode::UNAUTHORIZED;
    (unknown || challenge.insufficient_scope).then_some(challenge)
}

/// [`answer`], noting that the host answers.
pub(super) async fn answer_of(
    host: &Host,
    request: reqwest::RequestBuilder,
    patience: Duration,
) -> Result<Response, Fault> {
    let response = answer(request, patience).await?;
    host.mark_answered();
    Ok(response)
}

/// Waits for the head of an answer, no longer than a stall may last.
pub(super) async fn answer(
    request: reqwest::RequestBuilder,
    patience: Duration,
) -> Result<Response, Fault> {
    match timeout(patience, request.send()).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Fault::later(format!(
            "no answer for {} s",
            patience.as_secs_f32()
        ))),
    }
}

/// Lets success pass and makes a fault of everything else.
pub(super) async fn judge(response: Response, patience: Duration) -> Result<Response, Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let wait = retry_after(response.headers());
    let said = said(response, patience).await;
    let fault = match status {
        StatusCode::NOT_FOUND => {
            Fault::never(SourceErrorKind::NotFound, format!("not found{said}"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::never(
            SourceErrorKind::Unauthorized,
            format!("access refused: HTTP {}{said}", status.as_u16()),
        ),
        StatusCode::TOO_MANY_REQUESTS => Fault {
            retry: Retry::Throttled(wait),
            ..Fault::later(format!("too many requests: HTTP 429{said}"))
        },
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => Fault {
            retry: wait.map_or(Retry::Later, |wait| Retry::Throttled(Some(wait))),
            ..Fault::later(format!("server error: HTTP {}{said}", status.as_u16()))
        },
        status => Fault::protocol(format!("unexpected answer: HTTP {}{said}", status.as_u16())),
    };
    Err(fault)
}

/// `Retry-After`, seconds or an HTTP date. A date counts from the answer's own `Date`: no clock of ours is asked.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_PAUSE));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
    let until = date(value)?.timestamp();
    let now = date(headers.get(DATE)?.to_str().ok()?)?.timestamp();
    let pause = Duration::try_from(until.duration_since(now)).ok()?;
    Some(pause.min(LONGEST_PAUSE))
}

/// ` (CODE: message)` of an error body, or nothing.
pub(super) async fn said(response: Response, patience: Duration) -> String {
    let words = timeout(patience, registry_words(response)).await;
    match words.unwrap_or_default() {
        Some(words) => format!(" ({words})"),
        None => String::new(),
    }
}

/// The body of a refusal, when short, for [`words_of`].
async fn registry_words(mut response: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > ERROR_BODY_CAP {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    words_of(&body)
}

/// The code and message of a distribution-spec error body; nothing of an HTML page.
pub(super) fn words_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        code: Option<String>,
        message: Option<String>,
    }
    let parsed: Body = serde_json::from_slice(body).ok()?;
    let first = parsed.errors.into_iter().next()?;
    let words = [first.code, first.message].into_iter().flatten();
    let text = words.collect::<Vec<_>>().join(": ");
    let clean: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    (!clean.is_empty()).then_some(clean)
}

/// The answer's body, at most `cap` bytes; waits no longer than `patience` for each piece.
pub(super) async fn read_capped(
    response: &mut Response,
    cap: usize,
    patience: Duration,
) -> Result<bytes::Bytes, Fault> {
    let too_long = || Fault::protocol(format!("the answer is longer than {cap} bytes"));
    if response
        .content_length()
        .is_some_and(|length| length > cap as u64)
    {
        return Err(too_long());
    }
    let mut body = bytes::BytesMut::new();
    loop {
        match timeout(patience, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > cap => return Err(too_long()),
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(stalled(patience)),
        }
    }
}

pub(super) fn stalled(patience: Duration) -> Fault {
    Fault::later(format!("no byte for {} s", patience.as_secs_f32()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let wait = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let noon = Some("Fri, 20 Nov 2026 12:00:00 GMT");
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait("18446744073709551615", None), Some(86_400));
        assert_eq!(wait("Fri, 20 Nov 2026 12:01:30 GMT", noon), Some(90));
        assert_eq!(wait("Wed, 20 Nov 2126 12:01:30 GMT", noon), Some(86_400));
        assert_eq!(wait("Fri, 20 Nov 2026 11:00:00 GMT", noon), None);
        assert_eq!(wait("Fri, 20 Nov 2026 12:01:30 GMT", None), None);
        assert_eq!(wait("soon", noon), None);
        assert_eq!(wait("-1", noon), None);
    }

    #[test]
    fn only_the_registry_s_own_words_are_quoted() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m access"}]}"#;
        assert_eq!(words_of(body).unwrap(), "DENIED: no[31m access");
        assert_eq!(words_of(b"<html>429</html>"), None);
        assert_eq!(words_of(br#"{"errors":[]}"#), None);
    }
}
