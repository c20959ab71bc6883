//! What to do about lifecycle-agent's failure texts (`seed-image.md` section 2.3).

/// By how a text begins; the first that fits counts.
const ADVICE: [(&str, &str); 11] = [
    (
        "Rejected",
        "`snoforge seed preflight` names the object and the cure of every such rule at once",
    ),
    (
        "Failure occurred during check",
        "look at the API server and the operator's rights; `snoforge seed preflight` reads the same lists",
    ),
    (
        "failed to wipe previous workspace",
        "look at what holds the files that the message names, on the node",
    ),
    (
        "failed to pull recert image",
        "the node pulls it with the cluster's own pull secret: let that reach the image, or name another one with --recert-image",
    ),
    (
        "could not access secret",
        "somebody deleted the Secret while it was needed: run `snoforge seed create` again",
    ),
    (
        "could not find seedAuth",
        "somebody changed the Secret while it was needed: run `snoforge seed create` again",
    ),
    (
        "could not access pull-secret",
        "Secret openshift-config/pull-secret is not there: `snoforge seed restore-pull-secret` puts the backup back",
    ),
    (
        "failed to cleanup resources: timed out waiting for ACM",
        "look for finalizers on what is left of ACM, and detach the cluster on its hub first",
    ),
    (
        "failed sanitizing cluster's pull-secret",
        "look at the MachineConfigPools, and put the pull secret back: `snoforge seed restore-pull-secret`",
    ),
    (
        "imager ",
        "`podman logs lca_image_builder` on the node tells why; the image may have been pushed all the same: `snoforge seed verify`",
    ),
    (
        "failed to run imager",
        "`podman logs lca_image_builder` on the node tells why",
    ),
];

/// What to do about a failure's reason.
pub fn advice(reason: &str) -> &'static str {
    let found = ADVICE.iter().find(|(begin, _)| reason.starts_with(begin));
    found.map_or(
        "the log of the operator's pod, deployment lifecycle-agent-controller-manager, tells more; then run `snoforge seed create` again",
        |(_, advice)| advice,
    )
}
