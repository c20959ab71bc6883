//! `ImageSetConfiguration`, `mirror.openshift.io/v1alpha2` and `v2alpha1`, whole schema, strict (`imageset.md` section 1).
//!
//! [`parse`] reads one file. Its `apiVersion` chooses the schema and the rules: v1alpha2 as oc-mirror v1 reads it (of two equal
//! keys the last wins, versions are not looked at), v2alpha1 as oc-mirror v2 does (equal keys and bad versions are errors).
//! Messages are upstream's, the places are ours, and all findings are reported at once. Whatever upstream accepts although it
//! cannot be meant is a warning. What upstream refuses only later is in [`selection_errors`].
//!
//! Parsed and not used: `archiveSize`, `storageConfig`, `samples`, `originalRef`, `targetCatalogSourceTemplate`. Helm charts are
//! named in [`ImageSet::helm_charts`] and warned about: their images are not computed.

mod check;
mod schema;
mod unique;

pub use super::finding::Finding;
pub use check::selection_errors;

use super::fields::{Fields, Sink};
use super::finding::nearest;
use super::model::{ApiVersion, At, ImageSet};
use super::yaml::{self, Document, Node, Value};

const KIND: &str = "ImageSetConfiguration";
const V1: &str = "mirror.openshift.io/v1alpha2";
const V2: &str = "mirror.openshift.io/v2alpha1";

/// A file that can be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// What it asks for.
    pub imageset: ImageSet,
    /// What its author should know, in file order.
    pub warnings: Vec<Finding>,
}

/// Reads a configuration; `file` is the name to print in findings.
///
/// # Errors
/// Every finding that makes the file unusable, in file order; never empty.
pub fn parse(file: &str, text: &str) -> Result<Parsed, Vec<Finding>> {
    let document = yaml::parse(text).map_err(|error| {
        let message = format!(
            "{}error converting YAML to JSON: {}",
            reading(text),
            error.message
        );
        vec![Finding::new(file, error.at, message)]
    })?;
    let api = header(file, &document.root).map_err(|finding| vec![finding])?;
    let (decoding, package) = match api {
        ApiVersion::V1Alpha2 => (format!("decode {V1}, Kind={KIND}: "), "v1alpha2"),
        ApiVersion::V2Alpha1 => (format!("decode {KIND}: "), "v2alpha1"),
    };
    let sink = Sink::new(file, decoding, package);
    report_duplicates(&sink, api, &document);
    let imageset = read(&sink, api, &document.root);
    let (errors, warnings) = sink.into_findings();
    match imageset {
        Some(imageset) if errors.is_empty() => Ok(Parsed { imageset, warnings }),
        _ => Err(errors),
    }
}

fn read(sink: &Sink<'_>, api: ApiVersion, root: &Node) -> Option<ImageSet> {
    if api == ApiVersion::V2Alpha1 {
        stanzas(sink, root);
    }
    let mut fields = Fields::root(sink, root, KIND)?;
    let mut imageset = schema::imageset(&mut fields, api);
    fields.finish();
    check::imageset(sink, &imageset);
    schema::complete(&mut imageset);
    Some(imageset)
}

/// What upstream says first when it cannot read a file, by the version the file seems to be in.
fn reading(text: &str) -> &'static str {
    if text.contains(V2) {
        "failed to unmarshal config: "
    } else {
        "get type meta: "
    }
}

/// Finds out which schema to read, from `apiVersion` and `kind`.
fn header(file: &str, root: &Node) -> Result<ApiVersion, Finding> {
    if !matches!(root.value, Value::Map(_)) && !root.is_null() {
        let message = format!(
            "get type meta: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type v1.TypeMeta",
            root.json_kind()
        );
        return Err(Finding::new(file, root.at, message)
            .with_hint(format!("begin with `apiVersion: {V1}`")));
    }
    let scalar = |key| match root
        .get(key)
        .map(|entry| (&entry.value.value, entry.value.at))
    {
        Some((Value::Scalar { text, .. }, at)) => (text.as_str(), at),
        _ => ("", At::default()),
    };
    let (api_version, api_at) = scalar("apiVersion");
    let (kind, kind_at) = scalar("kind");
    match (api_version, kind) {
        (V1, KIND) => Ok(ApiVersion::V1Alpha2),
        (V2, KIND) => Ok(ApiVersion::V2Alpha1),
        (V2, _) if root.get("kind").is_none() => {
            Err(Finding::new(file, api_at, "configuration missing `kind`")
                .with_hint(format!("add `kind: {KIND}`")))
        }
        (V2, _) => {
            let message = format!("cannot parse {kind:?} as {KIND:?}");
            Err(Finding::new(file, kind_at, message).with_hint(format!("write `kind: {KIND}`")))
        }
        _ => {
            let known = matches!(api_version, V1 | V2);
            let places = if known {
                [kind_at, api_at]
            } else {
                [api_at, kind_at]
            };
            let at = places.into_iter().find(|at| at.line > 0).unwrap_or(root.at);
            let message = format!(
                "config GVK not recognized: {}, Kind={kind}",
                group_version(api_version)
            );
            let hint = match nearest(api_version, &[V1, V2]) {
                Some(known) => format!("write `apiVersion: {known}` and `kind: {KIND}`"),
                None => format!("write `apiVersion: {V1}` or {V2}, and `kind: {KIND}`"),
            };
            Err(Finding::new(file, at, message).with_hint(hint))
        }
    }
}

/// Kubernetes' `GroupVersion` of an `apiVersion`, printed as `group/version`; a malformed one is empty.
fn group_version(api_version: &str) -> String {
    match api_version.matches('/').count() {
        0 => format!("/{api_version}"),
        1 => api_version.to_owned(),
        _ => "/".to_owned(),
    }
}

/// oc-mirror v2 asks for these before it decodes, by their exact names.
fn stanzas(sink: &Sink<'_>, root: &Node) {
    if root.get("mirror").is_none() {
        sink.error(root.at, "configuration missing the `mirror` stanza");
    }
    if let Some(entry) = root.get("delete") {
        sink.error(entry.at, format!("delete: is not allowed in {KIND}"));
    }
}

fn report_duplicates(sink: &Sink<'_>, api: ApiVersion, document: &Document) {
    for duplicate in &document.duplicates {
        let key = &duplicate.key;
        match api {
            ApiVersion::V1Alpha2 => sink.warn(
                duplicate.at,
                format!("key {key:?} is written twice, only this one counts"),
                Some("merge the two".to_owned()),
            ),
            ApiVersion::V2Alpha1 => sink.error(
                duplicate.at,
                format!(
                    "failed to unmarshal config: error converting YAML to JSON: yaml: unmarshal errors:\n  line {}: key {key:?} already set in map",
                    duplicate.value_line
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
