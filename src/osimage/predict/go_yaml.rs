//! JSON as `gopkg.in/yaml.v2` writes it, as far as objects of this room need it.
//!
//! Maps have their keys in order, lists inside maps are not indented, text is plain where it stays text, in single quotes where
//! an indicator forbids that, in double quotes where it would be something else, and a block where it has several lines.

use serde_json::Value;

use crate::config::yaml::{Kind, resolve};

/// Where the writer folds.
const WIDTH: usize = 80;

/// The text, or why it is not known.
pub(super) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => node(&mut out, value, 0)?,
        Value::Object(_) => out.push_str("{}\n"),
        _ => return Err("it is no map".to_owned()),
    }
    Ok(out)
}

/// A map or list at an indentation; the first line's indentation is the caller's.
fn node(out: &mut String, value: &Value, indent: usize) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            // Natural order and plain order agree on letters.
            let letters = |k: &str| k.bytes().all(|b| b.is_ascii_alphabetic());
            if !keys.iter().all(|k| letters(k) && resolve(k) == Kind::Text) {
                return Err("a key has other characters than letters".to_owned());
            }
            keys.sort();
            for (n, key) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(key);
                out.push(':');
                under(out, map.get(key).unwrap_or(&Value::Null), indent)?;
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        out.push(' ');
                        node(out, item, indent + 2)?;
                    }
                    _ => under(out, item, indent)?,
                }
            }
        }
        _ => return Err("it is neither map nor list".to_owned()),
    }
    Ok(())
}

/// What stands behind a key or a dash.
fn under(out: &mut String, value: &Value, indent: usize) -> Result<(), String> {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(list) if list.is_empty() => out.push_str(" []\n"),
        Value::Object(_) => {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            node(out, value, indent + 2)?;
        }
        Value::Array(_) => {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            node(out, value, indent)?;
        }
        Value::Null => out.push_str(" null\n"),
        Value::Bool(bool) => out.push_str(if *bool { " true\n" } else { " false\n" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend([" ", &number.to_string(), "\n"]);
        }
        Value::Number(_) => return Err("a number has a fraction".to_owned()),
        Value::String(text) => scalar(out, text, indent)?,
    }
    Ok(())
}

