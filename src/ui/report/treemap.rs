//! The treemap: rectangles of unique bytes, groups first, images in them.
//!
//! Laid out as "squarified" (Bruls, Huizing, van Wijk, 2000): rows are filled while that makes their worst side ratio better.
//! Layout is pure and depends on nothing but sizes, so that the same inventory gives the same bytes.

use std::fmt::Write as _;

use super::html::{Px, Text, real};
use super::{Contents, Group};
use crate::ui::format;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 680.0;
/// Height of a group's name.
const HEAD: f64 = 19.0;
/// Width that a character takes, on average of a name, in the 10 px of a common sans serif that labels are set in.
const GLYPH: f64 = 5.3;
/// The same in the bold 12 px of a group's name.
const BOLD: f64 = 7.4;
/// Height of a line in a tile.
const LINE: f64 = 11.5;
/// Lines of a name at most.
const LINES: usize = 4;
/// Below this area (in square pixels) images are drawn as one: nobody could see or point at them.
const SMALLEST: f64 = 9.0;
/// Colours in the style sheet.
const COLOURS: usize = 10;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
}

/// Places for sizes, largest first and none zero; they fill the area.
pub(super) fn squarify(sizes: &[f64], mut free: Rect) -> Vec<Rect> {
    let total: f64 = sizes.iter().sum();
    let scale = free.w * free.h / total.max(f64::MIN_POSITIVE);
    let areas: Vec<f64> = sizes.iter().map(|size| size * scale).collect();
    let mut rest = areas.as_slice();
    let mut out = Vec::with_capacity(sizes.len());
    while !rest.is_empty() {
        let (row, after) = rest.split_at(row_length(rest, free.w.min(free.h)));
        rest = after;
        let sum: f64 = row.iter().sum();
        let wide = free.w >= free.h;
        let thick = sum / free.w.min(free.h).max(f64::MIN_POSITIVE);
        let mut offset = 0.0;
        for area in row {
            let long = area / thick.max(f64::MIN_POSITIVE);
            out.push(if wide {
                Rect {
                    x: free.x,
                    y: free.y + offset,
                    w: thick,
                    h: long,
                }
            } else {
                Rect {
                    x: free.x + offset,
                    y: free.y,
                    w: long,
                    h: thick,
                }
            });
            offset += long;
        }
        if wide {
            (free.x, free.w) = (free.x + thick, (free.w - thick).max(0.0));
        } else {
            (free.y, free.h) = (free.y + thick, (free.h - thick).max(0.0));
        }
    }
    out
}

/// How many of the areas make the best row along a side.
fn row_length(areas: &[f64], side: f64) -> usize {
    let largest = areas.first().copied().unwrap_or(0.0);
    let (mut sum, mut best) = (0.0, f64::INFINITY);
    for (count, area) in areas.iter().enumerate() {
        sum += area;
        let (side, sum) = (side * side, sum * sum);
        let worst = (side * largest / sum).max(sum / (side * area));
        if worst > best {
            return count;
        }
        best = worst;
    }
    areas.len()
}

/// One tile.
struct Tile {
    name: String,
    title: String,
    bytes: u64,
    shared: bool,
}

/// The drawing.
pub(super) fn svg(contents: &Contents) -> String {
    let mut out = format!(
        "<svg class=\"treemap\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"tm-t tm-d\"><title id=\"tm-t\">Unique bytes by group and image</title><desc id=\"tm-d\">The area of each tile is what its image alone takes on the disk; hatched tiles are layers that several images share, counted once. The same figures are in the tables.</desc><defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V7\"/></pattern></defs>"
    );
    let between = Group {
        name: "shared between groups".to_owned(),
        images: Vec::new(),
        needs: contents.between,
        within: contents.between,
    };
    let mut groups: Vec<(&Group, String)> = contents
        .groups
        .iter()
        .enumerate()
        .map(|(n, g)| (g, format!("g{}", n % COLOURS)))
        .collect();
    groups.push((&between, "gs".to_owned()));
    groups.retain(|(group, _)| group.unique() > 0);
    groups.sort_by_key(|(group, _)| std::cmp::Reverse(group.unique()));
    let sizes: Vec<f64> = groups.iter().map(|(g, _)| real(g.unique())).collect();
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: WIDTH,
        h: HEIGHT,
    };
    for ((group, colour), place) in groups.iter().zip(squarify(&sizes, whole)) {
        group_tiles(&mut out, group, colour, place);
    }
    out.push_str("</svg>");
    out
}

