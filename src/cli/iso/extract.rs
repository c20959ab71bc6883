//! `iso extract`: files out of the ISO.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::Input;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::iso::iso9660::Entry;
use crate::iso::{IsoError, LiveIso, Medium, extract};

/// Flags of `extract`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Extract {
    #[command(subcommand)]
    kind: Option<Kind>,
    /// Live ISO: a file, or a device that it was written to.
    #[arg(value_name = "ISO", required = true)]
    iso: Option<PathBuf>,
    /// Files or directories in the ISO; everything when absent.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Directory for the files; made when absent.
    #[arg(short, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Kernel, initramfs and root filesystem for network boot, named after the ISO.
    Pxe {
        #[command(flatten)]
        input: Input,
        /// Directory for the files; made when absent.
        #[arg(short, long = "output-dir", value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
}

const PXE: &str = "images/pxeboot/";

impl Extract {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(Kind::Pxe { input, out }) = self.kind {
            return pxe(context, &input, &out);
        }
        let input = Input {
            iso: self.iso.unwrap_or_default(),
        };
        let (medium, iso) = input.open(context)?;
        let all = iso.volume.walk(&medium)?;
        let mut chosen = Vec::new();
        for wanted in &self.files {
            let wanted = wanted.trim_matches('/');
            let before = chosen.len();
            chosen.extend(all.iter().filter(|(path, entry)| {
                let below = path.strip_prefix(wanted);
                !entry.is_dir && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }));
            if chosen.len() == before {
                return Err(IsoError::NoSuchFile(wanted.to_owned()).into());
            }
        }
        if self.files.is_empty() {
            chosen.extend(all.iter().filter(|(_, entry)| !entry.is_dir));
        }
        let named = chosen
            .into_iter()
            .map(|(path, entry)| (path.clone(), entry));
        write(context, &medium, named, &self.out)
    }
}

fn pxe(context: &Context, input: &Input, out: &Path) -> Result<(), Failure> {
    let (medium, iso): (Medium, LiveIso) = input.open(context)?;
    let all = iso.volume.walk(&medium)?;
    let stem = input.iso.file_stem().unwrap_or_default().to_string_lossy();
    let named = all.iter().filter_map(|(path, entry)| {
        let name = path.strip_prefix(PXE).filter(|name| !name.contains('/'))?;
        (!entry.is_dir).then(|| (format!("{stem}-{name}"), entry))
    });
    write(context, &medium, named, out)
}

fn write<'a>(
    context: &Context,
    medium: &Medium,
    files: impl Iterator<Item = (String, &'a Entry)>,
    out: &Path,
) -> Result<(), Failure> {
    let mut written = Vec::new();
    for (name, entry) in files {
        let path = extract(medium, entry, out, &name)?;
        written.push(path.display().to_string());
    }
    if written.is_empty() {
        return Err(Failure::new(Exit::Usage, "the ISO has no such files"));
    }
    context.result(&json!({"files": written}), || written.join("\n"))
}