fn scalar(out: &mut String, text: &str, indent: usize) -> Result<(), String> {
    out.push(' ');
    let written = match style(text)? {
        Style::Literal => {
            literal(out, text, indent + 2);
            return Ok(());
        }
        Style::Double => double(text)?,
        Style::Plain => text.to_owned(),
        Style::Single => format!("'{}'", text.replace('\'', "''")),
    };
    let start = out.rsplit('\n').next().unwrap_or_default().chars().count();
    if folds(&written, start) {
        return Err("a text has a space behind column 80, where some versions of the operator's YAML writer break the line".to_owned());
    }
    out.push_str(&written);
    out.push('\n');
    Ok(())
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    if !text.ends_with('\n') {
        out.push('-');
    } else if text == "\n" || text.ends_with("\n\n") {
        out.push('+');
    }
    out.push('\n');
    for line in text.lines() {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn double(text: &str) -> Result<String, String> {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => return Err(format!("a text has the character {c:?}")),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

/// Whether a space stands where the writer would break the line.
fn folds(written: &str, start: usize) -> bool {
    let chars = written.chars().enumerate();
    chars.skip(1).any(|(n, c)| c == ' ' && start + n > WIDTH)
}

/// How a text is written.
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// As `resolve`, `stringv` and `yaml_emitter_analyze_scalar` choose it.
fn style(text: &str) -> Result<Style, String> {
    let digits = text.bytes().take(4).filter(u8::is_ascii_digit).count() == 4;
    if digits && text.get(4..5) == Some("-") {
        return Err("a text looks like a date".to_owned());
    }
    let sexagesimal = |b: u8| b.is_ascii_digit() || b"+-_:.".contains(&b);
    if text.contains(':') && text.bytes().all(sexagesimal) {
        return Err("a text looks like a time".to_owned());
    }
    if text == "<<" {
        return Err("a text is a merge key".to_owned());
    }
    let odd = |c: char| (c.is_control() && c != '\n') || "\u{feff}\u{2028}\u{2029}".contains(c);
    let dirty = text.contains(" \n") || text.contains(odd);
    if text.contains('\n') {
        let block = !text.ends_with(' ') && !dirty;
        return Ok(if block { Style::Literal } else { Style::Double });
    }
    Ok(if resolve(text) != Kind::Text || dirty {
        Style::Double
    } else if indicated(text) || text.starts_with(' ') || text.ends_with(' ') {
        Style::Single
    } else {
        Style::Plain
    })
}

/// Whether an indicator keeps a text from standing plain in a block map.
fn indicated(text: &str) -> bool {
    const FIRST: &str = "#,[]{}&*!|>'\"%@`";
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let chars: Vec<char> = text.chars().collect();
    let blank = |n: usize| chars.get(n).is_none_or(|c| c.is_whitespace());
    let wrong = |(n, c): (usize, &char)| match c {
        c if n == 0 && FIRST.contains(*c) => true,
        '?' | '-' if n == 0 => blank(1),
        ':' => blank(n + 1),
        '#' => n > 0 && blank(n - 1),
        _ => false,
    };
    chars.iter().enumerate().any(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As `PyYAML` writes it with the styles that go-yaml chooses; the two have one ancestor.
    #[test]
    fn text_is_written_as_go_yaml_does() {
        let value = json!({
            "z": {"list": [{"b": "x", "a": "4.18"}, "y"], "none": [], "map": {}},
            "lines": "FROM configs\n\n  RUN x\n",
            "keep": "a\n\n",
            "strip": "a\nb",
            "lead": "  a\nb",
            "dirty": "a \nb",
            "tab": "a\tb\nc",
            "truth": "true", "empty": "", "version": "4.18.27",
            "colon": "a: b", "hash": "a #b", "url": "a.b:5000/c:d", "dash": "- a", "dashed": "-a", "quote": "it's",
            "first": "'it's", "star": "*a", "end": "a ", "none": null, "num": 3, "yay": true
        });
        let expected = "colon: 'a: b'\ndash: '- a'\ndashed: -a\ndirty: \"a \\nb\"\nempty: \"\"\nend: 'a '\nfirst: '''it''s'\nhash: 'a #b'\nkeep: |+\n  a\n\nlead: |2-\n    a\n  b\nlines: |\n  FROM configs\n\n    RUN x\nnone: null\nnum: 3\n";
        let written = write(&value).unwrap();
        assert!(written.starts_with(expected), "{written}");
        let rest = "num: 3\nquote: it's\nstar: '*a'\nstrip: |-\n  a\n  b\ntab: \"a\\tb\\nc\"\ntruth: \"true\"\nurl: a.b:5000/c:d\nversion: 4.18.27\nyay: true\nz:\n  list:\n  - a: \"4.18\"\n    b: x\n  - \"y\"\n  map: {}\n  none: []\n";
        assert!(written.ends_with(rest), "{written}");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "2023-05-26",
            "12:30:45",
            "<<",
            "a\u{7}b",
            &"word ".repeat(20),
        ] {
            assert!(write(&json!({ "k": text })).is_err(), "{text:?}");
        }
        assert!(write(&json!({"k-1": "x"})).is_err());
        assert!(write(&json!({"yes": "x"})).is_err());
        assert!(write(&json!([])).is_err());
        let fits = format!("{} b", "a".repeat(77));
        assert_eq!(
            write(&json!({ "k": fits })).unwrap(),
            format!("k: {fits}\n")
        );
        let folds = format!("{} b", "a".repeat(78));
        assert!(write(&json!({ "k": folds })).is_err());
    }
}
