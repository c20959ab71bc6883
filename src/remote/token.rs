//! Tokens: fetched once for all who wait, renewed before they end (distribution `docs/spec/auth/token.md`, `oauth.md`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use reqwest::{Client as Http, RequestBuilder, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::credentials::{Credential, CredentialSource};
use super::error::Fault;
use super::secret::Secret;
use super::transport;
use crate::oci::SourceErrorKind;

/// A shorter or missing lifetime counts as this (token.md: "no less than 60 seconds").
const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// A longer one is cut, so that the arithmetic of a hostile number cannot overflow.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// A token is renewed so long before its end, or at four fifths of a short life.
const RENEW_BEFORE: Duration = Duration::from_secs(30);
const ANSWER_CAP: usize = 1 << 20;

/// What to ask a token service for.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) http: &'a Http,
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a str,
    pub(super) credential: Option<&'a (CredentialSource, Credential)>,
    pub(super) patience: Duration,
}

/// Tokens by service, scope and account.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    cells: Mutex<BTreeMap<Key, Arc<tokio::sync::Mutex<Cell>>>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    realm: String,
    service: String,
    scope: String,
    account: Option<CredentialSource>,
}

#[derive(Debug, Default)]
struct Cell {
    token: Option<Token>,
    /// A failure answers all who were waiting while it happened; later callers try again.
    failure: Option<(Instant, Fault)>,
}

#[derive(Debug)]
struct Token {
    header: HeaderValue,
    renew_at: Instant,
}

impl Tokens {
    /// The `Authorization` header for a wish, other than the `rejected` one, and whether it was fetched for this call.
    pub(super) async fn get(
        &self,
        wish: &Wish<'_>,
        rejected: Option<&HeaderValue>,
    ) -> Result<(HeaderValue, bool), Fault> {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(wish.key()).or_default())
        };
        let asked = Instant::now();
        let mut cell = cell.lock().await;
        if let Some(token) = &cell.token
            && token.renew_at > Instant::now()
            && Some(&token.header) != rejected
        {
            return Ok((token.header.clone(), false));
        }
        if let Some((at, fault)) = &cell.failure
            && *at > asked
        {
            return Err(fault.clone());
        }
        match wish.fetch().await {
            Ok(token) => {
                let header = token.header.clone();
                cell.token = Some(token);
                Ok((header, true))
            }
            Err(fault) => {
                cell.failure = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

impl Wish<'_> {
    fn key(&self) -> Key {
        Key {
            realm: self.realm.to_string(),
            service: self.service.unwrap_or_default().to_owned(),
            scope: self.scope.to_owned(),
            account: self.credential.map(|(source, _)| source.clone()),
        }
    }

    async fn fetch(&self) -> Result<Token, Fault> {
        tracing::debug!(realm = %self.realm, scope = self.scope, "token");
        let about = |fault: Fault| Fault {
            detail: format!("token service {}: {}", self.realm, fault.detail),
            ..fault
        };
        let asked = Instant::now();
        let answer = transport::answer(self.request(), self.patience).await;
        let mut response = match answer {
            Ok(response) => transport::judge(response, self.patience)
                .await
                .map_err(|fault| about(self.explain(fault)))?,
            Err(fault) => return Err(about(fault)),
        };
        let body = transport::read_capped(&mut response, ANSWER_CAP, self.patience)
            .await
            .map_err(about)?;
        Token::parse(&body, asked).map_err(|reason| about(Fault::protocol(reason)))
    }

    fn request(&self) -> RequestBuilder {
        let service = self.service.map(|service| ("service", service));
        // A login alone is tried without one.
        let scope = (!self.scope.is_empty()).then_some(("scope", self.scope));
        match self.credential {
            Some((_, Credential::IdentityToken(token))) => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", token.expose()),
                    ("client_id", "snoforge"),
                ];
                let form: Vec<_> = form.into_iter().chain(scope).chain(service).collect();
                self.http.post(self.realm.clone()).form(&form)
            }
            Some((_, Credential::Login { user, password })) => {
                let query: Vec<_> = [("account", user.as_str())]
                    .into_iter()
                    .chain(scope)
                    .chain(service)
                    .collect();
                let request = self.http.get(self.realm.clone()).query(&query);
                request.basic_auth(user, Some(password.expose()))
            }
            None => {
                let query: Vec<_> = scope.into_iter().chain(service).collect();
                self.http.get(self.realm.clone()).query(&query)
            }
        }
    }

    fn explain(&self, fault: Fault) -> Fault {
        match self.credential {
            Some((source, _)) if fault.kind == SourceErrorKind::Unauthorized => {
                let detail = format!("it refuses the credentials under {source}");
                Fault { detail, ..fault }
            }
            _ => fault,
        }
    }
}

impl Token {
    fn parse(body: &[u8], asked: Instant) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<u64>,
        }
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| "its answer is not the JSON of a token".to_owned())?;
        let token = [answer.token, answer.access_token].into_iter().flatten();
        let token = token
            .map(Secret::new)
            .find(|token| !token.expose().is_empty())
            .ok_or("its answer has no token")?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| "its token has characters that no header may have")?;
        header.set_sensitive(true);
        let lifetime = answer.expires_in.map_or(MIN_LIFETIME, Duration::from_secs);
        let lifetime = lifetime.clamp(MIN_LIFETIME, MAX_LIFETIME);
        let margin = RENEW_BEFORE.min(lifetime / 5);
        Ok(Self {
            header,
            renew_at: asked + lifetime.saturating_sub(margin),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_and_bad_answers() {
        let now = Instant::now();
        let table = [
            (r#"{"token":"a"}"#, 48),
            (r#"{"access_token":"a","expires_in":5}"#, 48),
            (r#"{"token":"","access_token":"a","expires_in":300}"#, 270),
            (r#"{"token":"a","expires_in":18446744073709551615}"#, 86_370),
        ];
        for (body, seconds) in table {
            let token = Token::parse(body.as_bytes(), now).unwrap();
            assert_eq!(token.renew_at - now, Duration::from_secs(seconds), "{body}");
            assert!(!format!("{token:?}").contains("Bearer"), "{token:?}");
        }
        for bad in ["", "{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#, "<html>"] {
            assert!(Token::parse(bad.as_bytes(), now).is_err(), "{bad}");
        }
    }
}
