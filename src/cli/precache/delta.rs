//! `precache delta`: what a site's disk lacks of a new image set, and nothing else.

use clap::Args;

use super::copy::Copy;
use crate::cli::context::Context;
use crate::cli::exit::Failure;

/// Flags of `delta`.
#[derive(Debug, Args)]
pub(crate) struct Delta {
    /// What the site's disk holds: the data directory of the first visit, or a copy of it.
    #[arg(value_name = "OLD")]
    old: String,
    /// What it should hold.
    #[arg(value_name = "NEW")]
    new: String,
    /// The delta: a data directory without the blobs that OLD has.
    #[arg(short, long, value_name = "DIR")]
    out: String,
    /// Label of the data partition, where a disk is named.
    #[arg(short, long, value_name = "NAME", default_value = "data")]
    label: String,
    /// Print what would be copied and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Delta {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let copy = Copy {
            source: self.new,
            destinations: vec![self.out],
            label: self.label,
            dry_run: self.dry_run,
            base: Some(self.old),
        };
        copy.run(context)
    }
}
