//! The seed cluster's facts: label `seed_cluster_info` and file `manifest.json`, the same bytes (`lca-cli/seedclusterinfo`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::seed::Version;
use crate::seed::finding::Finding;

/// The keys in the order of lifecycle-agent's struct; keys of later versions are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Version of the seed cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seed_cluster_ocp_version: String,
    /// Its base domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_domain: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_name: String,
    /// Its address, up to 4.19.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node_ip: String,
    /// Its addresses, from 4.20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_ips: Vec<String>,
    /// Where its release came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub release_registry: String,
    /// Whether it has mirrors.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mirror_registry_configured: bool,
    /// Its node's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sno_hostname: String,
    /// The recert image.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recert_image_pull_spec: String,
    /// Whether it has a proxy.
    pub has_proxy: bool,
    /// Whether it is in FIPS mode.
    pub has_fips: bool,
    /// CA bundles; absent in images of old versions, and then not compared.
    #[serde(
        rename = "additionalTrustBundle",
        skip_serializing_if = "Option::is_none"
    )]
    pub trust_bundle: Option<TrustBundle>,
    /// Device of container storage; empty in images of old versions, and then not compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container_storage_mountpoint_target: String,
    /// Common name of the ingress certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ingress_certificate_cn: String,
    /// Its machine networks, from 4.20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine_networks: Vec<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// `additionalTrustBundle`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TrustBundle {
    /// Whether `openshift-config/user-ca-bundle` is there.
    pub has_user_ca_bundle: bool,
    /// What the proxy refers to.
    pub proxy_configmap_name: String,
}

impl Info {
    /// The node's addresses, whichever key they are under.
    pub fn addresses(&self) -> Vec<&str> {
        let old =
            Some(self.node_ip.as_str()).filter(|ip| !ip.is_empty() && self.node_ips.is_empty());
        self.node_ips
            .iter()
            .map(String::as_str)
            .chain(old)
            .collect()
    }

    /// What a target cannot do without.
    pub(super) fn faults(&self, object: &str) -> Vec<Finding> {
        const AGAIN: &str = "make the image again";
        let mut faults = Vec::new();
        let mut add =
            |message: String| faults.push(Finding::error("cluster-info", object, message, AGAIN));
        if self.seed_cluster_ocp_version.parse::<Version>().is_err() {
            add(format!(
                "seed_cluster_ocp_version `{}` is no version",
                self.seed_cluster_ocp_version
            ));
        }
        let texts = [
            ("base_domain", &self.base_domain),
            ("cluster_name", &self.cluster_name),
            ("release_registry", &self.release_registry),
            ("recert_image_pull_spec", &self.recert_image_pull_spec),
        ];
        for (key, _) in texts.iter().filter(|(_, text)| text.is_empty()) {
            add(format!("{key} is missing"));
        }
        if self.addresses().is_empty() {
            add("neither node_ip nor node_ips is there".to_owned());
        }
        if let Some(ip) = self
            .addresses()
            .iter()
            .find(|ip| ip.parse::<std::net::IpAddr>().is_err())
        {
            add(format!("`{ip}` is no address"));
        }
        faults
    }
}
