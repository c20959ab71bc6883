mod properties;

use serde_json::{Value, json};

use super::edit::Secret;
use super::{Change, Config, Edit, Error, NewFile, NewUnit, data_url, fit};

fn config(value: &Value) -> Config {
    Config::parse(value.to_string().as_bytes()).unwrap()
}

fn stock() -> Config {
    config(&json!({
        "ignition": {"version": "3.2.0", "ours": [1.5, null]},
        "zzz": {"b": 1, "a": 2},
        "storage": {"files": [
            {"overwrite": true, "path": "/etc/a", "x-note": "keep", "user": {"name": "core"},
             "contents": {"source": "data:text/plain;charset=utf-8;base64,aGk=",
                          "verification": {"hash": "sha512-150a14ed5bea6cc731cf86c41566ac427a8db48ef1b9fd626664b3bfbb99071fa4c922f33dde38719b8c8354e2b7ab9d77e0e67fc12843920a712e73d558e197"}},
             "mode": 384},
            {"path": "/etc/motd", "append": [{"source": "data:,one"}]},
            {"path": "/etc/z", "contents": {"compression": "gzip", "source": "data:;base64,H4sIAAAAAAACA8vIBACsKpPYAgAAAA=="}},
        ], "directories": [{"path": "/var/d"}], "links": [{"path": "/var/l", "target": "/x"}]},
        "systemd": {"units": [
            {"contents": "[Unit]\n", "name": "a.service"},
            {"dropins": [{"contents": "[Unit]\nA=b\n", "name": "x.conf"}], "name": "z.service"},
        ]},
    }))
}

fn file(path: &str, mode: u32, contents: &[u8]) -> Edit {
    Edit::SetFile(NewFile {
        path: path.to_owned(),
        mode,
        contents: contents.to_vec(),
    })
}

