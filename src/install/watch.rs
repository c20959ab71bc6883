//! The state machine: looks at the cluster in, lines and a verdict out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::report::{Operators, Report, Span, Took, Trap};
use super::requests::{self, State};
use super::stage::{completed, history, standing};
use super::traps::{booted_again, end, is_end, of_absence, of_cluster, plainly, skew, slow};
use super::{Facts, Stage, Verdict, age, since};
use crate::cluster::Reason;
use crate::objects::Finding;
use crate::objects::json::{name, text};

/// An API server that is restarted is away for one look or two; a machine that reboots for longer.
const REBOOTS: u32 = 3;
/// So many looks in a row must say that nobody may look, or that a certificate has expired, before it is the end: an API that
/// starts says 401 and 403 to everyone.
const MEANT: u32 = 4;
/// A wait that differs in numbers only is said again after this time.
const AGAIN: Duration = Duration::from_mins(1);
/// After so long without any line one is due.
const QUIET: Duration = Duration::from_mins(5);

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
    spans: BTreeMap<Stage, Span>,
    facts: Facts,
    /// Whether the API ever answered, and whether it ever did not.
    met: bool,
    missed: bool,
    away: Option<Away>,
    waits: String,
    said: Said,
    /// When anything was said.
    spoke: Timestamp,
    traps: Vec<Trap>,
    requests: BTreeMap<String, State>,
    approved: BTreeSet<String>,
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
        Self {
            server: server.to_owned(),
            limit,
            began: now,
            stage: Stage::Api,
            spans: BTreeMap::from([(Stage::Api, watched(now))]),
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
            traps: Vec::new(),
            requests: BTreeMap::new(),
            approved: BTreeSet::new(),
            again: false,
            hidden: BTreeSet::new(),
            verdict: Verdict::GoingOn,
            lines: Vec::new(),
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
                let span = self.spans.get(&self.stage).and_then(|s| s.began);
                let lasting = age(since(span.unwrap_or(self.began), now));
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
        let (stage, waits) = standing(&self.facts, now);
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
        self.see_requests();
        let mut traps = of_cluster(&self.facts, now);
        traps.extend(self.is_slow(now));
        traps.extend((self.again && self.stage <= Stage::Reboot).then(booted_again));
        match heartbeats {
            // A heartbeat that changed between two looks is of now.
            (Some(before), Some(after)) if before != after => traps.extend(skew(after, now)),
            _ => traps.extend(self.standing_trap("clock", "clock")),
        }
        self.set_traps(traps, now);
        if self.stage == Stage::Complete {
            self.verdict = Verdict::Completed;
        }
    }

    /// The same medium makes another cluster: nothing of the first counts.
    fn begin_anew(&mut self) {
        self.again = true;
        self.stage = Stage::Api;
        self.spans.clear();
        self.requests.clear();
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
        away.meant = if is_end(self.stage, reason) {
            away.meant + 1
        } else {
            0
        };
        self.away = Some(away);
        let plain = plainly(reason);
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
        let mut traps: Vec<Finding> = of_absence(&self.server, reason, now).into_iter().collect();
        traps.extend(self.is_slow(now));
        // What the cluster's objects showed is neither confirmed nor over.
        let held = self
            .traps
            .iter()
            .filter(|t| t.until.is_none())
            .map(|t| &t.finding);
        let held = held.filter(|f| f.object != self.server && f.rule != "slow");
        traps.extend(held.cloned().collect::<Vec<_>>());
        self.set_traps(traps, now);
        if away.meant >= MEANT {
            self.verdict = end(&self.server, reason, now);
        }
    }

    /// The absence that is the reboot began with its first look.
    fn reboot(&mut self, since: Timestamp, now: Timestamp) {
        self.waits = "the installed system's API: the disk is written, the machine reboots, changes its OS and reboots again (pull the stick, if it boots from that once more)".to_owned();
        self.enter(Stage::Reboot, now);
        for (stage, span) in &mut self.spans {
            match stage {
                Stage::Bootstrap => span.ended = Some(since),
                Stage::Reboot => span.began = Some(since),
                _ => {}
            }
        }
    }

    fn is_slow(&self, now: Timestamp) -> Option<Finding> {
        let span = self.spans.get(&self.stage)?;
        // Before this watch the machine may have been switched off.
        slow(self.stage, since(span.began?.max(self.began), now))
    }

    /// A trap of before that nothing new is known of.
    fn standing_trap(&self, rule: &str, object: &str) -> Option<Finding> {
        let mut held = self.traps.iter().filter(|t| t.until.is_none());
        let found = held.find(|t| t.finding.rule == rule && t.finding.object == object);
        found.map(|t| t.finding.clone())
    }

    fn enter(&mut self, stage: Stage, now: Timestamp) {
        // Of what was before this watch the objects tell.
        let known = history(&self.facts, stage).0;
        let known = known.filter(|_| !self.met && !(self.missed && stage == Stage::Bootstrap));
        if !self.met && (stage > Stage::Bootstrap || !self.missed) {
            self.spans.clear();
        }
        if let Some(span) = self.spans.get_mut(&self.stage) {
            span.ended.get_or_insert(now);
        }
        let passed = |s: &Stage| *s < stage && (*s > self.stage || !self.met);
        for past in Stage::ALL.into_iter().filter(passed) {
            let (began, ended) = history(&self.facts, past);
            let span = Span {
                began,
                ended,
                watched: false,
            };
            if began.is_some() || ended.is_some() {
                self.spans.entry(past).or_insert(span);
            }
        }
        let began = Some(known.unwrap_or(now));
        let watched = known.is_none();
        self.spans.insert(
            stage,
            Span {
                began,
                ended: None,
                watched,
            },
        );
        self.stage = stage;
        let lasting = known.map_or_else(String::new, |t| {
            format!(" (for {} now)", age(since(t, now)))
        });
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

    fn see_requests(&mut self) {
        for request in self.facts.requests() {
            let (own, state) = (name(request).to_owned(), requests::state(request));
            let before = self.requests.insert(own.clone(), state);
            let of_kubelet = requests::is_of_kubelet(request);
            let shown = requests::shown(request);
            let text = match (before, state) {
                (None, State::Pending) if of_kubelet => {
                    let doubt = requests::judge(request, self.facts.nodes()).err();
                    let doubt =
                        doubt.map_or_else(String::new, |why| format!("; look at it first: {why}"));
                    format!(
                        "{shown} is pending; the machine approves its own within seconds, else: `{}`{doubt}",
                        requests::by_hand(request)
                    )
                }
                (Some(State::Pending), State::Approved) if !self.approved.contains(&own) => {
                    format!("{shown} is approved")
                }
                (Some(State::Pending), State::Refused) => format!("{shown} was denied"),
                _ => continue,
            };
            self.lines.push(Line::Say(text));
        }
    }

    /// Pending requests that are what this node would ask for.
    pub fn approvable(&self) -> Vec<Value> {
        let is = |request: &&Value| {
            requests::state(request) == State::Pending
                && requests::judge(request, self.facts.nodes()).is_ok()
        };
        self.facts.requests().iter().filter(is).cloned().collect()
    }

    /// Takes note that a request was approved by whoever watches.
    pub fn approved(&mut self, request: &Value) -> Line {
        self.approved.insert(name(request).to_owned());
        Line::Say(format!("approved {}", requests::shown(request)))
    }

    fn set_traps(&mut self, found: Vec<Finding>, now: Timestamp) {
        for trap in self.traps.iter_mut().filter(|t| t.until.is_none()) {
            let own = &trap.finding;
            if let Some(same) = found.iter().find(|f| is_same(f, own)) {
                trap.finding = same.clone();
                continue;
            }
            let text = format!("over: {}: {}", own.rule, own.object);
            self.lines.push(Line::Say(text));
            trap.until = Some(now.to_string());
        }
        for finding in found {
            let held = self
                .traps
                .iter()
                .any(|t| t.until.is_none() && is_same(&t.finding, &finding));
            if !held {
                self.lines.push(Line::Trap(finding.clone()));
                self.traps.push(Trap {
                    finding,
                    since: now.to_string(),
                    until: None,
                });
            }
        }
    }

    /// What it came to.
    pub fn report(&self, now: Timestamp) -> Report {
        let node = self.facts.node().map(|node| name(node).to_owned());
        let version = self
            .facts
            .version()
            .map(|v| text(v, "/status/desired/version"));
        let spans = self
            .spans
            .iter()
            .filter(|(stage, _)| **stage != Stage::Complete);
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
            stages: spans
                .map(|(stage, span)| Took::new(*stage, span, *stage == self.stage, now))
                .collect(),
            operators: Operators::new(&self.facts),
            traps: self.traps.clone(),
            approved: self.approved.iter().cloned().collect(),
        }
    }
}

fn watched(began: Timestamp) -> Span {
    Span {
        began: Some(began),
        ended: None,
        watched: true,
    }
}

fn is_same(one: &Finding, other: &Finding) -> bool {
    one.rule == other.rule && one.object == other.object
}

/// A text without its numbers.
fn shape(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests;
