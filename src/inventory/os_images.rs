//! OS images in a lock (`osimage precache`): put there beside what an image set asks for, and kept by whatever resolves again.
//!
//! A pool has one OS image: a new one takes the place of the old one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::oci::{Digest, Reference};

use super::lock::{Image, Inventory, Origin};
use super::split;

/// What is here of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// `4.18.1`.
    pub version: String,
    /// As in tags: `x86_64`, `aarch64`, …, `multi`.
    pub architecture: String,
    /// Name and image of each component.
    pub components: Vec<(String, Reference)>,
}

/// Version, architecture and name of each component that an image is.
fn components(image: &Image, by_line: bool) -> Vec<(String, String, String)> {
    let of_line = || {
        let tag = image.destination.strip_prefix("openshift/release:")?;
        let (release, name) = split::release_tag(tag)?;
        let (version, architecture) = release.rsplit_once('-')?;
        Some((version.to_owned(), architecture.to_owned(), name.to_owned()))
    };
    if by_line {
        return of_line().into_iter().collect();
    }
    let of_origin = |origin: &Origin| match origin {
        Origin::Component {
            version,
            architecture,
            name,
        } => Some((version.clone(), architecture.clone(), name.clone())),
        _ => None,
    };
    image.origins.iter().filter_map(of_origin).collect()
}

impl Inventory {
    /// Puts the images of `other` here for a pool. Images that were here for it alone go; their sources come back.
    pub fn set_os_images(&mut self, pool: &str, other: Self) -> Vec<Reference> {
        let origin = Origin::OsImage {
            pool: pool.to_owned(),
        };
        for image in &mut self.images {
            image.origins.retain(|o| *o != origin);
        }
        let (blobs, others) = (other.blobs, other.images);
        for mut image in others {
            image.origins = vec![origin.clone()];
            self.adopt(image, &blobs);
        }
        let idle = self.images.iter().filter(|i| i.origins.is_empty());
        let dropped = idle.map(|image| image.source.clone()).collect();
        self.images.retain(|image| !image.origins.is_empty());
        self.forget_unused_blobs();
        dropped
    }

    /// Takes over the OS images of the lock that this one replaces.
    pub fn keep_os_images(&mut self, old: &Self) {
        let for_a_pool = |o: &Origin| matches!(o, Origin::OsImage { .. });
        for image in &old.images {
            let mut image = image.clone();
            image.origins.retain(for_a_pool);
            if !image.origins.is_empty() {
                self.adopt(image, &old.blobs);
            }
        }
    }

    /// The releases whose components are here, by version and architecture: those of an image set, else those that the lines of a
    /// mapping name (`openshift/release:4.18.1-x86_64-etcd`).
    pub fn payloads(&self) -> Vec<Payload> {
        let mut found: BTreeMap<(String, String), Vec<(String, Reference)>> = BTreeMap::new();
        for image in &self.images {
            for (version, architecture, name) in components(image, self.releases.is_empty()) {
                let components = found.entry((version, architecture)).or_default();
                components.push((name, image.source.clone()));
            }
        }
        let payload = |((version, architecture), components)| Payload {
            version,
            architecture,
            components,
        };
        found.into_iter().map(payload).collect()
    }

    /// The images of these sources with their blobs, and nothing else.
    #[must_use]
    pub fn only(&self, sources: &[Reference]) -> Self {
        let images = self.images.iter();
        let mut part = Self {
            images: images
                .filter(|image| sources.contains(&image.source))
                .cloned()
                .collect(),
            ..self.clone()
        };
        part.forget_unused_blobs();
        part
    }

    /// Adds an image, or its origins, groups and platforms to the one of the same source.
    fn adopt(&mut self, image: Image, sizes: &BTreeMap<Digest, u64>) {
        for digest in image.blobs() {
            let size = sizes.get(digest).map(|size| (digest.clone(), *size));
            self.blobs.extend(size);
        }
        let mut known = self.images.iter_mut();
        if let Some(known) = known.find(|known| known.source == image.source) {
            known.origins.extend(image.origins);
            known.origins.sort();
            known.origins.dedup();
            known.groups.extend(image.groups);
            known.groups.sort();
            known.groups.dedup();
            for content in image.contents {
                if !known.contents.contains(&content) {
                    known.contents.push(content);
                }
            }
        } else {
            self.images.push(image);
            self.images.sort_by_key(|image| image.source.to_string());
        }
    }

