//! What is wrong with a value or a file, before anything is written or sent.

use crate::objects;

/// Why this room cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value or a credential file that cannot be used.
    #[error(transparent)]
    Object(#[from] objects::Error),
    /// A value is needed and not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A file that is none of its kind.
    #[error("{file}: {reason}")]
    File {
        /// The file as the user named it.
        file: String,
        /// What is wrong with it; never quotes secrets.
        reason: String,
    },
    /// The name of a build that cannot be told without the operator's own YAML writer.
    #[error("the build's name cannot be predicted: {0}")]
    Unpredictable(String),
}

impl Error {
    pub(crate) fn file(file: &str, reason: impl Into<String>) -> Self {
        Self::File {
            file: file.to_owned(),
            reason: reason.into(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Object(error @ objects::Error::Auth { .. }) => return error.hint(),
            Self::Object(objects::Error::Value { field, .. }) => {
                return value_hint(field).map(str::to_owned);
            }
            Self::Missing("push-secret-of-stream") => {
                "the builder's secret has another name on each cluster: `oc get secrets -n openshift-machine-config-operator -o name | grep builder-dockercfg` tells it; give --push-secret"
            }
            Self::Missing(field) => {
                return Some(format!(
                    "give --{field}, or write it into osimage.yaml (-f)"
                ));
            }
            Self::File { .. } => return None,
            Self::Unpredictable(_) => {
                "`snoforge osimage status` tells the name once the build is there"
            }
        };
        Some(text.to_owned())
    }
}

fn value_hint(field: &str) -> Option<&'static str> {
    Some(match field {
        "pool" => {
            "name the pool whose nodes are to boot the image: `master` on Single Node OpenShift, any with --multi-node"
        }
        "push-spec" => {
            "write host.with.dot[:port]/namespace/name:tag, as in quay.io/org/os-image:latest"
        }
        "push-secret" | "base-secret" => {
            "name a Secret in the namespace openshift-machine-config-operator"
        }
        "api" => {
            "v1 is for OpenShift 4.16 and later, 4.14 for the developer preview of that release"
        }
        _ => return None,
    })
}
