//! Flags, refusals and exit codes, on every ISO at hand.

use super::{Bench, CONFIG, KEYFILE, isos, large_config};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
    bench.write("c.ign", CONFIG);
    bench.write("a.nmconnection", KEYFILE);
    bench
}

#[test]
fn re_authored_isos_are_recognised() {
    let isos = isos();
    let Some((_, iso)) = isos.iter().find(|(name, _)| name == "made-long-names") else {
        return;
    };
    let bench = Bench::new();
    bench.write("live.iso", iso);
    bench.write("c.ign", CONFIG);
    bench.ok(&["iso", "ignition", "embed", "-i", "c.ign", "live.iso"]);
    bench.ok(&["iso", "kargs", "modify", "-a", "x=1", "live.iso"]);
    assert_eq!(bench.ok(&["iso", "ignition", "show", "live.iso"]), CONFIG);
    assert!(
        bench
            .ok(&["iso", "kargs", "show", "live.iso"])
            .ends_with(" x=1\n")
    );
    bench.ok(&["iso", "reset", "live.iso"]);
    assert!(fs_err::read(bench.path("live.iso")).unwrap() == *iso);
}

#[test]
fn input_that_is_no_live_iso() {
    let bench = bench();
    bench.write("empty.iso", "");
    bench.write("zero.iso", vec![0; 100_000]);
    bench.write("packed.iso", b"\x1f\x8b\x08\0and more");
    let live = fs_err::read(bench.path("live.iso")).unwrap();
    bench.write("short.iso", &live[..900_000]);
    for (file, code, message) in [
        ("none.iso", 4, "cannot open none.iso"),
        (
            "empty.iso",
            2,
            "the file ends before the volume descriptors do",
        ),
        ("zero.iso", 2, "not a sound ISO 9660 image"),
        ("packed.iso", 2, "compressed with gzip"),
        ("short.iso", 2, "incomplete: it has 900000 bytes of 1048576"),
        (".", 2, "neither a file nor a block device"),
    ] {
        for verb in [
            &["inspect"][..],
            &["ignition", "show"],
            &["reset"],
            &["kargs", "show"],
        ] {
            let error = bench.fails(code, &[&["iso"], verb, &[file]].concat());
            assert!(error.contains(message), "{file}: {error}");
            assert!(!error.contains("panicked"), "{error}");
        }
    }
}

