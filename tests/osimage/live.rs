//! `preflight`, `build`, `watch`, `status`, `rollout` and `clean` against an API server that plays the operator.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apiserver::ApiServer;
use crate::program::{Run, run};

pub(super) const MCO: &str = "/apis/machineconfiguration.openshift.io/v1";
pub(super) const NS: &str = "openshift-machine-config-operator";
const BUILD: &str = "master-699e6be74658adcb3ff2b48f32cd1584";
pub(super) const V1: &str = "machineconfiguration.openshift.io/v1";

pub(super) fn image() -> String {
    format!("quay.io/org/os@sha256:{:064x}", 7)
}

/// A cluster with its kubeconfig in a directory.
pub(super) struct Lab {
    pub(super) server: ApiServer,
    pub(super) home: TempDir,
}

impl Lab {
    /// All is well, and nobody asked for an image.
    pub(super) fn new() -> Self {
        Self::with(&["machineosconfigs", "machineosbuilds", "machineconfigpools"])
    }

    /// The same, of a release with these CRDs.
    pub(super) fn with(crds: &[&str]) -> Self {
        let server = ApiServer::mutual_tls();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/osimage/crds");
        for name in crds {
            server.crd(&folder.join(format!("{name}.yaml")));
        }
        server.kind(V1, "machineconfigs", "MachineConfig", false);
        server.kind(
            "config.openshift.io/v1",
            "infrastructures",
            "Infrastructure",
            false,
        );
        server.kind(
            "config.openshift.io/v1",
            "clusterversions",
            "ClusterVersion",
            false,
        );
        let home = tempfile::tempdir().unwrap();
        fs_err::write(
            home.path().join("kubeconfig"),
            server.kubeconfig().to_string(),
        )
        .unwrap();
        fs_err::write(
            home.path().join("C"),
            "FROM configs AS final\nRUN rpm-ostree install tree && ostree container commit\n",
        )
        .unwrap();
        let lab = Self { server, home };
        lab.pool(0);
        lab.node("", "", "True");
        lab.put(
            "/apis/config.openshift.io/v1/infrastructures/cluster",
            "config.openshift.io/v1",
            "Infrastructure",
            json!({"status": {"controlPlaneTopology": "SingleReplica"}}),
        );
        lab.put(
            "/apis/config.openshift.io/v1/clusterversions/version",
            "config.openshift.io/v1",
            "ClusterVersion",
            json!({"status": {"desired": {"version": "4.20.1"}}}),
        );
        lab.put(
            &format!("{MCO}/machineconfigs/rendered-master-1"),
            V1,
            "MachineConfig",
            json!({"spec": {"osImageURL": "", "extensions": []}}),
        );
        lab.secret("openshift-config", "pull-secret");
        lab.secret(NS, "os-push");
        lab.put(
            &format!("/api/v1/namespaces/{NS}/configmaps/machine-config-osimageurl"),
            "v1",
            "ConfigMap",
            json!({"data": {"baseOSContainerImage": image()}}),
        );
        lab
    }

