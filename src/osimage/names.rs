//! Where images are pushed and pulled, as strictly as the API server takes them.
//!
//! | value | the CRD's rule | what people trip over |
//! |---|---|---|
//! | push spec (`ImageTagFormat`) | `host.with.dot[:port][/namespace]*/name:tag`, or `service.namespace.svc:port/repository/name:tag` | a registry without a dot (`registry:5000`, `localhost:5000`), no tag |
//! | digested pull spec (`ImageDigestFormat`) | `host.with.dot[:port]/[namespace/]name@sha256:…` | more than one namespace, a tag before `@` |
//!
//! A push spec that has more than one namespace is taken, and the digested name that comes of it is not: the build's result would
//! be refused by its own status, so it is refused here.

use std::sync::LazyLock;

use regex::Regex;

use super::error::Error;
use super::{Era, NAMESPACE};
use crate::objects;
use crate::objects::names::{object_name, pull_spec};
use crate::oci::{Digest, Reference};

/// Characters of both kinds of spec.
const MAX_SPEC: usize = 447;
/// Characters of a tag; the build's is the pool's name, a hyphen and 32 digits.
const MAX_TAG: usize = 128;
const HASH: usize = 33;

/// The integrated registry, as pods and nodes know it.
pub const INTERNAL_REGISTRY: &str = "image-registry.openshift-image-registry.svc:5000";

/// The CRD's `ImageTagFormat`, both forms.
pub(crate) const TAG_FORMAT: [&str; 2] = [
    r"^([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(:[0-9]{2,5})?(/[a-zA-Z0-9_-]{1,61})*/[a-zA-Z0-9_.-]+:[a-zA-Z0-9._-]+$",
    r"^[^.]+\.[^.]+\.svc:\d+/[^/]+/[^/]+:[^/]+$",
];
/// The CRD's `ImageDigestFormat`, the part before `@`.
pub(crate) const NAME_FORMAT: &str =
    r"^([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(:[0-9]{2,5})?/([a-zA-Z0-9_-]{0,61}/)?[a-zA-Z0-9_.-]*?$";

static TAGGED: LazyLock<[Regex; 2]> =
    LazyLock::new(|| TAG_FORMAT.map(|p| Regex::new(p).expect("a constant pattern")));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(NAME_FORMAT).expect("a constant pattern"));

/// Where the image is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSpec(Reference);

impl PushSpec {
    /// Checks a push spec.
    ///
    /// # Errors
    /// It breaks a rule of the table above. In 4.14 there is no CRD, and any name that podman takes will do, with a tag or not.
    pub fn new(text: &str, era: Era) -> Result<Self, Error> {
        const FIELD: &str = "push-spec";
        let refuse = |reason: &str| Err(objects::Error::value(FIELD, text, reason).into());
        let reference = pull_spec(FIELD, text)?;
        if reference.digest().is_some() {
            return refuse("it has a digest, nothing can be pushed to one");
        }
        if era == Era::V414 {
            return Ok(Self(reference));
        }
        if reference.tag().is_none() {
            return refuse("it has no tag");
        }
        if text.len() > MAX_SPEC {
            return refuse("it has more than 447 characters");
        }
        if let Some(reason) = host_fault(reference.registry()) {
            return refuse(reason);
        }
        if !TAGGED.iter().any(|r| r.is_match(text)) {
            return refuse(
                "the API server takes host[:port][/namespace]/name:tag, where the host has a dot, namespaces have at most 61 of [a-zA-Z0-9-_], and the port has 2 to 5 digits",
            );
        }
        if reference.repository().split('/').count() > 2 {
            return refuse(
                "it has more than one namespace: the build would end with a digested name that the API server refuses (ImageDigestFormat)",
            );
        }
        Ok(Self(reference))
    }

    /// An `ImageStream` of the integrated registry, in the operator's namespace.
    ///
    /// # Errors
    /// It is no object name.
    pub fn image_stream(name: &str, era: Era) -> Result<Self, Error> {
        object_name("image-stream", name)?;
        Self::new(
            &format!("{INTERNAL_REGISTRY}/{NAMESPACE}/{name}:latest"),
            era,
        )
    }

    /// The reference.
    pub fn reference(&self) -> &Reference {
        &self.0
    }

    /// Whether it is in the integrated registry.
    pub fn is_internal(&self) -> bool {
        self.0.registry() == INTERNAL_REGISTRY
    }