#[test]
fn forcing() {
    let bench = bench();
    let embed = ["iso", "ignition", "embed", "-i", "c.ign", "live.iso"];
    bench.ok(&embed);
    let error = bench.fails(2, &embed);
    assert!(
        error.contains("already") && error.contains("hint: add --force"),
        "{error}"
    );
    bench.ok(&[&embed[..], &["-f"]].concat());
    let network = [
        "iso",
        "network",
        "embed",
        "-k",
        "a.nmconnection",
        "live.iso",
    ];
    bench.ok(&network);
    bench.fails(2, &network);
    bench.ok(&[&network[..], &["--force"]].concat());
    // An output that is there is refused before anything is done, and so is the input as output.
    bench.write("there.iso", "mine");
    let error = bench.fails(2, &["iso", "reset", "live.iso", "-o", "there.iso"]);
    assert!(error.contains("there.iso exists already"), "{error}");
    assert_eq!(fs_err::read(bench.path("there.iso")).unwrap(), b"mine");
    let error = bench.fails(2, &["iso", "reset", "live.iso", "-f", "-o", "./live.iso"]);
    assert!(error.contains("the ISO itself"), "{error}");
    bench.ok(&["iso", "reset", "live.iso", "-f", "-o", "there.iso"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs_err::metadata(bench.path("there.iso"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "keys of a cluster may be in it");
}

#[test]
fn nothing_to_show() {
    let bench = bench();
    assert!(
        bench
            .fails(2, &["iso", "ignition", "show", "live.iso"])
            .contains("no embedded Ignition")
    );
    assert!(
        bench
            .fails(2, &["iso", "network", "extract", "live.iso"])
            .contains("no embedded network")
    );
    let before = bench.sha256("live.iso");
    bench.ok(&["iso", "ignition", "remove", "live.iso"]);
    bench.ok(&["iso", "network", "remove", "live.iso"]);
    bench.ok(&["iso", "kargs", "modify", "live.iso"]);
    assert_eq!(bench.sha256("live.iso"), before);
}

#[test]
fn wrong_content_is_refused_before_anything_is_written() {
    let bench = bench();
    let before = bench.sha256("live.iso");
    bench.write("bad.ign", "not json");
    bench.write("two.ign", r#"{"ignition":{"version":"2.2.0"}}"#);
    bench.write("name.txt", KEYFILE);
    bench.write("hollow.nmconnection", "nothing\n");
    for (args, message) in [
        (
            &["ignition", "embed", "-i", "bad.ign", "live.iso"][..],
            "bad.ign:1:",
        ),
        (
            &["ignition", "embed", "-i", "two.ign", "live.iso"],
            "too old",
        ),
        (
            &["ignition", "embed", "-i", "none.ign", "live.iso"],
            "cannot read none.ign",
        ),
        (
            &["network", "embed", "-k", "name.txt", "live.iso"],
            ".nmconnection",
        ),
        (
            &["network", "embed", "-k", "hollow.nmconnection", "live.iso"],
            "[connection]",
        ),
        (
            &[
                "network",
                "embed",
                "-k",
                "a.nmconnection",
                "-k",
                "./a.nmconnection",
                "live.iso",
            ],
            "several",
        ),
        (
            &["kargs", "modify", "-a", "a=x;y", "live.iso"],
            "everything after it is lost",
        ),
        (
            &["kargs", "modify", "-a", "a={x}", "live.iso"],
            "would not boot",
        ),
        (
            &["kargs", "modify", "-a", "a\nb", "live.iso"],
            "ends the arguments",
        ),
        (&["kargs", "modify", "-r", "a=1", "live.iso"], "KEY=OLD=NEW"),
    ] {
        let error = bench.fails(2, &[&["iso"], args, &["-o", "out.iso"]].concat());
        assert!(error.contains(message), "{args:?}: {error}");
        assert!(!bench.path("out.iso").exists());
        bench.fails(2, &[&["iso"], args].concat());
    }
    assert_eq!(bench.sha256("live.iso"), before);
}

#[test]
fn the_longest_arguments() {
    let bench = bench();
    let default = bench.ok(&["iso", "kargs", "show", "live.iso"]);
    let room = 1115 - default.trim().len() - 2;
    let fits = "x".repeat(room);
    let error = bench.fails(
        2,
        &[
            "iso",
            "kargs",
            "modify",
            "-a",
            &format!("{fits}x"),
            "live.iso",
        ],
    );
    assert!(
        error.contains("1116 bytes, the embed areas hold 1115"),
        "{error}"
    );
    bench.ok(&["iso", "kargs", "modify", "-a", &fits, "live.iso"]);
    assert_eq!(
        bench.ok(&["iso", "kargs", "show", "live.iso"]),
        format!("{} {fits}\n", default.trim())
    );
    assert_eq!(
        bench.ok(&["iso", "kargs", "show", "-d", "live.iso"]),
        default
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let bench = bench();
    let before = bench.sha256("live.iso");
    let out = bench.ok(&[
        "iso",
        "ignition",
        "embed",
        "-i",
        "c.ign",
        "--dry-run",
        "live.iso",
    ]);
    assert!(out.contains("bytes at 116736"), "{out}");
    let json = bench.ok(&[
        "iso",
        "kargs",
        "modify",
        "-a",
        "x",
        "--dry-run",
        "--output",
        "json",
        "live.iso",
    ]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["written"], false);
    assert_eq!(json["regions"].as_array().unwrap().len(), 2);
    bench.ok(&["iso", "reset", "--dry-run", "-o", "new.iso", "live.iso"]);
    assert!(!bench.path("new.iso").exists());
    assert_eq!(bench.sha256("live.iso"), before);
}

#[test]
fn a_config_that_does_not_fit() {
    let bench = bench();
    let text = large_config(500_000);
    bench.write("big.ign", &text);
    let error = bench.fails(
        2,
        &[
            "iso", "ignition", "embed", "--exact", "-i", "big.ign", "live.iso", "-o", "o.iso",
        ],
    );
    assert!(error.contains("the embed area holds 262144"), "{error}");
    assert!(!bench.path("o.iso").exists());
    let run = bench.run(&[
        "iso", "ignition", "embed", "-i", "big.ign", "live.iso", "-o", "o.iso",
    ]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        said.contains("compact JSON") && said.contains("moved it to the end"),
        "{said}"
    );
    assert!(bench.ok(&["iso", "ignition", "show", "o.iso"]) == text);
    assert!(
        bench
            .ok(&["iso", "inspect", "o.iso"])
            .contains("moved to the end")
    );
    bench.ok(&["iso", "ignition", "remove", "o.iso"]);
    assert_eq!(bench.sha256("o.iso"), bench.sha256("live.iso"));
}

/// Base64 of text packs badly: re-encoding makes this one fit without moving anything.
#[test]
fn re_encoding_makes_a_config_fit() {
    use base64::Engine as _;
    let bench = bench();
    let body = super::noise(370_000).to_ascii_lowercase();
    let encoded = base64::engine::general_purpose::STANDARD.encode(body);
    let text = format!(
        r#"{{"ignition":{{"version":"3.2.0"}},"storage":{{"files":[{{"path":"/f","mode":420,"contents":{{"source":"data:;base64,{encoded}"}}}}]}}}}"#
    );
    bench.write("b64.ign", &text);
    let before = fs_err::metadata(bench.path("live.iso")).unwrap().len();
    let run = bench.run(&["iso", "ignition", "embed", "-i", "b64.ign", "live.iso"]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && said.contains("re-encode data URLs"),
        "{said}"
    );
    assert!(!said.contains("moved"), "{said}");
    assert_eq!(
        fs_err::metadata(bench.path("live.iso")).unwrap().len(),
        before
    );
    assert!(
        bench
            .ok(&["iso", "ignition", "show", "live.iso"])
            .contains("data:,")
    );
}

#[test]
fn extraction_stays_in_its_directory() {
    let bench = bench();
    bench.ok(&["iso", "extract", "live.iso", "-o", "all"]);
    assert!(bench.path("all/EFI/redhat/grub.cfg").is_file());
    bench.ok(&[
        "iso",
        "extract",
        "live.iso",
        "coreos",
        "images/ignition.img",
        "-o",
        "some",
    ]);
    assert!(bench.path("some/coreos/kargs.json").is_file());
    assert!(!bench.path("some/EFI").exists());
    let error = bench.fails(2, &["iso", "extract", "live.iso", "coreos", "-o", "some"]);
    assert!(error.contains("exists already"), "{error}");
    assert!(
        bench
            .fails(2, &["iso", "extract", "live.iso", "no/such"])
            .contains("no file `no/such`")
    );
    // A name that leads out of the directory.
    let mut iso = fs_err::read(bench.path("live.iso")).unwrap();
    let evil = b"../../x";
    for at in 0..iso.len() - 7 {
        if &iso[at..at + 7] == b"vmlinuz" {
            iso[at..at + 7].copy_from_slice(evil);
        }
    }
    bench.write("evil.iso", iso);
    bench.fails(2, &["iso", "extract", "evil.iso", "-o", "evil"]);
    assert!(!bench.path("x").exists() && !bench.path("../x").exists());
}

#[test]
fn keyfiles_come_out_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = bench();
    bench.ok(&[
        "iso",
        "network",
        "embed",
        "-k",
        "a.nmconnection",
        "live.iso",
    ]);
    bench.ok(&["iso", "network", "extract", "-C", "out", "live.iso"]);
    let file = bench.path("out/a.nmconnection");
    assert_eq!(fs_err::read_to_string(&file).unwrap(), KEYFILE);
    assert_eq!(
        fs_err::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let error = bench.fails(6, &["iso", "network", "extract", "-C", "out", "live.iso"]);
    assert!(error.contains("a.nmconnection"), "{error}");
}
