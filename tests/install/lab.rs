//! A cluster that is being installed: what each stage puts into its API.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apiserver::ApiServer;
use crate::program::{self, Run};

const CONFIG: &str = "/apis/config.openshift.io/v1";
const POOL: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools/master";
pub(crate) const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// Long ago, so that everything has settled.
pub(crate) const LONG_AGO: &str = "2026-01-01T10:00:00Z";

pub(crate) fn condition(kind: &str, status: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "AsExpected", "message": message, "lastTransitionTime": LONG_AGO})
}

pub(crate) struct Lab {
    pub(crate) server: ApiServer,
    pub(crate) home: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let server = ApiServer::mutual_tls();
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        for name in ["clusteroperators", "clusterversions-Default"] {
            let file = format!("0000_00_cluster-version-operator_01_{name}.crd.yaml");
            server.crd(&tests.join("install/crds").join(file));
        }
        server.crd(&tests.join("osimage/crds/machineconfigpools.yaml"));
        server.kind("route.openshift.io/v1", "routes", "Route", true);
        let home = tempfile::tempdir().unwrap();
        let lab = Self { server, home };
        lab.kubeconfig();
        lab
    }

    /// Writes the kubeconfig as the server gives it now.
    pub(crate) fn kubeconfig(&self) {
        let file = self.home.path().join("kubeconfig");
        fs_err::write(file, self.server.kubeconfig().to_string()).unwrap();
    }

    pub(crate) fn put(&self, path: &str, version: &str, kind: &str, rest: Value) {
        let mut object = rest;
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object["metadata"]["name"] = json!(path.rsplit('/').next().unwrap());
        let namespace = path
            .split("/namespaces/")
            .nth(1)
            .and_then(|rest| rest.split_once('/'));
        if let Some((namespace, _)) = namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        self.server.put(path, &object);
    }

    /// The temporary control plane of the live system.
    pub(crate) fn bootstrap(&self) {
        self.put(
            "/api/v1/namespaces/kube-system",
            "v1",
            "Namespace",
            json!({"metadata": {"creationTimestamp": LONG_AGO}}),
        );
        self.version(
            "Working towards 4.13.1: 12 of 840 done (1% complete)",
            false,
        );
    }

    /// The installed system says that the bootstrap is over.
    pub(crate) fn bootstrapped(&self) {
        self.put(
            "/api/v1/namespaces/kube-system/configmaps/bootstrap",
            "v1",
            "ConfigMap",
            json!({"metadata": {"creationTimestamp": LONG_AGO}, "data": {"status": "complete"}}),
        );
    }

    pub(crate) fn version(&self, progressing: &str, done: bool) {
        let status = |yes: bool| if yes { "True" } else { "False" };
        let conditions = [
            condition("Available", status(done), ""),
            condition("Failing", "False", ""),
            condition("Progressing", status(!done), progressing),
        ];
        let mut history = json!({"state": if done { "Completed" } else { "Partial" }, "startedTime": LONG_AGO,
            "completionTime": null, "version": "4.13.1", "image": "quay.io/ocp@sha256:1", "verified": false});
        if done {
            history["completionTime"] = json!(LONG_AGO);
        }
        let rest = json!({
            "spec": {"clusterID": "3e2a1f5c-0000-4000-8000-000000000000"},
            "status": {"desired": {"version": "4.13.1", "image": "quay.io/ocp@sha256:1"}, "history": [history], "observedGeneration": 1,
                "versionHash": "x", "availableUpdates": null, "conditions": conditions},
        });
        self.put(
            &format!("{CONFIG}/clusterversions/version"),
            "config.openshift.io/v1",
            "ClusterVersion",
            rest,
        );
    }

    pub(crate) fn operator(&self, name: &str, available: bool, message: &str) {
        let status = |yes: bool| if yes { "True" } else { "False" };
        let conditions = [
            condition("Available", status(available), message),
            condition("Progressing", status(!available), message),
            condition("Degraded", "False", ""),
        ];
        self.operator_with(name, &json!(conditions));
    }

    pub(crate) fn operator_with(&self, name: &str, conditions: &Value) {
        let rest = json!({"spec": {}, "status": {"conditions": conditions}});
        self.put(
            &format!("{CONFIG}/clusteroperators/{name}"),
            "config.openshift.io/v1",
            "ClusterOperator",
            rest,
        );
    }

    pub(crate) fn node(&self, ready: &str, message: &str) {
        self.node_with(&json!([condition("Ready", ready, message)]));
    }

    pub(crate) fn node_with(&self, conditions: &Value) {
        let rest = json!({
            "metadata": {"creationTimestamp": LONG_AGO, "labels": {"node-role.kubernetes.io/master": ""},
                "annotations": {"machineconfiguration.openshift.io/state": "Working"}},
            "status": {"conditions": conditions, "addresses": [{"type": "InternalIP", "address": "192.168.86.45"}, {"type": "Hostname", "address": "bip"}]},
        });
        self.put("/api/v1/nodes/bip", "v1", "Node", rest);
    }

    pub(crate) fn pool(&self, updated: u64) {
        let spec = json!({"configuration": {"name": "rendered-master-1"}, "nodeSelector": {"matchLabels": {"node-role.kubernetes.io/master": ""}}});
        let status = json!({"machineCount": 1, "updatedMachineCount": updated, "readyMachineCount": updated, "unavailableMachineCount": 0, "degradedMachineCount": 0});
        self.put(
            POOL,
            "machineconfiguration.openshift.io/v1",
            "MachineConfigPool",
            json!({"spec": spec, "status": status}),
        );
    }

    /// A certificate request as a kubelet makes it: for its client certificate, or for these names and addresses.
    pub(crate) fn request(&self, name: &str, node: &str, serving: Option<&[&str]>) {
        let user = format!("system:node:{node}");
        let names: Vec<String> = serving
            .unwrap_or_default()
            .iter()
            .map(|n| (*n).to_owned())
            .collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "system:nodes");
        params
            .distinguished_name
            .push(DnType::CommonName, user.as_str());
        let pem = params
            .serialize_request(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
            .unwrap();
        let mut spec = json!({"request": BASE64.encode(pem)});
        if serving.is_some() {
            spec["signerName"] = json!("kubernetes.io/kubelet-serving");
            spec["username"] = json!(user);
            spec["groups"] = json!(["system:nodes", "system:authenticated"]);
            spec["usages"] = json!(["digital signature", "server auth"]);
        } else {
            spec["signerName"] = json!("kubernetes.io/kube-apiserver-client-kubelet");
            spec["username"] =
                json!("system:serviceaccount:openshift-machine-config-operator:node-bootstrapper");
            spec["groups"] = json!([
                "system:serviceaccounts",
                "system:serviceaccounts:openshift-machine-config-operator",
                "system:authenticated"
            ]);
            spec["usages"] = json!(["digital signature", "client auth"]);
        }
        let rest = json!({"metadata": {"creationTimestamp": LONG_AGO}, "spec": spec, "status": {}});
        self.put(
            &format!("{REQUESTS}/{name}"),
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            rest,
        );
    }

    /// The condition that decided a request.
    pub(crate) fn decision(&self, name: &str) -> Value {
        let request = self.server.object(&format!("{REQUESTS}/{name}")).unwrap();
        request["status"]["conditions"][0].clone()
    }

    /// All is installed, with a console.
    pub(crate) fn installed(&self) {
        self.bootstrap();
        self.bootstrapped();
        self.node("True", "kubelet is posting ready status");
        self.pool(1);
        self.operator("authentication", true, "");
        self.operator("console", true, "");
        let ingress = json!([{"host": "console-openshift-console.apps.bip.lab", "conditions": [{"type": "Admitted", "status": "True"}]}]);
        self.put(
            "/apis/route.openshift.io/v1/namespaces/openshift-console/routes/console",
            "route.openshift.io/v1",
            "Route",
            json!({"status": {"ingress": ingress}}),
        );
        // The last, because it is the end.
        self.version("Cluster version is 4.13.1", true);
    }

    pub(crate) fn args<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let _ = self;
        let own = [
            "install",
            "watch",
            "--kubeconfig",
            "kubeconfig",
            "--interval-ms",
            "20",
        ];
        own.into_iter().chain(more.iter().copied()).collect()
    }

    pub(crate) fn run(&self, more: &[&str]) -> Run {
        program::run(self.home.path(), &self.args(more))
    }

    pub(crate) fn start(&self, more: &[&str]) -> Process<'_> {
        let file = |name: &str| {
            fs_err::File::create(self.home.path().join(name))
                .unwrap()
                .into_file()
        };
        let mut command = program::snoforge(self.home.path());
        let command = command.args(self.args(more)).stdin(Stdio::null());
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Process { child, lab: self }
    }
}

/// The program while it runs.
pub(crate) struct Process<'a> {
    child: Child,
    lab: &'a Lab,
}

impl Process<'_> {
    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.lab.home.path().join(name)).unwrap()
    }

    /// Until it has said this.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) {
        self.until(text, |process| process.read("stderr").contains(text));
    }

    /// Until this is so.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_mins(1);
        while !is(self) {
            let over = self.child.try_wait().unwrap().is_some() && !is(self);
            assert!(
                !over && Instant::now() < end,
                "never `{what}`: {}",
                self.read("stderr")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGINT).unwrap();
    }

    pub(crate) fn end(mut self) -> Run {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Run {
            code,
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        }
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        // It has ended, or the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
