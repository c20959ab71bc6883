//! `precache partition` on an image file: the plan first, then the deed, then a refusal.

use super::run;

#[test]
fn plan_then_deed_then_refusal() {
    if snoforge::exec::run("mkfs.xfs", &["-V"]).is_err()
        || snoforge::exec::run("sgdisk", &["-V"]).is_err()
    {
        println!("skipped: mkfs.xfs or sgdisk is not installed");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let image = home.path().join("disk.img");
    fs_err::File::create(&image)
        .unwrap()
        .set_len(3 << 30)
        .unwrap();
    let path = image.to_str().unwrap();
    let plan = run(
        home.path(),
        &["precache", "partition", "-d", path, "-s", "2", "--dry-run"],
    )
    .expect(0);
    assert!(plan.stdout.contains("make"), "{}", plan.stdout);
    assert_eq!(
        fs_err::read(&image)
            .unwrap()
            .iter()
            .filter(|b| **b != 0)
            .count(),
        0,
        "a dry run writes nothing"
    );
    let unasked = run(
        home.path(),
        &["precache", "partition", "-d", path, "-s", "2"],
    )
    .expect(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let made = run(
        home.path(),
        &[
            "precache",
            "partition",
            "-d",
            path,
            "-s",
            "2",
            "--yes",
            "--output",
            "json",
        ],
    )
    .expect(0)
    .json();
    assert_eq!(made["applied"]["partition"]["number"], 1);
    let judged = snoforge::exec::run("sgdisk", &["-v", path]).unwrap();
    assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
    run(
        home.path(),
        &["precache", "partition", "-d", path, "-s", "2", "--yes"],
    )
    .expect(2);
    run(
        home.path(),
        &[
            "precache",
            "partition",
            "-d",
            "serial=NO-SUCH-DISK",
            "--yes",
        ],
    )
    .expect(2);
}
