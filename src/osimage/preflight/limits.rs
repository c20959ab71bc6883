//! What the operator does not do; the table in the head of this room's preflight says which of it in which release.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Rule, reads_pool};
use crate::objects::Finding;
use crate::objects::json::{list, name, text};
use crate::osimage::Era;
use crate::osimage::build::rollout::nodes_of;
use crate::osimage::containerfile::lint::{MAX_CONFIG_MAP, lint};
use crate::osimage::facts::{
    Facts, INFRASTRUCTURE, MIRRORS, NODES, OLD_MIRRORS, VERSION, pool_path, urls_path,
};
use crate::osimage::resources::OsImage;

fn reads_rendered(facts: &Facts, image: &OsImage) -> Vec<String> {
    let rendered = facts.rendered_path(image);
    [reads_pool(facts, image), rendered.into_iter().collect()].concat()
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "containerfile",
        requirement: "the Containerfile is one that builds",
        reads: |_, _| Vec::new(),
        check: |_, image, found| {
            let text = image.containerfile.as_deref().unwrap_or_default();
            found.extend(lint("Containerfile", text, image.era));
        },
    },
    Rule {
        id: "size",
        requirement: "the rendered MachineConfig, packed, fits into a ConfigMap",
        reads: reads_rendered,
        check: size,
    },
    Rule {
        id: "architecture",
        requirement: "all nodes have one architecture",
        reads: |_, _| vec![NODES.to_owned()],
        check: architecture,
    },
    Rule {
        id: "topology",
        requirement: "the control plane is the cluster's own",
        reads: |_, _| vec![INFRASTRUCTURE.to_owned()],
        check: topology,
    },
    Rule {
        id: "release",
        requirement: "no upgrade is going on, and 4.14 is 4.14",
        reads: |_, _| vec![VERSION.to_owned()],
        check: release,
    },
    Rule {
        id: "extensions",
        requirement: "in 4.14: no extensions, no other kernel",
        reads: reads_rendered,
        check: extensions,
    },
    Rule {
        id: "os-image-url",
        requirement: "in 4.14: no osImageURL of one's own",
        reads: |facts, image| [reads_rendered(facts, image), vec![urls_path()]].concat(),
        check: os_image_url,
    },
    Rule {
        id: "disconnected",
        requirement: "in 4.14: quay.io/buildah/stable:latest can be pulled",
        reads: |_, image| of_4_14(image, &[MIRRORS, OLD_MIRRORS]),
        check: disconnected,
    },
    Rule {
        id: "builder",
        requirement: "in 4.14: it is known who builds",
        reads: |_, _| vec![VERSION.to_owned()],
        check: builder,
    },
    Rule {
        id: "rollback",
        requirement: "in 4.14: there is no way back",
        reads: |facts, image| [reads_pool(facts, image), vec![NODES.to_owned()]].concat(),
        check: rollback,
    },
];

fn of_4_14(image: &OsImage, paths: &[&str]) -> Vec<String> {
    let paths = paths.iter().filter(|_| image.era == Era::V414);
    paths.map(|path| (*path).to_owned()).collect()
}

fn rendered<'a>(facts: &'a Facts, image: &OsImage) -> Option<&'a Value> {
    facts.object(&facts.rendered_path(image)?)
}

fn size(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let Some(config) = rendered(facts, image) else {
        return;
    };
    let bytes = config
        .get("packedBytes")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if bytes > MAX_CONFIG_MAP as u64 {
        let message = format!("packed it has {bytes} bytes, a ConfigMap takes {MAX_CONFIG_MAP}");
        let object = format!("MachineConfig {}", name(config));
        let cure = "move large files out of MachineConfigs, into the Containerfile for example";
        found.push(Finding::error("size", object, message, cure));
    }
}

fn architecture(facts: &Facts, _: &OsImage, found: &mut Vec<Finding>) {
    let all: BTreeSet<&str> = facts
        .items(NODES)
        .iter()
        .map(|n| text(n, "/architecture"))
        .collect();
    if all.len() > 1 {
        let all: Vec<_> = all.into_iter().collect();
        let message = format!(
            "the nodes are of {}: multi-arch is not supported",
            all.join(" and ")
        );
        let cure = "build on a cluster whose nodes have one architecture";
        found.push(Finding::error("architecture", "nodes", message, cure));
    }
}