    pub(super) fn put(&self, path: &str, version: &str, kind: &str, rest: Value) {
        let mut object = rest;
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object["metadata"]["name"] = json!(path.rsplit('/').next().unwrap());
        if let Some(namespace) = path.split("/namespaces/").nth(1) {
            object["metadata"]["namespace"] = json!(namespace.split('/').next().unwrap());
        }
        self.server.put(path, &object);
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) {
        let data = BASE64.encode(r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy"}}}"#);
        let rest =
            json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}});
        self.put(
            &format!("/api/v1/namespaces/{namespace}/secrets/{name}"),
            "v1",
            "Secret",
            rest,
        );
    }

    pub(super) fn pool(&self, updated: u64) {
        let spec = json!({"configuration": {"name": "rendered-master-1"}, "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/master": ""}}});
        let status = json!({"machineCount": 1, "updatedMachineCount": updated, "readyMachineCount": 0, "unavailableMachineCount": 0, "degradedMachineCount": 0});
        self.put(
            &format!("{MCO}/machineconfigpools/master"),
            V1,
            "MachineConfigPool",
            json!({"spec": spec, "status": status}),
        );
    }

    pub(super) fn node(&self, desired: &str, current: &str, ready: &str) {
        let rest = json!({
            "metadata": {"labels": {"node-role.kubernetes.io/master": ""}, "annotations": {
                "machineconfiguration.openshift.io/desiredImage": desired, "machineconfiguration.openshift.io/currentImage": current,
                "machineconfiguration.openshift.io/state": "Done"}},
            "status": {"nodeInfo": {"architecture": "amd64"}, "conditions": [{"type": "Ready", "status": ready}]},
        });
        self.put("/api/v1/nodes/n", "v1", "Node", rest);
    }

    /// The operator's own pod is there.
    pub(super) fn builder(&self) {
        let path = format!("/apis/apps/v1/namespaces/{NS}/deployments/machine-os-builder");
        self.put(
            &path,
            "apps/v1",
            "Deployment",
            json!({"status": {"availableReplicas": 1}}),
        );
    }

    /// The `MachineOSConfig` as `build` makes it.
    pub(super) fn config(&self) {
        let spec = json!({"machineConfigPool": {"name": "master"}, "imageBuilder": {"imageBuilderType": "Job"}, "renderedImagePushSecret": {"name": "os-push"}, "renderedImagePushSpec": "quay.io/org/os:latest"});
        self.put(
            &format!("{MCO}/machineosconfigs/master"),
            V1,
            "MachineOSConfig",
            json!({"spec": spec}),
        );
    }

    /// The build with these conditions that hold.
    pub(super) fn building(&self, conditions: &[&str], image: Option<&str>) {
        let condition = |kind: &&str| json!({"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": "2026-11-21T06:00:00Z"});
        let mut status =
            json!({"conditions": conditions.iter().map(condition).collect::<Vec<_>>()});
        if let Some(image) = image {
            status["digestedImagePushSpec"] = json!(image);
        }
        let spec = json!({"machineConfig": {"name": "rendered-master-1"}, "machineOSConfig": {"name": "master"}, "renderedImagePushSpec": format!("quay.io/org/os:{BUILD}")});
        self.put(
            &format!("{MCO}/machineosbuilds/{BUILD}"),
            V1,
            "MachineOSBuild",
            json!({"spec": spec, "status": status}),
        );
    }

    pub(super) fn job(&self, failed: u64) {
        let path = format!("/apis/batch/v1/namespaces/{NS}/jobs/build-{BUILD}");
        self.put(
            &path,
            "batch/v1",
            "Job",
            json!({"status": {"active": 1, "failed": failed}}),
        );
        for n in 1..=failed {
            let path = format!("/api/v1/namespaces/{NS}/pods/build-{BUILD}-{n}");
            let rest = json!({"metadata": {"labels": {"job-name": format!("build-{BUILD}")}}, "status": {"phase": "Failed", "initContainerStatuses": [
                {"name": "image-build", "state": {"terminated": {"exitCode": 125, "reason": "Error"}}}]}});
            self.put(&path, "v1", "Pod", rest);
            self.server.log(
                &path,
                "image-build",
                "STEP 1\nerror: no package named tree\n",
            );
        }
    }

    /// Starts a verb; `wait` gives how it ended.
    pub(super) fn start(&self, args: &[&str]) -> JoinHandle<Run> {
        let home = self.home.path().to_owned();
        let mut args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        args.extend(["--kubeconfig", "kubeconfig"].map(str::to_owned));
        std::thread::spawn(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(&home, &args)
        })
    }

    pub(super) fn run(&self, args: &[&str]) -> Run {
        self.start(args).join().unwrap()
    }

    /// Until the program looked at everything once more, after what was put just now.
    pub(super) fn looked(&self, running: &JoinHandle<Run>) {
        let looks = || {
            self.server
                .seen()
                .iter()
                .filter(|r| r.contains("machineconfigpools/master"))
                .count()
        };
        let (now, end) = (looks(), Instant::now() + Duration::from_mins(1));
        while looks() < now + 2 && !running.is_finished() {
            assert!(Instant::now() < end, "nobody looks any more");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(super) const WANTED: [&str; 9] = [
    "--no-trial",
    "--pool",
    "master",
    "--push-spec",
    "quay.io/org/os:latest",
    "--push-secret",
    "os-push",
    "--containerfile",
    "C",
];
pub(super) const OFTEN: [&str; 2] = ["--interval-ms", "20"];

#[test]
fn an_image_is_asked_for_built_and_booted() {
    let lab = Lab::new();
    let preflight = [&["osimage", "preflight"], &WANTED[..]].concat();
    let report = lab.run(&preflight).expect(0);
    assert!(
        report.stdout.contains("pass") && !report.stdout.contains("FAIL"),
        "{}",
        report.stdout
    );
    let build = [&["osimage", "build"], &WANTED[..], &OFTEN[..]].concat();
    let dry = lab.run(&[&build[..], &["--dry-run"]].concat()).expect(0);
    assert_eq!(dry.stdout, format!("apply {MCO}/machineosconfigs/master\n"));
    let config = format!("{MCO}/machineosconfigs/master");
    assert!(lab.server.object(&config).is_none());

    let building = lab.start(&[&build[..], &["--output", "json"]].concat());
    let end = Instant::now() + Duration::from_mins(1);
    while lab.server.object(&config).is_none() {
        assert!(
            !building.is_finished() && Instant::now() < end,
            "{:?}",
            building.join().unwrap().stderr
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    lab.looked(&building);
    lab.builder();
    lab.looked(&building);
    lab.building(&["Prepared"], None);
    lab.looked(&building);
    lab.job(0);
    lab.building(&["Building"], None);
    lab.looked(&building);
    // The API goes away and comes back, as when the machine is busy.
    lab.server.close();
    std::thread::sleep(Duration::from_millis(100));
    lab.server.open();
    lab.looked(&building);
    lab.building(&["Succeeded"], Some(&image()));
    let done = building.join().unwrap().expect(0);
    assert_eq!(done.json()["image"], image());
    for line in [
        "machine-os-builder is not there yet",
        "the operator has not started the build yet",
        "being prepared",
        "attempt 1 of 4",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    let status = lab.run(&["osimage", "status"]).expect(0);
    assert!(
        status
            .stdout
            .contains("node n is not told of the image yet"),
        "{}",
        status.stdout
    );

    let rollout = lab.start(&[&["osimage", "rollout"], &OFTEN[..]].concat());
    lab.looked(&rollout);
    lab.node(&image(), "", "Unknown");
    lab.looked(&rollout);
    lab.node(&image(), &image(), "True");
    lab.pool(1);
    let done = rollout.join().unwrap().expect(0);
    assert_eq!(done.stdout, format!("{}: booted by n\n", image()));
    assert!(done.stderr.contains("node n reboots"), "{}", done.stderr);
}

#[test]
fn a_build_that_fails_is_told_with_its_log_and_cleaned() {
    let lab = Lab::new();
    lab.builder();
    lab.config();
    lab.building(&["Building"], None);
    lab.job(3);
    let watch = lab.start(&[&["osimage", "watch"], &OFTEN[..]].concat());
    lab.looked(&watch);
    lab.job(4);
    lab.building(&["Failed"], None);
    let failed = watch.join().unwrap().expect(5);
    for text in [
        "attempt 4 of 4; image-build ended with 125 (Error)",
        "no package named tree",
        "hint: mend the cause",
    ] {
        assert!(failed.stderr.contains(text), "{text}: {}", failed.stderr);
    }
    let file = format!("/api/v1/namespaces/{NS}/configmaps/containerfile-{BUILD}");
    lab.put(
        &file,
        "v1",
        "ConfigMap",
        json!({"data": {"Containerfile": "FROM configs AS final\n"}}),
    );
    let shown = lab
        .run(&["osimage", "render", "--pool", "master", "--dockerfile"])
        .expect(0);
    assert_eq!(shown.stdout, "FROM configs AS final\n");
    let map = format!("/api/v1/namespaces/{NS}/configmaps/mc-old");
    let labels = json!({"machineconfiguration.openshift.io/on-cluster-layering": "", "machineconfiguration.openshift.io/ephemeral-build-object": "",
        "machineconfiguration.openshift.io/target-machine-config-pool": "master", "machineconfiguration.openshift.io/machine-os-build": "master-gone"});
    lab.put(
        &map,
        "v1",
        "ConfigMap",
        json!({"metadata": {"labels": labels}}),
    );
    let plan = lab.run(&["osimage", "clean", "--dry-run"]).expect(0);
    assert_eq!(plan.stdout.lines().count(), 2, "{}", plan.stdout);
    assert!(lab.server.object(&map).is_some());
    lab.run(&["osimage", "clean"]).expect(0);
    assert!(lab.server.object(&map).is_none());
    let config = lab
        .server
        .object(&format!("{MCO}/machineosconfigs/master"))
        .unwrap();
    assert_eq!(
        config["metadata"]["annotations"]["machineconfiguration.openshift.io/rebuild"],
        ""
    );
    assert!(
        lab.server
            .object(&format!("/api/v1/namespaces/{NS}/secrets/os-push"))
            .is_some()
    );
}

#[test]
fn interruptions_and_missing_secrets_end_the_watch() {
    let lab = Lab::new();
    lab.builder();
    lab.config();
    lab.building(&["Interrupted"], None);
    let run = lab.run(&["osimage", "watch"]).expect(8);
    assert!(run.stderr.contains("was interrupted"), "{}", run.stderr);
    let lab = Lab::new();
    lab.config();
    lab.server
        .remove(&format!("/api/v1/namespaces/{NS}/secrets/os-push"));
    let run = lab.run(&["osimage", "watch"]).expect(5);
    assert!(
        run.stderr.contains("the Secret `os-push` is not in"),
        "{}",
        run.stderr
    );
    let preflight = [&["osimage", "preflight"], &WANTED[..]].concat();
    let run = lab.run(&preflight).expect(7);
    assert!(run.stdout.contains("error: push-secret: Secret openshift-machine-config-operator/os-push: there is no such Secret"), "{}", run.stdout);
    // Without a node the image is built all the same, and nobody boots it.
    let lab = Lab::new();
    lab.config();
    lab.building(&["Succeeded"], Some(&image()));
    let mut pool = lab
        .server
        .object(&format!("{MCO}/machineconfigpools/master"))
        .unwrap();
    pool["status"]["machineCount"] = json!(0);
    lab.put(
        &format!("{MCO}/machineconfigpools/master"),
        V1,
        "MachineConfigPool",
        pool,
    );
    lab.server.remove("/api/v1/nodes/n");
    let run = lab.run(&["osimage", "watch"]).expect(0);
    assert!(run.stderr.contains("has no nodes"), "{}", run.stderr);
    let run = lab.run(&["osimage", "rollout"]).expect(0);
    assert!(
        run.stdout.contains("no node is in the pool"),
        "{}",
        run.stdout
    );
    // Nobody asked, and nothing happens in the time that is given.
    let lab = Lab::new();
    let run = lab
        .run(&[
            "osimage",
            "watch",
            "--timeout",
            "1s",
            "--interval-ms",
            "100",
        ])
        .expect(8);
    assert!(
        run.stderr
            .contains("not finished in time: there is no MachineOSConfig"),
        "{}",
        run.stderr
    );
    let run = lab.run(&["osimage", "rollout"]).expect(2);
    assert!(run.stderr.contains("no image is built"), "{}", run.stderr);
}

#[test]
fn the_pool_of_4_14_is_opted_in_and_out() {
    let lab = Lab::new();
    let path = format!("{MCO}/machineconfigpools/master");
    let status = lab.run(&["osimage", "status", "--api", "4.14"]).expect(0);
    assert!(
        status.stdout.contains("nobody asked for an image"),
        "{}",
        status.stdout
    );
    lab.builder();
    let clean = lab.start(&[&["osimage", "clean", "--api", "4.14"], &OFTEN[..]].concat());
    let builder = format!("/apis/apps/v1/namespaces/{NS}/deployments/machine-os-builder");
    let end = Instant::now() + Duration::from_mins(1);
    // It waits for the operator's pod before it goes on.
    while !lab
        .server
        .seen()
        .iter()
        .filter(|r| r.starts_with("GET"))
        .any(|r| r.contains("machine-os-builder"))
    {
        assert!(!clean.is_finished() && Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!lab.server.seen().iter().any(|r| r.starts_with("DELETE")));
    lab.server.remove(&builder);
    clean.join().unwrap().expect(0);
    let pool = lab.server.object(&path).unwrap();
    assert_eq!(
        pool["metadata"]["labels"]["machineconfiguration.openshift.io/layering-enabled"],
        ""
    );
    lab.node(&image(), &image(), "True");
    let run = lab
        .run(&["osimage", "clean", "--api", "4.14", "--dry-run"])
        .expect(7);
    assert!(
        run.stderr.contains("cannot roll a pool back"),
        "{}",
        run.stderr
    );
}

#[test]
fn who_may_not_is_told() {
    let lab = Lab::new();
    let run = crate::run(lab.home.path(), &["osimage", "watch"]).expect(2);
    assert!(run.stderr.contains("no cluster is named"), "{}", run.stderr);
    lab.server
        .fault("/", crate::apiserver::Fault::Status(403, "forbidden"));
    let run = lab.run(&["osimage", "watch"]).expect(5);
    assert!(run.stderr.contains("forbidden"), "{}", run.stderr);
    let pool = lab.run(&["osimage", "watch", "--pool", "../x"]).expect(2);
    assert!(
        pool.stderr.contains("pool `../x` is refused"),
        "{}",
        pool.stderr
    );
}
