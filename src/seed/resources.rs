//! The other manifests: `seedgen` Secret, `seedimage` `SeedGenerator`, `ImageBasedUpgrade`, the operator, and the kustomization
//! that detaches the seed cluster under GitOps (`seed-image.md` section 2; seeds 000 to 002).

use serde::{Deserialize, Serialize};

use super::auth::{AuthFile, SecretBytes};
use super::error::Error;
use super::names::{SeedImage, object_name};
use super::yaml::scalar;
use crate::config::yaml::{self, Value};
use crate::oci::Reference;

/// Where lifecycle-agent runs unless it was installed otherwise.
pub const NAMESPACE: &str = "openshift-lifecycle-agent";

/// Version of the custom resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `lca.openshift.io/v1`: every release since May 2024.
    #[default]
    V1,
    /// `lca.openshift.io/v1alpha1`: before that.
    V1Alpha1,
}

impl Api {
    /// `lca.openshift.io/…`.
    pub fn group_version(self) -> &'static str {
        match self {
            Self::V1 => "lca.openshift.io/v1",
            Self::V1Alpha1 => "lca.openshift.io/v1alpha1",
        }
    }

    /// API path of its `SeedGenerator`s.
    pub fn generators(self) -> String {
        format!("/apis/{}/seedgenerators", self.group_version())
    }
}

/// What `seedgen` and `seedimage` need.
#[derive(Debug, Clone)]
pub struct SeedGenerator {
    /// Where the image is pushed.
    pub image: SeedImage,
    /// Credentials for that.
    pub auth: AuthFile,
    /// Key `hubKubeconfig`, which lifecycle-agent read until February 2024.
    pub hub_kubeconfig: Option<SecretBytes>,
    /// The recert image; lifecycle-agent knows its own.
    pub recert: Option<Reference>,
    /// Version of the resource.
    pub api: Api,
    /// Namespace of the operator.
    pub namespace: String,
}

impl SeedGenerator {
    /// The Secret. It holds the credentials.
    pub fn secret(&self) -> String {
        let hub = self
            .hub_kubeconfig
            .as_ref()
            .map_or_else(String::new, |bytes| {
                format!("  hubKubeconfig: {}\n", bytes.base64())
            });
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: seedgen\n  namespace: {}\ntype: Opaque\ndata:\n  seedAuth: {}\n{hub}",
            self.namespace,
            self.auth.bytes.base64()
        )
    }

    /// The `SeedGenerator`. Its creation starts the imaging.
    pub fn generator(&self) -> String {
        let image = scalar(&self.image.to_string());
        let recert = self.recert.as_ref().map_or_else(String::new, |r| {
            format!("  recertImage: {}\n", scalar(&r.to_string()))
        });
        format!(
            "---\napiVersion: {}\nkind: SeedGenerator\nmetadata:\n  name: seedimage\nspec:\n  seedImage: {image}\n{recert}",
            self.api.group_version()
        )
    }
}

/// Checks that bytes are a kubeconfig, as far as that can be told without a YAML reader's quoting of its secrets.
///
/// # Errors
/// They are none.
pub fn hub_kubeconfig(path: &std::path::Path, bytes: Vec<u8>) -> Result<SecretBytes, Error> {
    let refuse = |reason: &str| Error::HubKubeconfig {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is no text"))?;
    let document = yaml::parse(text).map_err(|_| refuse("it is no YAML"))?;
    if ["clusters", "users", "contexts"]
        .iter()
        .any(|key| document.root.get(key).is_none())
    {
        return Err(refuse("it lacks clusters, users or contexts"));
    }
    Ok(SecretBytes::new(bytes))
}

/// A namespaced `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMapRef {
    namespace: String,
    name: String,
}

impl ConfigMapRef {
    /// Reads `namespace/name`.
    ///
    /// # Errors
    /// It is none.
    pub fn new(field: &'static str, text: &str) -> Result<Self, Error> {
        let (namespace, name) = text
            .split_once('/')
            .ok_or_else(|| Error::value(field, text, "it is no namespace/name"))?;
        super::names::dns_label(field, namespace)?;
        object_name(field, name)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// What an `ImageBasedUpgrade` of a target needs.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// The image.
    pub image: Reference,
    /// Its OpenShift version, exactly.
    pub version: super::Version,
    /// Secret in the operator's namespace with credentials to pull the image.
    pub pull_secret: Option<String>,
    /// OADP resources to back up and restore.
    pub oadp_content: Vec<ConfigMapRef>,
    /// Manifests to apply after the pivot.
    pub extra_manifests: Vec<ConfigMapRef>,
    /// Seconds until an upgrade that does not finish is rolled back; lifecycle-agent's default is 1800.
    pub init_monitor_timeout: Option<u32>,
    /// Version of the resource.
    pub api: Api,
}

impl Upgrade {
    /// The `ImageBasedUpgrade` in stage `Idle`.
    pub fn manifest(&self) -> String {
        let mut text = format!(
            "---\napiVersion: {}\nkind: ImageBasedUpgrade\nmetadata:\n  name: upgrade\nspec:\n  stage: Idle\n  seedImageRef:\n    version: {}\n    image: {}\n",
            self.api.group_version(),
            scalar(&self.version.to_string()),
            scalar(&self.image.to_string())
        );
        if let Some(secret) = &self.pull_secret {
            text.extend(["    pullSecretRef:\n      name: ", &scalar(secret), "\n"]);
        }
        if let Some(seconds) = self.init_monitor_timeout {
            text.extend([format!(
                "  autoRollbackOnFailure:\n    initMonitorTimeoutSeconds: {seconds}\n"
            )]);
        }
        for (field, items) in [
            ("oadpContent", &self.oadp_content),
            ("extraManifests", &self.extra_manifests),
        ] {
            if !items.is_empty() {
                text.extend(["  ", field, ":\n"]);
            }
            for item in items {
                text.extend([format!(
                    "    - name: {}\n      namespace: {}\n",
                    scalar(&item.name),
                    scalar(&item.namespace)
                )]);
            }
        }
        text
    }
}

/// How the operator is installed.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its namespace.
    pub namespace: String,
    /// Channel of the subscription.
    pub channel: String,
    /// `CatalogSource` in `openshift-marketplace`; a mirror's has another name.
    pub source: String,
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            channel: "stable".to_owned(),
            source: "redhat-operators".to_owned(),
        }
    }
}

