//! What `ignition-validate` accepts and refuses, case by case.

use std::path::Path;

use serde_json::{Value, json};
use snoforge::ignition::{Config, lint};

use crate::{VALIDATOR, accepted, ours};

/// Where we agree with the validator: (spec version, what is added to the config, accepted).
fn agreed() -> Vec<(&'static str, Value, bool)> {
    let files = |files: Value| json!({"storage": {"files": files}});
    let contents =
        |contents: Value| json!({"storage": {"files": [{"path": "/a", "contents": contents}]}});
    let source = |source: &str| json!({"storage": {"files": [{"path": "/a", "contents": {"source": source}}]}});
    let units = |units: Value| json!({"systemd": {"units": units}});
    let unit =
        |text: &str| json!({"systemd": {"units": [{"name": "a.service", "contents": text}]}});
    let dropin =
        |dropins: Value| json!({"systemd": {"units": [{"name": "a.service", "dropins": dropins}]}});
    let sha512 = format!(
        "sha512-{}",
        hex::encode(<sha2::Sha512 as sha2::Digest>::digest("a"))
    );
    let sha256 = format!(
        "sha256-{}",
        hex::encode(<sha2::Sha256 as sha2::Digest>::digest("a"))
    );
    let mut cases = vec![
        ("3.2.0", json!({}), true),
        ("3.0.0", json!({}), true),
        ("3.3.0", json!({}), true),
        ("3.2.1", json!({}), false),
        ("1.0.0", json!({}), false),
        ("", json!({}), false),
        ("3.2.0", json!({"unknown": 1}), true),
        ("3.2.0", json!({"storage": null, "systemd": null}), true),
        // shapes
        ("3.2.0", files(json!({"path": "/a"})), false),
        (
            "3.2.0",
            files(json!([{"path": "/a", "mode": "0644"}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "mode": 420.0}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "mode": u64::MAX}])),
            false,
        ),
        ("3.2.0", files(json!([{"path": 1}])), false),
        ("3.2.0", files(json!([null])), false),
        // nodes
        (
            "3.2.0",
            files(json!([{"path": "/a"}, {"path": "/a"}])),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"files": [{"path": "/a"}], "directories": [{"path": "/a"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"files": [{"path": "/a"}], "links": [{"path": "/a", "target": "/b"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"files": [{"path": "/a/b"}], "directories": [{"path": "/a"}]}}),
            true,
        ),
        (
            "3.2.0",
            json!({"storage": {"links": [{"path": "/a", "target": "/x"}], "files": [{"path": "/a/b"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"links": [{"path": "/a", "target": "/x"}, {"path": "/a/b", "target": "/x"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"links": [{"path": "/a", "target": "/x"}], "directories": [{"path": "/a/b"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"storage": {"links": [{"path": "/a", "target": "/x"}], "files": [{"path": "/ab"}]}}),
            true,
        ),
        ("3.2.0", files(json!([{"path": "a"}])), false),
        ("3.2.0", files(json!([{"path": ""}])), false),
        ("3.2.0", files(json!([{}])), false),
        ("3.2.0", files(json!([{"path": "/a/../b"}])), false),
        ("3.2.0", files(json!([{"path": "/a//b"}])), false),
        ("3.2.0", files(json!([{"path": "/a/"}])), false),
        ("3.2.0", files(json!([{"path": "/./a"}])), false),
        ("3.2.0", files(json!([{"path": "/a..b/.c"}])), true),
        ("3.2.0", files(json!([{"path": "/a", "mode": 755}])), true),
        ("3.2.0", files(json!([{"path": "/a", "mode": 4095}])), true),
        ("3.2.0", files(json!([{"path": "/a", "mode": 4096}])), false),
        ("3.2.0", files(json!([{"path": "/a", "mode": -1}])), false),
        (
            "3.2.0",
            json!({"storage": {"directories": [{"path": "/a", "mode": 10000}]}}),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "overwrite": true}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "overwrite": true, "append": [{"source": "data:,a"}]}])),
            false,
        ),
        (
            "3.2.0",
            files(
                json!([{"path": "/a", "overwrite": true, "contents": {"source": "data:,"}, "append": [{"source": "data:,a"}]}]),
            ),
            true,
        ),
        (
            "3.2.0",
            files(
                json!([{"path": "/a", "append": [{"source": "data:,a"}, {"source": "data:,a"}]}]),
            ),
            true,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "append": [{"source": "data:, "}]}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "user": {"id": 0, "name": "a"}}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "group": {"id": 0, "name": "a"}}])),
            false,
        ),
        (
            "3.2.0",
            files(json!([{"path": "/a", "user": {"id": 0, "name": ""}}])),
            true,
        ),
        // resources
        ("3.2.0", contents(json!({"source": null})), true),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "compression": ""})),
            true,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "compression": "xz"})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "verification": {"hash": sha512}})),
            true,
        ),
        (
            "3.2.0",
            contents(
                json!({"source": "data:,a", "verification": {"hash": sha512.to_uppercase().replace("SHA", "sha")}}),
            ),
            true,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "verification": {"hash": sha256}})),
            true,
        ),
        (
            "3.0.0",
            contents(json!({"source": "data:,a", "verification": {"hash": sha256}})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "verification": {"hash": "sha256-abc"}})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "verification": {"hash": "sha512"}})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "verification": {"hash": ""}})),
            false,
        ),
        (
            "3.2.0",
            contents(
                json!({"source": "data:,a", "verification": {"hash": format!("md5-{}", "0".repeat(32))}}),
            ),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"verification": {"hash": sha512}})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "data:,a", "httpHeaders": [{"name": "a", "value": "b"}]})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "http://x/", "httpHeaders": [{"name": "a", "value": "b"}]})),
            true,
        ),
        (
            "3.2.0",
            contents(json!({"source": "http://x/", "httpHeaders": [{"name": "", "value": "b"}]})),
            false,
        ),
        (
            "3.2.0",
            contents(json!({"source": "http://x/", "httpHeaders": [{"name": "a"}, {"name": "a"}]})),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"merge": [{"source": "data:,a"}]}}}),
            true,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"merge": [{"source": "foo:"}]}}}),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"merge": [{}]}}}),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"merge": [{"source": "data:,a"}, {"source": "data:,a"}]}}}),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"replace": {"source": "data:;base64,%"}}}}),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "config": {"replace": {}}}}),
            true,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "security": {"tls": {"certificateAuthorities": [{"source": "zz"}]}}}}),
            false,
        ),
        (
            "3.2.0",
            json!({"ignition": {"version": "3.2.0", "security": {"tls": {"certificateAuthorities": [{"source": "data:,a"}, {"source": "data:,a"}]}}}}),
            false,
        ),
        (
            "3.3.0",
            json!({"storage": {"links": [{"path": "/a", "target": ""}]}}),
            false,
        ),
        ("3.3.0", source("arn:aws:s3:::b/k"), false),
        // users
        (
            "3.2.0",
            json!({"passwd": {"users": [{"name": "a"}, {"name": "a"}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["x", "x"]}]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"passwd": {"groups": [{"name": "a"}, {"name": "a"}]}}),
            false,
        ),
        // kernel arguments
        (
            "3.3.0",
            json!({"kernelArguments": {"shouldExist": ["a", "b"]}}),
            true,
        ),
        (
            "3.3.0",
            json!({"kernelArguments": {"shouldExist": ["a", "a"]}}),
            false,
        ),
        (
            "3.3.0",
            json!({"kernelArguments": {"shouldExist": ["a"], "shouldNotExist": ["a"]}}),
            false,
        ),
        (
            "3.2.0",
            json!({"kernelArguments": {"shouldExist": ["a", "a"]}}),
            true,
        ),
        // units
        ("3.2.0", units(json!([{"name": "a"}])), false),
        ("3.2.0", units(json!([{"name": ""}])), false),
        ("3.2.0", units(json!([{"name": "a.foo"}])), false),
        (
            "3.2.0",
            units(json!([{"name": "a@.service"}, {"name": "a@b.service"}])),
            true,
        ),
        (
            "3.2.0",
            units(json!([{"name": "a.service"}, {"name": "a.service"}])),
            false,
        ),
        (
            "3.2.0",
            units(json!([{"name": "a.service", "enabled": true, "contents": "[Unit]\n"}])),
            true,
        ),
        ("3.2.0", dropin(json!([{"name": "x"}])), false),
        ("3.2.0", dropin(json!([{"name": "x.conf"}])), true),
        (
            "3.2.0",
            dropin(json!([{"name": "x.conf"}, {"name": "x.conf"}])),
            false,
        ),
        (
            "3.2.0",
            dropin(json!([{"name": "x.conf", "contents": "[Unit"}])),
            false,
        ),
    ];
    for suffix in [
        "service",
        "socket",
        "device",
        "mount",
        "automount",
        "swap",
        "target",
        "path",
        "timer",
        "slice",
        "scope",
    ] {
        cases.push((
            "3.2.0",
            units(json!([{"name": format!("a.{suffix}")}])),
            true,
        ));
    }
    for (text, good) in [
        ("", true),
        ("foo", true),
        ("foo=bar", true),
        ("x\n[Unit]\n", true),
        ("A=b\n[Unit]\n", true),
        ("[]\n", true),
        ("[Unit]\n=x\n", true),
        ("  [Unit]\nA = b\n", true),
        ("[Unit]\nA=b \\\n c\n", true),
        ("[Unit]\nA=b\\", true),
        ("[Unit]\n#c\\\nB=c\n", true),
        ("[Unit]\n;x\nA=b", true),
        ("[Unit]\r\nA=b\r\n", true),
        ("[Foo]\nA=b\n", true),
        ("[Unit\nfoo", false),
        ("[Unit]\nfoo\n", false),
        ("[Unit]\nfoo", false),
        ("[Unit] x\n", false),
        ("[Unit]x", false),
        ("[Unit]\n foo bar\n", false),
        ("[Service]\nExecStart=/bin/x \\\n#comment\n y\n", false),
    ] {
        cases.push(("3.2.0", unit(text), good));
    }
    for (length, good) in [(2045, true), (2046, false)] {
        cases.push((
            "3.2.0",
            unit(&format!("[Unit]\nA={}\n", "x".repeat(length))),
            good,
        ));
    }
    for (text, good) in [
        ("data:,", true),
        ("data:;base64,", true),
        ("data:;base64,YQ==", true),
        ("data:;base64,YR==", true),
        ("data:text/plain,a", true),
        ("data:text/plain;charset=utf-8;base64,YQ==", true),
        ("data:;charset=utf-8,a", true),
        ("data:;charset=\"utf-8\",a", true),
        ("data:text/plain;base64=1,a", true),
        ("data:,%41", true),
        ("data:,a,b?c&d=e+f", true),
        ("data:text/plain;charset=utf%2D8,a", true),
        ("", true),
        ("http://x/y", true),
        ("https://x", true),
        ("tftp://x", true),
        ("s3://b/k", true),
        ("gs://b/k", true),
        ("HTTP://x/", true),
        ("data:", false),
        ("data:abc", false),
        ("DATA:,a", false),
        (" data:,a", false),
        ("data: ,a", false),
        ("data:text;base64,YQ==", false),
        ("data:;base64,YQ", false),
        ("data:;base64,YQ=", false),
        ("data:;base64,YQ%3D%3D", false),
        ("data:;base64,YQ==\n", false),
        ("data:;base64,Y Q==", false),
        ("data:;base64,-_8=", false),
        ("data:text/plain;base64;charset=utf-8,YQ==", false),
        ("data:;BASE64,YQ==", false),
        ("data:,%4", false),
        ("data:,%", false),
        ("data:,%zz", false),
        ("data:,a b", false),
        ("data:,a\nb", false),
        ("data:,é", false),
        ("foo", false),
        ("ftp://x", false),
        ("file:///x", false),
        ("oem:///x", false),
    ] {
        cases.push(("3.2.0", source(text), good));
    }
    // Every ASCII character standing for itself.
    let unreserved =
        "!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    for character in (1..=127_u8).map(char::from) {
        let text = format!("data:,a{character}b");
        cases.push(("3.2.0", source(&text), unreserved.contains(character)));
    }
    cases
}

