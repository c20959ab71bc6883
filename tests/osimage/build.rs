//! Scripted builds through the state machines: success, four failed attempts, interruption, a pool without nodes, a missing
//! secret; the rollout after it, and the cleaning up.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use snoforge::osimage::build::clean::{self, Step};
use snoforge::osimage::build::rollout::{Rollout, rollout};
use snoforge::osimage::build::{Log, State, V1Objects, V414Objects, Verdict, current, v1, v414};

const NAME: &str = "master-699e6be74658adcb3ff2b48f32cd1584";
const NS: &str = "openshift-machine-config-operator";

fn image() -> String {
    format!("quay.io/org/os@sha256:{:064x}", 7)
}

fn condition(kind: &str, message: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": kind, "message": message})
}

/// A cluster at one moment of a v1 build.
#[derive(Clone)]
struct Scene {
    pool: Value,
    config: Value,
    build: Option<Value>,
    job: Option<Value>,
    pods: Vec<Value>,
    builder: Option<Value>,
    events: Vec<Value>,
    secrets: BTreeSet<String>,
}

impl Scene {
    fn new() -> Self {
        Self {
            pool: json!({"metadata": {"name": "master"}, "status": {"machineCount": 1}}),
            config: json!({
                "metadata": {"name": "master", "generation": 1},
                "spec": {"machineConfigPool": {"name": "master"}, "renderedImagePushSecret": {"name": "os-push"}, "baseImagePullSecret": {"name": "base"}},
            }),
            build: None,
            job: None,
            pods: Vec::new(),
            builder: None,
            events: Vec::new(),
            secrets: ["os-push", "base"].map(str::to_owned).into(),
        }
    }

    /// With a build that has this condition.
    fn building(kind: &str, message: &str) -> Self {
        Self {
            build: Some(json!({
                "metadata": {"name": NAME}, "spec": {"machineOSConfig": {"name": "master"}},
                "status": {"conditions": [condition(kind, message)]},
            })),
            builder: Some(json!({"status": {"availableReplicas": 1}})),
            ..Self::new()
        }
    }

    fn state(&self) -> State {
        v1(&V1Objects {
            pool: Some(&self.pool),
            config: Some(&self.config),
            build: self.build.as_ref(),
            job: self.job.as_ref(),
            pods: &self.pods,
            builder: self.builder.as_ref(),
            events: &self.events,
            secrets: Some(&self.secrets),
        })
    }
}

fn job(active: u64, failed: u64, succeeded: u64) -> Option<Value> {
    Some(json!({"status": {"active": active, "failed": failed, "succeeded": succeeded}}))
}

fn dead_pod(n: u8) -> Value {
    json!({
        "metadata": {"name": format!("build-{NAME}-{n}"), "creationTimestamp": format!("2026-01-01T00:0{n}:00Z")},
        "status": {"phase": "Failed", "initContainerStatuses": [
            {"name": "image-build", "state": {"terminated": {"exitCode": 125, "reason": "Error"}}},
        ]},
    })
}

#[test]
fn a_build_that_succeeds() {
    let mut lines = Vec::new();
    let mut scene = Scene::new();
    lines.push(scene.state().line);
    scene.builder = Some(json!({"status": {}}));
    lines.push(scene.state().line);
    scene.builder = Some(json!({"status": {"availableReplicas": 1}}));
    lines.push(scene.state().line);
    scene = Scene::building("Prepared", "");
    lines.push(scene.state().line);
    scene.job = Some(json!({"status": {}}));
    lines.push(scene.state().line);
    scene = Scene {
        job: job(1, 0, 0),
        ..Scene::building("Building", "")
    };
    lines.push(scene.state().line);
    scene.job = job(0, 0, 1);
    lines.push(scene.state().line);
    scene = Scene::building("Succeeded", "");
    lines.push(scene.state().line);
    assert!(!scene.state().is_final());
    scene.build.as_mut().unwrap()["status"]["digestedImagePushSpec"] = json!(image());
    let done = scene.state();
    lines.push(done.line);
    assert_eq!(done.verdict, Verdict::Succeeded { image: image() });
    assert_eq!(done.notes, [""; 0]);
    assert_eq!(
        lines,
        [
            "machine-os-builder is not there yet".to_owned(),
            "machine-os-builder is not ready yet".to_owned(),
            "the operator has not started the build yet".to_owned(),
            format!("{NAME}: being prepared"),
            format!("{NAME}: prepared"),
            format!("{NAME}: attempt 1 of 4"),
            "the image is pushed, the operator notes it".to_owned(),
            "the image is pushed, its digest is not noted yet".to_owned(),
            format!("built: {}", image()),
        ]
    );
}

