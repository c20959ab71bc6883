//! What shares layers with what: a matrix of groups, and the layers that save most.

use std::fmt::Write as _;

use super::html::{Text, number};
use super::table::{Cell, table};
use super::{Contents, Layer};
use crate::ui::format;

/// Groups in the matrix; more do not fit on a page.
const MATRIX: usize = 12;
/// Layers that are listed.
const LAYERS: usize = 25;

/// The section.
pub(super) fn section(out: &mut String, contents: &Contents) {
    out.push_str("<section id=\"sharing\"><h2>Shared layers</h2>\n");
    if contents.groups.len() > 1 {
        let _ = write!(out, "<div class=\"matrix\">{}</div>", matrix(contents));
    }
    let listed = contents.layers.iter().take(LAYERS);
    let rows: Vec<Vec<Cell>> = listed.map(layer).collect();
    if rows.is_empty() {
        out.push_str("<p>No two images share a layer.</p>");
    } else {
        let all = number(contents.layers.len() as u64);
        let caption = format!("Layers that save most ({} of {all})", rows.len());
        let header = ["Layer", "Size", "Images", "Saves", "Shared by"];
        out.push_str(&table(&caption, &header, &rows));
    }
    out.push_str("</section>\n");
}

fn matrix(contents: &Contents) -> String {
    let shown = contents.groups.len().min(MATRIX);
    let numbers: Vec<String> = (1..=shown).map(|n| n.to_string()).collect();
    let numbered = numbers.iter().map(String::as_str);
    let header: Vec<&str> = std::iter::once("Group").chain(numbered).collect();
    let row = |(n, (group, cells)): (usize, (&super::Group, &Vec<u64>))| {
        let cell = |(other, bytes): (usize, &u64)| match (other == n, bytes) {
            (true, _) => {
                let bytes = format::bytes(*bytes);
                Cell::Html(format!("<span class=\"self\">{bytes}</span>"))
            }
            (_, 0) => Cell::Html("<span class=\"dim\">–</span>".to_owned()),
            (_, bytes) => Cell::Number(format::bytes(*bytes)),
        };
        let name = Cell::Text(format!("{} {}", n + 1, group.name));
        let cells = cells.iter().take(shown).enumerate().map(cell);
        std::iter::once(name).chain(cells).collect()
    };
    let groups = contents.groups.iter().zip(&contents.pairs).take(shown);
    let rows: Vec<Vec<Cell>> = groups.enumerate().map(row).collect();
    let caption = match contents.groups.len() - shown {
        0 => "Bytes that two groups both need".to_owned(),
        left => format!(
            "Bytes that two groups both need (the {shown} largest; {left} smaller ones are left out)"
        ),
    };
    table(&caption, &header, &rows)
}

fn layer(layer: &Layer) -> Vec<Cell> {
    let names: Vec<String> = layer.images.iter().map(|n| Text(n).to_string()).collect();
    let short = layer.digest.strip_prefix("sha256:");
    let short: String = short.unwrap_or(&layer.digest).chars().take(12).collect();
    let images = match names.as_slice() {
        [a, b, rest @ ..] if !rest.is_empty() => format!(
            "<details><summary>{a}, {b} and {} more</summary>{}</details>",
            rest.len(),
            rest.join(", ")
        ),
        names => names.join(", "),
    };
    let digest = Text(&layer.digest);
    let code = format!("<code title=\"{digest}\">{}</code>", Text(&short));
    vec![
        Cell::Html(code),
        Cell::Number(format::bytes(layer.size)),
        Cell::Number(number(layer.images.len() as u64)),
        Cell::Number(format::bytes(layer.saved)),
        Cell::Html(images),
    ]
}
