//! What is kept of each answer: the fields that rules read, and no secret.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{list, name, paths, text};
use crate::config::yaml;
use crate::seed::dnsmasq::SCRIPT_PATH;

/// Copies what is at these pointers.
fn pick(object: &Value, pointers: &[&str]) -> Value {
    let mut picked = json!({});
    for pointer in pointers {
        if let Some(value) = object.pointer(pointer) {
            set(&mut picked, pointer, value.clone());
        }
    }
    picked
}

/// Puts a value at a JSON pointer, making maps on the way. The pointers of one document never go through each other's leaves.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        place = match place {
            Value::Object(map) => map.entry(part).or_insert_with(|| json!({})),
            other => other,
        };
    }
    *place = value;
}

const NAME: &str = "/metadata/name";
const NAMESPACE: &str = "/metadata/namespace";
const CONDITIONS: &str = "/status/conditions";

/// Trims one item of a list; `None` when no rule reads it.
pub(super) fn item(path: &str, item: &Value) -> Option<Value> {
    let pointers: &[&str] = match path {
        paths::NODES => &[
            NAME,
            "/metadata/labels",
            "/metadata/annotations/machineconfiguration.openshift.io~1currentConfig",
            CONDITIONS,
            "/status/addresses",
            "/status/nodeInfo/architecture",
            "/status/capacity/cpu",
        ],
        paths::PODS => &[NAME, NAMESPACE, "/status/phase"],
        paths::DEPLOYMENTS => {
            let wanted = [
                "lifecycle-agent-controller-manager",
                "cluster-version-operator",
            ];
            if !wanted.contains(&name(item)) {
                return None;
            }
            let mut trimmed = pick(item, &[NAME, NAMESPACE, "/status/availableReplicas"]);
            if let Some(image) = item.pointer("/spec/template/spec/containers/0/image") {
                set(&mut trimmed, "/image", image.clone());
            }
            return Some(trimmed);
        }
        paths::CSVS => {
            if text(item, "/status/reason") == "Copied" {
                return None;
            }
            &[NAME, NAMESPACE, "/spec/version", "/status/phase"]
        }
        paths::POOLS => &[
            NAME,
            "/spec/configuration/name",
            "/status/machineCount",
            "/status/readyMachineCount",
        ],
        paths::IDMS | paths::ICSP => &[NAME, "/spec"],
        paths::SRIOV => &[NAME, NAMESPACE, "/status/syncStatus"],
        paths::GENERATORS
        | paths::UPGRADES
        | paths::IP_CONFIGS
        | paths::OPERATORS
        | paths::CSRS => &[NAME, CONDITIONS],
        _ => &[NAME, NAMESPACE],
    };
    Some(pick(item, pointers))
}

/// Trims one object by its kind of path.
pub(super) fn object(path: &str, object: &Value) -> Value {
    match path {
        paths::PULL_SECRET => secret(object),
        paths::INSTALL_CONFIG => install_config(object),
        paths::VERSION => pick(
            object,
            &[NAME, "/status/desired/version", "/status/desired/image"],
        ),
        paths::PROXY => {
            // Proxy URLs may hold passwords: whether there is one is all that counts.
            let mut trimmed = pick(object, &[NAME, "/spec/trustedCA/name"]);
            let mut kinds = vec!["httpProxy", "httpsProxy", "noProxy"];
            kinds.retain(|kind| !text(object, &format!("/spec/{kind}")).is_empty());
            set(&mut trimmed, "/spec/set", json!(kinds));
            trimmed
        }
        paths::INFRASTRUCTURE => pick(
            object,
            &[
                NAME,
                "/status/infrastructureTopology",
                "/status/controlPlaneTopology",
            ],
        ),
        _ if path.contains("/configmaps/") => {
            let data = object.get("data").and_then(Value::as_object);
            let sizes: BTreeMap<_, _> = data
                .into_iter()
                .flatten()
                .map(|(key, value)| (key, value.as_str().unwrap_or_default().len()))
                .collect();
            let mut trimmed = pick(object, &[NAME, NAMESPACE]);
            set(&mut trimmed, "/sizes", json!(sizes));
            trimmed
        }
        _ if path.starts_with(paths::CONFIGS) => machine_config(object),
        _ if path.ends_with("/proxy/stats/summary") => pick(
            object,
            &[
                "/node/fs/capacityBytes",
                "/node/fs/availableBytes",
                "/node/runtime/imageFs/capacityBytes",
                "/node/runtime/imageFs/availableBytes",
            ],
        ),
        _ => pick(object, &[NAME, NAMESPACE]),
    }
}

/// What lifecycle-agent puts in place of the pull secret while it images (`internal/common/consts.go`).
const SANITIZED: &str = r#"{"auths":{"registry.connect.redhat.com":{"username":"empty","password":"empty","auth":"ZW1wdHk6ZW1wdHk=","email":""}}}"#;

/// Whether a pull secret is the one that lifecycle-agent puts there.
pub fn is_sanitized(bytes: &[u8]) -> bool {
    bytes.trim_ascii() == SANITIZED.as_bytes()
}

fn secret(object: &Value) -> Value {
    let data = object.get("data").and_then(Value::as_object);
    let keys: Vec<_> = data.into_iter().flatten().map(|(key, _)| key).collect();
    let encoded = text(object, "/data/.dockerconfigjson");
    let bytes = BASE64.decode(encoded).unwrap_or_default();
    let mut trimmed = pick(object, &[NAME, NAMESPACE]);
    set(&mut trimmed, "/keys", json!(keys));
    set(&mut trimmed, "/sanitized", json!(is_sanitized(&bytes)));
    trimmed
}

fn install_config(object: &Value) -> Value {
    let document = yaml::parse(text(object, "/data/install-config")).ok();
    let scalar = |node: Option<&yaml::Entry>| match node.map(|entry| &entry.value.value) {
        Some(yaml::Value::Scalar { text, .. }) => text.clone(),
        _ => String::new(),
    };
    let root = document.as_ref().map(|d| &d.root);
    let metadata = root.and_then(|root| root.get("metadata"));
    json!({
        "metadata": {"name": name(object)},
        "clusterName": scalar(metadata.and_then(|m| m.value.get("name"))),
        "baseDomain": scalar(root.and_then(|root| root.get("baseDomain"))),
    })
}

fn machine_config(object: &Value) -> Value {
    let mut trimmed = pick(object, &[NAME, "/spec/fips", "/spec/kernelArguments"]);
    let keep = |pointer: &str, key: &str, wanted: &[&str]| -> Vec<Value> {
        let chosen = list(object, pointer)
            .iter()
            .filter(|item| wanted.contains(&text(item, key)));
        chosen.cloned().collect()
    };
    let config = json!({
        "storage": {
            "files": keep("/spec/config/storage/files", "/path", &[SCRIPT_PATH]),
            "filesystems": keep("/spec/config/storage/filesystems", "/path", &["/var/lib/containers"]),
            "disks": list(object, "/spec/config/storage/disks"),
        },
        "systemd": {"units": keep("/spec/config/systemd/units", "/name", &["var-lib-containers.mount", "dnsmasq.service"])},
    });
    set(&mut trimmed, "/spec/config", config);
    trimmed
}
