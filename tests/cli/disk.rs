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
