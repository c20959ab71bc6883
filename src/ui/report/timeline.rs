//! The download: bytes per second and whole images over time, every run beside the last, with what was in between.

use std::fmt::Write as _;
use std::time::Duration;

use super::html::{Px, Text, moment, number, real};
use super::table::{Cell, table};
use crate::ui::format;
use crate::ui::record::{End, MarkKind, Session};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 944.0;
const TOP: f64 = 16.0;
const BASE: f64 = 246.0;
/// Between two runs.
const GAP: f64 = 44.0;
/// Of a run, however short.
const NARROWEST: f64 = 14.0;
/// Without bytes for so long is a pause.
const PAUSE_MILLIS: u64 = 5000;
/// Marks that are listed.
const LISTED: usize = 40;

/// A run and its place.
struct Drawn<'a> {
    session: &'a Session,
    x: f64,
    width: f64,
}

impl Drawn<'_> {
    fn x(&self, millis: u64) -> f64 {
        let part = real(millis) / real(self.session.millis.max(1));
        self.x + self.width * part.min(1.0)
    }

    /// Begin, end and rate of each sample, in milliseconds and bytes per second.
    fn samples(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let step = self.session.sample_millis.max(1);
        let end = self.session.millis;
        self.session
            .bytes
            .iter()
            .zip(0_u64..)
            .map(move |(bytes, n)| {
                let (from, to) = (n * step, ((n + 1) * step).min(end.max(n * step + 1)));
                // The last one may be cut; a rate over a moment would be a spike.
                let length = (to - from).max(step / 2).max(1);
                (from, to, bytes.saturating_mul(1000) / length)
            })
    }

    /// Stretches without bytes.
    fn pauses(&self) -> Vec<(u64, u64)> {
        let mut pauses: Vec<(u64, u64)> = Vec::new();
        for (from, to, _) in self.samples().filter(|(.., rate)| *rate == 0) {
            match pauses.last_mut() {
                Some((_, end)) if *end == from => *end = to,
                _ => pauses.push((from, to)),
            }
        }
        pauses.retain(|(from, to)| to - from >= PAUSE_MILLIS);
        pauses
    }
}

/// The drawing and its tables.
pub(super) fn section(sessions: &[(Option<i64>, Session)]) -> String {
    let drawn = place(sessions);
    let mut out = String::new();
    if drawn.iter().any(|d| d.session.fetched() > 0) {
        out.push_str("<figure>");
        out.push_str(&svg(sessions, &drawn));
        out.push_str("<figcaption class=\"legend\"><span class=\"k rate\"></span> bytes per second <span class=\"k line\"></span> whole images <span class=\"k pause\"></span> nothing came for 5 s or longer <span class=\"k mark\"></span> tried again, or a warning <span class=\"k fail\"></span> gave up</figcaption></figure>\n");
    }
    out.push_str(&runs(sessions, &drawn));
    out.push_str(&marks(sessions));
    out
}

fn place(sessions: &[(Option<i64>, Session)]) -> Vec<Drawn<'_>> {
    let count = real(sessions.len() as u64);
    let gap = GAP.min((RIGHT - LEFT) * 0.4 / count.max(1.0));
    let room = RIGHT - LEFT - gap * (count - 1.0) - NARROWEST * count;
    let total: u64 = sessions.iter().map(|(_, s)| s.millis).sum();
    let mut x = LEFT;
    let place = |(_, session): &'_ (Option<i64>, Session)| {
        let width = NARROWEST + room * real(session.millis) / real(total.max(1));
        let at = x;
        x += width + gap;
        (at, width)
    };
    let places: Vec<(f64, f64)> = sessions.iter().map(place).collect();
    let all = sessions.iter().zip(places);
    all.map(|((_, session), (x, width))| Drawn { session, x, width })
        .collect()
}

/// A round rate above all rates.
fn ceiling(rate: u64) -> u64 {
    let units = [1_u64 << 10, 1 << 20, 1 << 30, 1 << 40];
    let steps = units.iter().flat_map(|unit| {
        [
            1, 2, 4, 8, 12, 16, 20, 24, 40, 60, 80, 100, 120, 160, 200, 400, 600, 800,
        ]
        .map(|n| n * unit)
    });
    steps.into_iter().find(|step| *step >= rate).unwrap_or(rate)
}

