//! The state machine: looks at the cluster in, lines and a verdict out.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::absence::{self, is_end};
use super::held::Held;
use super::pending::Pending;
use super::report::{Operators, Report, Spans};
use super::requests;
use super::stage::{Rests, completed, history, standing};
use super::traps::{CLOCK, booted_again, of_cluster, skew, slow};
use super::{Facts, Stage, Verdict, age, since};
use crate::cluster::Reason;
use crate::objects::Finding;
use crate::objects::json::{name, text};

/// An API server that is restarted is away for one look or two; a machine that reboots for longer.
const REBOOTS: u32 = 3;
/// So many looks in a row must say that nobody may look, or that a certificate has expired, before it is the end: an API that
/// starts may say 401 and 403 to everyone.
const MEANT: u32 = 6;
/// A wait that differs in numbers only is said again after this time.
const AGAIN: Duration = Duration::from_mins(1);
/// After so long without any line one is due.
const QUIET: Duration = Duration::from_mins(5);

const REBOOTING: &str = "the installed system's API: the disk is written, the machine reboots, changes its OS and reboots again (pull the stick, if it boots from that once more)";

/// What a look at the cluster came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It answers.
    Here(Facts),
    /// It does not, or refuses.
    Away(Reason),
}

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A stage begins.
    Stage(Stage, String),
    /// Something changed.
    Say(String),
    /// A trap.
    Trap(Finding),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Away {
    since: Timestamp,
    looks: u32,
    /// How often in a row it was an end.
    meant: u32,
}

/// What was said last of what is waited for, and when.
#[derive(Debug, Clone)]
struct Said {
    text: String,
    at: Timestamp,
}

/// One watch over an installation.
#[derive(Debug, Clone)]
pub struct Watch {
    server: String,
    limit: Duration,
    began: Timestamp,
    stage: Stage,
    spans: Spans,
    facts: Facts,
    /// Whether the API ever answered, and whether it ever did not.
    met: bool,
    missed: bool,
    away: Option<Away>,
    waits: String,
    said: Said,
    /// When anything was said.
    spoke: Timestamp,
    traps: Held,
    requests: Pending,
    rests: Rests,
    /// Whether the live system was seen to begin a second time.
    again: bool,
    /// What this user may not see.
    hidden: BTreeSet<String>,
    verdict: Verdict,
    lines: Vec<Line>,
}

impl Watch {
    /// A watch that begins now and gives up after `limit`.
    pub fn new(server: &str, limit: Duration, now: Timestamp) -> Self {
        let mut spans = Spans::default();
        spans.begin(Stage::Api, None, now);
        Self {
            server: server.to_owned(),
            limit,
            began: now,
            stage: Stage::Api,
            spans,
            facts: Facts::default(),
            met: false,
            missed: false,
            away: None,
            waits: String::new(),
            said: Said {
                text: String::new(),
                at: now,
            },
            spoke: now,
            traps: Held::default(),
            requests: Pending::default(),
            rests: Rests::default(),
            again: false,
            hidden: BTreeSet::new(),
            verdict: Verdict::GoingOn,
            lines: Vec::new(),
        }
    }

    /// The same, of which only the requests of this node may be approved.
    #[must_use]
    pub fn of_node(self, node: Option<String>) -> Self {
        Self {
            requests: Pending::of(node),
            ..self
        }
    }

