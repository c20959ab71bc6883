//! `snoforge iso`: look at and change CoreOS live ISOs. Flags are those of `coreos-installer iso`, except that the output is `-o` only:
//! `--output` chooses the form of the result everywhere.

pub(super) mod build;
mod extract;
mod ignition;
mod inspect;
mod kargs;
mod network;
mod reset;
mod sink;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::{Context, env_path};
use super::exit::{Categorised, Exit, Failure};
use super::ignition::printable;
use crate::iso::{IsoError, LiveIso, Medium, write};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Iso {
    /// Make the boot medium of a machine, or of a list of machines.
    Build(Box<build::Build>),
    /// Show what a live ISO is and what is embedded in it.
    Inspect(inspect::Inspect),
    /// The embedded Ignition config.
    #[command(subcommand)]
    Ignition(ignition::Ignition),
    /// The kernel arguments of the live system.
    #[command(subcommand)]
    Kargs(kargs::Kargs),
    /// The embedded `NetworkManager` keyfiles.
    #[command(subcommand)]
    Network(network::Network),
    /// Put everything back as the ISO was made; repairs a half-written or garbled one.
    Reset(reset::Reset),
    /// Copy files out of the ISO.
    Extract(extract::Extract),
}

impl Iso {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Build(args) => args.run(context),
            Self::Inspect(args) => args.run(context),
            Self::Ignition(verb) => verb.run(context),
            Self::Kargs(verb) => verb.run(context),
            Self::Network(verb) => verb.run(context),
            Self::Reset(args) => args.run(context),
            Self::Extract(args) => args.run(context),
        }
    }
}

/// The ISO that a verb looks at.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Live ISO: a file, or a device that it was written to.
    #[arg(value_name = "ISO")]
    iso: PathBuf,
}

impl Input {
    fn open(&self, context: &Context) -> Result<(Medium, LiveIso), Failure> {
        open(context, &self.iso)
    }
}

/// Opens for reading, after taking back a change that was cut off.
fn open(context: &Context, iso: &Path) -> Result<(Medium, LiveIso), Failure> {
    recover(context, iso)?;
    let medium = Medium::open(iso)?;
    let read = LiveIso::read(&medium).map_err(|e| named(iso, e))?;
    Ok((medium, read))
}

/// Why an ISO cannot be read, with its name in front.
fn named(iso: &Path, error: IsoError) -> Failure {
    let mut failure = Failure::from(error);
    failure.message = printable(&format!("{}: {}", iso.display(), failure.message));
    failure
}

/// Takes a change back that was cut off.
pub(super) fn recover(context: &Context, iso: &Path) -> Result<(), Failure> {
    if write::recover(iso, &journal(iso))? {
        context.say(&format!(
            "{}: an interrupted change was taken back",
            iso.display()
        ));
    }
    Ok(())
}

/// Where the journal of an ISO is.
fn journal(iso: &Path) -> PathBuf {
    let home = || env_path("HOME").map(|home| home.join(".local/state"));
    let state = match env_path("XDG_STATE_HOME").or_else(home) {
        Some(dir) => dir.join("snoforge"),
        None => PathBuf::from("/var/lib/snoforge"),
    };
    write::journal_path(iso, &state)
}

impl Categorised for IsoError {
    fn exit(&self) -> Exit {
        self.category().into()
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
