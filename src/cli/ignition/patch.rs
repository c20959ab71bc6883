//! `ignition patch`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{failure, load};
use crate::cli::context::{self, Context, env_path};
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::ignition::edit::Secret;
use crate::ignition::lint::{self, Severity};
use crate::ignition::patch::{self, Loader, Note, Options, PatchError};
use crate::ignition::{Change, Config, Edit};
use crate::inventory::lock::Inventory;
use crate::io::atomic;

/// How images are loaded, as a flag.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LoaderFlag {
    /// Serve the partition as a registry on loopback; images are pulled when they are needed.
    #[default]
    Registry,
    /// The same, and load every image before anything starts.
    Copy,
}

/// What decides a patch; the same flags wherever a config is patched.
#[derive(Debug, Clone, Args)]
pub(crate) struct PatchFlags {
    /// Host name of the installed machine.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// How images get into the containers' storage.
    #[arg(long, value_enum, default_value_t)]
    loader: LoaderFlag,
    /// Partition label of the data partition.
    #[arg(long, value_name = "LABEL", default_value = "data")]
    pub label: String,
    /// Partition label that the installation keeps; empty keeps none. Default: that of --label.
    #[arg(long, value_name = "LABEL")]
    save_partlabel: Option<String>,
    /// Disk to install to, a path below /dev. Default: that of the config.
    #[arg(long, value_name = "DEVICE")]
    pub installation_disk: Option<String>,
    /// NTP server for both stages, before those of the system; may be repeated.
    #[arg(long, value_name = "HOST")]
    pub ntp: Vec<String>,
    /// Text for people who log in, in place of ours.
    #[arg(long, value_name = "FILE")]
    motd: Option<PathBuf>,
    /// Inventory of the data partition: a mirror for each of its repositories. Without it whole registries are mirrored (quay.io,
    /// registry.redhat.io, …), which asks the loopback registry first for images that it does not have.
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Put the pull secret of --authfile into the live stage, in place of the one that is there. It lies readable on the medium.
    #[arg(long)]
    embed_pull_secret: bool,
    /// Credentials for --embed-pull-secret. Default: as for downloads.
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE")]
    authfile: Option<PathBuf>,
}

impl PatchFlags {
    /// Reads what the flags name.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub(crate) fn options(&self, config: &Config) -> Result<Options, Failure> {
        let save = self.save_partlabel.as_ref().unwrap_or(&self.label);
        let motd = self.motd.as_deref().map(text).transpose()?;
        Ok(Options {
            hostname: self.hostname.clone(),
            loader: match self.loader {
                LoaderFlag::Registry => Loader::Registry,
                LoaderFlag::Copy => Loader::Copy,
            },
            label: self.label.clone(),
            save_partlabel: Some(save.clone()).filter(|label| !label.is_empty()),
            installation_disk: self.installation_disk.clone(),
            ntp: self.ntp.clone(),
            motd,
            pull_secret: self.pull_secret()?,
            sources: match &self.inventory {
                Some(path) => sources(path, config)?,
                None => Vec::new(),
            },
        })
    }

    /// The registries' logins of the first credential file, without helpers: those do not exist on the machine.
    fn pull_secret(&self) -> Result<Option<Secret>, Failure> {
        if !self.embed_pull_secret {
            return Ok(None);
        }
        let path = self.authfile.clone().or_else(default_authfile);
        let path = path.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "--embed-pull-secret: there is no credential file",
            )
            .hint("name one with --authfile")
        })?;
        let document: Option<Value> = serde_json::from_str(&text(&path)?).ok();
        let auths = document.as_ref().and_then(|d| d.get("auths")?.as_object());
        let Some(auths) = auths.filter(|auths| !auths.is_empty()) else {
            let message = format!("{}: no logins (`auths`)", path.display());
            return Err(Failure::new(Exit::Usage, message));
        };
        let secret = json!({"auths": auths}).to_string();
        Ok(Some(Secret(secret.into_bytes())))
    }
}

fn default_authfile() -> Option<PathBuf> {
    let home = env_path("HOME");
    let below = |name: &str| home.as_ref().map(|home| home.join(name));
    let config = env_path("XDG_CONFIG_HOME").or_else(|| below(".config"));
    let candidates = [
        env_path("XDG_RUNTIME_DIR").map(|d| d.join("containers/auth.json")),
        config.map(|d| d.join("containers/auth.json")),
        below(".docker/config.json"),
    ];
    candidates.into_iter().flatten().find(|path| path.exists())
}

fn text(path: &Path) -> Result<String, Failure> {
    fs_err::read_to_string(path).map_err(|e| Failure::new(Exit::Usage, e.to_string()))
}

