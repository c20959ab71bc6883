//! The page: its head, and one function for each section.

use std::fmt::Write as _;

use super::html::{Text, moment, number, percent};
use super::sheet::{self, file_name};
use super::table::{Cell, table};
use super::{Contents, Inventory, MARK, Page, Verdict, timeline, treemap};
use crate::ui::format;

/// Groups in the matrix; more do not fit on a page.
const MATRIX: usize = 12;
/// Shared layers that are listed.
const LAYERS: usize = 25;

/// What lets nothing in, whatever a text from outside says.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(super) fn render(page: &Page) -> String {
    let title = format!("snoforge report: {}", page.title);
    let mut out = format!(
        "{MARK}<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"><meta name=\"referrer\" content=\"no-referrer\"><title>{}</title><style>\n{}</style></head>\n<body>\n",
        Text(&title),
        include_str!("style.css")
    );
    head(&mut out, page);
    index(&mut out, page);
    out.push_str("<main>\n");
    if let Some(inventory) = &page.inventory {
        self::inventory(&mut out, inventory);
    }
    if !page.sessions.is_empty() {
        let _ = write!(
            out,
            "<section id=\"download\"><h2>Download</h2>{}</section>\n",
            timeline::section(&page.sessions)
        );
    }
    verification(&mut out, page);
    if let Some(contents) = page.inventory.as_ref().and_then(|i| i.contents.as_ref()) {
        images(&mut out, contents);
    }
    if !page.machines.is_empty() {
        out.push_str("<section id=\"machines\"><h2 class=\"screen\">Travel sheets</h2>\n");
        for (machine, n) in page.machines.iter().zip(1..) {
            out.push_str(&sheet::sheet(page, machine, n));
        }
        out.push_str("</section>\n");
    }
    let _ = write!(
        out,
        "</main>\n<footer class=\"end screen\">{} · written {}</footer>\n</body></html>\n",
        Text(&page.tool),
        Text(&moment(&page.made))
    );
    out
}

fn head(out: &mut String, page: &Page) {
    let (class, state) = if page.complete {
        ("ok", "complete")
    } else {
        ("warn", "not complete")
    };
    let _ = write!(
        out,
        "<header class=\"top\"><p class=\"kicker\">snoforge factory report</p><h1>{} <span class=\"pill {class}\">{state}</span></h1><p class=\"dim\">State of {}</p><dl class=\"tiles\">",
        Text(&page.title),
        Text(&moment(&page.made))
    );
    let mut tile = |name: &str, value: &str, note: &str, bad: bool| {
        let class = if bad { " class=\"bad\"" } else { "" };
        let _ = write!(
            out,
            "<div{class}><dt>{}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>",
            Text(name),
            Text(value),
            Text(note)
        );
    };
    if let Some(inventory) = &page.inventory {
        let releases: Vec<&str> = inventory.releases.iter().map(|r| r.name.as_str()).collect();
        tile(
            "Images",
            &number(inventory.images),
            &releases.join(", "),
            false,
        );
        let blobs = format!("{} blobs, each once", number(inventory.blobs));
        tile(
            "Size",
            &format::bytes(inventory.unique_bytes),
            &blobs,
            false,
        );
        if let Some(contents) = &inventory.contents {
            let whole = inventory.unique_bytes + contents.saved;
            let note = format!(
                "{} of {} stored whole",
                percent(contents.saved, whole),
                format::bytes(whole)
            );
            tile(
                "Saved by sharing layers",
                &format::bytes(contents.saved),
                &note,
                false,
            );
        }
    }
    let disks = page.disks.iter().filter(|disk| disk.current).count();
    if !page.disks.is_empty() {
        let note = format!("of {} filled with this image set", page.disks.len());
        tile(
            "Data disks",
            &disks.to_string(),
            &note,
            disks < page.disks.len(),
        );
    }
    if !page.machines.is_empty() {
        let ends = page.machines.iter().filter_map(|m| m.use_before.as_deref());
        let first = ends.min().map(moment);
        tile(
            "Machines",
            &number(page.machines.len() as u64),
            "boot media made",
            false,
        );
        if let Some(first) = first {
            let expired = page.machines.iter().filter(|m| m.expired).count();
            let note = if expired > 0 {
                format!(
                    "{} expired",
                    format::count(expired as u64, "boot medium").replace("mediums", "media")
                )
            } else {
                "the first boot medium expires then".to_owned()
            };
            tile("Use before", &first, &note, expired > 0);
        }
    }
    out.push_str("</dl></header>\n");
}

