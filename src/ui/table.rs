//! Tables that a person reads; scripts use `--output json`.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Renders rows under a header, columns listed in `numeric` right-aligned.
pub fn render(header: &[&str], rows: Vec<Vec<String>>, numeric: &[usize]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    table.add_rows(rows);
    for column in numeric {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Renders `Label:   value` lines with the values in one column, as the older tool prints its summary.
pub fn summary(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(label, _)| label.len() + 1)
        .max()
        .unwrap_or(0)
        .max(35);
    let line = |(label, value): &(&str, String)| match (*label, value.as_str()) {
        ("", _) => String::new(),
        (label, value) => format!("{:<width$} {value}", format!("{label}:")),
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = render(
            &["NAME", "SIZE"],
            vec![
                vec!["a".into(), "10".into()],
                vec!["long".into(), "9".into()],
            ],
            &[1],
        );
        let ends: Vec<usize> = text.lines().map(|l| l.trim_end().len()).collect();
        assert_eq!(
            ends.iter().collect::<std::collections::BTreeSet<_>>().len(),
            1,
            "{text}"
        );
        let text = summary(&[
            ("Release", "4.13.1".into()),
            ("", String::new()),
            ("Workers", "10".into()),
        ]);
        assert_eq!(
            text.lines().nth(2),
            Some(format!("{:<35} 10", "Workers:").as_str())
        );
    }
}
