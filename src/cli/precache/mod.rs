//! `snoforge precache`: the data disk.

pub(super) mod cached;
mod contents;
mod copy;
mod delta;
pub(super) mod download;
mod export;
pub(super) mod file;
pub(super) mod finish;
pub(super) mod partition;
mod place;
pub(super) mod plan;
pub(in crate::cli) mod published;
mod push;
pub(super) mod serve;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;

pub(super) use contents::Verify;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Precache {
    /// Make and format a data partition at the end of a disk or image file.
    #[command(
        after_help = "Examples:\n  snoforge precache partition -d /dev/sdb -s 298 --dry-run\n  snoforge precache partition -d serial=S4EVNX0N123456 -s 298"
    )]
    Partition(partition::Partition),
    /// Resolve the image set and fetch every image; run again to go on.
    #[command(
        after_help = "Examples:\n  snoforge precache download -r 4.13.1 --acm-version 2.7.4 --mce-version 2.2.4 --parallel 10 -f /mnt\n  snoforge precache download -r 4.13.1 --skip-imageset -f /mnt     (uses /mnt/imageset.yaml as it is)"
    )]
    Download(Box<download::Download>),
    /// Check that the whole inventory is there, byte for byte, and nothing else.
    #[command(
        after_help = "Examples:\n  snoforge precache verify -f /mnt\n  snoforge precache verify -f /mnt --deep --output json"
    )]
    Verify(Verify),
    /// List the images on the disk.
    #[command(after_help = "Example:\n  snoforge precache list -f /mnt")]
    List(contents::List),
    /// Remove what the inventory no longer names.
    #[command(after_help = "Example:\n  snoforge precache prune -f /mnt --dry-run")]
    Prune(contents::Prune),
    /// Copy a data directory onto other disks: only what is missing, all at once, read back.
    #[command(after_help = copy::HELP)]
    Copy(copy::Copy),
    /// What a site's disk lacks of a new image set, for the second visit.
    #[command(
        after_help = "`precache copy DELTA DST` brings it to the site's disk, and refuses a disk that holds something else.\n\nExamples:\n  snoforge precache delta /srv/4.13.1 /srv/4.13.9 -o /mnt/stick\n  snoforge precache copy /mnt/stick /var/mnt/data          (at the site)"
    )]
    Delta(delta::Delta),
    /// Hand images to other tools.
    #[command(
        after_help = "Example:\n  snoforge precache export -f /mnt --format dir-tgz --all -o archives/"
    )]
    Export(export::Export),
    /// Copy the images to a registry.
    #[command(
        after_help = "Example:\n  snoforge precache push -f /mnt registry.factory.example:5000/ocp"
    )]
    Push(push::Push),
    /// Serve the images as a read-only registry.
    #[command(after_help = "Example:\n  snoforge precache serve -f /mnt --listen 127.0.0.1:5000")]
    Serve(serve::Serve),
}

impl Precache {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Partition(args) => args.run(context),
            Self::Download(args) => args.run(context),
            Self::Verify(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::Prune(args) => args.run(context),
            Self::Copy(args) => args.run(context),
            Self::Delta(args) => args.run(context),
            Self::Export(args) => args.run(context),
            Self::Push(args) => args.run(context),
            Self::Serve(args) => args.run(context),
        }
    }
}