fn index(out: &mut String, page: &Page) {
    let contents = page.inventory.as_ref().and_then(|i| i.contents.as_ref());
    let sections = [
        ("inventory", "Inventory", page.inventory.is_some()),
        ("sharing", "Shared layers", contents.is_some()),
        ("download", "Download", !page.sessions.is_empty()),
        ("verification", "Verification", true),
        ("images", "All images", contents.is_some()),
    ];
    out.push_str("<nav aria-label=\"Contents\"><ul class=\"sections\">");
    for (id, name, _) in sections.iter().filter(|(.., there)| *there) {
        let _ = write!(out, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    out.push_str("</ul>");
    if !page.machines.is_empty() {
        out.push_str("<h2>Travel sheets</h2><ol class=\"index\">");
        for (machine, n) in page.machines.iter().zip(1_u32..) {
            let class = if machine.expired {
                " class=\"bad\""
            } else {
                ""
            };
            let address = machine.addresses.first().map_or("", String::as_str);
            let _ = write!(
                out,
                "<li{class}><a href=\"#m-{n}\">{}</a> <span class=\"dim\">{}</span></li>",
                Text(&machine.hostname),
                Text(address)
            );
        }
        out.push_str("</ol>");
    }
    out.push_str("</nav>\n");
}

fn inventory(out: &mut String, inventory: &Inventory) {
    let _ = write!(
        out,
        "<section id=\"inventory\"><h2>Inventory</h2><p class=\"digest\">Image set <code>{}</code></p>\n",
        Text(&inventory.digest)
    );
    for release in &inventory.releases {
        let _ = writeln!(
            out,
            "<p class=\"digest\">Release {} <code>{}</code></p>",
            Text(&release.name),
            Text(&release.payload)
        );
    }
    if let Some(contents) = &inventory.contents {
        out.push_str("<figure>");
        out.push_str(&treemap::svg(contents));
        out.push_str("<figcaption>Area: bytes that no other image needs. Hatched: layers that several images share, counted once. Point at a tile for its name and size.</figcaption></figure>\n");
        groups(out, inventory, contents);
    } else {
        out.push_str("<p class=\"dim\">The data directory was not at hand when this report was written: images and layers are not in it.</p>\n");
    }
    let stage = |(name, images, bytes): &(String, u64, u64)| {
        vec![
            Cell::Text(name.clone()),
            Cell::Number(number(*images)),
            Cell::Number(format::bytes(*bytes)),
        ]
    };
    let rows: Vec<Vec<Cell>> = inventory.stages.iter().map(stage).collect();
    out.push_str(&table(
        "By boot stage (what both need counts in each)",
        &["Stage", "Images", "Needs"],
        &rows,
    ));
    out.push_str("</section>\n");
    if let Some(contents) = &inventory.contents {
        sharing(out, contents);
    }
}

fn groups(out: &mut String, inventory: &Inventory, contents: &Contents) {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (n, group) in contents.groups.iter().enumerate() {
        let own: u64 = group.images.iter().map(|image| image.own).sum();
        let swatch = format!("<span class=\"k g{}\"></span>{}", n % 10, Text(&group.name));
        rows.push(vec![
            Cell::Html(swatch),
            Cell::Number(number(group.images.len() as u64)),
            Cell::Number(format::bytes(group.needs)),
            Cell::Number(format::bytes(own)),
            Cell::Number(format::bytes(group.within)),
            Cell::Number(format::bytes(group.needs.saturating_sub(group.unique()))),
            Cell::Number(percent(group.unique(), inventory.unique_bytes)),
        ]);
    }
    rows.push(vec![
        Cell::Html("<span class=\"k gs\"></span>shared between groups".to_owned()),
        Cell::Number(String::new()),
        Cell::Number(format::bytes(contents.between)),
        Cell::Number(String::new()),
        Cell::Number(String::new()),
        Cell::Number(String::new()),
        Cell::Number(percent(contents.between, inventory.unique_bytes)),
    ]);
    let header = [
        "Group",
        "Images",
        "Needs",
        "Own",
        "Shared inside",
        "Shared with others",
        "Of all bytes",
    ];
    out.push_str(&table("By group", &header, &rows));
}

fn sharing(out: &mut String, contents: &Contents) {
    out.push_str("<section id=\"sharing\"><h2>Shared layers</h2>\n");
    let shown = contents.groups.len().min(MATRIX);
    if shown > 1 {
        let names: Vec<String> = contents
            .groups
            .iter()
            .take(shown)
            .zip(1_u32..)
            .map(|(group, n)| format!("{n} {}", group.name))
            .collect();
        let numbers: Vec<String> = (1..=shown).map(|n| n.to_string()).collect();
        let header: Vec<&str> = std::iter::once("Group")
            .chain(numbers.iter().map(String::as_str))
            .collect();
        let row = |((n, name), cells): ((usize, &String), &Vec<u64>)| {
            let cell = |(other, bytes): (usize, &u64)| match (other == n, bytes) {
                (true, _) => Cell::Html(format!(
                    "<span class=\"self\">{}</span>",
                    format::bytes(*bytes)
                )),
                (_, 0) => Cell::Html("<span class=\"dim\">–</span>".to_owned()),
                (_, bytes) => Cell::Number(format::bytes(*bytes)),
            };
            let cells = cells.iter().take(shown).enumerate().map(cell);
            std::iter::once(Cell::Text(name.clone()))
                .chain(cells)
                .collect()
        };
        let rows: Vec<Vec<Cell>> = names
            .iter()
            .enumerate()
            .zip(&contents.pairs)
            .map(row)
            .collect();
        let left = contents.groups.len() - shown;
        let caption = if left > 0 {
            format!(
                "Bytes that two groups both need (the {shown} largest; {left} smaller ones are left out)"
            )
        } else {
            "Bytes that two groups both need".to_owned()
        };
        let _ = write!(
            out,
            "<div class=\"matrix\">{}</div>",
            table(&caption, &header, &rows)
        );
    }
    let row = |layer: &super::Layer| {
        let names: Vec<String> = layer
            .images
            .iter()
            .map(|name| Text(name).to_string())
            .collect();
        let short = layer
            .digest
            .strip_prefix("sha256:")
            .unwrap_or(&layer.digest);
        let short: String = short.chars().take(12).collect();
        let images = match names.as_slice() {
            [a, b, rest @ ..] if !rest.is_empty() => format!(
                "<details><summary>{a}, {b} and {} more</summary>{}</details>",
                rest.len(),
                rest.join(", ")
            ),
            names => names.join(", "),
        };
        vec![
            Cell::Html(format!(
                "<code title=\"{}\">{}</code>",
                Text(&layer.digest),
                Text(&short)
            )),
            Cell::Number(format::bytes(layer.size)),
            Cell::Number(number(layer.images.len() as u64)),
            Cell::Number(format::bytes(layer.saved)),
            Cell::Html(images),
        ]
    };
    let rows: Vec<Vec<Cell>> = contents.layers.iter().take(LAYERS).map(row).collect();
    if rows.is_empty() {
        out.push_str("<p>No two images share a layer.</p>");
    } else {
        let caption = format!(
            "Layers that save most ({} of {})",
            rows.len(),
            number(contents.layers.len() as u64)
        );
        out.push_str(&table(
            &caption,
            &["Layer", "Size", "Images", "Saves", "Shared by"],
            &rows,
        ));
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

fn verification(out: &mut String, page: &Page) {
    out.push_str("<section id=\"verification\"><h2>Verification</h2>\n");
    let when = |when: &Option<String>| Cell::Moment(when.clone().unwrap_or_default());
    let check = |check: &super::Check| {
        vec![
            Cell::Text(check.what.clone()),
            verdict(check.result),
            when(&check.when),
            Cell::Text(check.detail.clone()),
        ]
    };
    let rows: Vec<Vec<Cell>> = page.checks.iter().map(check).collect();
    out.push_str(&table(
        "What was verified",
        &["What", "Result", "When", "How"],
        &rows,
    ));
    if !page.disks.is_empty() {
        let disk = |disk: &super::Disk| {
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
                when(&disk.filled),
                verdict(match (disk.current, disk.read_back) {
                    (true, true) => Verdict::Good,
                    (true, false) => Verdict::Open,
                    (false, _) => Verdict::Bad,
                }),
                Cell::Text(check),
            ]
        };
        let rows: Vec<Vec<Cell>> = page.disks.iter().map(disk).collect();
        out.push_str(&table(
            "Data disks",
            &[
                "Disk", "Label", "PARTUUID", "Size", "Filled", "Result", "How",
            ],
            &rows,
        ));
    }
    if !page.machines.is_empty() {
        let row = |(machine, n): (&super::Machine, u32)| {
            let end = machine.use_before.clone().unwrap_or_default();
            let iso = format!("<a href=\"#m-{n}\">{}</a>", Text(file_name(&machine.iso)));
            vec![
                Cell::Html(iso),
                Cell::Number(format::bytes(machine.iso_size)),
                if machine.expired {
                    Cell::Html(format!(
                        "<span class=\"pill bad w\">{} expired</span>",
                        Text(&moment(&end))
                    ))
                } else {
                    Cell::Moment(end)
                },
                Cell::Code(
                    machine
                        .sha256
                        .clone()
                        .unwrap_or_else(|| "not computed".to_owned()),
                ),
            ]
        };
        let rows: Vec<Vec<Cell>> = page.machines.iter().zip(1..).map(row).collect();
        let header = ["ISO", "Size", "Use before", "SHA-256"];
        out.push_str("<div class=\"media\">");
        out.push_str(&table("Boot media", &header, &rows));
        out.push_str("</div>");
    }
    out.push_str("</section>\n");
}

fn images(out: &mut String, contents: &Contents) {
    let rows = contents.groups.iter().flat_map(|group| {
        group.images.iter().map(|image| {
            vec![
                Cell::Text(image.name.clone()),
                Cell::Text(group.name.clone()),
                Cell::Text(image.stages.clone()),
                Cell::Number(format::bytes(image.whole)),
                Cell::Number(format::bytes(image.own)),
                Cell::Code(image.source.clone()),
            ]
        })
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let header = ["Image", "Group", "Stages", "Size", "Own", "Source"];
    let count = format::count(rows.len() as u64, "image");
    let _ = write!(
        out,
        "<section id=\"images\"><h2>All images</h2><details><summary>{count}: size and source of each</summary>{}</details></section>\n",
        table("Images", &header, &rows)
    );
}
