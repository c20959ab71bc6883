//! What a resolve is given and what it gives back.

use std::path::PathBuf;

use bytes::Bytes;

use crate::config::model::ImageSet;
use crate::oci::{Digest, Reference};

use super::lock::{Inventory, Request};
use super::{Patterns, SignatureCheck};

/// Where update graphs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphSource {
    /// The graph service; the base URL without query ([`GraphSource::SERVICE`] unless overridden).
    Service(String),
    /// A saved graph, which stands in for every channel and architecture asked for.
    File {
        /// Its name for messages.
        name: String,
        /// Its bytes.
        bytes: Bytes,
    },
    /// No graph: releases come from `release_image` or from the registry's own tags.
    None,
}

impl GraphSource {
    /// Red Hat's graph service.
    pub const SERVICE: &str = "https://api.openshift.com/api/upgrades_info/v1/graph";
}

/// Everything that decides what is in an inventory.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The image set.
    pub image_set: ImageSet,
    /// Digest of the image set file's bytes.
    pub image_set_digest: Digest,
    /// Exact version that replaces the image set's channels (`-r X.Y.Z`).
    pub release: Option<String>,
    /// Payload that replaces the graph and the channels (`--release-image`), a tag or a digest.
    pub release_image: Option<Reference>,
    /// `--arch`, as `GOARCH` or `multi`, sorted or not; replaces the image set's when not empty.
    pub architectures: Vec<String>,
    /// Follow every entry of an index rather than those of the asked architectures.
    pub all_architectures: bool,
    /// `--ai-img`: additional images of the live ISO stage.
    pub ai_images: Vec<Reference>,
    /// `--img`: additional images.
    pub extra_images: Vec<Reference>,
    /// The filter file.
    pub filter: Patterns,
    /// Where graphs come from.
    pub graph: GraphSource,
    /// Where parsed catalogs are kept; none: not kept.
    pub cache_directory: Option<PathBuf>,
    /// Release signatures.
    pub signature: SignatureCheck,
    /// How many requests at once; 16 is a good number.
    pub concurrency: usize,
}

impl Inputs {
    /// Inputs with nothing but an image set: the graph service, amd64, no cache, 16 requests at once.
    pub fn new(image_set: ImageSet, image_set_digest: Digest, signature: SignatureCheck) -> Self {
        Self {
            image_set,
            image_set_digest,
            release: None,
            release_image: None,
            architectures: Vec::new(),
            all_architectures: false,
            ai_images: Vec::new(),
            extra_images: Vec::new(),
            filter: Patterns::default(),
            graph: GraphSource::Service(GraphSource::SERVICE.to_owned()),
            cache_directory: None,
            signature,
            concurrency: 16,
        }
    }

    /// What the lock says it was made from. A lock whose request is equal answers the same question; it may be
    /// older than what tags and channels say now.
    pub fn request(&self) -> Request {
        let mut options = Vec::new();
        let mut add = |name: &str, value: &dyn std::fmt::Display| {
            options.push(format!("{name}={value}"));
        };
        if let Some(release) = &self.release {
            add("release", release);
        }
        if let Some(image) = &self.release_image {
            add("release-image", image);
        }
        for architecture in &self.architectures {
            add("arch", architecture);
        }
        if self.all_architectures {
            add("all-arch", &true);
        }
        for image in &self.ai_images {
            add("ai-img", image);
        }
        for image in &self.extra_images {
            add("img", image);
        }
        for pattern in self.filter.texts() {
            add("filter", pattern);
        }
        if let GraphSource::File { bytes, .. } = &self.graph {
            add("graph", &Digest::of(bytes));
        }
        options.sort();
        options.dedup();
        Request {
            source: self.image_set_digest.to_string(),
            options,
        }
    }
}

/// An inventory and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The lock.
    pub inventory: Inventory,
    /// One sentence each, in a fixed order.
    pub warnings: Vec<String>,
}
