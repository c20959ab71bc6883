//! Lifecycle-agent's own reject checks, in its order and its words (`controllers/seedgen_controller.go`, `validateSystem`;
//! `seed-image.md` section 3.1), without their hole: a failed list is no empty list.

use super::machine_config::{CurrentConfig, setting, settings};
use super::{Purpose, Read, Rule};
use crate::seed::facts::{Facts, name, paths, text};
use crate::seed::finding::Finding;
use crate::seed::{Version, unescape_path};

type Found = Vec<Finding>;

const MOUNT: &str = "var-lib-containers.mount";
/// What Image-Based Installation makes since November 2024 (`lca-cli ibi`, extraPartitionLabel).
const IBI_DEFAULT: &str = "/dev/disk/by-partlabel/var-lib-containers";
const REINSTALL: &str = "install the seed cluster with the MachineConfig of `snoforge seed manifests partition`: it cannot be added later";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "ostree-set-default",
        requirement: "the release has `ostree admin set-default` (4.14 and later)",
        reads: &[Read::Path(paths::VERSION)],
        check: ostree,
    },
    Rule {
        id: "container-storage",
        requirement: "container storage is mounted by var-lib-containers.mount",
        reads: &[Read::MachineConfig],
        check: storage,
    },
    Rule {
        id: "container-filesystem",
        requirement: "container storage is a filesystem of its own",
        reads: &[Read::Stats],
        check: filesystem,
    },
    Rule {
        id: "detached",
        requirement: "the cluster is detached from its hub",
        reads: &[Read::Path(paths::CRDS)],
        check: detached,
    },
    Rule {
        id: "acm-addons",
        requirement: "no ACM addon is there, observability included",
        reads: &[Read::Path(paths::NAMESPACES)],
        check: addons,
    },
    Rule {
        id: "dnsmasq",
        requirement: "the dnsmasq configuration can be moved to another name and address",
        reads: &[Read::MachineConfig, Read::Path(paths::INSTALL_CONFIG)],
        check: super::dnsmasq::check,
    },
    Rule {
        id: "pull-secret",
        requirement: "the cluster's pull secret is its own",
        reads: &[Read::Path(paths::PULL_SECRET)],
        check: pull_secret,
    },
    Rule {
        id: "persistent-volumes",
        requirement: "there is no PersistentVolume",
        reads: &[Read::Path(paths::VOLUMES)],
        check: |facts, _, found| {
            none(
                facts,
                paths::VOLUMES,
                "persistent-volumes",
                ("PersistentVolume", "Persistent Volumes"),
                found,
            );
        },
    },
    Rule {
        id: "local-volumes",
        requirement: "there is no LocalVolume",
        reads: &[Read::Path(paths::LOCAL_VOLUMES)],
        check: |facts, _, found| {
            none(
                facts,
                paths::LOCAL_VOLUMES,
                "local-volumes",
                ("LocalVolume", "LocalVolumes"),
                found,
            );
        },
    },
    Rule {
        id: "lvm-clusters",
        requirement: "there is no LVMCluster",
        reads: &[Read::Path(paths::LVM)],
        check: |facts, _, found| {
            none(
                facts,
                paths::LVM,
                "lvm-clusters",
                ("LVMCluster", "LVMClusters"),
                found,
            );
        },
    },
    Rule {
        id: "oadp-applications",
        requirement: "there is no DataProtectionApplication",
        reads: &[Read::Path(paths::DPAS)],
        check: |facts, _, found| {
            none(
                facts,
                paths::DPAS,
                "oadp-applications",
                (
                    "DataProtectionApplication",
                    "DataProtectionApplication resources",
                ),
                found,
            );
        },
    },
    Rule {
        id: "oadp-version",
        requirement: "OADP, where it is installed, is 1.3.1 or later",
        reads: &[Read::Path(paths::CSVS), Read::Path(paths::CRDS)],
        check: oadp_version,
    },
];

