//! The unique name of a catalog: where oc-mirror would put the rebuilt catalog (`imageset.md` 1.5).
//!
//! Two entries with one unique name would overwrite each other, so that is an error. Sources: `GetUniqueName` of oc-mirror's
//! `v1/pkg/api/v1alpha2/types_config.go` and `internal/pkg/api/v2alpha1/type_config.go` with `internal/pkg/image/image.go`.

use std::sync::LazyLock;

use regex::Regex;

use crate::oci::Digest;

/// The `target…` fields of an operator entry, absent when empty.
#[derive(Debug, Default)]
pub(super) struct Targets<'a> {
    pub(super) catalog: Option<&'a str>,
    /// v1alpha2 only.
    pub(super) name: Option<&'a str>,
    pub(super) tag: Option<&'a str>,
}

/// Why v2 cannot name a catalog.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NameError {
    pub(super) message: String,
    /// Whether `targetCatalog` is at fault, not `catalog`.
    pub(super) about_target: bool,
}

/// The name in oc-mirror v1, which accepts anything.
pub(super) fn v1(catalog: &str, targets: &Targets<'_>) -> String {
    let bare = without_transport(catalog);
    if targets.catalog.is_none() && targets.name.is_none() && targets.tag.is_none() {
        return bare.to_owned();
    }
    let path = bare.strip_prefix('/').unwrap_or(bare);
    let path = path.strip_suffix('/').unwrap_or(path);
    let (parents, last) = path.rsplit_once('/').unwrap_or(("", path));
    let (last, digest) = match last.split_once("@sha256:") {
        Some((last, digest)) => (last, Some(digest)),
        None => (last, None),
    };
    let mut name_and_tag = last.split(':');
    let name = name_and_tag.next().unwrap_or_default();
    let tag = targets.tag.or(name_and_tag.next());
    let registry = parents.split('/').next().unwrap_or_default();
    let unique = match targets.catalog {
        Some(target) if catalog.starts_with("oci:") => target.to_owned(),
        Some(target) => join(&[registry, target]),
        None => join(&[parents, targets.name.unwrap_or(name)]),
    };
    match (tag, digest) {
        (Some(tag), _) if !tag.is_empty() => format!("{unique}:{tag}"),
        (_, Some(digest)) if targets.tag.is_none() && !digest.is_empty() => {
            format!("{unique}@sha256:{digest}")
        }
        _ => unique,
    }
}

fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("/")
}

fn without_transport(reference: &str) -> &str {
    ["oci:", "file:", "docker:", "//"]
        .iter()
        .fold(reference, |rest, prefix| {
            rest.strip_prefix(prefix).unwrap_or(rest)
        })
}

/// The name in oc-mirror v2, where a catalog from a registry needs a tag or a digest.
///
/// Local FBC directories (`./dir`, `/dir`) are ours; upstream has none, and they keep their path.
pub(super) fn v2(catalog: &str, targets: &Targets<'_>) -> Result<String, NameError> {
    let about_source = |message: String| NameError {
        message,
        about_target: false,
    };
    let (from_registry, reference) = match catalog.split_once("://") {
        None => (!catalog.starts_with(['.', '/']), catalog),
        Some((_, rest)) if rest.contains("://") => (false, ""),
        Some((transport, rest)) => (transport == "docker", rest),
    };
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    if digest.is_some_and(|digest| digest.parse::<Digest>().is_err()) {
        return Err(about_source(format!(
            "{catalog} unable to parse image correctly : invalid digest"
        )));
    }
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if from_registry && !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    if name.is_empty() {
        return Err(about_source(
            "unknown image : reference name is empty".to_owned(),
        ));
    }
    if from_registry && digest.is_none() && tag.is_none_or(str::is_empty) {
        return Err(about_source(format!(
            "{catalog} unable to parse image correctly : tag and digest are empty"
        )));
    }
    let path = match name.split_once('/') {
        Some((_, path)) if from_registry => path,
        _ => name,
    };
    let reference = match targets.tag {
        Some(tag) => format!("{name}:{tag}"),
        None => reference.to_owned(),
    };
    match targets.catalog {
        None => Ok(reference),
        Some(target) if PATH.is_match(target) => Ok(reference.replacen(path, target, 1)),
        Some(target) => Err(NameError {
            message: invalid_path(target),
            about_target: true,
        }),
    }
}

#[expect(clippy::expect_used, reason = "the pattern is a constant and tested")]
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "^([a-z0-9]+((?:[._]|__|[-]*)[a-z0-9]+)*)(/([a-z0-9]+((?:[._]|__|[-]*)[a-z0-9]+)*))*$",
    )
    .expect("a valid pattern")
});

