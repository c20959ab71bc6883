//! `precache partition`: show the plan, ask, apply.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;

use crate::cli::confirm::typed;
use crate::cli::context::Context;
use crate::cli::disk::choose_one;
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::disk::{
    self, Device, DiskError, Filesystem, Label, Plan, Populate, Request, Selector, System,
};

/// Flags of `partition`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the command line"
)]
#[command(group = ArgGroup::new("what").args(["size", "reset"]))]
pub(crate) struct Partition {
    /// Disk: /dev/…, serial=…, wwn=… or an image file; asked for when it is not named.
    #[arg(short, long, value_name = "DEVICE")]
    device: Option<String>,
    /// Size of the partition in GiB.
    #[arg(short, long, value_name = "GiB", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    size: u64,
    /// Number of the partition.
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    number: u32,
    /// Label of the partition and of its filesystem.
    #[arg(short, long, value_name = "NAME", default_value = "data")]
    label: String,
    /// Filesystem.
    #[arg(long, value_enum, default_value_t)]
    fs: Fs,
    /// Make a new partition table: everything on the disk is lost.
    #[arg(long)]
    wipe: bool,
    /// Remove every partition but the one named by --keep.
    #[arg(long, requires = "keep")]
    reset: bool,
    /// Label of the partition that --reset keeps, byte for byte.
    #[arg(long, value_name = "LABEL", requires = "reset")]
    keep: Option<String>,
    /// Fill the new filesystem with what is in this directory; in an image file this needs no root.
    #[arg(long, value_name = "DIR", conflicts_with = "reset")]
    populate: Option<PathBuf>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
}

/// `--fs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Fs {
    /// By mkfs.xfs.
    #[default]
    Xfs,
    /// By mke2fs.
    Ext4,
    /// FAT32.
    Vfat,
}

impl Partition {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let device = match &self.device {
            Some(text) => disk::find(&System::host(), &Selector::from(text.as_str()))?,
            None => choose_one(context, "--device")?,
        };
        let plan = match self.plan(&device) {
            Err(DiskError::NothingToRemove { path, label }) => {
                let document = json!({"plan": null, "applied": null});
                return context.result(&document, || {
                    let path = path.display();
                    format!("{path}: ready for a retry: there is no partition besides `{label}`, nothing was changed")
                });
            }
            other => other?,
        };
        if self.dry_run {
            return context.result(&json!({"plan": plan, "applied": null}), || plan.to_string());
        }
        context.say(&plan.to_string());
        if !self.yes {
            confirm(&plan)?;
        }
        let populate = self
            .populate
            .as_deref()
            .map_or(Populate::Empty, Populate::From);
        let applied = disk::apply(&plan, populate, context.reporter.as_ref())?;
        context.result(
            &json!({"plan": plan, "applied": applied}),
            || match &applied.partition {
                Some(made) => {
                    let place = made.node.as_ref().map_or_else(
                        || applied.device.display().to_string(),
                        |n| n.display().to_string(),
                    );
                    format!(
                        "{place}: partition {} made and formatted, PARTUUID {}",
                        made.number, made.guid
                    )
                }
                None => format!("{}: partitions removed", applied.device.display()),
            },
        )
    }

    /// The change of a disk.
    ///
    /// # Errors
    /// Every refusal of the plan.
    pub(in crate::cli) fn plan(&self, device: &Device) -> Result<Plan, DiskError> {
        let contents = disk::read(device)?;
        if let Some(keep) = &self.keep {
            return disk::plan_reset(device, &contents, keep);
        }
        let request = Request {
            size_mib: self.size * 1024,
            number: self.number,
            label: self.label.parse::<Label>()?,
            filesystem: match self.fs {
                Fs::Xfs => Filesystem::Xfs,
                Fs::Ext4 => Filesystem::Ext4,
                Fs::Vfat => Filesystem::Vfat,
            },
            wipe: self.wipe,
        };
        disk::plan(device, &contents, &request)
    }
}

/// Asks for a typed `yes`; where partitions are lost, for the device's name, which nobody types by habit.
pub(in crate::cli) fn confirm(plan: &Plan) -> Result<(), Failure> {
    let path = plan.device().path.as_path();
    if plan.destroy().is_empty() {
        return typed("yes");
    }
    typed(&name(path))
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    )
}

impl Categorised for DiskError {
    fn exit(&self) -> Exit {
        self.category().into()
    }

    fn advice(&self) -> Option<String> {
        self.hint().map(ToString::to_string)
    }
}
