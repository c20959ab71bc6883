//! `snoforge disk`: which disks there are, and images onto them.

mod choose;
mod list;
mod write;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;

pub(super) use choose::choose_one;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Disk {
    /// List the disks: model, serial, size, transport, what is on them, who uses them.
    #[command(
        after_help = "As root it also tells what is on each disk.\n\nExamples:\n  snoforge disk list\n  snoforge disk list --output json | jq -r '.[] | select(.device.uses == []) | .device.path'"
    )]
    List(list::List),
    /// Write one image onto one or many disks at once, and read it back.
    #[command(after_help = write::HELP)]
    Write(write::Write),
}

impl Disk {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context),
            Self::Write(args) => args.run(context),
        }
    }
}