#[test]
fn refuses_what_is_no_config() {
    let kind = |text: &str| match Config::parse(text.as_bytes()).unwrap_err() {
        Error::Syntax { line, .. } => format!("syntax {line}"),
        Error::Shape { pointer, .. } => pointer,
        Error::NoVersion => "no version".to_owned(),
        Error::Unsupported { found } => format!("unsupported {found}"),
        Error::Experimental { found } => format!("experimental {found}"),
        other => panic!("{other}"),
    };
    for (text, expected) in [
        ("", "syntax 1"),
        ("{\n", "syntax 2"),
        ("{} x", "syntax 1"),
        ("{\"a\":1,\n\"a\":2}", "syntax 2"),
        ("\u{feff}{}", "syntax 1"),
        ("[]", "no version"),
        ("{}", "no version"),
        (r#"{"ignition":{"version":""}}"#, "no version"),
        (r#"{"ignition":{"version":"latest"}}"#, "no version"),
        (r#"{"ignition":{"version":"3.9.0"}}"#, "unsupported 3.9.0"),
        (
            r#"{"ignition":{"version":"3.6.0-experimental"}}"#,
            "experimental 3.6.0-experimental",
        ),
        (
            r#"{"ignition":{"version":"3.2.0"},"storage":{"files":{}}}"#,
            "/storage/files",
        ),
        (
            r#"{"ignition":{"version":"3.2.0"},"storage":{"files":[{},{"mode":"0644"}]}}"#,
            "/storage/files/1/mode",
        ),
        (
            r#"{"ignition":{"version":"3.2.0"},"storage":{"files":[{"mode":1.0}]}}"#,
            "/storage/files/0/mode",
        ),
        (
            r#"{"ignition":{"version":"2.2.0"},"systemd":{"units":[{"enable":1}]}}"#,
            "/systemd/units/0/enable",
        ),
    ] {
        assert_eq!(kind(text), expected, "{text}");
        let error = Config::parse(text.as_bytes()).unwrap_err();
        assert!(error.hint().is_some(), "{text}");
    }
    for deep in ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 20)] {
        assert_eq!(kind(&deep), "syntax 1");
    }
}

#[test]
fn edits_keep_what_they_are_not_about() {
    let mut config = stock();
    let before = config.render();
    assert_eq!(
        config.apply(&file("/etc/a", 0o600, b"hi")).unwrap(),
        Change::Unchanged
    );
    assert_eq!(
        config.render(),
        before,
        "the same contents keep their encoding"
    );

    assert_eq!(
        config.apply(&file("/etc/a", 0o755, b"ho\n")).unwrap(),
        Change::Replaced
    );
    assert_eq!(
        config.file("/etc/a").unwrap().json(),
        &json!({"overwrite": true, "path": "/etc/a", "x-note": "keep", "user": {"name": "core"},
                "contents": {"source": "data:,ho%0A"}, "mode": 493}),
    );
    assert_eq!(
        config.apply(&file("/etc/new", 0o644, b"")).unwrap(),
        Change::Added
    );
    assert_eq!(config.files().last().unwrap().path(), "/etc/new");
    assert_eq!(config.json()["zzz"], json!({"b": 1, "a": 2}));
    assert_eq!(config.json()["ignition"]["ours"], json!([1.5, null]));
    let keys: Vec<_> = config.json().as_object().unwrap().keys().collect();
    assert_eq!(keys, ["ignition", "zzz", "storage", "systemd"]);
}

#[test]
fn new_contents_keep_the_form_and_the_hash_follows() {
    let mut config = stock();
    let set = |path: &str, bytes: &[u8]| Edit::SetContents {
        path: path.to_owned(),
        contents: Secret(bytes.to_vec()),
    };
    config.apply(&set("/etc/a", b"ho")).unwrap();
    let entry = config.file("/etc/a").unwrap();
    let contents = entry.contents().unwrap();
    assert_eq!(
        contents.source(),
        Some("data:text/plain;charset=utf-8;base64,aG8=")
    );
    assert!(contents.hash().unwrap().starts_with("sha512-"));
    assert_eq!(entry.mode(), Some(0o600));
    assert_eq!(
        super::lint::lint(&config, None)
            .iter()
            .filter(|f| f.pointer.contains("hash"))
            .count(),
        0
    );

    assert_eq!(
        config.file("/etc/z").unwrap().bytes().unwrap().unwrap(),
        b"hi"
    );
    config.apply(&set("/etc/z", b"ho")).unwrap();
    let entry = config.file("/etc/z").unwrap();
    assert_eq!(entry.contents().unwrap().compression(), None);
    assert_eq!(entry.bytes().unwrap().unwrap(), b"ho");

    let missing = config.apply(&set("/etc/none", b"")).unwrap_err();
    assert_eq!(missing.to_string(), "the config has no file /etc/none");
}

fn dropin(unit: &str, name: &str, contents: &str) -> Edit {
    Edit::SetDropin {
        unit: unit.to_owned(),
        name: name.to_owned(),
        contents: contents.to_owned(),
    }
}

#[test]
fn units_and_dropins() {
    use Change::{Added, Removed, Replaced};

    let mut config = stock();
    let edits = [
        Edit::SetUnit(NewUnit {
            name: "new.service".to_owned(),
            enabled: Some(true),
            contents: Some("[Unit]\n".to_owned()),
        }),
        dropin("a.service", "10-x.conf", "[Unit]\nB=c\n"),
        dropin("z.service", "x.conf", "[Unit]\nA=c\n"),
        dropin("other.service", "x.conf", "[Unit]\n"),
        Edit::Append {
            path: "/etc/motd".to_owned(),
            contents: b"two".to_vec(),
        },
        Edit::RemoveFile {
            path: "/etc/z".to_owned(),
        },
        Edit::SetMode {
            path: "/etc/a".to_owned(),
            mode: 0o644,
        },
    ];
    let first: Vec<_> = edits.iter().map(|e| config.apply(e).unwrap()).collect();
    assert_eq!(
        first,
        [Added, Added, Replaced, Added, Replaced, Removed, Replaced]
    );
    let once = config.render();
    assert!(
        edits
            .iter()
            .all(|e| config.apply(e).unwrap() == Change::Unchanged)
    );
    assert_eq!(config.render(), once);
    assert!(!String::from_utf8(once).unwrap().contains(":null,\"name\""));
}

#[test]
fn removals() {
    let removed = Change::Removed;
    let mut config = stock();
    config
        .apply(&dropin("other.service", "x.conf", ""))
        .unwrap();
    config.apply(&dropin("a.service", "10-x.conf", "")).unwrap();
    let remove = |unit: &str, name: &str| Edit::RemoveDropin {
        unit: unit.to_owned(),
        name: name.to_owned(),
    };
    assert_eq!(
        config.apply(&remove("other.service", "x.conf")).unwrap(),
        removed
    );
    assert!(
        config.unit("other.service").is_none(),
        "nothing else was in it"
    );
    assert_eq!(
        config.apply(&remove("a.service", "10-x.conf")).unwrap(),
        removed
    );
    assert_eq!(
        config.unit("a.service").unwrap().json(),
        &json!({"contents": "[Unit]\n", "name": "a.service"})
    );
    let unit = Edit::RemoveUnit {
        name: "a.service".to_owned(),
    };
    assert_eq!(config.apply(&unit).unwrap(), removed);
    assert_eq!(config.apply(&unit).unwrap(), Change::Unchanged);
}

#[test]
fn a_refused_edit_changes_nothing() {
    let mut config = stock();
    let before = config.render();
    assert!(matches!(
        config.apply(&file("/var/d", 0o644, b"")),
        Err(Error::Taken {
            kind: "directory",
            ..
        })
    ));
    assert!(matches!(
        config.apply(&file("/var/l", 0o644, b"")),
        Err(Error::Taken { kind: "link", .. })
    ));
    assert_eq!(config.render(), before);

    let bare = br#"{"ignition":{"version":"3.2.0"}}"#;
    let mut config = Config::parse(bare).unwrap();
    for edit in [
        Edit::RemoveFile {
            path: "/a".to_owned(),
        },
        Edit::RemoveUnit {
            name: "a.service".to_owned(),
        },
        Edit::RemoveDropin {
            unit: "a.service".to_owned(),
            name: "x.conf".to_owned(),
        },
    ] {
        assert_eq!(config.apply(&edit).unwrap(), Change::Unchanged);
    }
    let mode = Edit::SetMode {
        path: "/a".to_owned(),
        mode: 0,
    };
    assert!(matches!(config.apply(&mode), Err(Error::Missing { .. })));
    assert_eq!(config.render(), bare);

    let mut old = Config::parse(br#"{"ignition":{"version":"2.2.0"}}"#).unwrap();
    assert!(matches!(
        old.apply(&file("/a", 0o644, b"")),
        Err(Error::ReadOnly { .. })
    ));
}

#[test]
fn null_is_as_absent() {
    let text = br#"{"ignition":{"version":"3.2.0"},"storage":null,"systemd":{"units":[null,{"name":null,"dropins":null}]}}"#;
    let mut config = Config::parse(text).unwrap();
    assert_eq!(config.units().count(), 2);
    config.apply(&file("/a", 0o644, b"x")).unwrap();
    config
        .apply(&Edit::SetDropin {
            unit: "b.service".to_owned(),
            name: "x.conf".to_owned(),
            contents: String::new(),
        })
        .unwrap();
    assert_eq!(config.file("/a").unwrap().bytes().unwrap().unwrap(), b"x");
}

#[test]
fn data_urls() {
    let decode = |source: &str| data_url::decode(source, None, 1000);
    for (source, bytes) in [
        ("data:,", &b""[..]),
        ("data:,a%20b%2c", b"a b,"),
        ("data:,a,b;c?d+e", b"a,b;c?d+e"),
        ("data:;base64,YQ==", b"a"),
        ("data:;base64,YR==", b"a"),
        ("data:text/plain;charset=utf-8;base64,YWI=", b"ab"),
        ("data:text/plain;base64=1,a", b"a"),
        ("data:;charset=\"utf-8\",%ff%00", b"\xff\0"),
    ] {
        assert_eq!(decode(source).as_deref(), Ok(bytes), "{source}");
    }
    for source in [
        "",
        "data:",
        "data:abc",
        "DATA:,a",
        "http://x/",
        "data:text;base64,YQ==",
        "data:;base64,YQ",
        "data:;base64,Y Q==",
        "data:;base64,YQ%3D%3D",
        "data:;base64,-_8=",
        "data:,a b",
        "data:,a\nb",
        "data:,é",
        "data:,%4",
        "data:,%zz",
        "data:,%+1",
        "data:text/plain;base64;charset=utf-8,YQ==",
        "data:;BASE64,YQ==",
    ] {
        let error = decode(source).unwrap_err();
        assert!(!error.to_string().contains("YQ"), "{source}");
    }
    let offset = decode("data:,ab c").unwrap_err().to_string();
    assert_eq!(
        offset,
        "character ' ' at offset 2 of the data must be percent-encoded"
    );
}

#[test]
fn decoding_has_a_cap() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 10 << 20]).unwrap();
    let bomb = gzip.finish().unwrap();
    let source = format!(
        "data:;base64,{}",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bomb)
    );
    let cap = data_url::Error::TooLarge { cap: 1 << 20 };
    assert_eq!(
        data_url::decode(&source, Some("gzip"), 1 << 20),
        Err(cap.clone())
    );
    let long = format!("data:,{}", "a".repeat((1 << 20) + 1));
    assert_eq!(data_url::decode(&long, None, 1 << 20), Err(cap));
    assert!(data_url::decode(&long, None, (1 << 20) + 1).is_ok());
    let short = data_url::decode("data:,no%20gzip", Some("gzip"), 100);
    assert_eq!(short, Err(data_url::Error::Gzip));
    let unknown = data_url::decode("data:,", Some("xz"), 100);
    assert!(matches!(unknown, Err(data_url::Error::Compression(_))));
}

