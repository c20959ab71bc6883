//! What can be wrong with a file of a store.

use std::fmt;
use std::path::PathBuf;

use crate::oci::Digest;

/// What is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It has another size.
    WrongSize {
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// It has the right size and other bytes.
    WrongDigest {
        /// What its bytes hash to.
        found: Digest,
    },
    /// It cannot be read.
    Unreadable {
        /// The operating system's reason.
        reason: String,
    },
    /// Nothing names it.
    Extra {
        /// Its size.
        bytes: u64,
    },
    /// A blob that a download did not finish.
    Unfinished {
        /// What is there of it.
        bytes: u64,
    },
    /// A manifest, an index or an image configuration that does not parse.
    Malformed {
        /// Why.
        reason: String,
    },
    /// The manifest names a blob that is not expected (and so not checked).
    Unexpected {
        /// The blob.
        named: Digest,
    },
    /// A layer that does not decompress.
    Undecodable {
        /// Why.
        reason: String,
    },
    /// A layer that decompresses to something else than the image configuration says.
    WrongDiffId {
        /// The configuration.
        config: Digest,
        /// Its word.
        expected: Digest,
        /// What the layer is.
        found: Digest,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::WrongSize { expected, found } => {
                write!(f, "{found} bytes instead of {expected}")
            }
            Self::WrongDigest { found } => write!(f, "wrong bytes: digest {found}"),
            Self::Unreadable { reason } => write!(f, "unreadable: {reason}"),
            Self::Extra { bytes } => write!(f, "nothing names it ({bytes} bytes)"),
            Self::Unfinished { bytes } => write!(f, "unfinished ({bytes} bytes)"),
            Self::Malformed { reason } => write!(f, "malformed: {reason}"),
            Self::Unexpected { named } => write!(f, "names {named}, which is not in the inventory"),
            Self::Undecodable { reason } => write!(f, "does not decompress: {reason}"),
            Self::WrongDiffId {
                config,
                expected,
                found,
            } => write!(
                f,
                "decompresses to {found}, configuration {config} says {expected}"
            ),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the data directory.
    pub path: PathBuf,
    /// The blob or manifest it should be, for finding the images that need it.
    pub digest: Option<Digest>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}
