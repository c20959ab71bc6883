//! Which repositories and tags the registry answers for.

use std::collections::BTreeMap;

use crate::oci::{Descriptor, Digest};
use crate::store::IndexEntry;

/// Repositories, with and without the host before them.
#[derive(Debug, Default)]
pub(super) struct Names {
    repositories: BTreeMap<String, Repository>,
    media_types: BTreeMap<Digest, String>,
}

#[derive(Debug, Default)]
struct Repository {
    with_host: bool,
    /// `None` for a tag that two hosts use for different images.
    tags: BTreeMap<String, Option<Descriptor>>,
}

/// What a tag means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tag<'a> {
    /// One image.
    Image(&'a Descriptor),
    /// Several: the name must be asked for with its host.
    Ambiguous,
    /// None.
    Unknown,
}

impl Names {
    pub(super) fn new(entries: &[IndexEntry]) -> Self {
        let mut names = Self::default();
        for entry in entries {
            let Descriptor {
                digest, media_type, ..
            } = entry.descriptor.clone();
            names.media_types.insert(digest, media_type);
            if let Some(reference) = entry.reference() {
                let tag = reference.tag_or_latest();
                names.add(reference.name(), true, tag, &entry.descriptor);
                let short = reference.repository().to_owned();
                names.add(short, false, tag, &entry.descriptor);
            }
        }
        names
    }

    fn add(&mut self, name: String, with_host: bool, tag: Option<&str>, image: &Descriptor) {
        let repository = self.repositories.entry(name).or_default();
        repository.with_host |= with_host;
        if let Some(tag) = tag {
            let known = repository.tags.entry(tag.to_owned());
            let known = known.or_insert_with(|| Some(image.clone()));
            if known
                .as_ref()
                .is_some_and(|known| known.digest != image.digest)
            {
                *known = None;
            }
        }
    }

    /// Whether there is such a repository.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.repositories.contains_key(name)
    }

    /// What `tag` is in repository `name`.
    pub(super) fn tag(&self, name: &str, tag: &str) -> Tag<'_> {
        match self.repositories.get(name).and_then(|r| r.tags.get(tag)) {
            Some(Some(image)) => Tag::Image(image),
            Some(None) => Tag::Ambiguous,
            None => Tag::Unknown,
        }
    }

    /// The media type that the index gives a manifest.
    pub(super) fn media_type(&self, digest: &Digest) -> Option<&str> {
        self.media_types.get(digest).map(String::as_str)
    }

    /// Tags of a repository, sorted.
    pub(super) fn tags(&self, name: &str) -> impl Iterator<Item = &str> {
        let repository = self.repositories.get(name);
        repository
            .into_iter()
            .flat_map(|r| r.tags.keys().map(String::as_str))
    }

    /// Repositories with their hosts, sorted.
    pub(super) fn with_hosts(&self) -> impl Iterator<Item = &str> {
        let all = self.repositories.iter();
        all.filter(|(_, r)| r.with_host)
            .map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type;

    fn entry(name: &str, content: &[u8]) -> IndexEntry {
        IndexEntry {
            name: Some(name.to_owned()),
            descriptor: Descriptor::new(media_type::OCI_MANIFEST, Digest::of(content), 1),
        }
    }

    #[test]
    fn a_tag_of_two_hosts_needs_the_host() {
        let (a, b, same) = (
            entry("q.io/x/y:1", b"a"),
            entry("r.io/x/y:1", b"b"),
            entry("q.io/x/y:2", b"c"),
        );
        let pinned = entry(&format!("s.io/z@{}", a.descriptor.digest), b"a");
        let names = Names::new(&[
            a.clone(),
            b.clone(),
            same.clone(),
            entry("r.io/x/y:2", b"c"),
            pinned,
            entry("latest", b"d"),
        ]);
        assert_eq!(names.tag("q.io/x/y", "1"), Tag::Image(&a.descriptor));
        assert_eq!(names.tag("r.io/x/y", "1"), Tag::Image(&b.descriptor));
        assert_eq!(names.tag("x/y", "1"), Tag::Ambiguous);
        assert_eq!(names.tag("x/y", "2"), Tag::Image(&same.descriptor));
        assert_eq!(names.tag("x/y", "3"), Tag::Unknown);
        assert!(
            names.contains("z") && names.contains("s.io/z") && !names.contains("library/latest")
        );
        assert_eq!(names.tags("x/y").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(names.tags("z").count(), 0);
        assert_eq!(
            names.with_hosts().collect::<Vec<_>>(),
            ["q.io/x/y", "r.io/x/y", "s.io/z"]
        );
    }
}