    /// How it stands.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// How long this watch has been.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        since(self.began, now)
    }

    /// Takes what a look came to; gives what there is to say about it. After the verdict nothing changes.
    pub fn take(&mut self, event: Event, now: Timestamp) -> Vec<Line> {
        if self.verdict == Verdict::GoingOn {
            match event {
                Event::Here(facts) => self.here(facts, now),
                Event::Away(reason) => self.gone(&reason, now),
            }
        }
        if self.verdict == Verdict::GoingOn {
            if self.elapsed(now) >= self.limit {
                let away = self.away.is_some();
                self.verdict = Verdict::DeadlinePassed { away };
            } else if self.lines.is_empty() && since(self.spoke, now) >= QUIET {
                let began = self.spans.began(self.stage).unwrap_or(self.began);
                let lasting = age(since(began, now));
                let text = format!(
                    "still {}, for {lasting}: waiting for {}",
                    self.stage, self.waits
                );
                self.lines.push(Line::Say(text));
            }
        }
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.spoke = now;
        }
        lines
    }

    fn here(&mut self, facts: Facts, now: Timestamp) {
        if let Some(away) = self.away.take()
            && self.met
        {
            let time = age(since(away.since, now));
            self.say(format!("the API answers again, after {time}"));
            self.said.text.clear();
        }
        self.see_hidden(&facts);
        if facts.uid().is_some() && self.facts.uid().is_some_and(|uid| facts.uid() != Some(uid)) {
            self.begin_anew();
        }
        let facts = facts.or(&self.facts);
        let heartbeats = (self.facts.heartbeat(), facts.heartbeat());
        self.facts = facts;
        self.rests.see(&self.facts, now);
        let (stage, waits) = standing(&self.facts, &self.rests, now);
        self.waits = match (self.stage, stage) {
            // The installed system's API is just up, or a short absence was taken for the reboot.
            (Stage::Reboot, Stage::Bootstrap) => {
                "the installed system to say that the bootstrap is complete".to_owned()
            }
            _ => waits,
        };
        if stage > self.stage {
            self.enter(stage, now);
        } else {
            self.tell(format!("waiting for {}", self.waits), now);
        }
        self.met = true;
        self.lines.extend(self.requests.see(&self.facts));
        let mut traps = of_cluster(&self.facts, &self.requests.judge(&self.facts), now);
        traps.extend(self.is_slow(now));
        traps.extend((self.again && self.stage <= Stage::Reboot).then(booted_again));
        match heartbeats {
            // A heartbeat that changed between two looks is of now.
            (Some(before), Some(after)) if before != after => traps.extend(skew(after, now)),
            _ => traps.extend(self.traps.now().find(|t| t.object == CLOCK).cloned()),
        }
        self.lines.extend(self.traps.set(traps, now));
        if self.stage == Stage::Complete {
            self.verdict = Verdict::Completed;
        }
    }

    /// The same medium makes another cluster: nothing of the first counts.
    fn begin_anew(&mut self) {
        self.again = true;
        self.stage = Stage::Api;
        self.spans = Spans::default();
        self.requests.forget();
        self.facts = Facts::default();
    }

    fn see_hidden(&mut self, facts: &Facts) {
        for path in facts.forbidden() {
            if self.hidden.insert(path.to_owned()) {
                let path = path.split('?').next().unwrap_or(path);
                let text = format!("this user may not see {path}: what it would tell is left out");
                self.lines.push(Line::Say(text));
            }
        }
    }

    fn gone(&mut self, reason: &Reason, now: Timestamp) {
        self.missed = true;
        let mut away = self.away.unwrap_or(Away {
            since: now,
            looks: 0,
            meant: 0,
        });
        away.looks += 1;
        away.meant = if is_end(self.stage, self.met, reason) {
            away.meant + 1
        } else {
            0
        };
        self.away = Some(away);
        let plain = absence::plainly(reason);
        self.waits = format!("the API at {}: {plain}", self.server);
        if self.stage == Stage::Bootstrap && away.looks >= REBOOTS && away.meant == 0 {
            self.reboot(away.since, now);
        } else if self.stage == Stage::Reboot {
            // That nothing answers is what a reboot is.
        } else if self.met {
            self.tell(format!("the API does not answer: {plain}"), now);
        } else {
            self.tell_stage(now);
        }
        let mut traps: Vec<Finding> = absence::trap(self.stage, &self.server, reason, now)
            .into_iter()
            .collect();
        traps.extend(self.is_slow(now));
        // What the cluster's objects showed is neither confirmed nor over.
        let held = self
            .traps
            .now()
            .filter(|f| f.object != self.server && f.rule != "slow");
        traps.extend(held.cloned().collect::<Vec<_>>());
        self.lines.extend(self.traps.set(traps, now));
        if away.meant >= MEANT {
            self.verdict = absence::end(self.stage, &self.server, reason, now);
        }
    }

    fn reboot(&mut self, since: Timestamp, now: Timestamp) {
        REBOOTING.clone_into(&mut self.waits);
        self.enter(Stage::Reboot, now);
        self.spans.rebooted(since);
    }

    fn is_slow(&self, now: Timestamp) -> Option<Finding> {
        // Before this watch the machine may have been switched off.
        let began = self.spans.began(self.stage)?.max(self.began);
        slow(self.stage, since(began, now))
    }

    fn enter(&mut self, stage: Stage, now: Timestamp) {
        let waited = self.missed && stage == Stage::Bootstrap;
        if !self.met && !waited {
            self.spans = Spans::default();
        }
        self.spans.end(self.stage, now);
        // Of what was before this watch the objects tell.
        let passed = |s: &Stage| *s < stage && (*s > self.stage || !self.met);
        for past in Stage::ALL.into_iter().filter(passed) {
            self.spans.past(past, &self.facts);
        }
        let known = history(&self.facts, stage).0;
        let known = known.filter(|_| !self.met && !waited);
        self.spans.begin(stage, known, now);
        self.stage = stage;
        let lasting = known.map(|t| format!(" (for {} now)", age(since(t, now))));
        let lasting = lasting.unwrap_or_default();
        let text = match stage {
            Stage::Complete => "the cluster is installed".to_owned(),
            _ => format!("waiting for {}{lasting}", self.waits),
        };
        self.lines.push(Line::Stage(stage, text));
        self.said = Said {
            text: format!("waiting for {}", self.waits),
            at: now,
        };
    }

    /// Says what the first stage waits for, as a stage.
    fn tell_stage(&mut self, now: Timestamp) {
        let before = self.lines.len();
        let is_first = self.said.text.is_empty();
        self.tell(format!("waiting for {}", self.waits), now);
        if let Some(Line::Say(text)) = self.lines.get(before).filter(|_| is_first).cloned() {
            self.lines.truncate(before);
            self.lines.push(Line::Stage(self.stage, text));
        }
    }

    /// Says what is waited for when it is something else; when it differs in numbers only, from time to time.
    fn tell(&mut self, text: String, now: Timestamp) {
        let last = &self.said;
        let again = text != last.text && since(last.at, now) >= AGAIN;
        if again || shape(&text) != shape(&last.text) {
            self.say(text.clone());
            self.said = Said { text, at: now };
        }
    }

    fn say(&mut self, text: String) {
        self.lines.push(Line::Say(text));
    }

    /// Pending requests that are what this node would ask for.
    pub fn approvable(&self) -> Vec<Value> {
        self.requests.approvable(&self.facts)
    }

    /// Takes note that a request was approved by whoever watches.
    pub fn approved(&mut self, request: &Value) -> Line {
        self.requests.approve(request);
        Line::Say(format!("approved {}", requests::shown(request)))
    }

    /// What it came to.
    pub fn report(&self, now: Timestamp) -> Report {
        let node = self.facts.node().map(|node| name(node).to_owned());
        let version = self
            .facts
            .version()
            .map(|v| text(v, "/status/desired/version"));
        Report {
            verdict: self.verdict.clone(),
            stage: self.stage,
            waiting: self.waits.clone(),
            server: self.server.clone(),
            node,
            version: version.filter(|v| !v.is_empty()).map(str::to_owned),
            began: self.began.to_string(),
            seconds: self.elapsed(now).as_secs(),
            installed_in: self
                .facts
                .born()
                .zip(completed(&self.facts))
                .map(|(born, done)| since(born, done).as_secs()),
            stages: self.spans.took(self.stage, now),
            operators: Operators::new(&self.facts),
            traps: self.traps.all().to_vec(),
            console: None,
            approved: self.requests.approved(),
        }
    }
}

/// A text without its numbers.
fn shape(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests;
