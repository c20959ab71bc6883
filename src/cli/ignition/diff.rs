//! `ignition diff`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{load, printable};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::ignition::diff;

/// Flags of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Order of entries and the way contents are encoded do not count. Exit code 0 whether they differ or not.\n\nExample:\n  snoforge ignition diff stock.ign patched.ign"
)]
pub(crate) struct Diff {
    /// The first config; `-` for stdin.
    a: PathBuf,
    /// The second config.
    b: PathBuf,
}

impl Diff {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, a) = load(&self.a)?;
        let (_, b) = load(&self.b)?;
        let differences = diff::diff(&a, &b);
        let document = json!({"same": differences.is_empty(), "differences": differences});
        context.result(&document, || {
            let lines: Vec<_> = differences.iter().map(ToString::to_string).collect();
            if lines.is_empty() {
                "no difference".to_owned()
            } else {
                printable(&lines.join("\n"))
            }
        })
    }
}
