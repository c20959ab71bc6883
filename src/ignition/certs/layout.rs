//! How base64 is broken into lines, so that other bytes can be put in its place and nothing around it changes.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding as it comes; trailing bits are not looked at. Other tools read what they wrote, and so do we.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Base64 with its line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// What stands between two lines: `\n`, `\r\n`, a line break with indentation, or an escaped one (`\` and `n`) in a string.
    separator: String,
    /// Characters of a full line; 0 when there is only one line.
    width: usize,
    /// Whether the end is padded.
    padded: bool,
}

impl Layout {
    /// Takes a text of lines apart by its separator; returns the bytes and the way back.
    pub(super) fn read(text: &str, separator: &str) -> Option<(Vec<u8>, Self)> {
        let lines: Vec<&str> = if separator.is_empty() {
            vec![text]
        } else {
            text.split(separator).collect()
        };
        let joined: String = lines.iter().map(|line| line.trim()).collect();
        let bytes = LENIENT.decode(&joined).ok()?;
        let width = match lines.as_slice() {
            [first, _, ..] => first.trim().len(),
            _ => 0,
        };
        let layout = Self {
            separator: separator.to_owned(),
            width,
            padded: joined.len().is_multiple_of(4),
        };
        Some((bytes, layout))
    }

    /// Other bytes in the same lines.
    pub(super) fn write(&self, bytes: &[u8]) -> String {
        let mut text = LENIENT.encode(bytes);
        if !self.padded {
            text.truncate(text.trim_end_matches('=').len());
        }
        if self.width == 0 {
            return text;
        }
        let mut out = String::with_capacity(text.len() + text.len() / self.width * 4);
        for (n, c) in text.chars().enumerate() {
            if n > 0 && n.is_multiple_of(self.width) {
                out.push_str(&self.separator);
            }
            out.push(c);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_to_the_same_text() {
        for (text, separator) in [
            ("QUJDREVGR0g=", ""),
            ("QUJDREVGR0g", ""),
            ("QUJD\nREVG\nR0g=", "\n"),
            ("QUJD\r\nREVG\r\nR0g=", "\r\n"),
            ("QUJD\n    REVG\n    R0g=", "\n    "),
            ("QUJD\\nREVG\\nR0g=", "\\n"),
        ] {
            let (bytes, layout) = Layout::read(text, separator).unwrap();
            assert_eq!(bytes, b"ABCDEFGH", "{text:?}");
            assert_eq!(layout.write(&bytes), text);
        }
        assert!(Layout::read("QUJD*", "").is_none());
    }
}
