//! Push and pull, tried from here: the upload session that a push begins with, and the manifests that a build pulls.
//!
//! The credentials are the user's (`--authfile`), the ones that the Secrets are made of: what is in the cluster's Secrets stays
//! there. A registry that cannot be reached from here says nothing of the cluster, and is a warning.

use crate::cli::exit::Failure;
use crate::cli::global::RegistryFlags;
use crate::objects::Finding;
use crate::objects::json::text;
use crate::oci::{ImageSource as _, Reference, SourceError, SourceErrorKind};
use crate::osimage::containerfile;
use crate::osimage::facts::{Facts, urls_path};
use crate::osimage::resources::OsImage;

/// What the registries refuse. The integrated registry is inside the cluster, and not asked.
///
/// # Errors
/// The registry flags cannot be used.
pub(super) async fn trial(
    flags: &RegistryFlags,
    image: &OsImage,
    facts: &Facts,
) -> Result<Vec<Finding>, Failure> {
    let client = flags.client()?;
    let mut found = Vec::new();
    if !image.push.is_internal()
        && let Err(error) = client.try_push(image.push.reference()).await
    {
        found.push(finding("push", &image.push.to_string(), &error));
    }
    let base = facts
        .object(&urls_path())
        .map(|urls| text(urls, "/data/baseOSContainerImage"));
    let file = image.containerfile.as_deref().unwrap_or_default();
    let pulled = containerfile::images(file)
        .into_iter()
        .chain(base.map(str::to_owned));
    for name in pulled {
        let Ok(reference) = name.parse::<Reference>() else {
            continue;
        };
        if let Err(error) = client.manifest(&reference).await {
            found.push(finding("pull", &name, &error));
        }
    }
    Ok(found)
}

fn finding(rule: &'static str, image: &str, error: &SourceError) -> Finding {
    let cure = error.hint.clone().unwrap_or_else(|| {
        "give the credentials of the Secret with --authfile, or --no-trial when they are right"
            .to_owned()
    });
    let finding = Finding::error(rule, image, error.to_string(), cure);
    match error.kind {
        SourceErrorKind::Unauthorized | SourceErrorKind::NotFound => finding,
        _ => finding.warning(),
    }
}
