//! `snoforge osimage`: OS images that are built on the cluster.

mod precache;

use clap::Subcommand;

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use crate::osimage::Error;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Osimage {
    /// Put a built OS image onto the data disk, and write the manifests that make the first boot take it.
    Precache(Box<precache::Precache>),
}

impl Osimage {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Precache(args) => args.run(context),
        }
    }
}

impl Categorised for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Value { .. } => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