fn topology(facts: &Facts, _: &OsImage, found: &mut Vec<Finding>) {
    let infrastructure = facts.object(INFRASTRUCTURE);
    let external =
        infrastructure.is_some_and(|i| text(i, "/status/controlPlaneTopology") == "External");
    if external {
        let message = "the control plane is elsewhere (HyperShift), which is not supported";
        let cure = "build on a cluster with a control plane of its own";
        found.push(Finding::error("topology", INFRASTRUCTURE, message, cure));
    }
}

fn release(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let Some(version) = facts.object(VERSION) else {
        return;
    };
    let desired = text(version, "/status/desired/version");
    if image.era == Era::V414 && !desired.starts_with("4.14.") {
        let message = format!(
            "the cluster is {desired}: the ConfigMaps of 4.14 were a developer preview of that release"
        );
        let cure = "leave --api 4.14 out where the cluster knows MachineOSConfig";
        found.push(Finding::error("release", VERSION, message, cure).warning());
    }
    let going_on = list(version, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Progressing" && text(c, "/status") == "True");
    if going_on {
        let message = format!(
            "an upgrade to {desired} is going on: it changes the base image under the build"
        );
        found.push(Finding::error("release", VERSION, message, "wait until it is over").warning());
    }
}

fn extensions(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let Some(config) = rendered(facts, image).filter(|_| image.era == Era::V414) else {
        return;
    };
    let object = format!("MachineConfig {}", name(config));
    let kernel = text(config, "/kernelType");
    let extensions = list(config, "/extensions").iter().filter_map(Value::as_str);
    let mut what: Vec<String> = extensions.map(|e| format!("the extension {e}")).collect();
    if !["", "default"].contains(&kernel) {
        what.push(format!("the kernel {kernel}"));
    }
    if !what.is_empty() {
        let message = format!(
            "it asks for {}, which needs the extensions container",
            what.join(" and ")
        );
        let cure =
            "take it out of the pool's MachineConfigs; install packages in the Containerfile";
        found.push(Finding::error("extensions", object, message, cure));
    }
}

fn os_image_url(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let config = rendered(facts, image).filter(|_| image.era == Era::V414);
    let (Some(config), Some(urls)) = (config, facts.object(&urls_path())) else {
        return;
    };
    let (own, base) = (
        text(config, "/osImageURL"),
        text(urls, "/data/baseOSContainerImage"),
    );
    if !own.is_empty() && own != base {
        let message = format!(
            "its osImageURL {own} is not the release's, and the build begins with the release's {base}"
        );
        let object = format!("MachineConfig {}", name(config));
        let cure = "take osImageURL out of the pool's MachineConfigs; what it adds belongs into the Containerfile";
        found.push(Finding::error("os-image-url", object, message, cure));
    }
}

fn disconnected(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    if image.era != Era::V414 {
        return;
    }
    let mirrors = [MIRRORS, OLD_MIRRORS]
        .into_iter()
        .find(|path| !facts.items(path).is_empty());
    if let Some(path) = mirrors {
        let message = "the cluster pulls from mirrors: if quay.io is out of reach, the build pod cannot pull quay.io/buildah/stable:latest, which is a tag and so is not mirrored by digest";
        let cure =
            "make that image reachable (an ImageTagMirrorSet), or build on a connected cluster";
        found.push(Finding::error("disconnected", path, message, cure).warning());
    }
}

fn builder(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let version = facts.object(VERSION).filter(|_| image.era == Era::V414);
    let Some(version) = version else { return };
    let enabled = list(version, "/status/capabilities/enabledCapabilities");
    if enabled.iter().any(|c| c == "Build") {
        let message = "the cluster has the Build capability, which the operator does not detect: a pod builds unless it is told to use Builds";
        let cure = "nothing is to be done; `osimage watch` follows either";
        let mut finding = Finding::error("builder", VERSION, message, cure);
        finding.severity = crate::objects::Severity::Note;
        found.push(finding);
    }
}

fn rollback(facts: &Facts, image: &OsImage, found: &mut Vec<Finding>) {
    let pool = facts
        .object(&pool_path(image))
        .filter(|_| image.era == Era::V414);
    let Some(pool) = pool else { return };
    let own = nodes_of(pool, facts.items(NODES));
    if !own.is_empty() {
        let names: Vec<_> = own.into_iter().map(name).collect();
        let message = format!(
            "a node that booted a built image cannot go back in 4.14: {}",
            names.join(", ")
        );
        let cure = "refine the Containerfile on a pool without nodes, and move nodes into it when it builds";
        let object = format!("MachineConfigPool {}", image.pool.name());
        found.push(Finding::error("rollback", object, message, cure).warning());
    }
}
