//! What shares bytes with what: every byte of an inventory counted once, by image, by group, or as shared. Pure.
//!
//! A group is why an image is needed: its release, its operator's package, `additional images`, the pool of its OS image; images
//! of a mapping file go by the namespace they come from. An image that is needed for several reasons is in the group of the first.
//!
//! ```text
//! own      bytes that one image needs            Σ own + Σ within + between = bytes to fetch
//! within   bytes that images of one group share
//! between  bytes that images of several groups share
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::lock::{Image, Inventory, Origin};
use crate::oci::Digest;

/// What shares bytes with what. Sizes are bytes, manifests included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// Largest first; equal ones by name.
    pub groups: Vec<GroupShare>,
    /// Bytes that images of several groups share.
    pub between: u64,
    /// Square, in the order of `groups`: bytes that two groups both need; on the diagonal what one needs.
    pub pairs: Vec<Vec<u64>>,
    /// What more than one image needs: what saves most first.
    pub shared: Vec<SharedBlob>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupShare {
    /// Its name.
    pub name: String,
    /// Its images, by own bytes, largest first.
    pub images: Vec<ImageShare>,
    /// All that it needs, each blob once.
    pub needs: u64,
    /// What its images share with each other, and with no other group.
    pub within: u64,
}

/// An image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShare {
    /// Index into [`Inventory::images`].
    pub index: usize,
    /// All that it needs.
    pub whole: u64,
    /// What no other image needs.
    pub own: u64,
}

/// A blob or manifest that more than one image needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Indices into [`Inventory::images`], ascending; two at least.
    pub images: Vec<usize>,
}

impl SharedBlob {
    /// What sharing it saves.
    pub fn saved(&self) -> u64 {
        self.size.saturating_mul(self.images.len() as u64 - 1)
    }
}

/// A blob with the images and groups that need it.
struct Used {
    size: u64,
    images: Vec<usize>,
    groups: BTreeSet<usize>,
}

impl Sharing {
    /// Looks at an inventory.
    pub fn of(inventory: &Inventory) -> Self {
        let names: BTreeSet<String> = inventory.images.iter().map(group).collect();
        let names: Vec<String> = names.into_iter().collect();
        let of_image = |image: &Image| names.binary_search(&group(image)).unwrap_or(0);
        let member: Vec<usize> = inventory.images.iter().map(of_image).collect();
        let used = used(inventory, &member);

        let mut sums = Sums::new(member.len(), names.len());
        for blob in used.values() {
            sums.count(blob);
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|g| (std::cmp::Reverse(sums.pair(*g, *g)), *g));
        let groups = order.iter().map(|g| {
            let members = member.iter().enumerate().filter(|(_, of)| *of == g);
            let mut images: Vec<ImageShare> = members.map(|(i, _)| sums.image(i)).collect();
            images.sort_by_key(|image| (std::cmp::Reverse(image.own), image.index));
            GroupShare {
                name: names.get(*g).cloned().unwrap_or_default(),
                images,
                needs: sums.pair(*g, *g),
                within: at(&sums.within, *g),
            }
        });
        let row = |g: &usize| order.iter().map(|other| sums.pair(*g, *other)).collect();
        Self {
            groups: groups.collect(),
            between: sums.between,
            pairs: order.iter().map(row).collect(),
            shared: shared(used),
        }
    }
}

/// Bytes by image and by group, in the order of their indices.
struct Sums {
    own: Vec<u64>,
    whole: Vec<u64>,
    within: Vec<u64>,
    pairs: Vec<Vec<u64>>,
    between: u64,
}

impl Sums {
    fn new(images: usize, groups: usize) -> Self {
        Self {
            own: vec![0; images],
            whole: vec![0; images],
            within: vec![0; groups],
            pairs: vec![vec![0; groups]; groups],
            between: 0,
        }
    }

    fn count(&mut self, blob: &Used) {
        let size = blob.size;
        for image in &blob.images {
            add(&mut self.whole, *image, size);
        }
        match (blob.images.as_slice(), blob.groups.first()) {
            ([only], _) => add(&mut self.own, *only, size),
            (_, Some(only)) if blob.groups.len() == 1 => add(&mut self.within, *only, size),
            _ => self.between += size,
        }
        for one in &blob.groups {
            for other in &blob.groups {
                if let Some(row) = self.pairs.get_mut(*one) {
                    add(row, *other, size);
                }
            }
        }
    }

    fn pair(&self, one: usize, other: usize) -> u64 {
        self.pairs.get(one).map_or(0, |row| at(row, other))
    }

    fn image(&self, index: usize) -> ImageShare {
        ImageShare {
            index,
            whole: at(&self.whole, index),
            own: at(&self.own, index),
        }
    }
}

fn at(list: &[u64], index: usize) -> u64 {
    list.get(index).copied().unwrap_or(0)
}

fn add(list: &mut [u64], index: usize, size: u64) {
    if let Some(place) = list.get_mut(index) {
        *place += size;
    }
}

