//! The install-time manifests, as the API server of the real CRDs and the Ignition patch read them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use snoforge::ignition::Config;
use snoforge::ignition::patch::release_images;
use snoforge::inventory::lock::Inventory;

use super::program::run;
use super::schema::{Schemas, yaml};
use super::world::{World, machine};

const CONFIG: &str = "openshift/99_openshift-machineosconfig_master.yaml";
const SECRET: &str = "openshift/99_openshift-machineosconfig_master-push-secret.yaml";

/// The real CRDs; says so when they are not there.
fn schemas() -> Option<Schemas> {
    let crds = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/osimage/crds"
    ));
    if !crds.is_dir() {
        eprintln!("skipped: no ../shared/data/osimage");
        return None;
    }
    let mut schemas = Schemas::default();
    for name in ["machineosconfigs", "machineconfigs"] {
        let file = format!("0000_80_machine-config_01_{name}.crd.yaml");
        schemas.add(&crds.join(file));
    }
    Some(schemas)
}

#[test]
fn the_annotation_with_its_secret() {
    let Some(world) = World::new("4.21.3") else {
        return;
    };
    let name = world.push("os/rhcos", &world.os_image("one"));
    let put = |path: &str, text: &str| {
        let path = world.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    put(
        "cluster/openshift/99_worker.yaml",
        "kind: MachineOSConfig\nmetadata: {name: worker}\n",
    );
    put("cluster/manifests/odd.yaml", "{{ no yaml");
    put(
        "cluster/openshift/99_openshift-machineosconfig_master.yaml",
        "kind: MachineOSConfig\nmetadata: {name: master}\n",
    );
    let release = [
        "-r",
        "4.21.3",
        "--release-image",
        &world.release,
        "--ignore-release-signature",
        "--arch",
        machine(),
    ];
    let flags = [
        "--manifests",
        "cluster",
        "--push-authfile",
        "auth.json",
        "--push-secret",
        "push",
    ];
    let done = world.precache(&name, &[&release[..], &flags].concat());
    assert_eq!(done["prebuilt"], "annotation");
    let rules: Vec<_> = done["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["rule"].as_str().unwrap())
        .collect();
    assert_eq!(
        rules,
        ["frozen-base", "unannotated", "unread"],
        "our own file is written anew: {done}"
    );
    assert_eq!(
        done["manifests"],
        json!([format!("cluster/{CONFIG}"), format!("cluster/{SECRET}")])
    );

    let object = &yaml(&world.read(&format!("cluster/{CONFIG}")))[0];
    let annotation =
        &object["metadata"]["annotations"]["machineconfiguration.openshift.io/pre-built-image"];
    assert_eq!(*annotation, name.as_str());
    if let Some(schemas) = schemas() {
        assert_eq!(schemas.faults(object, None).unwrap(), Vec::<String>::new());
        let mut wrong = object.clone();
        wrong["spec"]
            .as_object_mut()
            .unwrap()
            .remove("renderedImagePushSecret");
        assert_eq!(schemas.faults(&wrong, None).unwrap().len(), 1);
    }
    let secret = world.path(&format!("cluster/{SECRET}"));
    let mode = fs_err::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let object = &yaml(&fs_err::read_to_string(&secret).unwrap())[0];
    assert_eq!(
        object["metadata"]["namespace"],
        "openshift-machine-config-operator"
    );
    assert_eq!(object["type"], "kubernetes.io/dockerconfigjson");
    for part in [
        "data/inventory.json",
        "data/snoforge.json",
        "data/mapping.txt",
    ] {
        assert!(!world.read(part).contains("hunter2"));
    }
}

#[test]
fn a_machine_config_and_the_mirrors_of_both_boot_stages() {
    let Some(world) = World::new("4.18.1") else {
        return;
    };
    world.download(None);
    let name = world.push("os/rhcos", &world.os_image("one"));
    world.precache(&name, &["--manifests", "cluster"]);
    let text = world.read("cluster/openshift/99_openshift-machineconfig_99-master-os-image.yaml");
    if let Some(schemas) = schemas() {
        let faults = schemas.faults(&yaml(&text)[0], None).unwrap();
        assert_eq!(faults, Vec::<String>::new());
    }
    // As openshift-install takes the file into the config.
    let stock = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ignition/golden/stock/era-b.ign"
    );
    let mut config: Value = serde_json::from_slice(&fs_err::read(stock).unwrap()).unwrap();
    let source = |text: &str| format!("data:;base64,{}", BASE64.encode(text));
    config["storage"]["files"]
        .as_array_mut()
        .unwrap()
        .push(json!({
            "path": "/opt/openshift/openshift/99_openshift-machineconfig_99-master-os-image.yaml",
            "mode": 420, "overwrite": true, "contents": {"source": source(&text)},
        }));
    fs_err::write(world.path("bip.ign"), config.to_string()).unwrap();
    let patched = run(
        world.home.path(),
        &["ignition", "patch", "bip.ign", "-o", "out.ign"],
    )
    .expect(0);
    assert!(patched.stderr.contains(&name), "{}", patched.stderr);
    let config = Config::parse(&fs_err::read(world.path("out.ign")).unwrap()).unwrap();
    let (host, port) = world.host().split_once(':').unwrap();
    let entry = format!("prefix = \"{host}:{port}/os/rhcos\"");
    let mirror = "location = \"127.0.0.1:5000/os/rhcos\"";
    for stage in [
        "/etc/containers/registries.conf.d/50-snoforge.conf",
        "/opt/openshift/snoforge/etc-containers-registries.conf.d-50-snoforge.conf",
    ] {
        let bytes = config.file(stage).unwrap().bytes().unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.contains(&entry) && text.contains(mirror),
            "{stage}: {text}"
        );
    }

    // With an inventory the image has to be in it.
    let mut lock = Inventory::parse(world.read("data/inventory.json").as_bytes()).unwrap();
    let release = release_images(&config)[0].parse().unwrap();
    lock.images[0].source = release;
    let args = [
        "ignition",
        "patch",
        "bip.ign",
        "-o",
        "out.ign",
        "--inventory",
        "lock.json",
    ];
    fs_err::write(world.path("lock.json"), lock.render()).unwrap();
    run(world.home.path(), &args).expect(0);
    lock.images.retain(|image| image.source.to_string() != name);
    fs_err::write(world.path("lock.json"), lock.render()).unwrap();
    let refused = run(world.home.path(), &args).expect(2);
    let hint = format!("`snoforge osimage precache -f DIR {name}` puts it there");
    assert!(refused.stderr.contains(&hint), "{}", refused.stderr);
}
