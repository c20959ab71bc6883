//! Full disks, read-only media, written sticks, changes that are cut off.

use std::path::Path;

use super::{Bench, CONFIG, is_root, large_config, program};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
    bench.write("c.ign", CONFIG);
    bench
}

fn run(program: &str, args: &[&str]) -> String {
    let output = assert_cmd::Command::new(program)
        .args(args)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Undone on drop.
struct Mount(String);

impl Mount {
    fn tmpfs(at: &Path, options: &str) -> Self {
        fs_err::create_dir_all(at).unwrap();
        let at = at.display().to_string();
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", &at]);
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = assert_cmd::Command::new("umount").arg(&self.0).output();
    }
}

struct Loop(String);

impl Loop {
    fn new(file: &Path, flags: &[&str]) -> Option<Self> {
        let file = file.display().to_string();
        let args = [flags, &["-f", "--show", &file]].concat();
        let output = assert_cmd::Command::new("losetup")
            .args(args)
            .output()
            .ok()?;
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !name.is_empty()).then_some(Self(name))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = assert_cmd::Command::new("losetup")
            .args(["-d", &self.0])
            .output();
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    if !is_root() {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    }
    let bench = bench();
    let small = bench.path("small");
    let _mount = Mount::tmpfs(&small, "size=600k");
    let error = bench.fails(
        6,
        &[
            "iso",
            "ignition",
            "embed",
            "-i",
            "c.ign",
            "-o",
            "small/out.iso",
            "live.iso",
        ],
    );
    assert!(error.contains("no room for small/out.iso"), "{error}");
    assert_eq!(fs_err::read_dir(&small).unwrap().count(), 0);
}

/// In place, growing runs into the end of the disk: the ISO is then as it was.
#[test]
fn a_full_disk_takes_the_change_back() {
    if !is_root() {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    }
    let bench = bench();
    let small = bench.path("small");
    let _mount = Mount::tmpfs(&small, "size=1800k");
    fs_err::copy(bench.path("live.iso"), small.join("live.iso")).unwrap();
    bench.write("big.ign", large_config(2_000_000));
    let error = bench.fails(
        6,
        &[
            "iso",
            "ignition",
            "embed",
            "-i",
            "big.ign",
            "small/live.iso",
        ],
    );
    assert!(
        error.contains("small/live.iso") && error.contains("No space left"),
        "{error}"
    );
    assert_eq!(bench.sha256("small/live.iso"), bench.sha256("live.iso"));
    assert_eq!(
        fs_err::read_dir(&small).unwrap().count(),
        1,
        "no journal stays"
    );
}

#[test]
fn read_only_places() {
    if !is_root() {
        eprintln!("skipped: mounting a read-only tmpfs needs root");
        return;
    }
    let bench = bench();
    let place = bench.path("place");
    let _mount = Mount::tmpfs(&place, "size=4m");
    fs_err::copy(bench.path("live.iso"), place.join("live.iso")).unwrap();
    run("mount", &["-o", "remount,ro", &place.display().to_string()]);
    let error = bench.fails(
        4,
        &["iso", "ignition", "embed", "-i", "c.ign", "place/live.iso"],
    );
    assert!(error.contains("place/live.iso"), "{error}");
    bench.fails(6, &["iso", "reset", "-o", "place/out.iso", "live.iso"]);
    bench.ok(&[
        "iso",
        "ignition",
        "embed",
        "-i",
        "c.ign",
        "-o",
        "out.iso",
        "place/live.iso",
    ]);
    assert_eq!(bench.ok(&["iso", "ignition", "show", "out.iso"]), CONFIG);
}

/// A stick that the ISO was written to: the device is larger, and its size says nothing.
#[test]
fn a_written_stick_is_patched_in_place() {
    if !is_root() || program("losetup").is_none() {
        eprintln!("skipped: loop devices need root");
        return;
    }
    let bench = bench();
    let live = fs_err::read(bench.path("live.iso")).unwrap();
    let mut stick = live.clone();
    stick.resize(16 << 20, 0xa5);
    bench.write("stick", &stick);
    let Some(device) = Loop::new(&bench.path("stick"), &[]) else {
        eprintln!("skipped: no loop device is to be had");
        return;
    };
    bench.write("big.ign", large_config(2_000_000));
    bench.ok(&["iso", "ignition", "embed", "-i", "c.ign", &device.0]);
    assert_eq!(bench.ok(&["iso", "ignition", "show", &device.0]), CONFIG);
    bench.ok(&["iso", "kargs", "modify", "-a", "x=1", &device.0]);
    bench.ok(&["iso", "ignition", "embed", "-f", "-i", "big.ign", &device.0]);
    bench.ok(&[
        "iso", "ignition", "embed", "-f", "-i", "c.ign", "-o", "copy.iso", &device.0,
    ]);
    assert!(
        fs_err::metadata(bench.path("copy.iso")).unwrap().len() < 4 << 20,
        "only the ISO is copied"
    );
    assert_eq!(bench.ok(&["iso", "ignition", "show", "copy.iso"]), CONFIG);
    bench.ok(&["iso", "reset", &device.0]);
    bench.fails(4, &["iso", "inspect", "/dev/no-such-stick"]);
    fs_err::create_dir(bench.path("at")).unwrap();
    let mounted = assert_cmd::Command::new("mount")
        .args(["-o", "ro", "-t", "iso9660", &device.0])
        .arg(bench.path("at"))
        .output()
        .unwrap();
    if mounted.status.success() {
        let error = bench.fails(4, &["iso", "ignition", "embed", "-i", "c.ign", &device.0]);
        run("umount", &[&bench.path("at").display().to_string()]);
        assert!(error.contains("hint: the device is mounted"), "{error}");
    }
    drop(device);
    let now = fs_err::read(bench.path("stick")).unwrap();
    assert!(
        now[..live.len()] == live,
        "the ISO on the stick is pristine"
    );
    assert!(
        !now.windows(17).any(|w| w == b"\"version\":\"3.2.0\""),
        "no config stays behind"
    );
    assert!(
        !bench.path(".local/state/snoforge").exists()
            || fs_err::read_dir(bench.path(".local/state/snoforge"))
                .unwrap()
                .count()
                == 0
    );
}

#[test]
fn a_stick_without_room_and_a_read_only_stick() {
    if !is_root() || program("losetup").is_none() {
        eprintln!("skipped: loop devices need root");
        return;
    }
    let bench = bench();
    bench.write("big.ign", large_config(2_000_000));
    let Some(device) = Loop::new(&bench.path("live.iso"), &[]) else {
        eprintln!("skipped: no loop device is to be had");
        return;
    };
    let error = bench.fails(3, &["iso", "ignition", "embed", "-i", "big.ign", &device.0]);
    assert!(error.contains("no room after the ISO"), "{error}");
    drop(device);
    let Some(device) = Loop::new(&bench.path("live.iso"), &["-r"]) else {
        return;
    };
    bench.ok(&["iso", "inspect", &device.0]);
    let embed = ["iso", "ignition", "embed", "-i", "c.ign", &device.0];
    let error = bench.fails(6, &embed);
    assert!(error.contains(&device.0), "{error}");
    bench.ok(&["iso", "inspect", &device.0]);
}

/// The process is killed in the middle: a journal lies beside the ISO, half of the change is written.
#[test]
fn the_next_use_takes_an_interrupted_change_back() {
    let bench = bench();
    let pristine = fs_err::read(bench.path("live.iso")).unwrap();
    bench.ok(&[
        "iso", "kargs", "modify", "-a", "first=1", "-o", "half.iso", "live.iso",
    ]);
    let after = fs_err::read(bench.path("half.iso")).unwrap();
    // What `in_place` writes before it touches the ISO.
    let at = pristine
        .iter()
        .zip(&after)
        .position(|(a, b)| a != b)
        .unwrap();
    let end = pristine.len()
        - pristine
            .iter()
            .rev()
            .zip(after.iter().rev())
            .position(|(a, b)| a != b)
            .unwrap();
    let mut journal = b"SNOFORGE JOURNL1".to_vec();
    for number in [pristine.len() as u64, pristine.len() as u64] {
        journal.extend(number.to_le_bytes());
    }
    journal.extend(1_u32.to_le_bytes());
    journal.extend((at as u64).to_le_bytes());
    for _ in 0..2 {
        journal.extend(u32::try_from(end - at).unwrap().to_le_bytes());
    }
    journal.extend(&pristine[at..end]);
    journal.extend(&after[at..end]);
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&journal);
    journal.extend(digest);
    let mut torn = pristine.clone();
    torn[at..at + 7].copy_from_slice(&after[at..at + 7]);
    bench.write("live.iso", &torn);
    bench.write(".live.iso.snoforge-journal", &journal);
    // A link leads to the same journal.
    fs_err::os::unix::fs::symlink("live.iso", bench.path("link.iso")).unwrap();
    let run = bench.run(&["iso", "kargs", "show", "link.iso"]);
    assert!(String::from_utf8_lossy(&run.stderr).contains("taken back"));
    assert!(run.status.success());
    assert!(fs_err::read(bench.path("live.iso")).unwrap() == pristine);
    assert!(!bench.path(".live.iso.snoforge-journal").exists());
    // The journal of another ISO is not believed.
    bench.write(".other.iso.snoforge-journal", &journal);
    bench.write("other.iso", "something else");
    let error = bench.fails(7, &["iso", "inspect", "other.iso"]);
    assert!(error.contains("delete the journal"), "{error}");
    // Nor does it outlive the ISO that it is about.
    bench.ok(&["iso", "reset", "--force", "-o", "other.iso", "live.iso"]);
    bench.ok(&["iso", "inspect", "other.iso"]);
    assert!(!bench.path(".other.iso.snoforge-journal").exists());
}

#[test]
fn two_at_once_are_refused() {
    let bench = bench();
    let file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .open(bench.path("live.iso"))
        .unwrap();
    file.file().lock().unwrap();
    let error = bench.fails(4, &["iso", "ignition", "embed", "-i", "c.ign", "live.iso"]);
    assert!(error.contains("another process"), "{error}");
    drop(file);
    bench.ok(&["iso", "ignition", "embed", "-i", "c.ign", "live.iso"]);
}