fn ostree(facts: &Facts, _: Purpose, found: &mut Found) {
    const RULE: &str = "ostree-set-default";
    let object = facts.object(paths::VERSION);
    let version = object.map_or("", |o| text(o, "/status/desired/version"));
    let finding = |message: String| {
        Finding::error(
            RULE,
            "ClusterVersion/version",
            message,
            "install the seed cluster with 4.14 or later",
        )
    };
    match version.parse::<Version>().map(|v| v.minor()) {
        Ok(minor) if minor >= (4, 15) => {}
        Ok((4, 14)) => found.push(finding("4.14 has `ostree admin set-default` in later z-streams only, which the API does not tell".to_owned()).warning()),
        Ok(_) => found.push(finding(format!("Rejected: Installed release {version} does not support \"ostree admin set-default\" feature"))),
        Err(_) => found.push(finding(format!("`{version}` is no version"))),
    }
}

fn storage(facts: &Facts, purpose: Purpose, found: &mut Found) {
    let Some(config) = facts.machine_config().map(CurrentConfig) else {
        return;
    };
    let mut add = |message: String| {
        found.push(Finding::error(
            "container-storage",
            config.object(),
            message,
            REINSTALL,
        ));
    };
    let Some(unit) = config.unit(MOUNT) else {
        return add(format!(
            "Rejected: Cluster must be configured with shared container storage: there is no {MOUNT}"
        ));
    };
    if unit.get("enabled") != Some(&true.into()) {
        return add(format!("{MOUNT} is not enabled"));
    }
    let contents = text(unit, "/contents");
    let Some(what) = setting(contents, "What").filter(|w| !w.is_empty()) else {
        return add(format!("{MOUNT} has no What="));
    };
    if setting(contents, "Where") != Some("/var/lib/containers") {
        return add(format!("{MOUNT} does not mount /var/lib/containers"));
    }
    for key in ["Requires", "After"] {
        let units = settings(contents, key).flat_map(str::split_whitespace);
        let mut checks =
            units.filter_map(|u| u.strip_prefix("systemd-fsck@")?.strip_suffix(".service"));
        if let Some(wrong) = checks.find(|c| unescape_path(c).as_deref() != Some(what)) {
            let device = unescape_path(wrong).unwrap_or_else(|| "no device".to_owned());
            return add(format!(
                "{MOUNT}: {key}=systemd-fsck@{wrong}.service waits for {device}, What= is {what}"
            ));
        }
    }
    if let Some(device) = config
        .filesystem_device("/var/lib/containers")
        .filter(|d| *d != what)
    {
        return add(format!(
            "the filesystem is made on {device}, {MOUNT} mounts {what}"
        ));
    }
    if purpose == Purpose::Install && what != IBI_DEFAULT {
        let label = what.rsplit('/').next().unwrap_or_default();
        let message = format!(
            "container storage is {what}, an installation makes {IBI_DEFAULT} unless it is told"
        );
        let cure = format!(
            "write `extraPartitionLabel: {label}` into image-based-installation-config.yaml"
        );
        let finding = Finding::error("container-storage", config.object(), message, cure);
        found.push(finding.warning());
    }
}

fn filesystem(facts: &Facts, _: Purpose, found: &mut Found) {
    let Some(stats) = facts.stats_path().and_then(|path| facts.object(&path)) else {
        return;
    };
    let capacity = |pointer: &str| stats.pointer(pointer).and_then(serde_json::Value::as_u64);
    let (root, images) = (
        capacity("/node/fs/capacityBytes"),
        capacity("/node/runtime/imageFs/capacityBytes"),
    );
    let node = format!("Node/{} (stats/summary)", facts.node().map_or("", name));
    match (root, images) {
        (Some(root), Some(images)) if root != images => {}
        (Some(root), Some(_)) => found.push(Finding::error(
            "container-filesystem",
            node,
            format!("container storage and root are one filesystem of {root} bytes"),
            REINSTALL,
        )),
        _ => found.push(Finding::error(
            "container-filesystem",
            node,
            "the kubelet tells no filesystem sizes",
            "wait until the node is ready, then run again",
        )),
    }
}

