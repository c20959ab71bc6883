//! What is known of the cluster that is to build: the API's answers by path, trimmed.
//!
//! Whoever collects asks [`Facts::missing`] until nothing is missing (the rendered `MachineConfig` is named by its pool), and puts
//! each answer in by [`Facts::put`]. Every failure but a 404 is an [`Answer::Error`] and becomes a finding, never an empty list.
//!
//! Invariant: no secret is kept. Of a Secret its type, its keys and size stay, and the registries that it has entries for.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use super::resources::{BASE_SECRET, OsImage};
use super::{Era, NAMESPACE, predict};
use crate::objects::Answer;
use crate::objects::auth;
use crate::objects::json::{list, name, text};

/// Path of everything that the operator has of its own kinds.
const GROUP: &str = "/apis/machineconfiguration.openshift.io/v1";
/// Nodes.
pub const NODES: &str = "/api/v1/nodes";
/// Topology.
pub const INFRASTRUCTURE: &str = "/apis/config.openshift.io/v1/infrastructures/cluster";
/// The cluster's version and capabilities.
pub const VERSION: &str = "/apis/config.openshift.io/v1/clusterversions/version";
/// The cluster's pull secret.
pub const PULL_SECRET: &str = "/api/v1/namespaces/openshift-config/secrets/pull-secret";
/// `MachineOSConfigs`; absent where the API is older.
pub const CONFIGS: &str = "/apis/machineconfiguration.openshift.io/v1/machineosconfigs";
/// Mirrors by digest; absent before 4.13.
pub const MIRRORS: &str = "/apis/config.openshift.io/v1/imagedigestmirrorsets";
/// Mirrors of older releases.
pub const OLD_MIRRORS: &str = "/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies";
/// The integrated registry.
pub const REGISTRY: &str = "/apis/imageregistry.operator.openshift.io/v1/configs/cluster";

/// All answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// By API path.
    pub answers: BTreeMap<String, Answer>,
}

/// Path of a Secret in the operator's namespace.
pub fn secret_path(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
}

/// Path of a pool.
pub fn pool_path(image: &OsImage) -> String {
    format!("{GROUP}/machineconfigpools/{}", image.pool.name())
}

/// Path of the `ConfigMap` with the release's images.
pub fn urls_path() -> String {
    format!(
        "/api/v1/namespaces/{NAMESPACE}/configmaps/{}",
        predict::URLS
    )
}

/// Name of the Secret that the base image is pulled with; none when it is the cluster's pull secret, which today's operator copies.
pub fn base_secret(image: &OsImage) -> Option<&str> {
    let named = image.base_secret.as_deref();
    named.or((image.era == Era::V414).then_some(BASE_SECRET))
}

/// Path of the `ImageStream` that is pushed into.
pub fn stream_path(image: &OsImage) -> Option<String> {
    let (namespace, name) = image.push.reference().repository().split_once('/')?;
    let own = image.push.is_internal();
    own.then(|| format!("/apis/image.openshift.io/v1/namespaces/{namespace}/imagestreams/{name}"))
}

impl Facts {
    /// Paths that rules read for an image, those included that other answers name.
    pub fn needed(&self, image: &OsImage) -> Vec<String> {
        let mut paths = vec![
            pool_path(image),
            secret_path(&image.push_secret),
            urls_path(),
        ];
        paths.extend([NODES, INFRASTRUCTURE, VERSION, PULL_SECRET, CONFIGS].map(str::to_owned));
        paths.extend(base_secret(image).map(secret_path));
        if let Some(stream) = stream_path(image) {
            paths.extend([stream, REGISTRY.to_owned()]);
        }
        if image.era == Era::V414 {
            paths.extend([MIRRORS, OLD_MIRRORS].map(str::to_owned));
        }
        paths.extend(self.rendered_path(image));
        paths
    }

    /// Paths that have no answer yet; empty when all is known.
    pub fn missing(&self, image: &OsImage) -> Vec<String> {
        let mut paths = self.needed(image);
        paths.retain(|path| !self.answers.contains_key(path));
        paths
    }

