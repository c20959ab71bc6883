//! `seed restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{findings_text, printable};
use crate::cli::context::{Context, block_on};
use crate::cli::exit::Failure;
use crate::cli::global::RegistryFlags;
use crate::oci::{ImageSource, Reference};
use crate::seed::image;
use crate::seed::restore::{Plan, RestoreError, Restored, restore};
use crate::seed::{Error, Finding};
use crate::store::Store;
use crate::ui::{format, table};

/// Flags of `restore`.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs root, ostree and GNU tar. The layer is read once, checked while it is unpacked, and stored nowhere; repository, deployments and boot entries are touched only when it is good. What fails is taken back, what was killed is taken back by the next run. A stateroot that is there, whole and of the same image, is left as it is (exit 0).\n\nExamples:\n  mount /dev/disk/by-partlabel/root /mnt && mount /dev/disk/by-partlabel/boot /mnt/boot\n  snoforge seed restore quay.io/org/seed:4.18.27 --sysroot /mnt --version 4.18.27\n  snoforge seed restore quay.io/org/seed:4.18.27 --sysroot /mnt --from /var/mnt/data"
)]
pub(crate) struct Restore {
    /// The seed image.
    image: Reference,
    /// The target's mounted root filesystem, with its boot partition at DIR/boot.
    #[arg(long, value_name = "DIR")]
    sysroot: PathBuf,
    /// Take the image from this data directory (`precache download --img`) instead of a registry.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Refuse an image of another version.
    #[arg(long = "version", value_name = "X.Y.Z")]
    expected: Option<String>,
    /// Print what would be done and stop.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Restore {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (source, _lock): (Box<dyn ImageSource>, _) = match &self.from {
            Some(dir) => {
                let store = Store::open(dir)?;
                let lock = store.lock_shared()?;
                (Box::new(store), lock)
            }
            None => (Box::new(self.registry.client()?), None),
        };
        let seed = block_on(async { Ok(image::inspect(source.as_ref(), &self.image).await?) })?;
        let plan = Plan::new(&seed, &self.sysroot, self.expected.as_deref())
            .map_err(|e| failed(context, e))?;
        context.say(&plan_text(&plan));
        if plan.is_tight() {
            context.warn("a layer unpacks to two to three times its size: it may not fit");
        }
        if self.dry_run {
            let document = json!({"dry_run": true, "already_restored": plan.done, "plan": plan, "restored": null});
            return context.result(&document, || "nothing was done".to_owned());
        }
        // One that is done already too: a kill after the last step leaves a file or two to remove.
        let reporter = context.reporter.as_ref();
        let restored = block_on(async {
            let restored = restore(source.as_ref(), &seed, &plan, reporter).await;
            restored.map_err(|e| failed(context, e))
        })?;
        let document = json!({
            "dry_run": false, "already_restored": restored.is_none(), "plan": plan, "restored": restored,
        });
        context.result(&document, || match &restored {
            Some(restored) => restored_text(restored),
            None => "already restored".to_owned(),
        })
    }
}

/// What is wrong with an image is said whole, before the one sentence.
fn failed(context: &Context, error: Error) -> Failure {
    if let Error::Restore(RestoreError::Unfit(findings)) = &error {
        let findings: &[Finding] = findings;
        context.say(&findings_text(findings));
    }
    error.into()
}

fn plan_text(plan: &Plan) -> String {
    let mut rows = vec![
        ("Image", plan.image.clone()),
        ("Digest", plan.digest.to_string()),
        ("To Read", format::bytes(plan.layer_bytes)),
        ("Sysroot", plan.sysroot.display().to_string()),
        ("Free", format::bytes(plan.free_bytes)),
        ("New Stateroot", plan.stateroot.clone()),
        ("OpenShift", plan.version.clone()),
    ];
    if let Some(stateroot) = &plan.interrupted {
        rows.push((
            "Taken Back First",
            format!("{stateroot}, which was interrupted"),
        ));
    }
    printable(&table::summary(&rows))
}

fn restored_text(restored: &Restored) -> String {
    let mut rows = vec![
        ("Deployment", restored.deployment.clone()),
        ("Directory", restored.directory.display().to_string()),
        ("Kernel Arguments", restored.kernel_arguments.join(" ")),
        (
            "Deleted in etc",
            format::count(restored.deleted as u64, "file"),
        ),
    ];
    if !restored.not_there.is_empty() {
        rows.push(("Not There to Delete", restored.not_there.join(", ")));
    }
    printable(&format!("{}\n\nrestored", table::summary(&rows)))
}
