//! CSV of RFC 4180, with the places of its cells.

use super::{Row, field, split, unknown};
use crate::config::Finding;
use crate::config::model::At;
use crate::site::Field;

/// A cell, without its quotes.
struct Cell {
    at: At,
    text: String,
}

/// The rows below the header, those that could be read.
pub(super) fn rows(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Row> {
    let mut records = records(file, text, findings).into_iter();
    let Some(header) = records.next() else {
        return Vec::new();
    };
    let mut columns = Vec::new();
    for cell in &header {
        let found = field(&cell.text);
        match found {
            None => findings.push(unknown(file, cell.at, "column", cell.text.trim())),
            Some(known) if columns.contains(&found) => {
                let message = format!("the column `{}` is there already", known.name());
                findings.push(Finding::new(file, cell.at, message));
            }
            Some(_) => (),
        }
        columns.push(found);
    }
    records
        .map(|record| row(file, &columns, &record, findings))
        .collect()
}

fn row(file: &str, columns: &[Option<Field>], record: &[Cell], findings: &mut Vec<Finding>) -> Row {
    let mut row = Row {
        at: record.first().map(|cell| cell.at).unwrap_or_default(),
        ..Row::default()
    };
    if record.len() != columns.len() {
        let message = format!("{} cells below {} columns", record.len(), columns.len());
        findings.push(
            Finding::new(file, row.at, message).with_hint("put a value with a comma in quotes"),
        );
    }
    for (cell, column) in record.iter().zip(columns) {
        let text = cell.text.trim();
        let Some(field) = column else { continue };
        if text.is_empty() {
            continue;
        }
        let values = match field {
            // A `;` may be part of an argument, and a quoted argument may have blanks.
            Field::Karg => vec![text.to_owned()],
            field if field.is_list() => split(text),
            _ => vec![text.to_owned()],
        };
        row.set(*field, cell.at, values);
    }
    row
}

/// Splits a text into records; blank lines and notes are left out.
fn records(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Vec<Cell>> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        at: At { line: 1, column: 1 },
    };
    let mut records = Vec::new();
    while reader.rest.peek().is_some() {
        let mut record = Vec::new();
        loop {
            match reader.cell() {
                Ok(cell) => record.push(cell),
                Err((at, message)) => {
                    findings.push(Finding::new(file, at, message));
                    return records;
                }
            }
            if reader.next_if(',').is_none() {
                break;
            }
        }
        reader.next_if('\r');
        reader.next_if('\n');
        let blank = record.iter().all(|cell| cell.text.trim().is_empty());
        let note = record
            .first()
            .is_some_and(|cell| cell.text.trim_start().starts_with('#'));
        if !blank && !note {
            records.push(record);
        }
    }
    records
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    at: At,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.at.line = self.at.line.saturating_add(1);
            self.at.column = 1;
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(c)
    }

    fn next_if(&mut self, wanted: char) -> Option<char> {
        self.rest.peek().filter(|c| **c == wanted)?;
        self.next()
    }

    fn at_end_of_cell(&mut self) -> bool {
        match self.rest.peek() {
            None | Some(',' | '\n') => true,
            Some('\r') => {
                let mut ahead = self.rest.clone();
                ahead.next();
                matches!(ahead.next(), None | Some('\n'))
            }
            Some(_) => false,
        }
    }

    fn cell(&mut self) -> Result<Cell, (At, &'static str)> {
        let at = self.at;
        let mut text = String::new();
        if self.next_if('"').is_none() {
            while !self.at_end_of_cell() {
                text.extend(self.next());
            }
            return Ok(Cell { at, text });
        }
        loop {
            match self.next() {
                None => return Err((at, "the quote that opens here is never closed")),
                Some('"') if self.next_if('"').is_none() => break,
                Some(c) => text.push(c),
            }
        }
        if self.at_end_of_cell() {
            Ok(Cell { at, text })
        } else {
            Err((
                self.at,
                "text after the closing quote; write a quote inside quotes twice",
            ))
        }
    }
}
