//! JSON lines on stdout, one object per event; byte progress at most once a second.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::meter::Meter;
use crate::progress::{Event, Reporter};

/// The JSON-lines reporter.
#[derive(Debug)]
pub(super) struct JsonLines(Mutex<(Meter, Instant)>);

impl Default for JsonLines {
    fn default() -> Self {
        Self(Mutex::new((Meter::new(), Instant::now())))
    }
}

impl Reporter for JsonLines {
    fn report(&self, event: Event<'_>) {
        let Ok(mut guard) = self.0.lock() else { return };
        let (meter, last) = &mut *guard;
        let ended = meter.take(event).map(|item| item.name);
        let line = match event {
            Event::Phase { name, items, bytes } => {
                json!({"event": "phase", "name": name, "items": items, "bytes": bytes})
            }
            Event::Started { name, size, .. } => {
                json!({"event": "started", "name": name, "size": size})
            }
            Event::Skipped { items, bytes } => {
                json!({"event": "skipped", "items": items, "bytes": bytes})
            }
            Event::Finished { .. } => json!({"event": "finished", "name": ended}),
            Event::Failed { reason, .. } => {
                json!({"event": "failed", "name": ended, "reason": reason})
            }
            Event::Note(text) => json!({"event": "note", "message": text}),
            Event::Warning(text) => json!({"event": "warning", "message": text}),
            Event::PhaseDone => progress("phaseDone", meter),
            Event::Advanced { .. } | Event::Kept { .. } | Event::Rewound { .. } => {
                if last.elapsed() < Duration::from_secs(1) {
                    return;
                }
                *last = Instant::now();
                progress("progress", meter)
            }
        };
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

fn progress(event: &str, meter: &Meter) -> Value {
    json!({
        "event": event,
        "phase": meter.phase,
        "itemsDone": meter.items_done,
        "itemsTotal": meter.items_total,
        "bytesDone": meter.bytes_done,
        "bytesTotal": meter.bytes_total,
        "bytesPerSecond": meter.rate(),
        "etaSeconds": meter.eta().map(|eta| eta.as_secs()),
    })
}
