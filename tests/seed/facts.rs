//! A healthy seed cluster as its API answers, 4.18 with everything that a rule reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use snoforge::seed::Facts;
use snoforge::seed::facts::{Answer, paths};

/// Answers as they come from the API, untrimmed.
pub(crate) type Raw = BTreeMap<String, Answer>;

pub(crate) const NODE: &str = "seed";
pub(crate) const CONFIG: &str =
    "/apis/machineconfiguration.openshift.io/v1/machineconfigs/rendered-master-1";
pub(crate) const STATS: &str = "/api/v1/nodes/seed/proxy/stats/summary";
pub(crate) const PASSWORD: &str = "hunter2";

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "managedFields": [{"manager": "x"}]}})
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "r", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn machine_config() -> Value {
    let own = [
        include_str!("golden/doc-mysno.mc.yaml"),
        include_str!("golden/seed000-varlibcontainers-byid.yaml"),
    ]
    .map(|text| crate::schema::yaml(text).remove(0));
    let mut files = own[0]["spec"]["config"]["storage"]["files"]
        .as_array()
        .unwrap()
        .clone();
    files.push(json!({"path": "/var/lib/kubelet/config.json", "contents": {"source": format!("data:,{PASSWORD}")}}));
    json!({
        "metadata": {"name": "rendered-master-1"},
        "spec": {"fips": false, "kernelArguments": [], "config": {
            "ignition": {"version": "3.4.0"},
            "storage": {"files": files, "disks": own[1]["spec"]["config"]["storage"]["disks"], "filesystems": own[1]["spec"]["config"]["storage"]["filesystems"]},
            "systemd": {"units": [own[0]["spec"]["config"]["systemd"]["units"][0], own[1]["spec"]["config"]["systemd"]["units"][0], {"name": "kubelet.service", "contents": PASSWORD}]},
        }},
    })
}

fn node() -> Value {
    json!({
        "metadata": {"name": NODE,
            "labels": {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/master": "", "node-role.kubernetes.io/worker": ""},
            "annotations": {"machineconfiguration.openshift.io/currentConfig": "rendered-master-1", "other": "x"}},
        "status": {"conditions": [condition("MemoryPressure", "False"), condition("Ready", "True")],
            "addresses": [{"type": "InternalIP", "address": "10.20.30.5"}, {"type": "Hostname", "address": NODE}],
            "nodeInfo": {"architecture": "amd64", "kubeletVersion": "v1.31"}, "capacity": {"cpu": "8"}},
    })
}

fn csv(namespace: &str, name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"version": version, "description": "long"}, "status": {"phase": "Succeeded"}})
}