fn group_tiles(out: &mut String, group: &Group, colour: &str, place: Rect) {
    let size = format::bytes(group.unique());
    let _ = write!(out, "<g class=\"{colour}\">");
    let head = format!("{} · {size}", group.name);
    let mut inner = place;
    let plain = group.images.is_empty();
    if !plain && place.h > 3.0 * HEAD && place.w > 70.0 {
        inner.y += HEAD;
        inner.h -= HEAD;
        let strip = Rect { h: HEAD, ..place };
        let _ = write!(
            out,
            "<g><title>{}</title>{}",
            Text(&head),
            rect(strip, "head")
        );
        let room = place.w - 8.0;
        let text = fitted(&head, room, BOLD).or_else(|| cut(&group.name, room, BOLD));
        if let Some(text) = text {
            label(out, (place.x + 5.0, place.y + 13.5), "gh", &text);
        }
        out.push_str("</g>");
    }
    let tiles = tiles(group, inner.w * inner.h);
    let sizes: Vec<f64> = tiles.iter().map(|tile| real(tile.bytes)).collect();
    for (tile, place) in tiles.iter().zip(squarify(&sizes, inner)) {
        draw(out, tile, place);
    }
    out.push_str("</g>");
}

/// The images of a group, what they share, and one tile for those that are too small to see.
fn tiles(group: &Group, area: f64) -> Vec<Tile> {
    let smallest = real(group.unique()) * SMALLEST / area.max(1.0);
    let (mut few, mut small) = (0_u64, 0);
    let mut tiles = Vec::new();
    for image in group.images.iter().filter(|image| image.own > 0) {
        if real(image.own) < smallest {
            (few, small) = (few + 1, small + image.own);
            continue;
        }
        let (own, whole) = (format::bytes(image.own), format::bytes(image.whole));
        tiles.push(Tile {
            name: image.name.clone(),
            title: format!(
                "{}: {own} of its own, {whole} with shared layers — {}",
                image.name, group.name
            ),
            bytes: image.own,
            shared: false,
        });
    }
    if small > 0 {
        let name = format::count(few, "smaller image");
        tiles.push(Tile {
            title: format!("{name}: {} — {}", format::bytes(small), group.name),
            name,
            bytes: small,
            shared: false,
        });
    }
    if group.within > 0 {
        let name = if group.images.is_empty() {
            group.name.clone()
        } else {
            "shared layers".to_owned()
        };
        tiles.push(Tile {
            title: format!("{name}: {} — {}", format::bytes(group.within), group.name),
            name,
            bytes: group.within,
            shared: true,
        });
    }
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.bytes));
    tiles
}

fn draw(out: &mut String, tile: &Tile, place: Rect) {
    let _ = write!(
        out,
        "<g><title>{}</title>{}",
        Text(&tile.title),
        rect(place, "tile")
    );
    if tile.shared {
        out.push_str(&rect(place, "over"));
    }
    let room = place.w - 7.0;
    let rows = lines(&tile.name, (room, place.h - 4.0));
    for (row, n) in rows.iter().zip(0_u32..) {
        let y = place.y + 11.5 + LINE * f64::from(n);
        label(out, (place.x + 4.0, y), "", row);
    }
    let below = LINE * real(rows.len() as u64);
    if !rows.is_empty()
        && place.h - 4.0 >= below + LINE
        && let Some(size) = fitted(&format::bytes(tile.bytes), room, GLYPH)
    {
        label(out, (place.x + 4.0, place.y + 11.5 + below), "sz", &size);
    }
    out.push_str("</g>");
}

