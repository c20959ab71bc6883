//! The verb as a person types it: exit codes, JSON, disks and image files.
#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is a child process"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use snoforge::exec;

use super::{flip_a_bit, skipped, source};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_snoforge"))
        .arg("precache")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn expect(args: &[&str], code: i32) -> (Value, String) {
    let output = run(&[args, &["--output", "json"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (json, stderr)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn plan_copy_and_what_goes_wrong() {
    let source = source();
    let (root, a, b) = (source.root(), source.at("a"), source.at("b"));
    let (root, a, b) = (text(&root), text(&a), text(&b));
    let (plan, _) = expect(&["copy", root, a, b, "--dry-run"], 0);
    assert_eq!(plan["destinations"][1]["missingBytes"], plan["bytes"]);
    assert!(!Path::new(a).exists());
    let (report, _) = expect(&["copy", root, a, b], 0);
    assert_eq!(report["destinations"][0]["state"], "complete");
    assert_eq!(report["destinations"][0]["copiedBytes"], plan["bytes"]);
    source.assert_whole(Path::new(b));
    let table = run(&["copy", root, a]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("DESTINATION") && table.contains("complete"),
        "{table}"
    );

    let (_, said) = expect(&["copy", root, root], 2);
    assert!(
        said.contains("given twice") && said.contains("hint:"),
        "{said}"
    );
    let (_, said) = expect(&["copy", root, "/no/such/directory"], 2);
    assert!(
        said.contains("/no/such") && said.contains("hint:"),
        "{said}"
    );
    expect(&["copy", a, "serial=NO-SUCH-DISK"], 2);
    expect(&["copy", root, text(&source.at("new.img"))], 2);
    expect(&["copy", text(source.dir.path()), a], 2);
    expect(&["copy", root], 2);

    // One destination is busy, the other is not.
    let store = snoforge::store::Store::open(Path::new(a)).unwrap();
    let held = store.lock().unwrap();
    let (report, said) = expect(&["copy", root, a, b], 8);
    assert_eq!(report["destinations"][0]["state"], "failed");
    assert_eq!(report["destinations"][1]["state"], "complete");
    assert!(said.contains("in use by another"), "{said}");
    expect(&["copy", root, a], 4);
    drop(held);

    let layer = &source.images[0].blobs[2].0;
    flip_a_bit(&source.store().blob_path(&layer.digest));
    let c = source.at("c");
    let (report, said) = expect(&["copy", root, text(&c)], 7);
    assert_eq!(report["destinations"][0]["state"], "incomplete");
    assert!(
        said.contains("needed by registry.example/ns/docker:1"),
        "{said}"
    );
    // What has it already is not concerned.
    expect(&["copy", root, a], 0);
}

#[test]
fn interrupted_it_says_how_to_go_on() {
    let source = super::source_of(64 << 20);
    let (root, a) = (source.root(), source.at("a"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_snoforge"))
        .args(["precache", "copy", text(&root), text(&a)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !a.join(".partial").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    exec::run("kill", &["-INT", &child.id().to_string()]).unwrap();
    let mut stderr = String::new();
    std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
    let code = child.wait().unwrap().code();
    // A machine that is fast enough was done before.
    if code != Some(0) {
        assert_eq!(code, Some(130), "{stderr}");
        assert!(
            stderr.contains("hint: run the same command again"),
            "{stderr}"
        );
        assert!(!a.join("oci/index.json").exists());
    }
    expect(&["copy", text(&root), text(&a)], 0);
    source.assert_whole(&a);
}

/// An image file with a partition of its own number and label at its end.
fn disk(path: &Path, label: &str, filesystem: &str) {
    fs_err::File::create(path)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let path = text(path);
    let name = format!("-c5:{label}");
    exec::run("sgdisk", &["-n1:0:+1M", "-n5:-600M:0", &name, path]).unwrap();
    let shown = exec::run("sgdisk", &["-i5", path]).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    let first = shown.lines().find_map(|l| l.strip_prefix("First sector: "));
    let first: u64 = first.unwrap().split(' ').next().unwrap().parse().unwrap();
    let offset = first * 512;
    let offset = offset.to_string();
    let size = (590_u64 << 20).to_string();
    let attached = Loop::new(&["-o", &offset, "--sizelimit", &size], path);
    exec::run(&format!("mkfs.{filesystem}"), &["-q", &attached.0]).unwrap();
}

/// A loop device that goes away with the test.
struct Loop(String);

impl Loop {
    fn new(options: &[&str], image: &str) -> Self {
        let args = [&["-f", "--show"], options, &[image]].concat();
        let device = String::from_utf8(exec::run("losetup", &args).unwrap()).unwrap();
        Self(device.trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = exec::run("losetup", &["-d", &self.0]);
    }
}

#[test]
fn disks_and_image_files_are_mounted_and_unmounted() {
    if skipped(true, &["sgdisk", "mkfs.xfs", "mkfs.ext4", "losetup"]) {
        return;
    }
    if exec::run("losetup", &["-f"]).is_err() {
        eprintln!("skipped: no loop devices");
        return;
    }
    let source = source();
    let (root, one, two) = (source.root(), source.at("one.img"), source.at("two.img"));
    disk(&one, "data", "xfs");
    disk(&two, "data", "ext4");
    let (root, one, two) = (text(&root), text(&one), text(&two));
    let mounts = || fs_err::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let (report, _) = expect(&["copy", root, one, two], 0);
    assert_eq!(report["destinations"][1]["state"], "complete");
    assert_eq!(
        before.matches("snoforge-").count(),
        mounts().matches("snoforge-").count()
    );
    let (_, said) = expect(&["copy", root, one, one], 2);
    assert!(said.contains("the same data partition"), "{said}");
    let (_, said) = expect(&["copy", root, one, "--label", "date"], 2);
    assert!(said.contains("labelled `date`"), "{said}");
    // A mounted one is refused, and not unmounted for the user.
    let attached = Loop::new(&["-P"], one);
    let device = &attached.0;
    // Where the kernel has no GPT parser.
    let _ = exec::run("partx", &["-a", device]);
    let at = source.at("mounted");
    fs_err::create_dir(&at).unwrap();
    let partition = format!("{device}p5");
    exec::run("mount", &[&partition, text(&at)]).unwrap();
    let refused: Vec<_> = [device, &partition].map(|d| run(&["copy", root, d])).into();
    let by_directory = run(&["copy", root, text(&at)]);
    exec::run("umount", &[text(&at)]).unwrap();
    let by_partition = run(&["copy", root, &partition]);
    drop(attached);
    for output in refused {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(
            said.contains("is mounted at") && said.contains("name the directory"),
            "{said}"
        );
    }
    assert_eq!(by_directory.status.code(), Some(0), "{by_directory:?}");
    assert_eq!(by_partition.status.code(), Some(0), "{by_partition:?}");
    // From a disk, too.
    let back = source.at("back");
    expect(&["copy", one, text(&back)], 0);
    source.assert_whole(&back);
    let (again, _) = expect(&["copy", two, one], 0);
    assert_eq!(again["destinations"][0]["copiedBytes"], 0);
    let judged = exec::run("sgdisk", &["-v", one]).unwrap();
    assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
}

#[test]
fn a_delta_is_made_and_brought() {
    let source = source();
    source.copy(&["site"]);
    let site = snoforge::store::Store::open(&source.at("site")).unwrap();
    let layer = &source.images[0].blobs[0].0;
    fs_err::remove_file(site.blob_path(&layer.digest)).unwrap();
    let (old, new, delta) = (source.at("site"), source.root(), source.at("delta"));
    let line = ["delta", text(&old), text(&new), "-o", text(&delta)];
    let (planned, _) = expect(&[&line[..], &["--dry-run"]].concat(), 0);
    assert!(planned["destinations"][0]["leftOutBytes"].as_u64().unwrap() > 0);
    assert!(!delta.exists());
    expect(&line, 0);
    expect(&["copy", text(&delta), text(&old)], 0);
    source.assert_whole(&old);
    let other = source.at("other");
    let (_, said) = expect(&["copy", text(&delta), text(&other)], 2);
    assert!(said.contains("another image set"), "{said}");
}
