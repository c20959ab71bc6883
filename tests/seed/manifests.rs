//! `seed manifests`: byte for byte where the field has bytes, against the CRDs everywhere.

use std::path::Path;

use serde_json::Value;
use snoforge::seed::{escape_path, unescape_path};

use crate::schema::{Schemas, yaml};
use crate::{golden, run, shared};

const MYSNO: [&str; 8] = [
    "seed",
    "manifests",
    "dnsmasq",
    "--name",
    "mysno",
    "--domain",
    "sno.cluster-domain.com",
    "--ip=10.20.30.5",
];
const AUTH: &str = "{\n\t\"auths\": {\n\t\t\"quay.io/myuserid\": {\n\t\t\t\"auth\": \"dXNlcjpodW50ZXIy\"\n\t\t}\n\t}\n}\n";

fn ours(args: &[&str], more: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), &[args, more].concat()).expect(0).stdout
}

fn schemas() -> Schemas {
    let mut schemas = Schemas::default();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seed/crds");
    schemas.add_dir(&own);
    schemas.add_dir(&own.join("v1alpha1"));
    schemas
}

#[test]
fn dnsmasq_is_the_fields_byte_for_byte() {
    assert_eq!(ours(&MYSNO, &["--mc"]), golden("doc-mysno.mc.yaml"));
    assert_eq!(ours(&MYSNO, &["--mc"]), golden("script-mysno.mc.yaml"));
    assert_eq!(
        ours(&MYSNO, &["--mc", "--wave", "7"]),
        golden("script-mysno.mc-wave7.yaml")
    );
    let policy = ours(&MYSNO, &["--wave", "100"]);
    assert_eq!(policy, golden("doc-mysno.sitepolicy-wave100.yaml"));
    // The script leaves six spaces on the two blank lines of the unit.
    for (own, script) in [
        (policy, "script-mysno.sitepolicy-wave100.yaml"),
        (ours(&MYSNO, &[]), "script-mysno.sitepolicy-nowave.yaml"),
    ] {
        let script = golden(script);
        let differ: Vec<_> = own
            .lines()
            .zip(script.lines())
            .filter(|(a, b)| a != b)
            .collect();
        assert_eq!(differ, [("", "      "); 2]);
        assert_eq!(own.lines().count(), script.lines().count());
        assert_eq!(yaml(&own), yaml(&script));
    }
    let v6 = golden("script-v6.mc.yaml");
    let ip = v6_address(&v6);
    let args = [
        "seed",
        "manifests",
        "dnsmasq",
        "--mc",
        "--name",
        &ip.1,
        "--domain",
        &ip.2,
        "--ip",
        &ip.0,
    ];
    assert_eq!(ours(&args, &[]), v6);
    let guarded = ours(&MYSNO, &["--mc", "--guarded"]);
    assert_ne!(guarded, golden("doc-mysno.mc.yaml"));
    let script = files(&yaml(&guarded)[0]).remove(0);
    assert!(
        script.contains("if [ -f /etc/default/sno_dnsmasq_configuration_overrides ]; then\n"),
        "{script}"
    );
}

/// Decoded files of a MachineConfig.
fn files(config: &Value) -> Vec<String> {
    let files = config["spec"]["config"]["storage"]["files"]
        .as_array()
        .unwrap();
    let decode = |f: &Value| {
        let source = f["contents"]["source"].as_str().unwrap();
        String::from_utf8(snoforge::ignition::data_url::decode(source, None, 1 << 20).unwrap())
            .unwrap()
    };
    files.iter().map(decode).collect()
}