    /// Puts an answer in, trimmed to what rules read.
    pub fn put(&mut self, path: &str, answer: Answer) {
        let answer = match answer {
            Answer::Object(object) => Answer::Object(trim(path, &object)),
            Answer::Items(items) => {
                Answer::Items(items.iter().map(|item| trim(path, item)).collect())
            }
            other => other,
        };
        self.answers.insert(path.to_owned(), answer);
    }

    /// Path of the rendered `MachineConfig` of the pool.
    pub fn rendered_path(&self, image: &OsImage) -> Option<String> {
        let rendered = text(self.object(&pool_path(image))?, "/spec/configuration/name");
        (!rendered.is_empty()).then(|| format!("{GROUP}/machineconfigs/{rendered}"))
    }

    /// One object.
    pub fn object(&self, path: &str) -> Option<&Value> {
        match self.answers.get(path) {
            Some(Answer::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// The items of a list; none when it is absent or failed.
    pub fn items(&self, path: &str) -> &[Value] {
        match self.answers.get(path) {
            Some(Answer::Items(items)) => items,
            _ => &[],
        }
    }

    /// Whether the answer is a 404.
    pub fn is_absent(&self, path: &str) -> bool {
        matches!(self.answers.get(path), Some(Answer::Absent))
    }

    /// Whether the cluster has one node for everything.
    pub fn single_node(&self) -> bool {
        let infrastructure = self.object(INFRASTRUCTURE);
        infrastructure.is_some_and(|i| text(i, "/status/controlPlaneTopology") == "SingleReplica")
    }
}

fn trim(path: &str, object: &Value) -> Value {
    if path.contains("/secrets/") {
        return secret(object);
    }
    if path.contains("/machineconfigs/") {
        return json!({
            "metadata": {"name": name(object)},
            "osImageURL": text(object, "/spec/osImageURL"),
            "kernelType": text(object, "/spec/kernelType"),
            "extensions": list(object, "/spec/extensions"),
            "packedBytes": packed_bytes(object),
        });
    }
    if path == NODES {
        return json!({
            "metadata": {"name": name(object), "labels": object.pointer("/metadata/labels"), "annotations": annotations(object)},
            "architecture": text(object, "/status/nodeInfo/architecture"),
        });
    }
    let mut trimmed = object.clone();
    if let Some(metadata) = trimmed
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        metadata.remove("managedFields");
    }
    trimmed
}

/// The image that a node runs, when it was built on the cluster.
fn annotations(node: &Value) -> Value {
    let key = "machineconfiguration.openshift.io/currentImage";
    let value = node
        .pointer("/metadata/annotations")
        .and_then(|a| a.get(key));
    value.map_or_else(|| json!({}), |value| json!({ key: value }))
}

/// Bytes of base64 of gzip of the JSON, which the operator puts into a `ConfigMap`.
fn packed_bytes(object: &Value) -> u64 {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Memory takes everything.
    let written = serde_json::to_writer(&mut encoder, object).is_ok();
    let packed = encoder.finish().unwrap_or_default();
    if written {
        packed.len().div_ceil(3) as u64 * 4
    } else {
        u64::MAX
    }
}

fn secret(object: &Value) -> Value {
    let data = object.get("data").and_then(Value::as_object);
    let keys: Vec<&String> = data.into_iter().flatten().map(|(key, _)| key).collect();
    let mut size = 0;
    let mut auths = json!({});
    for (key, legacy) in [(".dockerconfigjson", false), (".dockercfg", true)] {
        let Some(encoded) = data.and_then(|d| d.get(key)).and_then(Value::as_str) else {
            continue;
        };
        size += encoded.len();
        auths = match BASE64.decode(encoded) {
            Err(_) => json!({"error": "it is no base64"}),
            Ok(bytes) => match auth::keys(&bytes, legacy) {
                Ok(keys) => json!({ "keys": keys }),
                Err(reason) => json!({ "error": reason }),
            },
        };
    }
    json!({"metadata": {"name": name(object)}, "type": text(object, "/type"), "keys": keys, "bytes": size, "auths": auths})
}
