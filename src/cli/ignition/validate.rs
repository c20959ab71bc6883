//! `ignition validate`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{load, printable};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::ignition::lint::{self, Finding, Severity};
use crate::ui::format;

/// The embed area of an RHCOS live ISO, in bytes (`live-iso.md` section 1.1).
const EMBED_AREA: usize = 262_144;

/// Flags of `validate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no errors (there may be warnings), 2 errors, 3 a spec version that is not supported.\n\nExamples:\n  snoforge ignition validate bip.ign\n  jq . bip.ign | snoforge ignition validate - --strict"
)]
pub(crate) struct Validate {
    /// The config; `-` for stdin.
    file: PathBuf,
    /// Size of the area it is meant for; 0 does not check the size.
    #[arg(long, value_name = "BYTES", default_value_t = EMBED_AREA)]
    embed_area: usize,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
}

impl Validate {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, config) = load(&self.file)?;
        let area = Some(self.embed_area).filter(|area| *area > 0);
        let findings = lint::lint(&config, area);
        let least = if self.strict {
            Severity::Warning
        } else {
            Severity::Error
        };
        let (errors, warnings): (Vec<_>, Vec<_>) =
            findings.iter().partition(|f| f.severity >= least);
        let file = self.file.display().to_string();
        let document = json!({
            "file": file,
            "version": config.version().to_string(),
            "ok": errors.is_empty(),
            "findings": findings,
        });
        if !context.is_json() {
            for finding in &warnings {
                context.warn(&line(&file, finding));
            }
        }
        if errors.is_empty() || context.is_json() {
            context.result(&document, || {
                format!(
                    "{file}: ok, spec {}, {}",
                    config.version(),
                    format::count(warnings.len() as u64, "warning")
                )
            })?;
        }
        if errors.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = errors.iter().map(|f| line(&file, f)).collect();
        Err(Failure::new(Exit::Usage, lines.join("\nerror: ")))
    }
}

/// One finding, its hint below it.
fn line(file: &str, finding: &Finding) -> String {
    let pointer = if finding.pointer.is_empty() {
        "/"
    } else {
        &finding.pointer
    };
    let line = format!("{file}: {pointer}: {}", finding.message);
    printable(&match &finding.hint {
        Some(hint) => format!("{line}\n  hint: {hint}"),
        None => line,
    })
}
