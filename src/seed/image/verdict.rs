//! Whether a target takes an image: what lifecycle-agent compares in stage Prep (`controllers/prep_handlers.go`;
//! `seed-image.md` section 3.6), in its words, and what it does not compare although it matters.

use super::{Info, SeedImage};
use crate::seed::Version;
use crate::seed::facts::{Facts, list, paths, text};
use crate::seed::finding::Finding;
use crate::seed::preflight::{CurrentConfig, Purpose};

const OTHER: &str = "this combination is not supported";

/// What a target says of itself; `None` where its facts do not tell.
struct Target<'a> {
    facts: &'a Facts,
    findings: Vec<Finding>,
}

/// Compares. For [`Purpose::Install`] only what an installation shares: nothing but the facts that a machine has before it.
pub fn compare(image: &SeedImage, facts: &Facts, purpose: Purpose) -> Vec<Finding> {
    let Some(info) = &image.info else {
        return Vec::new();
    };
    let mut target = Target {
        facts,
        findings: Vec::new(),
    };
    if purpose == Purpose::Upgrade {
        target.version(info);
    }
    target.proxy(info);
    target.fips(info);
    target.trust_bundle(info);
    target.storage(info);
    target.addresses(info);
    target.topology(&image.architecture);
    target.findings
}

impl Target<'_> {
    fn add(
        &mut self,
        rule: &'static str,
        object: impl Into<String>,
        message: impl Into<String>,
        cure: &str,
    ) {
        self.findings
            .push(Finding::error(rule, object, message, cure));
    }

    /// Whether the answer at a path is known; a finding when not.
    fn known(&mut self, rule: &'static str, path: Option<String>) -> bool {
        let path = path.unwrap_or_else(|| "the node's MachineConfig".to_owned());
        let known = self.facts.is_known(&path);
        if !known {
            self.add(
                rule,
                path,
                "the target's facts do not tell: it failed or was not asked",
                "collect the target's facts again",
            );
        }
        known
    }

    fn version(&mut self, info: &Info) {
        if !self.known("version", Some(paths::VERSION.to_owned())) {
            return;
        }
        let current = self
            .facts
            .object(paths::VERSION)
            .map_or("", |o| text(o, "/status/desired/version"));
        let seed = &info.seed_cluster_ocp_version;
        // A seed without version has its finding already.
        let Ok(new) = seed.parse::<Version>() else {
            return;
        };
        if current
            .parse::<Version>()
            .is_ok_and(|current| new > current)
        {
            return;
        }
        let message = format!(
            "seed OCP version ({seed}) must be higher than current OCP version ({current})"
        );
        self.add(
            "version",
            "ClusterVersion/version",
            message,
            "take a seed image of a higher version",
        );
    }

    fn proxy(&mut self, info: &Info) {
        if !self.known("proxy", Some(paths::PROXY.to_owned())) {
            return;
        }
        let proxy = self
            .facts
            .object(paths::PROXY)
            .is_some_and(|o| !list(o, "/spec/set").is_empty());
        let message = match (info.has_proxy, proxy) {
            (true, false) => {
                format!("seed image has a proxy but the cluster being upgraded does not, {OTHER}")
            }
            (false, true) => format!(
                "seed image does not have a proxy but the cluster being upgraded does, {OTHER}"
            ),
            _ => return,
        };
        self.add(
            "proxy",
            "Proxy/cluster",
            message,
            "take a seed image of a cluster with the same kind of proxy configuration",
        );
    }

    fn fips(&mut self, info: &Info) {
        if !self.known("fips", self.facts.machine_config_path()) {
            return;
        }
        let Some(config) = self.facts.machine_config().map(CurrentConfig) else {
            return;
        };
        let message = match (info.has_fips, config.fips()) {
            (true, false) => format!(
                "seed image has FIPS enabled but the cluster being upgraded does not, {OTHER}"
            ),
            (false, true) => format!(
                "seed image does not have FIPS enabled but the cluster being upgraded does, {OTHER}"
            ),
            _ => return,
        };
        self.add(
            "fips",
            config.object(),
            message,
            "take a seed image of a cluster installed with the same fips setting",
        );
    }

    fn trust_bundle(&mut self, info: &Info) {
        const CURE: &str = "make the CA bundles of seed and target the same kind";
        let Some(bundle) = &info.trust_bundle else {
            return;
        };
        if self.known("trust-bundle", Some(paths::USER_CA.to_owned())) {
            let size = self
                .facts
                .object(paths::USER_CA)
                .and_then(|o| o.pointer("/sizes/ca-bundle.crt"));
            let own = size.and_then(serde_json::Value::as_u64).unwrap_or_default() > 0;
            let what = "an openshift-config/user-ca-bundle configmap";
            let message = match (bundle.has_user_ca_bundle, own) {
                (true, false) => Some(format!(
                    "seed image has {what} but the cluster being upgraded does not, {OTHER}"
                )),
                (false, true) => Some(format!(
                    "seed image does not have {what} but the cluster being upgraded does, {OTHER}"
                )),
                _ => None,
            };
            if let Some(message) = message {
                self.add(
                    "trust-bundle",
                    "ConfigMap/openshift-config/user-ca-bundle",
                    message,
                    CURE,
                );
            }
        }
        if self.facts.is_known(paths::PROXY) {
            let own = self
                .facts
                .object(paths::PROXY)
                .map_or("", |o| text(o, "/spec/trustedCA/name"));
            let seed = &bundle.proxy_configmap_name;
            if seed != own {
                let message = format!(
                    "seed image's Proxy trustedCA configmap name \"{seed}\" (oc get proxy -oyaml) mismatches cluster's name \"{own}\", {OTHER}"
                );
                self.add("trust-bundle", "Proxy/cluster", message, CURE);
            }
        }
    }

    fn storage(&mut self, info: &Info) {
        let seed = &info.container_storage_mountpoint_target;
        if seed.is_empty()
            || !self
                .facts
                .is_known(&self.facts.machine_config_path().unwrap_or_default())
        {
            // Unknown has its finding by `fips`.
            return;
        }
        let Some(config) = self.facts.machine_config().map(CurrentConfig) else {
            return;
        };
        let own = config.storage().unwrap_or_default();
        if own != seed {
            let message =
                format!("container storage mountpoint target mismatch: seed={seed}, cluster={own}");
            self.add(
                "container-storage",
                config.object(),
                message,
                "seed and target need the same partition label: reinstall one of them",
            );
        }
    }

    fn addresses(&mut self, info: &Info) {
        if !self.known("ip-family", Some(paths::NODES.to_owned())) {
            return;
        }
        let families = |addresses: &[&str]| {
            let v6 = |a: &&str| a.contains(':');
            (addresses.iter().any(|a| !v6(a)), addresses.iter().any(v6))
        };
        let name = |(v4, v6)| match (v4, v6) {
            (true, true) => "dual-stack",
            (_, true) => "IPv6",
            _ => "IPv4",
        };
        let Some(node) = self.facts.node() else {
            return;
        };
        let own: Vec<&str> = list(node, "/status/addresses")
            .iter()
            .filter(|a| text(a, "/type") == "InternalIP")
            .map(|a| text(a, "/address"))
            .collect();
        let (seed, target) = (families(&info.addresses()), families(&own));
        if seed != target {
            let message = format!("the seed is {}, the target {}", name(seed), name(target));
            self.add(
                "ip-family",
                format!("Node/{}", crate::seed::facts::name(node)),
                message,
                "take a seed image of a cluster with the same IP families",
            );
        }
    }

    fn topology(&mut self, architecture: &str) {
        if self.known("topology", Some(paths::INFRASTRUCTURE.to_owned())) {
            let own = self
                .facts
                .object(paths::INFRASTRUCTURE)
                .map_or("", |o| text(o, "/status/infrastructureTopology"));
            if own != "SingleReplica" {
                let message = format!("the target is `{own}`, not SingleReplica");
                self.add(
                    "topology",
                    "Infrastructure/cluster",
                    message,
                    "only Single Node OpenShift can take a seed image",
                );
            }
        }
        let Some(node) = self.facts.node() else {
            return;
        };
        let own = text(node, "/status/nodeInfo/architecture");
        if !own.is_empty() && !architecture.is_empty() && own != architecture {
            let message = format!("the image is for {architecture}, the target is {own}");
            self.add(
                "architecture",
                format!("Node/{}", crate::seed::facts::name(node)),
                message,
                "take a seed image of the target's architecture",
            );
        }
    }
}
