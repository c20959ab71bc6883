//! `precache partition` on an image file: the plan first, then the deed, then a refusal.

use std::path::Path;

use super::run;
use super::support::registry::installed;

fn blank(home: &Path) -> String {
    let image = home.join("disk.img");
    fs_err::File::create(&image)
        .unwrap()
        .set_len(3 << 30)
        .unwrap();
    image.to_str().unwrap().to_owned()
}

#[test]
fn nothing_is_written_before_a_yes() {
    let home = tempfile::tempdir().unwrap();
    let disk = blank(home.path());
    let line = ["precache", "partition", "-d", &disk, "-s", "2"];
    let plan = run(home.path(), &[&line[..], &["--dry-run"]].concat()).expect(0);
    assert!(plan.stdout.contains("make"), "{}", plan.stdout);
    let unasked = run(home.path(), &line).expect(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let start = &fs_err::read(&disk).unwrap()[..1 << 20];
    assert!(start.iter().all(|byte| *byte == 0), "no table was written");
    let nowhere = [
        "precache",
        "partition",
        "-d",
        "serial=NO-SUCH-DISK",
        "--yes",
    ];
    run(home.path(), &nowhere).expect(2);
}

#[test]
fn the_deed_is_done_once() {
    if !installed(&["mkfs.xfs", "sgdisk"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let disk = blank(home.path());
    let line = [
        "precache",
        "partition",
        "-d",
        &disk,
        "-s",
        "2",
        "--yes",
        "--output",
        "json",
    ];
    let made = run(home.path(), &line).expect(0).json();
    assert_eq!(made["applied"]["partition"]["number"], 1);
    let judged = snoforge::exec::run("sgdisk", &["-v", &disk]).unwrap();
    assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
    let again = run(home.path(), &line).expect(2);
    assert!(again.stderr.contains("hint:"), "{}", again.stderr);
}

#[test]
fn a_reset_with_nothing_to_remove_is_done_already() {
    if !installed(&["sgdisk"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let disk = blank(home.path());
    let made = ["-n1:0:+1M", "-n5:-1G:0", "-c5:data", &disk];
    snoforge::exec::run("sgdisk", &made).unwrap();
    let line = ["precache", "partition", "--reset", "--keep", "data"];
    let line = [&line[..], &["-d", &disk, "--yes"]].concat();
    let first = run(home.path(), &line).expect(0);
    assert!(first.stdout.contains("removed"), "{}", first.stdout);
    let image = fs_err::read(&disk).unwrap();
    let again = run(home.path(), &line).expect(0);
    assert!(again.stdout.contains("ready"), "{}", again.stdout);
    assert!(fs_err::read(&disk).unwrap() == image);
    let told = run(home.path(), &[&line[..], &["--output", "json"]].concat()).expect(0);
    assert!(told.json()["applied"].is_null());
}

#[test]
fn disks_are_listed() {
    let home = tempfile::tempdir().unwrap();
    let listed = run(home.path(), &["disk", "list", "--output", "json"]).expect(0);
    for disk in listed.json().as_array().unwrap() {
        assert!(disk["device"]["size_bytes"].as_u64().unwrap() > 0);
    }
    run(home.path(), &["disk", "list"]).expect(0);
}

#[test]
fn an_image_is_written_after_the_names_were_typed() {
    if !installed(&["script"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("stick.img"), vec![7; 3 << 20]).unwrap();
    for name in ["one", "two"] {
        fs_err::write(home.path().join(name), vec![0; 4 << 20]).unwrap();
    }
    let line = ["disk", "write", "stick.img", "one", "two"];
    let unasked = run(home.path(), &line).expect(2);
    assert!(
        unasked.stderr.contains("everything on"),
        "the plan comes first"
    );
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    run(home.path(), &[&line[..], &["--dry-run"]].concat()).expect(0);
    let written = |name: &str| {
        fs_err::read(home.path().join(name)).unwrap()[..3 << 20]
            .iter()
            .all(|b| *b == 7)
    };
    assert!(!written("one"));
    let program = env!("CARGO_BIN_EXE_snoforge");
    let typed = |answer: &str| {
        let command = format!(
            "cd {} && {program} {}",
            home.path().display(),
            line.join(" ")
        );
        let shell = format!("echo '{answer}' | script -qec '{command}' /dev/null");
        snoforge::exec::run("sh", &["-c", &shell])
    };
    assert!(typed("one").is_err());
    assert!(!written("one"));
    typed("one two").unwrap();
    assert!(written("one") && written("two"));
    let again = [&line[..], &["--yes", "--output", "json"]].concat();
    let report = &run(home.path(), &again).expect(0).json()["report"];
    assert_eq!(report["disks"][1]["state"], "was complete");
    assert_eq!(report["disks"][1]["writtenBytes"], 0);
}
