//! Lifecycle-agent's health checks (`internal/healthcheck/healthcheck.go`; `seed-image.md` section 3.3). It polls them without a
//! time limit, so a cluster that never gets healthy hangs there.
//!
//! OADP's own health is not looked at: an application is rejected anyway. A condition that is absent is false.

use serde_json::Value;

use super::{Purpose, Read, Rule};
use crate::seed::facts::{Facts, list, name, paths, text};
use crate::seed::finding::Finding;

type Found = Vec<Finding>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "cluster-operators",
        requirement: "every ClusterOperator is available, and neither progressing nor degraded",
        reads: &[Read::Path(paths::OPERATORS)],
        check: operators,
    },
    Rule {
        id: "pools-ready",
        requirement: "every machine of every MachineConfigPool is ready",
        reads: &[Read::Path(paths::POOLS)],
        check: pools,
    },
    Rule {
        id: "sriov",
        requirement: "SR-IOV, where it is installed, has set the node up",
        reads: &[Read::Path(paths::CRDS), Read::Path(paths::SRIOV)],
        check: sriov,
    },
    Rule {
        id: "node",
        requirement: "the node is ready, has its network and its three roles",
        reads: &[Read::Path(paths::NODES)],
        check: node,
    },
    Rule {
        id: "operators-installed",
        requirement: "every ClusterServiceVersion has succeeded",
        reads: &[Read::Path(paths::CSVS)],
        check: csvs,
    },
    Rule {
        id: "signing-requests",
        requirement: "every CertificateSigningRequest is approved",
        reads: &[Read::Path(paths::CSRS)],
        check: csrs,
    },
];

fn is(object: &Value, kind: &str) -> bool {
    let condition = list(object, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == kind);
    condition.is_some_and(|c| text(c, "/status") == "True")
}

/// One finding for all objects of a list that are not as they should be.
fn unless(
    rule: &'static str,
    bad: &[&Value],
    (kind, message, cure): (&str, &str, &str),
    found: &mut Found,
) {
    if bad.is_empty() {
        return;
    }
    let full = |item: &&Value| match text(item, "/metadata/namespace") {
        "" => format!("{kind}/{}", name(item)),
        namespace => format!("{kind}/{namespace}/{}", name(item)),
    };
    let objects = bad.iter().map(full).collect::<Vec<_>>().join(", ");
    let names = bad
        .iter()
        .map(|item| name(item))
        .collect::<Vec<_>>()
        .join(", ");
    found.push(Finding::error(
        rule,
        objects,
        format!("{message}{names}"),
        cure,
    ));
}

fn operators(facts: &Facts, _: Purpose, found: &mut Found) {
    let ready = |o: &&Value| is(o, "Available") && !is(o, "Progressing") && !is(o, "Degraded");
    let bad: Vec<_> = facts
        .items(paths::OPERATORS)
        .iter()
        .filter(|o| !ready(o))
        .collect();
    let words = (
        "ClusterOperator",
        "one or more ClusterOperators not yet ready: ",
        "`oc describe clusteroperator NAME` tells why; wait, or repair it",
    );
    unless("cluster-operators", &bad, words, found);
}

fn pools(facts: &Facts, _: Purpose, found: &mut Found) {
    let count = |pool: &Value, field: &str| {
        pool.pointer(&format!("/status/{field}"))
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    let bad: Vec<_> = facts
        .items(paths::POOLS)
        .iter()
        .filter(|p| count(p, "machineCount") != count(p, "readyMachineCount"))
        .collect();
    let words = (
        "MachineConfigPool",
        "one or more MachineConfigPools not yet ready: ",
        "`oc describe mcp NAME` tells why; wait until the node has rebooted",
    );
    unless("pools-ready", &bad, words, found);
}

fn sriov(facts: &Facts, _: Purpose, found: &mut Found) {
    const CRD: &str = "sriovnetworknodestates.sriovnetwork.openshift.io";
    if !facts.items(paths::CRDS).iter().any(|crd| name(crd) == CRD) {
        return;
    }
    let states = facts.items(paths::SRIOV);
    let cure =
        "wait until the SR-IOV operator has configured the node, or uninstall it with its CRDs";
    if states.is_empty() {
        found.push(Finding::error(
            "sriov",
            format!("CustomResourceDefinition/{CRD}"),
            "no SriovNetworkNodeStates present",
            cure,
        ));
        return;
    }
    let bad: Vec<_> = states
        .iter()
        .filter(|s| text(s, "/status/syncStatus") != "Succeeded")
        .collect();
    unless(
        "sriov",
        &bad,
        (
            "SriovNetworkNodeState",
            "sriovNetworkNodeState not ready: ",
            cure,
        ),
        found,
    );
}

fn node(facts: &Facts, _: Purpose, found: &mut Found) {
    for node in facts.items(paths::NODES) {
        let own = name(node);
        let mut add = |message: String, cure: &str| {
            found.push(Finding::error("node", format!("Node/{own}"), message, cure));
        };
        if !is(node, "Ready") {
            add(
                format!("node is not yet ready: {own}"),
                "`oc describe node` tells why",
            );
        }
        if is(node, "NetworkUnavailable") {
            add(
                format!("node network unavailable: {own}"),
                "wait until the network operator is ready",
            );
        }
        for role in ["control-plane", "master", "worker"] {
            let label = format!("node-role.kubernetes.io/{role}");
            if node
                .pointer("/metadata/labels")
                .is_none_or(|labels| labels.get(&label).is_none())
            {
                add(
                    format!("node missing {label} label: {own}"),
                    "`oc label node NAME LABEL=`",
                );
            }
        }
    }
}

fn csvs(facts: &Facts, _: Purpose, found: &mut Found) {
    let ready = |csv: &&Value| {
        text(csv, "/status/phase") == "Succeeded" || name(csv).contains("lifecycle-agent")
    };
    let bad: Vec<_> = facts
        .items(paths::CSVS)
        .iter()
        .filter(|csv| !ready(csv))
        .collect();
    let words = (
        "ClusterServiceVersion",
        "one or more ClusterServiceVersions not yet ready: ",
        "`oc describe csv` tells why; wait, or uninstall it",
    );
    unless("operators-installed", &bad, words, found);
}

fn csrs(facts: &Facts, _: Purpose, found: &mut Found) {
    let bad: Vec<_> = facts
        .items(paths::CSRS)
        .iter()
        .filter(|csr| !is(csr, "Approved"))
        .collect();
    let words = (
        "CertificateSigningRequest",
        "certificateSigningRequest (csr) not yet approved: ",
        "`oc adm certificate approve NAME`, after a look at it",
    );
    unless("signing-requests", &bad, words, found);
}
