//! Image references (pull specs): `registry/repository[:tag][@digest]`.
//!
//! Grammar: `github.com/distribution/reference`, the one that podman, skopeo and CRI-O use. A name without a registry is one of
//! `docker.io`, a single word there is under `library/`. No tag is invented: a reference without tag and digest stays so, and
//! readers ask [`Reference::tag_or_latest`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Digest;

const MAX_REPOSITORY_LEN: usize = 255;
const MAX_TAG_LEN: usize = 128;

/// A validated image reference with its registry spelled out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct ReferenceError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// Host with optional port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path within the registry, without tag and digest.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// `registry/repository`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, when one is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when one is written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag, `latest` when neither tag nor digest is written, `None` when only a digest is.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// What goes behind `/manifests/` in a request: the digest if there is one, else the tag, else `latest`.
    pub fn manifest_key(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag_or_latest().unwrap_or("latest").to_owned(),
        }
    }

    /// The same repository, pinned to a digest, without the tag.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same repository under a tag, without digest.
    ///
    /// # Errors
    /// The tag is not valid.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|reason| ReferenceError {
            text: tag.to_owned(),
            reason,
        })?;
        Ok(Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same tag and digest in another place, as a mirror has it.
    ///
    /// # Errors
    /// `registry/repository` is not a valid name.
    pub fn relocated(&self, name: &str) -> Result<Self, ReferenceError> {
        let place: Self = name.parse()?;
        Ok(Self {
            tag: self.tag.clone(),
            digest: self.digest.clone(),
            ..place
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| ReferenceError {
            text: text.chars().take(300).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (
            rest,
            Some(digest.parse().map_err(|_| "bad digest after `@`")?),
        ),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, repository) = split_registry(name);
    check_registry(&registry)?;
    check_repository(&repository)?;
    Ok(Reference {
        registry,
        repository,
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// The first component is a registry when it has a dot or a port, is `localhost`, or has a capital.
fn split_registry(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first != first.to_lowercase() =>
        {
            match (first, rest) {
                ("docker.io" | "index.docker.io", rest) => ("docker.io".into(), official(rest)),
                (first, rest) => (first.into(), rest.into()),
            }
        }
        _ => ("docker.io".into(), official(name)),
    }
}

fn official(path: &str) -> String {
    if path.contains('/') {
        path.into()
    } else {
        format!("library/{path}")
    }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = tag.bytes();
    let first = bytes.next().is_some_and(word);
    if first && tag.len() <= MAX_TAG_LEN && bytes.all(|b| word(b) || b == b'.' || b == b'-') {
        Ok(())
    } else {
        Err("bad tag (letters, digits, `_`, `.`, `-`; at most 128)")
    }
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    const BAD: &str = "bad registry host";
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(BAD)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| BAD)?;
            (
                "",
                port.strip_prefix(':')
                    .or(port.is_empty().then_some("0"))
                    .ok_or(BAD)?,
            )
        }
        None => registry.split_once(':').unwrap_or((registry, "0")),
    };
    port.parse::<u16>().map_err(|_| "bad registry port")?;
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if registry.starts_with('[') || host.split('.').all(label) {
        Ok(())
    } else {
        Err(BAD)
    }
}

fn check_repository(repository: &str) -> Result<(), &'static str> {
    if repository.is_empty() || repository.len() > MAX_REPOSITORY_LEN {
        return Err("repository name is empty or too long");
    }
    if repository.split('/').all(is_path_component) {
        Ok(())
    } else {
        Err("bad repository name (lower case, digits, `.`, `_`, `-` between them, `/`)")
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends =
        component.bytes().next().is_some_and(alnum) && component.bytes().last().is_some_and(alnum);
    let mut separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_forms() {
        let hex = "a".repeat(64);
        let table = [
            ("busybox", "docker.io/library/busybox"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("nvidia/cuda", "docker.io/nvidia/cuda"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("localhost/a", "localhost/a"),
            ("127.0.0.1:5000/a/b:v1", "127.0.0.1:5000/a/b:v1"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("quay.io/a/b__c-d.e_f", "quay.io/a/b__c-d.e_f"),
        ];
        for (text, full) in table {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), full);
        }
        let both: Reference = format!("quay.io/a/b:t@sha256:{hex}").parse().unwrap();
        assert_eq!(
            (both.tag(), both.manifest_key()),
            (Some("t"), format!("sha256:{hex}"))
        );
        assert_eq!(
            both.relocated("m.example:5/x/b").unwrap().registry(),
            "m.example:5"
        );
    }

    #[test]
    fn refused() {
        for text in [
            "",
            ":",
            "a:",
            "a@",
            "quay.io/",
            "quay.io/A",
            "quay.io/a//b",
            "quay.io/../b",
            "quay.io/a:b c",
            "-a.io/b",
            "quay.io/a.",
            "quay.io/a..b",
            "quay.io/a___b",
            "a@sha256:00",
            "q.io:99999/a",
            "https://quay.io/a",
            "[zz]/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
