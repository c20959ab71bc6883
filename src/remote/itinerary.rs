//! Which place is asked next, and when: mirrors in their order, back-off per place, a hand-over at once where another place is free.
//!
//! Each place has a count of failures and an instant before which it is not asked again. The next one is the place that can be
//! asked soonest, the earlier in the list on a tie: so a failing mirror costs no waiting while the origin is free, and with one
//! place it is plain exponential back-off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::RetryPolicy;
use super::error::{Fault, Retry};
use super::host::Host;
use crate::oci::{Reference, SourceError, SourceErrorKind};

/// Bytes of progress that make up for earlier failures (containers/image: 1 MiB).
const PROGRESS: u64 = 1 << 20;

/// How long a place that cannot be connected to is left alone when there are others.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// Tries at a place that never answered: a wrong name or no network at all is told soon, an outage on the way is sat out.
const FIRST_CONTACT: u32 = 3;

/// A physical place that may answer for a reference.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) host: Arc<Host>,
    /// The name there, with the tag and digest asked for.
    pub(super) image: Reference,
}

impl Place {
    /// `host:port/repository`.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/{}", self.host.name, self.image.repository())
    }
}

/// Jitter: a counter through `SplitMix64` (Steele, Lea, Flood 2014), enough to keep workers apart.
#[derive(Debug)]
pub(super) struct Jitter(AtomicU64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A part of `whole`, uniform between nothing and all.
    pub(super) fn part_of(&self, whole: Duration) -> Duration {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos((z ^ (z >> 31)) % nanos.max(1))
    }
}

#[derive(Debug)]
struct Stop {
    place: Place,
    failures: u32,
    not_before: Option<Instant>,
    /// The last failure; final when `dead`.
    fault: Option<Fault>,
    dead: bool,
}

/// The way of one request through its places.
#[derive(Debug)]
pub(super) struct Itinerary {
    what: String,
    stops: Vec<Stop>,
    policy: RetryPolicy,
    jitter: Arc<Jitter>,
    first_failure: Option<Instant>,
    progress: u64,
}

impl Itinerary {
    /// `what` names the thing asked for in errors. `places` is not empty.
    pub(super) fn new(
        what: String,
        places: Vec<Place>,
        policy: RetryPolicy,
        jitter: Arc<Jitter>,
    ) -> Self {
        let stop = |place| Stop {
            place,
            failures: 0,
            not_before: None,
            fault: None,
            dead: false,
        };
        Self {
            what,
            stops: places.into_iter().map(stop).collect(),
            policy,
            jitter,
            first_failure: None,
            progress: 0,
        }
    }

    /// Waits until a place may be asked and names it.
    pub(super) async fn next(&mut self) -> Result<(usize, Place), SourceError> {
        let now = Instant::now();
        let open = self.stops.iter().enumerate().filter(|(_, stop)| !stop.dead);
        let ready = |stop: &Stop| {
            let gate = stop.place.host.closed_until();
            stop.not_before.max(gate).unwrap_or(now).max(now)
        };
        let Some((index, stop)) = open.min_by_key(|(index, stop)| (ready(stop), *index)) else {
            return Err(self.exhausted());
        };
        let at = ready(stop);
        if at > self.give_up_at(now) {
            return Err(self.exhausted());
        }
        let place = stop.place.clone();
        if at > now {
            tokio::time::sleep_until(at).await;
        }
        Ok((index, place))
    }

    fn give_up_at(&self, now: Instant) -> Instant {
        self.first_failure.unwrap_or(now) + self.policy.deadline
    }

    /// Notes that the place with this index failed.
    pub(super) fn failed(&mut self, index: usize, fault: Fault) {
        let now = Instant::now();
        self.first_failure.get_or_insert(now);
        let mut attempts = self.policy.attempts.max(1);
        let alternatives = self.stops.len() > 1;
        let Some(stop) = self.stops.get_mut(index) else {
            return;
        };
        tracing::debug!(
            what = self.what,
            place = stop.place.endpoint(),
            fault = fault.detail,
            "attempt failed"
        );
        if fault.retry == Retry::Unreachable && !stop.place.host.has_answered() {
            attempts = attempts.min(FIRST_CONTACT);
        }
        stop.failures += 1;
        stop.dead = fault.retry == Retry::Never || stop.failures >= attempts;
        let back_off = self
            .policy
            .base_delay
            .saturating_mul(1 << (stop.failures - 1).min(20))
            .min(self.policy.max_delay);
        let back_off = back_off.saturating_sub(self.jitter.part_of(back_off / 2));
        let wait = match fault.retry {
            Retry::Throttled(asked) => {
                let pause = asked.unwrap_or(back_off);
                stop.place.host.close_for(pause);
                // Behind the gate workers leave one after the other, not all at once.
                pause + self.jitter.part_of((pause / 8).min(Duration::from_secs(1)))
            }
            Retry::Unreachable if alternatives => {
                stop.place.host.close_for(LEFT_ALONE);
                back_off
            }
            Retry::Later | Retry::Unreachable | Retry::Never => back_off,
        };
        stop.not_before = Some(now + wait);
        stop.fault = Some(fault);
    }

    /// Notes progress; enough of it makes up for earlier failures.
    pub(super) fn progressed(&mut self, bytes: usize) {
        if self.first_failure.is_none() {
            return;
        }
        self.progress += bytes as u64;
        if self.progress >= PROGRESS {
            self.progress = 0;
            self.first_failure = None;
            for stop in self.stops.iter_mut().filter(|stop| !stop.dead) {
                stop.failures = 0;
            }
        }
    }

    /// The final error: every place tried, in one sentence.
    pub(super) fn exhausted(&self) -> SourceError {
        let told: Vec<(&Place, &Fault)> = self
            .stops
            .iter()
            .filter_map(|stop| Some((&stop.place, stop.fault.as_ref()?)))
            .collect();
        let Some((last_place, last)) = told.last() else {
            return SourceError::new(
                SourceErrorKind::Unavailable,
                &self.what,
                "the server asks to come back later than the time limit for retries",
            );
        };
        let worth_retrying = told
            .iter()
            .find(|(_, fault)| fault.kind == SourceErrorKind::Unavailable);
        let kind = worth_retrying.map_or(last.kind, |(_, fault)| fault.kind);
        let only_named = told.len() == 1 && self.what.contains(&last_place.host.name);
        let detail = if only_named {
            self.tries(last)
        } else {
            let each = told
                .iter()
                .map(|(place, fault)| format!("{}: {}", place.endpoint(), fault.detail));
            each.collect::<Vec<_>>().join("; ")
        };
        let mut error = Fault {
            kind,
            detail,
            ..(*last).clone()
        };
        error.hint = told.iter().rev().find_map(|(_, fault)| fault.hint.clone());
        error.about(&self.what)
    }

    fn tries(&self, fault: &Fault) -> String {
        let failures: u32 = self.stops.iter().map(|stop| stop.failures).sum();
        if failures > 1 && fault.retry != Retry::Never {
            format!("{} (tried {failures} times)", fault.detail)
        } else {
            fault.detail.clone()
        }
    }
}
