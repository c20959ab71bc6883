//! `iso inspect`.

use clap::Args;

use super::Input;
use super::sink::grouped;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::ignition::printable;
use crate::iso::{ConfigReport, Report};

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
        context.result(&report, || printable(&text(&report)))
    }
}

fn text(report: &Report) -> String {
    let area = &report.area;
    let moved = if report.grown {
        ", moved to the end"
    } else {
        ""
    };
    let mut lines = vec![
        line("volume", &report.volume),
        line("size", &format!("{} bytes", grouped(report.size))),
        line(
            "embed area",
            &format!(
                "{} at {}: {} of {} bytes in use{moved}",
                area.file,
                area.offset,
                grouped(report.used),
                grouped(area.length)
            ),
        ),
    ];
    lines.extend(report.damage.iter().map(|text| line("damage", text)));
    embedded(report, &mut lines);
    kargs(report, &mut lines);
    lines.push(line("can do", &report.abilities().join(", ")));
    lines.join("\n")
}

fn line(what: &str, text: &str) -> String {
    format!("{what:<12} {text}")
}

fn embedded(report: &Report, lines: &mut Vec<String>) {
    lines.push(line(
        "ignition",
        &report
            .ignition
            .as_ref()
            .map_or_else(|| "none".to_owned(), config),
    ));
    lines.extend(report.keyfiles.iter().map(|name| line("keyfile", name)));
    lines.extend(report.other_members.iter().map(|member| {
        let size = grouped(member.bytes);
        let text = format!("{} ({size} bytes, mode {})", member.path, member.mode);
        line("other file", &text)
    }));
}

fn config(config: &ConfigReport) -> String {
    let version = config.version.as_deref().unwrap_or("unknown");
    let size = grouped(config.bytes);
    format!("{size} bytes, spec {version}, sha256 {}", config.sha256)
}

fn kargs(report: &Report, lines: &mut Vec<String>) {
    let Some(kargs) = &report.kargs else {
        lines.push(line("kargs", "no embed areas"));
        return;
    };
    lines.extend(kargs.current.iter().map(|text| line("kargs", text)));
    let changed = kargs
        .default
        .iter()
        .filter(|_| kargs.default != kargs.current);
    lines.extend(changed.map(|text| line("default", text)));
    lines.extend(kargs.areas.iter().map(|area| {
        let file = area.file.as_deref().unwrap_or("system area header");
        let text = format!("{file} at {}: {} bytes", area.offset, area.length);
        line("kargs area", &text)
    }));
}
