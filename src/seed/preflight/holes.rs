//! What lifecycle-agent does not check before it images (`seed-image.md` section 3.2), and what it needs to be there itself.

use serde_json::Value;

use super::rejects::oadp;
use super::{Purpose, Read, Rule};
use crate::seed::Version;
use crate::seed::facts::{Facts, name, paths, text};
use crate::seed::finding::Finding;

type Found = Vec<Finding>;

/// Free bytes below which an image of the usual 10 to 20 GB may not fit, with its parts in /var/tmp on root.
const ROOM: u64 = 20 << 30;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "single-node",
        requirement: "the cluster is one node, and says so",
        reads: &[Read::Path(paths::NODES), Read::Path(paths::INFRASTRUCTURE)],
        check: single_node,
    },
    Rule {
        id: "machine-config",
        requirement: "the node tells which MachineConfig it runs",
        reads: &[Read::Path(paths::NODES)],
        check: machine_config,
    },
    Rule {
        id: "pools",
        requirement: "there are no machine config pools but master and worker",
        reads: &[Read::Path(paths::POOLS)],
        check: pools,
    },
    Rule {
        id: "hub",
        requirement: "neither ACM nor multicluster engine runs on the seed cluster",
        reads: &[Read::Path(paths::HUBS), Read::Path(paths::ENGINES)],
        check: hub,
    },
    Rule {
        id: "oadp-installed",
        requirement: "OADP is installed (for upgrades; not for installations)",
        reads: &[Read::Path(paths::CSVS), Read::Path(paths::CRDS)],
        check: oadp_installed,
    },
    Rule {
        id: "lifecycle-agent",
        requirement: "lifecycle-agent is installed and available",
        reads: &[Read::Path(paths::DEPLOYMENTS), Read::Path(paths::CRDS)],
        check: lifecycle_agent,
    },
    Rule {
        id: "lifecycle-agent-version",
        requirement: "lifecycle-agent is of the cluster's minor version",
        reads: &[Read::Path(paths::CSVS), Read::Path(paths::VERSION)],
        check: agent_version,
    },
    Rule {
        id: "seed-generator",
        requirement: "there is no SeedGenerator yet",
        reads: &[Read::Path(paths::GENERATORS)],
        check: generator,
    },
    Rule {
        id: "upgrade-idle",
        requirement: "no upgrade and no address change is under way",
        reads: &[Read::Path(paths::UPGRADES), Read::Path(paths::IP_CONFIGS)],
        check: idle,
    },
    Rule {
        id: "trust-bundle",
        requirement: "CA bundles that are referred to are there and not empty",
        reads: &[
            Read::Path(paths::PROXY),
            Read::Path(paths::USER_CA),
            Read::TrustedCa,
        ],
        check: trust_bundle,
    },
    Rule {
        id: "room",
        requirement: "root and container storage have 20 GiB free each",
        reads: &[Read::Stats],
        check: room,
    },
];

fn single_node(facts: &Facts, _: Purpose, found: &mut Found) {
    const CURE: &str = "seed images are made of Single Node OpenShift only";
    let nodes = facts.items(paths::NODES);
    if nodes.len() != 1 {
        let names = nodes.iter().map(name).collect::<Vec<_>>().join(", ");
        found.push(Finding::error(
            "single-node",
            format!("Node/{names}"),
            format!("the cluster has {} nodes", nodes.len()),
            CURE,
        ));
        return;
    }
    let Some(infrastructure) = facts.object(paths::INFRASTRUCTURE) else {
        return;
    };
    for field in ["infrastructureTopology", "controlPlaneTopology"] {
        let topology = text(infrastructure, &format!("/status/{field}"));
        if topology != "SingleReplica" {
            found.push(Finding::error(
                "single-node",
                "Infrastructure/cluster",
                format!("{field} is `{topology}`, not SingleReplica"),
                CURE,
            ));
        }
    }
}

