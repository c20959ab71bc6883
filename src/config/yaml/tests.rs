use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;

fn message(text: &str) -> String {
    match parse(text) {
        Ok(document) => panic!("accepted: {document:?}"),
        Err(error) => error.message,
    }
}

#[test]
fn syntax_errors_in_gos_words() {
    for (text, expected) in [
        ("a: [b\n", "yaml: line 1: did not find expected ',' or ']'"),
        (
            "---\npatterns:\n  - [bad-yaml\n",
            "yaml: line 3: did not find expected ',' or ']'",
        ),
        (
            "a: {b: c\n",
            "yaml: line 1: did not find expected ',' or '}'",
        ),
        (
            "a:\n  - b\n c: d\n",
            "yaml: line 2: did not find expected key",
        ),
        (
            "- a\nb: c\n",
            "yaml: line 1: did not find expected '-' indicator",
        ),
        (
            "a: b: c\n",
            "yaml: mapping values are not allowed in this context",
        ),
        (
            "x: y\na: b: c\n",
            "yaml: line 2: mapping values are not allowed in this context",
        ),
        (
            "a:\n\t- b\n",
            "yaml: line 2: found character that cannot start any token",
        ),
        (
            "x: y\na: @b\n",
            "yaml: line 2: found character that cannot start any token",
        ),
        ("a:\n- b\nc\n", "yaml: line 3: could not find expected ':'"),
        (": x", "yaml: unsupported map key"),
        ("[a]: b", "yaml: unsupported map key"),
        ("a: &x [*x]\n", "yaml: anchor value contains itself"),
    ] {
        assert_eq!(message(text), expected, "{text:?}");
    }
}

#[test]
fn places_and_kinds() {
    let document = parse("\u{feff}# c\n---\na: 'x'\nb:\n  - 4.13\n  - !!str 4.13\n  - \"no\"\n  - |\n    yes\n---\n[").unwrap();
    let a = document.root.get("a").unwrap();
    assert_eq!(
        (a.at, a.value.at),
        (At { line: 3, column: 1 }, At { line: 3, column: 4 })
    );
    let Value::List(items) = &document.root.get("b").unwrap().value.value else {
        panic!("a list");
    };
    let kinds: Vec<_> = items.iter().map(Node::json_kind).collect();
    assert_eq!(kinds, ["number", "string", "string", "string"]);
    assert_eq!(items[2].at, At { line: 7, column: 5 });
}

#[test]
fn only_the_first_document_and_the_last_of_equal_keys() {
    assert!(parse("").unwrap().root.is_null());
    assert!(parse("---\n---\na: b\n").unwrap().root.is_null());
    let document = parse("a: 1\nb: 2\na:\n  c: 3\n").unwrap();
    let [duplicate] = document.duplicates.as_slice() else {
        panic!("{:?}", document.duplicates);
    };
    assert_eq!(
        (
            duplicate.key.as_str(),
            duplicate.at.line,
            duplicate.value_line
        ),
        ("a", 3, 4)
    );
    assert_eq!(document.root.get("a").unwrap().value.json_kind(), "object");
}

/// Whatever a file does, it is read or refused in a moment; a debug build on a busy machine gets plenty.
#[test]
fn hostile_files_end_fast() {
    let mut lol = "a: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..30 {
        let alias = format!("*a{}", i - 1);
        writeln!(lol, "b{i}: &a{i} [{}]", [alias.as_str(); 9].join(",")).unwrap();
    }
    let mut merges = "m0: &m0 {k: v}\n".to_owned();
    for i in 1..2000 {
        writeln!(merges, "m{i}: &m{i} {{<<: *m{}, k{i}: v}}", i - 1).unwrap();
    }
    let anchors = (0..250).fold(String::new(), |mut text, i| {
        write!(text, "&n{i} [").unwrap();
        text
    });
    let many_keys: String = (0..90_000).fold(String::new(), |mut text, i| {
        writeln!(text, "k{i}: v").unwrap();
        text
    });
    let deep_map = (0..2000).fold(String::new(), |mut text, i| {
        writeln!(text, "{:i$}a:", "").unwrap();
        text
    });
    for (name, text, refused) in [
        ("billion laughs", lol, true),
        ("merge chain", merges, true),
        ("deep flow", "[".repeat(1 << 20), true),
        ("deep block", "- ".repeat(1 << 20), true),
        ("deep map", deep_map, true),
        ("anchors in anchors", anchors, true),
        ("100 MB", "a".repeat(100 << 20), true),
        ("one long scalar", "a".repeat(MAX_BYTES), false),
        (
            "one long key",
            format!("{}: b", "a".repeat(MAX_BYTES - 8)),
            true,
        ),
        ("many nodes", "- a\n".repeat(MAX_NODES + 1), true),
        ("many keys", many_keys, false),
        ("equal keys", "a: b\n".repeat(90_000), false),
        ("commas", ",".repeat(1 << 20), true),
        ("quotes", "'".repeat(1 << 20), false),
        ("comments", "#\n".repeat(1 << 20), false),
        ("question marks", "? ".repeat(1 << 20), true),
        ("documents", "---\n".repeat(1 << 20), false),
        (
            "unclosed quote",
            format!("a: \"{}", "\n ".repeat(1 << 20)),
            true,
        ),
    ] {
        let begin = Instant::now();
        let result = parse(&text);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
        assert_eq!(result.is_err(), refused, "{name}: {:?}", result.map(|_| ()));
    }
}
