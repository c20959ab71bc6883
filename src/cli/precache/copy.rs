//! `precache copy`: one data directory onto others, read back; run again to go on.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::place::{Opened, Place};
use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Categorised as _, Exit, Failure, chain};
use crate::disk::Access;
use crate::store::{CopyOutcome, CopyPlan, CopyReport, CopyTarget, Refused};
use crate::ui::{format, table};

/// So many refused files are named; the JSON document has all.
const NAMED: usize = 20;

/// What `--help` says after the flags.
pub(super) const HELP: &str = "\
SRC and each DST is one of:
  a directory  a mounted data partition; a DST may be new, its parent not
  a disk       /dev/…, serial=…, wwn=…: its partition labelled `data`
  a partition  /dev/sda5, /dev/disk/by-partlabel/…
  an image     a file with a data partition or a filesystem
What is no directory is mounted, and unmounted at the end; that needs root.

Only what a DST lacks is written. Every byte is read back from the medium before a file gets its name there, and the index \
comes last, so that a half copy never passes for a whole one. A DST that fails is left out and the others go on; the slowest \
sets the pace. An image that only a DST has leaves its index; `precache prune` frees the space.

Exit code 7: the source or a medium has wrong bytes; 8: some DST is whole, another is not; 130: interrupted. Run the same \
command again to go on.

Examples:
  snoforge precache copy /mnt/usb /mnt/system
  snoforge precache copy serial=S4EVNX0N123456 /dev/sda
  snoforge precache copy /mnt /dev/sdb /dev/sdc /dev/sdd      (three sticks at once)";

/// Flags of `copy`.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// What to copy.
    #[arg(value_name = "SRC")]
    pub(super) source: String,
    /// Where to.
    #[arg(value_name = "DST", required = true)]
    pub(super) destinations: Vec<String>,
    /// Label of the data partition, where a disk is named.
    #[arg(short, long, value_name = "NAME", default_value = "data")]
    pub(super) label: String,
    /// Print what would be copied and stop.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// `precache delta`: what this data directory has is left out.
    #[arg(skip)]
    pub(super) base: Option<String>,
}

