//! `build` and `watch` of 4.14: label, build pod, pool conditions.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::live::{Lab, MCO, NS, OFTEN, V1, WANTED, image};
use crate::program::Run;

const BASE: [&str; 4] = ["--api", "4.14", "--base-secret", "os-push"];

/// A cluster of that release.
fn lab() -> Lab {
    let lab = Lab::with(&["machineconfigpools"]);
    let version = json!({"status": {"desired": {"version": "4.14.9"}}});
    let path = "/apis/config.openshift.io/v1/clusterversions/version";
    lab.put(path, "config.openshift.io/v1", "ClusterVersion", version);
    lab
}

/// The pool, labelled, with the conditions that hold.
fn pool(lab: &Lab, conditions: &[&str], built: Option<&str>) {
    let path = format!("{MCO}/machineconfigpools/master");
    let mut pool = lab.server.object(&path).unwrap();
    let condition = |kind: &&str| json!({"type": kind, "status": "True", "reason": "", "message": "", "lastTransitionTime": "2026-11-21T06:00:00Z"});
    pool["status"]["conditions"] = conditions.iter().map(condition).collect();
    if let Some(built) = built {
        pool["metadata"]["annotations"] =
            json!({"machineconfiguration.openshift.io/newestImageEquivalentConfig": built});
    }
    lab.put(&path, V1, "MachineConfigPool", pool);
}

/// The build pod.
fn pod(lab: &Lab, status: &Value) {
    let path = format!("/api/v1/namespaces/{NS}/pods/build-rendered-master-1");
    lab.put(&path, "v1", "Pod", json!({"status": status}));
}

fn labelled(lab: &Lab) -> bool {
    let pool = lab
        .server
        .object(&format!("{MCO}/machineconfigpools/master"));
    let label = "/metadata/labels/machineconfiguration.openshift.io~1layering-enabled";
    pool.unwrap().pointer(label).is_some()
}

/// Starts `build`, until the pool is labelled.
fn asked(lab: &Lab) -> JoinHandle<Run> {
    let args = [&["osimage", "build"], &WANTED[..], &BASE[..], &OFTEN[..]].concat();
    let building = lab.start(&args);
    let end = Instant::now() + Duration::from_mins(1);
    while !labelled(lab) {
        assert!(
            !building.is_finished() && Instant::now() < end,
            "{:?}",
            building.join().unwrap().stderr
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    building
}

#[test]
fn a_pool_is_opted_in_and_its_image_built() {
    let lab = lab();
    let building = asked(&lab);
    let maps = format!("/api/v1/namespaces/{NS}/configmaps");
    let config = lab
        .server
        .object(&format!("{maps}/on-cluster-build-config"))
        .unwrap();
    assert_eq!(
        config["data"]["finalImagePullspec"],
        "quay.io/org/os:latest"
    );
    let files = lab
        .server
        .object(&format!("{maps}/on-cluster-build-custom-dockerfile"));
    assert!(
        files.unwrap()["data"]["master"]
            .as_str()
            .unwrap()
            .contains("tree")
    );
    lab.looked(&building);
    lab.builder();
    pool(&lab, &["BuildPending"], None);
    pod(&lab, &json!({"phase": "Pending"}));
    lab.looked(&building);
    pool(&lab, &["Building"], None);
    pod(&lab, &json!({"phase": "Running"}));
    lab.looked(&building);
    pool(&lab, &["BuildSuccess"], Some(&image()));
    let done = building.join().unwrap().expect(0);
    assert_eq!(done.stdout, format!("{}\n", image()));
    for line in [
        "machine-os-builder is not there yet",
        "build-rendered-master-1: pending",
        "build-rendered-master-1: building",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
}

#[test]
fn a_build_pod_that_fails_is_told_with_its_log() {
    let lab = lab();
    let building = asked(&lab);
    lab.builder();
    pool(&lab, &["Building"], None);
    lab.looked(&building);
    pod(
        &lab,
        &json!({"phase": "Failed", "containerStatuses": [
        {"name": "image-build", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
    );
    let path = format!("/api/v1/namespaces/{NS}/pods/build-rendered-master-1");
    lab.server
        .log(&path, "image-build", "error: no package named tree\n");
    pool(&lab, &["BuildFailed"], None);
    let failed = building.join().unwrap().expect(5);
    for text in [
        "image-build ended with 1 (Error)",
        "no package named tree",
        "hint: mend the cause",
    ] {
        assert!(failed.stderr.contains(text), "{text}: {}", failed.stderr);
    }
}
