//! Why an inventory could not be made, with the category that decides the exit code.

use std::path::PathBuf;

use crate::config::model::At;
use crate::oci::{ManifestError, ReferenceError, SourceError, SourceErrorKind};

use super::Resolved;
use super::catalog::CatalogError;
use super::graph::GraphError;
use super::signature::SignatureError;

/// What kind of failure it is; `cli` maps it to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// The image set, a flag or a file is wrong.
    Input,
    /// Right, but not supported.
    Unsupported,
    /// A registry or service failed or does not have it.
    Remote,
    /// A local file could not be read or written.
    Io,
    /// A digest or signature is wrong.
    Verification,
}

/// Why there is no (complete) inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The source of images failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A document (graph, signature) could not be fetched.
    #[error(transparent)]
    Document(#[from] super::DocumentError),
    /// A text is no image reference.
    #[error("{place}: {error}")]
    Reference {
        /// Where it is written.
        place: String,
        /// What is wrong with it.
        error: ReferenceError,
    },
    /// A manifest is of the wrong shape.
    #[error("manifest of {image}: {error}")]
    Manifest {
        /// The image.
        image: String,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// An image lacks something that its role requires.
    #[error("{image}: {detail}")]
    Image {
        /// The image.
        image: String,
        /// What is missing or wrong.
        detail: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A catalog is not one.
    #[error("catalog {catalog}: {error}")]
    Catalog {
        /// As it is named in the image set.
        catalog: String,
        /// What is wrong with it.
        error: CatalogError,
    },
    /// A layer cannot be read.
    #[error("layer {digest} of {image}: {detail}")]
    Layer {
        /// The image.
        image: String,
        /// The layer.
        digest: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The update graph does not have what was asked for.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// No release fits what was asked for.
    #[error("{0}")]
    Release(String),
    /// A release signature is there and wrong.
    #[error("signature of release {release}: {error}")]
    Signature {
        /// Payload digest.
        release: String,
        /// What is wrong with it.
        error: SignatureError,
    },
    /// The image set asks for something that does not exist or contradicts itself.
    #[error("{detail}")]
    Request {
        /// What.
        detail: String,
        /// Where in the image set file, when one value is to blame.
        at: Option<At>,
        /// What to do.
        hint: Option<String>,
    },
    /// Asked for, understood, not supported.
    #[error("{detail}")]
    Unsupported {
        /// What.
        detail: String,
        /// What to do instead.
        hint: String,
    },
    /// Two sources got one destination tag.
    #[error("{first} and {second} both map to {destination}")]
    Collision {
        /// One source.
        first: String,
        /// The other source.
        second: String,
        /// `repository:tag`.
        destination: String,
    },
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Some parts failed; the others are in `partial`.
    #[error("{} of the inventory could not be resolved: {}", parts(.failures.len()), list(.failures))]
    Incomplete {
        /// Every failure, in a fixed order, at least one.
        failures: Vec<InventoryError>,
        /// What could be resolved.
        partial: Box<Resolved>,
    },
}

impl InventoryError {
    /// The category; for several failures that of the first verification failure, else of the first failure.
    pub fn category(&self) -> Category {
        match self {
            Self::Source(error) => source_category(error.kind),
            Self::Graph(error) if error.is_unavailable() => Category::Remote,
            Self::Document(_) | Self::Manifest { .. } | Self::Image { .. } | Self::Layer { .. } => {
                Category::Remote
            }
            Self::Signature { .. } => Category::Verification,
            Self::Reference { .. }
            | Self::Graph(_)
            | Self::Release(_)
            | Self::Request { .. }
            | Self::Catalog { .. }
            | Self::Collision { .. } => Category::Input,
            Self::Unsupported { .. } => Category::Unsupported,
            Self::Io { .. } => Category::Io,
            Self::Incomplete { failures, .. } => {
                let mut kinds = failures.iter().map(Self::category);
                let first = kinds.next().unwrap_or(Category::Remote);
                if kinds.any(|k| k == Category::Verification) {
                    Category::Verification
                } else {
                    first
                }
            }
        }
    }

    /// The place in the image set file, when one value is to blame.
    pub fn place(&self) -> Option<At> {
        match self {
            Self::Request { at, .. } => *at,
            Self::Graph(error) => error.place(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint.clone(),
            Self::Image { hint, .. } | Self::Request { hint, .. } => hint.clone(),
            Self::Unsupported { hint, .. } => Some(hint.clone()),
            Self::Graph(error) => error.hint(),
            Self::Catalog { error, .. } => error.hint().map(str::to_owned),
            Self::Release(_) => Some(
                "`snoforge imageset releases --channel C` lists what a channel has; --release-image names a payload directly"
                    .to_owned(),
            ),
            Self::Signature { .. } => Some(
                "do not use this payload before you know why; the check can be switched off explicitly".to_owned(),
            ),
            Self::Collision { .. } => Some("block one of the two with blockedImages".to_owned()),
            Self::Incomplete { failures, .. } => failures.iter().find_map(Self::hint),
            _ => None,
        }
    }
}

fn source_category(kind: SourceErrorKind) -> Category {
    match kind {
        SourceErrorKind::NotFound
        | SourceErrorKind::Unauthorized
        | SourceErrorKind::Unavailable
        | SourceErrorKind::Protocol => Category::Remote,
        SourceErrorKind::Digest => Category::Verification,
        SourceErrorKind::Config => Category::Input,
        SourceErrorKind::Io => Category::Io,
    }
}

fn parts(count: usize) -> String {
    match count {
        1 => "1 part".to_owned(),
        n => format!("{n} parts"),
    }
}

/// The first few; who wants all of them has the list.
fn list(failures: &[InventoryError]) -> String {
    const SHOWN: usize = 3;
    let texts = failures.iter().take(SHOWN).map(ToString::to_string);
    let text = texts.collect::<Vec<_>>().join("; ");
    match failures.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}
