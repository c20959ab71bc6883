//! The demo, and its data through every verb that reads a data directory: verify, list, prune, export, serve, push.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use snoforge::exec;
use snoforge::store::{IndexEntry, Store};

use super::support::registry::{DockerRegistry, Guard, installed};
use super::{run, snoforge};

/// The demo's output, made once: a home directory with `out/` in it.
fn sample() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        run(
            home.path(),
            &["demo", home.path().join("out").to_str().unwrap()],
        )
        .expect(0);
        home
    });
    made.path()
}

pub(super) fn data() -> PathBuf {
    sample().join("out/data")
}

/// A copy that a test may damage.
fn copy_of_data() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("data");
    exec::run(
        "cp",
        &["-a".as_ref(), data().as_os_str(), target.as_os_str()],
    )
    .unwrap();
    let text = target.to_str().unwrap().to_owned();
    (dir, text)
}

#[test]
fn the_demo_leaves_what_it_says() {
    let out = sample().join("out");
    for file in [
        "imageset.yaml",
        "inventory/inventory.json",
        "inventory/mapping.txt",
        "data/snoforge.json",
        "data/inventory.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let read = |name: &str| fs_err::read_to_string(out.join(name)).unwrap();
    assert_eq!(
        read("inventory/mapping.txt"),
        read("data/mapping.txt"),
        "same inputs, same bytes"
    );
    assert!(read("data/ai-images.txt").contains("assisted-installer"));
    assert!(
        read("data/ocp-images.txt").contains("quay.io/openshift-release-dev/ocp-release@sha256:")
    );
    let disk = out.join("data-disk.img");
    if installed(&["sgdisk"]) {
        let judged = exec::run("sgdisk", &["-v".as_ref(), disk.as_os_str()]).unwrap();
        assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
    }
}

#[test]
fn verify_finds_damage_and_says_which_image() {
    let (dir, data) = copy_of_data();
    run(dir.path(), &["precache", "verify", "-f", &data, "--deep"]).expect(0);
    let blobs = Path::new(&data).join("oci/blobs/sha256");
    let biggest = fs_err::read_dir(&blobs)
        .unwrap()
        .flatten()
        .max_by_key(|e| e.metadata().unwrap().len())
        .unwrap()
        .path();
    let mut bytes = fs_err::read(&biggest).unwrap();
    bytes[1000] ^= 1;
    fs_err::remove_file(&biggest).unwrap();
    fs_err::write(&biggest, bytes).unwrap();
    fs_err::write(blobs.join("0".repeat(64)), b"stray").unwrap();
    let bad = run(dir.path(), &["precache", "verify", "-f", &data]).expect(7);
    assert!(
        bad.stdout.contains("wrong bytes") && bad.stdout.contains("needed by"),
        "{}",
        bad.stdout
    );
    assert!(bad.stdout.contains("nothing names it"), "{}", bad.stdout);
    run(dir.path(), &["precache", "prune", "-f", &data]).expect(0);
    let json = run(
        dir.path(),
        &["precache", "verify", "-f", &data, "--output", "json"],
    )
    .expect(7)
    .json();
    assert_eq!(
        json["findings"].as_array().unwrap().len(),
        1,
        "the stray one is gone: {json}"
    );
}

#[test]
fn list_counts_each_image_once() {
    let listed = run(
        sample(),
        &[
            "precache",
            "list",
            "-f",
            data().to_str().unwrap(),
            "--output",
            "json",
        ],
    )
    .expect(0)
    .json();
    let mapping = fs_err::read_to_string(data().join("mapping.txt")).unwrap();
    assert_eq!(
        listed["images"].as_array().unwrap().len(),
        mapping.lines().count()
    );
    assert!(listed["uniqueBytes"].as_u64() < listed["wholeBytes"].as_u64());
}

#[test]
fn exports_are_read_by_skopeo() {
    if !installed(&["skopeo", "tar"]) {
        return;
    }
    let (dir, data) = copy_of_data();
    let ocp = fs_err::read_to_string(Path::new(&data).join("ocp-images.txt")).unwrap();
    let image = ocp.lines().find(|line| line.contains("art-dev")).unwrap();
    let out = dir.path().join("tgz");
    run(
        dir.path(),
        &[
            "precache",
            "export",
            "-f",
            &data,
            "--format",
            "dir-tgz",
            image,
            "-o",
            out.to_str().unwrap(),
        ],
    )
    .expect(0);
    let archive = fs_err::read_dir(&out)
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    exec::run(
        "tar",
        &[
            "-xzf".as_ref(),
            archive.as_os_str(),
            "-C".as_ref(),
            dir.path().as_os_str(),
        ],
    )
    .unwrap();
    let name = archive.file_stem().unwrap().to_str().unwrap();
    let inspected = exec::run(
        "skopeo",
        &[
            "inspect",
            "--raw",
            &format!("dir:{}/{name}", dir.path().display()),
        ],
    )
    .unwrap();
    let digest = snoforge::oci::Digest::of(&inspected).to_string();
    assert!(image.ends_with(&digest), "{image} {digest}");
}

/// `precache serve` as a child; ends with it.
struct Served(Child, String);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn serve(home: &Path, data: &str) -> Served {
    let mut child = snoforge(home)
        .args([
            "precache",
            "serve",
            "-f",
            data,
            "--listen",
            "127.0.0.1:0",
            "--output",
            "json",
            "--progress",
            "json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    Served(child, said["listen"].as_str().unwrap().to_owned())
}

#[test]
fn skopeo_pulls_from_serve_what_the_release_says() {
    if !installed(&["skopeo"]) {
        return;
    }
    let served = serve(sample(), data().to_str().unwrap());
    let ocp = fs_err::read_to_string(data().join("ocp-images.txt")).unwrap();
    for image in ocp.lines().take(3) {
        let (_, path) = image.split_once('/').unwrap();
        let at = format!("docker://{}/{path}", served.1);
        let raw = exec::run("skopeo", &["inspect", "--raw", "--tls-verify=false", &at]).unwrap();
        assert!(
            image.ends_with(&snoforge::oci::Digest::of(&raw).to_string()),
            "{image}"
        );
    }
}

fn mirror_conf(dir: &Path, host: &str) -> String {
    let entry =
        |name: &str| format!("[[registry]]\nprefix = \"{name}\"\nlocation = \"{host}/ocp\"\n");
    let path = dir.join("registries.conf");
    fs_err::write(
        &path,
        ["quay.io", "registry.redhat.io"].map(entry).join("\n"),
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

/// The whole sample, all architectures of every list, as a store.
fn whole_sample(dir: &Path) -> Store {
    let sample = snoforge::demo::sample::make().unwrap();
    let store = Store::create(dir).unwrap();
    for (digest, bytes) in &sample.blobs {
        snoforge::io::atomic::write(&store.blob_path(digest), bytes).unwrap();
    }
    let mut entries = Vec::new();
    for (reference, manifest) in &sample.manifests {
        store.put_manifest(manifest).unwrap();
        entries.push(IndexEntry::new(reference, manifest.descriptor().clone()));
    }
    store.replace_index(entries).unwrap();
    store
}

/// Push to a real registry, then download from it, by a mapping file: every byte went through their code.
fn through_docker_registry(guard: Guard, flags: impl Fn(&DockerRegistry) -> Vec<String>) {
    let Some(registry) = DockerRegistry::start(guard) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let flags = flags(&registry);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (whole, target) = (home.path().join("whole"), format!("{}/ocp", registry.host));
    whole_sample(&whole);
    let push = ["precache", "push", "-f", whole.to_str().unwrap(), &target];
    run(home.path(), &[&push[..], &flags].concat()).expect(0);
    let conf = mirror_conf(home.path(), &registry.host);
    let sizes = [&[][..], &["--all-arch"]].map(|arch| {
        let to = home.path().join(format!("to{}", arch.len()));
        let more = [arch, &["--registries-conf", &conf], &flags].concat();
        download_twice(home.path(), &to, &more)
    });
    assert!(
        sizes[0] < sizes[1],
        "one architecture is less than all: {sizes:?}"
    );
}

/// Downloads what the sample's mapping names, again, and verifies; returns the bytes on the disk.
fn download_twice(home: &Path, to: &Path, flags: &[&str]) -> Option<u64> {
    let (mapping, to_text) = (data().join("mapping.txt"), to.to_str().unwrap());
    let line = [
        "precache",
        "download",
        "--mapping",
        mapping.to_str().unwrap(),
        "-f",
        to_text,
    ];
    let line = [&line[..], &["--output", "json"], flags].concat();
    let first = run(home, &line).expect(0).json();
    assert_eq!(first["downloaded"], first["totalImages"]);
    assert_eq!(first["complete"], true);
    let again = run(home, &line).expect(0).json();
    assert_eq!(again["skipped"], first["totalImages"]);
    assert_eq!(again["bytesFetched"], 0);
    run(home, &["precache", "verify", "-f", to_text, "--deep"]).expect(0);
    let read = |dir: &Path| fs_err::read_to_string(dir.join("ocp-images.txt")).unwrap();
    assert_eq!(read(to), read(&data()));
    let list = run(
        home,
        &["precache", "list", "-f", to_text, "--output", "json"],
    );
    list.expect(0).json()["uniqueBytes"].as_u64()
}

#[test]
fn plain_registry() {
    through_docker_registry(Guard::Plain, |_| vec!["--tls-verify=false".to_owned()]);
}

#[test]
fn registry_with_a_private_ca() {
    through_docker_registry(Guard::Tls, |registry| {
        vec![
            "--cert-dir".to_owned(),
            registry.cert_dir().display().to_string(),
        ]
    });
}

#[test]
fn registry_with_a_password() {
    through_docker_registry(Guard::Password, |registry| {
        let auth = registry.dir.path().join("auth.json");
        // user:hunter2
        fs_err::write(
            &auth,
            format!(
                r#"{{"auths":{{"{}":{{"auth":"dXNlcjpodW50ZXIy"}}}}}}"#,
                registry.host
            ),
        )
        .unwrap();
        vec![
            "--tls-verify=false".to_owned(),
            "--authfile".to_owned(),
            auth.display().to_string(),
        ]
    });
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let Some(registry) = DockerRegistry::start(Guard::Password) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let auth = home.path().join("auth.json");
    // user:geheim!!
    fs_err::write(
        &auth,
        format!(
            r#"{{"auths":{{"{}":{{"auth":"dXNlcjpnZWhlaW0hIQ=="}}}}}}"#,
            registry.host
        ),
    )
    .unwrap();
    let (from, target) = (data(), format!("{}/ocp", registry.host));
    let failed = run(
        home.path(),
        &[
            "precache",
            "push",
            "-f",
            from.to_str().unwrap(),
            &target,
            "--tls-verify=false",
            "--authfile",
            auth.to_str().unwrap(),
            "-vv",
        ],
    )
    .expect(5);
    for secret in ["geheim", "dXNlcjpnZWhlaW0hIQ"] {
        assert!(
            !failed.stderr.contains(secret) && !failed.stdout.contains(secret),
            "{}",
            failed.stderr
        );
    }
    assert!(failed.stderr.contains("hint:"), "{}", failed.stderr);
}
