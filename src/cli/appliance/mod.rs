//! `snoforge appliance`: one stick with the live ISO and the data partition. Plan, question, data partition, what boots.

mod confirmed;
mod make;
mod plan;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use super::precache::plan::{DataDir, expected};
use crate::appliance::{ApplianceError, Boots, Live};
use crate::disk::Filesystem;
use crate::progress::{Reporter, Silent};
use crate::store::Depth;
use plan::{Plan, Target};

/// What `--help` says after the flags.
pub(super) const HELP: &str = "\
The stick has three partitions: one that UEFI boots, the ISO, and the data partition at the end. BIOS boots the ISO's own ISOLINUX.
-o FILE makes an image for `disk write`, without root, mode 0600; it has its name only when it is whole; its boot partitions are read \
back, its data when `disk write` writes it. -o DISK asks, makes and fills the data \
partition, and writes what boots last, after everything else was read back: a half made stick boots nowhere. The same line goes on \
after a pulled stick or Ctrl-C, and brings a stick that is there up to date: another ISO, more images.
The data directory is verified first: every byte for FILE, presence and sizes for DISK, whose copy is hashed while it is made.

Examples:
  snoforge appliance --iso sno1.iso -f /srv/4.13.1 -o stick.img
  snoforge appliance --iso sno1.iso -f /srv/4.13.1 -o serial=S4EVNX0N123456 --wipe
  snoforge appliance --iso sno1.iso -f /srv/4.13.1 -o /dev/sdb --dry-run";

/// Flags of `appliance`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the command line"
)]
pub(crate) struct Appliance {
    /// The site's live ISO, as `iso build` made it.
    #[arg(long, value_name = "ISO")]
    iso: PathBuf,
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// An image file, or a disk: /dev/…, serial=…, wwn=…; asked for when it is not named.
    #[arg(short, long = "out", value_name = "FILE|DISK")]
    out: Option<String>,
    /// Size of the data partition in GiB; what the data take when it is not given.
    #[arg(short, long, value_name = "GiB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    size: Option<u64>,
    /// Label of the data partition, as in `iso build --label`.
    #[arg(short, long, value_name = "NAME", default_value = "data")]
    label: String,
    /// Filesystem of the data partition.
    #[arg(long, value_enum, default_value_t)]
    fs: Fs,
    /// Boot by UEFI alone: for an ISO without ISOLINUX.
    #[arg(long)]
    uefi_only: bool,
    /// Make a new partition table: everything on the disk is lost. A file that is there is replaced.
    #[arg(long)]
    wipe: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
}

/// `--fs`: those that have directories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Fs {
    /// By mkfs.xfs.
    #[default]
    Xfs,
    /// By mke2fs.
    Ext4,
}

impl Fs {
    fn filesystem(self) -> Filesystem {
        match self {
            Self::Xfs => Filesystem::Xfs,
            Self::Ext4 => Filesystem::Ext4,
        }
    }
}

impl Appliance {
    /// Runs the verb.
    ///
    /// # Errors
    /// The ISO, the data directory or the target cannot be used; making fails or is interrupted.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let target = Target::find(self.out.as_deref(), context)?;
        let live = self.live(context)?;
        let plan = Plan::new(&self, &live, target)?;
        self.verify(context, Depth::Quick)?;
        if self.dry_run {
            return context.result(&json!({"plan": plan, "made": null}), || plan.to_string());
        }
        context.say(&plan.to_string());
        if !self.yes {
            plan.confirm()?;
        }
        if matches!(plan.target, Target::File(_)) {
            // The program that copies them into a new filesystem hashes nothing.
            self.verify(context, Depth::Digests)?;
        }
        let made = make::run(&self, context, &live, &plan)?;
        context.result(&json!({"plan": plan, "made": made}), || made.text(&plan))
    }

    fn live(&self, context: &Context) -> Result<Live, Failure> {
        super::iso::recover(context, &self.iso)?;
        let boots = if self.uefi_only {
            Boots::Uefi
        } else {
            Boots::BiosAndUefi
        };
        let live = Live::read(&self.iso, boots).map_err(|error| {
            let failure = Failure::from(error);
            Failure {
                message: format!("{}: {}", self.iso.display(), failure.message),
                ..failure
            }
        })?;
        if !live.has_ignition {
            let iso = self.iso.display();
            context.warn(&format!(
                "{iso} has no Ignition config: the stick boots and installs nothing; `snoforge iso build` embeds one"
            ));
        }
        Ok(live)
    }

    /// Asks as `precache verify` does.
    fn verify(&self, context: &Context, depth: Depth) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = data.inventory()?;
        let wanted = expected(&inventory);
        // Sizes are looked at in no time.
        let reporter: &dyn Reporter = match depth {
            Depth::Quick => &Silent,
            Depth::Digests | Depth::Deep => context.reporter.as_ref(),
        };
        let report = data.store.verify(&wanted, depth, reporter);
        let Some(first) = report.findings.first() else {
            return Ok(());
        };
        let folder = self.folder.display();
        let message = format!("{folder} is not whole: {first}");
        let hint = format!(
            "`snoforge precache verify -f {folder}` names everything; `precache download` fetches what is missing, `precache prune` drops what is extra"
        );
        Err(Failure::new(Exit::Verification, message).hint(hint))
    }
}

impl Categorised for ApplianceError {
    fn exit(&self) -> Exit {
        self.category().into()
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
