//! The page: its head, and one function for each section.

use std::fmt::Write as _;

use super::html::{Text, moment, number, percent};
use super::{MARK, Page, contents, sheet, timeline, verification};
use crate::ui::format;

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
        contents::inventory(&mut out, inventory);
    }
    if !page.sessions.is_empty() {
        let _ = writeln!(
            out,
            "<section id=\"download\"><h2>Download</h2>{}</section>",
            timeline::section(&page.sessions)
        );
    }
    verification::section(&mut out, page);
    if let Some(there) = page.inventory.as_ref().and_then(|i| i.contents.as_ref()) {
        contents::images(&mut out, there);
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
    for Tile {
        name,
        value,
        note,
        bad,
    } in image_tiles(page).into_iter().chain(made_tiles(page))
    {
        let class = if bad { " class=\"bad\"" } else { "" };
        let _ = write!(
            out,
            "<div{class}><dt>{name}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>",
            Text(&value),
            Text(&note)
        );
    }
    out.push_str("</dl></header>\n");
}

/// A figure of the head.
struct Tile {
    name: &'static str,
    value: String,
    note: String,
    bad: bool,
}

impl Tile {
    fn new(name: &'static str, value: String, note: impl Into<String>) -> Self {
        let note = note.into();
        Self {
            name,
            value,
            note,
            bad: false,
        }
    }
}

fn image_tiles(page: &Page) -> Vec<Tile> {
    let Some(inventory) = &page.inventory else {
        return Vec::new();
    };
    let releases: Vec<&str> = inventory.releases.iter().map(|r| r.name.as_str()).collect();
    let blobs = format!("{} blobs, each once", number(inventory.blobs));
    let mut tiles = vec![
        Tile::new("Images", number(inventory.images), releases.join(", ")),
        Tile::new("Size", format::bytes(inventory.unique_bytes), blobs),
    ];
    if let Some(contents) = &inventory.contents {
        let whole = inventory.unique_bytes + contents.saved;
        let part = percent(contents.saved, whole);
        let note = format!("{part} of {} stored whole", format::bytes(whole));
        let saved = format::bytes(contents.saved);
        tiles.push(Tile::new("Saved by sharing layers", saved, note));
    }
    tiles
}

fn made_tiles(page: &Page) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if !page.disks.is_empty() {
        let filled = page.disks.iter().filter(|disk| disk.current).count();
        let note = format!("of {} filled with this image set", page.disks.len());
        let bad = filled < page.disks.len();
        tiles.push(Tile {
            bad,
            ..Tile::new("Data disks", filled.to_string(), note)
        });
    }
    if !page.machines.is_empty() {
        let count = number(page.machines.len() as u64);
        tiles.push(Tile::new("Machines", count, "boot media made"));
    }
    let ends = page.machines.iter().filter_map(|m| m.use_before.as_deref());
    if let Some(first) = ends.min() {
        let expired = page.machines.iter().filter(|m| m.expired).count();
        let note = match expired {
            0 => "the first boot medium expires then".to_owned(),
            1 => "1 boot medium expired".to_owned(),
            n => format!("{n} boot media expired"),
        };
        let bad = expired > 0;
        tiles.push(Tile {
            bad,
            ..Tile::new("Use before", moment(first), note)
        });
    }
    tiles
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