    fn forget_unused_blobs(&mut self) {
        let used: BTreeSet<Digest> = self
            .images
            .iter()
            .flat_map(|image| image.blobs().into_iter().cloned())
            .collect();
        self.blobs.retain(|digest, _| used.contains(digest));
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::{Content, FORMAT, Group, Release, Request, Signature};
    use super::*;
    use crate::oci::{Descriptor, media_type};

    fn image(name: &str, layers: &[&str], origin: Origin) -> Image {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let manifest = Descriptor::new(media_type::OCI_MANIFEST, digest(name), 7);
        let bare: Reference = name.parse().unwrap();
        Image {
            source: bare.pinned(digest(name)),
            requested: None,
            destination: format!("{}:x", bare.repository()),
            groups: vec![Group::Ocp],
            origins: vec![origin],
            manifest: manifest.clone(),
            contents: vec![Content {
                manifest,
                platform: None,
                config: digest(&format!("{name} config")),
                layers: layers.iter().map(|l| digest(l)).collect(),
            }],
        }
    }

    fn inventory(images: Vec<Image>) -> Inventory {
        let blobs = images.iter().flat_map(|i| i.blobs().into_iter().cloned());
        Inventory {
            format: FORMAT,
            request: Request::default(),
            releases: Vec::new(),
            catalogs: Vec::new(),
            blobs: blobs.map(|d| (d, 3)).collect(),
            images,
            ignored: Vec::new(),
        }
    }

    #[test]
    fn components_are_those_of_one_release() {
        let of = |version: &str, name: &str| Origin::Component {
            version: version.to_owned(),
            architecture: "x86_64".to_owned(),
            name: name.to_owned(),
        };
        let mut both = image("q.io/a", &["a"], of("4.18.1", "etcd"));
        both.origins.push(of("4.18.2", "etcd"));
        let mut lock = inventory(vec![both, image("q.io/b", &["b"], of("4.18.2", "pod"))]);
        let names = |lock: &Inventory| -> Vec<(String, Vec<String>)> {
            let names = |p: Payload| p.components.into_iter().map(|(name, _)| name).collect();
            let payloads = lock.payloads().into_iter();
            payloads.map(|p| (p.version.clone(), names(p))).collect()
        };
        let expected = [
            ("4.18.1".to_owned(), vec!["etcd".to_owned()]),
            (
                "4.18.2".to_owned(),
                vec!["etcd".to_owned(), "pod".to_owned()],
            ),
        ];
        assert!(names(&lock).is_empty(), "a mapping says it in its lines");
        lock.releases.push(Release {
            version: "4.18.1".to_owned(),
            architecture: "x86_64".to_owned(),
            payload: lock.images[0].source.clone(),
            signature: Signature::Skipped,
        });
        assert_eq!(names(&lock), expected);

        lock.releases.clear();
        lock.images[0].destination = "openshift/release:4.14.0-rc.1-x86_64-etcd".to_owned();
        lock.images[1].destination = "openshift/release:latest".to_owned();
        let found = lock.payloads();
        assert_eq!((found.len(), found[0].architecture.as_str()), (1, "x86_64"));
        assert_eq!(
            names(&lock),
            [("4.14.0-rc.1".to_owned(), vec!["etcd".to_owned()])]
        );
    }

    fn names(inventory: &Inventory) -> Vec<String> {
        inventory.images.iter().map(|i| i.source.name()).collect()
    }

    fn os() -> Origin {
        Origin::OsImage {
            pool: "master".to_owned(),
        }
    }

    #[test]
    fn a_pool_has_one_and_a_resolve_keeps_it() {
        let operator = image("q.io/mco", &["base"], Origin::Additional);
        let mut lock = inventory(vec![operator.clone()]);
        let first = image("r.example/os/one", &["base", "one"], Origin::Mapping);
        let part = || inventory(vec![first.clone(), operator.clone()]);
        assert!(lock.set_os_images("master", part()).is_empty());
        assert_eq!(names(&lock), ["q.io/mco", "r.example/os/one"]);
        assert_eq!(lock.images[0].origins, [Origin::Additional, os()]);
        assert_eq!(lock.images[1].origins, [os()]);
        let once = lock.clone();
        lock.set_os_images("master", part());
        assert_eq!(lock, once, "the second time changes nothing");

        // A resolve that knows neither: both stay, the operator's image for the OS image's sake.
        let mut next = inventory(vec![image("q.io/new", &["new"], Origin::Additional)]);
        next.keep_os_images(&lock);
        assert_eq!(names(&next), ["q.io/mco", "q.io/new", "r.example/os/one"]);
        assert_eq!(next.images[0].origins, [os()]);
        assert!(next.blobs.contains_key(&Digest::of(b"one")));
        assert_eq!(Inventory::parse(&next.render()).unwrap(), next);

        let second = image("r.example/os/two", &["base", "two"], Origin::Mapping);
        let dropped = lock.set_os_images("master", inventory(vec![second, operator]));
        assert_eq!(dropped, std::slice::from_ref(&first.source));
        assert_eq!(names(&lock), ["q.io/mco", "r.example/os/two"]);
        assert!(!lock.blobs.contains_key(&Digest::of(b"one")));
        assert!(lock.blobs.contains_key(&Digest::of(b"base")));

        let alone = once.only(std::slice::from_ref(&first.source));
        assert_eq!(alone.images.len(), 1);
        assert_eq!(alone.blobs.len(), 3);
    }
}
