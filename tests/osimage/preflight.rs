//! Preflight over facts: a good cluster has no finding, one broken fact has one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use snoforge::objects::Answer;
use snoforge::osimage::facts::{self, Facts};
use snoforge::osimage::names::{Pool, PushSpec};
use snoforge::osimage::preflight::{Outcome, run};
use snoforge::osimage::resources::OsImage;
use snoforge::osimage::{Era, NAMESPACE};

const POOL: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools/master";
const RENDERED: &str =
    "/apis/machineconfiguration.openshift.io/v1/machineconfigs/rendered-master-1";
const BASE: &str = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn image(era: Era) -> OsImage {
    OsImage {
        pool: Pool::new("master", true).unwrap(),
        push: PushSpec::new("quay.io/org/os:latest", era).unwrap(),
        push_secret: "os-push".to_owned(),
        base_secret: Some("os-base".to_owned()),
        containerfile: Some("FROM configs AS final\nRUN true\n".to_owned()),
        era,
    }
}

fn secret(key: &str) -> Value {
    let data = BASE64.encode(format!(
        r#"{{"auths":{{"{key}":{{"auth":"dXNlcjpodW50ZXIy"}}}}}}"#
    ));
    json!({"metadata": {"name": "s"}, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}})
}

/// The API of a cluster on which all is well.
fn cluster(era: Era) -> Vec<(String, Answer)> {
    let version = match era {
        Era::V1 => "4.20.1",
        Era::V414 => "4.14.9",
    };
    let mut answers = vec![
        (
            POOL,
            Answer::Object(
                json!({"metadata": {"name": "master"}, "spec": {"configuration": {"name": "rendered-master-1"}, "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/master": ""}}}}),
            ),
        ),
        (
            RENDERED,
            Answer::Object(
                json!({"metadata": {"name": "rendered-master-1"}, "spec": {"osImageURL": BASE, "kernelType": "default", "extensions": []}}),
            ),
        ),
        (
            facts::NODES,
            Answer::Items(vec![
                json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/master": ""}}, "status": {"nodeInfo": {"architecture": "amd64"}}}),
            ]),
        ),
        (
            facts::INFRASTRUCTURE,
            Answer::Object(json!({"status": {"controlPlaneTopology": "SingleReplica"}})),
        ),
        (
            facts::VERSION,
            Answer::Object(json!({"status": {"desired": {"version": version}}})),
        ),
        (facts::PULL_SECRET, Answer::Object(secret("quay.io"))),
        (
            facts::CONFIGS,
            if era == Era::V1 {
                Answer::Items(Vec::new())
            } else {
                Answer::Absent
            },
        ),
        (facts::MIRRORS, Answer::Items(Vec::new())),
        (facts::OLD_MIRRORS, Answer::Absent),
    ];
    let own = [
        (
            facts::secret_path("os-push"),
            Answer::Object(secret("quay.io/org")),
        ),
        (
            facts::secret_path("os-base"),
            Answer::Object(secret("quay.io")),
        ),
        (
            facts::urls_path(),
            Answer::Object(json!({"data": {"baseOSContainerImage": BASE}})),
        ),
    ];
    answers
        .drain(..)
        .map(|(path, answer)| (path.to_owned(), answer))
        .chain(own)
        .collect()
}

/// Collects as a client does: asks for what is missing until nothing is.
fn collect(image: &OsImage, api: &[(String, Answer)]) -> Facts {
    let mut facts = Facts::default();
    for _ in 0..4 {
        for path in facts.missing(image) {
            let answer = api
                .iter()
                .find(|(at, _)| *at == path)
                .map(|(_, answer)| answer.clone());
            facts.put(&path, answer.unwrap_or(Answer::Absent));
        }
    }
    assert_eq!(facts.missing(image), [""; 0]);
    facts
}

fn rules(image: &OsImage, api: &[(String, Answer)]) -> Vec<String> {
    let report = run(&collect(image, api), image);
    report
        .findings
        .iter()
        .map(|f| {
            assert!(!f.cure.is_empty() && !f.object.is_empty(), "{f:?}");
            f.rule.to_owned()
        })
        .collect()
}

#[test]
fn all_is_well() {
    assert_eq!(rules(&image(Era::V1), &cluster(Era::V1)), [""; 0]);
    // In 4.14 there is no way back, which is said before it is gone.
    assert_eq!(rules(&image(Era::V414), &cluster(Era::V414)), ["rollback"]);
    let report = run(
        &collect(&image(Era::V1), &cluster(Era::V1)),
        &image(Era::V1),
    );
    assert!(report.ok && report.rules.iter().all(|row| row.outcome == Outcome::Pass));
    assert_eq!(report.rules.len(), 18);
}

