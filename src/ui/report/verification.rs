//! What was verified, when, and with which result: the data directory, the disks, the boot media.

use super::html::{Text, moment};
use super::sheet::file_name;
use super::table::{Cell, table};
use super::{Check, Disk, Machine, Page, Verdict};
use crate::ui::format;

/// The section.
pub(super) fn section(out: &mut String, page: &Page) {
    out.push_str("<section id=\"verification\"><h2>Verification</h2>\n");
    let rows: Vec<Vec<Cell>> = page.checks.iter().map(check).collect();
    let header = ["What", "Result", "When", "How"];
    out.push_str(&table("What was verified", &header, &rows));
    if !page.disks.is_empty() {
        let rows: Vec<Vec<Cell>> = page.disks.iter().map(disk).collect();
        let header = [
            "Disk", "Label", "PARTUUID", "Size", "Filled", "Result", "How",
        ];
        out.push_str(&table("Data disks", &header, &rows));
    }
    if !page.machines.is_empty() {
        let rows: Vec<Vec<Cell>> = page.machines.iter().zip(1..).map(medium).collect();
        let header = ["ISO", "Size", "Use before", "SHA-256"];
        out.push_str("<div class=\"media\">");
        out.push_str(&table("Boot media", &header, &rows));
        out.push_str("</div>");
    }
    out.push_str("</section>\n");
}

fn verdict(verdict: Verdict) -> Cell {
    let (class, text) = match verdict {
        Verdict::Good => ("ok", "good"),
        Verdict::Bad => ("bad", "not good"),
        Verdict::Open => ("warn", "not looked at"),
    };
    Cell::Html(format!("<span class=\"pill {class}\">{text}</span>"))
}

fn when(when: Option<&String>) -> Cell {
    Cell::Moment(when.cloned().unwrap_or_default())
}

fn check(check: &Check) -> Vec<Cell> {
    vec![
        Cell::Text(check.what.clone()),
        verdict(check.result),
        when(check.when.as_ref()),
        Cell::Text(check.detail.clone()),
    ]
}

fn disk(disk: &Disk) -> Vec<Cell> {
    let result = match (disk.current, disk.read_back) {
        (true, true) => Verdict::Good,
        (true, false) => Verdict::Open,
        (false, _) => Verdict::Bad,
    };
    let check = if disk.current {
        disk.check.clone()
    } else {
        "holds another image set".to_owned()
    };
    vec![
        Cell::Text(disk.target.clone()),
        Cell::Text(disk.label.clone()),
        Cell::Code(disk.partition.clone()),
        Cell::Number(format!("{} GiB", disk.size_gib)),
        when(disk.filled.as_ref()),
        verdict(result),
        Cell::Text(check),
    ]
}

/// A boot medium, with the number of its machine's sheet.
fn medium((machine, n): (&Machine, u32)) -> Vec<Cell> {
    let iso = Text(file_name(&machine.iso));
    let end = machine.use_before.clone().unwrap_or_default();
    let digest = machine.sha256.as_deref().unwrap_or("not computed");
    vec![
        Cell::Html(format!("<a href=\"#m-{n}\">{iso}</a>")),
        Cell::Number(format::bytes(machine.iso_size)),
        if machine.expired {
            let end = moment(&end);
            Cell::Html(format!(
                "<span class=\"pill bad w\">{} expired</span>",
                Text(&end)
            ))
        } else {
            Cell::Moment(end)
        },
        Cell::Code(digest.to_owned()),
    ]
}
