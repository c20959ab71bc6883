//! What is wrong with a value, a file or an image, before anything is written or sent.

use std::path::PathBuf;

use super::restore::RestoreError;
use crate::objects;
use crate::oci::{ReferenceError, SourceError};

/// Why this room cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that is none of its kind.
    #[error("{field} `{text}` is refused: {reason}")]
    Value {
        /// The flag without dashes, or the field.
        field: &'static str,
        /// The value.
        text: String,
        /// The rule it breaks.
        reason: String,
    },
    /// A value is needed and not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// No credential file, or one that cannot push the seed image.
    #[error("auth file {path}: {reason}", path = .path.display())]
    Auth {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
    /// A hub kubeconfig that is none.
    #[error("hub kubeconfig {path}: {reason}", path = .path.display())]
    HubKubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
    /// A kustomization from which the seed cluster cannot be taken.
    #[error("{file}: {reason}")]
    Kustomization {
        /// The file with line and column where they are known.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A facts document that cannot be used.
    #[error("facts {file}: {reason}")]
    Facts {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A state file that cannot be used.
    #[error("state {file}: {reason}")]
    State {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A registry failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A restore cannot begin, or failed.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// An image that is no seed image in a way that ends the work.
    #[error("{image}: {reason}")]
    Image {
        /// The image.
        image: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<objects::Error> for Error {
    fn from(error: objects::Error) -> Self {
        match error {
            objects::Error::Value {
                field,
                text,
                reason,
            } => Self::Value {
                field,
                text,
                reason,
            },
            objects::Error::Auth { path, reason } => Self::Auth { path, reason },
        }
    }
}

impl Error {
    /// A value that is refused.
    pub(crate) fn value(field: &'static str, text: &str, reason: impl Into<String>) -> Self {
        Self::Value {
            field,
            text: text.chars().take(300).collect(),
            reason: reason.into(),
        }
    }

    pub(crate) fn reference(field: &'static str, error: &ReferenceError) -> Self {
        Self::value(field, &error.text, error.reason)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Value { field, .. } => return names_hint(field).map(str::to_owned),
            Self::Missing(field) => {
                return Some(format!("give --{field}, or write it into seed.yaml (-c)"));
            }
            Self::Auth { .. } => {
                "make one with `podman login --authfile FILE REGISTRY` for a user who may push"
            }
            Self::HubKubeconfig { .. } => {
                "leave it out: lifecycle-agent reads no hub kubeconfig since February 2024"
            }
            Self::Kustomization { .. } => "name an entry of `resources`, as it is written there",
            Self::Facts { .. } => {
                "`snoforge seed preflight --kubeconfig K --save-facts FILE` writes one"
            }
            Self::State { .. } => {
                "a state file goes with one cluster and one image: name another with --state, or remove one that nobody needs"
            }
            Self::Image { .. } => {
                "a seed image is one image with one layer, as `lca-cli create` pushes it"
            }
            Self::Source(error) => return error.hint.clone(),
            Self::Restore(error) => return error.hint(),
        };
        Some(text.to_owned())
    }
}

fn names_hint(field: &str) -> Option<&'static str> {
    Some(match field {
        "name" => {
            "a cluster name is one DNS label: lower-case letters, digits and inner hyphens, at most 63"
        }
        "domain" => "a base domain is lower-case DNS labels joined by dots, as in sno.example.com",
        "ip" => "write the node's address, as in 10.20.30.5 or fd00::5",
        "wave" => "write a whole number from 1 to 100",
        "seed-image" => "write registry/repository:tag, as in quay.io/org/seed:4.18.27",
        "recert-image" => "write registry/repository:tag or @digest",
        "device" => {
            "`ls -l /dev/disk/by-id /dev/disk/by-path` on the machine tells its stable names"
        }
        "label" => "a partition label has 1 to 36 characters, as in varlibcontainers",
        "start-mib" => {
            "RHCOS needs 25000 MiB and more before the partition; 250000 leaves room for two stateroots"
        }
        _ => return None,
    })
}
