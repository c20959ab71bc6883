//! Tables: a caption, header cells with their scope, numbers to the right.

use std::fmt::Write as _;

use super::html::{Text, moment};

/// A cell.
pub(super) enum Cell {
    /// A text from anywhere.
    Text(String),
    /// A digest or another name for machines.
    Code(String),
    /// A moment, RFC 3339.
    Moment(String),
    /// A number, ready to read.
    Number(String),
    /// Markup that was made here.
    Html(String),
}

/// Rows that a page of paper has room for below others.
const SHORT: usize = 14;

/// A table; the first cell of each row is its header.
pub(super) fn table(caption: &str, header: &[&str], rows: &[Vec<Cell>]) -> String {
    let numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| matches!(cell, Cell::Number(_)))
    };
    let short = if rows.len() <= SHORT { " short" } else { "" };
    let mut out = format!(
        "<div class=\"scroll{short}\"><table><caption>{}</caption><thead><tr>",
        Text(caption)
    );
    for (column, name) in header.iter().enumerate() {
        let class = if numeric(column) && !rows.is_empty() {
            " class=\"n\""
        } else {
            ""
        };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", Text(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            out.push_str(&one(cell, column == 0));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn one(cell: &Cell, heads: bool) -> String {
    let (class, content) = match cell {
        Cell::Text(text) => ("", Text(text).to_string()),
        Cell::Code(text) => ("", format!("<code>{}</code>", Text(text))),
        Cell::Moment(text) => (" class=\"w\"", Text(&moment(text)).to_string()),
        Cell::Number(text) => (" class=\"n\"", Text(text).to_string()),
        Cell::Html(html) => ("", html.clone()),
    };
    if heads {
        format!("<th scope=\"row\"{class}>{content}</th>")
    } else {
        format!("<td{class}>{content}</td>")
    }
}
