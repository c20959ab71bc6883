//! `snoforge seed`: manifests of a seed cluster, its requirements, and the image that comes of it.

mod create;
mod facts;
mod follow;
mod manifests;
mod outcome;
mod precache;
mod preflight;
mod pull_secret;
mod restore;
mod status;
mod verify;

use clap::{Subcommand, ValueEnum};

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use super::findings::{findings_text, printable, unmet};
use super::registry::category;
use crate::seed::Error;
use crate::seed::preflight::Purpose;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Seed {
    /// Write the manifests of a seed cluster, from flags or one seed.yaml.
    #[command(subcommand)]
    Manifests(Box<manifests::Manifests>),
    /// Check every requirement on a seed cluster at once.
    Preflight(preflight::Preflight),
    /// Make the image: preflight, apply, watch through the reboot, verify.
    Create(Box<create::Create>),
    /// Tell how a seed generation stands, and follow it to its end.
    Status(status::Status),
    /// Put the saved pull secret back into the cluster.
    RestorePullSecret(pull_secret::Restore),
    /// Check a published seed image, and whether a target takes it.
    Verify(verify::Verify),
    /// List the images inside a seed image, as a target pulls them.
    PrecacheList(precache::PrecacheList),
    /// Restore a seed image into a sysroot, offline if it is on the data disk.
    Restore(restore::Restore),
}

impl Seed {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Manifests(verb) => verb.run(context),
            Self::Preflight(args) => args.run(context),
            Self::Create(args) => args.run(context),
            Self::Status(args) => args.run(context),
            Self::RestorePullSecret(args) => args.run(context),
            Self::Verify(args) => args.run(context),
            Self::PrecacheList(args) => args.run(context),
            Self::Restore(args) => args.run(context),
        }
    }
}

/// `--for`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum For {
    /// Image-Based Upgrade.
    #[default]
    Ibu,
    /// Image-Based Installation.
    Ibi,
}

impl From<For> for Purpose {
    fn from(purpose: For) -> Self {
        match purpose {
            For::Ibu => Self::Upgrade,
            For::Ibi => Self::Install,
        }
    }
}

impl Categorised for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Source(error) => category(error.kind),
            Self::Image { .. } => Exit::Verification,
            Self::Restore(error) => error.category().into(),
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.advice(),
            _ => self.hint(),
        }
    }
}
