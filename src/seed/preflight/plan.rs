//! What lifecycle-agent deletes on the seed cluster before it images (`seed-image.md` section 3.4). It is not put back.

use crate::seed::facts::{Facts, list, name, paths, text};

/// One line for each kind of object that will be gone; empty when nothing is.
pub fn deletions(facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |kind: &str, names: Vec<&str>| match names.as_slice() {
        [] => {}
        [one] => lines.push(format!("{kind} {one}")),
        [first, .., last] => lines.push(format!("{} {kind}s, {first} to {last}", names.len())),
    };
    let crds = facts.items(paths::CRDS).iter().map(name);
    add(
        "CustomResourceDefinition",
        crds.filter(|n| n.ends_with(".open-cluster-management.io"))
            .collect(),
    );
    let namespaces = facts.items(paths::NAMESPACES).iter().map(name);
    let doomed =
        |n: &&str| n.starts_with("open-cluster-management-agent") || *n == "assisted-installer";
    add("Namespace", namespaces.filter(doomed).collect());
    let over = |phase: &str| {
        facts
            .items(paths::PODS)
            .iter()
            .filter(|p| text(p, "/status/phase") == phase)
            .map(name)
            .collect()
    };
    add("succeeded Pod", over("Succeeded"));
    add("failed Pod", over("Failed"));
    let used: Vec<_> = facts
        .items(paths::POOLS)
        .iter()
        .map(|p| text(p, "/spec/configuration/name"))
        .collect();
    let configs = facts.items(paths::CONFIGS).iter().map(name);
    add(
        "MachineConfig",
        configs
            .filter(|n| n.starts_with("rendered") && !used.contains(n))
            .collect(),
    );
    let upgrades = facts
        .items(paths::UPGRADES)
        .iter()
        .filter(|u| !list(u, "/status/conditions").is_empty())
        .map(name);
    add("ImageBasedUpgrade", upgrades.collect());
    lines
}
