//! What a watch came to: the document, its text, and the exit code.

use std::time::Duration;

use crate::cli::context::{Context, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::{findings_text, printable};
use crate::install::{Report, Took, Verdict, Watch};
use crate::ui::{format, table};

const AGAIN: &str =
    "the installation goes on by itself; run the same command again to go on watching";

/// Tells the verdict.
///
/// # Errors
/// Every verdict but a good one and "going on".
pub(super) fn tell(
    context: &Context,
    watch: &Watch,
    console: Option<String>,
) -> Result<(), Failure> {
    let report = Report {
        console,
        ..watch.report(today())
    };
    context.result(&report, || printable(&text(&report)))?;
    let place = format!("stage {}, waiting for {}", report.stage, report.waiting);
    match &report.verdict {
        Verdict::GoingOn | Verdict::Completed => Ok(()),
        Verdict::Failed { reason, cure } => {
            let message = format!("the installation cannot be followed to its end: {reason}");
            Err(Failure::new(Exit::Remote, printable(&message)).hint(cure))
        }
        Verdict::DeadlinePassed { away } => {
            let exit = if *away { Exit::Remote } else { Exit::Partial };
            let message = format!("not installed in time: {place}");
            Err(Failure::new(exit, printable(&message)).hint(AGAIN))
        }
    }
}

fn text(report: &Report) -> String {
    let node = report.node.as_deref().unwrap_or("the node");
    let version = report.version.as_deref().unwrap_or("OpenShift");
    let took = |seconds: u64| format::duration(Duration::from_secs(seconds));
    let mut parts = vec![match report.verdict {
        Verdict::Completed => match report.installed_in {
            Some(seconds) => format!(
                "installed: {node}, {version}, in {} from the first answer of its API",
                took(seconds)
            ),
            None => format!("installed: {node}, {version}"),
        },
        _ => format!("stage {}: waiting for {}", report.stage, report.waiting),
    }];
    if !report.stages.is_empty() {
        let row = |stage: &Took| {
            let time = stage.seconds.map_or_else(|| "?".to_owned(), took);
            let remark = match (&stage.ended, stage.watched) {
                _ if stage.seconds.is_none() => "before this watch",
                (None, _) if report.verdict != Verdict::Completed => "so far",
                (_, false) => "by the cluster's objects",
                _ => "",
            };
            vec![stage.stage.name().to_owned(), time, remark.to_owned()]
        };
        let rows = report.stages.iter().map(row).collect();
        parts.push(table::render(&["STAGE", "TOOK", ""], rows, &[1]));
    }
    let held = report.traps.iter().filter(|trap| trap.until.is_none());
    let held: Vec<_> = held.map(|trap| trap.finding.clone()).collect();
    if !held.is_empty() {
        parts.push(findings_text(&held));
    }
    if let Some(console) = &report.console {
        parts.push(format!("console: {console}"));
    }
    parts.join("\n")
}
