//! The release that is installed, and its machine-config-operator image: in the data directory, else from its payload.

use super::Precache;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::imageset::resolve::{signature_check, signature_text};
use crate::inventory::architecture::{goarch, machine};
use crate::inventory::lock::{Inventory, Signature};
use crate::inventory::{Payload, Services, read_release, release_image, tags};
use crate::objects::Finding;
use crate::oci::{ImageSource, Reference};
use crate::osimage::precache::{OsImage, Target};

/// Name of the component in a payload.
const OPERATOR: &str = "machine-config-operator";

/// What is known of the release.
#[derive(Debug)]
pub(super) struct Release {
    /// `X.Y.Z`.
    pub(super) version: Option<String>,
    /// `GOARCH` of the node.
    pub(super) architecture: String,
    /// The operator's image by digest.
    pub(super) operator: Reference,
    /// The one of the payload, where another was named.
    other: Option<Reference>,
    /// The payload's own OS images.
    bases: Vec<String>,
}

impl Release {
    /// For the traps.
    pub(super) fn target(&self) -> Target<'_> {
        Target {
            version: self.version.as_deref(),
            architecture: &self.architecture,
            bases: &self.bases,
        }
    }

    /// What does not fit.
    pub(super) fn findings(&self) -> Option<Finding> {
        let other = self.other.as_ref()?;
        Some(Finding {
            severity: crate::objects::Severity::Warning,
            rule: "operator",
            object: self.operator.to_string(),
            message: format!("the release's own is {other}, and that is what the first boot pulls"),
            cure: "leave --mco-image out".to_owned(),
        })
    }

    /// Of the operator's image in the mapping: as the release's own lines have it.
    pub(super) fn destination(&self) -> String {
        let architecture = machine(&self.architecture);
        match &self.version {
            Some(version) => format!("openshift/release:{version}-{architecture}-{OPERATOR}"),
            None => tags::additional_destination(&self.operator),
        }
    }
}

impl Precache {
    pub(super) async fn release(
        &self,
        context: &Context,
        old: &Inventory,
        source: &dyn ImageSource,
    ) -> Result<Release, Failure> {
        let named = self.mco_image.as_deref();
        let named = named.map(|text| OsImage::parse("mco-image", text));
        let named = named.transpose()?.map(|image| image.reference().clone());
        let payload = match self.on_disk(old)? {
            Some(payload) => Some(payload),
            None if named.is_none() || self.release_image.is_some() => {
                Some(self.fetched(context, source).await?)
            }
            None => None,
        };
        let own = payload.as_ref().map(operator).transpose()?;
        let Some(operator) = named.or_else(|| own.clone()) else {
            return Err(unknown());
        };
        let of_payload = payload.as_ref().map(|p| p.architecture.as_str());
        let components = payload.iter().flat_map(|p| &p.components);
        let is_os = |name: &str| name.contains("coreos") && !name.contains("extensions");
        let bases = components.filter(|(name, _)| is_os(name));
        Ok(Release {
            architecture: match (&self.arch, of_payload) {
                (Some(asked), _) => asked.clone(),
                (None, found) => goarch(found.unwrap_or("x86_64")).to_owned(),
            },
            bases: bases.map(|(_, image)| image.to_string()).collect(),
            version: self
                .release
                .clone()
                .or_else(|| payload.as_ref().map(|p| p.version.clone())),
            other: own.filter(|own| *own != operator),
            operator,
        })
    }

    /// The release of the data directory that the flags mean.
    fn on_disk(&self, old: &Inventory) -> Result<Option<Payload>, Failure> {
        let arch = self.arch.as_deref();
        let meant = |payload: &Payload| {
            let version = self.release.as_ref().is_none_or(|v| *v == payload.version);
            let multi = payload.architecture == "multi";
            version && (multi || arch.is_none_or(|a| a == goarch(&payload.architecture)))
        };
        if self.release_image.is_some() {
            return Ok(None);
        }
        let mut found = old.payloads();
        found.retain(meant);
        if found.len() > 1 {
            let names = found
                .iter()
                .map(|p| format!("{} {}", p.version, p.architecture));
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("{} has several releases: {names}", self.folder.display());
            let failure = Failure::new(Exit::Usage, message);
            return Err(failure.hint("name the one that is installed with -r and --arch"));
        }
        Ok(found.pop())
    }

    /// The payload from its registry, with its signature.
    async fn fetched(
        &self,
        context: &Context,
        source: &dyn ImageSource,
    ) -> Result<Payload, Failure> {
        let arch = self.arch.as_deref().unwrap_or("amd64");
        let image = match (&self.release_image, &self.release) {
            (Some(image), _) => image.clone(),
            (None, Some(version)) => release_image(version, arch)?,
            (None, None) => return Err(unknown()),
        };
        let documents = self.registry.web()?;
        let services = Services {
            source,
            documents: &documents,
            reporter: context.reporter.as_ref(),
        };
        let check = signature_check(self.ignore_release_signature)?;
        let (payload, signature) = read_release(&image, &check, services).await?;
        if let Some(asked) = self.release.as_ref().filter(|v| **v != payload.version) {
            let message = format!(
                "release {asked} was asked for, {image} is {}",
                payload.version
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        let (version, architecture) = (&payload.version, &payload.architecture);
        let line = format!(
            "release {version} {architecture}: {}",
            signature_text(&signature)
        );
        match signature {
            Signature::Unavailable { .. } => context.warn(&line),
            _ => context.say(&line),
        }
        Ok(payload)
    }
}

fn operator(payload: &Payload) -> Result<Reference, Failure> {
    let mut components = payload.components.iter();
    let found = components.find(|(name, _)| name == OPERATOR);
    found.map(|(_, image)| image.clone()).ok_or_else(|| {
        let message = format!(
            "release {} has no component {OPERATOR} here",
            payload.version
        );
        Failure::new(Exit::Usage, message).hint(
            "an operator filter or blockedImages may have left it out; name it with --mco-image",
        )
    })
}

fn unknown() -> Failure {
    let failure = Failure::new(
        Exit::Usage,
        "the machine-config-operator image is not known: the data directory holds no release",
    );
    failure.hint("name the release with -r X.Y.Z, its payload with --release-image, or the image with --mco-image")
}