/// Sets a JSON pointer of the object, or the first item, at a path.
fn set(api: &mut [(String, Answer)], path: &str, pointer: &str, value: &Value) {
    let (_, answer) = api.iter_mut().find(|(at, _)| at == path).unwrap();
    let object = match answer {
        Answer::Object(object) => object,
        Answer::Items(items) => &mut items[0],
        other => panic!("{other:?}"),
    };
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut place = object;
    for part in parent.split('/').skip(1) {
        place = &mut place[part.replace("~1", "/")];
    }
    place[key.replace("~1", "/")] = value.clone();
}

#[test]
fn one_broken_fact_is_one_finding() {
    let push = facts::secret_path("os-push");
    let base = facts::secret_path("os-base");
    let degraded = json!([{"type": "Degraded", "status": "True", "message": "x"}]);
    let bad = |text: &str| json!(BASE64.encode(text));
    for (path, pointer, value, rule) in [
        (POOL, "/spec/paused", json!(true), "pool"),
        (POOL, "/status", json!({ "conditions": degraded }), "pool"),
        (
            POOL,
            "/spec/nodeSelector",
            json!({"matchLabels": {"a": "b"}}),
            "nodes",
        ),
        (&push, "/type", json!("Opaque"), "push-secret"),
        (&push, "/data", json!({}), "push-secret"),
        (&push, "/data/.dockerconfigjson", json!("*"), "push-secret"),
        (&push, "/data/.dockerconfigjson", bad("{}"), "push-secret"),
        (
            &push,
            "/data/.dockerconfigjson",
            bad(r#"{"auths":{}}"#),
            "push-secret",
        ),
        (
            &push,
            "/data/.dockerconfigjson",
            bad(r#"{"auths":{"quay.io":{}}}"#),
            "push-secret",
        ),
        (
            &push,
            "/data",
            secret("quay.io/other")["data"].clone(),
            "push-secret",
        ),
        (
            &base,
            "/data",
            secret("docker.io")["data"].clone(),
            "base-secret",
        ),
        (
            facts::PULL_SECRET,
            "/data",
            secret("docker.io")["data"].clone(),
            "node-pull",
        ),
        (
            facts::INFRASTRUCTURE,
            "/status/controlPlaneTopology",
            json!("External"),
            "topology",
        ),
        (
            facts::VERSION,
            "/status/conditions",
            json!([{"type": "Progressing", "status": "True"}]),
            "release",
        ),
    ] {
        let mut api = cluster(Era::V1);
        set(&mut api, path, pointer, &value);
        assert_eq!(
            rules(&image(Era::V1), &api),
            [rule],
            "{path}{pointer} = {value}"
        );
    }
}

#[test]
fn what_is_not_there_or_not_readable_is_one_finding() {
    let push = facts::secret_path("os-push");
    let base = facts::secret_path("os-base");
    for (path, rule) in [
        (POOL, "pool"),
        (&*push, "push-secret"),
        (&*base, "base-secret"),
        (facts::CONFIGS, "api"),
        (facts::INFRASTRUCTURE, "api-access"),
        (facts::VERSION, "api-access"),
        (facts::NODES, "api-access"),
        (RENDERED, "api-access"),
    ] {
        for answer in [Answer::Absent, Answer::Error("403 Forbidden".to_owned())] {
            let mut api = cluster(Era::V1);
            api.iter_mut().find(|(at, _)| at == path).unwrap().1 = answer.clone();
            let found = rules(&image(Era::V1), &api);
            let expected = if answer == Answer::Absent {
                rule
            } else {
                "api-access"
            };
            let mut found: Vec<_> = found.iter().map(String::as_str).collect();
            // Without its list no node is in the pool.
            found.retain(|r| !(path == facts::NODES && *r == "nodes"));
            assert_eq!(found, [expected], "{path} {answer:?}");
        }
    }
}

#[test]
fn every_limitation_of_4_14_is_detected() {
    let kernel = json!({"osImageURL": BASE, "kernelType": "realtime", "extensions": []});
    let extension = json!({"osImageURL": BASE, "kernelType": "", "extensions": ["usbguard"]});
    let url = json!({"osImageURL": "quay.io/own/os@sha256:22", "kernelType": "", "extensions": []});
    let capabilities = json!({"enabledCapabilities": ["Build"]});
    for (path, pointer, value, rule) in [
        (RENDERED, "/spec", kernel, "extensions"),
        (RENDERED, "/spec", extension, "extensions"),
        (RENDERED, "/spec", url, "os-image-url"),
        (
            facts::VERSION,
            "/status/capabilities",
            capabilities,
            "builder",
        ),
        (
            facts::VERSION,
            "/status/desired/version",
            json!("4.15.2"),
            "release",
        ),
        (
            facts::VERSION,
            "/status/conditions",
            json!([{"type": "Progressing", "status": "True"}]),
            "release",
        ),
        (
            facts::INFRASTRUCTURE,
            "/status/controlPlaneTopology",
            json!("External"),
            "topology",
        ),
    ] {
        let mut api = cluster(Era::V414);
        set(&mut api, path, pointer, &value);
        let mut found = rules(&image(Era::V414), &api);
        found.retain(|r| r != "rollback");
        assert_eq!(found, [rule], "{path}{pointer}");
        // Today's operator does all but two of them.
        let mut api = cluster(Era::V1);
        set(&mut api, path, pointer, &value);
        let today = rules(&image(Era::V1), &api);
        let still = rule == "topology" || value.is_array();
        assert_eq!(!today.is_empty(), still, "{rule}: {today:?}");
    }
    let with = |path: &str, answer: Answer| {
        let mut api = cluster(Era::V414);
        api.iter_mut().find(|(at, _)| at == path).unwrap().1 = answer;
        rules(&image(Era::V414), &api)
    };
    let mirror = Answer::Items(vec![json!({"metadata": {"name": "m"}})]);
    assert_eq!(
        with(facts::MIRRORS, mirror.clone()),
        ["disconnected", "rollback"]
    );
    assert_eq!(
        with(facts::OLD_MIRRORS, mirror),
        ["disconnected", "rollback"]
    );
    let node = |arch: &str| json!({"metadata": {"name": arch, "labels": {"node-role.kubernetes.io/master": ""}}, "status": {"nodeInfo": {"architecture": arch}}});
    assert_eq!(
        with(
            facts::NODES,
            Answer::Items(vec![node("amd64"), node("arm64")])
        ),
        ["architecture", "rollback"]
    );
    assert_eq!(
        with(facts::CONFIGS, Answer::Items(Vec::new())),
        ["api", "rollback"]
    );
    // Text that does not pack, of more than a ConfigMap.
    let mut seed = 1u64;
    let noise: String = (0..1_200_000)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((seed >> 33) % 90).unwrap())
        })
        .collect();
    let large = Answer::Object(
        json!({"metadata": {"name": "r"}, "spec": {"osImageURL": BASE, "config": noise}}),
    );
    assert_eq!(with(RENDERED, large), ["size", "rollback"]);
}