/// Address, name and domain that a golden was made with.
fn v6_address(golden: &str) -> (String, String, String) {
    let script = files(&yaml(golden)[0]).remove(0);
    let value = |name: &str| {
        script
            .split(&format!("{name}:-\""))
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    (
        value("SNO_DNSMASQ_IP_OVERRIDE"),
        value("SNO_CLUSTER_NAME_OVERRIDE"),
        value("SNO_BASE_DOMAIN_OVERRIDE"),
    )
}

#[test]
fn the_partition_is_the_fields_byte_for_byte() {
    let device = "/dev/disk/by-id/wwn-0x62cea7f04d10350026c6f2ec315557a0";
    let args = [
        "seed",
        "manifests",
        "partition",
        "--device",
        device,
        "--start-mib",
        "250000",
    ];
    assert_eq!(
        ours(&args, &[]),
        golden("seed000-varlibcontainers-byid.yaml")
    );
    // What lifecycle-agent's own document has, with its wrong escape put right.
    let wrong = golden("lca-HEAD-var-lib-containers-BAD-ESCAPE.yaml");
    let right = wrong.replace(
        r"fsck@dev-disk-by\x2dpartlabel-var-lib-containers",
        r"fsck@dev-disk-by\x2dpartlabel-var\x2dlib\x2dcontainers",
    );
    assert_ne!(wrong, right);
    assert_eq!(ours(&args, &["--label", "var-lib-containers"]), right);
}

#[test]
fn paths_are_escaped_as_systemd_does() {
    let table: Value = serde_json::from_str(&golden("systemd_escape.json")).unwrap();
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() >= 14);
    for case in cases {
        let path = case["path"].as_str().unwrap();
        let own = escape_path(path);
        if case["rc"] == 0 {
            assert_eq!(own.as_deref(), case["escape_p"].as_str(), "{path}");
        } else {
            assert_eq!(own, None, "{path}");
        }
    }
    if !crate::registry::installed(&["systemd-escape"]) {
        return;
    }
    // Any label, as the tool itself sees it.
    for label in [
        "varlibcontainers",
        "var-lib-containers",
        "a b",
        "größe",
        "x%y",
        "back\\slash",
        "a/b",
        "100",
        "true",
        "#1",
        ".hidden",
        "a_b.c",
    ] {
        let args = [
            "seed",
            "manifests",
            "partition",
            "--device",
            "/dev/disk/by-id/x",
            "--start-mib",
            "60000",
            "--label",
            label,
        ];
        let text = ours(&args, &[]);
        let config = &yaml(&text)[0]["spec"]["config"];
        assert_eq!(
            config["storage"]["disks"][0]["partitions"][0]["label"],
            label
        );
        let device = config["storage"]["filesystems"][0]["device"]
            .as_str()
            .unwrap();
        let unit = config["systemd"]["units"][0]["contents"].as_str().unwrap();
        assert!(unit.contains(&format!("\nWhat={device}\n")), "{unit}");
        let out = snoforge::exec::run("systemd-escape", &["--path", device]).unwrap();
        let theirs = String::from_utf8(out).unwrap();
        let theirs = theirs.trim_end();
        for key in ["Requires", "After"] {
            assert!(
                unit.contains(&format!("\n{key}=systemd-fsck@{theirs}.service\n")),
                "{theirs}: {unit}"
            );
        }
        assert_eq!(unescape_path(theirs).as_deref(), Some(device));
    }
}

#[test]
fn sizes_are_checked_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let base = [
        "seed",
        "manifests",
        "partition",
        "--device",
        "/dev/disk/by-path/x",
        "-o",
        "out.yaml",
        "--disk-size",
        "200GiB",
    ];
    let guide = run(
        home.path(),
        &[&base[..], &["--start-mib", "60000"]].concat(),
    )
    .expect(0);
    assert!(
        guide
            .stderr
            .contains("root gets 58.1 GiB, container storage 141.4 GiB"),
        "{}",
        guide.stderr
    );
    fs_err::remove_file(home.path().join("out.yaml")).unwrap();
    for (start, why) in [
        ("24999", "below the 25000"),
        ("170000", "40 GiB is the least"),
        ("0", "needs room"),
        ("1e5", "no whole number"),
    ] {
        let failed = run(home.path(), &[&base[..], &["--start-mib", start]].concat()).expect(2);
        assert!(failed.stderr.contains(why), "{start}: {}", failed.stderr);
        assert!(!home.path().join("out.yaml").exists());
    }
}

