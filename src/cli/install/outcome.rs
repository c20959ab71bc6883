//! What a watch came to: the document, its text, and the exit code.

use std::time::Duration;

use serde_json::json;

use crate::cli::context::{Context, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::{findings_text, printable};
use crate::install::{Report, Stage, Verdict, Watch};
use crate::ui::{format, table};

const AGAIN: &str =
    "the installation goes on by itself; run the same command again to go on watching";

/// Tells the verdict.
///
/// # Errors
/// Every verdict but a good one and "going on".
pub(super) fn tell(context: &Context, watch: &Watch, console: Option<&str>) -> Result<(), Failure> {
    let report = watch.report(today());
    let mut document = serde_json::to_value(&report)
        .map_err(|e| Failure::new(Exit::Internal, format!("report as JSON: {e}")))?;
    document["console"] = json!(console);
    context.result(&document, || printable(&text(&report, console)))?;
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

fn text(report: &Report, console: Option<&str>) -> String {
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
        let row = |t: &crate::install::Took| {
            let time = t.seconds.map_or_else(|| "?".to_owned(), took);
            let note = match (&t.ended, t.watched) {
                _ if t.seconds.is_none() => "before this watch",
                (None, _) if report.verdict != Verdict::Completed => "so far",
                (_, false) => "by the cluster's objects",
                _ => "",
            };
            vec![t.stage.name().to_owned(), time, note.to_owned()]
        };
        let rows = report.stages.iter().map(row).collect();
        parts.push(table::render(&["STAGE", "TOOK", ""], rows, &[1]));
    }
    let held = report.traps.iter().filter(|t| t.until.is_none());
    let held: Vec<_> = held.map(|t| t.finding.clone()).collect();
    if !held.is_empty() {
        parts.push(findings_text(&held));
    }
    if let Some(console) = console.filter(|_| report.stage == Stage::Complete) {
        parts.push(format!("console: {console}"));
    }
    parts.join("\n")
}
