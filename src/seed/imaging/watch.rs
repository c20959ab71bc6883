//! The state machine: events in, lines and a verdict out.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::seen::{Phase, Seen};
use super::{Deadline, Limits, STEPS, State, Verdict};
use crate::oci::Digest;

/// From here on lifecycle-agent may delete the SeedGenerator and stop the API at any moment.
const CLEANING: u8 = 6;
/// From here on an image may come to be.
const IMAGING: u8 = 7;
/// Steps 5 and 6 without progress for so long are worth a look at the operator.
const STUCK: Duration = Duration::from_mins(20);
/// The same with ACM to delete: 2 x 15 min for that, 10 min for the pull secret.
const STUCK_ACM: Duration = Duration::from_mins(45);

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The SeedGenerator.
    Object(Value),
    /// The API answers, and the SeedGenerator is not there.
    Absent,
    /// No answer that tells: refused, cut, TLS, 401, 403, 404 of the group, 429, 5xx.
    Lost(String),
    /// What the tag names, and whether its labels are those of a seed image of this cluster.
    Image {
        /// The manifest's digest.
        digest: Digest,
        /// Whether the labels are good.
        good: bool,
    },
}

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// What changed.
    Say(String),
    /// What a person should know.
    Warn(String),
}

/// What this watch saw of the cluster last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    /// Nothing.
    None,
    Object,
    Absent,
    Lost,
}

/// One watch over a seed generation.
#[derive(Debug, Clone)]
pub struct Watch {
    state: State,
    limits: Limits,
    began: Timestamp,
    verdict: Verdict,
    /// No SeedGenerator was seen by this watch: what the state says may be long past.
    blind: bool,
    contact: Contact,
    lines: Vec<Line>,
}

impl Watch {
    /// Takes up a generation where `state` left it.
    pub fn new(state: State, limits: Limits, now: Timestamp) -> Self {
        Self {
            verdict: state.ended.clone().unwrap_or(Verdict::GoingOn),
            blind: true,
            contact: Contact::None,
            state,
            limits,
            began: now,
            lines: Vec::new(),
        }
    }

    /// What is known.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How it stands.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Takes an event; gives what there is to say about it. After the verdict events change nothing, but that after a deadline an
    /// image that turns up still counts.
    pub fn take(&mut self, event: &Event, now: Timestamp) -> Vec<Line> {
        match (&self.verdict, event) {
            (Verdict::GoingOn, Event::Object(object)) => self.object(Seen::new(object), now),
            (Verdict::GoingOn, Event::Absent) => self.absent(now),
            (Verdict::GoingOn, Event::Lost(reason)) => self.lost(reason, now),
            (Verdict::GoingOn, Event::Image { digest, good }) => self.image(digest, *good),
            (Verdict::DeadlinePassed { deadline }, Event::Image { digest, good }) => {
                let deadline = *deadline;
                self.image(digest, *good);
                self.end_at(deadline);
            }
            _ => {}
        }
        self.tick(now)
    }

