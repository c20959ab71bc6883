//! What a resolve is given and what it gives back.

use std::path::PathBuf;

use bytes::Bytes;

use crate::config::filter::ImageFilter;
use crate::config::model::{ImageSet, Located, ReleaseChannel};
use crate::oci::{Digest, Reference};

use super::SignatureCheck;
use super::catalog::filter::Semantics;
use super::lock::{self, Inventory, Request};
use super::version::{Version, blang};

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

impl Inputs {
    /// Whether somebody else's releases can be the answer: some where some are asked for, and each the payload or the version that
    /// was named, or between the lowest and the highest version of the channels.
    pub fn may_have(&self, releases: &[lock::Release]) -> bool {
        let platform = &self.image_set.platform;
        let named = self.release_image.is_some() || self.release.is_some();
        let asked = named || platform.release.is_some() || !platform.channels.is_empty();
        asked != releases.is_empty() && releases.iter().all(|release| self.fits(release))
    }

    fn fits(&self, release: &lock::Release) -> bool {
        let is = |image: &Reference| {
            let payload = &release.payload;
            let digest = image.digest();
            image.name() == payload.name() && (digest.is_none() || digest == payload.digest())
        };
        let platform = &self.image_set.platform;
        match (&self.release_image, &self.release, &platform.release) {
            (Some(image), ..) => return is(image),
            (None, Some(version), _) => return *version == release.version,
            (None, None, Some(image)) => {
                return image.value.parse().is_ok_and(|image| is(&image));
            }
            (None, None, None) => {}
        }
        let Ok(version) = blang::parse(&release.version) else {
            return false;
        };
        // None when a channel has no bound on this side.
        let bounds = |of: fn(&ReleaseChannel) -> &Option<Located<String>>| {
            let channels = platform.channels.iter();
            let bound = |channel| blang::parse(&of(channel).as_ref()?.value).ok();
            channels.map(bound).collect::<Option<Vec<Version>>>()
        };
        let (low, high) = (bounds(|c| &c.min_version), bounds(|c| &c.max_version));
        let above = |low: &Version| version.precedence(low).is_ge();
        let below = |high: &Version| version.precedence(high).is_le();
        low.is_none_or(|all| all.iter().any(above)) && high.is_none_or(|all| all.iter().any(below))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::PlatformSet;

    fn digest(c: &str) -> String {
        format!("sha256:{}", c.repeat(64))
    }

    fn release(version: &str) -> lock::Release {
        lock::Release {
            version: version.to_owned(),
            architecture: "x86_64".to_owned(),
            payload: format!("quay.io/ocp/release@{}", digest("a"))
                .parse()
                .unwrap(),
            signature: lock::Signature::Skipped,
        }
    }

    fn channel(bounds: [&str; 2]) -> ReleaseChannel {
        let [min_version, max_version] =
            bounds.map(|text| (!text.is_empty()).then(|| Located::from(text)));
        ReleaseChannel {
            min_version,
            max_version,
            ..ReleaseChannel::default()
        }
    }

    fn inputs(channels: &[[&str; 2]]) -> Inputs {
        let set =
            "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror: {}\n";
        let parsed = crate::config::imageset::parse("t", set).unwrap();
        let mut inputs = Inputs::new(parsed.imageset, Digest::of(b""), SignatureCheck::Skip);
        inputs.image_set.platform = PlatformSet {
            channels: channels.iter().copied().map(channel).collect(),
            ..PlatformSet::default()
        };
        inputs
    }

    #[test]
    fn releases_between_the_channels_bounds() {
        for (channels, version, expected) in [
            (&[["4.13.1", "4.13.1"]][..], "4.13.1", true),
            (&[["4.13.1", "4.13.1"]], "4.13.2", false),
            (&[["4.13.1", "4.13.1"]], "4.13.1-rc.1", false),
            (
                &[["4.12.9", "4.12.30"], ["4.13.1", "4.13.4"]],
                "4.13.0",
                true,
            ),
            (
                &[["4.12.9", "4.12.30"], ["4.13.1", "4.13.4"]],
                "4.13.5",
                false,
            ),
            (
                &[["4.12.9", "4.12.30"], ["4.13.1", "4.13.4"]],
                "4.12.8",
                false,
            ),
            (&[["4.13.1", ""]], "4.14.9", true),
            (&[["", ""]], "4.1.0", true),
            (&[["", ""]], "newest", false),
            (&[], "4.13.1", false),
        ] {
            let found = inputs(channels).may_have(&[release(version)]);
            assert_eq!(found, expected, "{channels:?} {version}");
        }
        assert!(inputs(&[]).may_have(&[]));
        assert!(!inputs(&[["", ""]]).may_have(&[]));
    }

    #[test]
    fn releases_that_were_named() {
        let mut exact = inputs(&[["4.12.0", "4.12.0"]]);
        exact.release = Some("4.13.1".to_owned());
        assert!(exact.may_have(&[release("4.13.1")]) && !exact.may_have(&[release("4.12.0")]));
        for (image, expected) in [
            ("quay.io/ocp/release:4.13.1".to_owned(), true),
            ("quay.io/other/release:4.13.1".to_owned(), false),
            (format!("quay.io/ocp/release@{}", digest("a")), true),
            (format!("quay.io/ocp/release@{}", digest("b")), false),
        ] {
            exact.release_image = Some(image.parse().unwrap());
            assert_eq!(exact.may_have(&[release("4.13.1")]), expected, "{image}");
        }
    }
}
