//! The install-time manifests, as the API server of the real CRDs and the Ignition patch read them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use snoforge::ignition::Config;
use snoforge::ignition::patch::release_images;

use super::program::run;
use super::schema::{Schemas, yaml};
use super::support::registry::LOGIN;
use super::world::{World, rules, snapshot};

const CONFIG: &str = "openshift/99_openshift-machineosconfig_master.yaml";
const SECRET: &str = "openshift/99_openshift-machineosconfig_master-push-secret.yaml";

/// The real CRD of `MachineConfig`; says so when it is not there.
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
    schemas.add(&crds.join("0000_80_machine-config_01_machineconfigs.crd.yaml"));
    Some(schemas)
}

/// A cluster of a release with the annotation; the OS image's name, and what the run said.
fn annotated() -> Option<(World, String, Value)> {
    let world = World::new("4.21.3")?;
    let name = world.push("os/rhcos", &world.os_image("one"));
    for (path, text) in [
        (
            "openshift/99_worker.yaml",
            "kind: MachineOSConfig\nmetadata: {name: worker}\n",
        ),
        ("manifests/odd.yaml", "{{ no yaml"),
        // Ours is written anew.
        (
            "openshift/99_openshift-machineosconfig_master.yaml",
            "kind: MachineOSConfig\nmetadata: {name: master}\n",
        ),
    ] {
        let path = world.path("cluster").join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let push = ["--push-authfile", "auth.json", "--push-secret", "push"];
    let flags = [&["--manifests", "cluster"][..], &push].concat();
    let done = world.precache(&name, &[world.release_flags("4.21.3"), flags].concat());
    Some((world, name, done))
}

#[test]
fn the_annotation() {
    let Some((world, name, done)) = annotated() else {
        return;
    };
    assert_eq!(done["prebuilt"], "annotation");
    assert_eq!(
        rules(&done),
        ["frozen-base", "unannotated", "unread"],
        "{done}"
    );
    let files = [CONFIG, SECRET].map(|file| format!("cluster/{file}"));
    assert_eq!(done["manifests"], json!(files));
    let object = &yaml(&world.read(&files[0]))[0];
    let annotations = &object["metadata"]["annotations"];
    let expected = json!({"machineconfiguration.openshift.io/pre-built-image": name});
    assert_eq!(*annotations, expected);
    let mut crds = Schemas::default();
    crds.add_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/osimage/crds"));
    assert_eq!(crds.faults(object, None).unwrap(), Vec::<String>::new());
    let mut wrong = object.clone();
    wrong["metadata"]["name"] = "worker".into();
    let spec = wrong["spec"].as_object_mut().unwrap();
    spec.remove("renderedImagePushSecret");
    assert_eq!(crds.faults(&wrong, None).unwrap().len(), 2);
}

#[test]
fn its_secret_is_in_one_private_file() {
    let Some((world, ..)) = annotated() else {
        return;
    };
    let secret = world.path("cluster").join(SECRET);
    let mode = fs_err::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let object = &yaml(&fs_err::read_to_string(&secret).unwrap())[0];
    assert_eq!(object["type"], "kubernetes.io/dockerconfigjson");
    let metadata = json!({"name": "push", "namespace": "openshift-machine-config-operator"});
    assert_eq!(object["metadata"], metadata);
    let contents = object["data"][".dockerconfigjson"].as_str().unwrap();
    let contents = BASE64.decode(contents).unwrap();
    assert_eq!(contents, world.read("auth.json").as_bytes());
    let (_, password) = LOGIN;
    let login: Value = serde_json::from_slice(&contents).unwrap();
    let auth = login["auths"][world.host()]["auth"].as_str().unwrap();
    for (path, bytes) in snapshot(&world.path("data")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(auth) && !text.contains(password), "{path:?}");
    }
}

/// The config of a machine with this manifest in it, as openshift-install makes it.
fn bootstrap(manifest: &str) -> String {
    let stock = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ignition/golden/stock/era-b.ign"
    );
    let mut config: Value = serde_json::from_slice(&fs_err::read(stock).unwrap()).unwrap();
    let files = config["storage"]["files"].as_array_mut().unwrap();
    let source = format!("data:;base64,{}", BASE64.encode(manifest));
    files.push(json!({
        "path": "/opt/openshift/openshift/99_openshift-machineconfig_99-master-os-image.yaml",
        "mode": 420, "overwrite": true, "contents": {"source": source},
    }));
    config.to_string()
}

/// A release without the annotation: the world with `bip.ign`, and the OS image's name.
fn configured() -> Option<(World, String)> {
    let world = World::new("4.18.1")?;
    world.download(None);
    let name = world.push("os/rhcos", &world.os_image("one"));
    world.precache(&name, &["--manifests", "cluster"]);
    let text = world.read("cluster/openshift/99_openshift-machineconfig_99-master-os-image.yaml");
    if let Some(schemas) = schemas() {
        let faults = schemas.faults(&yaml(&text)[0], None).unwrap();
        assert_eq!(faults, Vec::<String>::new());
    }
    fs_err::write(world.path("bip.ign"), bootstrap(&text)).unwrap();
    Some((world, name))
}

#[test]
fn the_mirrors_of_both_boot_stages() {
    let Some((world, name)) = configured() else {
        return;
    };
    let args = ["ignition", "patch", "bip.ign", "-o", "out.ign"];
    let patched = run(world.home.path(), &args).expect(0);
    assert!(patched.stderr.contains(&name), "{}", patched.stderr);
    let config = Config::parse(&fs_err::read(world.path("out.ign")).unwrap()).unwrap();
    let entry = format!("prefix = \"{}/os/rhcos\"", world.host());
    let mirror = "location = \"127.0.0.1:5000/os/rhcos\"";
    for stage in [
        "/etc/containers/registries.conf.d/50-snoforge.conf",
        "/opt/openshift/snoforge/etc-containers-registries.conf.d-50-snoforge.conf",
    ] {
        let bytes = config.file(stage).unwrap().bytes().unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&entry) && text.contains(mirror), "{text}");
    }
}

#[test]
fn an_inventory_has_to_hold_it() {
    let Some((world, name)) = configured() else {
        return;
    };
    let config = Config::parse(world.read("bip.ign").as_bytes()).unwrap();
    let mut lock = world.lock();
    lock.images[0].source = release_images(&config)[0].parse().unwrap();
    let args = ["ignition", "patch", "bip.ign", "-o", "out.ign"];
    let args = [&args[..], &["--inventory", "lock.json"]].concat();
    fs_err::write(world.path("lock.json"), lock.render()).unwrap();
    run(world.home.path(), &args).expect(0);
    lock.images.retain(|image| image.source.to_string() != name);
    fs_err::write(world.path("lock.json"), lock.render()).unwrap();
    let refused = run(world.home.path(), &args).expect(2);
    let hint = format!("`snoforge osimage precache -f DIR {name}` puts it there");
    assert!(refused.stderr.contains(&hint), "{}", refused.stderr);
}
