//! Out of the payload: in a data directory, in a registry; what is wrong with it told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use snoforge::oci::Digest;

use super::images::{Family, image, tar};
use super::program::{run, snoforge};
use super::support::faulty::Faulty;
use super::world::{Is, World, layer, payload, program, replaced, sha256sum};

#[track_caller]
fn assert_file(path: &Path, bytes: &[u8], mode: u32) {
    assert!(
        fs_err::read(path).unwrap() == bytes,
        "{} has other bytes",
        path.display()
    );
    let found = fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(found, mode, "{}", path.display());
}

#[test]
fn all_three_out_of_a_data_directory() {
    let Some(mut world) = World::new() else {
        return;
    };
    let components = world.components("amd64");
    world.make(&components);
    world.download("amd64");
    let args = ["assets", "-f", "data", "--output", "json"];
    let first = run(world.home.path(), &args).expect(0).json();
    let files = world.path("data/files");
    assert_file(
        &files.join("openshift-install"),
        &world.made_installer("linux/amd64"),
        0o755,
    );
    assert_file(&files.join("oc"), &world.made_oc(), 0o755);
    assert_file(&files.join("rhcos-live.x86_64.iso"), &world.iso, 0o644);
    let rows = first["assets"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|r| r["asset"].as_str().unwrap()).collect();
    assert_eq!(names, ["installer", "live-iso", "oc"]);
    for row in rows {
        let path = world.path(row["file"].as_str().unwrap());
        assert_eq!(row["sha256"], format!("sha256:{}", sha256sum(&path)));
        assert_eq!(row["kept"], false);
        assert_eq!(row["version"], "4.13.1");
        // The images are named by digest, so that the same source is the same bytes.
        assert!(row["source"].as_str().unwrap().contains("@sha256:"));
    }
    // The data directory is still what it should be.
    run(world.home.path(), &["precache", "verify", "-f", "data"]).expect(0);

    // The second run takes nothing; one whose bytes changed is taken anew, and it alone.
    let kept = |of: &serde_json::Value| {
        let rows = of["assets"].as_array().unwrap().iter();
        rows.map(|r| r["kept"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    let second = run(world.home.path(), &args).expect(0).json();
    assert_eq!(kept(&second), [true, true, true]);
    let mut bytes = fs_err::read(files.join("openshift-install")).unwrap();
    bytes[5000] ^= 1;
    fs_err::write(files.join("openshift-install"), bytes).unwrap();
    let third = run(world.home.path(), &args).expect(0).json();
    assert_eq!(kept(&third), [false, true, true]);
    let installer = world.made_installer("linux/amd64");
    assert_file(&files.join("openshift-install"), &installer, 0o755);
    // Nothing unfinished stays.
    assert!(!files.join(".assets").exists());

    // One asset elsewhere, as a person reads it.
    let one = run(
        world.home.path(),
        &["assets", "oc", "-f", "data", "-o", "bin"],
    )
    .expect(0);
    assert!(one.stdout.contains("bin/oc"), "{}", one.stdout);
    assert!(!world.path("bin/openshift-install").exists());
    run(world.home.path(), &["assets", "-f", "data", "-r", "4.14.0"]).expect(2);
    run(
        world.home.path(),
        &["assets", "-f", "data", "--arch", "arm64"],
    )
    .expect(2);
}

#[test]
fn damage_and_gaps_in_the_data_directory_are_told() {
    let Some(mut world) = World::new() else {
        return;
    };
    let components = world.components("amd64");
    world.make(&components);
    world.download("amd64");
    let blob = |component: usize, layer: usize| {
        let digest = &components[component].1.blobs[layer + 1].0.digest;
        world.path("data/oci/blobs/sha256").join(digest.hex())
    };
    // A byte of the installer's layer is not what the digest says.
    let path = blob(0, 1);
    let good = fs_err::read(&path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs_err::write(&path, bad).unwrap();
    let wrong = run(world.home.path(), &["assets", "installer", "-f", "data"]).expect(7);
    assert!(wrong.stderr.contains("wrong bytes"), "{}", wrong.stderr);
    assert!(!world.path("data/files/openshift-install").exists());
    fs_err::write(&path, good).unwrap();
    // The ISO's image is gone.
    let manifest = components[2]
        .1
        .manifest
        .descriptor()
        .digest
        .hex()
        .to_owned();
    fs_err::remove_file(world.path("data/oci/blobs/sha256").join(&manifest)).unwrap();
    let absent = run(world.home.path(), &["assets", "live-iso", "-f", "data"]).expect(2);
    assert!(absent.stderr.contains(&manifest), "{}", absent.stderr);
    assert!(
        absent.stderr.contains("precache download"),
        "{}",
        absent.stderr
    );
    // The others are still to be had.
    run(
        world.home.path(),
        &["assets", "oc", "installer", "-f", "data"],
    )
    .expect(0);
    let none = run(world.home.path(), &["assets", "-f", "nowhere", "-o", "x"]).expect(2);
    assert!(none.stderr.contains("no inventory"), "{}", none.stderr);
}

#[test]
fn the_right_architecture_out_of_a_multi_release() {
    let Some(mut world) = World::new() else {
        return;
    };
    let arm = world.components("arm64");
    let other = program(40, &["IMAGE", "VERSION", "ARCHITECTURE"]);
    let tags: Vec<(&str, String)> = world
        .components("amd64")
        .into_iter()
        .zip(arm)
        .map(|((name, amd), (_, arm))| {
            // The amd64 installer differs from the one for arm64.
            let amd = if name == "installer" {
                let files = layer(&[("usr/bin/openshift-install", Is::File(&other))]);
                image(Family::Oci, "amd64", &[files])
            } else {
                amd
            };
            (name, world.push(&[amd, arm], Some(Family::Docker)))
        })
        .collect();
    let payloads = ["amd64", "arm64"].map(|arch| payload("4.13.1", &tags, arch));
    world.release = world.push(&payloads, Some(Family::Oci));
    let image = world.release.clone();
    let args = |arch: &'static str, out: &'static str| {
        let image = [
            "assets",
            "--release-image",
            &image,
            "--arch",
            arch,
            "-o",
            out,
        ];
        world
            .run(&[&image[..], &["--ignore-release-signature"]].concat())
            .expect(0);
    };
    args("arm64", "arm");
    args("amd64", "amd");
    // The list's digest is in it, not that of one of its entries.
    let platform = "multi (linux/amd64)";
    let made = world.made_installer(platform);
    assert_file(&world.path("arm/openshift-install"), &made, 0o755);
    assert_file(&world.path("arm/rhcos-live.aarch64.iso"), &world.iso, 0o644);
    let marks = [
        ("IMAGE", world.release.as_str()),
        ("VERSION", "4.13.1"),
        ("ARCHITECTURE", platform),
    ];
    let made = replaced(&other, &marks);
    assert_file(&world.path("amd/openshift-install"), &made, 0o755);
}

#[test]
fn what_a_release_does_not_have_or_cannot_name() {
    let Some(mut world) = World::new() else {
        return;
    };
    let mut components = world.components("amd64");
    // An installer without the place for its release; an oc without its version; an ISO that is not what its checksum says.
    let installer = program(1, &["VERSION"]);
    let layers = [layer(&[(
        "usr/bin/openshift-install",
        Is::File(&installer),
    )])];
    components[0].1 = image(Family::Docker, "amd64", &layers);
    components[1].1 = image(
        Family::Docker,
        "amd64",
        &[tar(&[("usr/bin/oc", b"an old oc")])],
    );
    let sum = Digest::of(b"another").hex().to_owned();
    components[2].1 = image(
        Family::Docker,
        "amd64",
        &[tar(&[
            ("coreos/coreos-x86_64.iso", b"iso"),
            ("coreos/coreos-x86_64.iso.sha256", sum.as_bytes()),
        ])],
    );
    world.make(&components);
    let image = world.release.clone();
    let take = |asset: &str| {
        let args = ["assets", asset, "--release-image", &image, "-o", "out"];
        world.run(&[&args[..], &["--ignore-release-signature"]].concat())
    };
    let unnamed = take("installer").expect(7);
    assert!(
        unnamed
            .stderr
            .contains("no place for the name of its release")
    );
    let old = take("oc").expect(0);
    assert!(
        old.stderr.contains("will not call itself 4.13.1"),
        "{}",
        old.stderr
    );
    assert_file(&world.path("out/oc"), b"an old oc", 0o755);
    let iso = take("live-iso").expect(7);
    assert!(
        iso.stderr.contains("its own checksum file"),
        "{}",
        iso.stderr
    );
    assert!(!world.path("out/rhcos-live.x86_64.iso").exists());
}

#[test]
fn files_that_a_release_lost_or_never_had() {
    let Some(mut world) = World::new() else {
        return;
    };
    // A release from before machine-os-images; an image that lost the file in an upper layer.
    let mut components = world.components("amd64");
    components.truncate(2);
    let installer = layer(&[("usr/bin/openshift-install", Is::File(b"lost"))]);
    components[0].1 = super::images::image(
        Family::Docker,
        "amd64",
        &[installer, tar(&[("usr/bin/.wh.openshift-install", b"")])],
    );
    world.make(&components);
    let image = world.release.clone();
    for asset in ["live-iso", "installer"] {
        let args = ["assets", asset, "--release-image", &image, "-o", "out"];
        let run = world.run(&[&args[..], &["--ignore-release-signature"]].concat());
        let missing = run.expect(3);
        assert!(missing.stderr.contains("looked for"), "{}", missing.stderr);
        assert!(
            missing.stderr.contains("--from-mirror"),
            "{}",
            missing.stderr
        );
    }
}

/// A release in a registry that can be slow; its pull spec.
fn paced(registry: &Faulty, iso: &[u8]) -> String {
    let installer = program(1, &["IMAGE", "VERSION"]);
    let add = |name: &str, tar: Vec<u8>| {
        let image = registry.add_image("ocp/art", name, &[super::images::gzip(&tar)]);
        image.pinned().to_string()
    };
    let components = [
        (
            "installer",
            add(
                "i",
                layer(&[("usr/bin/openshift-install", Is::File(&installer))]),
            ),
        ),
        (
            "machine-os-images",
            add("m", tar(&[("coreos/coreos-x86_64.iso", iso)])),
        ),
    ];
    let payload = payload("4.13.1", &components, "amd64");
    let layers: Vec<Vec<u8>> = payload.blobs[1..].iter().map(|(_, b)| b.to_vec()).collect();
    let release = registry.add_image("ocp/release", "v", &layers);
    release.pinned().to_string()
}

#[test]
fn a_tag_that_holds_another_release_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let registry = Faulty::start();
    let cli = format!("quay.io/ns/cli@sha256:{}", "a".repeat(64));
    let payload = payload("4.13.1", &[("cli", cli)], "amd64");
    let layers: Vec<Vec<u8>> = payload.blobs[1..].iter().map(|(_, b)| b.to_vec()).collect();
    let repository = "ocp/openshift-release-dev/ocp-release";
    registry.add_image(repository, "4.13.9-x86_64", &layers);
    let mirror = format!("http://{}/ocp", registry.host());
    let args = [
        "assets", "oc", "-r", "4.13.9", "-o", "out", "--mirror", &mirror,
    ];
    let args = [&args[..], &["--ignore-release-signature"]].concat();
    let moved = run(home.path(), &args).expect(7);
    let said = "release 4.13.9 was asked for";
    assert!(moved.stderr.contains(said), "{}", moved.stderr);
}

#[test]
fn a_killed_run_leaves_nothing_and_the_next_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let registry = Faulty::start();
    let iso = super::images::noise(5, 3_000_000);
    let release = paced(&registry, &iso);
    let args = [
        "assets",
        "installer",
        "live-iso",
        "--release-image",
        &release,
        "-o",
        "out",
        "--tls-verify=false",
        "--ignore-release-signature",
        "--output",
        "json",
    ];
    registry.pace(Some(Duration::from_millis(20)));
    let mut child = snoforge(home.path())
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = home.path().join("out");
    let under_way = || {
        let files = fs_err::read_dir(out.join(".assets")).into_iter().flatten();
        let sizes = files
            .flatten()
            .filter_map(|f| Some(f.metadata().ok()?.len()));
        out.join("openshift-install").exists() && sizes.max().unwrap_or(0) > 100_000
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    while !under_way() {
        assert!(Instant::now() < deadline, "the ISO was not begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.join("rhcos-live.x86_64.iso").exists());
    registry.pace(None);
    let done = run(home.path(), &args).expect(0).json();
    assert_eq!(done["assets"][0]["kept"], true);
    assert_eq!(done["assets"][1]["kept"], false);
    assert!(fs_err::read(out.join("rhcos-live.x86_64.iso")).unwrap() == iso);
    assert!(!out.join(".assets").exists());
}
