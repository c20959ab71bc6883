//! Whether an account may push: an upload session is opened and cancelled, as distribution-spec v1.1 has it
//! (`POST /v2/NAME/blobs/uploads/` → 202, `DELETE` of the `Location`). Nothing is stored.

use http::HeaderValue;
use http::header::{AUTHORIZATION, LOCATION};
use reqwest::{Method, Response, StatusCode};

use super::authorize;
use super::challenge::Challenge;
use super::client::Client;
use super::error::Fault;
use super::itinerary::Place;
use super::transport;
use crate::oci::{Reference, SourceError, SourceErrorKind};

impl Client {
    /// Asks the registry of `target` for an upload session of its repository, and cancels it.
    ///
    /// # Errors
    /// The registry cannot be reached, or the account may not push there.
    pub async fn try_push(&self, target: &Reference) -> Result<(), SourceError> {
        let what = format!("push rights for {}", target.name());
        let places = self.places(target, super::registries::Purpose::Manifest);
        // Mirrors do not take pushes: the last place is the image's own.
        let own = places.map_err(|fault| fault.about(&what))?.pop();
        let own =
            own.ok_or_else(|| Fault::config("registries.conf names no place for it").about(&what))?;
        let mut itinerary = self.itinerary(what, vec![own]);
        loop {
            let (index, place) = itinerary.next().await?;
            match probe(self, &place).await {
                Ok(()) => return Ok(()),
                Err(fault) => itinerary.failed(index, fault),
            }
        }
    }
}

async fn probe(client: &Client, place: &Place) -> Result<(), Fault> {
    let (host, repository) = (&place.host, place.image.repository());
    let deadline = client.inner.options.retry.deadline;
    let _slot = host.enter(deadline).await?;
    transport::learn_challenge(client, place).await?;
    let scope = format!("repository:{repository}:pull,push");
    let mut sent = authorize::header(client, place, &scope, None).await?;
    let scheme = host.scheme(client.stall()).await?;
    let url = format!("{scheme}://{}/v2/{repository}/blobs/uploads/", host.name);
    let mut answer = ask(
        client,
        place,
        (Method::POST, &url),
        sent.as_ref().map(|s| &s.header),
    )
    .await?;
    if refuses(&answer)
        && let Some(challenge) = Challenge::of(answer.headers())
    {
        // The registry had not asked before, or a token of an earlier request has expired.
        host.learn(challenge, &place.image);
        let rejected = sent.as_ref().map(|s| &s.header);
        let other = authorize::header(client, place, &scope, rejected).await?;
        if let Some(other) = other {
            answer = ask(client, place, (Method::POST, &url), Some(&other.header)).await?;
            sent = Some(other);
        }
    }
    if refuses(&answer) {
        let fault = authorize::refused(client, place, answer).await;
        let hint = format!(
            "the seed cluster needs an account that may push to {}",
            place.endpoint()
        );
        return Err(fault.with_hint(hint));
    }
    let answer = transport::judge(answer, client.stall()).await?;
    if answer.status() != StatusCode::ACCEPTED {
        let detail = format!(
            "unexpected answer to an upload: HTTP {}",
            answer.status().as_u16()
        );
        return Err(Fault::never(SourceErrorKind::Protocol, detail));
    }
    if let Some(session) = session(&answer) {
        // A session that stays is dropped by the registry some day.
        let header = sent.as_ref().map(|s| &s.header);
        let _ = ask(client, place, (Method::DELETE, &session), header).await;
    }
    Ok(())
}

fn refuses(answer: &Response) -> bool {
    matches!(
        answer.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    )
}

/// The session's URL, when it is of the same origin: credentials go nowhere else.
fn session(answer: &Response) -> Option<String> {
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    let url = answer.url().join(location).ok()?;
    (url.origin() == answer.url().origin()).then(|| url.into())
}

async fn ask(
    client: &Client,
    place: &Place,
    (method, url): (Method, &str),
    authorization: Option<&HeaderValue>,
) -> Result<Response, Fault> {
    // The empty body makes the length 0 explicit, which some registries want.
    let mut request = place.host.http.request(method, url).body("");
    if let Some(header) = authorization {
        request = request.header(AUTHORIZATION, header.clone());
    }
    transport::answer_of(&place.host, request, client.stall()).await
}