#[test]
fn a_build_that_fails_four_times() {
    let mut scene = Scene::building("Building", "");
    for failed in 0..4u8 {
        scene.job = job(1, u64::from(failed), 0);
        let state = scene.state();
        assert!(
            state.line.contains(&format!("attempt {} of 4", failed + 1)),
            "{}",
            state.line
        );
        assert!(!state.is_final());
        assert_eq!(
            state.line.contains("image-build ended with 125 (Error)"),
            failed > 0,
            "{}",
            state.line
        );
        scene.pods.push(dead_pod(failed + 1));
    }
    scene.job = job(0, 4, 0);
    assert!(scene.state().line.starts_with("all 4 attempts failed"));
    scene.build = Scene::building("Failed", "Build Failed").build;
    let Verdict::Failed { reason, log } = scene.state().verdict else {
        panic!("{:?}", scene.state());
    };
    assert_eq!(
        reason,
        "Failed: Build Failed; image-build ended with 125 (Error)"
    );
    let pod = format!("build-{NAME}-4");
    assert_eq!(
        log,
        Some(Log {
            pod,
            container: "image-build".to_owned()
        })
    );
    scene.pods.clear();
    assert!(matches!(
        scene.state().verdict,
        Verdict::Failed { log: None, .. }
    ));
}

#[test]
fn what_ends_a_build_or_keeps_it_from_beginning() {
    let state = Scene::building("Interrupted", "job deleted").state();
    assert!(
        matches!(state.verdict, Verdict::Interrupted { reason } if reason.contains("job deleted"))
    );
    let mut scene = Scene::new();
    scene.secrets.remove("os-push");
    assert!(
        matches!(scene.state().verdict, Verdict::Failed { reason, log: None } if reason.contains("`os-push`"))
    );
    let mut begun = Scene::building("Building", "");
    begun.secrets.clear();
    assert!(!begun.state().is_final());
    let mut scene = Scene::new();
    scene.events = vec![
        json!({"reason": "ConfigReconcileFailed", "involvedObject": {"name": "master"}, "message": "no such pool"}),
    ];
    assert!(scene.state().line.contains("no such pool"));
    let missing = v1(&V1Objects {
        config: Some(&Scene::new().config),
        ..V1Objects::default()
    });
    assert!(
        matches!(missing.verdict, Verdict::Failed { reason, .. } if reason.contains("no pool `master`"))
    );
    assert!(!v1(&V1Objects::default()).is_final());
    // A build of the past counts for nothing once another is asked for.
    let mut scene = Scene::building("Failed", "old");
    scene.config["metadata"]["annotations"] =
        json!({"machineconfiguration.openshift.io/rebuild": ""});
    assert!(!scene.state().is_final());
    let mut scene = Scene::building("Failed", "old");
    scene.config["metadata"]["generation"] = json!(2);
    scene.config["status"] = json!({"observedGeneration": 1});
    assert!(!scene.state().is_final());
}

#[test]
fn a_pool_without_nodes_is_built_and_said() {
    let mut scene = Scene::building("Succeeded", "");
    scene.build.as_mut().unwrap()["status"]["digestedImagePushSpec"] = json!(image());
    scene.pool["status"]["machineCount"] = json!(0);
    let state = scene.state();
    assert!(matches!(state.verdict, Verdict::Succeeded { .. }));
    assert!(state.notes[0].contains("nobody boots it"));
    assert_eq!(rollout(&scene.pool, &[], &image()), Rollout::NoNodes);
}

