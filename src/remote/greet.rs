//! How a registry receives us: whether it answers, what time it has, and what it says to the login. Nothing is fetched.
//!
//! `GET /v2/` (distribution-spec "Determining Support"), then the way of the challenge; for a repository a `HEAD` of one manifest with
//! a token for that repository, whose absence is a good answer: the account was let in.

use http::HeaderMap;
use http::header::DATE;
use reqwest::{Method, StatusCode};

use super::authorize;
use super::challenge::Challenge;
use super::client::Client;
use super::credentials::CredentialSource;
use super::error::Fault;
use super::itinerary::Place;
use super::registries::Purpose;
use super::transport::{self, Ask};
use crate::oci::{Reference, SourceError, SourceErrorKind};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// The login alone: `/v2/` with the account's password or token.
    Login,
    /// The same, and that the account may read the repository.
    Read,
}

/// How one place received us.
#[derive(Debug)]
pub struct Greeting {
    /// `host[:port]`.
    pub host: String,
    /// Not the image's own place.
    pub mirror: bool,
    /// Whose login is known for it; it is shown where the place asks for one.
    pub account: Option<CredentialSource>,
    /// Whether it asked for a login.
    pub challenged: bool,
    /// Whether its certificate was looked at: an answer says then that it is good by our clock.
    pub verified: bool,
    /// Seconds since 1970 by the server's clock, when it said so.
    pub date: Option<i64>,
    /// It let us in, or why not; [`SourceErrorKind::Unauthorized`] for a login that is wrong.
    pub answer: Result<(), SourceError>,
}

impl Client {
    /// Visits every place that may answer for `image`, mirrors first, each once.
    ///
    /// # Errors
    /// registries.conf blocks the image, or a certificate directory is broken.
    pub async fn greet(
        &self,
        image: &Reference,
        visit: Visit,
    ) -> Result<Vec<Greeting>, SourceError> {
        let what = |place: &Place| place.host.name.clone();
        let places = self.places(image, Purpose::Manifest);
        let places = places.map_err(|fault| fault.about(image.registry()))?;
        let own = places.len().saturating_sub(1);
        let mut greetings = Vec::new();
        for (n, place) in places.into_iter().enumerate() {
            let (registry, repository) = (place.image.registry(), place.image.repository());
            let account = self.inner.credentials.source(registry, repository);
            let mut date = None;
            let answer = self.visit(&place, visit, &mut date).await;
            greetings.push(Greeting {
                mirror: n < own,
                account: account.ok().flatten(),
                challenged: place.host.auth_scheme().is_some(),
                verified: !place.host.insecure,
                date,
                answer: answer.map_err(|fault| fault.about(&what(&place))),
                host: what(&place),
            });
        }
        Ok(greetings)
    }

    /// Asks a web server for anything; every answer is one. Seconds since 1970 by its clock, when it said so.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn reach(&self, url: &str) -> Result<Option<i64>, SourceError> {
        let place = self.web_place(url).map_err(|fault| fault.about(url))?;
        let request = place.host.http.head(url);
        let answer = transport::answer_of(&place.host, request, self.stall()).await;
        let answer = answer.map_err(|fault| fault.about(&place.host.name))?;
        Ok(date(answer.headers()))
    }

    async fn visit(
        &self,
        place: &Place,
        visit: Visit,
        date_of: &mut Option<i64>,
    ) -> Result<(), Fault> {
        let host = &place.host;
        let _slot = host.enter(self.stall()).await?;
        let url = format!("{}://{}/v2/", host.scheme(self.stall()).await?, host.name);
        let ping = transport::answer_of(host, host.http.get(&url), self.stall()).await?;
        *date_of = date(ping.headers());
        let challenge = Challenge::of(ping.headers());
        match (ping.status(), challenge) {
            (StatusCode::UNAUTHORIZED, Some(challenge)) => host.learn(challenge, &place.image),
            (status, _) if status.is_success() => {}
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                return Err(authorize::refused(self, place, ping).await);
            }
            (status, _) if status.is_server_error() => {
                return transport::judge(ping, self.stall()).await.map(drop);
            }
            (status, _) => {
                let detail = format!("it is no registry: /v2/ gives HTTP {}", status.as_u16());
                return Err(Fault::never(SourceErrorKind::Protocol, detail));
            }
        }
        match visit {
            Visit::Login => self.log_in(place, &url).await,
            Visit::Read => self.read(place).await,
        }
    }

    /// `/v2/` with what the registry asked for; where it asked for nothing there is nothing to try.
    async fn log_in(&self, place: &Place, url: &str) -> Result<(), Fault> {
        if place.host.auth_scheme().is_none() {
            return Ok(());
        }
        let header = authorize::header(self, place, "", None).await?;
        let mut request = place.host.http.get(url);
        if let Some(sent) = header {
            request = request.header(http::header::AUTHORIZATION, sent.header);
        }
        let answer = transport::answer_of(&place.host, request, self.stall()).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(authorize::refused(self, place, answer).await)
            }
            _ => transport::judge(answer, self.stall()).await.map(drop),
        }
    }

    async fn read(&self, place: &Place) -> Result<(), Fault> {
        let image = &place.image;
        let digest = image.digest().map(ToString::to_string);
        let name = digest.or_else(|| image.tag().map(str::to_owned));
        let path = format!("manifests/{}", name.as_deref().unwrap_or("latest"));
        let ask = Ask {
            method: Method::HEAD,
            ..Ask::get(&path)
        };
        match transport::send(self, place, &ask).await {
            Err(fault) if fault.kind != SourceErrorKind::NotFound => Err(fault),
            _ => Ok(()),
        }
    }
}

fn date(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(date.timestamp().as_second())
}