fn used<'a>(inventory: &'a Inventory, member: &[usize]) -> BTreeMap<&'a Digest, Used> {
    let manifests = inventory.manifests();
    let mut used: BTreeMap<&Digest, Used> = BTreeMap::new();
    for (index, (image, group)) in inventory.images.iter().zip(member).enumerate() {
        let contents = image.contents.iter().map(|c| &c.manifest.digest);
        let all: BTreeSet<&Digest> = contents
            .chain([&image.manifest.digest])
            .chain(image.blobs())
            .collect();
        for digest in all {
            // By digest alone, as the download has it.
            let size = manifests
                .get(digest)
                .or_else(|| inventory.blobs.get(digest));
            let entry = used.entry(digest).or_insert_with(|| Used {
                size: size.copied().unwrap_or(0),
                images: Vec::new(),
                groups: BTreeSet::new(),
            });
            entry.images.push(index);
            entry.groups.insert(*group);
        }
    }
    used
}

fn shared(used: BTreeMap<&Digest, Used>) -> Vec<SharedBlob> {
    let several = used.into_iter().filter(|(_, used)| used.images.len() > 1);
    let blob = |(digest, used): (&Digest, Used)| SharedBlob {
        digest: digest.clone(),
        size: used.size,
        images: used.images,
    };
    let mut shared: Vec<SharedBlob> = several.map(blob).collect();
    // Stable: equal ones stay in the order of their digests.
    shared.sort_by_key(|blob| std::cmp::Reverse(blob.saved()));
    shared
}

fn group(image: &Image) -> String {
    match image.origins.first() {
        Some(
            Origin::Release {
                version,
                architecture,
            }
            | Origin::Component {
                version,
                architecture,
                ..
            },
        ) => format!("release {version} {architecture}"),
        Some(Origin::Operator { package, .. }) => package.clone(),
        Some(Origin::Additional) => "additional images".to_owned(),
        Some(Origin::OsImage { pool }) => format!("OS image of pool {pool}"),
        Some(Origin::Mapping) | None => {
            let repository = image.source.repository();
            let namespace = repository.rsplit_once('/').map_or(repository, |(n, _)| n);
            namespace.to_owned()
        }
    }
}

impl Image {
    /// What a person calls it: the component, or the last part of its repository.
    pub fn short_name(&self) -> &str {
        if let Some(Origin::Component { name, .. }) = self.origins.first() {
            return name;
        }
        let (path, tag) = match self.destination.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (self.destination.as_str(), ""),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        // All components of a release have one repository; the tag tells them apart.
        if name == "release" && !tag.is_empty() {
            tag
        } else {
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Inventory {
        let digest = |n: u8| Digest::of(&[n]);
        let image = |name: &str, n: u8, origin: serde_json::Value, layers: &[u8]| {
            let manifest = serde_json::json!({"mediaType": "m", "digest": digest(n), "size": 1});
            let layers: Vec<Digest> = layers.iter().map(|n| digest(*n)).collect();
            serde_json::json!({
                "source": format!("q.io/ns/{name}@{}", digest(n)), "destination": format!("ns/{name}:v1"), "groups": ["ocp"],
                "origins": [origin], "manifest": manifest,
                "contents": [{"manifest": manifest, "config": digest(n + 100), "layers": layers}],
            })
        };
        let component = |name: &str| serde_json::json!({"kind": "component", "version": "4.13.1", "architecture": "x86_64", "name": name});
        let operator = serde_json::json!({"kind": "operator", "catalog": "c", "package": "odf", "channels": [], "bundle": "b"});
        let sizes = [
            (10, 1000),
            (11, 200),
            (12, 30),
            (13, 4),
            (101, 10),
            (102, 10),
            (103, 10),
        ];
        let blobs: BTreeMap<String, u64> = sizes
            .iter()
            .map(|(n, size)| (digest(*n).to_string(), *size))
            .collect();
        let lock = serde_json::json!({
            "format": 1, "request": {"source": "", "options": []}, "releases": [], "catalogs": [],
            "images": [
                image("a", 1, component("etcd"), &[10, 11, 12]),
                image("b", 2, component("cli"), &[10, 11]),
                image("odf", 3, operator, &[10, 13]),
            ],
            "blobs": blobs,
        });
        Inventory::parse(lock.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn every_byte_counts_once() {
        let lock = lock();
        let sharing = Sharing::of(&lock);
        let [release, odf] = sharing.groups.as_slice() else {
            panic!("{sharing:?}")
        };
        assert_eq!(
            (release.name.as_str(), release.needs, release.within),
            ("release 4.13.1 x86_64", 1252, 200)
        );
        assert_eq!((odf.name.as_str(), odf.needs, odf.within), ("odf", 1015, 0));
        assert_eq!(sharing.between, 1000);
        assert_eq!(sharing.pairs, [[1252, 1000], [1000, 1015]]);
        let own: Vec<_> = release
            .images
            .iter()
            .map(|i| (i.index, i.own, i.whole))
            .collect();
        assert_eq!(own, [(0, 41, 1241), (1, 11, 1211)]);
        let own = sharing.groups.iter().flat_map(|g| &g.images).map(|i| i.own);
        let within = sharing.groups.iter().map(|g| g.within);
        let total: u64 = own.chain(within).sum();
        assert_eq!(
            total + sharing.between,
            super::super::Summary::of(&lock).fetch_bytes
        );
        let saved: Vec<u64> = sharing.shared.iter().map(SharedBlob::saved).collect();
        assert_eq!(saved, [2000, 200]);
        let names: Vec<_> = lock.images.iter().map(Image::short_name).collect();
        assert_eq!(names, ["etcd", "cli", "odf"]);
    }
}