/// The repositories of an inventory that holds this config's release.
fn sources(path: &Path, config: &Config) -> Result<Vec<String>, Failure> {
    let inventory = Inventory::parse(text(path)?.as_bytes()).map_err(|e| {
        let message = format!("{}: {e}", path.display());
        Failure::new(Exit::Usage, message).hint(e.hint())
    })?;
    let pinned: BTreeSet<String> = inventory
        .images
        .iter()
        .map(|i| i.source.to_string())
        .collect();
    if let Some(release) = patch::release_images(config)
        .iter()
        .find(|r| !pinned.contains(*r))
    {
        let message = format!(
            "{} does not hold {release}, which the config installs",
            path.display()
        );
        return Err(Failure::new(Exit::Usage, message)
            .hint("make config and inventory with the same release"));
    }
    let held = |image: &String| {
        let requested = inventory.images.iter().filter_map(|i| i.requested.as_ref());
        pinned.contains(image) || requested.into_iter().any(|name| name == image)
    };
    let os_images = patch::os_images(config);
    if let Some(image) = os_images.iter().find(|image| !held(image)) {
        let message = format!(
            "{} does not hold {image}, the OS image that the config installs",
            path.display()
        );
        return Err(Failure::new(Exit::Usage, message).hint(format!(
            "`snoforge osimage precache -f DIR {image}` puts it there; without --inventory it is mirrored all the same, and pulled over the network where DIR lacks it"
        )));
    }
    let names = inventory.images.iter().map(|image| image.source.name());
    Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
}

/// Flags of `patch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Patching twice gives the same bytes; patching again with other flags gives what these flags alone give. A config patched by hand for telco-ran-tools' loader is upgraded.\n\nExamples:\n  snoforge ignition patch bip.ign -o out.ign --hostname bip --ntp ntp.example.com\n  snoforge ignition patch bip.ign -o out.ign --inventory /mnt/inventory.json --dry-run"
)]
pub(crate) struct Patch {
    /// The config, as `openshift-install create single-node-ignition-config` wrote it; `-` for stdin.
    file: PathBuf,
    /// Where the patched config goes; `-` for stdout.
    #[arg(
        short = 'o',
        long = "out",
        value_name = "FILE",
        required_unless_present = "dry_run"
    )]
    out: Option<PathBuf>,
    #[command(flatten)]
    flags: PatchFlags,
    /// Print the edits and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Patch {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, mut config) = load(&self.file)?;
        let options = self.flags.options(&config)?;
        let plan = patch::plan(&config, &options)?;
        let done =
            patch::apply(&mut config, &plan.edits).map_err(|error| failure(&self.file, &error))?;
        let out = self.out.as_deref().filter(|_| !self.dry_run);
        for note in &plan.notes {
            match note {
                Note::Found(text) => context.say(text),
                Note::Wrong(text) => context.warn(text),
            }
        }
        for finding in lint::lint(&config, None) {
            if finding.severity == Severity::Error {
                context.warn(&format!("{}: {}", finding.pointer, finding.message));
            }
        }
        if out == Some(Path::new("-")) {
            return context::raw(&config.render());
        }
        if let Some(out) = out {
            atomic::write_private(out, &config.render())
                .map_err(|e| Failure::new(Exit::Io, e.to_string()))?;
        }
        let document = json!({
            "file": self.file.display().to_string(),
            "output": out.map(|out| out.display().to_string()),
            "dryRun": self.dry_run,
            "edits": done.iter().map(document).collect::<Vec<_>>(),
            "notes": plan.notes.iter().map(note).collect::<Vec<_>>(),
        });
        context.result(&document, || {
            let mut lines: Vec<_> = done
                .iter()
                .map(|(edit, change)| format!("{} {edit}", verb(*change)))
                .collect();
            lines.push(match (lines.len(), out) {
                (0, None) => "nothing to do: patched so already".to_owned(),
                (0, Some(out)) => format!("{}: patched so already", out.display()),
                (count, None) => format!("{count} edits, nothing written"),
                (count, Some(out)) => format!("{}: {count} edits", out.display()),
            });
            lines.join("\n")
        })
    }
}

fn document((edit, change): &(&Edit, Change)) -> Value {
    json!({"change": verb(*change).trim(), "edit": edit.to_string()})
}

fn note(note: &Note) -> Value {
    let kind = match note {
        Note::Found(_) => "found",
        Note::Wrong(_) => "wrong",
    };
    json!({"kind": kind, "text": note.text()})
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Added => "added   ",
        Change::Replaced => "replaced",
        Change::Removed => "removed ",
        Change::Unchanged => "as it is",
    }
}

impl Categorised for PatchError {
    fn exit(&self) -> Exit {
        match self {
            Self::InstallLine { .. }
            | Self::Butane { .. }
            | Self::Edit(crate::ignition::Error::ReadOnly { .. }) => Exit::Unsupported,
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
