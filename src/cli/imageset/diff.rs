//! `imageset diff`: what a new inventory adds, drops and costs.

use std::path::{Path, PathBuf};

use clap::Args;

use super::resolve::read_lock;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::inventory::lock::Inventory;
use crate::inventory::{self};
use crate::ui::format;

/// Flags of `diff`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  snoforge imageset diff /mnt/inventory.json new/inventory.json")]
pub(crate) struct Diff {
    /// The inventory that is there.
    old: PathBuf,
    /// The inventory that is wanted.
    new: PathBuf,
}

impl Diff {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let diff = inventory::diff(&load(&self.old)?, &load(&self.new)?);
        context.result(&diff, || {
            let mut lines: Vec<_> = diff.added.iter().map(|line| format!("+ {line}")).collect();
            lines.extend(diff.dropped.iter().map(|line| format!("- {line}")));
            lines.push(format!(
                "{} added ({} to fetch), {} dropped ({} to free), {} kept",
                diff.added.len(),
                format::bytes(diff.fetch_bytes),
                diff.dropped.len(),
                format::bytes(diff.freed_bytes),
                diff.kept
            ));
            lines.join("\n")
        })
    }
}

fn load(path: &Path) -> Result<Inventory, Failure> {
    read_lock(path)?
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{} does not exist", path.display())))
}
