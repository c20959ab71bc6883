//! `snoforge ignition`: look at, check, compare and patch Ignition configs.

mod certs;
mod create;
mod diff;
mod inspect;
mod patch;
mod validate;

use std::io::Read as _;
use std::path::Path;

use clap::Subcommand;

use super::context::Context;
use super::exit::{Exit, Failure, unreadable};
use crate::ignition::{Config, Error};

pub(super) use create::IGNITION;
pub(super) use patch::PatchFlags;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Ignition {
    /// Write install-config.yaml from a site and let openshift-install make the config of it.
    Create(Box<create::Create>),
    /// Make a stock bootstrap-in-place config install from the data partition, at both boot stages.
    Patch(Box<patch::Patch>),
    /// Show users, files, units, the release image and the install disk; never a secret.
    Inspect(inspect::Inspect),
    /// Check configs; every finding with its JSON pointer.
    Validate(validate::Validate),
    /// List every embedded certificate, or sign the short-lived ones again.
    Certs(certs::Certs),
    /// Compare two configs decoded, file by file; secrets by size and digest only.
    Diff(diff::Diff),
}

impl Ignition {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(args) => args.run(context),
            Self::Patch(args) => args.run(context),
            Self::Inspect(args) => args.run(context),
            Self::Validate(args) => args.run(context),
            Self::Certs(args) => args.run(context),
            Self::Diff(args) => args.run(context),
        }
    }
}

/// The largest config that is read, in bytes; the largest known is 2.3 MB.
const LARGEST: u64 = 128 << 20;

/// Reads a config, `-` from stdin: the bytes as they are, and what they mean.
///
/// # Errors
/// Not readable, too large, or not a config of a supported version.
pub(super) fn load(path: &Path) -> Result<(Vec<u8>, Config), Failure> {
    let bytes = read(path).map_err(|e| unreadable(path, &e))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("{} is larger than {LARGEST} bytes", path.display());
        return Err(Failure::new(Exit::Usage, message).hint("is this an Ignition config?"));
    }
    let config = Config::parse(&bytes).map_err(|error| failure(path, &error))?;
    Ok((bytes, config))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)?;
    } else {
        let file = fs_err::File::open(path)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// An error of the room with the file in front, as `FILE:line:column` where that is known.
pub(super) fn failure(path: &Path, error: &Error) -> Failure {
    let (exit, message) = match error {
        Error::Syntax {
            line,
            column,
            problem,
        } => (
            Exit::Usage,
            format!("{}:{line}:{column}: {problem}", path.display()),
        ),
        Error::Unsupported { .. } | Error::Experimental { .. } | Error::ReadOnly { .. } => {
            (Exit::Unsupported, format!("{}: {error}", path.display()))
        }
        _ => (Exit::Usage, format!("{}: {error}", path.display())),
    };
    Failure {
        exit,
        message: printable(&message),
        hint: error.hint(),
    }
}

/// What a config says, without what would move the cursor or change the terminal.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}
