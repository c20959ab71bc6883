//! What a resolve is given and what it gives back.

use std::path::PathBuf;

use bytes::Bytes;

use crate::config::filter::ImageFilter;
use crate::config::model::ImageSet;
use crate::oci::{Digest, Reference};

use super::SignatureCheck;
use super::catalog::filter::Semantics;
use super::lock::{Inventory, Request};

/// Where update graphs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphSource {
    /// The graph service; a base URL without query replaces the products' own (`UPDATE_URL_OVERRIDE`).
    Service(Option<String>),
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
    /// `--img`: additional images.
    pub extra_images: Vec<Reference>,
    /// Rules of the operator filter; none: those of the image set's `apiVersion`.
    pub semantics: Option<Semantics>,
    /// Where graphs come from.
    pub graph: GraphSource,
    /// Where parsed catalogs are kept; none: not kept.
    pub cache_directory: Option<PathBuf>,
    /// Release signatures.
    pub signature: SignatureCheck,
    /// What a mapping can be resolved with as well.
    pub options: Options,
}

/// What applies to images wherever their names come from.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--arch`, as `GOARCH` or `multi`; empty: the image set's, else `amd64`.
    pub architectures: Vec<String>,
    /// Follow every entry of an index rather than those of the asked architectures.
    pub all_architectures: bool,
    /// `--ai-img`: images of the live ISO stage; an image set gets them as additional images.
    pub ai_images: Vec<Reference>,
    /// The filter file.
    pub filter: ImageFilter,
    /// How many requests at once.
    pub concurrency: usize,
}

impl Default for Options {
    /// The image set's architectures, no filter, 16 requests at once.
    fn default() -> Self {
        Self {
            architectures: Vec::new(),
            all_architectures: false,
            ai_images: Vec::new(),
            filter: ImageFilter::default(),
            concurrency: 16,
        }
    }
}

impl Options {
    /// As `flag=value`, for [`Request::options`].
    fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        texts.extend(self.architectures.iter().map(|a| format!("arch={a}")));
        texts.extend(self.all_architectures.then(|| "all-arch=true".to_owned()));
        texts.extend(self.ai_images.iter().map(|i| format!("ai-img={i}")));
        texts.extend(self.filter.texts().map(|p| format!("filter={p}")));
        texts
    }

    /// The request of a mapping file with this digest.
    pub fn request(&self, mapping_digest: &Digest) -> Request {
        Request {
            source: mapping_digest.to_string(),
            options: sorted(self.texts()),
        }
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}

impl Inputs {
    /// Inputs with nothing but an image set: the graph service, amd64, no cache, 16 requests at once.
    pub fn new(image_set: ImageSet, image_set_digest: Digest, signature: SignatureCheck) -> Self {
        Self {
            image_set,
            image_set_digest,
            release: None,
            release_image: None,
            extra_images: Vec::new(),
            semantics: None,
            graph: GraphSource::Service(None),
            cache_directory: None,
            signature,
            options: Options::default(),
        }
    }

    /// What the lock says it was made from. A lock whose request is equal answers the same question; it may be
    /// older than what tags and channels say now.
    pub fn request(&self) -> Request {
        let mut options = self.options.texts();
        let mut add = |name: &str, value: &dyn std::fmt::Display| {
            options.push(format!("{name}={value}"));
        };
        if let Some(release) = &self.release {
            add("release", release);
        }
        if let Some(image) = &self.release_image {
            add("release-image", image);
        }
        for image in &self.extra_images {
            add("img", image);
        }
        if let Some(semantics) = self.semantics {
            add("semantics", &semantics.name());
        }
        if let GraphSource::File { bytes, .. } = &self.graph {
            add("graph", &Digest::of(bytes));
        }
        Request {
            source: self.image_set_digest.to_string(),
            options: sorted(options),
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
