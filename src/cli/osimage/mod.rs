//! `snoforge osimage`: OS images that are built on the cluster.

use clap::Subcommand;

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use crate::osimage::Error;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Osimage {}

impl Osimage {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, _context: &Context) -> Result<(), Failure> {
        match self {}
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