fn svg(sessions: &[(Option<i64>, Session)], drawn: &[Drawn<'_>]) -> String {
    let peak = drawn
        .iter()
        .flat_map(|d| d.samples().map(|(.., rate)| rate).collect::<Vec<_>>());
    let top = ceiling(peak.max().unwrap_or(0));
    let images = drawn
        .iter()
        .map(|d| d.session.images_total)
        .max()
        .unwrap_or(0);
    let mut out = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"tl-t tl-d\"><title id=\"tl-t\">Download over time</title><desc id=\"tl-d\">Bytes per second as an area, whole images as a line, one part for each run. The figures are in the table below.</desc>"
    );
    grid(&mut out, top, images);
    for (n, run) in drawn.iter().enumerate() {
        one(&mut out, run, top, images);
        let start = sessions
            .get(n)
            .map(|(_, s)| s.start.as_str())
            .unwrap_or_default();
        if run.width >= 130.0 {
            let _ = write!(
                out,
                "<text class=\"ax\" x=\"{}\" y=\"{}\">{}</text>",
                Px(run.x),
                BASE + 16.0,
                Text(&moment(start))
            );
        }
        if run.width >= 50.0 {
            let time = duration(run.session.millis);
            let _ = write!(
                out,
                "<text class=\"ax dim\" x=\"{}\" y=\"{}\">run {}: {time}</text>",
                Px(run.x),
                BASE + 31.0,
                n + 1
            );
        }
        if let Some(next) = drawn.get(n + 1) {
            gap(&mut out, run, next, pause_after(sessions, n));
        }
    }
    out.push_str("</svg>");
    out
}

/// Lines of the rate, and numbers on both sides.
fn grid(out: &mut String, top: u64, images: u64) {
    for part in 0..=4_u32 {
        let y = BASE - (BASE - TOP) * f64::from(part) / 4.0;
        let rate = format::rate(top / 4 * u64::from(part));
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {0}H{RIGHT}\"/><text class=\"ax e\" x=\"{1}\" y=\"{2}\">{rate}</text>",
            Px(y),
            LEFT - 6.0,
            Px(y + 3.5)
        );
        if images > 0 && part % 2 == 0 {
            let count = images * u64::from(part) / 4;
            let _ = write!(
                out,
                "<text class=\"ax im\" x=\"{}\" y=\"{}\">{}</text>",
                RIGHT + 6.0,
                Px(y + 3.5),
                number(count)
            );
        }
    }
}

fn one(out: &mut String, run: &Drawn<'_>, top: u64, images: u64) {
    let high = |rate: u64| BASE - (BASE - TOP) * real(rate) / real(top.max(1));
    for (from, to) in run.pauses() {
        let (a, b) = (run.x(from), run.x(to));
        let time = duration(to - from);
        let _ = write!(
            out,
            "<rect class=\"pause\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"><title>nothing came for {time}</title></rect>",
            Px(a),
            Px(b - a),
            BASE - TOP
        );
    }
    let mut area = format!("M{} {BASE}", Px(run.x));
    for (_, to, rate) in run.samples() {
        let _ = write!(area, "V{}H{}", Px(high(rate)), Px(run.x(to)));
    }
    let _ = write!(out, "<path class=\"rate\" d=\"{area}V{BASE}z\"/>");
    if images > 0 {
        let points = run
            .samples()
            .zip(&run.session.images)
            .map(|((_, to, _), done)| {
                let y = BASE - (BASE - TOP) * real(*done) / real(images);
                format!("{} {}", Px(run.x(to)), Px(y))
            });
        let points: Vec<String> = points.collect();
        let _ = write!(
            out,
            "<polyline class=\"line\" points=\"{}\"/>",
            points.join(" ")
        );
    }
    for mark in &run.session.marks {
        let x = run.x(mark.at);
        let class = if mark.kind == MarkKind::Failed {
            "fail"
        } else {
            "mark"
        };
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M{} {BASE}l-4 8h8z\"><title>{}</title></path>",
            Px(x),
            Text(&mark.text)
        );
    }
}

fn gap(out: &mut String, run: &Drawn<'_>, next: &Drawn<'_>, seconds: Option<u64>) {
    let (from, to) = (run.x + run.width, next.x);
    let time = seconds.map(|s| duration(s * 1000)).unwrap_or_default();
    let middle = f64::midpoint(from, to);
    let _ = write!(
        out,
        "<rect class=\"gap\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"><title>between two runs: {time}</title></rect><text class=\"ax gapt\" transform=\"translate({},{}) rotate(-90)\">stopped {time}</text>",
        Px(from),
        Px(to - from),
        BASE - TOP,
        Px(middle + 4.0),
        Px(f64::midpoint(TOP, BASE))
    );
}

/// Seconds from the end of a run to the begin of the next.
fn pause_after(sessions: &[(Option<i64>, Session)], n: usize) -> Option<u64> {
    let (start, session) = sessions.get(n)?;
    let (next, _) = sessions.get(n + 1)?;
    let between = u64::try_from((*next)?.checked_sub((*start)?)?).ok()?;
    Some(between.saturating_sub(session.millis / 1000))
}

fn duration(millis: u64) -> String {
    let days = millis / 86_400_000;
    if days > 0 {
        return format!("{days} d {} h", millis / 3_600_000 % 24);
    }
    format::duration(Duration::from_millis(millis))
}

