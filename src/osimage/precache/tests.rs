#![expect(clippy::print_stderr, reason = "a test says why it skips")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::*;
use crate::objects::Finding;
use crate::objects::auth::AuthFile;

const HEX: &str = "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef";

fn image(name: &str) -> OsImage {
    OsImage::parse("REF", &format!("{name}@sha256:{HEX}")).unwrap()
}

fn vectors() -> Option<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/osimage/vectors/prebuilt_image_cases.json"
    );
    fs_err::read(path)
        .ok()
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn names_of_the_operators_own_test() {
    let Some(vectors) = vectors() else {
        eprintln!("skipped: no ../shared/data/osimage");
        return;
    };
    let cases = |key: &str| vectors[key].as_array().unwrap().clone();
    let (parity, stricter) = (cases("cases"), cases("stricter_cases_we_should_add"));
    assert!(parity.len() >= 7 && stricter.len() >= 4);
    for case in parity {
        let text = case["in"].as_str().unwrap();
        let parsed = OsImage::parse("REF", text);
        assert_eq!(parsed.is_ok(), case["ok"] == true, "{text}: {parsed:?}");
    }
    for case in stricter {
        let text = case["in"].as_str().unwrap();
        let parsed = OsImage::parse("REF", text);
        let good = parsed.as_ref().is_ok_and(|i| i.api_fault().is_none());
        assert_eq!(good, case["ok"] == true, "{text}: {parsed:?}");
    }
}

#[test]
fn a_refused_name_says_why() {
    let pinned = format!("@sha256:{HEX}");
    for (text, reason) in [
        (String::new(), "cannot be empty"),
        ("r.io/a".to_owned(), "must be pinned"),
        (format!("r.io/a:1{pinned}"), "no tag may stand before `@`"),
        (
            format!("rhcos{pinned}"),
            "storage knows it as docker.io/library/rhcos@",
        ),
        (
            format!("r.io/a@sha512:{HEX}{HEX}"),
            "only sha256 digests are supported",
        ),
        (
            format!("r.io/a@sha256:{}", HEX.to_uppercase()),
            "64 lower-case hex digits",
        ),
        (format!("r.io/A{pinned}"), "`r.io/A` is no image name"),
        (format!("r.io/a{pinned}@sha256:{HEX}"), "64 lower-case hex"),
    ] {
        let error = OsImage::parse("REF", &text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn what_the_api_takes() {
    for (name, fault) in [
        ("r.example.com:5000/os/rhcos", None),
        ("127.0.0.1:5000/rhcos", None),
        ("localhost:5000/x", Some("no host without a dot")),
        ("r.example.com/a/b/c", Some("at most one namespace")),
    ] {
        let found = image(name).api_fault();
        match fault {
            None => assert_eq!(found, None, "{name}"),
            Some(part) => assert!(found.is_some_and(|f| f.contains(part)), "{name}"),
        }
    }
}

#[test]
fn releases_and_their_method() {
    for (version, annotation) in [
        ("4.13.1", false),
        ("4.20.99", false),
        ("4.21.0-rc.1", true),
        ("5.0.0", true),
    ] {
        assert_eq!(reads_annotation(version).unwrap(), annotation, "{version}");
    }
    let old = reads_annotation("4.12.3").unwrap_err().to_string();
    assert!(old.contains("from 4.13 on"), "{old}");
    assert!(reads_annotation("latest").is_err());
}

fn documents(manifests: &[Manifest]) -> Vec<Value> {
    let parse = |m: &Manifest| serde_saphyr::from_str(&m.text).unwrap();
    manifests.iter().map(parse).collect()
}

#[test]
fn a_machine_config_is_all_that_older_releases_need() {
    let image = image("r.example.com/os/rhcos");
    let install = Install {
        pool: "master",
        image: &image,
        method: &Method::OsImageUrl,
    };
    let manifests = install.manifests().unwrap();
    let path = "openshift/99_openshift-machineconfig_99-master-os-image.yaml";
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0].path, path);
    let expected = json!({
        "apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfig",
        "metadata": {"name": "99-master-os-image", "labels": {"machineconfiguration.openshift.io/role": "master"}},
        "spec": {"osImageURL": image.to_string()},
    });
    assert_eq!(documents(&manifests), [expected]);
}

#[test]
fn the_annotation_brings_its_secret_when_there_is_a_login() {
    let image = image("r.example.com:5000/os/rhcos");
    let mut push = Push::new("push", None, &image).unwrap();
    // user:pass
    let file = r#"{"auths":{"r.example.com:5000/os":{"auth":"dXNlcjpwYXNz"}}}"#;
    let login = AuthFile::parse("auth.json".as_ref(), file.into(), push.spec.reference());
    push.login = Some(login.unwrap());
    let install = Install {
        pool: "master",
        image: &image,
        method: &Method::Annotation(push),
    };
    let manifests = install.manifests().unwrap();
    let paths: Vec<_> = manifests
        .iter()
        .map(|m| (m.path.as_str(), m.secret))
        .collect();
    assert_eq!(
        paths,
        [
            ("openshift/99_openshift-machineosconfig_master.yaml", false),
            (
                "openshift/99_openshift-machineosconfig_master-push-secret.yaml",
                true
            )
        ]
    );
    let shown = format!("{manifests:?}");
    let documents = documents(&manifests);
    assert_eq!(
        documents[0]["metadata"],
        json!({"name": "master", "annotations": {ANNOTATION_KEY: image.to_string()}})
    );
    assert_eq!(
        documents[0]["spec"]["renderedImagePushSpec"],
        "r.example.com:5000/os/rhcos:latest"
    );
    let contents = documents[1]["data"][".dockerconfigjson"].as_str().unwrap();
    assert!(
        !shown.contains(contents),
        "a secret's text is not in Debug: {shown}"
    );
    assert_eq!(BASE64.decode(contents).unwrap(), file.as_bytes());
}

const ANNOTATION_KEY: &str = "machineconfiguration.openshift.io/pre-built-image";

#[test]
fn push_specs_and_secret_names() {
    let image = image("r.example.com/a/b");
    let own = Push::new("s", None, &image).unwrap();
    assert_eq!(own.spec.to_string(), "r.example.com/a/b:latest");
    assert!(Push::new("s", Some("quay.io/org/os:latest"), &image).is_ok());
    for spec in ["quay.io/org/os", "localhost:5000/a:t", ""] {
        let error = Push::new("s", Some(spec), &image).unwrap_err().to_string();
        assert!(error.starts_with("push-spec `"), "{error}");
    }
    assert!(Push::new("A", None, &image).is_err());
}

fn rules(traps: &[Finding]) -> Vec<&'static str> {
    assert!(
        traps
            .iter()
            .all(|t| !t.message.ends_with('.') && !t.cure.is_empty())
    );
    traps.iter().map(|t| t.rule).collect()
}

