//! What a build needs: the pool, the API, the Secrets and their registries.

use serde_json::Value;

use super::{Rule, reads_pool};
use crate::objects::json::{list, name, text};
use crate::objects::{Finding, auth};
use crate::oci::Reference;
use crate::osimage::facts::{
    CONFIGS, Facts, INFRASTRUCTURE, NODES, PULL_SECRET, REGISTRY, base_secret, pool_path,
    secret_path, stream_path, urls_path,
};
use crate::osimage::resources::OsImage;
use crate::osimage::{Era, NAMESPACE, containerfile};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "pool",
        requirement: "the pool is there, not paused, not degraded, and on Single Node OpenShift it is `master`",
        reads: |facts, image| [reads_pool(facts, image), vec![INFRASTRUCTURE.to_owned()]].concat(),
        check: pool,
    },
    Rule {
        id: "api",
        requirement: "the cluster knows MachineOSConfig, and this pool has at most its own",
        reads: |_, _| vec![CONFIGS.to_owned()],
        check: api,
    },
    Rule {
        id: "push-secret",
        requirement: "the push secret is there, of the right type, with an entry for the registry",
        reads: |_, image| vec![secret_path(&image.push_secret)],
        check: push_secret,
    },
    Rule {
        id: "base-secret",
        requirement: "the pull secret is there, of the right type, with an entry for the base image",
        reads: |_, image| {
            let own = base_secret(image).map_or_else(|| PULL_SECRET.to_owned(), secret_path);
            vec![own, urls_path()]
        },
        check: base,
    },
    Rule {
        id: "node-pull",
        requirement: "the nodes may pull the finished image with the cluster's pull secret",
        reads: |_, _| vec![PULL_SECRET.to_owned()],
        check: node_pull,
    },
    Rule {
        id: "image-stream",
        requirement: "the integrated registry is on, and has the ImageStream",
        reads: |_, image| {
            let stream = stream_path(image).into_iter();
            stream
                .flat_map(|stream| [stream, REGISTRY.to_owned()])
                .collect()
        },
        check: image_stream,
    },
    Rule {
        id: "nodes",
        requirement: "the pool has nodes to boot the image",
        reads: |facts, image| [reads_pool(facts, image), vec![NODES.to_owned()]].concat(),
        check: nodes,
    },
];

/// What is said of objects that `osimage build` makes.
pub(super) const NO_POOL: &str = "there is no such pool";
pub(super) const NO_STREAM: &str = "there is no such ImageStream";

fn pool(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    const RULE: &str = "pool";
    let own = format!("MachineConfigPool {}", image.pool.name());
    if facts.single_node() && image.pool.name() != "master" {
        let message = "on Single Node OpenShift only the pool `master` has the node";
        found.push(Finding::error(
            RULE,
            &own,
            message,
            "build for the pool `master`",
        ));
    }
    let Some(pool) = facts.object(&pool_path(image)) else {
        let cure = "apply the manifests of `snoforge osimage manifests`, which have the pool";
        return found.push(Finding::error(RULE, own, NO_POOL, cure));
    };
    if pool.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        let message = "the pool is paused: the image would be built, and not rolled out";
        let cure = format!(
            "`oc patch mcp/{} --type merge -p '{{\"spec\":{{\"paused\":false}}}}'`",
            image.pool.name()
        );
        found.push(Finding::error(RULE, &own, message, cure).warning());
    }
    let degraded = list(pool, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == "Degraded" && text(c, "/status") == "True");
    if let Some(condition) = degraded {
        let message = format!("the pool is degraded: {}", text(condition, "/message"));
        found.push(Finding::error(
            RULE,
            own,
            message,
            "mend what the message names first",
        ));
    }
}

fn api(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    const RULE: &str = "api";
    if image.era == Era::V414 {
        if !facts.is_absent(CONFIGS) {
            let message =
                "the cluster knows MachineOSConfig, and reads the ConfigMaps of 4.14 no more";
            found.push(Finding::error(
                RULE,
                CONFIGS,
                message,
                "leave --api 4.14 out",
            ));
        }
        return;
    }
    if facts.is_absent(CONFIGS) {
        let message = "the cluster does not know MachineOSConfig";
        let cure = "OpenShift 4.18 and later know it; for 4.14 give --api 4.14";
        return found.push(Finding::error(RULE, CONFIGS, message, cure));
    }
    for config in facts.items(CONFIGS) {
        let same = text(config, "/spec/machineConfigPool/name") == image.pool.name();
        if same && name(config) != image.pool.name() {
            let message = format!(
                "it is for the pool `{}` too, which takes one",
                image.pool.name()
            );
            let object = format!("MachineOSConfig {}", name(config));
            found.push(Finding::error(RULE, object, message, "delete it"));
        }
    }
}

