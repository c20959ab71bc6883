//! A recorder between the work and whoever shows it: how a download went, in a few hundred numbers.
//!
//! ```json
//! { "start": "2026-11-20T10:00:00Z", "end": "complete", "millis": 8000, "sampleMillis": 250, "bytes": [0, 65536, …],
//!   "images": [0, 1, …], "imagesTotal": 320, "bytesTotal": 0, "keptBytes": 0, "marks": [{"at": 1250, "kind": "warning", "text": "…"}] }
//! ```
//!
//! `bytes` came in each sample, `images` were whole at its end. There are never more than [`SAMPLES`]: when time goes on, two become
//! one and `sampleMillis` doubles, so that memory and file are bounded however long it takes. A stretch without bytes is one of
//! zeros. What is recorded is told on unchanged.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::progress::{Event, Reporter};

/// Samples of a session at most: more than a drawing has columns for.
pub const SAMPLES: usize = 600;

/// The first length of a sample; it doubles.
const FIRST_MILLIS: u64 = 250;

/// Marks of a session at most.
const MARKS: usize = 60;

/// Characters of a mark at most.
const MARK_TEXT: usize = 300;

/// One run of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Session {
    /// When it began, RFC 3339.
    pub start: String,
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub millis: u64,
    /// Length of a sample.
    pub sample_millis: u64,
    /// Bytes that came in each sample.
    pub bytes: Vec<u64>,
    /// Images that were whole at the end of each sample, those of earlier runs included; as many as `bytes`.
    pub images: Vec<u64>,
    /// Images that were asked for.
    pub images_total: u64,
    /// Bytes that were asked for.
    pub bytes_total: u64,
    /// Bytes of them that earlier runs left.
    pub kept_bytes: u64,
    /// What happened meanwhile, in order.
    pub marks: Vec<Mark>,
    /// Marks that are not kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_marks: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How a session ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// It never said: it was killed, the power failed, or it is at work still.
    #[default]
    Unknown,
    /// Everything came.
    Complete,
    /// Somebody stopped it.
    Interrupted,
    /// It gave up.
    Failed,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Milliseconds since the start.
    pub at: u64,
    /// What kind of thing.
    pub kind: MarkKind,
    /// One sentence.
    pub text: String,
}

/// Kind of a [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MarkKind {
    /// Something was tried again, or should be known.
    Warning,
    /// An item failed for good.
    Failed,
    /// Bytes were thrown away, and fetched again.
    Rewound,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            start: String::new(),
            end: End::Unknown,
            millis: 0,
            sample_millis: FIRST_MILLIS,
            bytes: Vec::new(),
            images: Vec::new(),
            images_total: 0,
            bytes_total: 0,
            kept_bytes: 0,
            marks: Vec::new(),
            more_marks: 0,
        }
    }
}

impl Session {
    /// Bytes that came.
    pub fn fetched(&self) -> u64 {
        self.bytes.iter().sum()
    }

    /// Halves the number of samples.
    pub fn thin(&mut self) {
        self.bytes = self.bytes.chunks(2).map(|two| two.iter().sum()).collect();
        let last = |two: &[u64]| two.last().copied().unwrap_or(0);
        self.images = self.images.chunks(2).map(last).collect();
        self.sample_millis *= 2;
    }

    /// The sample of a moment; makes room for it.
    fn reach(&mut self, millis: u64) {
        while millis / self.sample_millis >= SAMPLES as u64 {
            self.thin();
        }
        let length = usize::try_from(millis / self.sample_millis).unwrap_or(0) + 1;
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
            let images = self.images.last().copied().unwrap_or(0);
            self.images.resize(length, images);
        }
    }

    fn mark(&mut self, at: u64, kind: MarkKind, text: &str) {
        if self.marks.len() < MARKS {
            let text = text.chars().take(MARK_TEXT).collect();
            self.marks.push(Mark { at, kind, text });
        } else {
            self.more_marks += 1;
        }
    }
}

/// The recorder.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn Reporter>,
    /// Tells the time when the download begins.
    clock: fn() -> String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the download began.
    began: Option<Instant>,
    /// Whether it is under way: what is resolved before it is no part of it.
    active: bool,
    session: Session,
    /// Images that need an item that is not there.
    open: BTreeMap<u64, Vec<usize>>,
    /// Such items of each image.
    lacking: HashMap<usize, usize>,
    names: HashMap<u64, String>,
}

impl Recorder {
    /// A recorder before `inner`. `open` has the images that need each item that is to be fetched, by the item's id; `images` is
    /// how many images there are. `clock` says the time, RFC 3339.
    pub fn new(
        inner: Arc<dyn Reporter>,
        (open, images): (BTreeMap<u64, Vec<usize>>, u64),
        clock: fn() -> String,
    ) -> Self {
        let mut lacking: HashMap<usize, usize> = HashMap::new();
        for image in open.values().flatten() {
            *lacking.entry(*image).or_default() += 1;
        }
        let mut session = Session {
            images_total: images,
            ..Session::default()
        };
        session.bytes.push(0);
        session
            .images
            .push(images.saturating_sub(lacking.len() as u64));
        let state = State {
            session,
            open,
            lacking,
            ..State::default()
        };
        Self {
            inner,
            clock,
            state: Mutex::new(state),
        }
    }

