//! From the finished image to the node that booted it: the pool's counts and conditions, the nodes' annotations.

use serde::Serialize;
use serde_json::Value;

use super::{clause, condition};
use crate::objects::json::{list, name, text};

const DESIRED: &str = "machineconfiguration.openshift.io~1desiredImage";
const CURRENT: &str = "machineconfiguration.openshift.io~1currentImage";
const STATE: &str = "machineconfiguration.openshift.io~1state";
const REASON: &str = "machineconfiguration.openshift.io~1reason";

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "rollout")]
pub enum Rollout {
    /// All nodes of the pool booted the image.
    Done {
        /// Their names.
        nodes: Vec<String>,
    },
    /// It goes on.
    Waiting {
        /// For what.
        why: String,
    },
    /// It does not go on by itself.
    Degraded {
        /// Why.
        reason: String,
    },
    /// Nobody is there to boot it.
    NoNodes,
}

/// The nodes of a pool: those that its selector chooses, but for the ones that a more special pool takes.
pub fn nodes_of<'a>(pool: &Value, nodes: &'a [Value]) -> Vec<&'a Value> {
    let wanted = pool
        .pointer("/spec/nodeSelector/matchLabels")
        .and_then(Value::as_object);
    let has = |node: &Value, key: &str| {
        let labels = node.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(key)).cloned()
    };
    // A node with the roles master and worker, as every Single Node, is in the pool `master`.
    let elsewhere = |node: &Value| {
        name(pool) == "worker" && has(node, "node-role.kubernetes.io/master").is_some()
    };
    let own = |node: &&Value| {
        let mut labels = wanted.into_iter().flatten();
        wanted.is_some_and(|w| !w.is_empty())
            && labels.all(|(key, value)| has(node, key).as_ref() == Some(value))
            && !elsewhere(node)
    };
    nodes.iter().filter(own).collect()
}

/// How far the image is, by the pool and all nodes of the cluster.
pub fn rollout(pool: &Value, nodes: &[Value], image: &str) -> Rollout {
    for kind in [
        "RenderDegraded",
        "NodeDegraded",
        "ImageBuildDegraded",
        "Degraded",
    ] {
        if let Some(degraded) = condition(pool, kind) {
            let reason = format!("pool {}: {kind}: {}", name(pool), clause(degraded));
            return Rollout::Degraded { reason };
        }
    }
    let own = nodes_of(pool, nodes);
    if own.is_empty() {
        return Rollout::NoNodes;
    }
    for node in &own {
        if annotation(node, STATE) == "Degraded" {
            let reason = format!("node {}: {}", name(node), annotation(node, REASON));
            return Rollout::Degraded { reason };
        }
    }
    let waiting = |why: String| Rollout::Waiting { why };
    if let Some(why) = own.iter().find_map(|node| unfinished(node, image)) {
        let paused = pool.pointer("/spec/paused").and_then(Value::as_bool);
        return waiting(match paused {
            Some(true) => format!("the pool {} is paused; {why}", name(pool)),
            _ => why,
        });
    }
    let count = |key: &str| {
        let value = pool.get("status").and_then(|s| s.get(key));
        value.and_then(Value::as_u64).unwrap_or_default()
    };
    let (updated, all) = (count("updatedMachineCount"), count("machineCount"));
    if updated < all {
        return waiting(format!(
            "pool {}: {updated} of {all} nodes are updated",
            name(pool)
        ));
    }
    Rollout::Done {
        nodes: own.iter().map(|node| name(node).to_owned()).collect(),
    }
}

fn annotation<'a>(node: &'a Value, key: &str) -> &'a str {
    text(node, &format!("/metadata/annotations/{key}"))
}

/// What a node has before it.
fn unfinished(node: &Value, image: &str) -> Option<String> {
    let own = name(node);
    if annotation(node, DESIRED) != image {
        return Some(format!("node {own} is not told of the image yet"));
    }
    let ready = list(node, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
    if annotation(node, CURRENT) != image {
        let doing = if ready { "takes the image" } else { "reboots" };
        return Some(format!("node {own} {doing}"));
    }
    if annotation(node, STATE) != "Done" {
        return Some(format!(
            "node {own} booted the image and finishes ({})",
            annotation(node, STATE)
        ));
    }
    (!ready).then(|| format!("node {own} booted the image and is not ready yet"))
}
