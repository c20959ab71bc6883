//! What is in a store: images with their sizes, and what they share.

use std::collections::{BTreeMap, BTreeSet};

use super::{Header, IndexEntry, Store, StoreError};
use crate::oci::{Descriptor, Digest, RawManifest};

/// One image, under all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    /// Names in the index, sorted; empty when it has none.
    pub names: Vec<String>,
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// Groups that list it, sorted.
    pub groups: Vec<String>,
    /// Bytes of its manifests, configurations and layers.
    pub size_bytes: u64,
    /// The part of `size_bytes` that no other image uses: what dropping the image frees.
    pub unique_bytes: u64,
    /// Configurations, layers and manifests that are not there or have another size, and manifests that do not parse; sorted,
    /// empty when complete.
    pub missing: Vec<Digest>,
}

/// The images, sorted by first name, and the totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// One per manifest digest.
    pub images: Vec<ListedImage>,
    /// Bytes when each image is stored whole.
    pub whole_bytes: u64,
    /// Bytes of everything once.
    pub unique_bytes: u64,
}

/// What an image needs, with sizes in bytes.
struct Contents {
    sizes: BTreeMap<Digest, u64>,
    /// The manifest that stopped us from looking further.
    damaged: Option<Digest>,
}

impl Store {
    /// Lists what the index names.
    ///
    /// # Errors
    /// The index or the header cannot be read, or the file system does not answer.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let header = self.read_header()?;
        let mut images: BTreeMap<Digest, (Vec<IndexEntry>, Contents)> = BTreeMap::new();
        for entry in self.read_index()? {
            if let Some((entries, _)) = images.get_mut(&entry.descriptor.digest) {
                entries.push(entry);
            } else {
                let contents = self.contents(&entry.descriptor)?;
                images.insert(entry.descriptor.digest.clone(), (vec![entry], contents));
            }
        }
        let mut users: BTreeMap<&Digest, (u64, usize)> = BTreeMap::new();
        for (digest, size) in images.values().flat_map(|(_, contents)| &contents.sizes) {
            users.entry(digest).or_insert((*size, 0)).1 += 1;
        }
        let mut listed = Vec::new();
        for (entries, contents) in images.values() {
            let alone = |digest: &Digest| users.get(digest).is_some_and(|(_, count)| *count == 1);
            let unique = contents.sizes.iter().filter(|(digest, _)| alone(digest));
            let unique_bytes = unique.map(|(_, size)| size).sum();
            listed.extend(self.listed(entries, contents, unique_bytes, header.as_ref())?);
        }
        listed.sort_by(|a, b| {
            (&a.names, &a.descriptor.digest).cmp(&(&b.names, &b.descriptor.digest))
        });
        Ok(Listing {
            whole_bytes: listed.iter().map(|image| image.size_bytes).sum(),
            unique_bytes: users.values().map(|(size, _)| size).sum(),
            images: listed,
        })
    }

    /// Everything an image needs; only its own manifest when that, or one below it, cannot be used.
    fn contents(&self, image: &Descriptor) -> Result<Contents, StoreError> {
        let mut sizes = BTreeMap::from([(image.digest.clone(), image.size)]);
        let mut damaged = None;
        match self.closure(image) {
            Ok(closure) => {
                let manifests = closure.manifests.iter().map(RawManifest::descriptor);
                sizes.extend(manifests.map(|d| (d.digest.clone(), d.size)));
                sizes.extend(closure.blobs);
            }
            Err(
                StoreError::Missing(digest)
                | StoreError::Damaged { digest, .. }
                | StoreError::Manifest { digest, .. },
            ) => damaged = Some(digest),
            Err(error) => return Err(error),
        }
        Ok(Contents { sizes, damaged })
    }

    fn listed(
        &self,
        entries: &[IndexEntry],
        contents: &Contents,
        unique_bytes: u64,
        header: Option<&Header>,
    ) -> Result<Option<ListedImage>, StoreError> {
        let Some(first) = entries.first() else {
            return Ok(None);
        };
        let mut missing: BTreeSet<Digest> = contents.damaged.iter().cloned().collect();
        for (digest, size) in &contents.sizes {
            if self.blob_size(digest)? != Some(*size) {
                missing.insert(digest.clone());
            }
        }
        let references = entries.iter().filter_map(IndexEntry::reference);
        let groups: BTreeSet<String> = references
            .flat_map(|reference| header.map(|h| h.groups_of(&reference)).unwrap_or_default())
            .collect();
        let names: BTreeSet<String> = entries.iter().filter_map(|e| e.name.clone()).collect();
        Ok(Some(ListedImage {
            names: names.into_iter().collect(),
            descriptor: first.descriptor.clone(),
            groups: groups.into_iter().collect(),
            size_bytes: contents.sizes.values().sum(),
            unique_bytes,
            missing: missing.into_iter().collect(),
        }))
    }
}