/// An image of the right pool and base, and a target that it fits.
struct Good {
    image: OsImage,
    built: Built,
    bases: Vec<String>,
}

impl Good {
    fn new() -> Self {
        let base = format!("quay.io/openshift/art@sha256:{HEX}");
        let labels = json!({"ostree.bootable": "true", "machineconfigpool": "master", "baseOSContainerImage": base});
        Self {
            image: image("r.example.com/os/rhcos"),
            built: Built::read(&json!({"architecture": "amd64", "config": {"Labels": labels}})),
            bases: vec![base],
        }
    }

    fn push(&self) -> Push {
        Push::new("push", None, &self.image).unwrap()
    }

    fn traps(&self, method: &Method, version: &str, seen: &Seen) -> Vec<Finding> {
        let target = Target {
            version: Some(version),
            architecture: "amd64",
            bases: &self.bases,
        };
        let install = Install {
            pool: "master",
            image: &self.image,
            method,
        };
        traps(&install, target, &self.built, seen)
    }
}

#[test]
fn what_each_way_leads_to() {
    let (good, none) = (Good::new(), Seen::default());
    let annotation = Method::Annotation(good.push());
    let found = good.traps(&annotation, "4.21.3", &none);
    assert_eq!(rules(&found), ["frozen-base", "push-secret"]);
    let found = good.traps(&Method::OsImageUrl, "4.21.3", &none);
    assert_eq!(rules(&found), ["frozen-os"]);
    let deep = Good {
        image: image("r.example.com/a/b/c"),
        bases: Vec::new(),
        ..good
    };
    let found = deep.traps(&Method::OsImageUrl, "4.18.1", &none);
    assert_eq!(rules(&found), ["frozen-os", "name-refused"]);
}

#[test]
fn other_manifests_of_the_installation() {
    let good = Good::new();
    let annotation = Method::Annotation(good.push());
    let config = |name: &str, role: &str, image: &str| {
        let labels = json!({"machineconfiguration.openshift.io/role": role});
        json!({"kind": "MachineConfig", "metadata": {"name": name, "labels": labels}, "spec": {"osImageURL": image}})
    };
    let build = |name: &str| json!({"kind": "MachineOSConfig", "metadata": {"name": name, "annotations": {ANNOTATION_KEY: "x@y"}}});
    let mut seen = Seen::default();
    for object in [
        json!({"kind": "Secret", "metadata": {"name": "push", "namespace": "openshift-machine-config-operator"}}),
        json!({"kind": "MachineOSConfig", "metadata": {"name": "worker"}}),
        build("infra"),
        config("99-z", "master", "r.io/o"),
        config("99-w", "worker", "r.io/o"),
        config("99-master-ssh", "master", ""),
    ] {
        seen.add(&object);
    }
    let found = good.traps(&annotation, "4.18.1", &seen);
    let expected = [
        "frozen-base",
        "annotation-unknown",
        "unannotated",
        "other-os-image",
    ];
    assert_eq!(rules(&found), expected);
    assert_eq!(found[2].object, "MachineOSConfig worker");
    assert_eq!(found[3].object, "MachineConfig 99-z");

    let mut again = Seen::default();
    again.add(&build("master"));
    let found = good.traps(&Method::OsImageUrl, "4.21.3", &again);
    assert_eq!(rules(&found), ["frozen-os", "other-os-image"]);
}

#[test]
fn an_image_that_does_not_fit() {
    let good = Good::new();
    let auths = r#"{"auths":{"r.example.com":{"auth":"dXNlcjpwYXNz"}}}"#;
    let mut push = good.push();
    let login = AuthFile::parse("f".as_ref(), auths.into(), push.spec.reference());
    push.login = Some(login.unwrap());
    let annotation = Method::Annotation(push);
    let base = format!("q@sha256:{}", "0".repeat(64));
    let labels = json!({"machineconfigpool": "infra", "baseOSContainerImage": base});
    let odd = Good {
        built: Built::read(&json!({"architecture": "arm64", "config": {"Labels": labels}})),
        ..good
    };
    let found = odd.traps(&annotation, "4.21.3", &Seen::default());
    let expected = [
        "frozen-base",
        "not-bootable",
        "architecture",
        "pool",
        "base",
    ];
    assert_eq!(rules(&found), expected);
}