    /// What was recorded; none when no download began.
    pub fn session(&self, end: End) -> Option<Session> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = state.millis(Instant::now())?;
        state.session.reach(millis);
        state.session.millis = millis;
        state.session.end = end;
        Some(state.session.clone())
    }
}

impl Reporter for Recorder {
    fn report(&self, event: Event<'_>) {
        self.inner.report(event);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(event, Instant::now(), self.clock);
    }
}

impl State {
    fn millis(&self, now: Instant) -> Option<u64> {
        let passed: Duration = now.saturating_duration_since(self.began?);
        Some(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
    }

    fn take(&mut self, event: Event<'_>, now: Instant, clock: fn() -> String) {
        if let Event::Phase { name, bytes, .. } = event {
            self.active = name == "download";
            if self.active && self.began.is_none() {
                self.began = Some(now);
                self.session.start = clock();
                self.session.bytes_total = bytes.unwrap_or(0);
            }
        }
        let Some(millis) = self.millis(now).filter(|_| self.active) else {
            return;
        };
        self.session.reach(millis);
        match event {
            Event::Advanced { bytes, .. } => {
                if let Some(sample) = self.session.bytes.last_mut() {
                    *sample += bytes;
                }
            }
            Event::Kept { bytes, .. } | Event::Skipped { bytes, .. } => {
                self.session.kept_bytes += bytes;
            }
            Event::Started { id, name, .. } => {
                self.names.insert(id, name.to_owned());
            }
            Event::Finished { id } => self.finished(id),
            Event::Failed { id, reason } => {
                let name = self.names.remove(&id).unwrap_or_default();
                let text = format!("{name}: {reason}");
                self.session.mark(millis, MarkKind::Failed, &text);
            }
            Event::Rewound { id, bytes } if bytes > 0 => {
                let name = self.names.get(&id).map_or("", String::as_str);
                let text = format!("{name}: {bytes} bytes were wrong and are fetched again");
                self.session.mark(millis, MarkKind::Rewound, &text);
            }
            Event::Warning(text) => self.session.mark(millis, MarkKind::Warning, text),
            Event::PhaseDone => self.active = false,
            Event::Rewound { .. } | Event::Note(_) | Event::Phase { .. } => {}
        }
    }

    fn finished(&mut self, id: u64) {
        self.names.remove(&id);
        let mut whole = 0;
        for image in self.open.remove(&id).unwrap_or_default() {
            if let Some(left) = self.lacking.get_mut(&image) {
                *left -= 1;
                whole += u64::from(*left == 0);
            }
        }
        if let Some(images) = self.session.images.last_mut() {
            *images += whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn start() -> String {
        "2026-11-20T10:00:00Z".to_owned()
    }

    fn recorder() -> (Recorder, Instant) {
        // Item 1 is needed by two images, item 2 by one of them, and a third image is there.
        let open = [(1, vec![0, 1]), (2, vec![1])].into();
        (
            Recorder::new(Arc::new(Silent), (open, 3), start),
            Instant::now(),
        )
    }

    fn at(recorder: &Recorder, now: Instant, event: Event<'_>) {
        recorder.state.lock().unwrap().take(event, now, start);
    }

    const PHASE: Event<'static> = Event::Phase {
        name: "download",
        items: None,
        bytes: Some(100),
    };

    #[test]
    fn samples_and_images_follow_events() {
        let (recorder, t) = recorder();
        let after = |millis, event| at(&recorder, t + Duration::from_millis(millis), event);
        let (name, size) = ("layer", None);
        let (items, bytes) = (None, None);
        after(
            0,
            Event::Phase {
                name: "resolve",
                items,
                bytes,
            },
        );
        after(0, Event::Advanced { id: 9, bytes: 7 });
        assert_eq!(
            recorder.session(End::Complete),
            None,
            "nothing was downloaded"
        );
        after(0, PHASE);
        after(
            0,
            Event::Skipped {
                items: 1,
                bytes: 20,
            },
        );
        after(0, Event::Started { id: 1, name, size });
        after(0, Event::Kept { id: 1, bytes: 5 });
        after(0, Event::Advanced { id: 1, bytes: 30 });
        after(600, Event::Finished { id: 1 });
        after(800, Event::Advanced { id: 2, bytes: 40 });
        after(900, Event::Warning("once more"));
        after(999, Event::Finished { id: 2 });
        let session = recorder.state.lock().unwrap().session.clone();
        assert_eq!((session.start, session.bytes_total), (start(), 100));
        assert_eq!(session.kept_bytes, 25);
        assert_eq!(session.bytes, [30, 0, 0, 40]);
        assert_eq!(session.images, [1, 1, 2, 3]);
        let mark = &session.marks[0];
        assert_eq!((mark.at, mark.kind), (900, MarkKind::Warning));
    }

    #[test]
    fn memory_is_bounded_however_long_it_takes() {
        let (recorder, t) = recorder();
        at(&recorder, t, PHASE);
        for second in 0..20_000 {
            let now = t + Duration::from_secs(second);
            at(&recorder, now, Event::Advanced { id: 1, bytes: 3 });
            at(&recorder, now, Event::Warning("x"));
        }
        let state = recorder.state.lock().unwrap();
        let session = &state.session;
        assert!((SAMPLES / 2..=SAMPLES).contains(&session.bytes.len()));
        assert_eq!(session.bytes.len(), session.images.len());
        assert_eq!(session.fetched(), 60_000);
        assert_eq!(session.more_marks, 20_000 - MARKS as u64);
    }
}
