//! Which boot stage needs an image: the `ai` and `ocp` lists (`imageset.md` §4.4; telco-ran-tools `cmd/download.go`).
//!
//! Two upstream quirks are not copied: a component is what follows `<version>-<arch>-` (upstream counts dashes and so misreads
//! pre-release versions), and an `--ai-img` written with a tag matches the line of the digest it was pinned to.

use std::collections::BTreeSet;

use super::lock::Group;

/// Release components that the live ISO's assisted-installer stage pulls.
const AI_COMPONENTS: [&str; 14] = [
    "must-gather",
    "hyperkube",
    "cloud-credential-operator",
    "cluster-policy-controller",
    "pod",
    "cluster-config-operator",
    "cluster-etcd-operator",
    "cluster-kube-controller-manager-operator",
    "cluster-kube-scheduler-operator",
    "machine-config-operator",
    "etcd",
    "cluster-bootstrap",
    "cluster-ingress-operator",
    "cluster-kube-apiserver-operator",
];

/// Architectures as they stand in release tags.
const TAG_ARCHITECTURES: [&str; 7] = [
    "x86_64", "aarch64", "ppc64le", "s390x", "multi", "amd64", "arm64",
];

/// The groups of a line, sorted, at least one. `ai_images` holds the pull specs given with `--ai-img`, pinned.
pub(super) fn groups(source: &str, destination: &str, ai_images: &BTreeSet<String>) -> Vec<Group> {
    let (repository, tag) = destination.split_once(':').unwrap_or((destination, ""));
    if ai_images.contains(source)
        || repository.starts_with("multicluster-engine/assisted-installer")
    {
        // The reporter also runs as a job in the installed cluster.
        return if repository.contains("assisted-installer-reporter") {
            vec![Group::Ai, Group::Ocp]
        } else {
            vec![Group::Ai]
        };
    }
    match repository {
        "openshift/release-images" => vec![Group::Ai, Group::Ocp],
        "openshift/release" if AI_COMPONENTS.contains(&component(tag)) => {
            vec![Group::Ai, Group::Ocp]
        }
        _ => vec![Group::Ocp],
    }
}

/// `4.14.0-rc.1-x86_64` and `pod` of `4.14.0-rc.1-x86_64-pod`.
pub(super) fn release_tag(tag: &str) -> Option<(&str, &str)> {
    let between = |arch: &&str| {
        let at = tag.find(&format!("-{arch}-"))?;
        Some((at + 1 + arch.len(), at + arch.len() + 2))
    };
    let (release, component) = TAG_ARCHITECTURES.iter().filter_map(between).min()?;
    Some((tag.get(..release)?, tag.get(component..)?))
}

/// `pod` of `4.14.0-rc.1-x86_64-pod`; the whole tag when no architecture is in it.
fn component(tag: &str) -> &str {
    release_tag(tag).map_or(tag, |(_, component)| component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_order() {
        let ai: BTreeSet<String> = ["q.io/x/y@sha256:1".to_owned()].into();
        let both = vec![Group::Ai, Group::Ocp];
        let table = [
            ("q.io/x/y@sha256:1", "x/y:latest", vec![Group::Ai]),
            ("q", "x/y:latest", vec![Group::Ocp]),
            ("q", "openshift/release-images:4.13.1-x86_64", both.clone()),
            ("q", "openshift/release:4.13.1-x86_64-pod", both.clone()),
            (
                "q",
                "openshift/release:4.14.0-rc.1-x86_64-pod",
                both.clone(),
            ),
            ("q", "openshift/release:4.13.1-aarch64-etcd", both.clone()),
            (
                "q",
                "openshift/release:4.13.1-x86_64-multus-cni",
                vec![Group::Ocp],
            ),
            ("q", "openshift/release:latest", vec![Group::Ocp]),
            (
                "q",
                "multicluster-engine/assisted-installer-rhel8:1",
                vec![Group::Ai],
            ),
            (
                "q",
                "multicluster-engine/assisted-installer-reporter-rhel8:1",
                both,
            ),
        ];
        for (source, destination, expected) in table {
            assert_eq!(groups(source, destination, &ai), expected, "{destination}");
        }
    }
}