impl Operator {
    /// Checks the names.
    ///
    /// # Errors
    /// One is none.
    pub fn new(namespace: &str, channel: &str, source: &str) -> Result<Self, Error> {
        super::names::dns_label("namespace", namespace)?;
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if channel.is_empty() || !channel.bytes().all(word) {
            return Err(Error::value("channel", channel, "it is no channel name"));
        }
        object_name("source", source)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            channel: channel.to_owned(),
            source: source.to_owned(),
        })
    }

    /// Namespace, `OperatorGroup` and Subscription.
    pub fn manifests(&self) -> String {
        let Self {
            namespace,
            channel,
            source,
        } = self;
        let (channel, source) = (scalar(channel), scalar(source));
        format!(
            "---
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
  annotations:
    workload.openshift.io/allowed: management
---
apiVersion: operators.coreos.com/v1
kind: OperatorGroup
metadata:
  name: {namespace}
  namespace: {namespace}
spec:
  targetNamespaces:
    - {namespace}
---
apiVersion: operators.coreos.com/v1alpha1
kind: Subscription
metadata:
  name: openshift-lifecycle-agent-subscription
  namespace: {namespace}
spec:
  channel: {channel}
  name: lifecycle-agent
  source: {source}
  sourceNamespace: openshift-marketplace
"
        )
    }
}

/// A kustomization without one of its resources: the line becomes a comment, and when it was the only one the list `[]`, so that
/// Argo CD prunes the managed cluster (seed 002). Every other byte stays.
///
/// # Errors
/// No kustomization, or the resource is not in its `resources`.
pub fn detached(file: &str, text: &str, resource: &str) -> Result<String, Error> {
    let refuse = |file: String, reason: String| Error::Kustomization { file, reason };
    let place = |at: crate::config::model::At| format!("{file}:{}:{}", at.line, at.column);
    let document = yaml::parse(text).map_err(|e| refuse(place(e.at), e.message))?;
    let Some(entry) = document.root.get("resources") else {
        return Err(refuse(
            file.to_owned(),
            "there is no `resources`".to_owned(),
        ));
    };
    let Value::List(items) = &entry.value.value else {
        return Err(refuse(place(entry.at), "`resources` is no list".to_owned()));
    };
    let named = |item: &&yaml::Node| matches!(&item.value, Value::Scalar { text, .. } if text.trim_start_matches("./") == resource.trim_start_matches("./"));
    let Some(item) = items.iter().find(named) else {
        return Err(refuse(
            place(entry.at),
            format!("`resources` has no `{resource}`"),
        ));
    };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let index = |line: u32| usize::try_from(line).unwrap_or(usize::MAX).wrapping_sub(1);
    let (own, head) = (index(item.at.line), index(entry.at.line));
    let line = lines
        .get_mut(own)
        .filter(|line| own > head && line.trim_start().starts_with("- "));
    let Some(line) = line else {
        return Err(refuse(
            place(item.at),
            "the entry is not on a line of its own".to_owned(),
        ));
    };
    let dash = line.find('-').unwrap_or_default();
    line.insert(dash, '#');
    if items.len() == 1
        && let Some(line) = lines.get_mut(head)
        && let Some(colon) = line.find("resources:")
    {
        line.insert_str(colon + "resources:".len(), " []");
    }
    Ok(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_commented_out() {
        let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        let several = format!(
            "{head}resources:\n- clusterinstance-seed-sno1.yaml\n- clusterinstance-target-sno2.yaml\n- clusterinstance-target-sno3.yaml\n"
        );
        let expected = several.replace("- clusterinstance-seed", "#- clusterinstance-seed");
        assert_eq!(
            detached("k.yaml", &several, "clusterinstance-seed-sno1.yaml").unwrap(),
            expected
        );
        let one = format!("{head}resources: # all\n  - ./seed.yaml # the seed\n");
        let expected = format!("{head}resources: [] # all\n  #- ./seed.yaml # the seed\n");
        assert_eq!(detached("k.yaml", &one, "seed.yaml").unwrap(), expected);
        for (text, why) in [
            (
                several.as_str(),
                "k.yaml:3:1: `resources` has no `other.yaml`",
            ),
            ("kind: Kustomization\n", "k.yaml: there is no `resources`"),
            ("resources: x\n", "k.yaml:1:1: `resources` is no list"),
            (
                "resources: [other.yaml]\n",
                "k.yaml:1:13: the entry is not on a line of its own",
            ),
            ("resources: [\n", "k.yaml:"),
        ] {
            let error = detached("k.yaml", text, "other.yaml")
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
