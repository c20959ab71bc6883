//! `snoforge imageset`: what has to be on the disk.

pub(super) mod check;
mod diff;
mod init;
mod listing;
mod releases;
pub(super) mod resolve;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;

pub(super) use init::TemplateFlags;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Imageset {
    /// Write an imageset.yaml for a release.
    #[command(
        after_help = "Example:\n  snoforge imageset init -r 4.13.1 --acm-version 2.7.4 --mce-version 2.2.4 -o imageset.yaml"
    )]
    Init(init::Init),
    /// Work out and pin every image: inventory.json and the field's text files.
    #[command(after_help = "Example:\n  snoforge imageset resolve -c imageset.yaml -o inventory/")]
    Resolve(resolve::Resolve),
    /// Parse and validate an image set without any network.
    Check(check::Check),
    /// Show what the operator filter selects, catalog by catalog.
    Bundles(listing::Bundles),
    /// List packages, channels and versions of a catalog.
    Operators(listing::Operators),

    /// List the releases of an update channel with their payloads.
    Releases(releases::Releases),
    /// Show what a new inventory adds, drops and costs.
    Diff(diff::Diff),
}

impl Imageset {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Init(args) => args.run(context),
            Self::Resolve(args) => args.run(context),
            Self::Check(args) => args.run(context),
            Self::Bundles(args) => args.run(context),
            Self::Operators(args) => args.run(context),

            Self::Releases(args) => args.run(context),
            Self::Diff(args) => args.run(context),
        }
    }
}
