//! `osimage manifests`: taken by the API server, refused where it would refuse.

use serde_json::{Value, json};
use snoforge::osimage::Era;
use snoforge::osimage::names::{PushSpec, digested};

use crate::cel::{Crds, holds};
use crate::schema::yaml;
use crate::{shared, with_files};

const AUTH: &str = r#"{"auths":{"quay.io/org":{"auth":"dXNlcjpodW50ZXIy"}}}"#;
const FILE: &str = "# tools\nFROM configs AS final\nRUN rpm-ostree install tree && \\\n    ostree container commit\n";
const V1: [&str; 14] = [
    "osimage",
    "manifests",
    "--pool",
    "master",
    "--push-spec",
    "quay.io/org/os:latest",
    "--push-secret",
    "os-push",
    "--push-authfile",
    "auth.json",
    "--containerfile",
    "C",
    "--base-secret",
    "os-base",
];

fn made(args: &[&str]) -> Vec<Value> {
    let files = [("auth.json", AUTH), ("C", FILE)];
    yaml(&with_files(&files, args).expect(0).stdout)
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects
        .iter()
        .map(|o| o["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn the_api_server_takes_them() {
    let crds = Crds::load();
    let single = made(&[&V1[..], &["--base-authfile", "auth.json"]].concat());
    assert_eq!(kinds(&single), ["Secret", "Secret", "MachineOSConfig"]);
    let config = &single[2];
    assert_eq!(
        config["spec"]["containerFile"],
        json!([{"containerfileArch": "NoArch", "content": FILE}])
    );
    assert_eq!(config["metadata"]["name"], "master");
    assert_eq!(config["spec"]["baseImagePullSecret"]["name"], "os-base");
    let secret = &single[0];
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    assert_eq!(
        secret["metadata"]["namespace"],
        "openshift-machine-config-operator"
    );
    let many: Vec<&str> = V1
        .iter()
        .map(|a| if *a == "master" { "layering" } else { a })
        .collect();
    let many = made(&[&many[..], &["--multi-node"]].concat());
    assert_eq!(
        kinds(&many),
        ["Secret", "MachineConfigPool", "MachineOSConfig"]
    );
    let stream = made(&[
        "osimage",
        "manifests",
        "--pool",
        "master",
        "--image-stream",
        "os-image",
        "--push-secret",
        "builder-dockercfg-g8mgj",
    ]);
    assert_eq!(kinds(&stream), ["ImageStream", "MachineOSConfig"]);
    assert_eq!(
        stream[1]["spec"]["renderedImagePushSpec"],
        "image-registry.openshift-image-registry.svc:5000/openshift-machine-config-operator/os-image:latest"
    );
    let mut checked = 0;
    for object in single.iter().chain(&many).chain(&stream) {
        if let Some(faults) = crds.faults(object) {
            assert_eq!(faults, [""; 0], "{object}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

#[test]
fn the_config_maps_of_4_14_are_the_documents() {
    let args: Vec<&str> = V1
        .iter()
        .map(|a| if *a == "master" { "layering" } else { a })
        .collect();
    let objects = made(&[&args[..], &["--api", "4.14", "--multi-node"]].concat());
    assert_eq!(
        kinds(&objects),
        ["Secret", "MachineConfigPool", "ConfigMap", "ConfigMap"]
    );
    let pool: Value = serde_saphyr::from_str(
        "
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfigPool
metadata:
  name: layering
spec:
  machineConfigSelector:
    matchExpressions:
      - {key: machineconfiguration.openshift.io/role, operator: In, values: [worker, layering]}
  nodeSelector:
    matchLabels:
      node-role.kubernetes.io/layering: \"\"
",
    )
    .unwrap();
    assert_eq!(objects[1], pool);
    assert_eq!(Crds::load().faults(&pool), Some(Vec::new()));
    assert_eq!(objects[2]["metadata"]["name"], "on-cluster-build-config");
    assert_eq!(
        objects[2]["data"],
        json!({"baseImagePullSecretName": "os-base", "finalImagePushSecretName": "os-push", "finalImagePullspec": "quay.io/org/os:latest"})
    );
    assert_eq!(
        objects[3]["metadata"]["name"],
        "on-cluster-build-custom-dockerfile"
    );
    assert_eq!(objects[3]["data"], json!({ "layering": FILE }));
}

#[test]
fn what_would_fail_later_is_refused_now() {
    let files = [
        ("auth.json", AUTH),
        ("C", FILE),
        ("bad", "FROM quay.io/a/b:c\n"),
        ("long", &format!("FROM configs\n#{}", "x".repeat(4096))),
    ];
    for (from, to, why) in [
        ("master", "worker", "only the pool `master`"),
        (
            "quay.io/org/os:latest",
            "localhost:5000/org/os:latest",
            "no host without a dot",
        ),
        (
            "quay.io/org/os:latest",
            "quay.io/a/b/os:latest",
            "more than one namespace",
        ),
        (
            "quay.io/org/os:latest",
            "quay.io/other/os:latest",
            "no entry for quay.io",
        ),
        ("os-push", "os_push", "push-secret"),
        ("C", "bad", "OCL001"),
        ("C", "long", "OCL005"),
        ("C", "absent", "no such file"),
    ] {
        let args: Vec<&str> = V1.iter().map(|a| if *a == from { to } else { a }).collect();
        let run = with_files(&files, &args).expect(2);
        assert!(run.stderr.contains(why), "{to}: {}", run.stderr);
        assert!(
            run.stdout.is_empty() && !run.stderr.contains("hunter2"),
            "{}",
            run.stdout
        );
    }
    let run = with_files(&files, &["osimage", "manifests", "--pool", "master"]).expect(2);
    assert!(
        run.stderr.contains("hint: give --push-spec"),
        "{}",
        run.stderr
    );
}

#[test]
fn one_file_and_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/templates/osimage/osimage.yaml"
    );
    let auth = AUTH.replace("quay.io/org", "quay.io");
    for (name, text) in [
        ("Containerfile", FILE),
        ("push.json", &auth),
        ("pull.json", &auth),
    ] {
        fs_err::write(home.path().join(name), text).unwrap();
    }
    fs_err::copy(sample, home.path().join("osimage.yaml")).unwrap();
    let args = [
        "osimage",
        "manifests",
        "-f",
        "osimage.yaml",
        "-o",
        "out",
        "--output",
        "json",
    ];
    let run = crate::run(home.path(), &args).expect(0);
    assert_eq!(run.json()["written"].as_array().unwrap().len(), 3);
    let secret = home.path().join("out/secret-push.yaml");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(secret).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
}

/// Our rules and the CRD's own patterns, on the same texts.
#[test]
fn specs_are_as_strict_as_the_crd() {
    let crds = Crds::load();
    let mut rules = crds.rules("MachineOSConfig");
    rules.retain(|rule| rule.contains("matches("));
    assert_eq!(rules.len(), 3);
    let digest = format!("{:064x}", 0xabcd);
    for name in [
        "quay.io/org/os",
        "quay.io/os",
        "a.b:5000/org/os",
        "a.b:5/org/os",
        "localhost:5000/a/b",
        "registry:5000/a/b",
        "quay.io/a/b/c",
        "r.svc:5000/a/b",
        "image-registry.openshift-image-registry.svc:5000/a/b",
        "quay.io/a.b/c",
        "a.b/c_d/e-f.g",
    ] {
        let tagged = format!("{name}:latest");
        let taken = holds(&rules[0], &json!(tagged)).unwrap();
        let ours = PushSpec::new(&tagged, Era::V1).is_ok();
        // Ours is stricter in one thing: the digested name must be taken too.
        let pull = format!("{name}@sha256:{digest}");
        let result = rules[1..].iter().all(|r| holds(r, &json!(pull)).unwrap());
        assert_eq!(ours, taken && result, "{tagged}: {taken} {result}");
        assert_eq!(digested("image", &pull).is_ok(), result, "{pull}");
    }
}

#[test]
fn pre_built_images_are_as_the_vectors_say() {
    let Some(path) = shared("data/osimage/vectors/prebuilt_image_cases.json") else {
        return;
    };
    let vectors: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let mut seen = 0;
    for list in ["cases", "stricter_cases_we_should_add"] {
        for case in vectors[list].as_array().unwrap() {
            let taken = digested("image", case["in"].as_str().unwrap()).is_ok();
            assert_eq!(taken, case["ok"] == true, "{case}");
            seen += 1;
        }
    }
    assert_eq!(seen, 11);
}
