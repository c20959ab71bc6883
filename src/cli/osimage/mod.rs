//! `snoforge osimage`: OS images that are built on the cluster.

mod build;
mod clean;
mod cluster;
mod lint;
mod manifests;
mod precache;
mod predict;
mod render;
mod trial;
mod wanted;
mod watch;

use clap::Subcommand;

use super::context::Context;
use super::exit::{Categorised, Exit, Failure};
use crate::osimage::Error;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Osimage {
    /// Write the objects that ask for an image, from flags or one osimage.yaml.
    Manifests(Box<manifests::Manifests>),
    /// Check a Containerfile as the operator does, and for what cannot work.
    Lint(lint::Lint),
    /// Show what a build works on: the rendered MachineConfig with its files decoded, the Containerfile.
    Render(Box<render::Render>),
    /// Tell name and image tag of a build before there is one.
    Predict(Box<predict::Predict>),
    /// Check everything that a build needs, on a live cluster.
    Preflight(Box<build::Preflight>),
    /// Ask for an image, and follow its build to the end.
    Build(Box<build::Build>),
    /// Follow the build that is going on; tells the digested pull spec, or why it failed.
    Watch(watch::Watch),
    /// Tell where the build and its rollout stand.
    Status(watch::Status),
    /// Follow the image until every node of the pool booted it.
    Rollout(watch::RolloutFlags),
    /// Remove what failed builds left, in the order that works, and ask for the build again.
    Clean(clean::Clean),
    /// Put a built OS image onto the data disk, and write the manifests that make the first boot take it.
    Precache(Box<precache::Precache>),
}

impl Osimage {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Manifests(args) => args.run(context),
            Self::Lint(args) => args.run(context),
            Self::Render(args) => args.run(context),
            Self::Predict(args) => args.run(context),
            Self::Preflight(args) => args.run(context),
            Self::Build(args) => args.run(context),
            Self::Watch(args) => args.run(context),
            Self::Status(args) => args.run(context),
            Self::Rollout(args) => args.run(context),
            Self::Clean(args) => args.run(context),
            Self::Precache(args) => args.run(context),
        }
    }
}

impl Categorised for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Unpredictable(_) => Exit::Unsupported,
            Self::Object(_) | Self::Missing(_) | Self::File { .. } => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}

/// A finding in a file of values as the failure that it is.
fn config_failure(finding: &crate::config::Finding) -> Failure {
    let message = if finding.at.line == 0 {
        finding.message.clone()
    } else {
        finding.to_string()
    };
    Failure {
        exit: Exit::Usage,
        message,
        hint: finding.hint.clone(),
    }
}
