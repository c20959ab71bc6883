//! What is remembered of one registry for the life of a client, shared by all workers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::challenge::{Challenge, Scheme};
use super::error::Fault;
use super::transport;
use crate::oci::Reference;

/// One physical registry.
#[derive(Debug)]
pub(super) struct Host {
    /// `host[:port]` as requests address it.
    pub(super) name: String,
    /// Certificates are not checked and plain HTTP is a choice.
    pub(super) insecure: bool,
    pub(super) http: reqwest::Client,
    scheme: OnceCell<&'static str>,
    closed_until: Mutex<Option<Instant>>,
    /// The last challenge; `None` until the registry asks.
    auth_scheme: Mutex<Option<Scheme>>,
    /// Scopes that differ from `repository:NAME:pull`, by repository, as the registry named them.
    scopes: Mutex<BTreeMap<String, String>>,
    slots: Arc<Semaphore>,
    /// It has answered something in the life of the client: a later silence is an outage, not a wrong name.
    answered: AtomicBool,
}

impl Host {
    /// Notes that it answers.
    pub(super) fn mark_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Whether it has answered before.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn new(name: &str, insecure: bool, http: reqwest::Client, slots: usize) -> Self {
        let scheme = if insecure {
            OnceCell::new()
        } else {
            OnceCell::new_with(Some("https"))
        };
        Self {
            name: name.to_owned(),
            insecure,
            http,
            scheme,
            closed_until: Mutex::default(),
            auth_scheme: Mutex::default(),
            scopes: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots.max(1))),
            answered: AtomicBool::new(false),
        }
    }

    /// `https` or `http`; the first question to an insecure host finds out, as containers/image does: TLS first.
    /// No question waits longer than `patience`.
    pub(super) async fn scheme(&self, patience: Duration) -> Result<&'static str, Fault> {
        self.scheme
            .get_or_try_init(|| self.find_scheme(patience))
            .await
            .copied()
    }

    async fn find_scheme(&self, patience: Duration) -> Result<&'static str, Fault> {
        let ask = |scheme| {
            let url = format!("{scheme}://{}/v2/", self.name);
            transport::answer(self.http.get(url), patience)
        };
        if ask("https").await.is_ok() {
            return Ok("https");
        }
        let answer = ask("http").await?;
        // A TLS port answers plain HTTP with 400; then the failure of TLS was a passing one.
        if answer.status() == reqwest::StatusCode::BAD_REQUEST {
            return Err(Fault::later("the TLS handshake failed"));
        }
        Ok("http")
    }

    /// How the registry wants to be talked to, once it said so.
    pub(super) fn auth_scheme(&self) -> Option<Scheme> {
        lock(&self.auth_scheme).clone()
    }

    /// The scope to ask for when reading a repository.
    pub(super) fn scope(&self, image: &Reference) -> String {
        let scopes = lock(&self.scopes);
        scopes
            .get(image.repository())
            .cloned()
            .unwrap_or_else(|| format!("repository:{}:pull", image.repository()))
    }

    /// Remembers a challenge that came for a repository.
    pub(super) fn learn(&self, challenge: Challenge, image: &Reference) {
        if let Some(scope) = challenge.scope {
            lock(&self.scopes).insert(image.repository().to_owned(), scope);
        }
        *lock(&self.auth_scheme) = Some(challenge.scheme);
    }

    /// Until when every worker holds back, if so.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        let closed = lock(&self.closed_until);
        closed.filter(|until| *until > Instant::now())
    }

    /// Makes every worker hold back; the longest wish wins.
    pub(super) fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut closed = lock(&self.closed_until);
        *closed = Some(closed.map_or(until, |old| old.max(until)));
    }

    /// Waits for a free slot and an open gate. A gate closed for longer than `patience` is a failure at once.
    pub(super) async fn enter(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Fault> {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| Fault::later("the client is closing"))?;
        while let Some(until) = self.closed_until() {
            if until - Instant::now() > patience {
                return Err(Fault::later(
                    "the server asks to come back later than the time limit for retries",
                ));
            }
            tokio::time::sleep_until(until).await;
        }
        Ok(slot)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