fn detached(facts: &Facts, _: Purpose, found: &mut Found) {
    const CRD: &str = "klusterlets.operator.open-cluster-management.io";
    if facts.items(paths::CRDS).iter().any(|crd| name(crd) == CRD) {
        found.push(Finding::error(
            "detached",
            format!("CustomResourceDefinition/{CRD}"),
            "Rejected: Cluster must be detached from hub prior to seed generation",
            "under GitOps take its ClusterInstance out of the kustomization (`snoforge seed manifests detach`), else `oc delete managedcluster NAME` on the hub; then wait until it is gone",
        ));
    }
}

fn addons(facts: &Facts, _: Purpose, found: &mut Found) {
    let namespaces = facts.items(paths::NAMESPACES).iter().map(name);
    let addons: Vec<_> = namespaces
        .filter(|n| n.starts_with("open-cluster-management-addon-"))
        .collect();
    if !addons.is_empty() {
        let object = addons
            .iter()
            .map(|n| format!("Namespace/{n}"))
            .collect::<Vec<_>>()
            .join(", ");
        let message = format!(
            "Rejected due to presence of ACM addon(s): {}",
            addons.join(", ")
        );
        found.push(Finding::error("acm-addons", object, message, "turn the addons off for this cluster on the hub before detaching it, or delete the namespaces"));
    }
}

fn pull_secret(facts: &Facts, _: Purpose, found: &mut Found) {
    let sanitized = facts
        .object(paths::PULL_SECRET)
        .and_then(|o| o.get("sanitized"))
        .is_some_and(|s| *s == true);
    if sanitized {
        found.push(Finding::error(
            "pull-secret",
            "Secret/openshift-config/pull-secret",
            "Rejected due to invalid cluster pull-secret (previously sanitized without proper restore)",
            "put the cluster's pull secret back: `oc set data secret/pull-secret -n openshift-config --from-file=.dockerconfigjson=FILE`",
        ));
    }
}

fn none(
    facts: &Facts,
    path: &str,
    rule: &'static str,
    (kind, many): (&str, &str),
    found: &mut Found,
) {
    let items = facts.items(path);
    if items.is_empty() {
        return;
    }
    let named = |item| match text(item, "/metadata/namespace") {
        "" => format!("{kind}/{}", name(item)),
        namespace => format!("{kind}/{namespace}/{}", name(item)),
    };
    let object = items.iter().map(named).collect::<Vec<_>>().join(", ");
    let message = format!("Rejected: Cluster must not have any {many} configured");
    found.push(Finding::error(
        rule,
        object,
        message,
        format!("delete each {kind}, and wait until it is gone"),
    ));
}

/// The OADP operator's CSV, when OADP counts as installed.
pub(super) fn oadp(facts: &Facts) -> Option<&serde_json::Value> {
    let crd = facts
        .items(paths::CRDS)
        .iter()
        .any(|crd| name(crd).ends_with("oadp.openshift.io"));
    let mut csvs = facts.items(paths::CSVS).iter().filter(|csv| {
        text(csv, "/metadata/namespace") == "openshift-adp" && name(csv).contains("oadp-operator")
    });
    csvs.next().filter(|_| crd)
}

fn oadp_version(facts: &Facts, _: Purpose, found: &mut Found) {
    let Some(csv) = oadp(facts) else { return };
    let version = text(csv, "/spec/version");
    let least = "1.3.1".parse::<Version>();
    let enough = version
        .parse::<Version>()
        .is_ok_and(|v| least.is_ok_and(|least| v >= least));
    if !enough {
        let message =
            format!("Rejected: Cluster must have OADP version >= 1.3.1, it has `{version}`");
        found.push(Finding::error(
            "oadp-version",
            format!("ClusterServiceVersion/openshift-adp/{}", name(csv)),
            message,
            "update the OADP operator's subscription",
        ));
    }
}
