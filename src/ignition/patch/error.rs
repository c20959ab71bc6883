//! Why a config cannot be patched.

use super::super::{Error, data_url};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The config lacks a file that every bootstrap-in-place config has.
    #[error("no bootstrap-in-place config: it has no {path}")]
    NotBootstrapInPlace {
        /// The missing file.
        path: &'static str,
    },
    /// A file that the patch edits does not decode.
    #[error("cannot read {path} of the config")]
    Contents {
        /// The file.
        path: String,
        /// Why.
        source: data_url::Error,
    },
    /// A file that the patch edits is not text.
    #[error("{path} of the config is not UTF-8 text")]
    NotText {
        /// The file.
        path: String,
    },
    /// The command line that writes the disk is not where it must be.
    #[error("{path}: {problem}")]
    InstallLine {
        /// The script.
        path: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The Butane file cannot be edited.
    #[error("{path}:{line}: {problem}")]
    Butane {
        /// The Butane file.
        path: &'static str,
        /// The line, from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The registries configuration of the config cannot be read.
    #[error("{path} of the config: {problem}")]
    Registries {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// An option holds a value that cannot be right.
    #[error("{option}: `{value}` is not {expected}")]
    Option {
        /// The option, as its flag.
        option: &'static str,
        /// The value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The model refuses an edit.
    #[error("cannot edit the config")]
    Edit(#[from] Error),
}

impl PatchError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotBootstrapInPlace { .. } => Some(
                "use bootstrap-in-place-for-live-iso.ign as `openshift-install create single-node-ignition-config` writes it"
                    .to_owned(),
            ),
            Self::Contents { .. } | Self::NotText { .. } => {
                Some("`snoforge ignition validate FILE` shows what else does not decode".to_owned())
            }
            Self::InstallLine { .. } => Some(
                "the script differs from every known release; report it, and give it a plain `coreos-installer install … DEVICE` line"
                    .to_owned(),
            ),
            Self::Butane { .. } => Some(
                "write its lists as indented lines (`- path: …`), as the installer does".to_owned(),
            ),
            Self::Registries { .. } => {
                Some("write it as containers-registries.conf(5) version 2".to_owned())
            }
            Self::Option { .. } => None,
            Self::Edit(source) => source.hint(),
        }
    }
}
