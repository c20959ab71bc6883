//! Bars on a terminal: one total line, one line per active transfer, drawn on stderr.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::meter::Meter;
use crate::progress::{Event, Reporter};

/// More lines than this hide the total on a small console.
const MAX_ITEM_BARS: usize = 16;

/// The bar reporter.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    meter: Meter,
    total: Option<ProgressBar>,
    items: HashMap<u64, ProgressBar>,
}

impl State {
    fn clear(&mut self, id: u64) {
        if let Some(bar) = self.items.remove(&id) {
            bar.finish_and_clear();
        }
    }
}

impl Bars {
    pub(super) fn new() -> Self {
        let state = State {
            meter: Meter::new(),
            total: None,
            items: HashMap::new(),
        };
        Self {
            screen: MultiProgress::new(),
            state: Mutex::new(state),
        }
    }

    fn start_item(&self, state: &mut State, id: u64, name: &str, size: Option<u64>) {
        if state.items.len() >= MAX_ITEM_BARS || size.is_none() {
            return;
        }
        let bar = ProgressBar::new(size.unwrap_or(0)).with_style(item_style());
        bar.set_message(short(name));
        state.items.insert(id, self.screen.add(bar));
    }

    fn say(&self, line: &str) {
        let _ = self.screen.println(line);
    }
}

impl Reporter for Bars {
    fn report(&self, event: Event<'_>) {
        let Ok(mut guard) = self.state.lock() else {
            return;
        };
        let state = &mut *guard;
        let ended = state
            .meter
            .take(event)
            .map(|item| item.name)
            .unwrap_or_default();
        match event {
            Event::Phase { bytes, .. } => {
                let bar =
                    ProgressBar::new(bytes.unwrap_or(0)).with_style(total_style(bytes.is_some()));
                bar.enable_steady_tick(std::time::Duration::from_millis(200));
                state.total = Some(self.screen.add(bar));
            }
            Event::Started { id, name, size } => self.start_item(state, id, name, size),
            Event::Advanced { id, .. } | Event::Kept { id, .. } | Event::Rewound { id, .. } => {
                let done = state.meter.active.get(&id).map_or(0, |item| item.done);
                if let Some(bar) = state.items.get(&id) {
                    bar.set_position(done);
                }
            }
            Event::Finished { id } => state.clear(id),
            Event::Failed { id, reason } => {
                state.clear(id);
                self.say(&format!("failed: {ended}: {reason}"));
            }
            Event::Note(text) => self.say(text),
            Event::Warning(text) => self.say(&format!("warning: {text}")),
            Event::PhaseDone => {
                state
                    .items
                    .drain()
                    .for_each(|(_, bar)| bar.finish_and_clear());
                if let Some(bar) = state.total.take() {
                    bar.finish_and_clear();
                }
                self.say(&state.meter.line());
            }
            Event::Skipped { .. } => {}
        }
        if let Some(bar) = &state.total {
            bar.set_position(state.meter.bytes_done);
            bar.set_message(state.meter.line());
        }
    }
}

/// The end of a name tells blobs apart better than its start.
fn short(name: &str) -> String {
    const KEEP: usize = 44;
    let len = name.chars().count();
    if len <= KEEP {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(len - KEEP + 1).collect();
    format!("…{tail}")
}

fn total_style(sized: bool) -> ProgressStyle {
    let template = if sized {
        "{wide_bar} {percent}%\n{msg}"
    } else {
        "{spinner} {msg}"
    };
    ProgressStyle::with_template(template).expect("the template is constant")
}

fn item_style() -> ProgressStyle {
    ProgressStyle::with_template("  {bar:20} {percent:>3}% {msg}")
        .expect("the template is constant")
}