#[test]
fn pods_that_do_not_start_are_said() {
    let mut scene = Scene {
        job: job(1, 0, 0),
        ..Scene::building("Building", "")
    };
    scene.pods = vec![
        json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient memory"}]}}),
    ];
    assert!(scene.state().line.contains("Insufficient memory"));
    scene.pods = vec![
        json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "initContainerStatuses": [
        {"name": "image-build", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "denied"}}}]}}),
    ];
    assert!(scene.state().line.contains("ImagePullBackOff denied"));
    scene.pods = vec![
        json!({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "Evicted", "message": "disk pressure"}}),
    ];
    assert!(scene.state().line.contains("Evicted: disk pressure"));
}

#[test]
fn the_build_that_counts() {
    let build = |name: &str, day: u8| json!({"metadata": {"name": name, "creationTimestamp": format!("2026-01-0{day}T00:00:00Z")}, "spec": {"machineOSConfig": {"name": "master"}}});
    let builds = [
        build("b", 2),
        build("a", 1),
        json!({"metadata": {"name": "c", "creationTimestamp": "2026-01-09T00:00:00Z"}, "spec": {"machineOSConfig": {"name": "worker"}}}),
    ];
    let mut config = json!({"metadata": {"name": "master"}});
    let name = |config: &Value| {
        current(config, &builds).map(|b| b["metadata"]["name"].as_str().unwrap().to_owned())
    };
    assert_eq!(name(&config).as_deref(), Some("b"));
    config["status"] = json!({"machineOSBuild": {"name": "a"}});
    assert_eq!(name(&config).as_deref(), Some("a"));
    config["metadata"]["annotations"] =
        json!({"machineconfiguration.openshift.io/current-machine-os-build": "gone"});
    assert_eq!(name(&config), None);
}

/// A pool of 4.14 with these conditions, opted in.
fn layering(conditions: &[(&str, &str)]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(kind, message)| condition(kind, message))
        .collect();
    json!({
        "metadata": {"name": "layering", "labels": {"machineconfiguration.openshift.io/layering-enabled": ""}},
        "spec": {"configuration": {"name": "rendered-layering-1"}, "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/layering": ""}}},
        "status": {"conditions": conditions, "machineCount": 1},
    })
}

#[test]
fn a_build_of_4_14() {
    let state = |pool: &Value, pod: Option<Value>| {
        let builder = json!({"status": {"availableReplicas": 1}});
        v414(&V414Objects {
            pool: Some(pool),
            pod: pod.as_ref(),
            builder: Some(&builder),
            build: None,
        })
    };
    let pod = |phase: &str| {
        Some(json!({"metadata": {"name": "build-rendered-layering-1"}, "status": {"phase": phase}}))
    };
    let mut bare = layering(&[]);
    bare["metadata"]["labels"] = json!({});
    assert!(state(&bare, None).line.contains("nobody asked"));
    assert_eq!(
        state(&layering(&[]), None).line,
        "the build pod is not there yet"
    );
    assert_eq!(
        state(&layering(&[("BuildPending", "")]), pod("Pending")).line,
        "build-rendered-layering-1: pending"
    );
    // An old failure says nothing while the next build goes on.
    let again = layering(&[("BuildFailed", "old"), ("Building", "")]);
    assert_eq!(
        state(&again, pod("Running")).line,
        "build-rendered-layering-1: building"
    );
    for (phase, word) in [
        ("Succeeded", "notes its digest"),
        ("Failed", "the operator notes it"),
    ] {
        assert!(state(&again, pod(phase)).line.ends_with(word));
    }
    let mut failed = dead_pod(1);
    failed["metadata"]["name"] = json!("build-rendered-layering-1");
    let Verdict::Failed { reason, log } =
        state(&layering(&[("BuildFailed", "see pod")]), Some(failed)).verdict
    else {
        panic!("no failure");
    };
    assert!(
        reason.contains("see pod") && reason.contains("ended with 125"),
        "{reason}"
    );
    assert_eq!(log.unwrap().container, "image-build");
    let build = json!({"metadata": {"name": "build-rendered-layering-1"}, "status": {"phase": "Failed", "message": "push failed", "logSnippet": "denied"}});
    let pool = layering(&[("BuildFailed", "x")]);
    let by_build = v414(&V414Objects {
        pool: Some(&pool),
        build: Some(&build),
        ..V414Objects::default()
    });
    assert!(
        by_build.line.contains("push failed; denied"),
        "{}",
        by_build.line
    );
    assert!(matches!(
        state(&layering(&[("BuildInterrupted", "x")]), None).verdict,
        Verdict::Interrupted { .. }
    ));
    let mut done = layering(&[("BuildSuccess", "")]);
    assert!(!state(&done, None).is_final());
    done["metadata"]["annotations"] =
        json!({"machineconfiguration.openshift.io/newestImageEquivalentConfig": image()});
    assert_eq!(
        state(&done, None).verdict,
        Verdict::Succeeded { image: image() }
    );
    assert!(v414(&V414Objects::default()).is_final());
}

