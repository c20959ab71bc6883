//! Downloads that are interrupted, killed, edited and failed, against a registry that we pace and break.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use snoforge::oci::Digest;

use super::support::faulty::{Fault, Faulty, Rule};
use super::{Run, run, snoforge};

/// A registry with `images` images on one shared layer, and a mapping file of them.
fn set(images: usize) -> (tempfile::TempDir, Faulty, String) {
    let home = tempfile::tempdir().unwrap();
    let registry = Faulty::start();
    let shared = noise(0, 2_000_000);
    let mut mapping = String::new();
    for i in 0..images {
        let own = noise(i + 1, 300_000);
        let image = registry.add_image(&format!("ns/i{i}"), "v1", &[shared.clone(), own]);
        writeln!(mapping, "{}=ns/i{i}:v1", image.pinned()).unwrap();
    }
    let path = home.path().join("mapping.txt");
    fs_err::write(&path, mapping).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (home, registry, path)
}

fn noise(seed: usize, size: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

fn args<'a>(mapping: &'a str, to: &'a Path) -> Vec<&'a str> {
    let to = to.to_str().unwrap();
    vec![
        "precache",
        "download",
        "--mapping",
        mapping,
        "-f",
        to,
        "--tls-verify=false",
        "--parallel",
        "3",
        "--output",
        "json",
    ]
}

fn start(home: &Path, args: &[&str]) -> Child {
    snoforge(home)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a partial blob has bytes.
fn until_under_way(to: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let partial = |dir: PathBuf| {
        let entries = fs_err::read_dir(dir).into_iter().flatten().flatten();
        entries
            .filter_map(|e| e.metadata().ok())
            .any(|meta| meta.len() > 100_000)
    };
    while !partial(to.join(".partial")) {
        assert!(Instant::now() < deadline, "no partial blob appeared");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait(mut child: Child) -> Run {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    Run {
        code: child.wait().unwrap().code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

fn signal(child: &Child, name: &str) {
    snoforge::exec::run("kill", &[format!("-{name}"), child.id().to_string()]).unwrap();
}

#[test]
fn ctrl_c_keeps_what_is_there_and_goes_on() {
    let (home, registry, mapping) = set(4);
    let to = home.path().join("data");
    registry.pace(Some(Duration::from_millis(30)));
    let child = start(home.path(), &args(&mapping, &to));
    until_under_way(&to);
    signal(&child, "INT");
    let stopped = wait(child).expect(130);
    assert!(
        stopped.stderr.contains("run the same command again"),
        "{}",
        stopped.stderr
    );
    assert_eq!(stopped.json()["interrupted"], true);
    registry.pace(None);
    let sent = registry.bytes_sent();
    let done = run(home.path(), &args(&mapping, &to)).expect(0).json();
    assert_eq!(done["complete"], true);
    let (fetched, unique) = (
        done["bytesFetched"].as_u64().unwrap(),
        done["bytesUnique"].as_u64().unwrap(),
    );
    assert!(
        fetched < unique,
        "the second run fetched {fetched} of {unique}"
    );
    assert!(
        registry.bytes_sent() - sent < unique,
        "and the registry sent no more than that"
    );
    run(
        home.path(),
        &["precache", "verify", "-f", to.to_str().unwrap()],
    )
    .expect(0);
}

#[test]
fn kill_9_loses_nothing_that_was_complete() {
    let (home, registry, mapping) = set(3);
    let to = home.path().join("data");
    registry.pace(Some(Duration::from_millis(20)));
    for _ in 0..3 {
        let child = start(home.path(), &args(&mapping, &to));
        std::thread::sleep(Duration::from_millis(350));
        signal(&child, "KILL");
        wait(child);
    }
    registry.pace(None);
    run(home.path(), &args(&mapping, &to)).expect(0);
    run(
        home.path(),
        &["precache", "verify", "-f", to.to_str().unwrap(), "--deep"],
    );
    let verified = run(
        home.path(),
        &[
            "precache",
            "verify",
            "-f",
            to.to_str().unwrap(),
            "--output",
            "json",
        ],
    )
    .expect(0)
    .json();
    assert_eq!(verified["findings"], serde_json::json!([]));
}

#[test]
fn one_failed_image_does_not_stop_the_others() {
    let (home, registry, mapping) = set(3);
    let to = home.path().join("data");
    let broken = fs_err::read_to_string(&mapping).unwrap();
    let (broken, _) = broken.lines().nth(1).unwrap().split_once('=').unwrap();
    let layer = registry
        .add_image("ns/i1", "v1", &[noise(0, 2_000_000), noise(2, 300_000)])
        .layers[1]
        .digest
        .clone();
    registry.remove_blob(&layer);
    let part = run(home.path(), &args(&mapping, &to)).expect(8);
    let json = part.json();
    assert_eq!(
        (
            &json["downloaded"],
            json["failed"].as_array().unwrap().len()
        ),
        (&serde_json::json!(2), 1)
    );
    assert_eq!(json["failed"][0]["image"], broken);
    assert!(
        part.stderr.contains("run the same command again"),
        "{}",
        part.stderr
    );
    registry.add_blob("application/octet-stream", noise(2, 300_000));
    let rest = run(home.path(), &args(&mapping, &to)).expect(0).json();
    assert_eq!(
        (&rest["downloaded"], &rest["skipped"]),
        (&serde_json::json!(1), &serde_json::json!(2))
    );
}

#[test]
fn a_second_download_into_the_same_directory_is_refused() {
    let (home, registry, mapping) = set(2);
    let to = home.path().join("data");
    registry.pace(Some(Duration::from_millis(50)));
    let child = start(home.path(), &args(&mapping, &to));
    until_under_way(&to);
    let refused = run(home.path(), &args(&mapping, &to)).expect(4);
    assert!(
        refused.stderr.contains("in use by another snoforge"),
        "{}",
        refused.stderr
    );
    signal(&child, "KILL");
    wait(child);
}

#[test]
fn wrong_bytes_are_never_kept() {
    let (home, registry, mapping) = set(1);
    let to = home.path().join("data");
    registry.rule(Rule::new(Fault::WrongBytes).on("/blobs/").always());
    let failed = run(home.path(), &args(&mapping, &to)).expect(7);
    assert!(failed.stderr.contains(" sent sha256:"), "{}", failed.stderr);
    let blobs = fs_err::read_dir(to.join("oci/blobs/sha256"))
        .unwrap()
        .count();
    assert_eq!(blobs, 1, "the manifest alone");
}

#[test]
fn damage_on_the_disk_is_dropped_and_fetched_again() {
    let (home, _registry, mapping) = set(1);
    let to = home.path().join("data");
    run(home.path(), &args(&mapping, &to)).expect(0);
    let largest = fs_err::read_dir(to.join("oci/blobs/sha256")).unwrap();
    let largest = largest
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| fs_err::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs_err::read(&largest).unwrap();
    bytes[1000] ^= 1;
    fs_err::remove_file(&largest).unwrap();
    fs_err::write(&largest, bytes).unwrap();

    let folder = to.to_str().unwrap();
    let verify = ["precache", "verify", "-f", folder];
    let found = run(home.path(), &verify).expect(7);
    assert!(found.stderr.contains("--drop-damaged"), "{}", found.stderr);
    assert!(largest.exists());
    run(home.path(), &[&verify[..], &["--drop-damaged"]].concat()).expect(7);
    assert!(!largest.exists());
    run(home.path(), &args(&mapping, &to)).expect(0);
    run(home.path(), &verify).expect(0);
}

#[test]
fn a_file_beside_the_images_is_resumed() {
    let (home, registry, mapping) = set(1);
    let to = home.path().join("data");
    let bytes = noise(9, 500_000);
    let blob = registry.add_blob("application/octet-stream", bytes.clone());
    let url = format!("http://{}/v2/ns/i0/blobs/{}", registry.host(), blob.digest);
    let files = to.join("files");
    fs_err::create_dir_all(&files).unwrap();
    let name = blob.digest.to_string();
    // What came of another version of the file must not be continued.
    let partial = |etag: &str| {
        let version = Digest::of(etag.as_bytes()).hex()[..12].to_owned();
        files.join(format!("{name}.{version}.partial"))
    };
    fs_err::write(partial("other"), noise(10, 200_000)).unwrap();
    fs_err::write(partial(&format!("\"{name}\"")), &bytes[..123_456]).unwrap();
    run(
        home.path(),
        &[&args(&mapping, &to)[..], &["--rootfs-url", &url]].concat(),
    )
    .expect(0);
    assert_eq!(fs_err::read(files.join(&name)).unwrap(), bytes);
    assert_eq!(fs_err::read_dir(&files).unwrap().count(), 1);
    let seen = registry.seen();
    let ranged = seen
        .iter()
        .filter(|s| s.line.contains(&name))
        .any(|s| s.headers.get("range").is_some_and(|r| r == "bytes=123456-"));
    assert!(ranged, "the rest was asked for by Range");
}