#[test]
fn the_ladder_stops_when_it_fits_and_drops_nothing() {
    let script: String = (0..400).fold(String::new(), |s, i| {
        s + &format!("podman pull quay.io/x/y:{i}\n")
    });
    let base64 = |text: &str| {
        data_url::DataUrl::parse("data:text/plain;base64,")
            .unwrap()
            .with_bytes(text.as_bytes())
    };
    let mut value = json!({"ignition": {"version": "3.2.0"}, "x": 1, "storage": {"files": []}});
    for i in 0..5 {
        let entry =
            json!({"path": format!("/f{i}"), "contents": {"source": base64(&script[i * 7..])}});
        value["storage"]["files"]
            .as_array_mut()
            .unwrap()
            .push(entry);
    }
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    let config = Config::parse(&pretty).unwrap();

    let roomy = fit::fit(&pretty, &config, 1 << 20, &fit::packed_size);
    assert_eq!(
        (roomy.bytes.as_slice(), roomy.steps.len(), roomy.fits),
        (pretty.as_slice(), 0, true)
    );

    let tight = fit::fit(&pretty, &config, 10, &fit::packed_size);
    assert!(!tight.fits && tight.steps.len() == 3, "{tight:?}");
    assert!(tight.packed_bytes < roomy.packed_bytes, "{tight:?}");
    let after = Config::parse(&tight.bytes).unwrap();
    assert_eq!(after.json()["x"], 1);
    for (old, new) in config.files().zip(after.files()) {
        assert_eq!(old.bytes().unwrap(), new.bytes().unwrap());
    }
    let size: &dyn Fn(&[u8]) -> usize = &<[u8]>::len;
    let between = fit::fit(&pretty, &config, config.render().len(), size);
    assert_eq!(between.steps.len(), 1, "{between:?}");
    assert_eq!(between.bytes, config.render());
}

