//! The command line: clap types, one file per verb group, exit codes. The only room that reads the environment and the clock
//! and writes to stdout.

mod appliance;
mod assets;
mod build;
mod confirm;
mod context;
mod demo;
mod disk;
mod doctor;
mod exit;
mod findings;
mod global;
mod ignition;
mod imageset;
mod install;
mod iso;
mod live;
mod manifest;
mod node;
mod osimage;
mod precache;
mod registry;
mod seed;
mod site;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use context::Context;
pub(crate) use exit::{Exit, Failure};

/// Prepares Single Node OpenShift machines at the factory: image inventory, data disk, boot medium.
#[derive(Debug, Parser)]
#[command(
    name = "snoforge",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    reporting: global::Reporting,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What has to be on the disk: image sets, inventories, catalogs, releases.
    #[command(subcommand)]
    Imageset(Box<imageset::Imageset>),
    /// The data disk: partition, download, verify, export.
    #[command(subcommand)]
    Precache(precache::Precache),
    /// Ignition configs: patch, inspect, validate, compare.
    #[command(subcommand)]
    Ignition(ignition::Ignition),
    /// The boot medium: look at and change CoreOS live ISOs.
    #[command(subcommand)]
    Iso(Box<iso::Iso>),
    /// On the machine itself: serve and load the images, look, finish.
    #[command(subcommand)]
    Node(node::Node),
    /// Seed images for Image-Based Upgrade: manifests, preflight, verification.
    #[command(subcommand)]
    Seed(Box<seed::Seed>),
    /// Disks: list them, write images onto many at once.
    #[command(subcommand)]
    Disk(disk::Disk),
    /// Take openshift-install, the live ISO and oc out of a release, or from a mirror.
    Assets(Box<assets::Assets>),
    /// One stick that boots the site's live ISO and carries its data partition.
    #[command(after_help = appliance::HELP)]
    Appliance(Box<appliance::Appliance>),
    /// On-cluster OS images: manifests, lint, build, decode, put on the data disk.
    #[command(subcommand)]
    Osimage(Box<osimage::Osimage>),
    /// The installation of a machine: follow it from the workstation.
    #[command(subcommand)]
    Install(install::Install),
    /// What a site needs besides its media: DNS records.
    #[command(subcommand)]
    Site(site::Site),
    /// The whole job from one factory.yaml: inventory, download, data disks, one ISO per site, report.
    Build(build::Build),
    /// Check a factory.yaml and everything it names, without root and without network.
    Check(build::Check),
    /// Look at the machine and the network before the job begins: tools, disks, space, clock, logins, CA, proxy; each with its cure.
    Doctor(Box<doctor::Doctor>),
    /// Print the JSON Schema of factory.yaml, or a template.
    Schema(build::Schema),
    /// Write report.html again: of a job's report.json, or of a data directory.
    Report(build::Report),
    /// Run the whole job on an embedded sample: no network, no root.
    Demo(demo::Demo),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory.
    Man {
        /// The directory; made when absent.
        dir: std::path::PathBuf,
    },
    /// Print the version.
    Version,
}

/// Runs the program with its arguments.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
            // Nothing to be done when even the usage text cannot be written.
            let _ = error.print();
            return code;
        }
    };
    logging(&cli.reporting);
    let context = Context::new(&cli.reporting);
    match cli.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            context.fail(&failure);
            failure.exit.into()
        }
    }
}

/// Reads a command line, without the program's name.
///
/// # Errors
/// The arguments are wrong.
fn parse(args: &[String]) -> Result<Command, Failure> {
    let program = "snoforge".to_owned();
    let args = std::iter::once(&program).chain(args);
    let cli = Cli::try_parse_from(args).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    Ok(cli.command)
}

/// Runs one command line in this process, as [`run`] does, and hands its failure to the caller.
///
/// # Errors
/// The arguments are wrong, or the command fails.
pub(crate) fn execute(
    args: impl IntoIterator<Item = String>,
    context: &Context,
) -> Result<(), Failure> {
    let cli = Cli::try_parse_from(args).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    cli.command.run(context)
}

fn logging(flags: &global::Reporting) {
    let level = match (flags.quiet, flags.verbose) {
        (true, _) => "off",
        (_, 0) => "warn",
        (_, 1) => "snoforge=info",
        _ => "debug",
    };
    let filter = context::env("SNOFORGE_LOG").unwrap_or_else(|| level.to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .init();
}

impl Command {
    fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Imageset(verb) => verb.run(context),
            Self::Precache(verb) => verb.run(context),
            Self::Ignition(verb) => verb.run(context),
            Self::Iso(verb) => verb.run(context),
            Self::Node(verb) => verb.run(context),
            Self::Seed(verb) => verb.run(context),
            Self::Disk(verb) => verb.run(context),
            Self::Appliance(args) => args.run(context),
            Self::Osimage(verb) => verb.run(context),
            Self::Install(verb) => verb.run(context),
            Self::Site(verb) => verb.run(context),
            Self::Assets(args) => args.run(context),
            Self::Build(args) => args.run(context),
            Self::Check(args) => args.run(context),
            Self::Doctor(args) => args.run(context),
            Self::Schema(args) => args.run(context),
            Self::Report(args) => args.run(context),
            Self::Demo(args) => args.run(context),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "snoforge", &mut script);
                context::raw(&script)
            }
            Self::Man { dir } => man(&dir),
            Self::Version => {
                let version = env!("CARGO_PKG_VERSION");
                context.result(&serde_json::json!({"version": version}), || {
                    format!("snoforge {version}")
                })
            }
        }
    }
}

fn man(dir: &std::path::Path) -> Result<(), Failure> {
    let io = |e: std::io::Error| Failure::new(Exit::Io, format!("cannot write manual pages: {e}"));
    fs_err::create_dir_all(dir).map_err(io)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
