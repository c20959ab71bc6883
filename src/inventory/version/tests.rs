use proptest::prelude::*;

use super::blang::{self, Range};
use super::masterminds::{self, Constraint, Prereleases};
use super::{Version, quote};

#[test]
fn blang_accepts_strict_versions_only() {
    for good in ["0.0.0", "4.13.0-202305262054", "1.2.3-a.1+b.02", "1.2.3+5"] {
        assert_eq!(blang::parse(good).unwrap().to_string(), good);
    }
    let bad = [
        ("", "Version string empty"),
        ("4.13", "No Major.Minor.Patch elements found"),
        (
            "v4.0.0",
            "Invalid character(s) found in major number \"v4\"",
        ),
        (
            "01.0.0",
            "Major number must not contain leading zeroes \"01\"",
        ),
        (
            "1.02.0",
            "Minor number must not contain leading zeroes \"02\"",
        ),
        (
            "1.2.03",
            "Patch number must not contain leading zeroes \"03\"",
        ),
        ("1..3", "strconv.ParseUint: parsing \"\": invalid syntax"),
        ("1.2.3-", "Prerelease is empty"),
        (
            "1.2.3-01",
            "Numeric PreRelease version must not contain leading zeroes \"01\"",
        ),
        ("1.2.3-ä", "Invalid character(s) found in prerelease \"ä\""),
        ("1.2.3+", "Build meta data is empty"),
        (
            "1.2.3+a_b",
            "Invalid character(s) found in build meta data \"a_b\"",
        ),
        (
            "99999999999999999999.0.0",
            "strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
        ),
    ];
    for (text, error) in bad {
        assert_eq!(blang::parse(text).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn precedence_follows_semver() {
    let rising = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "4.17.0-20241011205",
        "4.17.0-202409100034",
        "4.17.0",
    ];
    for pair in rising.windows(2) {
        let (low, high) = (
            blang::parse(pair[0]).unwrap(),
            blang::parse(pair[1]).unwrap(),
        );
        assert!(low.precedence(&high).is_lt(), "{pair:?}");
        assert!(high.precedence(&low).is_gt(), "{pair:?}");
    }
    let (plain, built) = (
        blang::parse("1.0.0").unwrap(),
        blang::parse("1.0.0+5").unwrap(),
    );
    assert!(plain.same(&built) && plain != built);
}

#[test]
fn blang_ranges() {
    let rows: [(&str, &[&str], &[&str]); 8] = [
        ("<0.9.2", &["0.9.1", "0.9.2-1"], &["0.9.2"]),
        (
            ">=4.12.0 <=4.13.0",
            &["4.12.0", "4.13.0-202305262054"],
            &["4.12.0-1", "4.13.1"],
        ),
        (
            ">=1.0.0 <2.0.0 || >3.0.0",
            &["1.5.0", "3.0.1"],
            &["2.5.0", "3.0.0"],
        ),
        ("1.0.0", &["1.0.0", "1.0.0+b"], &["1.0.1"]),
        ("!=1.0.0", &["1.0.1"], &["1.0.0"]),
        ("> 1.0.0 < 2.0.0", &["1.5.0"], &["2.0.0"]),
        ("1.2.x", &["1.2.0", "1.2.9"], &["1.3.0"]),
        (">1.x", &["2.0.0"], &["1.9.9"]),
    ];
    for (text, inside, outside) in rows {
        let range = Range::parse(text).unwrap();
        for (versions, wanted) in [(inside, true), (outside, false)] {
            for version in versions {
                let version = blang::parse(version).unwrap();
                assert_eq!(range.contains(&version), wanted, "{version} in {text}");
            }
        }
    }
    // The second is upstream's oddity: an `x` that is no wildcard loses the version.
    for bad in [">=4.13", "<=1.0.0-next", "||", "1.0.0 ||", "=>1.0.0", ""] {
        assert!(Range::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn masterminds_versions() {
    for (text, canonical) in [("v1", "1.0.0"), ("1.2", "1.2.0"), ("01.002.3-a", "1.2.3-a")] {
        assert_eq!(
            masterminds::parse_lenient(text).unwrap().to_string(),
            canonical
        );
        assert!(masterminds::parse_strict(text).is_err(), "{text}");
    }
    for bad in ["", "x", "1.2.3.4", "1.2.3-a_b", "1.0.0-01"] {
        assert!(masterminds::parse_lenient(bad).is_err(), "{bad}");
        assert!(masterminds::parse_strict(bad).is_err(), "{bad}");
    }
}

/// Rows: constraint, version, accepted before 3.4, accepted since 3.4.
#[test]
fn masterminds_constraints() {
    let rows = [
        (">=1.0.0 <2.0.0", "1.5.0", true, true),
        (">=1.0.0 <2.0.0", "1.5.0-1", false, false),
        (">=4.13.0", "4.13.0-202305262054", false, false),
        // One bound names a prerelease: the other one accepts prereleases since 3.4 only.
        (">=1.34.1-5 <=1.50.0", "1.42.0-5", false, true),
        (">=1.34.1-5 <=1.50.0-1", "1.42.0-5", true, true),
        ("<=1.2", "1.2.9", true, true),
        ("<=1.2", "1.3.0", false, false),
        (">=1.2", "1.2.0", true, true),
        ("<=1", "1.9.0", true, true),
        (">1", "1.9.0", false, false),
        (">1.1", "1.1.9", false, false),
        (">1.1", "1.2.0", true, true),
        ("~1.2.3", "1.2.9", true, true),
        ("~1.2.3", "1.3.0", false, false),
        ("^0.2.3", "0.2.9", true, true),
        ("^0.2.3", "0.3.0", false, false),
        ("^1.2", "1.9.0", true, true),
        ("1.x", "1.9.0", true, true),
        ("*", "7.0.0", true, true),
        ("!=1.2.3", "1.2.3-1", true, true),
        ("!=1.2.x", "1.2.3", false, false),
        ("1.0 - 2.0", "1.5.0", true, true),
        ("<1.0.0 || >2.0.0", "2.1.0", true, true),
        (" <=1.7.0", "1.7.0", true, true),
    ];
    for (text, version, old, new) in rows {
        let version = masterminds::parse_strict(version).unwrap();
        let modes = [
            (Prereleases::PerComparator, old),
            (Prereleases::PerGroup, new),
        ];
        for (mode, wanted) in modes {
            let constraint = Constraint::parse(text, mode).unwrap();
            assert_eq!(
                constraint.accepts(&version),
                wanted,
                "{version} in {text} ({mode:?})"
            );
        }
    }
    let error = Constraint::parse(">=one", Prereleases::PerGroup).unwrap_err();
    assert_eq!(error.to_string(), "improper constraint: >=one");
    let printed = Constraint::parse(" <=1.7.0 ", Prereleases::PerGroup).unwrap();
    assert_eq!(printed.to_string(), "<=1.7.0");
}

#[test]
fn quotes_as_go_does() {
    assert_eq!(quote("a\"b\\c\n\u{1}ä"), "\"a\\\"b\\\\c\\n\\x01ä\"");
}

proptest! {
    #[test]
    fn hostile_texts_do_not_panic(text in ".{0,40}", version in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-[a-z0-9.]{1,6})?") {
        let probe = masterminds::parse_strict(&version).unwrap_or_default();
        let _ = masterminds::parse_lenient(&text).map(|v| v.precedence(&probe));
        if let Ok(parsed) = blang::parse(&text) {
            prop_assert_eq!(parsed.to_string(), text.clone());
        }
        let _ = Range::parse(&text).map(|r| r.contains(&probe));
        let _ = Constraint::parse(&text, Prereleases::PerGroup).map(|c| c.accepts(&probe));
    }

    #[test]
    fn ranges_do_not_panic(text in "[<>=!~^|x*0-9. v-]{0,24}") {
        let probe = Version { major: 1, ..Version::default() };
        let _ = Range::parse(&text).map(|r| r.contains(&probe));
        let _ = Constraint::parse(&text, Prereleases::PerComparator).map(|c| c.accepts(&probe));
    }
}
