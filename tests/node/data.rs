//! A data directory as `precache download` leaves it, with one image of every form on a common base layer.

use std::path::PathBuf;

use snoforge::inventory::lock::{Content, FORMAT, Group, Image, Inventory, Origin, Request};
use snoforge::oci::{Descriptor, Digest, RawManifest, Reference};
use snoforge::store::{Header, IndexEntry, Store};

use super::images::{self, Family, image, index, noise, put, tar};

pub(crate) const RELEASE: &str = "quay.io/openshift-release-dev/ocp-v4.0-art-dev";
pub(crate) const OPERATOR: &str = "registry.redhat.io/multicluster-engine/assisted-installer-rhel8";
/// A host with a port cannot be part of a path in a registry.
pub(crate) const TAGGED: &str = "registry.example:5000/tools/debug";

/// The directory and what is in it.
pub(crate) struct Data {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) inventory: Inventory,
}

/// What an image is to be.
struct Wish {
    repository: &'static str,
    raw: RawManifest,
    image: images::Image,
    destination: &'static str,
    requested: Option<String>,
    groups: Vec<Group>,
}

impl Data {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        let mut wishes = wishes();
        wishes.sort_by_key(Wish::source);
        for wish in &wishes {
            put(&store, &wish.image);
            store.put_manifest(&wish.raw).unwrap();
        }
        let entries = wishes.iter().flat_map(Wish::entries);
        store.replace_index(entries).unwrap();
        let blobs = wishes.iter().flat_map(|wish| &wish.image.blobs);
        let inventory = Inventory {
            format: FORMAT,
            request: Request::default(),
            releases: Vec::new(),
            catalogs: Vec::new(),
            images: wishes.iter().map(Wish::image).collect(),
            ignored: Vec::new(),
            blobs: blobs.map(|(d, _)| (d.digest.clone(), d.size)).collect(),
        };
        fs_err::write(dir.path().join("inventory.json"), inventory.render()).unwrap();
        let header = Header {
            inventory: inventory.digest(),
            created: "2026-11-20T10:00:00Z".to_owned(),
            tool: "test".to_owned(),
            groups: [("ai", Group::Ai), ("ocp", Group::Ocp)]
                .map(|(name, group)| {
                    let members = inventory
                        .images
                        .iter()
                        .filter(|i| i.groups.contains(&group));
                    (name.to_owned(), members.map(|i| i.source.clone()).collect())
                })
                .into(),
        };
        store.write_header(&header).unwrap();
        Self {
            dir,
            store,
            inventory,
        }
    }

    pub(crate) fn folder(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    /// The image whose source begins so.
    pub(crate) fn find(&self, destination: &str) -> &Image {
        let mut all = self.inventory.images.iter();
        all.find(|image| image.destination == destination).unwrap()
    }

    /// The layer that only this image has.
    pub(crate) fn own_layer(&self, destination: &str) -> PathBuf {
        let layers = &self.find(destination).contents[0].layers;
        self.store.blob_path(layers.last().unwrap())
    }
}

impl Wish {
    fn source(&self) -> Reference {
        let repository: Reference = self.repository.parse().unwrap();
        repository.pinned(self.raw.descriptor().digest.clone())
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let tag = self.requested.iter().map(|tag| tag.parse().unwrap());
        let names = [self.source()].into_iter().chain(tag);
        let descriptor = || self.raw.descriptor().clone();
        names
            .map(|name| IndexEntry::new(&name, descriptor()))
            .collect()
    }

    fn image(&self) -> Image {
        let digests: Vec<Digest> = self
            .image
            .blobs
            .iter()
            .map(|(d, _)| d.digest.clone())
            .collect();
        let manifest: Descriptor = self.image.manifest.descriptor().clone();
        Image {
            source: self.source(),
            requested: self.requested.clone(),
            destination: self.destination.to_owned(),
            groups: self.groups.clone(),
            origins: vec![Origin::Mapping],
            manifest: self.raw.descriptor().clone(),
            contents: vec![Content {
                manifest,
                platform: Some(self.image.platform.clone()),
                config: digests[0].clone(),
                layers: digests[1..].to_vec(),
            }],
        }
    }
}

fn wishes() -> Vec<Wish> {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let base = tar(&[("base", &noise(1, 300_000))]);
    let made = |family, name: &str| {
        image(
            family,
            machine,
            &[base.clone(), tar(&[(name, name.as_bytes())])],
        )
    };
    let other = image(Family::Docker, "s390x", &[tar(&[("s390x", b"s390x")])]);
    let (docker, oci) = (made(Family::Docker, "docker"), made(Family::Oci, "oci"));
    let (listed, tagged) = (made(Family::Docker, "listed"), made(Family::Oci, "tagged"));
    let both = || vec![Group::Ai, Group::Ocp];
    // As a download for one architecture leaves it: the list is whole, the other image is not there.
    let list = index(Family::Docker, &[&other, &listed]);
    let plain = |image: images::Image, destination, groups| Wish {
        repository: RELEASE,
        raw: image.manifest.clone(),
        image,
        destination,
        requested: None,
        groups,
    };
    vec![
        plain(docker, "openshift/release:4.13.1-x86_64-etcd", both()),
        plain(oci, "openshift/release:4.13.1-x86_64-pod", vec![Group::Ocp]),
        Wish {
            repository: OPERATOR,
            raw: list,
            image: listed,
            destination: "multicluster-engine/assisted-installer-rhel8:7a58d3f6",
            requested: None,
            groups: both(),
        },
        Wish {
            repository: TAGGED,
            raw: tagged.manifest.clone(),
            image: tagged,
            destination: "tools/debug:v1",
            requested: Some(format!("{TAGGED}:v1")),
            groups: vec![Group::Ocp],
        },
    ]
}
