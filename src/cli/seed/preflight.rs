//! `seed preflight`.

use std::path::PathBuf;

use clap::Args;

use super::{For, facts, findings_text, printable, unmet};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::rules_text;
use crate::cli::live::Live;
use crate::io::atomic;
use crate::seed::preflight::{self, Report};

/// Flags of `preflight`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --facts and --kubeconfig the files in $KUBECONFIG count. Nothing is changed on the cluster, and the facts hold no secret.\n\nExit codes: 0 every requirement is met (there may be warnings), 5 no cluster answers, 7 some are not.\n\nExamples:\n  snoforge seed preflight --kubeconfig auth/kubeconfig --save-facts facts.json\n  snoforge seed preflight --facts facts.json\n  snoforge seed preflight --facts facts.json --for ibi --output json | jq '.findings[].object'"
)]
pub(crate) struct Preflight {
    /// What is known of the cluster, as a file.
    #[arg(long, value_name = "FILE", conflicts_with = "kubeconfig")]
    facts: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
    /// Keep what the cluster said in this file, for --facts.
    #[arg(long, value_name = "FILE", conflicts_with = "facts")]
    save_facts: Option<PathBuf>,
    /// What the image is for: only upgrades need OADP on the seed cluster.
    #[arg(long, value_enum, default_value_t, value_name = "USE")]
    r#for: For,
}

impl Preflight {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let facts = match &self.facts {
            Some(path) => facts::read(path)?,
            None => facts::live(&self.live)?,
        };
        if let Some(path) = &self.save_facts {
            let mut text = serde_json::to_vec_pretty(&facts)
                .map_err(|e| Failure::new(Exit::Internal, format!("facts as JSON: {e}")))?;
            text.push(b'\n');
            atomic::write(path, &text)?;
        }
        report(context, &preflight::run(&facts, self.r#for.into()))
    }
}

/// Prints a report, and fails when a requirement is not met.
pub(super) fn report(context: &Context, report: &Report) -> Result<(), Failure> {
    context.result(report, || text(report))?;
    unmet(&report.findings, "the cluster cannot be a seed cluster yet")
}

fn text(report: &Report) -> String {
    let mut parts = vec![rules_text(&report.rules)];
    if !report.findings.is_empty() {
        parts.push(findings_text(&report.findings));
    }
    if !report.deletions.is_empty() {
        let lines = report.deletions.iter().map(|line| format!("  {line}"));
        let lines: Vec<_> = lines.collect();
        parts.push(printable(&format!(
            "lifecycle-agent will delete, and not put back:\n{}",
            lines.join("\n")
        )));
    }
    parts.join("\n\n")
}