const SEED_YAML: &str = "apiVersion: snoforge.io/v1\nkind: Seed\ncluster: {name: mysno, domain: sno.cluster-domain.com, nodeIP: 10.20.30.5}\npartition: {device: /dev/disk/by-id/x, startMiB: 250000, label: var-lib-containers}\nimage:\n  seedImage: quay.io/myuserid/seed:4.18.27\n  authfile: auth.json\n  recertImage: quay.io/edge-infrastructure/recert:v0\noperator: {channel: stable}\nupgrade:\n  version: 4.18.27\n  pullSecret: seed-pull-secret\n  oadpContent: [openshift-adp/oadp-cm-sno-backup]\n  extraManifests: [openshift-lifecycle-agent/sno-extramanifests]\n  initMonitorTimeoutSeconds: 2400\n";

#[test]
fn everything_is_valid_to_the_crds() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // The file's paths are its own, not the caller's.
    fs_err::create_dir(dir.join("conf")).unwrap();
    fs_err::write(dir.join("conf/auth.json"), AUTH).unwrap();
    let mut schemas = schemas();
    if let Some(third) = shared("data/seed-image/crds/third-party") {
        schemas.add(&third.join("operators.coreos.com_subscriptions.yaml"));
    }
    for api in ["v1", "v1alpha1"] {
        let text = SEED_YAML.replace("image:\n", &format!("image:\n  api: {api}\n"));
        fs_err::write(dir.join("conf/seed.yaml"), text).unwrap();
        let out = run(
            dir,
            &[
                "seed",
                "manifests",
                "all",
                "-c",
                "conf/seed.yaml",
                "-o",
                "out",
            ],
        )
        .expect(0);
        assert!(!out.stdout.contains("hunter2") && !out.stderr.contains("dXNlcjpodW50ZXIy"));
        let mut kinds = Vec::new();
        for entry in fs_err::read_dir(dir.join("out")).unwrap().flatten() {
            let text = fs_err::read_to_string(entry.path()).unwrap();
            for object in yaml(&text) {
                kinds.push(object["kind"].as_str().unwrap_or("policy").to_owned());
                if let Some(faults) = schemas.faults(&object, None) {
                    assert_eq!(faults, Vec::<String>::new(), "{object:#}");
                }
            }
        }
        kinds.sort();
        assert_eq!(
            kinds,
            [
                "ImageBasedUpgrade",
                "MachineConfig",
                "MachineConfig",
                "Namespace",
                "OperatorGroup",
                "Secret",
                "SeedGenerator",
                "Subscription",
                "policy"
            ]
        );
        let secret = dir.join("out/seedgen-secret.yaml");
        assert_eq!(
            fs_err::metadata(&secret).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = &yaml(&fs_err::read_to_string(secret).unwrap())[0];
        assert_eq!(secret["data"].as_object().unwrap().len(), 1);
        let url = format!(
            "data:;base64,{}",
            secret["data"]["seedAuth"].as_str().unwrap()
        );
        assert_eq!(
            snoforge::ignition::data_url::decode(&url, None, 1 << 20).unwrap(),
            AUTH.as_bytes()
        );
        let generator =
            &yaml(&fs_err::read_to_string(dir.join("out/seedgenerator.yaml")).unwrap())[0];
        assert_eq!(generator["apiVersion"], format!("lca.openshift.io/{api}"));
    }
}

