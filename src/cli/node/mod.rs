//! `snoforge node`: on the machine itself, offline, from systemd units.

mod load;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;
use super::precache::serve::Serve;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Node {
    /// Serve the images of the data partition as a read-only registry.
    #[command(
        after_help = "Example:\n  snoforge node serve --folder /run/snoforge/data --listen 127.0.0.1:5000"
    )]
    Serve(Serve),
    /// Load the images of a group into containers-storage, under their own names.
    #[command(
        after_help = "Examples:\n  snoforge node load --folder /run/snoforge/data --group ai      (the live stage)\n  snoforge node load --folder /run/snoforge/data --group ocp     (the installed stage)\n\nWhat is in storage already is skipped. An image that fails is tried again; what cannot be loaded is\nlisted at the end, with exit code 8: run the same command again to go on."
    )]
    Load(load::Load),
}

impl Node {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Serve(args) => args.run(context),
            Self::Load(args) => args.run(context),
        }
    }
}
