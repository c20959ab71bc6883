//! `snoforge doctor`: what the main job needs, looked at before it begins; and whether a site is ready for its machine.

mod logins;
mod machine;
mod network;
mod proxy;
mod site;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::build::{Needs, factory_at, needs};
use super::context::{Context, block_on};
use super::exit::{Exit, Failure};
use super::findings::printable;
use super::global::RegistryFlags;
use crate::config::Finding;
use crate::doctor::{Fault, Outcome, Row};
use crate::ui::{format, table};

/// Flags of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without -f: what every job needs (download, data disk, boot medium). With it: what that job needs, and nothing else. --site looks at\nnames, time servers and network cards of sites instead, or with -f as well. Exit code 4 when something would make the job fail.\n\nExamples:\n  snoforge doctor\n  snoforge doctor -f factory.yaml\n  snoforge doctor --offline --folder /mnt/data\n  snoforge doctor --site sites.csv --name bip-1 --nameserver 192.168.86.27\n  ip -j link > cards.json && snoforge doctor --site factory.yaml --name bip-1 --interfaces-from cards.json   (on the machine)"
)]
pub(crate) struct Doctor {
    /// The job.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Directory for the data; default: that of the job, else this one.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Ask nothing of the network.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    site: site::SiteFlags,
    #[command(flatten)]
    registries: RegistryFlags,
}

impl Doctor {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut rows = Vec::new();
        if self.file.is_some() || self.site.list.is_none() {
            rows.extend(self.job()?);
        }
        if self.site.list.is_some() {
            rows.extend(self.site.rows(context, self.offline)?);
        }
        for row in &mut rows {
            for text in [&mut row.object, &mut row.message] {
                *text = printable(text).replace('\n', " ");
            }
        }
        let fails = count(&rows, Outcome::Fail);
        let document = json!({"ok": fails == 0, "rows": rows});
        context.result(&document, || text(&rows))?;
        if fails == 0 {
            return Ok(());
        }
        let message = format!(
            "{} would make the job fail",
            format::count(fails, "finding")
        );
        Err(Failure::new(Exit::Environment, message).hint("each has its cure above"))
    }

    fn job(&self) -> Result<Vec<Row>, Failure> {
        let needs = match &self.file {
            Some(file) => Some(needs(&factory_at(file)?)),
            None => None,
        };
        let mut rows = needs.as_ref().map(file_rows).unwrap_or_default();
        rows.extend(machine::rows(needs.as_ref(), self.folder.as_deref()));
        let flags = self.flags(needs.as_ref());
        rows.extend(machine::certificates(&flags, needs.as_ref()));
        let mut job = network::Job::new(&flags, needs.as_ref());
        if self.offline {
            rows.extend(job.offline());
            rows.push(machine::clock(Vec::new(), false));
            return Ok(rows);
        }
        let found = block_on(async { Ok(job.rows().await) })?;
        rows.extend(found.rows);
        rows.push(machine::clock(found.heard, found.verified));
        Ok(rows)
    }

    /// Those of the job, except for what was said here.
    fn flags(&self, needs: Option<&Needs>) -> RegistryFlags {
        let mut flags = self.registries.clone();
        if let Some(job) = needs.and_then(|needs| needs.registries.clone()) {
            flags.authfile = flags.authfile.or(job.authfile);
            flags.registries_conf = flags.registries_conf.or(job.registries_conf);
            flags.cert_dir = flags.cert_dir.or(job.cert_dir);
            flags.tls_verify &= job.tls_verify;
            if flags.mirror.is_empty() {
                flags.mirror = job.mirror;
            }
        }
        flags
    }
}

/// What is wrong with the file itself.
fn file_rows(needs: &Needs) -> Vec<Row> {
    let row = |outcome, finding: &Finding| {
        let at = format!("{}:{}:{}", finding.file, finding.at.line, finding.at.column);
        let cure = finding.hint.clone().unwrap_or_default();
        Row::new(outcome, "file", at, Fault::new(&finding.message, cure))
    };
    let errors = needs.errors.iter().map(|f| row(Outcome::Fail, f));
    let warnings = needs.warnings.iter().map(|f| row(Outcome::Warning, f));
    let mut rows: Vec<Row> = errors.chain(warnings).collect();
    if rows.is_empty() {
        rows.push(Row::pass(
            "file",
            "factory.yaml",
            "nothing is wrong with it",
        ));
    }
    rows
}

/// A fault for what a verb would have said.
fn fault(failure: Failure) -> Fault {
    Fault::new(failure.message, failure.hint.unwrap_or_default())
}

fn count(rows: &[Row], outcome: Outcome) -> u64 {
    rows.iter().filter(|row| row.outcome == outcome).count() as u64
}

/// The table, what to do, and the sum.
fn text(rows: &[Row]) -> String {
    let word = |outcome| match outcome {
        Outcome::Pass => "ok",
        Outcome::Warning => "warning",
        Outcome::Fail => "FAIL",
        Outcome::Unknown => "unknown",
    };
    let cells = |row: &Row| {
        [word(row.outcome), row.check, &row.object, &row.message]
            .map(str::to_owned)
            .to_vec()
    };
    let table = table::render(
        &["RESULT", "CHECK", "OF", "FOUND"],
        rows.iter().map(cells).collect(),
        &[],
    );
    let todo = rows.iter().filter(|row| row.outcome != Outcome::Pass);
    let todo = todo.filter_map(|row| {
        let cure = row.cure.as_ref()?;
        Some(format!("  {} {}: {cure}", row.check, row.object))
    });
    let todo: Vec<String> = todo.collect();
    let mut sections = vec![table.trim_end().to_owned()];
    if !todo.is_empty() {
        sections.push(format!("To do:\n{}", todo.join("\n")));
    }
    let sum = [
        Outcome::Pass,
        Outcome::Warning,
        Outcome::Fail,
        Outcome::Unknown,
    ]
    .map(|outcome| format!("{} {}", count(rows, outcome), word(outcome)));
    sections.push(sum.join(", "));
    sections.join("\n\n")
}
