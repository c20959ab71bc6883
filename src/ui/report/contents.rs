//! What is in the inventory: the treemap, by group, by boot stage, and every image.

use std::fmt::Write as _;

use super::html::{Text, number, percent};
use super::table::{Cell, table};
use super::{Contents, Inventory, sharing, treemap};
use crate::ui::format;

/// The inventory, and what its images share.
pub(super) fn inventory(out: &mut String, inventory: &Inventory) {
    let _ = writeln!(
        out,
        "<section id=\"inventory\"><h2>Inventory</h2><p class=\"digest\">Image set <code>{}</code></p>",
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
        sharing::section(out, contents);
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

/// Every image, folded away.
pub(super) fn images(out: &mut String, contents: &Contents) {
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
    let _ = writeln!(
        out,
        "<section id=\"images\"><h2>All images</h2><details><summary>{count}: size and source of each</summary>{}</details></section>",
        table("Images", &header, &rows)
    );
}
