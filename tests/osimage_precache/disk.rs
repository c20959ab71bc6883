//! The data directory: what is fetched, kept, replaced, and what is refused.

use serde_json::{Value, json};

use super::images::{Image, tar};
use super::program::run;
use super::world::{World, labelled, machine, rules, snapshot};

/// A release on the disk, and an OS image in the registry.
fn start() -> Option<(World, Image, String)> {
    let world = World::new("4.18.1")?;
    world.download(None);
    let image = world.os_image("one");
    let name = world.push("os/rhcos", &image);
    Some((world, image, name))
}

#[test]
fn a_plan_writes_nothing() {
    let Some((world, _, name)) = start() else {
        return;
    };
    let before = snapshot(&world.path("data"));
    let planned = world.precache(&name, &["--dry-run", "--manifests", "cluster"]);
    assert_eq!(planned["prebuilt"], "os-image-url");
    assert_eq!(planned["operator"], world.operator.as_str());
    assert_eq!(rules(&planned), ["frozen-os", "no-manifests"]);
    let state = (&planned["complete"], &planned["dryRun"]);
    assert_eq!(state, (&false.into(), &true.into()));
    assert_eq!(snapshot(&world.path("data")), before);
    assert!(!world.path("cluster").exists());
}

#[test]
fn both_images_beside_what_download_put_there() {
    let Some((world, image, name)) = start() else {
        return;
    };
    let done = world.precache(&name, &[]);
    let state = (&done["complete"], &done["release"]);
    assert_eq!(state, (&true.into(), &"4.18.1".into()));
    // Its configuration, its own layer, its manifest: the base's layers are there, and so is the operator.
    let blobs = [0, 3].map(|i: usize| image.blobs[i].0.size);
    let new = blobs.iter().sum::<u64>() + image.manifest.descriptor().size;
    assert_eq!(done["bytesFetched"], new, "{done}");
    assert_eq!(rules(&done), ["frozen-os"], "{done}");
    world.verify();
    let pruned = run(world.home.path(), &["precache", "prune", "-f", "data"]).expect(0);
    assert_eq!(pruned.stdout.trim(), "nothing to remove");

    assert_eq!(world.lock().images.len(), 5);
    let mapping = world.read("data/mapping.txt");
    assert!(mapping.contains(&format!("{name}=os/rhcos:latest\n")));
    assert!(world.read("data/ocp-images.txt").contains(&name));
    assert!(!world.read("data/ai-images.txt").contains(&name));
    assert!(world.read("data/oci/index.json").contains(&name));
    let header: Value = serde_json::from_str(&world.read("data/snoforge.json")).unwrap();
    let group = header["groups"]["ocp"].as_array().unwrap();
    assert!(group.contains(&name.as_str().into()));
    assert_eq!(header["inventory"], world.lock().digest().to_string());
}

#[test]
fn the_lines_of_a_mapping_name_the_release_too() {
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    let line =
        |image: &str, name: &str| format!("{image}=openshift/release:4.18.1-x86_64-{name}\n");
    let lines = [
        line(&world.operator, "machine-config-operator"),
        line(&world.base, "rhel-coreos"),
    ];
    fs_err::write(world.path("mapping.txt"), lines.concat()).unwrap();
    let args = [
        "precache",
        "download",
        "--mapping",
        "mapping.txt",
        "-f",
        "data",
    ];
    world.run(&args).expect(0);
    let name = world.push("os/rhcos", &world.os_image("one"));
    let done = world.precache(&name, &[]);
    let found = (&done["release"], &done["operator"]);
    assert_eq!(found, (&"4.18.1".into(), &world.operator.as_str().into()));
    assert_eq!(
        rules(&done),
        ["frozen-os"],
        "the base is known as well: {done}"
    );
    world.verify();
}

#[test]
fn a_later_download_keeps_them_and_a_later_run_needs_no_registry() {
    let Some((mut world, _, name)) = start() else {
        return;
    };
    world.precache(&name, &[]);
    let lock = world.lock();
    world.download(None);
    assert_eq!(world.lock(), lock, "the same question");
    let image = labelled(machine(), &json!({}), &[tar(&[("x", b"x")])]);
    let extra = world.push("tools/extra", &image);
    world.download(Some(&extra));
    let sources: Vec<_> = world
        .lock()
        .images
        .iter()
        .map(|i| i.source.to_string())
        .collect();
    assert!(
        sources.contains(&name) && sources.contains(&extra),
        "{sources:?}"
    );
    assert!(world.read("data/oci/index.json").contains(&name));
    world.verify();

    world.registry = None;
    let again = world.precache(&name, &["--manifests", "cluster"]);
    let state = (&again["complete"], &again["bytesFetched"]);
    assert_eq!(state, (&true.into(), &0.into()));
    let manifest = "cluster/openshift/99_openshift-machineconfig_99-master-os-image.yaml";
    assert!(world.path(manifest).is_file());
}