/// A name in as many lines as fit, broken where names are; cut in one line where that does not do; else none.
fn lines(name: &str, (width, height): (f64, f64)) -> Vec<String> {
    let most = (1..=LINES).rev().find(|n| LINE * real(*n as u64) <= height);
    let mut rows: Vec<String> = Vec::new();
    for part in name.split_inclusive(['-', '/', '.', ':', '_', ' ']) {
        match rows.last_mut() {
            Some(row) if fitted(&format!("{row}{part}"), width, GLYPH).is_some() => {
                row.push_str(part);
            }
            _ => rows.push(part.to_owned()),
        }
    }
    let fit = |row: &String| fitted(row, width, GLYPH).is_some();
    match most {
        None => Vec::new(),
        Some(most) if rows.len() <= most && rows.iter().all(fit) => rows,
        Some(_) => cut(name, width, GLYPH).into_iter().collect(),
    }
}

fn rect(place: Rect, class: &str) -> String {
    let Rect { x, y, w, h } = place;
    format!(
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        Px(x),
        Px(y),
        Px(w),
        Px(h)
    )
}

fn label(out: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    let _ = write!(
        out,
        "<text{class} x=\"{}\" y=\"{}\">{}</text>",
        Px(x),
        Px(y),
        Text(text)
    );
}

/// The text where it fits.
fn fitted(text: &str, room: f64, glyph: f64) -> Option<String> {
    let width = |c: char| if c.is_ascii() { glyph } else { 2.0 * glyph };
    let needs: f64 = text.chars().map(width).sum();
    (needs <= room).then(|| text.to_owned())
}

/// The text without its end, when at least eight characters remain.
fn cut(text: &str, room: f64, glyph: f64) -> Option<String> {
    if let Some(whole) = fitted(text, room, glyph) {
        return Some(whole);
    }
    let mut left = room - glyph;
    let kept = text.chars().take_while(|c| {
        left -= if c.is_ascii() { glyph } else { 2.0 * glyph };
        left >= 0.0
    });
    let kept: String = kept.collect();
    (kept.chars().count() >= 8).then(|| format!("{kept}…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fill_the_area_in_proportion_and_do_not_overlap() {
        let sizes = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let area = Rect {
            x: 10.0,
            y: 20.0,
            w: 600.0,
            h: 400.0,
        };
        let places = squarify(&sizes, area);
        // The example of the paper: the first row has two tiles of six, stacked.
        let shown = |r: &Rect| [r.x, r.y, r.w, r.h].map(|n| Px(n).to_string());
        assert_eq!(shown(&places[0]), ["10", "20", "300", "200"]);
        assert_eq!(shown(&places[1]), ["10", "220", "300", "200"]);
        for (size, place) in sizes.iter().zip(&places) {
            assert!((place.w * place.h - size * 10_000.0).abs() < 1e-6);
            assert!(place.x >= 10.0 && place.x + place.w <= 610.0 + 1e-9);
            assert!(place.y >= 20.0 && place.y + place.h <= 420.0 + 1e-9);
        }
        for (n, a) in places.iter().enumerate() {
            for b in &places[n + 1..] {
                let apart = a.x + a.w <= b.x + 1e-9
                    || b.x + b.w <= a.x + 1e-9
                    || a.y + a.h <= b.y + 1e-9
                    || b.y + b.h <= a.y + 1e-9;
                assert!(apart, "{a:?} {b:?}");
            }
        }
        assert_eq!(squarify(&[], area), []);
    }

    #[test]
    fn labels_only_where_they_fit() {
        assert_eq!(lines("etcd", (40.0, 14.0)), ["etcd"]);
        let name = "machine-config-operator";
        assert_eq!(
            lines(name, (45.0, 40.0)),
            ["machine-", "config-", "operator"]
        );
        assert_eq!(lines(name, (80.0, 24.0)), ["machine-config-", "operator"]);
        assert_eq!(lines(name, (60.0, 14.0)), ["machine-co…"]);
        let none: [&str; 0] = [];
        assert_eq!(lines(name, (40.0, 40.0)), none);
        assert_eq!(lines("etcd", (40.0, 9.0)), none);
        assert_eq!(fitted(name, 100.0, GLYPH), None);
    }
}
