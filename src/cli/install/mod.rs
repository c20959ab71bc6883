//! `snoforge install`: the installation of a machine, seen from the workstation.

mod outcome;
mod watch;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Install {
    /// Follow a bootstrap-in-place installation to its end, and name the traps on the way.
    Watch(watch::Watch),
}

impl Install {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Watch(args) => args.run(context),
        }
    }
}
