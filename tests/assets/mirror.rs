//! From a mirror: names found in `sha256sum.txt`, digests checked, downloads that go on.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use snoforge::oci::Digest;

use super::images::noise;
use super::program::{Run, run, snoforge};
use super::web::Web;
use super::world::archive;

const CLIENTS: &str = "/pub/openshift-v4/x86_64/clients/ocp/4.13.1";
const RHCOS: &str = "/pub/openshift-v4/x86_64/dependencies/rhcos/4.13/latest";
const ISO: &str = "rhcos-4.13.10-x86_64-live.x86_64.iso";

struct Mirror {
    web: Web,
    home: tempfile::TempDir,
    iso: Vec<u8>,
}

fn line(name: &str, bytes: &[u8]) -> String {
    format!("{}  {name}\n", Digest::of(bytes).hex())
}

impl Mirror {
    fn new() -> Self {
        let web = Web::start();
        let iso = noise(3, 2_000_000);
        let files = [
            (
                "openshift-install-linux-4.13.1.tar.gz",
                archive("openshift-install", b"the installer"),
            ),
            (
                "openshift-client-linux-4.13.1.tar.gz",
                archive("oc", b"the client"),
            ),
            ("openshift-install-mac-4.13.1.tar.gz", b"mac".to_vec()),
        ];
        let mut sums = String::new();
        for (name, bytes) in &files {
            web.put(&format!("{CLIENTS}/{name}"), bytes);
            sums.push_str(&line(name, bytes));
        }
        web.put(&format!("{CLIENTS}/sha256sum.txt"), sums.as_bytes());
        web.put(&format!("{RHCOS}/{ISO}"), &iso);
        let rootfs = "rhcos-4.13.10-x86_64-live-rootfs.x86_64.img";
        let sums =
            line(rootfs, b"rootfs") + &line("rhcos-live.x86_64.iso", &iso) + &line(ISO, &iso);
        web.put(&format!("{RHCOS}/sha256sum.txt"), sums.as_bytes());
        Self {
            web,
            home: tempfile::tempdir().unwrap(),
            iso,
        }
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let base = format!("{}/pub/openshift-v4/", self.web.url);
        let args = ["assets", "-r", "4.13.1", "-o", "out", "--output", "json"];
        let args = [&args[..], &["--from-mirror", &base], more].concat();
        args.into_iter().map(str::to_owned).collect()
    }

    fn run(&self, more: &[&str]) -> Run {
        let args = self.args(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(self.home.path(), &args)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.home.path().join("out").join(name)).unwrap()
    }

    fn exists(&self, name: &str) -> bool {
        self.home.path().join("out").join(name).exists()
    }
}

#[test]
fn all_three_from_a_mirror_and_nothing_twice() {
    let mirror = Mirror::new();
    let done = mirror.run(&[]).expect(0).json();
    assert_eq!(mirror.read("openshift-install"), b"the installer");
    assert_eq!(mirror.read("oc"), b"the client");
    assert!(mirror.read("rhcos-live.x86_64.iso") == mirror.iso);
    let source = done["assets"][1]["source"].as_str().unwrap();
    // The name that says the version, of the two that the list has.
    assert!(source.contains(ISO), "{source}");
    mirror.web.seen();
    let again = mirror.run(&[]).expect(0).json();
    let kept = |i: usize| again["assets"][i]["kept"].as_bool().unwrap();
    assert!((0..3).all(kept), "{again}");
    let seen = mirror.web.seen();
    assert!(seen.iter().all(|s| s.contains("sha256sum.txt")), "{seen:?}");
    // What the mirror replaced is fetched again.
    let new = archive("openshift-install", b"the repaired installer");
    let name = "openshift-install-linux-4.13.1.tar.gz";
    mirror.web.put(&format!("{CLIENTS}/{name}"), &new);
    let sums = line(name, &new);
    mirror
        .web
        .put(&format!("{CLIENTS}/sha256sum.txt"), sums.as_bytes());
    mirror.run(&["installer"]).expect(0);
    assert_eq!(mirror.read("openshift-install"), b"the repaired installer");
}

