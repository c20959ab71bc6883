//! Flags that many commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::oci::Mirror;

/// Where and how a command reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reporting")]
pub struct Reporting {
    /// Form of the result on stdout.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORM")]
    pub output: Output,
    /// Progress on stderr (json: lines on stdout); auto draws bars only on a terminal.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "MODE")]
    pub progress: Progress,
    /// Say more (-vv: everything); `SNOFORGE_LOG` sets a filter.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say only errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// `--output`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Bars on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Bars.
    Always,
    /// Nothing.
    Never,
    /// JSON lines on stdout.
    Json,
}

/// How registries are reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registries")]
pub(super) struct RegistryFlags {
    /// Credentials file (containers-auth.json); default: the places where podman and skopeo look.
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE")]
    pub authfile: Option<PathBuf>,
    /// registries.conf (version 2) with mirrors; `registries.conf.d` beside it is read too.
    #[arg(long, value_name = "FILE", env = "CONTAINERS_REGISTRIES_CONF")]
    pub registries_conf: Option<PathBuf>,
    /// Registry to pull from first, filled by `precache push`; with SOURCE= for the images below it only; `http://…` where it speaks no TLS.
    #[arg(long, value_name = "[SOURCE=]REGISTRY[/PREFIX]")]
    pub mirror: Vec<Mirror>,
    /// Directory with a private CA (`*.crt`) and client certificates (`*.cert`, `*.key`).
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// Require HTTPS with a valid certificate; `false` also allows plain HTTP.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub tls_verify: bool,
    /// Cap on the download rate of all transfers together, as `20M` (bytes per second) or `200mbit`.
    #[arg(long, value_name = "RATE", value_parser = super::values::rate)]
    pub limit_rate: Option<u64>,
}
