//! What is known of a cluster: the API's answers, trimmed, as one JSON document.
//!
//! ```text
//! {"format":1, "collected":"2026-11-20T22:02:15Z", "server":"https://api…:6443",
//!  "answers":{"/apis/config.openshift.io/v1/clusteroperators":{"items":[…]},
//!             "/apis/config.openshift.io/v1/proxies/cluster":{"object":{…}},
//!             "/apis/lvm.topolvm.io/v1alpha1/lvmclusters":"absent",
//!             "/api/v1/persistentvolumes":{"error":"403 Forbidden"}}}
//! ```
//!
//! The keys are the API paths to GET: whoever collects facts asks [`Facts::missing`] until nothing is missing (some paths
//! depend on other answers) and puts each answer in by [`Facts::put`], which trims it. `absent` is a 404 of the object or its
//! group; every other failure is an `error` and becomes a finding, never an empty list.
//!
//! Invariant: no secret is kept. Of a Secret its keys stay, and of the pull secret whether it is the one that lifecycle-agent puts
//! in its place; of the install config name and domain; of the node's `MachineConfig` what rules read.

pub mod paths;
mod trim;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use trim::is_sanitized;

use super::error::Error;
pub use crate::objects::Answer;
use crate::objects::json;
pub(super) use crate::objects::json::{list, name, text};

/// Version of the document.
pub const FORMAT: u32 = 1;

/// All answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Version of this document, [`FORMAT`].
    pub format: u32,
    /// When, RFC 3339; empty when unknown.
    #[serde(default)]
    pub collected: String,
    /// The API's URL; empty when unknown.
    #[serde(default)]
    pub server: String,
    /// By API path.
    pub answers: BTreeMap<String, Answer>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            format: FORMAT,
            collected: String::new(),
            server: String::new(),
            answers: BTreeMap::new(),
        }
    }
}

impl Facts {
    /// Reads a document; `file` is for messages.
    ///
    /// # Errors
    /// No such document, or one of another format version.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Facts {
            file: file.to_owned(),
            reason,
        };
        json::document(bytes, FORMAT, "facts document").map_err(refuse)
    }

    /// Paths that rules read, those included that other answers name.
    pub(super) fn needed(&self) -> Vec<String> {
        let fixed = paths::REQUIRED.iter().chain(&paths::OPTIONAL);
        let dynamic = [
            self.machine_config_path(),
            self.stats_path(),
            self.trusted_ca_path(),
        ];
        let fixed = fixed.map(|&path| path.to_owned());
        fixed.chain(dynamic.into_iter().flatten()).collect()
    }

    /// Paths that have no answer yet, given those that are there; empty when all facts are known.
    pub fn missing(&self) -> Vec<String> {
        let mut paths = self.needed();
        paths.retain(|path| !self.answers.contains_key(path));
        paths
    }

    /// Why the answer at a path tells nothing; `None` when it tells.
    pub(super) fn trouble(&self, path: &str) -> Option<String> {
        let listed = paths::REQUIRED.contains(&path) || paths::OPTIONAL.contains(&path);
        let object = !listed || paths::OBJECTS.contains(&path);
        let optional =
            paths::OPTIONAL.contains(&path) || self.trusted_ca_path().as_deref() == Some(path);
        let why = match self.answers.get(path) {
            None => "nobody asked for it",
            Some(Answer::Error(reason)) => return Some(format!("it could not be read: {reason}")),
            Some(Answer::Absent) if optional => return None,
            Some(Answer::Absent) => "it is not there",
            Some(Answer::Items(_)) if object => "a list, where the API has one object",
            Some(Answer::Object(_)) if !object => "one object, where the API has a list",
            Some(Answer::Items(items))
                if items.is_empty() && paths::NEVER_EMPTY.contains(&path) =>
            {
                "the list is empty, which no cluster's is"
            }
            _ => return None,
        };
        Some(why.to_owned())
    }

    /// Puts an answer in, trimmed to what rules read.
    pub fn put(&mut self, path: &str, answer: Answer) {
        let answer = match answer {
            Answer::Items(items) => Answer::Items(
                items
                    .iter()
                    .filter_map(|item| trim::item(path, item))
                    .collect(),
            ),
            Answer::Object(object) => Answer::Object(trim::object(path, &object)),
            other => other,
        };
        self.answers.insert(path.to_owned(), answer);
    }

    /// Name and base domain as the installation had them, joined by a dot; empty when unknown.
    pub fn cluster(&self) -> String {
        let config = self.object(paths::INSTALL_CONFIG);
        let field = |key: &str| config.map_or("", |c| text(c, key));
        let (name, domain) = (field("/clusterName"), field("/baseDomain"));
        if name.is_empty() || domain.is_empty() {
            String::new()
        } else {
            format!("{name}.{domain}")
        }
    }

    /// Where lifecycle-agent runs.
    pub fn operator_namespace(&self) -> Option<&str> {
        let mut all = self.items(paths::DEPLOYMENTS).iter();
        let found = all.find(|d| name(d) == "lifecycle-agent-controller-manager")?;
        Some(text(found, "/metadata/namespace"))
    }

    /// The items of a list; none when it is absent or failed.
    pub(super) fn items(&self, path: &str) -> &[Value] {
        match self.answers.get(path) {
            Some(Answer::Items(items)) => items,
            _ => &[],
        }
    }

    /// One object.
    pub(super) fn object(&self, path: &str) -> Option<&Value> {
        match self.answers.get(path) {
            Some(Answer::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Whether the answer at a path tells something, if only that nothing is there.
    pub(super) fn is_known(&self, path: &str) -> bool {
        self.trouble(path).is_none()
    }

    /// The first node; a rule says when there are others.
    pub(super) fn node(&self) -> Option<&Value> {
        self.items(paths::NODES).first()
    }

    /// Path of the `MachineConfig` that the node has.
    pub(super) fn machine_config_path(&self) -> Option<String> {
        let annotations = self.node()?.pointer("/metadata/annotations")?;
        let name = annotations
            .get("machineconfiguration.openshift.io/currentConfig")?
            .as_str()?;
        Some(format!("{}/{name}", paths::CONFIGS))
    }

    /// Path of the kubelet's summary.
    pub(super) fn stats_path(&self) -> Option<String> {
        Some(format!(
            "{}/{}/proxy/stats/summary",
            paths::NODES,
            name(self.node()?)
        ))
    }

    /// Path of the proxy's CA bundle, when it is not the user's.
    pub(super) fn trusted_ca_path(&self) -> Option<String> {
        let name = text(self.object(paths::PROXY)?, "/spec/trustedCA/name");
        let other = !name.is_empty() && name != "user-ca-bundle";
        other.then(|| format!("/api/v1/namespaces/openshift-config/configmaps/{name}"))
    }

    /// The `MachineConfig` that the node has.
    pub(super) fn machine_config(&self) -> Option<&Value> {
        self.object(&self.machine_config_path()?)
    }
}
