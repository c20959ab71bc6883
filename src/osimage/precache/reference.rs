//! The name of an OS image, as machine-config-operator takes it.
//!
//! Three judges, each stricter than the one before: the bootstrap's own check (`ValidatePreBuiltImage`), what the daemon finds in
//! storage again (no tag, nothing left out), and `ImageDigestFormat` of the API (CEL of `MachineOSConfig.status.currentImagePullSpec`
//! and of `PinnedImageSet`), which only counts where such an object is made.

use std::fmt;

use super::super::{Error, names};
use crate::objects;
use crate::oci::Reference;

/// `host/path@sha256:<64 lower-case hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImage {
    reference: Reference,
}

impl OsImage {
    /// Checks a name for a flag.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Error> {
        let checked = check(text).map_err(|reason| objects::Error::value(field, text, reason))?;
        Ok(Self { reference: checked })
    }

    /// The pull spec.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Why the API would refuse this name; `None` when it takes it.
    pub fn api_fault(&self) -> Option<String> {
        match names::digested("image", &self.to_string()) {
            Ok(_) => None,
            Err(Error::Object(objects::Error::Value { reason, .. })) => Some(reason),
            Err(other) => Some(other.to_string()),
        }
    }
}

impl fmt::Display for OsImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

fn check(text: &str) -> Result<Reference, String> {
    if text.is_empty() {
        return Err("it cannot be empty".to_owned());
    }
    let Some((name, digest)) = text.split_once('@') else {
        let advice = "(`skopeo inspect` prints it)";
        return Err(format!("it must be pinned: name@sha256:<digest> {advice}"));
    };
    if !digest.starts_with("sha256:") {
        return Err("only sha256 digests are supported".to_owned());
    }
    let reference: Reference = text.parse().map_err(|_| {
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() == 64 && hex.bytes().all(lower) {
            format!("`{name}` is no image name")
        } else {
            "a digest is `sha256:` and 64 lower-case hex digits".to_owned()
        }
    })?;
    if reference.tag().is_some() {
        return Err(
            "no tag may stand before `@`: storage drops it, and the daemon does not find the name again"
                .to_owned(),
        );
    }
    let full = reference.to_string();
    if full != text {
        return Err(format!("storage knows it as {full}; write that"));
    }
    Ok(reference)
}