#[test]
fn the_integrated_registry_is_asked() {
    let mut image = image(Era::V1);
    image.push = PushSpec::image_stream("os-image", Era::V1).unwrap();
    let stream =
        format!("/apis/image.openshift.io/v1/namespaces/{NAMESPACE}/imagestreams/os-image");
    let mut api = cluster(Era::V1);
    let push = facts::secret_path("os-push");
    set(
        &mut api,
        &push,
        "/data",
        &secret("image-registry.openshift-image-registry.svc:5000")["data"],
    );
    assert_eq!(rules(&image, &api), ["image-stream", "image-stream"]);
    api.push((
        stream,
        Answer::Object(json!({"metadata": {"name": "os-image"}})),
    ));
    api.push((
        facts::REGISTRY.to_owned(),
        Answer::Object(json!({"spec": {"managementState": "Removed"}})),
    ));
    assert_eq!(rules(&image, &api), ["image-stream"]);
    set(
        &mut api,
        facts::REGISTRY,
        "/spec/managementState",
        &json!("Managed"),
    );
    assert_eq!(rules(&image, &api), [""; 0]);
}

#[test]
fn the_containerfile_and_its_images_are_part_of_it() {
    let mut image = image(Era::V1);
    image.containerfile = Some("FROM docker.io/a/b@sha256:3333333333333333333333333333333333333333333333333333333333333333 AS x\nFROM configs AS final\nCOPY --from=x /a /b\nCOPY c /d\n".to_owned());
    assert_eq!(rules(&image, &cluster(Era::V1)), ["base-secret", "OCL002"]);
}

#[test]
fn no_secret_is_kept() {
    let facts = collect(&image(Era::V1), &cluster(Era::V1));
    let kept = serde_json::to_string(&facts).unwrap();
    assert!(
        !kept.contains("hunter2") && !kept.contains("dXNlcjpodW50ZXIy"),
        "{kept}"
    );
    assert!(!kept.contains(&BASE64.encode("hunter2")));
}

#[test]
fn odd_answers_are_findings() {
    for value in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"metadata": 3, "spec": [], "status": "y", "data": {".dockerconfigjson": 5}, "type": {}}),
    ] {
        for (path, _) in cluster(Era::V1) {
            for answer in [
                Answer::Object(value.clone()),
                Answer::Items(vec![value.clone()]),
            ] {
                for era in [Era::V1, Era::V414] {
                    let mut api = cluster(era);
                    api.iter_mut().find(|(at, _)| *at == path).unwrap().1 = answer.clone();
                    run(&collect(&image(era), &api), &image(era));
                }
            }
        }
    }
}
