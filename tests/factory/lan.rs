//! One bench downloads and pushes to the factory's registry, the others pull from there.

use serde_json::Value;

use super::Bench;
use super::support::registry::{DockerRegistry, Guard};

/// The file of a bench that makes no disks and no boot media.
fn bench(more: &str) -> Bench {
    let bench = Bench::offline();
    let text = bench.read("factory.yaml");
    let (head, _) = text.split_once("disks:\n").unwrap();
    // Debian's registry takes no index that lacks an architecture.
    let head = head.replace("  graph:", "  allArch: true\n  graph:");
    bench.write("factory.yaml", format!("{head}{more}"));
    bench
}

fn digest(done: &Value) -> &Value {
    &done["result"]["inventory"]["digest"]
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one registry, filled once, seen from four benches"
)]
fn every_bench_pulls_over_the_lan() {
    let (Some(far), Some(lan)) = (
        DockerRegistry::start(Guard::Plain),
        DockerRegistry::start(Guard::Plain),
    ) else {
        return;
    };
    let one = bench("  push: [http://127.0.0.1:1/ocp]\n");
    one.push_sample(&format!("http://{}", far.host));
    let rules = ["quay.io", "registry.redhat.io"].map(|name| {
        let far = &far.host;
        format!("[[registry]]\nprefix = \"{name}\"\nlocation = \"{far}\"\ninsecure = true\n")
    });
    one.write("registries.conf", rules.concat());
    let plan = one.build(&["--dry-run"]).expect(0).json();
    assert_eq!(plan["steps"][2]["step"], "push");
    assert_eq!(plan["steps"][2]["bytes"], plan["inventory"]["diskBytes"]);

    // The factory's registry is not there yet.
    let stopped = one.build(&[]).expect(5);
    let said = "stopped in step `push`";
    assert!(stopped.stderr.contains(said), "{}", stopped.stderr);
    one.edit("127.0.0.1:1", &lan.host);
    let done = one.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&done), ["inventory", "download", "+push"]);
    let truth = one.read("data/inventory.json");
    let lie = |edit: &dyn Fn(&mut Value)| {
        let mut lock: Value = serde_json::from_str(&truth).unwrap();
        edit(&mut lock["releases"][0]);
        one.write("data/inventory.json", lock.to_string());
        let to = format!("http://{}/ocp", lan.host);
        one.run(&["precache", "push", "-f", "data", &to]).expect(0);
    };

    // Another release than the one that was asked for is not taken.
    lie(&|release| release["version"] = "4.13.9".into());
    let four = bench(&format!("  mirrors: ['http://{}/ocp']\n", lan.host));
    four.write("registries.conf", rules.concat());
    let refused = four.build(&["--dry-run"]).expect(0);
    let said = "release 4.13.9 x86_64 is not what was asked for";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(refused.json()["inventory"], plan["inventory"]);
    one.write("data/inventory.json", &truth);

    drop(far);
    let again = one.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&again), ["inventory", "download", "push"]);
    // A registry that lost it gets it again.
    let published = "data/docker/registry/v2/repositories/ocp/snoforge";
    fs_err::remove_dir_all(lan.dir.path().join(published)).unwrap();
    let refilled = one.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&refilled), ["inventory", "download", "+push"]);

    // What the mirror says of signatures is not believed.
    lie(&|release| {
        release["signature"] = serde_json::json!({"state": "verified", "key": "199E2F91FD431D51"});
    });
    one.write("data/inventory.json", &truth);

    // A directory that lacks an image does not answer for all of them.
    let store = snoforge::store::Store::open(&one.path("data")).unwrap();
    let mut there = store.read_index().unwrap();
    there.pop();
    store.replace_index(there).unwrap();
    let part = format!("http://{}/part", lan.host);
    one.run(&["precache", "push", "-f", "data", &part])
        .expect(0);
    let inventory = |prefix: &str| {
        let name = format!("docker://{}/{prefix}/snoforge/inventory", lan.host);
        snoforge::exec::run("skopeo", &["list-tags", "--tls-verify=false", &name])
    };
    assert!(inventory("ocp").is_ok() && inventory("part").is_err());

    // The registries that the images name are dead.
    let two = bench(&format!("  mirrors: ['http://{}/ocp']\n", lan.host));
    let plan = two.build(&["--dry-run"]).expect(0).json();
    let command = plan["steps"][1]["command"].as_str().unwrap();
    let flag = format!("--mirror=http://{}/ocp", lan.host);
    assert!(command.contains(&flag), "{command}");
    let built = two.build(&[]).expect(0).json();
    assert_eq!(digest(&built), digest(&done));
    assert!(!two.read("data/inventory.json").contains("verified"));
    two.run(&["precache", "verify", "-f", "data", "--deep"])
        .expect(0);

    let source = |name: &str| {
        format!(
            "  - {{source: {name}, mirror: 'http://{}/ocp'}}\n",
            lan.host
        )
    };
    let both = ["quay.io", "registry.redhat.io"].map(source).concat();
    let three = bench(&format!("  mirrors:\n{both}"));
    three.run(&["check"]).expect(0);
    fs_err::create_dir(three.path("data")).unwrap();
    three.write("data/inventory.json", truth);
    let built = three.build(&[]).expect(0).json();
    assert_eq!(digest(&built), digest(&done));

    // What was pushed and cannot be asked about stays done.
    drop(lan);
    let alone = one.build(&[]).expect(0);
    let said = "not to be asked now";
    assert!(alone.stderr.contains(said), "{}", alone.stderr);
}

#[test]
fn images_that_would_take_each_others_place_are_not_pushed() {
    let bench = Bench::offline();
    let data = bench.path("data");
    let store = snoforge::store::Store::create(&data).unwrap();
    let images = ["quay.io/ns/a:v1", "registry.redhat.io/ns/a:v1"].map(|name| {
        let text =
            format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"n":"{name}"}}}}"#);
        let kind = "application/vnd.oci.image.index.v1+json";
        let manifest = snoforge::oci::RawManifest::new(kind, text.into_bytes().into());
        store.put_manifest(&manifest).unwrap();
        let name = name.parse().unwrap();
        snoforge::store::IndexEntry::new(&name, manifest.descriptor().clone())
    });
    store.replace_index(images.to_vec()).unwrap();
    let push = [
        "precache",
        "push",
        "-f",
        "data",
        "registry.lan:5000/ocp",
        "--dry-run",
    ];
    let refused = bench.run(&push).expect(2);
    let said = "quay.io/ns/a:v1 and registry.redhat.io/ns/a:v1 would both be registry.lan:5000/ocp/ns/a:v1";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}
