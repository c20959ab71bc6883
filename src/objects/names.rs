//! Names of Kubernetes objects, and pull specs that go into them.
//!
//! A DNS name has no `"`, `$`, backslash, backquote or newline, so nothing needs quoting in a manifest or a script.

use super::error::Error;
use crate::oci::Reference;

const MAX_LABEL: usize = 63;
/// Characters of a DNS-1123 subdomain.
pub(crate) const MAX_NAME: usize = 253;

/// A DNS-1123 label in the field of that name.
///
/// # Errors
/// It is none.
pub fn dns_label(field: &'static str, text: &str) -> Result<(), Error> {
    dns_label_fault(text).map_or(Ok(()), |why| Err(Error::value(field, text, why)))
}

/// A DNS-1123 subdomain, which the names of most Kubernetes objects are.
///
/// # Errors
/// It is none.
pub fn object_name(field: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > MAX_NAME {
        return Err(Error::value(
            field,
            text,
            format!("it has more than {MAX_NAME} characters"),
        ));
    }
    let fault = text.split('.').find_map(dns_label_fault);
    fault.map_or(Ok(()), |why| Err(Error::value(field, text, why)))
}

/// Why a text is no DNS-1123 label.
pub(crate) fn dns_label_fault(label: &str) -> Option<String> {
    let wrong = label
        .chars()
        .find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-');
    if label.is_empty() {
        return Some("a DNS label is empty".to_owned());
    }
    if let Some(c) = wrong {
        return Some(format!("{c:?} cannot stand in a DNS label"));
    }
    if label.len() > MAX_LABEL {
        return Some(format!("a DNS label has more than {MAX_LABEL} characters"));
    }
    (label.starts_with('-') || label.ends_with('-'))
        .then(|| "a DNS label begins or ends with a hyphen".to_owned())
}

/// A pull spec that names its registry.
///
/// # Errors
/// A scheme, no registry, or no reference at all.
pub fn pull_spec(field: &'static str, text: &str) -> Result<Reference, Error> {
    if let Some((scheme, _)) = text.split_once("://") {
        let reason = format!("it begins with the scheme `{scheme}://`");
        return Err(Error::value(field, text, reason));
    }
    let reference: Reference = text.parse().map_err(|e| Error::reference(field, &e))?;
    // Short names are docker.io's to the parser, and whatever the node's registries.conf says to podman there.
    if !text.starts_with(&format!("{}/", reference.registry())) {
        return Err(Error::value(field, text, "it names no registry"));
    }
    Ok(reference)
}
