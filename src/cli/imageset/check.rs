//! `imageset check`: every finding at its line, no network.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::config::imageset::{self, Finding, Parsed};

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  snoforge imageset check -c imageset.yaml")]
pub(crate) struct Check {
    /// The image set.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let text = read(&self.config)?;
        let (findings, warnings, failed) =
            match imageset::parse(&self.config.display().to_string(), &text) {
                Ok(parsed) => {
                    let late = imageset::selection_errors(
                        &self.config.display().to_string(),
                        &parsed.imageset,
                    );
                    let failure = (!late.is_empty()).then(|| findings_failure(&late));
                    (late, parsed.warnings, failure)
                }
                Err(findings) => {
                    let failure = findings_failure(&findings);
                    (findings, Vec::new(), Some(failure))
                }
            };
        if failed.is_none() || context.is_json() {
            let rows = |list: &[Finding]| list.iter().map(row).collect::<Vec<_>>();
            context.result(&json!({"ok": failed.is_none(), "findings": rows(&findings), "warnings": rows(&warnings)}), || {
                let mut lines: Vec<_> = warnings.iter().map(|w| format!("warning: {w}")).collect();
                lines.push(format!("{}: ok", self.config.display()));
                lines.join("\n")
            })?;
        }
        failed.map_or(Ok(()), Err)
    }
}

/// A finding in a JSON document.
pub(crate) fn row(finding: &Finding) -> serde_json::Value {
    json!({
        "file": finding.file, "line": finding.at.line, "column": finding.at.column,
        "message": finding.message, "hint": finding.hint,
    })
}

/// Reads a text file that the user named.
///
/// # Errors
/// Not readable, or not UTF-8.
pub(crate) fn read(path: &std::path::Path) -> Result<String, Failure> {
    fs_err::read_to_string(path).map_err(|e| unreadable(path, &e))
}

/// Reads and validates an image set; warnings go to stderr.
///
/// # Errors
/// Every finding, with its place.
pub(crate) fn load(context: &Context, path: &std::path::Path) -> Result<(Parsed, String), Failure> {
    let text = read(path)?;
    let name = path.display().to_string();
    let parsed = imageset::parse(&name, &text).map_err(|found| findings_failure(&found))?;
    let late = imageset::selection_errors(&name, &parsed.imageset);
    if !late.is_empty() {
        return Err(findings_failure(&late));
    }
    parsed
        .warnings
        .iter()
        .for_each(|warning| context.warn(&warning.to_string()));
    Ok((parsed, text))
}

/// Warnings as lines; one that many rows of a list share is told once.
pub(crate) fn told(warnings: &[Finding]) -> Vec<String> {
    let mut lines: Vec<(&Finding, u64)> = Vec::new();
    for warning in warnings {
        let same = |(first, _): &&mut (&Finding, u64)| first.message == warning.message;
        match lines.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => lines.push((warning, 0)),
        }
    }
    let line = |(warning, more): (&Finding, u64)| match more {
        0 => warning.to_string(),
        more => format!("{warning} (and {more} more)"),
    };
    lines.into_iter().map(line).collect()
}

/// All findings as one failure; hints that differ stand under their finding.
pub(crate) fn findings_failure(findings: &[Finding]) -> Failure {
    let line = |f: &Finding| match &f.hint {
        Some(hint) if findings.len() > 1 => format!("{f}\n  hint: {hint}"),
        _ => f.to_string(),
    };
    let message = findings
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\nerror: ");
    let hint = findings
        .first()
        .filter(|_| findings.len() == 1)
        .and_then(|f| f.hint.clone());
    Failure {
        exit: Exit::Usage,
        message,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::At;

    #[test]
    fn what_many_rows_share_is_told_once() {
        let finding = |line, message: &str| Finding::new("f", At { line, column: 1 }, message);
        let told = told(&[
            finding(1, "a"),
            finding(2, "b"),
            finding(3, "a"),
            finding(4, "a"),
        ]);
        assert_eq!(told, ["f:1:1: a (and 2 more)", "f:2:1: b"]);
    }
}