fn runs(sessions: &[(Option<i64>, Session)], drawn: &[Drawn<'_>]) -> String {
    let rows = drawn.iter().enumerate();
    let rows: Vec<Vec<Cell>> = rows
        .map(|(n, run)| row(n, run, pause_after(sessions, n)))
        .collect();
    let header = [
        "Run",
        "Begin",
        "Time",
        "Stopped after it",
        "Fetched",
        "Mean rate",
        "Peak",
        "Whole images",
        "Pauses",
        "Warnings",
        "End",
    ];
    table("Runs of the download", &header, &rows)
}

/// A run as a row; `after` is for how many seconds nothing ran after it.
fn row(n: usize, run: &Drawn<'_>, after: Option<u64>) -> Vec<Cell> {
    let session = run.session;
    let end = match session.end {
        End::Complete => "<span class=\"pill ok\">complete</span>",
        End::Interrupted => "<span class=\"pill warn\">stopped</span>",
        End::Failed => "<span class=\"pill bad\">not complete</span>",
        End::Unknown => "<span class=\"pill warn\">broke off</span>",
    };
    let mean = session.fetched().saturating_mul(1000) / session.millis.max(1);
    let peak = run.samples().map(|(.., rate)| rate).max().unwrap_or(0);
    let (pauses, last) = (run.pauses(), session.images.last().copied().unwrap_or(0));
    let still: u64 = pauses.iter().map(|(from, to)| to - from).sum();
    let images = if session.images_total > 0 {
        format!("{} of {}", number(last), number(session.images_total))
    } else {
        String::new()
    };
    let pauses = if pauses.is_empty() {
        "0".to_owned()
    } else {
        format!("{} ({})", pauses.len(), duration(still))
    };
    let known = |text: String| {
        Cell::Number(if session.bytes.is_empty() {
            "–".to_owned()
        } else {
            text
        })
    };
    vec![
        Cell::Number((n + 1).to_string()),
        Cell::Moment(session.start.clone()),
        known(duration(session.millis)),
        known(after.map(|s| duration(s * 1000)).unwrap_or_default()),
        known(format::bytes(session.fetched())),
        known(format::rate(mean)),
        known(format::rate(peak)),
        known(images),
        known(pauses),
        known((session.marks.len() as u64 + session.more_marks).to_string()),
        Cell::Html(end.to_owned()),
    ]
}

fn marks(sessions: &[(Option<i64>, Session)]) -> String {
    let all = sessions.iter().zip(1_u32..);
    let all: Vec<_> = all
        .flat_map(|((_, s), run)| s.marks.iter().map(move |mark| (run, mark)))
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let row = |(run, mark): &(u32, &crate::ui::record::Mark)| {
        let kind = match mark.kind {
            MarkKind::Warning => "warning",
            MarkKind::Failed => "gave up",
            MarkKind::Rewound => "fetched again",
        };
        let time = format!("run {run}, {}", duration(mark.at));
        [time, kind.to_owned(), mark.text.clone()]
            .map(Cell::Text)
            .into()
    };
    let rows: Vec<Vec<Cell>> = all.iter().take(LISTED).map(row).collect();
    let more = all.len() - rows.len();
    let caption = if more > 0 {
        format!("What happened meanwhile (the first {LISTED}; {more} more in report.json)")
    } else {
        "What happened meanwhile".to_owned()
    };
    table(&caption, &["When", "What", "Said"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(bytes: &[u64]) -> Session {
        Session {
            millis: bytes.len() as u64 * 1000 - 500,
            sample_millis: 1000,
            bytes: bytes.to_vec(),
            images: vec![1; bytes.len()],
            images_total: 2,
            ..Session::default()
        }
    }

    #[test]
    fn pauses_and_gaps_are_seen() {
        let one = session(&[5, 0, 0, 0, 0, 0, 9, 0]);
        let two = session(&[1, 1]);
        let sessions = vec![(Some(1000), one), (Some(5000), two)];
        let drawn = place(&sessions);
        assert_eq!(drawn[0].pauses(), [(1000, 6000)]);
        assert_eq!(pause_after(&sessions, 0), Some(3993));
        assert_eq!(pause_after(&sessions, 1), None);
        let ends = drawn.iter().map(|d| d.x + d.width).fold(0.0, f64::max);
        assert!((ends - RIGHT).abs() < 1e-6, "{ends}");
        let html = section(&sessions);
        assert!(
            html.contains("stopped 1h6m33s") && html.contains("nothing came for 5.0s"),
            "{html}"
        );
    }

    #[test]
    fn a_round_number_is_above_every_rate() {
        assert_eq!(
            [0, 1025, 5 << 20, 81 << 30].map(ceiling),
            [1 << 10, 2 << 10, 8 << 20, 100 << 30]
        );
    }

    #[test]
    fn a_run_that_was_killed_has_a_row_and_no_figures() {
        let killed = Session {
            start: "2026-11-20T10:00:00Z".to_owned(),
            ..Session::default()
        };
        let html = section(&[(None, killed)]);
        assert!(
            html.contains("broke off") && !html.contains("<svg"),
            "{html}"
        );
    }
}