#[test]
fn the_rollout_ends_when_the_node_booted_the_image() {
    let mut pool = json!({
        "metadata": {"name": "master"}, "spec": {"nodeSelector": {"matchLabels": {"node-role.kubernetes.io/master": ""}}},
        "status": {"machineCount": 1, "updatedMachineCount": 0},
    });
    let node = |desired: &str, current: &str, state: &str, ready: &str| {
        json!({
            "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/master": "", "node-role.kubernetes.io/worker": ""}, "annotations": {
                "machineconfiguration.openshift.io/desiredImage": desired, "machineconfiguration.openshift.io/currentImage": current,
                "machineconfiguration.openshift.io/state": state, "machineconfiguration.openshift.io/reason": "cannot pull",
            }}, "status": {"conditions": [{"type": "Ready", "status": ready}]},
        })
    };
    let image = image();
    for (node, why) in [
        (node("", "", "Done", "True"), "not told of the image yet"),
        (node(&image, "old", "Working", "True"), "takes the image"),
        (node(&image, "old", "Working", "Unknown"), "reboots"),
        (
            node(&image, &image, "Working", "True"),
            "finishes (Working)",
        ),
        (node(&image, &image, "Done", "False"), "is not ready yet"),
        (node(&image, &image, "Done", "True"), "0 of 1 nodes"),
    ] {
        let Rollout::Waiting { why: said } = rollout(&pool, &[node], &image) else {
            panic!("{why}");
        };
        assert!(said.contains(why), "{said}");
    }
    let degraded = rollout(&pool, &[node(&image, "", "Degraded", "True")], &image);
    assert_eq!(
        degraded,
        Rollout::Degraded {
            reason: "node n: cannot pull".to_owned()
        }
    );
    let booted = [node(&image, &image, "Done", "True")];
    pool["spec"]["paused"] = json!(true);
    assert!(
        matches!(rollout(&pool, &[node("", "", "Done", "True")], &image), Rollout::Waiting { why } if why.contains("paused"))
    );
    pool["status"]["updatedMachineCount"] = json!(1);
    assert_eq!(
        rollout(&pool, &booted, &image),
        Rollout::Done {
            nodes: vec!["n".to_owned()]
        }
    );
    pool["status"]["conditions"] = json!([condition("NodeDegraded", "n is broken")]);
    assert!(matches!(
        rollout(&pool, &booted, &image),
        Rollout::Degraded { .. }
    ));
    // The one node of Single Node OpenShift has both roles, and is in the pool `master`.
    let worker = json!({"metadata": {"name": "worker"}, "spec": {"nodeSelector": {"matchLabels": {"node-role.kubernetes.io/worker": ""}}}});
    assert_eq!(rollout(&worker, &booted, &image), Rollout::NoNodes);
}

