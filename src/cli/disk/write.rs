//! `disk write`: show the plan, ask, write all disks at once, read them back.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::choose::choose;
use crate::cli::confirm::typed;
use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Categorised as _, Exit, Failure, chain};
use crate::disk::{self, Selector, System, WriteOutcome, WritePlan, WriteReport};
use crate::ui::{format, table};

/// What `--help` says after the flags.
pub(super) const HELP: &str = "\
The image is read once and written to all disks at the same time; a disk that fails is left out and the others go on. Every byte is read \
back from the medium; the first MiB, with the partition table, comes last. Run the same command again after a pulled stick or Ctrl-C: what \
is on a disk already is compared, not written.

Exit code 7: a disk does not keep what is written to it; 8: some disks are whole, others are not; 130: interrupted.

Examples:
  snoforge disk write stick.img /dev/sdb /dev/sdc /dev/sdd
  snoforge disk write stick.img serial=S4EVNX0N123456 --dry-run
  snoforge disk write stick.img                                    (choose from a list)";

/// Flags of `write`.
#[derive(Debug, Args)]
pub(crate) struct Write {
    /// The image: raw, as it goes onto the disk byte for byte.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Disks: /dev/…, serial=…, wwn=… or image files; asked for when none is named.
    #[arg(value_name = "DISK")]
    disks: Vec<String>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Write {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let plan = self.plan(context)?;
        if self.dry_run {
            return context.result(&json!({"plan": plan, "report": null}), || text(&plan));
        }
        context.say(&text(&plan));
        if !self.yes {
            let names = plan.disks.iter().filter_map(|disk| disk.path.file_name());
            let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
            typed(&names.join(" "))?;
        }
        let reporter = Arc::clone(&context.reporter);
        let work = plan.clone();
        let report = block_on(async {
            let cancel = on_interrupt();
            let stop = move || cancel.is_cancelled();
            let work = tokio::task::spawn_blocking(move || work.run(reporter.as_ref(), &stop));
            let done = work.await;
            done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
                .map_err(Failure::from)
        })?;
        context.result(&json!({"plan": plan, "report": document(&report)}), || {
            report_text(&report)
        })?;
        verdict(context, &report)
    }

    fn plan(&self, context: &Context) -> Result<WritePlan, Failure> {
        let find = |text: &String| disk::find(&System::host(), &Selector::from(text.as_str()));
        let disks = if self.disks.is_empty() {
            choose(context, "DISK", "Numbers of the disks: ")?
        } else {
            self.disks.iter().map(find).collect::<Result<_, _>>()?
        };
        Ok(WritePlan::new(&self.image, disks)?)
    }
}

fn text(plan: &WritePlan) -> String {
    let mut lines = vec![format!(
        "{}: {}, {} without its holes",
        plan.image.display(),
        format::bytes(plan.size_bytes),
        format::bytes(plan.data_bytes),
    )];
    let disks = plan.disks.iter();
    lines.extend(disks.map(|disk| format!("  everything on {disk} will be lost")));
    lines.join("\n")
}

fn state(outcome: &WriteOutcome) -> &'static str {
    match outcome {
        WriteOutcome { done: true, .. } if outcome.written_bytes == 0 => "was complete",
        WriteOutcome { done: true, .. } => "complete",
        WriteOutcome { error: Some(_), .. } => "failed",
        _ => "interrupted",
    }
}

fn report_text(report: &WriteReport) -> String {
    let row = |outcome: &WriteOutcome| {
        let (write, read) = outcome.rates();
        vec![
            outcome.path.display().to_string(),
            state(outcome).to_owned(),
            format::bytes(outcome.kept_bytes),
            format::bytes(outcome.written_bytes),
            format::bytes(outcome.verified_bytes),
            format::rate(write),
            format::rate(read),
        ]
    };
    let header = [
        "DISK",
        "STATE",
        "THERE",
        "WRITTEN",
        "READ BACK",
        "WRITE",
        "READ",
    ];
    let rows = report.disks.iter().map(row).collect();
    let text = table::render(&header, rows, &[2, 3, 4, 5, 6]);
    let digest = report.digest.as_ref().map(|d| format!(", {d}"));
    let time = format::duration(report.elapsed);
    let size = format::bytes(report.size_bytes);
    format!("{text}\n{size} in {time}{}", digest.unwrap_or_default())
}

fn document(report: &WriteReport) -> Value {
    let row = |outcome: &WriteOutcome| {
        let (write, read) = outcome.rates();
        json!({
            "disk": outcome.path, "state": state(outcome), "keptBytes": outcome.kept_bytes,
            "writtenBytes": outcome.written_bytes, "verifiedBytes": outcome.verified_bytes,
            "writeBytesPerSecond": write, "readBytesPerSecond": read,
            "error": outcome.error.as_ref().map(|e| chain(e)),
        })
    };
    json!({
        "sizeBytes": report.size_bytes, "sha256": report.digest, "seconds": report.elapsed.as_secs_f64(),
        "interrupted": report.interrupted, "disks": report.disks.iter().map(row).collect::<Vec<_>>(),
    })
}

fn verdict(context: &Context, report: &WriteReport) -> Result<(), Failure> {
    let again = "run the same command again to go on; what is there is kept";
    let errors = report.disks.iter().filter_map(|disk| disk.error.as_ref());
    for error in errors.clone() {
        context.say(&format!("failed: {}", chain(error)));
        if let Some(hint) = error.advice() {
            context.say(&format!("  hint: {hint}"));
        }
    }
    if report.interrupted {
        return Err(Failure::new(Exit::Interrupted, "interrupted").hint(again));
    }
    let Some(worst) = errors.clone().find(|e| e.exit() == Exit::Verification) else {
        let Some(first) = errors.clone().next() else {
            return Ok(());
        };
        let all = errors.clone().count() == report.disks.len();
        let exit = if all { first.exit() } else { Exit::Partial };
        let count = format::count(errors.count() as u64, "disk");
        return Err(Failure::new(exit, format!("{count} failed")).hint(again));
    };
    let failure = Failure::new(worst.exit(), "a disk does not keep what is written to it");
    Err(failure.hint("do not use it; the others are good"))
}
