//! The `MachineConfig` `50-master-dnsmasq-configuration`, and the same as a subsection of a ZTP site policy.
//!
//! Format: what `hack/generate-dnsmasq-site-policy-section.sh` of lifecycle-agent prints, byte for byte (`seed-image.md` section
//! 1); in the site policy the two blank lines of the unit are empty, as in the project's document, where the script leaves six
//! spaces. The three `SNO_*_OVERRIDE` variables are always there: a relocated node resolves its own names by them.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::names::{Cluster, Wave};
use super::yaml::indented;

const CONFIG_SCRIPT: &str = include_str!("../../templates/seed/dnsmasq_config.sh");
const DISPATCHER: &str = include_str!("../../templates/seed/forcedns");
const UNIT: &str = include_str!("../../templates/seed/dnsmasq.service");
const NETWORK_MANAGER: &str = "\n[main]\nrc-manager=unmanaged\n";
const SOURCE: &str = "source /etc/default/sno_dnsmasq_configuration_overrides\n";
/// What assisted-service 2.9.2 and later write instead of [`SOURCE`].
const GUARDED: &str = "if [ -f /etc/default/sno_dnsmasq_configuration_overrides ]; then\n    source /etc/default/sno_dnsmasq_configuration_overrides\nfi\n";

/// Path of the script that must be on a seed cluster.
pub const SCRIPT_PATH: &str = "/usr/local/bin/dnsmasq_config.sh";

/// What the configuration is for.
#[derive(Debug, Clone)]
pub struct Dnsmasq {
    /// Name and domain.
    pub cluster: Cluster,
    /// The node's address.
    pub ip: IpAddr,
    /// The wave annotation.
    pub wave: Option<Wave>,
    /// Read the overrides file only where it exists; the field's script reads it always and complains on the seed.
    pub guarded: bool,
}

impl Dnsmasq {
    /// The `MachineConfig`.
    pub fn machine_config(&self) -> String {
        format!(
            "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\n{}",
            self.body()
        )
    }

    /// The subsection of a site policy, indented by four.
    pub fn site_policy(&self) -> String {
        let header = "    # Override 50-master-dnsmasq-configuration\n    - fileName: MachineConfigGeneric.yaml\n      policyName: \"config-policy\"\n      complianceType: mustonlyhave # This is to update array entry as opposed to appending a new entry.\n";
        format!("{header}{}", indented(&self.body(), "      "))
    }

    /// From `metadata:` on.
    fn body(&self) -> String {
        let wave = self.wave.map_or_else(String::new, |wave| {
            format!("  annotations:\n    ran.openshift.io/ztp-deploy-wave: \"{wave}\"\n")
        });
        let files = [
            (self.filled(CONFIG_SCRIPT), 0o555, SCRIPT_PATH),
            (
                self.filled(DISPATCHER),
                0o555,
                "/etc/NetworkManager/dispatcher.d/forcedns",
            ),
            (
                NETWORK_MANAGER.to_owned(),
                0o644,
                "/etc/NetworkManager/conf.d/single-node.conf",
            ),
        ];
        let files: String = files.iter().map(file).collect();
        let unit = indented(UNIT, "            ");
        format!(
            "metadata:\n  labels:\n    machineconfiguration.openshift.io/role: master\n  name: 50-master-dnsmasq-configuration\n{wave}spec:\n  config:\n    ignition:\n      version: 3.1.0\n    storage:\n      files:\n{files}    systemd:\n      units:\n        - name: dnsmasq.service\n          enabled: true\n          contents: |\n{unit}"
        )
    }

    fn filled(&self, script: &str) -> String {
        let script = script
            .replace("{IP}", &self.ip.to_string())
            .replace("{NAME}", self.cluster.name())
            .replace("{DOMAIN}", self.cluster.domain());
        if self.guarded {
            script.replace(SOURCE, GUARDED)
        } else {
            script
        }
    }
}

fn file((contents, mode, path): &(String, u32, &str)) -> String {
    let encoded = BASE64.encode(contents);
    format!(
        "        - contents:\n            source: data:text/plain;charset=utf-8;base64,{encoded}\n          mode: {mode}\n          path: {path}\n          overwrite: true\n"
    )
}