impl Copy {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (source, destinations) = self.places()?;
        for (place, text) in destinations.iter().zip(&self.destinations) {
            if place.is_on_root() {
                context.warn(&format!(
                    "{text} is on the running system's own disk: is the data partition mounted there?"
                ));
            }
        }
        let access = if self.dry_run {
            Access::Read
        } else {
            Access::Write
        };
        let source = source.open(Access::Read)?;
        let opened = destinations.into_iter().map(|place| place.open(access));
        let opened: Vec<Opened> = opened.collect::<Result<_, _>>()?;
        let done = self.copy(context, &source, &opened);
        for (place, text) in opened.into_iter().zip(&self.destinations) {
            if let Err(error) = place.close() {
                context.warn(&format!("{text}: {}", chain(&error)));
            }
        }
        done
    }

    /// Finds everything before anything is mounted.
    fn places(&self) -> Result<(Place, Vec<Place>), Failure> {
        let find = |text: &String| Place::find(text, &self.label);
        let source = find(&self.source)?;
        let destinations: Vec<Place> = self
            .destinations
            .iter()
            .map(find)
            .collect::<Result<_, _>>()?;
        let texts = std::iter::once(&self.source).chain(&self.destinations);
        let all: Vec<_> = std::iter::once(&source)
            .chain(&destinations)
            .zip(texts)
            .collect();
        for (n, (place, text)) in all.iter().enumerate() {
            let again = all.iter().skip(n + 1).find(|(other, _)| other == place);
            if let Some((_, other)) = again.filter(|_| matches!(place, Place::Volume(_))) {
                let message = format!("{text} and {other} are the same data partition");
                return Err(Failure::new(Exit::Usage, message).hint("name each disk once"));
            }
        }
        Ok((source, destinations))
    }

    fn copy(
        &self,
        context: &Context,
        source: &Opened,
        destinations: &[Opened],
    ) -> Result<(), Failure> {
        let roots: Vec<_> = destinations.iter().map(|d| d.path().to_owned()).collect();
        let plan = self.plan(source, &roots)?;
        if self.dry_run {
            context.result(&self.plan_json(&plan), || self.plan_text(&plan))?;
            let failed = plan.targets().iter().zip(&self.destinations);
            let mut failed = failed.filter_map(|(t, text)| Some((text, t.error.as_ref()?)));
            return failed.next().map_or(Ok(()), |(text, error)| {
                let failure = Failure::new(error.exit(), format!("{text}: {}", chain(error)));
                Err(Failure {
                    hint: error.advice(),
                    ..failure
                })
            });
        }
        context.say(&self.plan_text(&plan));
        let reporter = std::sync::Arc::clone(&context.reporter);
        let report = block_on(async {
            let cancel = on_interrupt();
            let stop = move || cancel.is_cancelled();
            let work = tokio::task::spawn_blocking(move || plan.run(reporter.as_ref(), &stop));
            Ok(work
                .await
                .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())))
        })?;
        context.result(&self.report_json(&report), || self.report_text(&report))?;
        self.verdict(context, &report)
    }

    fn plan(&self, source: &Opened, roots: &[PathBuf]) -> Result<CopyPlan, Failure> {
        let (Some(base), [root]) = (&self.base, roots) else {
            return Ok(CopyPlan::new(source.path(), roots)?);
        };
        let base = Place::find(base, &self.label)?.open(Access::Read)?;
        let plan = CopyPlan::delta(source.path(), base.path(), root);
        base.close()?;
        Ok(plan?)
    }

    fn plan_text(&self, plan: &CopyPlan) -> String {
        let (files, bytes) = plan.total();
        let head = format!(
            "{}: {}, {files} files, {}",
            self.source,
            format::count(plan.images() as u64, "image"),
            format::bytes(bytes)
        );
        let row = |(target, text): (&CopyTarget, &String)| {
            let state = target.error.as_ref().map_or("ok".to_owned(), |e| chain(e));
            let there = format::bytes(target.there.1);
            let missing = format!(
                "{} in {}",
                format::bytes(target.missing.1),
                target.missing.0
            );
            vec![
                text.clone(),
                there,
                missing,
                format::bytes(target.free),
                state,
            ]
        };
        let rows = plan.targets().iter().zip(&self.destinations).map(row);
        let header = ["DESTINATION", "THERE", "TO COPY", "FREE", "STATE"];
        let mut text = format!(
            "{head}\n{}",
            table::render(&header, rows.collect(), &[1, 2, 3])
        );
        if let Some(base) = &self.base {
            let left_out = plan.targets().iter().map(|target| target.left_out.1);
            let bytes = format::bytes(left_out.sum());
            let _ = write!(text, "\n{bytes} left out: {base} has them");
        }
        text
    }

    fn plan_json(&self, plan: &CopyPlan) -> Value {
        let (files, bytes) = plan.total();
        let row = |(target, text): (&CopyTarget, &String)| {
            json!({
                "destination": text, "thereFiles": target.there.0, "thereBytes": target.there.1,
                "missingFiles": target.missing.0, "missingBytes": target.missing.1,
                "leftOutFiles": target.left_out.0, "leftOutBytes": target.left_out.1,
                "diskBytes": target.disk_need, "freeBytes": target.free,
                "error": target.error.as_ref().map(|e| chain(e)),
            })
        };
        let rows = plan.targets().iter().zip(&self.destinations).map(row);
        json!({
            "dryRun": true, "source": self.source, "images": plan.images(), "files": files, "bytes": bytes,
            "destinations": rows.collect::<Vec<_>>(),
        })
    }

    fn report_text(&self, report: &CopyReport) -> String {
        let row = |(outcome, text): (&CopyOutcome, &String)| {
            vec![
                text.clone(),
                state(outcome, report).to_owned(),
                format::bytes(outcome.copied.1),
                format::bytes(outcome.skipped.1),
                format::bytes(outcome.bytes_verified),
                format::rate(outcome.write_rate()),
                format::rate(outcome.verify_rate()),
            ]
        };
        let rows = report.destinations.iter().zip(&self.destinations).map(row);
        let header = [
            "DESTINATION",
            "STATE",
            "COPIED",
            "SKIPPED",
            "READ BACK",
            "WRITE",
            "READ",
        ];
        let text = table::render(&header, rows.collect(), &[2, 3, 4, 5, 6]);
        let (images, time) = (report.images as u64, format::duration(report.elapsed));
        format!("{text}\n{} in {time}", format::count(images, "image"))
    }

    fn report_json(&self, report: &CopyReport) -> Value {
        let row = |(outcome, text): (&CopyOutcome, &String)| {
            json!({
                "destination": text, "state": state(outcome, report),
                "copiedFiles": outcome.copied.0, "copiedBytes": outcome.copied.1,
                "skippedFiles": outcome.skipped.0, "skippedBytes": outcome.skipped.1,
                "verifiedBytes": outcome.bytes_verified, "wrong": outcome.wrong,
                "writtenBytes": outcome.bytes_written, "writeSeconds": outcome.writing.as_secs_f64(),
                "readBackSeconds": outcome.verifying.as_secs_f64(),
                "writeBytesPerSecond": outcome.write_rate(), "readBackBytesPerSecond": outcome.verify_rate(),
                "error": outcome.error.as_ref().map(|e| chain(e)),
            })
        };
        let rows = report.destinations.iter().zip(&self.destinations).map(row);
        let refused = |r: &Refused| json!({"path": r.path, "images": r.images, "reason": r.reason});
        json!({
            "dryRun": false, "source": self.source, "images": report.images,
            "bytesRead": report.bytes_read, "seconds": report.elapsed.as_secs_f64(),
            "interrupted": report.interrupted, "refused": report.refused.iter().map(refused).collect::<Vec<_>>(),
            "destinations": rows.collect::<Vec<_>>(),
        })
    }

    /// Says what went wrong, and ends with the right exit code.
    fn verdict(&self, context: &Context, report: &CopyReport) -> Result<(), Failure> {
        for refused in report.refused.iter().take(NAMED) {
            context.say(&format!("not copied: {}", refused_line(refused)));
        }
        if let Some(more) = report.refused.len().checked_sub(NAMED).filter(|n| *n > 0) {
            context.say(&format!("not copied: {more} more"));
        }
        for (outcome, text) in report.destinations.iter().zip(&self.destinations) {
            for path in outcome.wrong.iter().take(NAMED) {
                let path = path.display();
                context.say(&format!(
                    "{text}: {path} does not read back as it was written"
                ));
            }
            if let Some(error) = &outcome.error {
                context.say(&format!("{text}: {}", chain(error)));
                if let Some(hint) = error.hint() {
                    context.say(&format!("  hint: {hint}"));
                }
            }
        }
        verdict(report, &self.source)
    }
}