#[test]
fn wrong_digests_and_missing_names() {
    let mirror = Mirror::new();
    let mut bad = mirror.iso.clone();
    bad[1_000_000] ^= 1;
    mirror.web.put(&format!("{RHCOS}/{ISO}"), &bad);
    let wrong = mirror.run(&["live-iso"]).expect(7);
    assert!(
        wrong.stderr.contains("sha256sum.txt says"),
        "{}",
        wrong.stderr
    );
    assert!(!mirror.exists("rhcos-live.x86_64.iso"));
    // The wrong bytes do not stay to be taken for a download that is done.
    mirror.web.put(&format!("{RHCOS}/{ISO}"), &mirror.iso);
    mirror.run(&["live-iso"]).expect(0);
    assert!(mirror.read("rhcos-live.x86_64.iso") == mirror.iso);

    mirror
        .web
        .put(&format!("{CLIENTS}/sha256sum.txt"), b"no digest  oc\n");
    let missing = mirror.run(&["oc"]).expect(5);
    let name = "openshift-client-linux-4.13.1.tar.gz";
    assert!(missing.stderr.contains(name), "{}", missing.stderr);
    let absent = mirror.run(&["live-iso", "--rhcos", "4.13.0"]).expect(5);
    assert!(absent.stderr.contains("is not there"), "{}", absent.stderr);
    let hostile = mirror
        .run(&["live-iso", "--rhcos", "4.13.0/../x"])
        .expect(2);
    assert!(hostile.stderr.contains("--rhcos"), "{}", hostile.stderr);
    // Nobody gets to read a password: not in the record, and not on the way.
    let login = mirror.web.url.replace("://", "://user:hunter2@");
    let named = [
        "assets",
        "-r",
        "4.13.1",
        "-o",
        "out",
        "--from-mirror",
        &login,
    ];
    let named = run(mirror.home.path(), &named).expect(2);
    assert!(
        named.stderr.contains("has a user in it"),
        "{}",
        named.stderr
    );
    assert!(!(named.stdout + &named.stderr).contains("hunter2"));
    // An archive that is what the list says, and has no program in it.
    let empty = archive("other", b"x");
    mirror.web.put(&format!("{CLIENTS}/{name}"), &empty);
    mirror.web.put(
        &format!("{CLIENTS}/sha256sum.txt"),
        line(name, &empty).as_bytes(),
    );
    let without = mirror.run(&["oc"]).expect(5);
    assert!(
        without.stderr.contains("has no oc in it"),
        "{}",
        without.stderr
    );
}

#[test]
fn a_killed_download_goes_on_where_it_was() {
    let mirror = Mirror::new();
    mirror.web.stall_after(Some(700_000));
    let mut child = snoforge(mirror.home.path())
        .args(mirror.args(&["live-iso"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let work = mirror.home.path().join("out/.assets");
    let deadline = Instant::now() + Duration::from_mins(1);
    while partial(&work) < 500_000 {
        assert!(Instant::now() < deadline, "nothing came");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let there = partial(&work);
    mirror.web.stall_after(None);
    mirror.web.seen();
    mirror.run(&["live-iso"]).expect(0);
    let seen = mirror.web.seen();
    let expected = format!("GET {RHCOS}/{ISO} {there}");
    assert!(seen.contains(&expected), "{expected}: {seen:?}");
    assert!(mirror.read("rhcos-live.x86_64.iso") == mirror.iso);
    assert_eq!(partial(&work), 0);
}

/// Bytes of the unfinished download.
fn partial(work: &Path) -> u64 {
    let files = fs_err::read_dir(work).into_iter().flatten().flatten();
    let sizes = files.filter_map(|f| Some(f.metadata().ok()?.len()));
    sizes.sum()
}
