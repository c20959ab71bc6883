//! What can go wrong with a config.

use super::version::Version;

/// Reading or editing a config failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not JSON.
    #[error("line {line} column {column}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What the JSON reader says.
        problem: String,
    },
    /// A known key holds a value of the wrong type.
    #[error("{pointer}: must be {expected}, is {found}")]
    Shape {
        /// JSON pointer of the value.
        pointer: String,
        /// The type of the specification.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// `ignition.version` is missing or is no version.
    #[error("/ignition/version: no Ignition spec version")]
    NoVersion,
    /// A version that this program does not know.
    #[error("/ignition/version: spec version {found} is not supported")]
    Unsupported {
        /// The version as written.
        found: String,
    },
    /// An experimental version.
    #[error("/ignition/version: spec version {found} is experimental")]
    Experimental {
        /// The version as written.
        found: String,
    },
    /// An edit of a spec 2 config.
    #[error("spec {version} is read only: only spec 3 configs are edited")]
    ReadOnly {
        /// The version of the config.
        version: Version,
    },
    /// An edit names something that the config does not hold.
    #[error("the config has no {kind} {name}")]
    Missing {
        /// `file` or `unit`.
        kind: &'static str,
        /// Its path or name.
        name: String,
    },
    /// A file is to be set where the config has a directory or a link.
    #[error("{path} is a {kind} in this config, not a file")]
    Taken {
        /// The path.
        path: String,
        /// `directory` or `link`.
        kind: &'static str,
    },
}

impl Error {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Syntax { .. } => {
                "an Ignition config is one JSON object; `jq . FILE` shows where it breaks".to_owned()
            }
            Self::Shape { .. } => {
                "compare with https://coreos.github.io/ignition/specs/ for the config's version".to_owned()
            }
            Self::NoVersion => {
                "a config starts with {\"ignition\": {\"version\": \"3.2.0\"}}; is this the right file?"
                    .to_owned()
            }
            Self::Unsupported { .. } => format!(
                "supported: 3.0.0 to {}, and 2.0.0 to 2.4.0 for reading",
                Version::NEWEST
            ),
            Self::Experimental { .. } => {
                "an experimental spec changes without notice; generate the config with a stable version".to_owned()
            }
            Self::ReadOnly { .. } => {
                "generate the config with the openshift-install of the release; 4.6 and newer write spec 3".to_owned()
            }
            Self::Missing { .. } => "`snoforge ignition inspect FILE` lists what there is".to_owned(),
            Self::Taken { .. } => return None,
        })
    }
}
