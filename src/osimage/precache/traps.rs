//! What somebody should know before the choice is made: what the chosen way leads to, and what in the image or beside it does not fit.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::NAMESPACE;
use super::manifests::ANNOTATION;
use super::{Install, Method, Push, reads_annotation};
use crate::objects::Finding;

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Built {
    /// `GOARCH`.
    pub architecture: Option<String>,
    /// It has a label of a bootable OS image.
    pub bootable: bool,
    /// The pool that it was built for.
    pub pool: Option<String>,
    /// Pull spec of the OS image that it was built on.
    pub base: Option<String>,
}

impl Built {
    /// Reads an image configuration. The labels are those of ostree and bootc, and of the operator's Containerfile.
    pub fn read(config: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let labels = config.get("config").and_then(|c| c.get("Labels"));
        let label = |name: &str| text(labels.and_then(|labels| labels.get(name)));
        Self {
            architecture: text(config.get("architecture")),
            bootable: label("ostree.bootable").is_some() || label("containers.bootc").is_some(),
            pool: label("machineconfigpool"),
            base: label("baseOSContainerImage"),
        }
    }
}

/// What an installation directory holds beside the manifests that are made here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// `MachineOSConfig`s without the annotation.
    unannotated: BTreeSet<String>,
    /// `MachineOSConfig`s with it: name and image.
    annotated: BTreeSet<(String, String)>,
    /// `MachineConfig`s with an `osImageURL`: name, role, image.
    images: BTreeSet<(String, String, String)>,
    /// Secrets in the operator's namespace.
    secrets: BTreeSet<String>,
}

impl Seen {
    /// Adds the objects of a file.
    pub fn add(&mut self, object: &Value) {
        let text = |pointer: &str| {
            let found = object.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let name = text("/metadata/name");
        match text("/kind").as_str() {
            "MachineOSConfig" => {
                let key = ANNOTATION.replace('/', "~1");
                match text(&format!("/metadata/annotations/{key}")) {
                    image if image.is_empty() => self.unannotated.insert(name),
                    image => self.annotated.insert((name, image)),
                };
            }
            "MachineConfig" => {
                let role = text("/metadata/labels/machineconfiguration.openshift.io~1role");
                let image = text("/spec/osImageURL");
                if !image.is_empty() {
                    self.images.insert((name, role, image));
                }
            }
            "Secret" if text("/metadata/namespace") == NAMESPACE => {
                self.secrets.insert(name);
            }
            _ => {}
        }
    }
}

/// The release that is installed, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// `X.Y.Z`.
    pub version: Option<&'a str>,
    /// `GOARCH`.
    pub architecture: &'a str,
    /// Its own OS images; empty when they are not known.
    pub bases: &'a [String],
}

/// Everything that should be known, in a fixed order: what the method leads to, the other manifests, the image.
pub fn traps(
    install: &Install<'_>,
    target: Target<'_>,
    built: &Built,
    seen: &Seen,
) -> Vec<Finding> {
    let mut traps = match install.method {
        Method::Annotation(push) => annotation(install.pool, push, target, seen),
        Method::OsImageUrl => os_image_url(install),
    };
    traps.extend(beside(install, seen));
    traps.extend(image(install, target, built));
    traps
}

fn trap(
    rule: &'static str,
    object: impl Into<String>,
    message: impl Into<String>,
    cure: impl Into<String>,
) -> Finding {
    Finding::error(rule, object, message, cure).warning()
}

fn annotation(pool: &str, push: &Push, target: Target<'_>, seen: &Seen) -> Vec<Finding> {
    let object = format!("MachineConfig 10-prebuiltimage-osimageurl-{pool}");
    let mut traps = vec![trap(
        "frozen-base",
        object,
        "bootstrap writes it once and nothing changes it again: later builds of the pool start from this image, so that an upgrade of OpenShift keeps the old base",
        format!(
            "at each upgrade give pool {pool} a MachineConfig whose spec.osImageURL is an image built on the new release's base"
        ),
    )];
    let there = &push.secret;
    if push.login.is_none() && !seen.secrets.contains(there) {
        traps.push(trap(
            "push-secret",
            format!("Secret {NAMESPACE}/{there}"),
            "the image is not taken over as the pool's first build unless it is there",
            format!("--push-authfile FILE writes it; or, once the API answers: oc create secret docker-registry {there} -n {NAMESPACE} --from-file=.dockerconfigjson=FILE"),
        ));
    }
    let early = |v: &str| !reads_annotation(v).unwrap_or(false);
    if let Some(version) = target.version.filter(|v| early(v)) {
        traps.push(trap(
            "annotation-unknown",
            format!("release {version}"),
            "it is not known to read the annotation: the node boots the release's own OS, and the cluster starts a build",
            "leave --prebuilt out, or use os-image-url",
        ));
    }
    traps
}

