//! `snoforge node`: on the machine itself, offline, from systemd units.

mod finish;
mod load;
mod status;

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
    /// Say whether the data partition is there, the registry answers, and where each image is.
    #[command(
        after_help = "Examples:\n  snoforge node status\n  snoforge node status --folder /mnt --output json\n\nExit code 8: an image is neither in containers-storage nor served, so it would come over the network."
    )]
    Status(status::Status),
    /// End the installation: stop the units and remove what the patch installed; keep or reclaim the data partition.
    #[command(
        after_help = "Examples:\n  snoforge node finish --dry-run\n  snoforge node finish\n  snoforge node finish --reclaim --device /dev/sda --dry-run      (the space of the data partition too)\n\nTime servers (--ntp) and the hostname stay. Running it again does no harm."
    )]
    Finish(finish::Finish),
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
            Self::Status(args) => args.run(context),
            Self::Finish(args) => args.run(context),
        }
    }
}
