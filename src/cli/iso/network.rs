//! `iso network embed|extract|remove`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::Input;
use super::sink::Target;
use crate::cli::context::{Context, raw};
use crate::cli::exit::{Exit, Failure};
use crate::iso::{Change, Changes, IsoError, Keyfiles, check_keyfile};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Embed `NetworkManager` keyfiles; they replace those that are there.
    Embed(Embed),
    /// Print the embedded keyfiles, or write them into a directory.
    Extract(Extract),
    /// Remove the embedded keyfiles.
    Remove(Target),
}

impl Network {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Embed(args) => args.run(context),
            Self::Extract(args) => args.run(context),
            Self::Remove(target) => target.change(context, |_| {
                Ok(Changes {
                    network: Change::Remove,
                    ..Changes::default()
                })
            }),
        }
    }
}

/// Flags of `embed`.
#[derive(Debug, Args)]
pub(crate) struct Embed {
    /// A keyfile (NAME.nmconnection); repeatable.
    #[arg(short, long, value_name = "FILE", required = true)]
    keyfile: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Flags of `extract`.
#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// Directory for the files; made when absent.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    input: Input,
}

impl Embed {
    fn run(self, context: &Context) -> Result<(), Failure> {
        self.target.preflight()?;
        let files = keyfiles(&self.keyfile)?;
        self.target.change(context, |iso| {
            if !iso.features.live_initrd_network {
                return Err(IsoError::NetworkUnsupported.into());
            }
            if !self.target.force && !iso.initrd()?.keyfiles().is_empty() {
                return Err(IsoError::HasNetwork.into());
            }
            Ok(Changes {
                network: Change::Set(files),
                clear: self.target.force && iso.initrd().is_err(),
                may_grow: true,
                ..Changes::default()
            })
        })
    }
}

/// Reads keyfiles.
pub(super) fn keyfiles(paths: &[PathBuf]) -> Result<Keyfiles, Failure> {
    let mut files = Keyfiles::new();
    for path in paths {
        let data = fs_err::read(path).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        check_keyfile(&name, &data)?;
        if files.insert(name.clone(), data).is_some() {
            let message = format!("several keyfiles are named `{name}`");
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(files)
}

impl Extract {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, iso) = self.input.open(context)?;
        let files = iso.initrd()?.keyfiles();
        if files.is_empty() {
            return Err(IsoError::NoNetwork.into());
        }
        let Some(directory) = self.directory else {
            return print(context, files.into_iter());
        };
        let failed = |e: std::io::Error| Failure::new(Exit::Io, e.to_string());
        fs_err::create_dir_all(&directory).map_err(failed)?;
        let mut written = Vec::new();
        for (name, data) in files {
            let path = directory.join(name);
            create(&path, data).map_err(failed)?;
            written.push(path.display().to_string());
        }
        context.result(&json!({"files": written}), || written.join("\n"))
    }
}

fn print<'a>(
    context: &Context,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), Failure> {
    if context.is_json() {
        let files: serde_json::Map<String, serde_json::Value> = files
            .map(|(name, data)| (name.to_owned(), String::from_utf8_lossy(data).into()))
            .collect();
        return context.result(&json!({"keyfiles": files}), String::new);
    }
    let mut out = Vec::new();
    for (index, (name, data)) in files.enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend(format!("########## {name} ##########\n").bytes());
        out.extend(data);
    }
    raw(&out)
}

/// A new file, readable by its owner only: keyfiles hold passwords.
fn create(path: &Path, data: &[u8]) -> std::io::Result<()> {
    use fs_err::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(data)
}