#[test]
fn cleaning_goes_in_the_order_that_works() {
    let build = |name: &str, kind: &str| json!({"metadata": {"name": name}, "spec": {"machineOSConfig": {"name": "master"}}, "status": {"conditions": [condition(kind, "")]}});
    let builds = [
        build("master-1", "Failed"),
        build("master-2", "Succeeded"),
        build("master-3", "Failed"),
        build("master-4", "Building"),
    ];
    let config = json!({"metadata": {"name": "master", "annotations": {"machineconfiguration.openshift.io/current-machine-os-build": "master-3"}}, "spec": {"machineConfigPool": {"name": "master"}}});
    let left = |kind: &str, name: &str, of: &str, pool: &str| {
        json!({"kind": kind, "metadata": {"name": name, "namespace": NS, "labels": {
        "machineconfiguration.openshift.io/ephemeral-build-object": "", "machineconfiguration.openshift.io/target-machine-config-pool": pool,
        "machineconfiguration.openshift.io/machine-os-build": of}}})
    };
    let mut of_user = left("Secret", "os-push", "master-1", "master");
    of_user["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .remove("machineconfiguration.openshift.io/ephemeral-build-object");
    let mut elsewhere = left("ConfigMap", "mc-master-1", "master-1", "master");
    elsewhere["metadata"]["namespace"] = json!("default");
    let leftovers = [
        left("ConfigMap", "mc-master-0", "master-0", "master"),
        left("Secret", "base-master-1", "master-1", "master"),
        left("ConfigMap", "mc-master-4", "master-4", "master"),
        left("ConfigMap", "mc-worker-0", "worker-0", "worker"),
        left("ConfigMap", "../x", "master-0", "master"),
        of_user,
        elsewhere,
    ];
    let steps: Vec<String> = clean::v1(&config, &builds, &leftovers)
        .iter()
        .map(ToString::to_string)
        .collect();
    let group = "/apis/machineconfiguration.openshift.io/v1";
    assert_eq!(
        steps,
        [
            format!("delete {group}/machineosbuilds/master-1"),
            format!("wait until {group}/machineosbuilds/master-1 is gone"),
            format!("delete /api/v1/namespaces/{NS}/configmaps/mc-master-0"),
            format!("delete /api/v1/namespaces/{NS}/secrets/base-master-1"),
            format!(
                "annotate {group}/machineosconfigs/master with machineconfiguration.openshift.io/rebuild"
            ),
        ]
    );
    assert_eq!(clean::v1(&config, &builds[1..2], &[]), []);

    let pool = layering(&[]);
    let (steps, against) = clean::v414(&pool, &[], true);
    assert_eq!(against, []);
    let path = format!("{group}/machineconfigpools/layering");
    let label = |present| Step::Label {
        path: path.clone(),
        label: "machineconfiguration.openshift.io/layering-enabled",
        present,
    };
    assert_eq!(steps.first(), Some(&label(false)));
    assert_eq!(
        steps[1],
        Step::WaitGone {
            path: clean::BUILDER.to_owned()
        }
    );
    assert_eq!(steps.last(), Some(&label(true)));
    assert_eq!(steps.len(), 7);
    assert_eq!(clean::v414(&pool, &[], false).0.len(), 6);
    let layered = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/layering": ""}, "annotations": {"machineconfiguration.openshift.io/currentImage": image()}}});
    assert_eq!(clean::v414(&pool, &[layered], true).1[0].rule, "rollback");
}

/// Whatever the API says, the answer is an answer.
#[test]
fn hostile_objects_are_objects() {
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"metadata": 1}),
        json!({"status": {"conditions": {"type": "Failed"}}}),
        json!({"metadata": {"name": 5}, "status": {"conditions": [1, null, {"type": "Succeeded", "status": "True"}]}, "spec": []}),
        json!({"status": {"failed": -3, "active": "x", "succeeded": 1.5, "initContainerStatuses": "a", "containerStatuses": [{}]}}),
    ];
    for a in &odd {
        for b in &odd {
            let list = [a.clone(), b.clone()];
            let objects = V1Objects {
                pool: Some(a),
                config: Some(b),
                build: Some(a),
                job: Some(b),
                pods: &list,
                builder: Some(a),
                events: &list,
                secrets: None,
            };
            assert!(!v1(&objects).line.is_empty());
            let objects = V414Objects {
                pool: Some(a),
                pod: Some(b),
                build: None,
                builder: Some(b),
            };
            assert!(!v414(&objects).line.is_empty());
            rollout(a, &list, "x");
            assert_eq!(clean::v1(a, &list, &list), []);
            clean::v414(a, &list, true);
        }
    }
}
