//! The `Range` header (RFC 9110 §14), one range of bytes.

/// What of a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// All of it, status 200.
    Whole,
    /// Bytes `start..end`, status 206; never empty.
    Part {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// No byte of the range exists, status 416.
    Unsatisfiable,
}

/// Reads a `Range` header for a body of `size` bytes. Other units, several ranges and anything malformed give the whole body, as
/// RFC 9110 §14.2 allows.
pub(super) fn span(header: Option<&str>, size: u64) -> Span {
    let parsed = header.and_then(|value| {
        let (unit, range) = value.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        unit.trim()
            .eq_ignore_ascii_case("bytes")
            .then_some((first, last))
    });
    match parsed {
        Some(("", suffix)) => match number(suffix) {
            Some(0) => Span::Unsatisfiable,
            Some(_) if size == 0 => Span::Unsatisfiable,
            Some(count) => Span::Part {
                start: size.saturating_sub(count),
                end: size,
            },
            None => Span::Whole,
        },
        Some((first, last)) => {
            let last = if last.is_empty() {
                Some(u64::MAX)
            } else {
                number(last)
            };
            match (number(first), last) {
                (Some(first), Some(last)) if first > last => Span::Whole,
                (Some(first), Some(_)) if first >= size => Span::Unsatisfiable,
                (Some(start), Some(last)) => Span::Part {
                    start,
                    end: last.saturating_add(1).min(size),
                },
                _ => Span::Whole,
            }
        }
        None => Span::Whole,
    }
}

/// Digits only: no sign, no space. A number too large for a file is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let part = |start, end| Span::Part { start, end };
        let table = [
            (None, 10, Span::Whole),
            (Some("bytes=0-"), 10, part(0, 10)),
            (Some("bytes=0-0"), 10, part(0, 1)),
            (Some("bytes=3-5"), 10, part(3, 6)),
            (Some("Bytes = 3-5"), 10, part(3, 6)),
            (Some("bytes=9-9"), 10, part(9, 10)),
            (Some("bytes=9-900"), 10, part(9, 10)),
            (Some("bytes=-1"), 10, part(9, 10)),
            (Some("bytes=-10"), 10, part(0, 10)),
            (Some("bytes=-11"), 10, part(0, 10)),
            (Some("bytes=0-18446744073709551615"), 10, part(0, 10)),
            (Some("bytes=0-99999999999999999999999"), 10, part(0, 10)),
            (Some("bytes=10-"), 10, Span::Unsatisfiable),
            (Some("bytes=10-11"), 10, Span::Unsatisfiable),
            (
                Some("bytes=99999999999999999999999-"),
                10,
                Span::Unsatisfiable,
            ),
            (Some("bytes=-0"), 10, Span::Unsatisfiable),
            (Some("bytes=0-"), 0, Span::Unsatisfiable),
            (Some("bytes=-5"), 0, Span::Unsatisfiable),
            (Some("bytes=5-3"), 10, Span::Whole),
            (Some("bytes=0-1,3-4"), 10, Span::Whole),
            (Some("bytes=-"), 10, Span::Whole),
            (Some("bytes=+1-2"), 10, Span::Whole),
            (Some("bytes=a-b"), 10, Span::Whole),
            (Some("bytes"), 10, Span::Whole),
            (Some("items=0-1"), 10, Span::Whole),
            (Some(""), 10, Span::Whole),
        ];
        for (header, size, expected) in table {
            assert_eq!(span(header, size), expected, "{header:?} of {size}");
        }
    }
}