/// A Secret's keys, after everything that can be wrong with it but them.
fn keys(
    rule: &'static str,
    object: &str,
    secret: Option<&Value>,
    found: &mut Vec<Finding>,
) -> Option<Vec<String>> {
    const TYPES: [(&str, &str); 2] = [
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
        ("kubernetes.io/dockercfg", ".dockercfg"),
    ];
    let mut refuse = |message: String, cure: &str| {
        found.push(Finding::error(rule, object, message, cure));
    };
    let make = format!(
        "`oc create secret docker-registry NAME -n {NAMESPACE} --from-file=.dockerconfigjson=auth.json`, or `snoforge osimage manifests --push-authfile`"
    );
    let Some(secret) = secret else {
        refuse("there is no such Secret".to_owned(), &make);
        return None;
    };
    let kind = text(secret, "/type");
    let Some((_, key)) = TYPES.iter().find(|(t, _)| *t == kind) else {
        refuse(
            format!(
                "its type is `{kind}`, neither kubernetes.io/dockerconfigjson nor kubernetes.io/dockercfg"
            ),
            &make,
        );
        return None;
    };
    if !list(secret, "/keys").iter().any(|k| k == key) {
        refuse(format!("it has no `{key}`, which its type asks for"), &make);
        return None;
    }
    let wrong = text(secret, "/auths/error");
    if !wrong.is_empty() {
        refuse(format!("its `{key}` cannot be used: {wrong}"), &make);
        return None;
    }
    let keys = list(secret, "/auths/keys").iter();
    Some(keys.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn has(keys: &[String], image: &Reference) -> bool {
    keys.iter().any(|key| auth::covers(key, image))
}

fn push_secret(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    const RULE: &str = "push-secret";
    let object = format!("Secret {NAMESPACE}/{}", image.push_secret);
    let secret = facts.object(&secret_path(&image.push_secret));
    let Some(keys) = keys(RULE, &object, secret, found) else {
        return;
    };
    let push = image.push.reference();
    if !has(&keys, push) {
        let message = format!(
            "it has no entry for {}; it has {}",
            push.name(),
            keys.join(", ")
        );
        let cure = "make it from a credential file that may push there (`podman login --authfile`)";
        found.push(Finding::error(RULE, object, message, cure));
    }
}

fn base(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    const RULE: &str = "base-secret";
    let (object, path) = match base_secret(image) {
        Some(secret) => (format!("Secret {NAMESPACE}/{secret}"), secret_path(secret)),
        None => (
            "Secret openshift-config/pull-secret".to_owned(),
            PULL_SECRET.to_owned(),
        ),
    };
    let Some(keys) = keys(RULE, &object, facts.object(&path), found) else {
        return;
    };
    let urls = facts.object(&urls_path());
    let base = urls
        .map(|urls| text(urls, "/data/baseOSContainerImage"))
        .unwrap_or_default();
    if let Ok(base) = base.parse::<Reference>()
        && !has(&keys, &base)
    {
        let message = format!(
            "it has no entry for the base image {base}; it has {}",
            keys.join(", ")
        );
        let cure = "make it a copy of the cluster's pull secret, with what else is needed";
        found.push(Finding::error(RULE, &object, message, cure));
    }
    let file = image.containerfile.as_deref().unwrap_or_default();
    for used in containerfile::images(file) {
        let Ok(used) = used.parse::<Reference>() else {
            continue;
        };
        if !has(&keys, &used) {
            let message = format!("it has no entry for {used}, which the Containerfile uses");
            let cure = "add one, unless anyone may pull it";
            found.push(Finding::error(RULE, &object, message, cure).warning());
        }
    }
}

fn node_pull(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    if image.push.is_internal() {
        return;
    }
    let object = "Secret openshift-config/pull-secret";
    let Some(keys) = keys("node-pull", object, facts.object(PULL_SECRET), found) else {
        return;
    };
    let push = image.push.reference();
    if !has(&keys, push) {
        let message = format!(
            "it has no entry for {}: the nodes cannot pull what was built",
            push.name()
        );
        let cure = "add a read-only entry (`oc set data secret/pull-secret -n openshift-config --from-file=.dockerconfigjson=…`), unless anyone may pull it";
        found.push(Finding::error("node-pull", object, message, cure).warning());
    }
}

fn image_stream(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    const RULE: &str = "image-stream";
    let Some(stream) = stream_path(image) else {
        return;
    };
    if facts.object(&stream).is_none() {
        let cure = "apply the ImageStream of `snoforge osimage manifests --image-stream`";
        found.push(Finding::error(RULE, &stream, NO_STREAM, cure));
    }
    let managed = facts
        .object(REGISTRY)
        .map(|r| text(r, "/spec/managementState"));
    if managed != Some("Managed") {
        let message = format!(
            "the integrated registry is {}",
            managed.unwrap_or("absent").to_lowercase()
        );
        let cure =
            "give it storage and set spec.managementState to Managed, or push to another registry";
        found.push(Finding::error(RULE, REGISTRY, message, cure));
    }
}

fn nodes(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let Some(pool) = facts.object(&pool_path(image)) else {
        return;
    };
    if crate::osimage::build::rollout::nodes_of(pool, facts.items(NODES)).is_empty() {
        let message = "no node is in the pool: the image is built, and nobody boots it";
        let cure = format!(
            "that is the way to try a Containerfile; else label a node `node-role.kubernetes.io/{}=`",
            image.pool.name()
        );
        let object = format!("MachineConfigPool {}", image.pool.name());
        found.push(Finding::error("nodes", object, message, cure).warning());
    }
}
