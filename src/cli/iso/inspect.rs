//! `iso inspect`.

use clap::Args;

use super::Input;
use super::sink::grouped;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::iso::Report;

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    input: Input,
}

impl Inspect {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (medium, iso) = self.input.open(context)?;
        let report = Report::new(&medium, &iso)?;
        context.result(&report, || text(&report))
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("volume       {}", report.volume)];
    lines.push(format!("size         {} bytes", grouped(report.size)));
    let area = &report.area;
    let moved = if report.grown {
        ", moved to the end"
    } else {
        ""
    };
    lines.push(format!(
        "embed area   {} at {}: {} of {} bytes in use{moved}",
        area.file,
        area.offset,
        grouped(report.used),
        grouped(area.length)
    ));
    lines.extend(report.damage.iter().map(|d| format!("damage       {d}")));
    match &report.ignition {
        Some(config) => {
            let version = config.version.as_deref().unwrap_or("unknown");
            let size = grouped(config.bytes);
            lines.push(format!(
                "ignition     {size} bytes, spec {version}, sha256 {}",
                config.sha256
            ));
        }
        None => lines.push("ignition     none".to_owned()),
    }
    lines.extend(
        report
            .keyfiles
            .iter()
            .map(|name| format!("keyfile      {name}")),
    );
    for member in &report.other_members {
        lines.push(format!(
            "other file   {} ({} bytes, mode {})",
            member.path,
            grouped(member.bytes),
            member.mode
        ));
    }
    match &report.kargs {
        Some(kargs) => {
            lines.extend(
                kargs
                    .current
                    .iter()
                    .map(|text| format!("kargs        {text}")),
            );
            let changed = kargs
                .default
                .as_ref()
                .filter(|_| kargs.default != kargs.current);
            lines.extend(changed.map(|text| format!("default      {text}")));
            for area in &kargs.areas {
                let file = area.file.as_deref().unwrap_or("system area header");
                lines.push(format!(
                    "kargs area   {file} at {}: {} bytes",
                    area.offset, area.length
                ));
            }
        }
        None => lines.push("kargs        no embed areas".to_owned()),
    }
    lines.push(format!("can do       {}", report.abilities().join(", ")));
    lines.join("\n")
}
