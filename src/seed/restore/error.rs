//! Why a seed image cannot be restored into a sysroot.

use std::io;
use std::path::{Path, PathBuf};

use super::errors;
use crate::exec::ExecError;
use crate::io::Category;
use crate::seed::finding::Finding;

const FULL: &str = "the disk is too small: what was restored is taken back; a layer unpacks to two to three times its size";

/// A restore cannot begin, or failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The image is not good.
    #[error("the seed image is not good: {} found", match errors(.0) { 1 => "1 error".to_owned(), n => format!("{n} errors") })]
    Unfit(Vec<Finding>),
    /// The image is of another version.
    #[error("version specified in seed image ({image}) differs from --version ({expected})")]
    Version {
        /// The image's.
        image: String,
        /// What was asked for.
        expected: String,
    },
    /// The sysroot cannot be used.
    #[error("sysroot {path}: {reason}", path = .path.display())]
    Sysroot {
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: &'static str,
        /// How bad it is.
        category: Category,
    },
    /// It does not fit.
    #[error("sysroot {path} has too little room: at least {need} bytes to write, {have} bytes free", path = .path.display())]
    NoSpace {
        /// The sysroot.
        path: PathBuf,
        /// Bytes of the layer, of which each becomes one or more.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// Not root.
    #[error("a restore keeps owners, modes and labels: only root may")]
    NotRoot,
    /// A program failed.
    #[error("cannot {step}")]
    Program {
        /// The verb and its object.
        step: String,
        /// What the program said.
        source: ExecError,
    },
    /// Labels, ACLs or capabilities are not kept.
    #[error("cannot {step} with all attributes: {said}")]
    Attribute {
        /// The verb and its object.
        step: String,
        /// What tar said.
        said: String,
    },
    /// A program said something unforeseen.
    #[error("cannot {step}: {reason}")]
    Unforeseen {
        /// The verb and its object.
        step: String,
        /// What was expected.
        reason: String,
    },
    /// A file operation failed.
    #[error("cannot {operation} {path}", path = .path.display())]
    Io {
        /// The verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl RestoreError {
    pub(super) fn io(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    pub(super) fn program(step: impl Into<String>) -> impl FnOnce(ExecError) -> Self {
        let step = step.into();
        move |source| Self::Program { step, source }
    }

    /// What sort of failure it is.
    pub fn category(&self) -> Category {
        match self {
            Self::Unfit(_) => Category::Verification,
            Self::Version { .. } => Category::Usage,
            Self::Sysroot { category, .. } => *category,
            Self::NotRoot | Self::Attribute { .. } => Category::Environment,
            Self::Program { source, .. } => match source {
                ExecError::Missing(_) | ExecError::Start { .. } => Category::Environment,
                _ => Category::Io,
            },
            Self::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                Category::Verification
            }
            Self::NoSpace { .. } | Self::Unforeseen { .. } | Self::Io { .. } => Category::Io,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unfit(_) => "nothing was restored; `snoforge seed verify --deep` tells the same",
            Self::Version { .. } => "leave --version out to take what the image has",
            Self::Sysroot { hint, .. } => hint,
            Self::NoSpace { .. } => "use a larger disk; nothing was written there",
            Self::NotRoot => "run it as root",
            Self::Attribute { .. } => {
                "the seed's SELinux labels need a system with the same policy, a permissive one (`setenforce 0`), or one without SELinux; the filesystem must keep extended attributes"
            }
            Self::Program { source, .. } => match source {
                ExecError::Missing(program) => {
                    return Some(format!(
                        "install `{program}` (ostree 2022.7 or newer, GNU tar 1.30 or newer)"
                    ));
                }
                // What tar says of a full disk depends on how much of the block still went there.
                ExecError::Failed { stderr, .. }
                    if ["No space left", "Wrote only"]
                        .iter()
                        .any(|w| stderr.contains(w)) =>
                {
                    FULL
                }
                _ => "what was restored is taken back; the same command begins anew",
            },
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => FULL,
            Self::Unforeseen { .. } | Self::Io { .. } => {
                "what was restored is taken back; the same command begins anew"
            }
        };
        Some(text.to_owned())
    }
}
