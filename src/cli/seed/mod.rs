//! `snoforge seed`: manifests of a seed cluster.

mod manifests;

use clap::Subcommand;

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use super::registry::category;
use crate::seed::Error;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Seed {
    /// Write the manifests of a seed cluster, from flags or one seed.yaml.
    #[command(subcommand)]
    Manifests(Box<manifests::Manifests>),
}

impl Seed {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Manifests(verb) => verb.run(context),
        }
    }
}

impl Categorised for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Source(error) => category(error.kind),
            Self::Image { .. } => Exit::Verification,
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.advice(),
            _ => self.hint(),
        }
    }
}