fn verdict(report: &CopyReport, source: &str) -> Result<(), Failure> {
    let again = "run the same command again to go on; what is there is kept";
    if report.interrupted {
        return Err(Failure::new(Exit::Interrupted, "interrupted").hint(again));
    }
    let failed = report.destinations.iter().filter(|d| !d.settled);
    let count = format::count(failed.clone().count() as u64, "destination");
    if failed.clone().any(|d| !d.wrong.is_empty()) {
        let failure = Failure::new(Exit::Verification, format!("{count} failed the read-back"));
        return Err(failure.hint("do not use that disk: it does not keep what is written to it"));
    }
    if !report.refused.is_empty() {
        let files = format::count(report.refused.len() as u64, "file");
        let message = format!("{source}: {files} cannot be copied: missing, unreadable or wrong");
        let hint = "the images that need them are not in the copy; `precache verify` and `precache download` repair the source, then run again";
        return Err(Failure::new(Exit::Verification, message).hint(hint));
    }
    let Some(first) = failed.clone().find_map(|d| d.error.as_ref()) else {
        return Ok(());
    };
    let exit = if failed.count() < report.destinations.len() {
        Exit::Partial
    } else {
        first.exit()
    };
    let hint = format!("the lines above say why; {again}");
    Err(Failure::new(exit, format!("{count} failed")).hint(hint))
}

fn state(outcome: &CopyOutcome, report: &CopyReport) -> &'static str {
    match outcome {
        CopyOutcome { settled: true, .. } if report.refused.is_empty() => "complete",
        CopyOutcome { settled: true, .. } => "incomplete",
        CopyOutcome { error: Some(_), .. } => "failed",
        CopyOutcome { wrong, .. } if !wrong.is_empty() => "failed",
        _ => "interrupted",
    }
}

/// The file, why, and who needs it.
fn refused_line(refused: &Refused) -> String {
    let what = format!("{}: {}", refused.path.display(), refused.reason);
    match refused.images.as_slice() {
        [] => what,
        [one] => format!("{what} (needed by {one})"),
        [first, rest @ ..] => format!("{what} (needed by {first} and {} more)", rest.len()),
    }
}
