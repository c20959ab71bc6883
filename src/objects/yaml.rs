//! Scalars as they are written into manifests.

/// Plain where every YAML reader takes it for text, else in double quotes (JSON's are YAML's).
pub(crate) fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
    ];
    let first = text.bytes().next();
    let plain = first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'/')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._/:@+=".contains(&b))
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// Puts `indent` before every line that is not empty.
pub(crate) fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| {
        if line.trim_end_matches('\n').is_empty() {
            line.to_owned()
        } else {
            format!("{indent}{line}")
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_text_is_plain() {
        for plain in [
            "varlibcontainers",
            "/dev/disk/by-id/wwn-0x1",
            "quay.io/a/b:t",
            "v1",
        ] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in [
            "", "true", "No", "12", "1.5", "a b", "a#b", "- a", "é", "a:", "4.18.27", "a\\b", "{a}",
        ] {
            assert_eq!(scalar(quoted), serde_json::to_string(quoted).unwrap());
        }
        assert_eq!(indented("a\n\nb\n", "  "), "  a\n\n  b\n");
    }
}