/// What the validator takes, but no boot survives, or no person meant.
fn stricter() -> Vec<Value> {
    let contents =
        |contents: Value| json!({"storage": {"files": [{"path": "/a", "contents": contents}]}});
    vec![
        json!({"passwd": {"users": [{"name": ""}]}}),
        json!({"passwd": {"users": [{}]}}),
        json!({"storage": {"files": [{"path": "/a"}, {"path": "/a/b"}]}}),
        json!({"storage": {"links": [{"path": "/a"}]}}),
        json!({"storage": {"files": [{"path": "/a\u{0}b"}]}}),
        json!({"systemd": {"units": [{"name": "../a.service"}]}}),
        json!({"systemd": {"units": [{"name": ".service"}]}}),
        contents(json!({"source": "data:,a", "compression": "gzip"})),
        contents(
            json!({"source": "data:,a", "verification": {"hash": format!("sha512-{}", "0".repeat(128))}}),
        ),
    ]
}

fn case(version: &str, add: &Value) -> String {
    let mut root = json!({"ignition": {"version": version}});
    let members = add.as_object().unwrap();
    root.as_object_mut().unwrap().extend(members.clone());
    root.to_string()
}

#[test]
fn agrees_with_ignition_validate() {
    for (version, add, good) in agreed() {
        let text = case(version, &add);
        assert_eq!(ours(&text).is_ok(), good, "{text}: {:?}", ours(&text));
    }
    for add in stricter() {
        let text = case("3.2.0", &add);
        assert!(ours(&text).is_err(), "{text}");
    }
    if !Path::new(VALIDATOR).exists() {
        eprintln!("skipped: `{VALIDATOR}` is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (version, add, good) in agreed() {
        let text = case(version, &add);
        assert_eq!(
            accepted(dir.path(), &text),
            good,
            "the table is wrong: {text}"
        );
    }
    for add in stricter() {
        let text = case("3.2.0", &add);
        assert!(accepted(dir.path(), &text), "no longer stricter: {text}");
    }
}

#[test]
fn what_we_write_passes_the_validator() {
    use snoforge::ignition::{Edit, NewFile, NewUnit};
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
