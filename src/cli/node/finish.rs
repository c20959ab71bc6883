//! `node finish`: show what goes, take it away, and on request give the data partition's space back.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Categorised, Exit, Failure, chain};
use crate::cli::precache::partition::confirm;
use crate::disk::{self, DiskError, Partition, Plan, Populate, Selector, System};
use crate::ignition::patch::Footprint;
use crate::node::finish::{FinishError, Leftovers, leftovers};
use crate::ui::format;

/// Flags of `finish`.
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// Also remove the data partition: everything on it is lost.
    #[arg(long, requires = "device")]
    reclaim: bool,
    /// Disk with the data partition: /dev/…, serial=…, wwn=… or an image file.
    #[arg(short, long, value_name = "DEVICE", requires = "reclaim")]
    device: Option<String>,
    /// Label of the data partition.
    #[arg(short, long, value_name = "NAME", default_value = "data")]
    label: String,
    /// Where the units mount it; the partition must be mounted nowhere else.
    #[arg(
        short = 'f',
        long = "folder",
        value_name = "DIR",
        default_value = "/run/snoforge/data"
    )]
    folder: PathBuf,
    /// Do not ask before the partition is removed.
    #[arg(short, long)]
    yes: bool,
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
        // Refused or confirmed before anything is touched; the units that hold the mount are stopped in between.
        let released = (self.is_live() && !left.units.is_empty()).then_some(self.folder.as_path());
        let plan = self.plan(released)?;
        if let (Some(plan), false) = (&plan, self.dry_run) {
            context.say(&plan.to_string());
            if !self.yes {
                confirm(plan)?;
            }
        }
        if !self.dry_run {
            self.take_away(context, &left)?;
            if let Some(plan) = self.plan(None)? {
                disk::apply(&plan, Populate::Empty, context.reporter.as_ref())?;
            }
        }
        let document = json!({"dryRun": self.dry_run, "units": left.units, "files": left.files, "reclaim": plan});
        context.result(&document, || self.text(&left, plan.as_ref()))
    }

    fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    fn plan(&self, released: Option<&Path>) -> Result<Option<Plan>, Failure> {
        let Some(device) = self.device.as_deref() else {
            return Ok(None);
        };
        let device = disk::find(&System::host(), &Selector::from(device))?;
        let contents = disk::read(&device)?;
        match disk::plan_remove(&device, &contents, &self.label, released) {
            // An earlier run removed it.
            Err(DiskError::KeepNotFound { found: 0, .. }) => Ok(None),
            other => Ok(Some(other?)),
        }
    }

    fn take_away(&self, context: &Context, left: &Leftovers) -> Result<(), Failure> {
        if self.is_live() {
            left.stop()?;
        }
        left.remove()?;
        if self.is_live() && !left.files.is_empty() {
            left.reload().unwrap_or_else(|e| context.warn(&chain(&e)));
        }
        Ok(())
    }

    fn text(&self, left: &Leftovers, plan: Option<&Plan>) -> String {
        let (stop, remove) = if self.dry_run {
            ("would stop", "would remove")
        } else {
            ("stopped", "removed")
        };
        let units = left.units.iter().map(|unit| format!("{stop} {unit}"));
        let files = left.files.iter();
        let files = files.map(|file| format!("{remove} {}", file.display()));
        let mut lines: Vec<_> = units.chain(files).collect();
        if lines.is_empty() {
            lines.push("nothing of the installation is left".to_owned());
        }
        let Some(plan) = plan else {
            lines.push(match &self.device {
                Some(device) => format!("{device} has no partition labelled `{}`", self.label),
                None => "the data partition stays as it is".to_owned(),
            });
            return lines.join("\n");
        };
        if self.dry_run {
            lines.push(plan.to_string().trim_end().to_owned());
        }
        let device = plan.device().path.display();
        lines.extend(plan.destroy().iter().map(|gone| {
            let (number, size) = (gone.number, format::bytes(gone.size_bytes));
            format!(
                "{remove} partition {number} of {device}: {size} {}",
                next(gone, plan.keep())
            )
        }));
        lines.join("\n")
    }
}

/// What can be done with the room: only the partition right before it can grow into it.
fn next(gone: &Partition, kept: &[Partition]) -> String {
    let before = kept.iter().filter(|p| p.start_bytes < gone.start_bytes);
    match before.max_by_key(|p| p.start_bytes) {
        Some(neighbour) => format!(
            "free behind partition {}, which `growpart` and `xfs_growfs` can make larger",
            neighbour.number
        ),
        None => "free".to_owned(),
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
