//! What a failed build left, and the order in which it goes.
//!
//! 4.14 (seed document 004, "cleaning up"): drop the pool's label, wait until machine-os-builder is gone, delete what its garbage
//! collection left, add the label again.
//!
//! v1: delete the ended builds that nobody needs (their finalizer takes their Job with them), then what has lost its build, then
//! ask for the current one again by annotation, because the operator deletes that itself. Builds that go on, builds that
//! succeeded, and Secrets of the user are never touched.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::condition;
use super::rollout::nodes_of;
use super::v1::{REBUILD, current};
use crate::objects::Finding;
use crate::objects::json::{name, text};
use crate::osimage::NAMESPACE;
use crate::osimage::resources::ENABLED_LABEL;

/// Label of everything that a build makes for itself.
pub const EPHEMERAL_LABEL: &str = "machineconfiguration.openshift.io/ephemeral-build-object";
/// Label of all objects of builds, the digest's `ConfigMap` included.
pub const LAYERING_LABEL: &str = "machineconfiguration.openshift.io/on-cluster-layering";
const POOL_LABEL: &str =
    "/metadata/labels/machineconfiguration.openshift.io~1target-machine-config-pool";
const BUILD_LABEL: &str = "/metadata/labels/machineconfiguration.openshift.io~1machine-os-build";
const GROUP: &str = "/apis/machineconfiguration.openshift.io/v1";
/// The operator's deployment.
pub const BUILDER: &str =
    "/apis/apps/v1/namespaces/openshift-machine-config-operator/deployments/machine-os-builder";

/// One step. Paths are API paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Delete an object; that it is gone already is fine.
    Delete {
        /// The object.
        path: String,
    },
    /// Wait until an object is gone.
    WaitGone {
        /// The object.
        path: String,
    },
    /// Set a label to the empty text, or take it away.
    Label {
        /// The object.
        path: String,
        /// The label.
        label: &'static str,
        /// Whether it is to be there.
        present: bool,
    },
    /// Set an annotation to the empty text.
    Annotate {
        /// The object.
        path: String,
        /// The annotation.
        annotation: &'static str,
    },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Delete { path } => write!(f, "delete {path}"),
            Self::WaitGone { path } => write!(f, "wait until {path} is gone"),
            Self::Label {
                path,
                label,
                present: true,
            } => write!(f, "label {path} with {label}"),
            Self::Label { path, label, .. } => write!(f, "take the label {label} off {path}"),
            Self::Annotate { path, annotation } => write!(f, "annotate {path} with {annotation}"),
        }
    }
}

/// Path of a pool.
pub fn pool_path(pool: &str) -> String {
    format!("{GROUP}/machineconfigpools/{pool}")
}

/// Steps for a `MachineOSConfig`: `builds` are all `MachineOSBuilds`, `leftovers` the Jobs, `ConfigMaps` and Secrets with the label
/// [`LAYERING_LABEL`].
pub fn v1(config: &Value, builds: &[Value], leftovers: &[Value]) -> Vec<Step> {
    let own = |b: &&Value| text(b, "/spec/machineOSConfig/name") == name(config);
    let ended =
        |b: &&Value| condition(b, "Failed").is_some() || condition(b, "Interrupted").is_some();
    let latest = current(config, builds);
    let mut steps = Vec::new();
    let mut kept: BTreeSet<&str> = builds.iter().map(name).collect();
    for build in builds.iter().filter(own).filter(ended) {
        if latest.is_some_and(|c| name(c) == name(build)) {
            continue;
        }
        let path = format!("{GROUP}/machineosbuilds/{}", name(build));
        kept.remove(name(build));
        steps.push(Step::Delete { path: path.clone() });
        steps.push(Step::WaitGone { path });
    }
    let pool = text(config, "/spec/machineConfigPool/name");
    for object in leftovers {
        let of_build = text(object, BUILD_LABEL);
        let orphan =
            text(object, POOL_LABEL) == pool && !of_build.is_empty() && !kept.contains(of_build);
        if orphan
            && is_the_builds(object)
            && let Some(path) = path(object)
        {
            steps.push(Step::Delete { path });
        }
    }
    if latest.is_some_and(|c| ended(&c)) {
        let path = format!("{GROUP}/machineosconfigs/{}", name(config));
        steps.push(Step::Annotate {
            path,
            annotation: REBUILD,
        });
    }
    steps
}

/// Whether a build made an object for itself.
fn is_the_builds(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    labels.is_some_and(|l| l.get(EPHEMERAL_LABEL).is_some())
        || name(object).starts_with("digest-")
        || text(object, "/kind") == "Job"
}

fn path(object: &Value) -> Option<String> {
    let (group, plural) = match text(object, "/kind") {
        "Job" => ("/apis/batch/v1", "jobs"),
        "ConfigMap" => ("/api/v1", "configmaps"),
        "Secret" => ("/api/v1", "secrets"),
        "Pod" => ("/api/v1", "pods"),
        _ => return None,
    };
    let own = name(object);
    // Whatever an API says: nothing leaves the operator's namespace, and no name is a path.
    let inside =
        text(object, "/metadata/namespace") == NAMESPACE && !own.contains('/') && !own.is_empty();
    inside.then(|| format!("{group}/namespaces/{NAMESPACE}/{plural}/{own}"))
}

/// Steps for a pool of 4.14, and what speaks against them; `nodes` are all nodes, `again` opts the pool in once more.
pub fn v414(pool: &Value, nodes: &[Value], again: bool) -> (Vec<Step>, Vec<Finding>) {
    let rendered = text(pool, "/spec/configuration/name");
    let own = pool_path(name(pool));
    let label = |present: bool| Step::Label {
        path: own.clone(),
        label: ENABLED_LABEL,
        present,
    };
    let mut steps = vec![
        label(false),
        Step::WaitGone {
            path: BUILDER.to_owned(),
        },
    ];
    if !rendered.is_empty() && !rendered.contains('/') {
        let core = format!("/api/v1/namespaces/{NAMESPACE}");
        steps.push(Step::Delete {
            path: format!("{core}/pods/build-{rendered}"),
        });
        for kind in ["dockerfile", "mc", "digest"] {
            let path = format!("{core}/configmaps/{kind}-{rendered}");
            steps.push(Step::Delete { path });
        }
    }
    if again {
        steps.push(label(true));
    }
    let layered = nodes_of(pool, nodes).into_iter().filter(|node| {
        !text(
            node,
            "/metadata/annotations/machineconfiguration.openshift.io~1currentImage",
        )
        .is_empty()
    });
    let finding = |node: &Value| {
        Finding::error(
            "rollback",
            format!("node {}", name(node)),
            "it runs an image that was built on the cluster, and 4.14 cannot roll a pool back",
            "install the machine again; to try Containerfiles use a pool without nodes",
        )
    };
    (steps, layered.map(finding).collect())
}
