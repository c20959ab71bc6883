//! `ignition inspect`.

use std::path::PathBuf;

use clap::Args;

use super::{load, printable};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::ignition::inspect::{self, BootstrapInPlace, FileInfo, Overview, UnitInfo, UserInfo};
use crate::ui::{format, table};

/// Flags of `inspect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  snoforge ignition inspect bootstrap-in-place-for-live-iso.ign\n  snoforge ignition inspect bip.ign --output json | jq '.files[] | select(.mode == \"0755\") | .path'"
)]
pub(crate) struct Inspect {
    /// The config; `-` for stdin.
    file: PathBuf,
}

impl Inspect {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, config) = load(&self.file)?;
        let overview = inspect::inspect(&config);
        context.result(&overview, || printable(&text(&overview)))
    }
}

fn text(overview: &Overview) -> String {
    let mut parts = vec![head(overview)];
    if !overview.users.is_empty() {
        let users = overview.users.iter().map(user).collect::<Vec<_>>();
        parts.push(format!("Users\n{}", users.join("\n")));
    }
    if !overview.files.is_empty() {
        let rows = overview.files.iter().map(file).collect();
        let header = ["MODE", "SIZE", "SHA256", "FILE"];
        parts.push(table::render(&header, rows, &[1]));
    }
    for (title, lines) in [
        ("Directories", &overview.directories),
        ("Links", &overview.links),
    ] {
        if !lines.is_empty() {
            parts.push(format!("{title}\n  {}", lines.join("\n  ")));
        }
    }
    if !overview.units.is_empty() {
        let rows = overview.units.iter().map(unit).collect();
        parts.push(table::render(&["STATE", "UNIT", "DROP-INS"], rows, &[]));
    }
    parts.join("\n\n")
}

fn head(overview: &Overview) -> String {
    let mut rows = vec![("Spec Version", overview.version.clone())];
    let unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not found".to_owned());
    if let Some(BootstrapInPlace {
        era,
        release_image,
        install_disk,
        pull_secret_registries,
    }) = &overview.bootstrap_in_place
    {
        let registries = pull_secret_registries.as_ref().map(|names| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            names.join(", ")
        });
        rows.push(("Bootstrap In Place, Era", era.to_string()));
        rows.push(("Release Image", unknown(release_image)));
        rows.push(("Install Disk", unknown(install_disk)));
        rows.push(("Pull Secret For", unknown(&registries)));
    }
    table::summary(&rows)
}

fn user(user: &UserInfo) -> String {
    let keys = format::count(user.ssh_keys.len() as u64, "SSH key");
    let password = if user.password {
        "a password"
    } else {
        "no password"
    };
    let mut lines = vec![format!("  {}: {password}, {keys}", user.name)];
    lines.extend(user.ssh_keys.iter().map(|key| {
        let fingerprint = key.fingerprint.as_deref().unwrap_or("does not decode");
        format!("    {} {fingerprint} {}", key.algorithm, key.comment)
            .trim_end()
            .to_owned()
    }));
    lines.join("\n")
}

fn file(file: &FileInfo) -> Vec<String> {
    let mut path = file.path.clone();
    if let Some(remote) = &file.remote {
        path = format!("{path} <- {remote}");
    }
    if let Some(compression) = &file.compression {
        path = format!("{path} ({compression})");
    }
    if file.appended > 0 {
        path = format!("{path} (append)");
    }
    let digest = file.sha256.as_deref().and_then(|sum| sum.get(..12));
    vec![
        file.mode.clone().unwrap_or_else(|| "-".to_owned()),
        file.bytes.map_or_else(|| "?".to_owned(), |n| n.to_string()),
        digest.unwrap_or("?").to_owned(),
        path,
    ]
}

fn unit(unit: &UnitInfo) -> Vec<String> {
    let state = match (unit.masked, unit.enabled) {
        (true, _) => "masked",
        (_, Some(true)) => "enabled",
        (_, Some(false)) => "disabled",
        (_, None) => "-",
    };
    vec![state.to_owned(), unit.name.clone(), unit.dropins.join(", ")]
}