    /// The same with the tag of a build.
    ///
    /// # Errors
    /// It is no tag.
    pub fn tagged(&self, tag: &str) -> Result<String, Error> {
        let tagged = self.0.with_tag(tag);
        let tagged = tagged.map_err(|e| objects::Error::reference("push-spec", &e))?;
        Ok(tagged.to_string())
    }
}

impl std::fmt::Display for PushSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn host_fault(registry: &str) -> Option<&'static str> {
    let host = registry.split(':').next().unwrap_or_default();
    (!host.contains('.'))
        .then_some("the API server takes no host without a dot, such as localhost or registry:5000")
}

/// A pull spec by digest, as `status.digestedImagePushSpec`, pinned images and pre-built images have it.
///
/// # Errors
/// It is none, or one that `ImageDigestFormat` refuses.
pub fn digested(field: &'static str, text: &str) -> Result<Reference, Error> {
    let refuse = |reason: &str| Err(objects::Error::value(field, text, reason).into());
    if text.is_empty() {
        return refuse("it is empty");
    }
    let Some((name, digest)) = text.split_once('@') else {
        return refuse("it has no digest: write name@sha256:…");
    };
    if digest.parse::<Digest>().is_err() || !digest.starts_with("sha256:") {
        return refuse("what follows `@` is not sha256: and 64 lower-case hexadecimal digits");
    }
    let reference = pull_spec(field, text)?;
    if reference.tag().is_some() {
        return refuse("the API server takes no tag before `@` (ImageDigestFormat)");
    }
    if let Some(reason) = host_fault(reference.registry()) {
        return refuse(reason);
    }
    if text.len() > MAX_SPEC {
        return refuse("it has more than 447 characters");
    }
    if !NAME.is_match(name) {
        return refuse(
            "the API server takes at most one namespace before the name (ImageDigestFormat)",
        );
    }
    Ok(reference)
}

/// The pool that an image is for. The `MachineOSConfig` has the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool(String);

impl Pool {
    /// Checks a name. On Single Node OpenShift there is but the pool `master`.
    ///
    /// # Errors
    /// It is no object name, one too long for the tag that the build gets, or not `master` where it must be.
    pub fn new(text: &str, single_node: bool) -> Result<Self, Error> {
        const FIELD: &str = "pool";
        object_name(FIELD, text)?;
        let refuse = |reason: String| Err(objects::Error::value(FIELD, text, reason).into());
        if text.len() + HASH > MAX_TAG {
            return refuse(format!(
                "the build's tag, the name and {HASH} characters, would be longer than {MAX_TAG}"
            ));
        }
        if single_node && text != "master" {
            return refuse(
                "on Single Node OpenShift only the pool `master` has the node".to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether every cluster has it.
    pub fn is_stock(&self) -> bool {
        matches!(self.0.as_str(), "master" | "worker")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_specs() {
        for good in [
            "quay.io/org/repo:latest",
            "registry.example.com:8443/a/b:t",
            "a-b.c.d/name:1.0",
            "image-registry.openshift-image-registry.svc:5000/openshift-machine-config-operator/os-image:latest",
        ] {
            assert_eq!(PushSpec::new(good, Era::V1).unwrap().to_string(), good);
        }
        for (bad, why) in [
            ("registry:5000/a/b:t", "dot"),
            ("localhost:5000/a/b:t", "dot"),
            ("quay.io/a/b", "no tag"),
            ("quay.io/a/b/c:t", "more than one namespace"),
            ("docker://quay.io/a/b:t", "scheme"),
            ("a/b:t", "no registry"),
            ("quay.io:8/a/b:t", "2 to 5 digits"),
            ("quay.io/a.b/c:t", "namespaces have"),
        ] {
            let error = PushSpec::new(bad, Era::V1).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let digest = format!("quay.io/a/b@sha256:{:064}", 1);
        assert!(
            PushSpec::new(&digest, Era::V1).is_err() && PushSpec::new(&digest, Era::V414).is_err()
        );
        assert!(PushSpec::new("registry:5000/a/b/c", Era::V414).is_ok());
        let stream = PushSpec::image_stream("os-image", Era::V1).unwrap();
        assert!(stream.is_internal());
        assert!(
            stream
                .tagged("worker-1")
                .unwrap()
                .ends_with("/os-image:worker-1")
        );
    }

    #[test]
    fn pools() {
        assert!(Pool::new("master", true).unwrap().is_stock());
        assert!(!Pool::new("layering", false).unwrap().is_stock());
        for (name, single) in [
            ("worker", true),
            ("", false),
            ("A", false),
            (&"a".repeat(96), false),
        ] {
            assert!(Pool::new(name, single).is_err(), "{name}");
        }
    }
}
