//! Values as they are written into manifests.

use serde_json::Value;

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

/// A text as a block whose lines stand behind `indent`, where a block can hold it, else as [`scalar`]. Begins behind the key's
/// colon and space, ends with a line end.
pub(crate) fn block(text: &str, indent: &str) -> String {
    let odd = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || "\u{feff}\u{2028}\u{2029}".contains(c)
    };
    let first = text.trim_start_matches('\n');
    // A block says its indentation by its first line, and what stands there must be a line at all.
    if !text.contains('\n')
        || first.is_empty()
        || first.starts_with([' ', '\t'])
        || text.contains(odd)
    {
        return format!("{}\n", scalar(text));
    }
    let head = match (text.ends_with('\n'), text.ends_with("\n\n")) {
        (false, _) => "|-",
        (true, false) => "|",
        (true, true) => "|+",
    };
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{head}\n{}{end}", indented(text, indent))
}

/// A JSON value as a YAML document: maps in their order, texts of several lines as blocks.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => node(&mut out, value, 0),
        Value::Array(list) if !list.is_empty() => node(&mut out, value, 0),
        _ => under(&mut out, value, 0),
    }
    out
}

/// A map or list that is not empty; the first line's indentation is the caller's.
fn node(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (n, (key, value)) in map.iter().enumerate() {
                let pad = if n > 0 { pad.as_str() } else { "" };
                out.extend([pad, &scalar(key), ":"]);
                let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty);
                if (value.is_object() || value.is_array()) && !empty {
                    out.extend(["\n", &" ".repeat(indent + 2)]);
                    node(out, value, indent + 2);
                } else {
                    out.push(' ');
                    under(out, value, indent + 2);
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                out.extend([if n > 0 { pad.as_str() } else { "" }, "- "]);
                under(out, item, indent + 2);
            }
        }
        other => under(out, other, indent),
    }
}

/// What stands behind a colon or a dash.
fn under(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}\n"),
        Value::Array(list) if list.is_empty() => out.push_str("[]\n"),
        Value::Object(_) | Value::Array(_) => node(out, value, indent),
        Value::String(text) => out.push_str(&block(text, &" ".repeat(indent))),
        other => out.extend([&other.to_string(), "\n"]),
    }
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

    #[test]
    fn a_block_is_read_back_as_it_was() {
        for text in [
            "a\nb",
            "a\nb\n",
            "a\nb\n\n",
            "\na\n",
            "a\n\n  b\n",
            "a",
            "",
            "\n",
            "\n\n",
            " a\nb",
            "\n a\n",
            "a\tb\n\tc\n",
            "a \nb  \n",
            "a\r\nb",
            "a\u{1}\n",
            "# c\n",
            "a: b\n- c\n---\n",
            "é\n\u{2028}\n",
        ] {
            let yaml = format!("k:\n  v: {}w: x\n", block(text, "    "));
            let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read["k"]["v"], text, "{yaml}");
            assert_eq!(read["w"], "x", "{yaml}");
        }
    }

    #[test]
    fn a_document_is_read_back_as_it_was() {
        for value in [
            serde_json::json!({}),
            serde_json::json!([1, "a"]),
            serde_json::json!({"a": {"b": [{"c": "x\ny\n", "d": []}, [1, [2]], {}, "t: u"]}, "1": null, "e": 1.5, "f": {"true": "no"}}),
        ] {
            let text = document(&value);
            let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, value, "{text}");
        }
    }
}