fn machine_config(facts: &Facts, _: Purpose, found: &mut Found) {
    if let Some(node) = facts
        .node()
        .filter(|_| facts.machine_config_path().is_none())
    {
        let message = "there is no annotation machineconfiguration.openshift.io/currentConfig";
        found.push(Finding::error(
            "machine-config",
            format!("Node/{}", name(node)),
            message,
            "wait until the machine config daemon has run on the node",
        ));
    }
}

fn pools(facts: &Facts, _: Purpose, found: &mut Found) {
    let others: Vec<_> = facts
        .items(paths::POOLS)
        .iter()
        .map(name)
        .filter(|n| !matches!(*n, "master" | "worker"))
        .collect();
    if !others.is_empty() {
        let object = others
            .iter()
            .map(|n| format!("MachineConfigPool/{n}"))
            .collect::<Vec<_>>()
            .join(", ");
        found.push(
            Finding::error(
                "pools",
                object,
                "a single node is in the pool master; what other pools render never reaches it",
                "delete the pool unless the targets have it too",
            )
            .warning(),
        );
    }
}

fn hub(facts: &Facts, _: Purpose, found: &mut Found) {
    for (path, kind) in [
        (paths::HUBS, "MultiClusterHub"),
        (paths::ENGINES, "MultiClusterEngine"),
    ] {
        for item in facts.items(path) {
            let object = format!("{kind}/{}", name(item));
            found.push(Finding::error("hub", object, "a hub cannot be a seed cluster: RHACM and multicluster engine must not be installed on it", format!("delete the {kind} and uninstall its operator, or take another cluster")));
        }
    }
}

fn oadp_installed(facts: &Facts, purpose: Purpose, found: &mut Found) {
    if purpose == Purpose::Upgrade && oadp(facts).is_none() {
        found.push(Finding::error(
            "oadp-installed",
            "Namespace/openshift-adp",
            "there is no OADP operator; targets that upgrade to this image need it",
            "install it (without a DataProtectionApplication), or check with --for ibi",
        ));
    }
}

/// The operator's Deployment, in whatever namespace.
pub(super) fn agent(facts: &Facts) -> Option<&Value> {
    facts
        .items(paths::DEPLOYMENTS)
        .iter()
        .find(|d| name(d) == "lifecycle-agent-controller-manager")
}

fn lifecycle_agent(facts: &Facts, _: Purpose, found: &mut Found) {
    const CURE: &str = "apply the output of `snoforge seed manifests operator`, and wait until its CSV has succeeded";
    let mut add = |object: String, message: &str| {
        found.push(Finding::error("lifecycle-agent", object, message, CURE));
    };
    let Some(deployment) = agent(facts) else {
        return add(
            "Deployment/lifecycle-agent-controller-manager".to_owned(),
            "lifecycle-agent is not installed in any namespace",
        );
    };
    let object = format!(
        "Deployment/{}/{}",
        text(deployment, "/metadata/namespace"),
        name(deployment)
    );
    if deployment
        .pointer("/status/availableReplicas")
        .and_then(Value::as_u64)
        .unwrap_or_default()
        == 0
    {
        return add(object, "it has no available replica");
    }
    let crd = "seedgenerators.lca.openshift.io";
    if !facts.items(paths::CRDS).iter().any(|c| name(c) == crd) {
        add(
            format!("CustomResourceDefinition/{crd}"),
            "there is no such CRD",
        );
    }
}