/// Whether a text can replace a repository path.
pub(super) fn is_path(target: &str) -> bool {
    PATH.is_match(target)
}

pub(super) fn invalid_path(target: &str) -> String {
    format!(
        "invalid target path component {target:?}: should not contain a tag or digest. Expected format is 1 or more path components separated by /, where each path component is a set of alpha-numeric and regexp (?:[._]|__|[-]*). For more, see https://github.com/containers/image/blob/main/docker/reference/regexp.go"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:db870970ba330193164dacc88657df261d75bce1552ea474dbc7cf08b2fae2ed";

    fn targets<'a>(catalog: &'a str, name: &'a str, tag: &'a str) -> Targets<'a> {
        let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Targets {
            catalog: given(catalog),
            name: given(name),
            tag: given(tag),
        }
    }

    #[test]
    fn v1_names() {
        for (catalog, target, expected) in [
            ("r.io/ns/foo:v1", targets("", "", ""), "r.io/ns/foo:v1"),
            ("oci:///a/b", targets("", "", ""), "/a/b"),
            ("docker://r.io/a:v1", targets("", "", ""), "r.io/a:v1"),
            ("r.io/ns/foo:v1", targets("", "bar", ""), "r.io/ns/bar:v1"),
            ("r.io/ns/foo:v1", targets("", "bar", "v2"), "r.io/ns/bar:v2"),
            ("r.io/ns/foo:v1", targets("x/y", "bar", ""), "r.io/x/y:v1"),
            (
                "r.io/ns/foo@sha256:00",
                targets("", "bar", ""),
                "r.io/ns/bar@sha256:00",
            ),
            (
                "r.io/ns/foo@sha256:00",
                targets("", "bar", "v2"),
                "r.io/ns/bar:v2",
            ),
            (
                "r.io/ns/foo:v1@sha256:00",
                targets("", "bar", ""),
                "r.io/ns/bar:v1",
            ),
            ("r.io:5000/foo", targets("", "bar", ""), "r.io:5000/bar"),
            ("oci:///home/me/cat", targets("x/y", "", "v1"), "x/y:v1"),
            ("foo", targets("", "bar", ""), "bar"),
            ("foo", targets("x/y", "", ""), "x/y"),
        ] {
            assert_eq!(v1(catalog, &target), expected, "{catalog} {target:?}");
        }
    }

    #[test]
    fn v2_names() {
        let pinned = format!("r.io/ns/foo@{DIGEST}");
        for (catalog, target, expected) in [
            ("r.io/ns/foo:v1", targets("", "", ""), "r.io/ns/foo:v1"),
            (
                "docker://r.io/ns/foo:v1",
                targets("", "", ""),
                "r.io/ns/foo:v1",
            ),
            (
                "r.io/ns/foo:v1",
                targets("ns/bar", "", ""),
                "r.io/ns/bar:v1",
            ),
            (
                "r.io/ns/foo:v1",
                targets("ns/bar", "", "v2"),
                "r.io/ns/bar:v2",
            ),
            (
                "localhost:5000/foo:v1",
                targets("a/b", "", ""),
                "localhost:5000/a/b:v1",
            ),
            ("foo:v1", targets("bar", "", ""), "bar:v1"),
            (&pinned, targets("", "", "v2"), "r.io/ns/foo:v2"),
            ("oci:///a/b", targets("", "", ""), "/a/b"),
            ("oci:///a/b", targets("c/d", "", "v1"), "c/d:v1"),
            ("./catalog", targets("", "", ""), "./catalog"),
        ] {
            assert_eq!(
                v2(catalog, &target).as_deref(),
                Ok(expected),
                "{catalog} {target:?}"
            );
        }
    }

    #[test]
    fn v2_refuses() {
        for (catalog, target, expected) in [
            (
                "foo",
                targets("", "", ""),
                "foo unable to parse image correctly : tag and digest are empty",
            ),
            (
                "localhost:5000/foo",
                targets("", "", ""),
                "tag and digest are empty",
            ),
            ("foo@sha256:00", targets("", "", ""), "invalid digest"),
            ("", targets("", "", ""), "reference name is empty"),
            ("a://b://c", targets("", "", ""), "reference name is empty"),
            (
                "foo:v1",
                targets("a/b:v1", "", ""),
                "invalid target path component \"a/b:v1\"",
            ),
            (
                "foo:v1",
                targets("A/b", "", ""),
                "invalid target path component",
            ),
            (
                "foo:v1",
                targets("a//b", "", ""),
                "invalid target path component",
            ),
        ] {
            let error = v2(catalog, &target).unwrap_err();
            assert!(error.message.contains(expected), "{catalog}: {error:?}");
        }
    }
}
