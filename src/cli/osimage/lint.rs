//! `osimage lint`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::findings::{findings_text, unmet};
use crate::osimage::Era;
use crate::osimage::containerfile::{images, lint};

/// Bytes that are read of a Containerfile: more is none.
const MAX_BYTES: u64 = 4 << 20;

/// `--api`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Api {
    /// MachineOSConfig.
    #[default]
    V1,
    /// The ConfigMaps of OpenShift 4.14.
    #[value(name = "4.14")]
    V414,
}

impl From<Api> for Era {
    fn from(api: Api) -> Self {
        match api {
            Api::V1 => Self::V1,
            Api::V414 => Self::V414,
        }
    }
}

/// Flags of `lint`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 it works (there may be warnings), 7 it does not.\n\nExamples:\n  snoforge osimage lint Containerfile\n  snoforge osimage lint Containerfile --output json | jq -r '.findings[] | .object + \" \" + .rule'"
)]
pub(crate) struct Lint {
    /// The Containerfile.
    file: PathBuf,
    /// Whose limits count.
    #[arg(long, value_enum, default_value_t, value_name = "VERSION")]
    api: Api,
}

impl Lint {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let text = read(&self.file)?;
        let name = self.file.display().to_string();
        let findings = lint::lint(&name, &text, self.api.into());
        let document = json!({"file": name, "findings": findings, "images": images(&text)});
        context.result(&document, || {
            if findings.is_empty() {
                format!("{name}: nothing is wrong")
            } else {
                findings_text(&findings)
            }
        })?;
        unmet(&findings, &name)
    }
}

/// The text of a Containerfile.
///
/// # Errors
/// It cannot be read, is no text, or is far too large for one.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = fs_err::File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut file = file.take(MAX_BYTES + 1);
    file.read_to_string(&mut text).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => {
            Failure::new(Exit::Usage, format!("{}: it is no text", path.display()))
        }
        _ => unreadable(path, &e),
    })?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!(
            "{}: more than 4 MiB, no Containerfile is that large",
            path.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(text)
}
