//! `ignition certs`: what lives how long, and longer.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{load, printable};
use crate::cli::context::{self, Context};
use crate::cli::exit::{Exit, Failure};
use crate::cli::values;
use crate::ignition::certs::{self, Extension, Found, Survey};
use crate::io::atomic;
use crate::ui::table;

/// Flags of `certs`.
#[derive(Debug, Args)]
#[command(
    after_help = "A config that lives longer is a secret for longer: it holds the keys of the cluster that it makes.\n\nExamples:\n  snoforge ignition certs bootstrap-in-place-for-live-iso.ign\n  snoforge ignition certs bip.ign --extend 365d -o bip-1y.ign"
)]
pub(crate) struct Certs {
    /// The config; `-` for stdin.
    file: PathBuf,
    /// Sign what expires sooner than this from now again, with the keys in the file: 365d, 12w, 48h.
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime, requires = "out")]
    extend: Option<SignedDuration>,
    /// Where the config with the new certificates goes; the same file is fine.
    #[arg(short, long, value_name = "FILE", requires = "extend")]
    out: Option<PathBuf>,
}

impl Certs {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let now = context::today();
        let (Some(duration), Some(out)) = (self.extend, &self.out) else {
            let (_, config) = load(&self.file)?;
            let survey = certs::survey(&config);
            warn(context, &self.file, &survey, now);
            let document = document(&self.file, &survey, now);
            return context.result(&document, || printable(&listing(&survey, now)));
        };
        let done = extended_file((&self.file, out), duration)?;
        warn(context, out, &done.survey, now);
        let mut document = document(out, &done.survey, now);
        document.insert("extended".to_owned(), json!(done.extended));
        document.insert("left".to_owned(), json!(done.left));
        context.result(&document, || printable(&changes(out, &done, now)))
    }
}

/// Writes a config with certificates that live so long.
///
/// # Errors
/// The file is none, has certificates that cannot be signed again, or cannot be written.
pub(super) fn extended_file(
    (file, out): (&Path, &Path),
    duration: SignedDuration,
) -> Result<Extension, Failure> {
    let (_, mut config) = load(file)?;
    let done = certs::extend(&mut config, context::clock(), duration);
    let done = done.map_err(|e| refused(file, &e))?;
    // It holds private keys.
    atomic::write_private(out, &config.render())
        .map_err(|e| Failure::new(Exit::Io, format!("cannot write {e}")))?;
    Ok(done)
}

fn refused(file: &Path, error: &certs::Error) -> Failure {
    let exit = match error {
        certs::Error::ReadOnly { .. } => Exit::Unsupported,
        certs::Error::OutOfRange { .. } => Exit::Usage,
        certs::Error::SelfCheck { .. } => Exit::Verification,
    };
    Failure {
        exit,
        message: format!("{}: {error}", file.display()),
        hint: error.hint().map(str::to_owned),
    }
}

fn warn(context: &Context, file: &Path, survey: &Survey, now: Timestamp) {
    let file = file.display();
    for broken in &survey.unreadable {
        let (place, reason) = (&broken.place, &broken.reason);
        context.warn(&printable(&format!(
            "{file}: {place}: no certificate: {reason}"
        )));
    }
    if let Some(first) = survey.use_before().filter(|_| survey.expired(now)) {
        let (subject, end) = (&first.subject, first.not_after);
        context.warn(&printable(&format!(
            "{file}: `{subject}` has expired on {end}: an installation from this config will fail\n  hint: make the config anew, or extend it with --extend 365d -o FILE"
        )));
    }
}

fn document(file: &Path, survey: &Survey, now: Timestamp) -> Map<String, Value> {
    let row = |found: &Found| {
        let mut row = json!(found);
        if let Some(row) = row.as_object_mut() {
            row.insert("secondsLeft".to_owned(), json!(found.left(now).as_secs()));
        }
        row
    };
    let rows: Vec<Value> = survey.certificates.iter().map(row).collect();
    let use_before = survey.use_before().map(|found| found.not_after.to_string());
    Map::from_iter([
        ("file".to_owned(), json!(file.display().to_string())),
        ("useBefore".to_owned(), json!(use_before)),
        ("expired".to_owned(), json!(survey.expired(now))),
        ("certificates".to_owned(), rows.into()),
        ("unreadable".to_owned(), json!(survey.unreadable)),
    ])
}

/// Whatever ends first stands first.
fn listing(survey: &Survey, now: Timestamp) -> String {
    let mut found: Vec<&Found> = survey.certificates.iter().collect();
    found.sort_by_key(|found| found.not_after);
    let rows = found.iter().map(|found| row(found, now)).collect();
    let header = [
        "NOT AFTER",
        "LEFT",
        "CA",
        "NEEDED",
        "SUBJECT",
        "ISSUER",
        "KEY ID",
        "FOUND IN",
    ];
    let table = table::render(&header, rows, &[1]);
    format!("{table}\n\n{}", use_before(survey, now))
}

fn row(found: &Found, now: Timestamp) -> Vec<String> {
    let yes = |flag: bool| if flag { "yes" } else { "" }.to_owned();
    let places = match found.places.as_slice() {
        [] => String::new(),
        [only] => only.to_string(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
    };
    let own = found.subject == found.issuer;
    let key_id = found.key_id.as_deref().unwrap_or_default();
    vec![
        found.not_after.to_string(),
        left(found.left(now)),
        yes(found.is_ca),
        yes(found.needed),
        found.subject.clone(),
        if own { "itself" } else { &found.issuer }.to_owned(),
        // Four octets tell keys of one config apart; JSON has all twenty.
        key_id.get(..11).unwrap_or(key_id).to_owned(),
        places,
    ]
}

fn use_before(survey: &Survey, now: Timestamp) -> String {
    match survey.use_before() {
        None => "No certificate that an installation needs.".to_owned(),
        Some(first) => format!(
            "Use before {} ({}): then `{}` expires.",
            first.not_after,
            left(first.left(now)),
            first.subject
        ),
    }
}

fn changes(out: &Path, done: &Extension, now: Timestamp) -> String {
    let mut lines = Vec::new();
    for cert in &done.extended {
        lines.push(format!(
            "{}: {} -> {}",
            cert.subject, cert.old_not_after, cert.not_after
        ));
    }
    for cert in &done.left {
        let needed = if cert.needed { "" } else { ", not needed" };
        lines.push(format!(
            "{}: stays {}: {}{needed}",
            cert.subject, cert.not_after, cert.reason
        ));
    }
    lines.push(format!(
        "{}: {} signed again, {} left. {}",
        out.display(),
        done.extended.len(),
        done.left.len(),
        use_before(&done.survey, now)
    ));
    lines.join("\n")
}

/// `23h 12m`, `364d 5h`; `expired` with how long ago.
fn left(left: SignedDuration) -> String {
    let minutes = left.abs().as_mins();
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let text = match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    };
    if left.is_negative() {
        format!("expired {text} ago")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left() {
        for (seconds, text) in [
            (0, "0m"),
            (3599, "59m"),
            (86_399, "23h 59m"),
            (86_400 * 365, "365d 0h"),
            (-7200, "expired 2h 0m ago"),
        ] {
            assert_eq!(left(SignedDuration::from_secs(seconds)), text);
        }
    }
}