/// Answers of a cluster with nothing wrong.
pub(crate) fn healthy() -> Raw {
    let items = |all: Vec<Value>| Answer::Items(all);
    let crds = [
        "seedgenerators.lca.openshift.io",
        "dataprotectionapplications.oadp.openshift.io",
        "sriovnetworknodestates.sriovnetwork.openshift.io",
    ];
    let mut lca = json!({"metadata": {"name": "lifecycle-agent-controller-manager", "namespace": "openshift-lifecycle-agent"}, "status": {"availableReplicas": 1}});
    lca["spec"]["template"]["spec"]["containers"] =
        json!([{"image": "registry.redhat.io/lca@sha256:1"}]);
    let mut cvo = json!({"metadata": {"name": "cluster-version-operator", "namespace": "openshift-cluster-version"}});
    cvo["spec"]["template"]["spec"]["containers"] =
        json!([{"image": "quay.io/openshift-release-dev/ocp-release@sha256:1"}]);
    let pull = json!({"auths": {"quay.io": {"auth": PASSWORD}}}).to_string();
    let secret = json!({"metadata": {"name": "pull-secret", "namespace": "openshift-config"}, "data": {".dockerconfigjson": base64(pull.as_bytes())}});
    let install = format!(
        "baseDomain: sno.cluster-domain.com\nmetadata:\n  name: mysno\npullSecret: {PASSWORD}\n"
    );
    let fs = |capacity: u64, free: u64| json!({"capacityBytes": capacity, "availableBytes": free, "usedBytes": 1});
    let operator = |name: &str| json!({"metadata": {"name": name}, "status": {"conditions": [condition("Available", "True"), condition("Progressing", "False")]}});
    let mut raw: Raw = paths::OPTIONAL
        .iter()
        .map(|path| ((*path).to_owned(), Answer::Absent))
        .collect();
    let answers = [
        (
            paths::NAMESPACES,
            items(
                ["default", "openshift-lifecycle-agent", "assisted-installer"]
                    .map(named)
                    .to_vec(),
            ),
        ),
        (paths::NODES, items(vec![node()])),
        (paths::VOLUMES, items(vec![])),
        (
            paths::PODS,
            items(vec![
                json!({"metadata": {"name": "installer-1", "namespace": "a"}, "spec": {"secret": PASSWORD}, "status": {"phase": "Succeeded"}}),
            ]),
        ),
        (paths::PULL_SECRET, Answer::Object(secret)),
        (
            paths::INSTALL_CONFIG,
            Answer::Object(
                json!({"metadata": {"name": "cluster-config-v1"}, "data": {"install-config": install}}),
            ),
        ),
        (paths::CRDS, items(crds.map(named).to_vec())),
        (paths::DEPLOYMENTS, items(vec![lca, cvo, named("console")])),
        (
            paths::VERSION,
            Answer::Object(
                json!({"metadata": {"name": "version"}, "status": {"desired": {"version": "4.18.27", "image": "quay.io/x@sha256:1"}}}),
            ),
        ),
        (
            paths::OPERATORS,
            items(vec![operator("etcd"), operator("dns")]),
        ),
        (
            paths::INFRASTRUCTURE,
            Answer::Object(
                json!({"metadata": {"name": "cluster"}, "status": {"infrastructureTopology": "SingleReplica", "controlPlaneTopology": "SingleReplica"}}),
            ),
        ),
        (
            paths::PROXY,
            Answer::Object(
                json!({"metadata": {"name": "cluster"}, "spec": {"trustedCA": {"name": ""}}}),
            ),
        ),
        (
            paths::POOLS,
            items(vec![
                json!({"metadata": {"name": "master"}, "spec": {"configuration": {"name": "rendered-master-1"}}, "status": {"machineCount": 1, "readyMachineCount": 1}}),
                json!({"metadata": {"name": "worker"}, "spec": {"configuration": {"name": "rendered-worker-1"}}, "status": {"machineCount": 0, "readyMachineCount": 0}}),
            ]),
        ),
        (
            paths::CONFIGS,
            items(
                [
                    "rendered-master-0",
                    "rendered-master-1",
                    "rendered-worker-1",
                    "99-x",
                ]
                .map(named)
                .to_vec(),
            ),
        ),
        (
            paths::CSVS,
            items(vec![
                csv(
                    "openshift-lifecycle-agent",
                    "lifecycle-agent.v4.18.2",
                    "4.18.2",
                ),
                csv("openshift-adp", "oadp-operator.v1.4.1", "1.4.1"),
            ]),
        ),
        (
            paths::CSRS,
            items(vec![
                json!({"metadata": {"name": "csr-1"}, "spec": {"request": "x"}, "status": {"conditions": [condition("Approved", "True")]}}),
            ]),
        ),
        (
            paths::SRIOV,
            items(vec![
                json!({"metadata": {"name": NODE, "namespace": "n"}, "status": {"syncStatus": "Succeeded"}}),
            ]),
        ),
        (
            paths::UPGRADES,
            items(vec![
                json!({"metadata": {"name": "upgrade"}, "status": {"conditions": [condition("Idle", "True")]}}),
            ]),
        ),
        (CONFIG, Answer::Object(machine_config())),
        (
            STATS,
            Answer::Object(
                json!({"node": {"fs": fs(62_000_000_000, 40 << 30), "runtime": {"imageFs": fs(151_000_000_000, 100 << 30)}}, "pods": [PASSWORD]}),
            ),
        ),
    ];
    raw.extend(answers.map(|(path, answer)| (path.to_owned(), answer)));
    raw
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Collects as an adapter does: asks until nothing is missing.
pub(crate) fn collect(raw: &Raw) -> Facts {
    let mut facts = Facts::default();
    for _ in 0..4 {
        for path in facts.missing() {
            let answer = raw.get(&path).cloned().unwrap_or(Answer::Absent);
            facts.put(&path, answer);
        }
    }
    assert_eq!(facts.missing(), Vec::<String>::new());
    facts
}

/// The object at a path, or the first item of a list there, for a test to break.
pub(crate) fn first<'a>(raw: &'a mut Raw, path: &str) -> &'a mut Value {
    match raw.get_mut(path) {
        Some(Answer::Object(object)) => object,
        Some(Answer::Items(items)) => &mut items[0],
        other => panic!("{path}: {other:?}"),
    }
}

pub(crate) fn push(raw: &mut Raw, path: &str, item: Value) {
    match raw
        .entry(path.to_owned())
        .or_insert_with(|| Answer::Items(Vec::new()))
    {
        Answer::Items(items) => items.push(item),
        other => *other = Answer::Items(vec![item]),
    }
}