#[test]
fn gzip_inside_is_inflated_when_that_packs_better() {
    use std::io::Write as _;
    let text = "the same line again and again\n".repeat(500);
    let mut files = Vec::new();
    for i in 0..20 {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        write!(gzip, "{i}\n{text}").unwrap();
        let source = data_url::encode(&gzip.finish().unwrap());
        files.push(json!({"path": format!("/f{i}"), "contents": {"compression": "gzip", "source": source}}));
    }
    let config = config(&json!({"ignition": {"version": "3.2.0"}, "storage": {"files": files}}));
    let fitted = fit::fit(&config.render(), &config, 10, &fit::packed_size);
    let last = fitted.steps.last().unwrap();
    assert!(last.taken && last.kind == fit::Kind::Inflate, "{fitted:?}");
    let after = Config::parse(&fitted.bytes).unwrap();
    for (old, new) in config.files().zip(after.files()) {
        assert_eq!(new.contents().unwrap().compression(), None);
        assert_eq!(old.bytes().unwrap(), new.bytes().unwrap());
    }
}

#[test]
fn nothing_secret_in_debug() {
    let config = stock();
    let shown = format!(
        "{config:?} {:?} {:?} {:?} {:?}",
        config.file("/etc/a"),
        file("/etc/x", 0o600, b"aGk=hi-secret"),
        Secret(b"hi-secret".to_vec()),
        data_url::DataUrl::parse("data:,hi-secret").unwrap()
    );
    assert!(
        !shown.contains("aGk=") && !shown.contains("hi-secret"),
        "{shown}"
    );
}