fn agent_version(facts: &Facts, _: Purpose, found: &mut Found) {
    let csv = facts
        .items(paths::CSVS)
        .iter()
        .find(|csv| name(csv).contains("lifecycle-agent"));
    let cluster = facts
        .object(paths::VERSION)
        .map_or("", |o| text(o, "/status/desired/version"));
    let (Some(csv), Ok(cluster)) = (csv, cluster.parse::<Version>()) else {
        return;
    };
    let own = text(csv, "/spec/version");
    let same = own
        .parse::<Version>()
        .is_ok_and(|v| v.minor() == cluster.minor());
    if !same {
        let object = format!(
            "ClusterServiceVersion/{}/{}",
            text(csv, "/metadata/namespace"),
            name(csv)
        );
        found.push(
            Finding::error(
                "lifecycle-agent-version",
                object,
                format!("lifecycle-agent is `{own}`, the cluster {cluster}"),
                "subscribe to the catalog of the cluster's minor version",
            )
            .warning(),
        );
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut all = crate::seed::facts::list(object, "/status/conditions").iter();
    all.find(|c| text(c, "/type") == kind)
}

fn generator(facts: &Facts, _: Purpose, found: &mut Found) {
    let Some(item) = facts.items(paths::GENERATORS).first() else {
        return;
    };
    let reason = |kind| condition(item, kind).map_or("", |c| text(c, "/reason"));
    let reasons = [reason("SeedGenInProgress"), reason("SeedGenCompleted")];
    let over = reasons.iter().any(|r| matches!(*r, "Failed" | "Completed"));
    let object = format!("SeedGenerator/{}", name(item));
    let finding = if over {
        let cure = "`oc delete seedgenerator seedimage`; better, provision a new seed cluster: the product documents ask for one per image";
        Finding::error(
            "seed-generator",
            object,
            "it is of an earlier run, which is over",
            cure,
        )
        .warning()
    } else {
        Finding::error(
            "seed-generator",
            object,
            "a run is under way",
            "`snoforge seed status --watch` follows it",
        )
    };
    found.push(finding);
}

fn idle(facts: &Facts, _: Purpose, found: &mut Found) {
    for (path, kind) in [
        (paths::UPGRADES, "ImageBasedUpgrade"),
        (paths::IP_CONFIGS, "IPConfig"),
    ] {
        for item in facts.items(path) {
            if condition(item, "Idle").is_none_or(|c| text(c, "/status") != "True") {
                found.push(Finding::error("upgrade-idle", format!("{kind}/{}", name(item)), "it is not Idle", format!("finish it: set its stage to Idle, and wait for the condition (`oc get {}`)", kind.to_lowercase())));
            }
        }
    }
}

fn trust_bundle(facts: &Facts, _: Purpose, found: &mut Found) {
    const CURE: &str = "put certificates under the key ca-bundle.crt, or remove the reference";
    let filled = |object: &Value| {
        object
            .pointer("/sizes/ca-bundle.crt")
            .and_then(Value::as_u64)
            .unwrap_or_default()
            > 0
    };
    let proxy_ca = facts
        .object(paths::PROXY)
        .map_or("", |o| text(o, "/spec/trustedCA/name"));
    if let Some(user) = facts.object(paths::USER_CA).filter(|o| !filled(o)) {
        found.push(Finding::error(
            "trust-bundle",
            format!("ConfigMap/openshift-config/{}", name(user)),
            "it has no ca-bundle.crt",
            CURE,
        ));
        return;
    }
    let path = facts
        .trusted_ca_path()
        .or_else(|| (!proxy_ca.is_empty()).then(|| paths::USER_CA.to_owned()));
    let Some(path) = path else { return };
    if facts.object(&path).is_none_or(|o| !filled(o)) {
        found.push(Finding::error(
            "trust-bundle",
            format!("ConfigMap/openshift-config/{proxy_ca}"),
            "Proxy/cluster refers to it, and it is not there or has no ca-bundle.crt",
            CURE,
        ));
    }
}

fn room(facts: &Facts, _: Purpose, found: &mut Found) {
    let Some(stats) = facts.stats_path().and_then(|path| facts.object(&path)) else {
        return;
    };
    let node = facts.node().map_or("", name);
    for (what, pointer) in [
        ("root", "/node/fs/availableBytes"),
        ("container storage", "/node/runtime/imageFs/availableBytes"),
    ] {
        let free = stats.pointer(pointer).and_then(Value::as_u64);
        if let Some(free) = free.filter(|free| *free < ROOM) {
            let message = format!(
                "{what} has {} free",
                crate::seed::partition::gib(free >> 20)
            );
            found.push(Finding::error("room", format!("Node/{node} (stats/summary)"), message, "remove images and logs that the targets do not need: `crictl rmi --prune`, `journalctl --vacuum-size=100M`").warning());
        }
    }
}