fn os_image_url(install: &Install<'_>) -> Vec<Finding> {
    let (pool, name) = (install.pool, install.machine_config_name());
    let mut traps = vec![trap(
        "frozen-os",
        format!("MachineConfig {name}"),
        format!(
            "it decides the OS of pool {pool} for good: an upgrade of OpenShift upgrades everything but the OS"
        ),
        "at each upgrade set its spec.osImageURL to an image built on the new release's base, or delete it",
    )];
    if let Some(fault) = install.image.api_fault() {
        traps.push(trap(
            "name-refused",
            install.image.to_string(),
            format!("no PinnedImageSet and no MachineOSConfig can ever name it: {fault}"),
            "push the image under a name that the API takes, if you mean to use these later",
        ));
    }
    traps
}

/// What the other manifests of the installation do to these.
fn beside(install: &Install<'_>, seen: &Seen) -> Vec<Finding> {
    let bare = seen.unannotated.iter().map(|name| {
        trap(
            "unannotated",
            format!("MachineOSConfig {name}"),
            format!(
                "bootstrap fails: it is in this installation and lacks the annotation {ANNOTATION}"
            ),
            "apply it after the installation, or give it the annotation",
        )
    });
    let configs = seen.images.iter();
    let configs = configs.filter(|(_, role, _)| role == install.pool);
    let configs = configs.map(|(name, _, image)| (format!("MachineConfig {name}"), image));
    let builds = seen.annotated.iter();
    let builds = builds.filter(|(name, _)| name == install.pool);
    let builds = builds.map(|(name, image)| (format!("MachineOSConfig {name}"), image));
    let others = configs.chain(builds).map(|(object, image)| {
        trap(
            "other-os-image",
            object,
            format!("it is in this installation and names an OS image as well, {image}: their names' order decides which one the node boots"),
            "take it out",
        )
    });
    bare.chain(others).collect()
}

/// What the image says of itself that does not fit.
fn image(install: &Install<'_>, target: Target<'_>, built: &Built) -> Vec<Finding> {
    let mut traps = Vec::new();
    let mut odd = |rule, message: String, cure: String| {
        traps.push(trap(rule, install.image.to_string(), message, cure));
    };
    if !built.bootable {
        odd(
            "not-bootable",
            "it has neither of the labels ostree.bootable and containers.bootc: is it an OS image?"
                .to_owned(),
            "name the image that the build pushed (MachineOSBuild status.digestedImagePushSpec)"
                .to_owned(),
        );
    }
    let architecture = target.architecture;
    let other = |found: &&String| *found != architecture;
    if let Some(found) = built.architecture.as_ref().filter(other) {
        odd(
            "architecture",
            format!("it is for {found}, the node is {architecture}"),
            "name an image for the node's architecture, or give the node's with --arch".to_owned(),
        );
    }
    let pool = install.pool;
    if let Some(found) = built.pool.as_ref().filter(|found| *found != pool) {
        odd(
            "pool",
            format!("it was built for pool {found}, not for {pool}"),
            format!("build one for pool {pool}"),
        );
    }
    // By digest: a mirror has another name.
    let digest = |reference: &str| reference.split_once('@').map(|(_, d)| d.to_owned());
    let is = |base: &&String| target.bases.iter().any(|b| digest(b) == digest(base));
    if let (Some(base), Some(release)) = (built.base.as_ref(), target.bases.first())
        && !is(&base)
    {
        let version = target.version.unwrap_or("the release");
        odd(
            "base",
            format!("it was built on {base}, the OS of {version} is {release}"),
            format!("build it on a cluster of {version}"),
        );
    }
    traps
}
