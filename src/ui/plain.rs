//! One line per finished item of 1 MiB or more and a summary line every ten seconds, on stderr: for logs and pipes.
//!
//! Smaller items count in the summary only: an inventory has hundreds of manifests of a few hundred bytes, and a log that
//! names each of them hides what a person looks for.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::format;
use super::meter::Meter;
use crate::progress::{Event, Reporter};

const EVERY: Duration = Duration::from_secs(10);

const WORTH_A_LINE: u64 = 1 << 20;

/// The plain reporter.
#[derive(Debug)]
pub(super) struct Plain(Mutex<State>);

#[derive(Debug)]
struct State {
    meter: Meter,
    last_summary: Instant,
}

impl Default for Plain {
    fn default() -> Self {
        Self(Mutex::new(State {
            meter: Meter::new(),
            last_summary: Instant::now(),
        }))
    }
}

impl Reporter for Plain {
    fn report(&self, event: Event<'_>) {
        let Ok(mut state) = self.0.lock() else { return };
        for line in state.take(event) {
            // A closed stderr must not end the work.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

impl State {
    fn take(&mut self, event: Event<'_>) -> Vec<String> {
        let ended = self.meter.take(event);
        let mut lines = Vec::new();
        match event {
            Event::Phase { .. } => lines.push(self.meter.opening()),
            Event::Finished { .. } => {
                let worth = ended.filter(|i| i.size.is_none_or(|size| size >= WORTH_A_LINE));
                lines.extend(worth.map(|item| {
                    let size = item.size.map(|size| format!(" ({})", format::bytes(size)));
                    format!(
                        "{}: {}{}",
                        self.meter.phase,
                        item.name,
                        size.unwrap_or_default()
                    )
                }));
            }
            Event::Failed { reason, .. } => {
                let name = ended.map(|i| i.name).unwrap_or_default();
                lines.push(format!("{}: {name} failed: {reason}", self.meter.phase));
            }
            Event::Note(text) => lines.push(text.to_owned()),
            Event::Warning(text) => lines.push(format!("warning: {text}")),
            Event::PhaseDone => lines.push(self.meter.line()),
            _ => {}
        }
        let in_phase = !self.meter.phase.is_empty() && !matches!(event, Event::PhaseDone);
        if in_phase && self.last_summary.elapsed() >= EVERY {
            lines.push(self.meter.line());
            self.last_summary = Instant::now();
        }
        lines
    }
}