    /// Looks at the clock only.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Line> {
        if self.verdict == Verdict::GoingOn {
            self.stuck(now);
            if let Some(deadline) = self.passed(now) {
                self.end_at(deadline);
            }
        }
        std::mem::take(&mut self.lines)
    }

    fn object(&mut self, seen: Seen, now: Timestamp) {
        self.state.lost_since = None;
        let before = std::mem::replace(&mut self.contact, Contact::Object);
        let old = self.state.uid.replace(seen.uid);
        let is_new = old.is_some_and(|uid| self.state.uid.as_ref() != Some(&uid));
        if seen.seed_image != self.state.seed_image {
            return self.fail(format!(
                "the SeedGenerator asks for image {} now: somebody replaced it",
                seen.seed_image
            ));
        }
        if is_new {
            self.say(
                "the SeedGenerator is back under a new uid, as it is after the imaging".to_owned(),
            );
        } else if matches!(before, Contact::Absent | Contact::Lost) {
            self.say("the cluster answers again".to_owned());
        }
        self.blind = false;
        match seen.phase {
            Phase::Silent => {}
            Phase::Step(None) => self.unknown_step(seen.message, now),
            Phase::Step(Some(step)) => self.step(step, seen.message, is_new, now),
            Phase::Completed => {
                self.enter(STEPS, seen.message, now);
                self.end(Verdict::Completed);
            }
            Phase::Failed(reason) => self.fail(reason),
        }
    }

    fn step(&mut self, step: u8, message: String, is_new: bool, now: Timestamp) {
        let last = self.state.step;
        if is_new && step < IMAGING {
            self.warn(format!("a new SeedGenerator is at step {step}: somebody deleted the old one and created it again, the restored one would be further"));
        } else if step < last && !is_new {
            let what = if last >= IMAGING {
                "a second run that images again"
            } else {
                "from the health check on"
            };
            self.warn(format!(
                "lifecycle-agent was restarted at step {last} and is at step {step} again: {what}"
            ));
        }
        if step < CLEANING {
            self.state.deleted = false;
        }
        self.enter(step, message, now);
    }

    /// A message of another lifecycle-agent: shown, not counted.
    fn unknown_step(&mut self, message: String, now: Timestamp) {
        if message != self.state.message {
            self.say(format!("step ?/{STEPS} {message}"));
            self.state.message = message;
            self.state.step_since = Some(now);
        }
    }

    fn enter(&mut self, step: u8, message: String, now: Timestamp) {
        if step != self.state.step {
            // The health checks alternate between the first two; their limit counts from the first.
            if !(self.state.step == 1 && step == 2) {
                self.state.step_since = Some(now);
            }
        } else if message == self.state.message {
            return;
        }
        self.say(format!("step {step}/{STEPS} {message}"));
        self.state.step = step;
        self.state.message = message;
    }

    fn absent(&mut self, now: Timestamp) {
        self.state.lost_since.get_or_insert(now);
        let before = std::mem::replace(&mut self.contact, Contact::Absent);
        if before == Contact::Absent {
            return;
        }
        if !self.may_image() {
            let step = self.state.step;
            self.warn(format!(
                "the SeedGenerator is gone at step {step}, before the imaging: somebody deleted it"
            ));
        } else if self.state.deleted {
            self.say("the API answers, the SeedGenerator is not restored yet".to_owned());
        } else {
            self.state.deleted = true;
            self.say("the SeedGenerator is gone: lifecycle-agent deletes it for the imaging, and restores it afterwards".to_owned());
        }
    }

    fn lost(&mut self, reason: &str, now: Timestamp) {
        self.state.lost_since.get_or_insert(now);
        if std::mem::replace(&mut self.contact, Contact::Lost) != Contact::Lost {
            let meant = if self.may_image() {
                ", as it does during the imaging"
            } else {
                ""
            };
            self.say(format!("the cluster does not answer{meant}: {reason}"));
        }
    }

    fn image(&mut self, digest: &Digest, good: bool) {
        let is_new = self.state.old_digest.as_ref() != Some(digest);
        if !is_new || self.state.image.as_ref() == Some(digest) {
            return;
        }
        if good {
            self.say(format!(
                "registry: {} is {digest}, a new seed image",
                self.state.seed_image
            ));
            self.state.image = Some(digest.clone());
        } else {
            self.warn(format!(
                "registry: {} is {digest} now, which is no seed image of this cluster",
                self.state.seed_image
            ));
        }
    }

    /// Whether the cluster being away is what imaging looks like.
    fn may_image(&self) -> bool {
        self.state.step >= CLEANING || self.state.deleted || self.blind
    }

    /// Whether an image that turned up can be of this run.
    fn may_have_imaged(&self) -> bool {
        self.state.step >= IMAGING || self.state.deleted
    }

    fn stuck(&mut self, now: Timestamp) {
        let after = if self.state.acm_leftovers {
            STUCK_ACM
        } else {
            STUCK
        };
        let step = self.state.step;
        if matches!(step, 5 | CLEANING)
            && self.state.lost_since.is_none()
            && self.since(self.state.step_since, now) > after
        {
            self.warn(format!("no progress at step {step} for {} minutes: look at the restart count and the log of the operator's pod in {}", after.as_secs() / 60, self.state.namespace));
        }
    }

    fn passed(&self, now: Timestamp) -> Option<Deadline> {
        let away = self
            .state
            .lost_since
            .map(|since| self.since(Some(since), now));
        let limit = if self.may_image() {
            (self.limits.away, Deadline::Return)
        } else {
            (self.limits.unreachable, Deadline::Unreachable)
        };
        if away.is_some_and(|away| away > limit.0) {
            return Some(limit.1);
        }
        let unhealthy = away.is_none() && self.state.step <= 2;
        let since = self.state.step_since.or(self.state.applied);
        if unhealthy && self.since(since, now) > self.limits.health {
            return Some(Deadline::Health);
        }
        (self.since(self.state.applied, now) > self.limits.total).then_some(Deadline::Total)
    }

    /// How long ago, but no longer than this watch is.
    fn since(&self, then: Option<Timestamp>, now: Timestamp) -> Duration {
        let then = then.unwrap_or(self.began).max(self.began);
        Duration::try_from(now.duration_since(then)).unwrap_or_default()
    }

    fn fail(&mut self, reason: String) {
        self.state.message.clone_from(&reason);
        let published = self.state.image.is_some() && self.may_have_imaged();
        self.end(if published {
            Verdict::ImagePublishedSeedNotRecovered { reason }
        } else {
            Verdict::Failed { reason }
        });
    }

    /// The cluster may come back later: only this watch is over.
    fn end_at(&mut self, deadline: Deadline) {
        let published = self.state.image.is_some() && self.may_have_imaged();
        self.verdict = if published {
            Verdict::ImagePublishedSeedNotRecovered {
                reason: deadline.to_string(),
            }
        } else {
            Verdict::DeadlinePassed { deadline }
        };
    }

    fn end(&mut self, verdict: Verdict) {
        self.state.ended = Some(verdict.clone());
        self.verdict = verdict;
    }

    fn say(&mut self, text: String) {
        self.lines.push(Line::Say(text));
    }

    /// Says a warning, once in the whole generation.
    fn warn(&mut self, text: String) {
        if !self.state.warnings.contains(&text) {
            self.state.warnings.push(text.clone());
            self.lines.push(Line::Warn(text));
        }
    }
}

#[cfg(test)]
mod tests;
