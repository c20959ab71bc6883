use super::*;

fn errors(text: &str) -> Vec<String> {
    match ImageFilter::parse("f.yaml", text) {
        Ok(filter) => panic!("accepted: {filter:?}"),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn matches_source_or_destination_anywhere() {
    let filter = ImageFilter::parse(
        "f",
        "---\npatterns:\n  - 'release:4\\.13\\.1-x86_64-aws'\n  - nvidia\n  - 4.14\n",
    )
    .unwrap();
    assert!(filter.matches(
        "quay.io/a@sha256:0",
        "openshift/release:4.13.1-x86_64-aws-x"
    ));
    assert!(filter.matches("nvcr.io/nvidia/driver", "x"));
    assert!(
        filter.matches("x", "y:4x14"),
        "a number is the text it was written as"
    );
    assert!(!filter.matches("quay.io/a", "openshift/release:4.13.1-x86_64-etcd"));
}

#[test]
fn nothing_matches_nothing() {
    assert!(!ImageFilter::default().matches("a", "b"));
    for text in ["", "---\n", "patterns:\n", "patterns: []\n"] {
        assert!(
            !ImageFilter::parse("f", text).unwrap().matches("a", "b"),
            "{text:?}"
        );
    }
}

#[test]
fn bad_yaml() {
    let found = errors("---\npatterns:\n  - [bad-yaml\n");
    assert_eq!(
        found,
        [
            "f.yaml:3:5: Error parsing filter file: f.yaml: yaml: line 3: did not find expected ',' or ']'"
        ]
    );
}

#[test]
fn wrong_shapes_are_all_reported() {
    let found = errors("pattern:\n  - a\npatterns:\n  - [a]\n  - \n  - b\n");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("f.yaml:1:1: "), "{found:?}");
    assert!(
        errors("patterns: foo\n")[0].contains("line 1: cannot unmarshal !!str `foo` into []string")
    );
    assert!(errors("- a\n")[0].contains("cannot unmarshal !!seq"));
    assert!(errors("patterns: [a]\npatterns: [b]\n")[0].contains("already set in map"));
}

#[test]
fn re2_wording() {
    for (pattern, expected) in [
        ("[invalid", "missing closing ]: `[invalid`"),
        ("quay.io/[a-", "missing closing ]: `[a-`"),
        ("a(b", "missing closing ): `a(b`"),
        ("a)b", "unexpected ): `a)b`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("a\\yb", "invalid escape sequence: `\\y`"),
        ("(a)\\1", "invalid escape sequence: `\\1`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("[z-a]", "invalid character class range: `z-a`"),
    ] {
        let located = [Located::from(pattern)];
        let wrong = Patterns::compile(&located).unwrap_err();
        assert_eq!(
            wrong[0].1,
            format!("error parsing regexp: {expected}"),
            "{pattern}"
        );
    }
}