#[test]
fn another_image_of_the_pool_takes_the_place_of_the_first() {
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    // A directory of its own; the release is looked up in its payload.
    let release = world.release_flags("4.18.1");
    let (first, second) = (world.os_image("first"), world.os_image("second"));
    let one = world.push("os/rhcos", &first);
    let two = world.push("os/rhcos", &second);
    let done = world.precache(&one, &release);
    assert_eq!(done["operator"], world.operator.as_str());
    assert_eq!(
        rules(&done),
        ["frozen-os"],
        "built on the release's base: {done}"
    );
    world.verify();
    let lock = world.lock();
    let operator = lock
        .images
        .iter()
        .find(|i| i.source.to_string() == world.operator);
    let arch = std::env::consts::ARCH;
    let destination = format!("openshift/release:4.18.1-{arch}-machine-config-operator");
    assert_eq!(operator.unwrap().destination, destination);

    let done = world.precache(&two, &release);
    assert_eq!(done["replaces"], json!([one]));
    let blobs = world.path("data/oci/blobs/sha256");
    let own = |image: &Image| blobs.join(image.blobs[3].0.digest.hex());
    assert!(own(&first).exists(), "nothing is taken away before prune");
    run(world.home.path(), &["precache", "prune", "-f", "data"]).expect(0);
    assert!(!own(&first).exists() && own(&second).exists());
    world.verify();
    assert!(!world.read("data/oci/index.json").contains(&one));
}

#[test]
fn an_interrupted_fetch_goes_on() {
    let Some((world, image, name)) = start() else {
        return;
    };
    // The registry loses the image's own layer for a while.
    let hex = image.blobs[3].0.digest.hex();
    let data = world.registry.as_ref().unwrap().dir.path().join("data");
    let blob = data.join(format!(
        "docker/registry/v2/blobs/sha256/{}/{hex}/data",
        &hex[..2]
    ));
    let away = blob.with_extension("away");
    fs_err::rename(&blob, &away).unwrap();
    let args = [
        "osimage",
        "precache",
        "-f",
        "data",
        &name,
        "--manifests",
        "cluster",
        "--output",
        "json",
    ];
    let cut = world.run(&args).expect(8);
    assert_eq!(cut.json()["complete"], false);
    assert!(cut.stderr.contains(&name), "{}", cut.stderr);
    assert!(
        !world.path("cluster").exists(),
        "no manifest before the image"
    );
    assert!(
        !world.read("data/oci/index.json").contains(&name),
        "no name for half an image"
    );
    let missing = run(world.home.path(), &["precache", "verify", "-f", "data"]).expect(7);
    assert!(
        missing.stdout.contains(&format!("needed by {name}")),
        "{}",
        missing.stdout
    );
    assert!(
        world.read("data/oci/index.json").contains(&world.operator),
        "the others keep theirs"
    );

    fs_err::rename(&away, &blob).unwrap();
    let done = world.run(&args).expect(0).json();
    assert_eq!(done["bytesFetched"], image.blobs[3].0.size);
    world.verify();
}

#[test]
fn what_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "1".repeat(64));
    let pinned = format!("r.example.com/os/rhcos@{digest}");
    let deep = format!("r.example.com/a/b/rhcos@{digest}");
    let operator = ["--mco-image", &*format!("r.example.com/mco@{digest}")].map(str::to_owned);
    let with = |more: &[&str]| -> Vec<String> {
        let more = more.iter().map(|s| (*s).to_owned());
        operator.iter().cloned().chain(more).collect()
    };
    for (image, more, said) in [
        ("r.example.com/os/rhcos:v1", vec![], "must be pinned"),
        (
            &*format!("r.example.com/os/rhcos:v1@{digest}"),
            vec![],
            "no tag may stand before `@`",
        ),
        (
            &pinned,
            vec!["--pool".to_owned(), "worker".to_owned()],
            "a single node is in pool master alone",
        ),
        (&pinned, vec![], "name the release with -r X.Y.Z"),
        (
            &pinned,
            with(&[]),
            "name it with -r, or choose with --prebuilt",
        ),
        (&pinned, with(&["-r", "4.12.9"]), "from 4.13 on"),
        (
            &pinned,
            with(&["-r", "4.21.0", "--push-secret", "A"]),
            "push-secret `A` is refused",
        ),
        (
            &pinned,
            vec!["--mco-image".to_owned(), "r.example.com/mco:1".to_owned()],
            "mco-image `r.example.com/mco:1` is refused",
        ),
        (&deep, with(&["-r", "4.21.0"]), "at most one namespace"),
    ] {
        let mut args = vec!["osimage", "precache", "-f", "data", image, "--dry-run"];
        args.extend(more.iter().map(String::as_str));
        let refused = run(home.path(), &args).expect(2);
        assert!(refused.stderr.contains(said), "{image}: {}", refused.stderr);
    }
    assert!(!home.path().join("data").exists());
}

#[test]
fn a_wrong_password_is_said_and_leaves_the_lock_alone() {
    let Some((world, _, name)) = start() else {
        return;
    };
    let before = world.read("data/inventory.json");
    let args = [
        "osimage",
        "precache",
        "-f",
        "data",
        &name,
        "--tls-verify=false",
    ];
    let refused = run(world.home.path(), &args).expect(5);
    assert!(refused.stderr.contains("hint:"), "{}", refused.stderr);
    assert_eq!(world.read("data/inventory.json"), before);
}
