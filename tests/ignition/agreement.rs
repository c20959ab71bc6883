//! What `ignition-validate` accepts and refuses, case by case.
//!
//! `cases.txt`: a verdict and a config in each line. `accept` and `refuse`: both agree. `stricter`: the validator takes what no boot
//! survives or no person meant, we do not.

use std::path::Path;

use serde_json::json;
use snoforge::ignition::{Config, Edit, NewFile, NewUnit, lint};

use crate::{VALIDATOR, accepted, ours};

const CASES: &str = include_str!("cases.txt");
/// The characters that stand for themselves in a data URL.
const UNRESERVED: &str =
    "!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// Config, whether we take it, whether the validator takes it.
fn cases() -> Vec<(String, bool, bool)> {
    let mut cases = Vec::new();
    for line in CASES.lines() {
        let (verdict, config) = line.split_once(' ').unwrap();
        let (ours, theirs) = match verdict {
            "accept" => (true, true),
            "refuse" => (false, false),
            "stricter" => (false, true),
            other => panic!("verdict {other}"),
        };
        cases.push((config.to_owned(), ours, theirs));
    }
    for character in (1..=127_u8).map(char::from) {
        let source = format!("data:,a{character}b");
        let files = json!([{"path": "/a", "contents": {"source": source}}]);
        let config = json!({"ignition": {"version": "3.2.0"}, "storage": {"files": files}});
        let good = UNRESERVED.contains(character);
        cases.push((config.to_string(), good, good));
    }
    // With the key, 2047 and 2048 bytes.
    for (length, good) in [(2045, true), (2046, false)] {
        let text = format!("[Unit]\nA={}\n", "x".repeat(length));
        let units = json!([{"name": "a.service", "contents": text}]);
        let config = json!({"ignition": {"version": "3.2.0"}, "systemd": {"units": units}});
        cases.push((config.to_string(), good, good));
    }
    cases
}

#[test]
fn agrees_with_ignition_validate() {
    let cases = cases();
    for (config, good, _) in &cases {
        assert_eq!(ours(config).is_ok(), *good, "{config}: {:?}", ours(config));
    }
    if !Path::new(VALIDATOR).exists() {
        eprintln!("skipped: `{VALIDATOR}` is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (config, _, theirs) in &cases {
        let verdict = accepted(dir.path(), config);
        assert_eq!(verdict, *theirs, "the table is wrong: {config}");
    }
}

#[test]
fn what_we_write_passes_the_validator() {
    let mut config = Config::parse(br#"{"ignition":{"version":"3.2.0"}}"#).unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let contents: [&[u8]; 4] = [
        b"",
        b"#!/bin/sh\n# \"quotes\" & <more> 100%\n",
        "Grüße\n".as_bytes(),
        &every_byte,
    ];
    for (index, contents) in contents.into_iter().enumerate() {
        config
            .apply(&Edit::SetFile(NewFile {
                path: format!("/etc/f{index}"),
                mode: 0o755,
                contents: contents.to_vec(),
            }))
            .unwrap();
    }
    let unit = NewUnit {
        name: "ours.service".to_owned(),
        enabled: Some(true),
        contents: Some(
            "[Unit]\nAfter=network-online.target\n[Install]\nWantedBy=multi-user.target\n"
                .to_owned(),
        ),
    };
    config.apply(&Edit::SetUnit(unit)).unwrap();
    for unit in ["crio.service", "ours.service"] {
        config
            .apply(&Edit::SetDropin {
                unit: unit.to_owned(),
                name: "10-ours.conf".to_owned(),
                contents: "[Unit]\nWants=ours.service\n".to_owned(),
            })
            .unwrap();
    }
    config
        .apply(&Edit::Append {
            path: "/etc/motd".to_owned(),
            contents: b"hello\n".to_vec(),
        })
        .unwrap();
    assert_eq!(lint::lint(&config, None), []);
    if Path::new(VALIDATOR).exists() {
        let text = String::from_utf8(config.render()).unwrap();
        assert!(
            accepted(tempfile::tempdir().unwrap().path(), &text),
            "{text}"
        );
    } else {
        eprintln!("skipped: `{VALIDATOR}` is not installed");
    }
}