/// Ignition's own reader takes what each MachineConfig holds.
#[test]
fn ignition_takes_the_configs() {
    if !crate::registry::installed(&["ignition-validate"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let partition = [
        "seed",
        "manifests",
        "partition",
        "--device",
        "/dev/disk/by-id/x",
        "--start-mib",
        "60000",
        "--label",
    ];
    for text in [
        ours(&MYSNO, &["--mc"]),
        ours(&MYSNO, &["--mc", "--guarded"]),
        ours(&partition, &["varlibcontainers"]),
        ours(&partition, &["größe 1/2"]),
    ] {
        let file = dir.path().join("config.ign");
        fs_err::write(&file, yaml(&text)[0]["spec"]["config"].to_string()).unwrap();
        snoforge::exec::run("ignition-validate", &[&file])
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
    }
}

#[test]
fn old_releases_get_the_hubs_kubeconfig() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs_err::write(dir.join("auth.json"), AUTH).unwrap();
    fs_err::write(dir.join("hub"), "clusters: []\nusers: []\ncontexts: []\n").unwrap();
    fs_err::write(dir.join("none"), "token: hunter2").unwrap();
    let base = [
        "seed",
        "manifests",
        "seedgen",
        "--authfile",
        "auth.json",
        "--seed-image",
        "quay.io/myuserid/seed:t",
        "--api",
        "v1alpha1",
        "--hub-kubeconfig",
    ];
    let out = run(dir, &[&base[..], &["hub"]].concat()).expect(0);
    assert_eq!(yaml(&out.stdout)[0]["data"].as_object().unwrap().len(), 2);
    assert!(
        out.stderr
            .contains("warning: lifecycle-agent reads no hubKubeconfig"),
        "{}",
        out.stderr
    );
    let none = run(dir, &[&base[..], &["none"]].concat()).expect(2);
    assert!(
        none.stderr.contains("hub kubeconfig none: it lacks") && !none.stderr.contains("hunter2"),
        "{}",
        none.stderr
    );
}

/// The validator itself: what the API server refuses, it refuses.
#[test]
fn the_validator_refuses_what_the_api_server_refuses() {
    let mut schemas = schemas();
    if let Some(all) = shared("data/seed-image/crds") {
        // Every CRD there is readable, keyword by keyword.
        for entry in fs_err::read_dir(all).unwrap().flatten() {
            schemas.add_dir(&entry.path());
        }
    }
    for kind in ["SeedGenerator", "ImageBasedUpgrade", "MachineConfig"] {
        let (count, unknown) = schemas.rules(kind);
        assert_eq!(unknown, Vec::<String>::new());
        assert!(count >= 2 || kind == "MachineConfig", "{kind}: {count}");
    }
    let good = "apiVersion: lca.openshift.io/v1\nkind: ImageBasedUpgrade\nmetadata: {name: upgrade}\nspec:\n  stage: Idle\n  seedImageRef: {image: quay.io/x, pullSecretRef: {name: a}}\n  oadpContent: [{name: a, namespace: b}]\n  autoRollbackOnFailure: {initMonitorTimeoutSeconds: 0}\n";
    let faults = |text: &str| schemas.faults(&yaml(text)[0], None).unwrap();
    assert_eq!(faults(good), Vec::<String>::new());
    for (from, to, fault) in [
        ("stage: Idle", "stage: idle", ".spec.stage"),
        ("stage: Idle", "stage: 1", "no string"),
        ("stage: Idle", "stages: Idle", "unknown field"),
        ("name: upgrade", "name: other", "ibu is a singleton"),
        ("image: quay.io/x", "image: ''", "minLength"),
        ("image: quay.io/x", "image: 'quay.io/x y'", "does not match"),
        (
            "{name: a, namespace: b}",
            "{name: a}",
            ".namespace: required",
        ),
        ("Seconds: 0", "Seconds: -1", "minimum"),
        ("Seconds: 0", "Seconds: 1.5", "no integer"),
        ("stage: Idle", "stage: null", "null is not allowed"),
    ] {
        let text = good.replacen(from, to, 1);
        let found = faults(&text);
        assert!(
            found.iter().any(|f| f.contains(fault)) && found.len() <= 2,
            "{to}: {found:?}"
        );
    }
    let object = |stage: &str, image: &str| serde_json::json!({"apiVersion": "lca.openshift.io/v1", "kind": "ImageBasedUpgrade", "metadata": {"name": "upgrade"}, "spec": {"stage": stage, "seedImageRef": {"image": image}}});
    let mut old = object("Prep", "a");
    old["status"] = serde_json::json!({"conditions": [], "validNextStages": ["Idle"]});
    assert_eq!(
        schemas
            .faults(&object("Prep", "b"), Some(&old))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        schemas
            .faults(&object("Upgrade", "a"), Some(&old))
            .unwrap()
            .len(),
        1
    );
    assert!(
        schemas
            .faults(&object("Idle", "b"), Some(&old))
            .unwrap()
            .is_empty()
    );
    let seedgen = |image: &str| serde_json::json!({"apiVersion": "lca.openshift.io/v1", "kind": "SeedGenerator", "metadata": {"name": "seedimage"}, "spec": {"seedImage": image}});
    assert_eq!(
        schemas.faults(&seedgen("a"), Some(&seedgen("b"))).unwrap(),
        [".spec: cannot modify spec, cr must be deleted and recreated"]
    );
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs_err::write(dir.join("auth.json"), AUTH).unwrap();
    let digest = format!("quay.io/myuserid/seed@sha256:{:064}", 1);
    let dnsmasq = |name, ip, wave| {
        vec![
            "seed",
            "manifests",
            "dnsmasq",
            "--name",
            name,
            "--domain",
            "a.b",
            "--ip",
            ip,
            "--wave",
            wave,
        ]
    };
    let seedgen = |image| {
        vec![
            "seed",
            "manifests",
            "seedgen",
            "--authfile",
            "auth.json",
            "--seed-image",
            image,
        ]
    };
    for (args, why) in [
        (
            dnsmasq("My Sno", "10.0.0.1", "1"),
            "name `My Sno` is refused",
        ),
        (
            dnsmasq("a$(id)", "10.0.0.1", "1"),
            "cannot stand in a DNS label",
        ),
        (dnsmasq("a", "10.0.0", "1"), "it is no IP address"),
        (dnsmasq("a", "10.0.0.1", "0"), "outside 1 to 100"),
        (dnsmasq("a", "10.0.0.1", "101"), "outside 1 to 100"),
        (seedgen(&digest), "it has a digest"),
        (
            seedgen("docker://quay.io/myuserid/seed:t"),
            "the scheme `docker://`",
        ),
        (
            seedgen("quay.io/other/seed:t"),
            "auth file auth.json: no entry for quay.io; it has quay.io/myuserid",
        ),
        (seedgen("myuserid/seed:t"), "it names no registry"),
        (
            vec![
                "seed",
                "manifests",
                "seedgen",
                "--seed-image",
                "quay.io/a/b:t",
            ],
            "authfile is missing",
        ),
        (
            vec!["seed", "manifests", "operator", "--namespace", "A_B"],
            "namespace `A_B` is refused",
        ),
        (
            vec![
                "seed",
                "manifests",
                "upgrade",
                "--seed-image",
                "quay.io/a/b:t",
                "--version",
                "4.18",
            ],
            "it is no version",
        ),
        (
            vec!["seed", "manifests", "dnsmasq", "--nmae", "x"],
            "unexpected argument",
        ),
    ] {
        let args: Vec<&str> = args.into_iter().chain(["-o", "out.yaml"]).collect();
        let failed = run(dir, &args).expect(2);
        assert!(failed.stderr.contains(why), "{args:?}: {}", failed.stderr);
        assert!(failed.stdout.is_empty() && !dir.join("out.yaml").exists());
        assert!(!failed.stderr.contains("dXNlcjpodW50ZXIy"));
    }
    fs_err::write(
        dir.join("seed.yaml"),
        SEED_YAML
            .replace("seedImage:", "seedimage:")
            .replace("mysno", "my_sno"),
    )
    .unwrap();
    let failed = run(
        dir,
        &["seed", "manifests", "all", "-c", "seed.yaml", "-o", "out"],
    )
    .expect(2);
    assert!(
        failed
            .stderr
            .contains("error: seed.yaml:3:17: name `my_sno` is refused"),
        "{}",
        failed.stderr
    );
    assert!(
        failed
            .stderr
            .contains("error: seed.yaml:6:3: unknown field `seedimage`\n"),
        "{}",
        failed.stderr
    );
    assert!(!dir.join("out").exists());
}

#[test]
fn a_kustomization_loses_the_seed_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kustomization.yaml");
    let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- clusterinstance-seed-sno1.yaml\n- clusterinstance-target-sno2.yaml\n";
    fs_err::write(&file, text).unwrap();
    let args = [
        "seed",
        "manifests",
        "detach",
        "kustomization.yaml",
        "--resource",
        "clusterinstance-seed-sno1.yaml",
        "-o",
        "kustomization.yaml",
    ];
    run(home.path(), &args).expect(0);
    let out = fs_err::read_to_string(&file).unwrap();
    assert_eq!(
        out,
        text.replace("- clusterinstance-seed", "#- clusterinstance-seed")
    );
    let again = run(home.path(), &args).expect(2);
    assert!(
        again
            .stderr
            .contains("kustomization.yaml:3:1: `resources` has no"),
        "{}",
        again.stderr
    );
}
