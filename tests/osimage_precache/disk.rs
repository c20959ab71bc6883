//! The data directory: what is fetched, kept, replaced, and what is refused.

use snoforge::inventory::lock::Inventory;

use super::program::run;
use super::world::{World, labelled, machine, snapshot};
use serde_json::json;

#[test]
fn both_images_beside_what_download_put_there() {
    let Some(mut world) = World::new("4.18.1") else {
        return;
    };
    world.download(None);
    let image = world.os_image("one");
    let name = world.push("os/rhcos", &image);
    let verify = |world: &World| world_verify(world);

    let before = snapshot(&world.path("data"));
    let planned = world.precache(&name, &["--dry-run", "--manifests", "cluster"]);
    assert_eq!(planned["prebuilt"], "os-image-url");
    assert_eq!(planned["operator"], world.operator.as_str());
    assert_eq!(
        (&planned["complete"], &planned["dryRun"]),
        (&false.into(), &true.into())
    );
    assert_eq!(
        snapshot(&world.path("data")),
        before,
        "a plan writes nothing"
    );
    assert!(!world.path("cluster").exists());

    let done = world.precache(&name, &[]);
    assert_eq!(
        (&done["complete"], &done["release"]),
        (&true.into(), &"4.18.1".into())
    );
    // Its configuration, its own layer, its manifest: the base's layers are there, and so is the operator.
    let blobs = [0, 3].map(|i: usize| image.blobs[i].0.size);
    let new = blobs.iter().sum::<u64>() + image.manifest.descriptor().size;
    assert_eq!(done["bytesFetched"], new, "{done}");
    let rules: Vec<_> = done["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["frozen-os"], "{done}");
    verify(&world);

    let lock = Inventory::parse(world.read("data/inventory.json").as_bytes()).unwrap();
    assert_eq!(lock.images.len(), 5);
    assert!(
        world
            .read("data/mapping.txt")
            .contains(&format!("{name}=os/rhcos:latest\n"))
    );
    assert!(world.read("data/ocp-images.txt").contains(&name));
    assert!(!world.read("data/ai-images.txt").contains(&name));
    let header: serde_json::Value =
        serde_json::from_str(&world.read("data/snoforge.json")).unwrap();
    assert!(
        header["groups"]["ocp"]
            .as_array()
            .unwrap()
            .contains(&name.as_str().into())
    );
    assert_eq!(header["inventory"], lock.digest().to_string());
    assert!(world.read("data/oci/index.json").contains(&name));
    let pruned = run(world.home.path(), &["precache", "prune", "-f", "data"]).expect(0);
    assert_eq!(pruned.stdout.trim(), "nothing to remove");

    // The lock is asked the same question again, then another one.
    world.download(None);
    assert_eq!(
        Inventory::parse(world.read("data/inventory.json").as_bytes()).unwrap(),
        lock
    );
    let extra = world.push(
        "tools/extra",
        &labelled(machine(), &json!({}), &[super::images::tar(&[("x", b"x")])]),
    );
    world.download(Some(&extra));
    let lock = Inventory::parse(world.read("data/inventory.json").as_bytes()).unwrap();
    let sources: Vec<_> = lock.images.iter().map(|i| i.source.to_string()).collect();
    assert!(
        sources.contains(&name) && sources.contains(&extra),
        "{sources:?}"
    );
    assert!(world.read("data/oci/index.json").contains(&name));
    verify(&world);

    // Everything is there: no registry is needed to say so and to write the manifests.
    world.registry = None;
    let again = world.precache(&name, &["--manifests", "cluster"]);
    assert_eq!(
        (&again["complete"], &again["bytesFetched"]),
        (&true.into(), &0.into())
    );
    assert!(
        world
            .path("cluster/openshift/99_openshift-machineconfig_99-master-os-image.yaml")
            .is_file()
    );
}

fn world_verify(world: &World) {
    let args = ["precache", "verify", "-f", "data", "--deep"];
    run(world.home.path(), &args).expect(0);
}

#[test]
fn another_image_of_the_pool_takes_the_place_of_the_first() {
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    // A directory of its own; the release is looked up in its payload.
    let release = [
        "-r",
        "4.18.1",
        "--release-image",
        &world.release,
        "--ignore-release-signature",
        "--arch",
        machine(),
    ];
    let (first, second) = (world.os_image("first"), world.os_image("second"));
    let (one, two) = (
        world.push("os/rhcos", &first),
        world.push("os/rhcos", &second),
    );
    let done = world.precache(&one, &release);
    assert_eq!(done["operator"], world.operator.as_str());
    assert_eq!(
        done["findings"].as_array().unwrap().len(),
        1,
        "built on the release's base: {done}"
    );
    world_verify(&world);
    let lock = Inventory::parse(world.read("data/inventory.json").as_bytes()).unwrap();
    let operator = lock
        .images
        .iter()
        .find(|i| i.source.to_string() == world.operator)
        .unwrap();
    let destination = if machine() == "amd64" {
        "openshift/release:4.18.1-x86_64-machine-config-operator"
    } else {
        "openshift/release:4.18.1-aarch64-machine-config-operator"
    };
    assert_eq!(operator.destination, destination);

    let done = world.precache(&two, &release);
    assert_eq!(done["replaces"], json!([one]));
    let own = |image: &super::images::Image| {
        world
            .path("data/oci/blobs/sha256")
            .join(image.blobs[3].0.digest.hex())
    };
    assert!(own(&first).exists(), "nothing is taken away before prune");
    run(world.home.path(), &["precache", "prune", "-f", "data"]).expect(0);
    assert!(!own(&first).exists() && own(&second).exists());
    world_verify(&world);
    assert!(!world.read("data/oci/index.json").contains(&one));
}

#[test]
fn an_interrupted_fetch_goes_on() {
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    world.download(None);
    let image = world.os_image("one");
    let name = world.push("os/rhcos", &image);
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
    world_verify(&world);
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
            with(&["-r", "4.18.1", "--push-secret", "A"]),
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
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    world.download(None);
    let name = world.push("os/rhcos", &world.os_image("one"));
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
