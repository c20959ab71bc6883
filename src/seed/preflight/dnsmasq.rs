//! The dnsmasq script on the node: lifecycle-agent looks only whether there is one; a script without the overrides, or for another
//! cluster, gives an image whose targets cannot resolve their own names (`seed-image.md` sections 1.4 and 3.5).

use super::Purpose;
use super::machine_config::CurrentConfig;
use crate::seed::dnsmasq::SCRIPT_PATH;
use crate::seed::facts::{Facts, list, paths, text};
use crate::seed::finding::Finding;

pub(super) fn check(facts: &Facts, _: Purpose, found: &mut Vec<Finding>) {
    let Some(config) = facts.machine_config().map(CurrentConfig) else {
        return;
    };
    let cure = "apply the output of `snoforge seed manifests dnsmasq --mc` with this cluster's name, domain and address";
    let mut add = |message: String| {
        found.push(Finding::error(
            "dnsmasq",
            format!("{} file {SCRIPT_PATH}", config.object()),
            message,
            cure,
        ));
    };
    let script = match config.file(SCRIPT_PATH) {
        None => {
            return add(
                "Rejected due to system missing dnsmasq config required for IBU".to_owned(),
            );
        }
        Some(Err(reason)) => return add(format!("it cannot be decoded: {reason}")),
        Some(Ok(script)) => script,
    };
    let installed = facts.object(paths::INSTALL_CONFIG);
    let install = |key: &str| installed.map_or("", |o| text(o, key));
    let ips: Vec<&str> = facts
        .node()
        .map_or(&[][..], |node| list(node, "/status/addresses"))
        .iter()
        .filter(|a| text(a, "/type") == "InternalIP")
        .map(|a| text(a, "/address"))
        .collect();
    for (variable, expected) in [
        ("SNO_CLUSTER_NAME_OVERRIDE", vec![install("/clusterName")]),
        ("SNO_BASE_DOMAIN_OVERRIDE", vec![install("/baseDomain")]),
        ("SNO_DNSMASQ_IP_OVERRIDE", ips),
    ] {
        let Some(default) = default_of(&script, variable) else {
            add(format!(
                "it does not read {variable}: a relocated node cannot resolve its own names"
            ));
            return;
        };
        if !expected.contains(&default) {
            let own = match expected.join(", ") {
                own if own.is_empty() => "none (install config or node do not tell)".to_owned(),
                own => own,
            };
            add(format!(
                "the default of {variable} is `{default}`, the cluster has {own}"
            ));
            return;
        }
    }
}

/// The default in `${VARIABLE:-"default"}`.
fn default_of<'a>(script: &'a str, variable: &str) -> Option<&'a str> {
    let lines = script
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'));
    lines.into_iter().find_map(|line| {
        let (_, rest) = line.split_once(&format!("${{{variable}:-"))?;
        Some(rest.split_once('}')?.0.trim_matches('"'))
    })
}
