//! `node finish`: show what goes, take it away.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Categorised, Exit, Failure, chain};
use crate::ignition::patch::Footprint;
use crate::node::finish::{FinishError, Leftovers, leftovers};
use crate::ui::format;

/// Flags of `finish`.
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// Work on the system below this directory, without its service manager.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Print what would be done and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Finish {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let left = leftovers(&self.root, &Footprint::installed())?;
        if !self.dry_run {
            self.take_away(context, &left)?;
        }
        let document = json!({"dryRun": self.dry_run, "units": left.units, "files": left.files});
        context.result(&document, || self.text(&left))
    }

    fn take_away(&self, context: &Context, left: &Leftovers) -> Result<(), Failure> {
        let live = self.root == Path::new("/");
        if live {
            left.stop()?;
        }
        left.remove()?;
        if live && !left.files.is_empty() {
            left.reload().unwrap_or_else(|e| context.warn(&chain(&e)));
        }
        Ok(())
    }

    fn text(&self, left: &Leftovers) -> String {
        if left.files.is_empty() {
            return "nothing of the installation is left".to_owned();
        }
        let (stop, remove) = if self.dry_run {
            ("would stop", "would remove")
        } else {
            ("stopped", "removed")
        };
        let units = left.units.iter().map(|unit| format!("{stop} {unit}"));
        let files = left
            .files
            .iter()
            .map(|file| format!("{remove} {}", file.display()));
        let mut lines: Vec<_> = units.chain(files).collect();
        let count = format::count(left.files.len() as u64, "file");
        lines.push(format!(
            "{remove} {count}; the data partition stays as it is"
        ));
        lines.join("\n")
    }
}

impl Categorised for FinishError {
    fn exit(&self) -> Exit {
        match self {
            Self::Io { .. } => Exit::Io,
            Self::Manager { .. } => Exit::Environment,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(self.hint().to_owned())
    }
}
