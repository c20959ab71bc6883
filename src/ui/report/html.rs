//! Text in HTML, and numbers in SVG.

use std::fmt;

/// A text from outside, safe in an element and in a quoted attribute. What would reorder or hide text is shown as U+FFFD.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' => f.write_char(' ')?,
                // Directional overrides and isolates, and what XML refuses.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {
                    f.write_char('\u{fffd}')?;
                }
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A coordinate, one decimal at most.
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        let text = text.strip_suffix(".0").unwrap_or(&text);
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

/// A count as a coordinate.
#[expect(
    clippy::cast_precision_loss,
    reason = "a drawing has three digits; nothing is computed back from it"
)]
pub(super) fn real(n: u64) -> f64 {
    n as f64
}

/// `2026-11-20 10:00 UTC` of `2026-11-20T10:00:59Z`; never later than it is. Anything else as it is.
pub(super) fn moment(rfc3339: &str) -> String {
    let text = rfc3339.replacen('T', " ", 1);
    let minutes = text.strip_suffix('Z').and_then(|text| text.get(..16));
    minutes.map_or_else(|| rfc3339.to_owned(), |text| format!("{text} UTC"))
}

/// A part of a whole: `12 %`, `< 1 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole.max(1)));
    match (part, part * 100 / whole) {
        (0, _) => "0 %".to_owned(),
        (_, 0) => "< 1 %".to_owned(),
        (_, n) => format!("{n} %"),
    }
}

/// A whole number with thin spaces between thousands.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_numbers_are_short() {
        let hostile = "<script>\"&'\u{202e}\u{7}\n";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;script&gt;&quot;&amp;&#39;\u{fffd}\u{fffd} "
        );
        assert_eq!(
            [Px(3.0), Px(2.25), Px(-0.01)].map(|p| p.to_string()),
            ["3", "2.2", "0"]
        );
        assert_eq!(moment("2026-11-20T10:00:00.123Z"), "2026-11-20 10:00 UTC");
        assert_eq!(moment("<soon>"), "<soon>");
        assert_eq!(
            [percent(0, 9), percent(1, 900), percent(9, 9)],
            ["0 %", "< 1 %", "100 %"]
        );
        assert_eq!(
            [number(7), number(1234), number(123_456)],
            ["7", "1\u{202f}234", "123\u{202f}456"]
        );
    }
}
