//! `check`: everything that is wrong, with its place, without network.

use super::Bench;

#[test]
fn a_good_file_needs_no_registry() {
    let bench = Bench::offline();
    let said = bench.run(&["check"]).expect(0);
    assert_eq!(said.stdout, "factory.yaml: ok\n", "{}", said.stderr);
    // The plan needs none either: it says what it does not know.
    let plan = bench.build(&["--dry-run"]).expect(0);
    assert!(plan.stderr.contains("no inventory"), "{}", plan.stderr);
    assert!(plan.json()["steps"][1]["bytes"].is_null());
}

/// What is changed in the file, and what is said of it.
const WRONG: [(&str, &str, &str); 14] = [
    (
        "kind: Factory",
        "kind: Fabric",
        "factory.yaml:2:7: `kind` is not Factory",
    ),
    (
        "  out: isos",
        "  outt: isos",
        "factory.yaml:18:3: unknown field `outt`",
    ),
    (
        "graph: graph.json",
        "graph: none.json",
        "factory.yaml:7:10: `graph`: none.json does not exist",
    ),
    ("graph.json", "graph.json\n  aiImages: ['a b']", "--ai-img"),
    (
        "registriesConf: registries.conf",
        "registriesConf: bip.ign",
        "bip.ign",
    ),
    (
        "10.1.0.6/24",
        "10.1.0.5/24",
        "factory.yaml:26:9: the ip 10.1.0.5 is that of the site in line 23 too",
    ),
    ("10.1.0.6/24", "10.1.0.6/33", "factory.yaml:26:9: "),
    (
        "installation-disk",
        "installation-disc",
        "did you mean `installation-disk`?",
    ),
    (
        "  size: 1",
        "  size: 1\n  label: far-too-long-1",
        "a label of xfs has at most 12 characters",
    ),
    ("live: live.iso", "live: bip.ign", "factory.yaml:16:3: "),
    ("ignition: bip.ign", "ignition: live.iso", "live.iso"),
    ("out: isos", "out: isos\n  karg: ['a=$b']", "a=$b"),
    (
        "report: out/report.json",
        "report: bip.ign",
        "bip.ign is there and no report of ours",
    ),
    (
        "download:\n",
        "imageset:\n  apiVersion: mirror.openshift.io/v1alpha2\n  kind: ImageSetConfiguration\n  mirror:\n    plattform: {}\ndownload:\n",
        "factory.yaml:13:5: ",
    ),
];

#[test]
fn what_is_wrong_has_its_place() {
    for (from, to, expected) in WRONG {
        let bench = Bench::offline();
        bench.edit(from, to);
        let said = bench.run(&["check"]).expect(2);
        assert!(
            said.stderr.contains(expected),
            "{expected}: {}",
            said.stderr
        );
        let json = bench.run(&["check", "--output", "json"]).expect(2).json();
        assert_eq!(json["ok"], false);
        assert!(!json["findings"].as_array().unwrap().is_empty(), "{json}");
        // And nothing is begun.
        bench.build(&[]).expect(2);
        assert!(!bench.path("data").exists(), "{expected}");
    }
}

#[test]
fn all_at_once() {
    let bench = Bench::offline();
    for file in ["graph.json", "live.iso", "bip.ign"] {
        fs_err::remove_file(bench.path(file)).unwrap();
    }
    let json = bench.run(&["check", "--output", "json"]).expect(2).json();
    let lines: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [7, 16, 17], "{json}");
}

#[test]
fn too_small_a_disk_is_told_before_the_download() {
    let bench = Bench::new();
    bench.edit("version: 4.13.1", "version: 4.13.1\n  arch: [amd64]");
    // 1 GiB holds the sample; a lock that says more does not fit.
    bench.edit("disks:\n- image: out/data.img\n  size: 1\n", "");
    bench.build(&[]).expect(0);
    let mut lock: serde_json::Value =
        serde_json::from_str(&bench.read("data/inventory.json")).unwrap();
    let blobs = lock["blobs"].as_object_mut().unwrap();
    let first = blobs.keys().next().unwrap().clone();
    blobs[&first] = serde_json::json!(3_u64 << 30);
    bench.write(
        "data/inventory.json",
        serde_json::to_vec_pretty(&lock).unwrap(),
    );
    bench.edit("iso:\n", "disks:\n- image: out/data.img\n  size: 1\niso:\n");
    let refused = bench.build(&[]).expect(2);
    assert!(
        refused
            .stderr
            .contains("factory.yaml:15:9: out/data.img: 1 GiB are too small"),
        "{}",
        refused.stderr
    );
}
