//! The built OS image for a first boot without network: which names can work, the install-time manifests, and what follows from them.
//!
//! ```text
//! REF@sha256:… ─ OsImage ─┬ on the data disk under exactly this name (the caller's work)
//!                         └ Method (of the release) ─ Install::manifests ─▶ openshift/99_….yaml ─▶ openshift-install
//! ```
//! How the pivot works (`appliance-osimage.md` sections 3c and 3d; machine-config-operator `pkg/daemon/podman.go`): the daemon asks
//! `podman images --filter reference=<osImageURL>` and takes the entry of `RepoDigests` that *equals* its osImageURL; storage knows an
//! image as `host/path@digest`, so that only a name of this form, without a tag, is ever found.
//!
//! Pure: no files, no network, no inventory.

mod manifests;
mod reference;
mod traps;

#[cfg(test)]
mod tests;

pub use manifests::{Install, Manifest, Push};
pub use reference::OsImage;
pub use traps::{Built, Seen, Target, traps};

use super::Error;
use crate::objects;

/// How a release is told at installation which OS image a pool boots.
#[derive(Debug, Clone)]
pub enum Method {
    /// `MachineOSConfig` with the annotation `machineconfiguration.openshift.io/pre-built-image`: the image counts as the first build,
    /// later ones are pushed so.
    Annotation(Push),
    /// A plain `MachineConfig` with `spec.osImageURL`.
    OsImageUrl,
}

/// The first release whose bootstrap reads the annotation (machine-config-operator d8f814b71, November 2025).
const ANNOTATION_SINCE: (u32, u32) = (4, 21);

/// The first release that boots container images named by `osImageURL` as a supported way.
const LAYERED_SINCE: (u32, u32) = (4, 13);

/// Whether the bootstrap of a release, `X.Y.Z`, reads the annotation.
///
/// # Errors
/// No version, or a release that boots no OS image of one's own.
pub fn reads_annotation(version: &str) -> Result<bool, Error> {
    let refused = |reason: String| objects::Error::value("release", version, reason);
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return Err(refused("it is no version X.Y.Z".to_owned()).into());
    };
    if (major, minor) < LAYERED_SINCE {
        let (major, minor) = LAYERED_SINCE;
        let reason = format!("nodes boot OS images of your own from {major}.{minor} on");
        return Err(refused(reason).into());
    }
    Ok((major, minor) >= ANNOTATION_SINCE)
}

impl Method {
    /// As the flag says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Annotation(_) => "annotation",
            Self::OsImageUrl => "os-image-url",
        }
    }
}
