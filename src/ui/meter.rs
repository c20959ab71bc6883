//! Totals, rate and time left, from events.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::format;
use crate::progress::Event;

/// The rate is the mean over this much recent time: long enough not to jump, short enough to show a stall.
const WINDOW: Duration = Duration::from_secs(10);

/// Totals of one phase.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) phase: String,
    pub(super) items_done: u64,
    pub(super) items_total: Option<u64>,
    pub(super) bytes_done: u64,
    pub(super) bytes_total: Option<u64>,
    pub(super) active: HashMap<u64, Item>,
    samples: VecDeque<(Instant, u64)>,
    moved: u64,
}

/// One item under way.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) size: Option<u64>,
    pub(super) done: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            phase: String::new(),
            items_done: 0,
            items_total: None,
            bytes_done: 0,
            bytes_total: None,
            active: HashMap::new(),
            samples: VecDeque::new(),
            moved: 0,
        }
    }

    /// Takes an event into the totals; returns the item that it ended, if any.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Item> {
        match event {
            Event::Phase { name, items, bytes } => {
                *self = Self::new();
                name.clone_into(&mut self.phase);
                (self.items_total, self.bytes_total) = (items, bytes);
            }
            Event::Started { id, name, size } => {
                self.active.insert(
                    id,
                    Item {
                        name: name.to_owned(),
                        size,
                        done: 0,
                    },
                );
            }
            Event::Advanced { id, bytes } => {
                self.bytes_done += bytes;
                self.sample(bytes);
                if let Some(item) = self.active.get_mut(&id) {
                    item.done += bytes;
                }
            }
            Event::Kept { id, bytes } => {
                self.bytes_done += bytes;
                if let Some(item) = self.active.get_mut(&id) {
                    item.done += bytes;
                }
            }
            Event::Rewound { id, bytes } => {
                self.bytes_done = self.bytes_done.saturating_sub(bytes);
                if let Some(item) = self.active.get_mut(&id) {
                    item.done = item.done.saturating_sub(bytes);
                }
            }
            Event::Skipped { items, bytes } => {
                self.items_done += items;
                self.bytes_done += bytes;
            }
            Event::Finished { id } => {
                self.items_done += 1;
                return self.active.remove(&id);
            }
            Event::Failed { id, .. } => return self.active.remove(&id),
            Event::Note(_) | Event::Warning(_) | Event::PhaseDone => {}
        }
        None
    }

    fn sample(&mut self, bytes: u64) {
        let now = Instant::now();
        self.moved += bytes;
        // One sample per 100 ms is enough for a ten-second mean.
        if self
            .samples
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_millis(100))
        {
            self.samples.push_back((now, self.moved));
        }
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes per second over the last ten seconds.
    pub(super) fn rate(&self) -> u64 {
        let Some((at, base)) = self.samples.front() else {
            return 0;
        };
        let millis = u64::try_from(at.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        (self.moved - base).saturating_mul(1000) / millis
    }

    /// Time left at the present rate.
    pub(super) fn eta(&self) -> Option<Duration> {
        let left = self.bytes_total?.saturating_sub(self.bytes_done);
        left.checked_div(self.rate()).map(Duration::from_secs)
    }

    /// `download: 320 items, 30.0 GiB`
    pub(super) fn opening(&self) -> String {
        let items = self.items_total.map(|n| format::count(n, "item"));
        let parts: Vec<_> = items
            .into_iter()
            .chain(self.bytes_total.map(format::bytes))
            .collect();
        let totals = if parts.is_empty() {
            "…".to_owned()
        } else {
            parts.join(", ")
        };
        format!("{}: {totals}", self.phase)
    }

    /// `download: 12 of 320 items, 1.2 GiB of 30.0 GiB, 5.0 MiB/s, 1h38m12s left`
    pub(super) fn line(&self) -> String {
        let of = |done: String, total: Option<String>| match total {
            Some(total) => format!("{done} of {total}"),
            None => done,
        };
        let mut parts = vec![of(
            self.items_done.to_string(),
            self.items_total.map(|n| n.to_string()),
        )];
        if self.bytes_done > 0 || self.bytes_total.is_some_and(|n| n > 0) {
            parts.push(of(
                format::bytes(self.bytes_done),
                self.bytes_total.map(format::bytes),
            ));
        }
        if self.rate() > 0 {
            parts.push(format::rate(self.rate()));
            parts.extend(
                self.eta()
                    .map(|eta| format!("{} left", format::duration(eta))),
            );
        }
        format!("{}: {}", self.phase, parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_follow_events() {
        let mut meter = Meter::new();
        meter.take(Event::Phase {
            name: "download",
            items: Some(3),
            bytes: Some(300),
        });
        meter.take(Event::Skipped {
            items: 1,
            bytes: 100,
        });
        meter.take(Event::Started {
            id: 7,
            name: "layer",
            size: Some(100),
        });
        meter.take(Event::Advanced { id: 7, bytes: 60 });
        meter.take(Event::Rewound { id: 7, bytes: 60 });
        meter.take(Event::Advanced { id: 7, bytes: 100 });
        assert_eq!(
            meter.take(Event::Finished { id: 7 }).map(|i| i.done),
            Some(100)
        );
        assert_eq!((meter.items_done, meter.bytes_done), (2, 200));
        assert!(
            meter.line().starts_with("download: 2 of 3, 200 B of 300 B"),
            "{}",
            meter.line()
        );
    }
}
