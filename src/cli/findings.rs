//! Findings of a check, for people, and the failure that they are.

use super::exit::{Exit, Failure};
use crate::objects::{Finding, Outcome, Row, Severity};
use crate::ui::table;

/// Findings as a person reads them, the worst first.
pub(super) fn findings_text(findings: &[Finding]) -> String {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let line = |f: &&Finding| {
        let word = match f.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        format!(
            "{word}: {}: {}: {}\n  cure: {}",
            f.rule, f.object, f.message, f.cure
        )
    };
    printable(&sorted.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Every rule of a check with how it came out.
pub(super) fn rules_text(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let word = match row.outcome {
            Outcome::Pass => "pass",
            Outcome::Warning => "warning",
            Outcome::Fail => "FAIL",
            Outcome::Unknown => "unknown",
        };
        [word, row.rule, row.requirement]
            .map(str::to_owned)
            .to_vec()
    };
    let header = ["RESULT", "RULE", "REQUIREMENT"];
    table::render(&header, rows.iter().map(row).collect(), &[])
}

/// What an image or a cluster says, without what would move the cursor or change the terminal.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// The failure of a check that found errors.
pub(super) fn unmet(findings: &[Finding], what: &str) -> Result<(), Failure> {
    let errors = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .count() as u64;
    if errors == 0 {
        return Ok(());
    }
    let message = format!("{what}: {}", crate::ui::format::count(errors, "error"));
    Err(Failure::new(Exit::Verification, message).hint("each finding above names its cure"))
}
