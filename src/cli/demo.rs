//! `snoforge demo`.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::exit::Failure;

/// Flags of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  snoforge demo out/")]
pub(super) struct Demo {
    /// Directory for the results; made when absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

impl Demo {
    /// Runs the sample.
    ///
    /// # Errors
    /// Any step fails.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        crate::demo::run(context, &self.dir)
    }
}
