//! Real disks (loop devices): asked for, partitioned, filled, known again.

use snoforge::exec;

use super::Bench;
use super::support::registry::installed;

/// A loop device that goes away with the test.
struct Loop(String);

impl Loop {
    fn new(bench: &Bench, image: &str) -> Self {
        let file = bench.path(image);
        let args = [
            "-f".as_ref(),
            "--show".as_ref(),
            "-P".as_ref(),
            file.as_os_str(),
        ];
        let device = String::from_utf8(exec::run("losetup", &args).unwrap()).unwrap();
        Self(device.trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = exec::run("losetup", &["-d", &self.0]);
    }
}

/// Whether loop devices can be had; says why not.
fn possible() -> bool {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return false;
    }
    if !installed(&["losetup", "mkfs.xfs", "mkfs.ext4", "partx"]) {
        return false;
    }
    if exec::run("losetup", &["-f"]).is_err() {
        eprintln!("skipped: no loop devices");
        return false;
    }
    true
}

#[test]
fn disks_are_asked_for_filled_and_known_again() {
    if !possible() {
        return;
    }
    let bench = Bench::new();
    for image in ["one.img", "two.img"] {
        let file = fs_err::File::create(bench.path(image)).unwrap();
        file.set_len(2 << 30).unwrap();
    }
    let (one, two) = (Loop::new(&bench, "one.img"), Loop::new(&bench, "two.img"));
    let disks = format!(
        "- device: {}\n  size: 1\n- device: {}\n  size: 1\n  fs: ext4\n  number: 5\n",
        one.0, two.0
    );
    bench.edit("- image: out/data.img\n  size: 1\n", &disks);
    bench.run(&["check"]).expect(0);
    let plan = bench.build(&["--dry-run"]).expect(0);
    assert!(plan.stderr.contains(&one.0), "{}", plan.stderr);
    // Nobody said yes: not even the download begins.
    let refused = bench.build(&[]).expect(2);
    assert!(
        refused.stderr.contains("--yes was not given"),
        "{}",
        refused.stderr
    );
    assert!(!bench.path("data").exists());
    let done = bench.build(&["--yes"]).expect(0).json();
    let all = [
        "+inventory",
        "+download",
        "+partition",
        "+partition",
        "+copy",
        "+isos",
    ];
    assert_eq!(Bench::steps(&done), all);
    for device in [&one.0, &two.0] {
        let device = device.as_str();
        let again = bench.run(&[
            "precache",
            "copy",
            "data",
            device,
            "--dry-run",
            "--output",
            "json",
        ]);
        let again = again.expect(0).json();
        assert_eq!(again["destinations"][0]["missingBytes"], 0, "{again}");
    }
    known_again(bench, one);
}

/// What the next runs know of the disks.
fn known_again(mut bench: Bench, one: Loop) {
    bench.unplug();
    let skipped = ["inventory", "download", "disk", "disk", "isos"];
    assert_eq!(Bench::steps(&bench.build(&[]).expect(0).json()), skipped);
    // One is on its way to the site.
    let lost = one.0.clone();
    drop(one);
    let away = bench.build(&[]).expect(0);
    assert!(
        away.stderr.contains("not plugged in now"),
        "{lost}: {}",
        away.stderr
    );
    assert_eq!(Bench::steps(&away.json()), skipped);
    // Without the report it is not known, and its partition stays what it is.
    fs_err::remove_file(bench.path("out/report.json")).unwrap();
    let one = Loop::new(&bench, "one.img");
    // Where the kernel has no GPT parser.
    let _ = exec::run("partx", &["-a", &one.0]);
    bench.edit(&lost, &one.0);
    let copied = bench.build(&[]).expect(0).json();
    assert_eq!(
        Bench::steps(&copied),
        ["inventory", "download", "+copy", "+isos"]
    );
}
