//! The cluster's pull secret: saved before the imaging, put back by `seed restore-pull-secret`.
//!
//! Lifecycle-agent replaces it for the imaging and restores it itself; when its pod dies in between, the original is gone.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::live::Live;
use crate::cluster::{Client, Got};
use crate::io::atomic;
use crate::seed::facts::{is_sanitized, paths};

/// Flags of `restore-pull-secret`.
#[derive(Debug, Args)]
#[command(
    after_help = "A pull secret that is neither the saved one nor lifecycle-agent's substitute is replaced with --yes only.\n\nExamples:\n  snoforge seed restore-pull-secret --kubeconfig auth/kubeconfig pull-secret-backup.json"
)]
pub(crate) struct Restore {
    /// The file that `seed create` saved.
    backup: PathBuf,
    #[command(flatten)]
    live: Live,
    /// Tell what would be done and stop.
    #[arg(long)]
    dry_run: bool,
    /// Replace any pull secret.
    #[arg(long)]
    yes: bool,
}

impl Restore {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let saved = fs_err::read(&self.backup).map_err(|e| unreadable(&self.backup, &e))?;
        let place = self.backup.display();
        // The parser's own text may quote a password.
        let document: Option<Value> = serde_json::from_slice(&saved).ok();
        let has_auths = document.is_some_and(|d| d.get("auths").is_some_and(Value::is_object));
        if !has_auths || is_sanitized(&saved) {
            let why = if has_auths {
                "lifecycle-agent's substitute"
            } else {
                "no pull secret"
            };
            return Err(Failure::new(Exit::Usage, format!("{place}: it is {why}"))
                .hint("name the file that `seed create` saved, or a pull secret from console.redhat.com"));
        }
        let client = self.live.client()?;
        block_on(async {
            let current = read(&client).await?;
            let done = current == saved;
            if !done && !is_sanitized(&current) && !self.yes {
                return Err(Failure::new(Exit::Usage, "the cluster's pull secret is neither the saved one nor lifecycle-agent's substitute: somebody changed it")
                    .hint("add --yes to replace it all the same"));
            }
            let restore = !done && !self.dry_run;
            if restore {
                let patch = json!({"data": {".dockerconfigjson": BASE64.encode(&saved)}});
                client.patch(paths::PULL_SECRET, &patch).await?;
            }
            let document = json!({"secret": "openshift-config/pull-secret", "was_in_place": done, "restored": restore});
            context.result(&document, || match (done, restore) {
                (true, _) => "the saved pull secret is in place".to_owned(),
                (false, true) => format!("restored openshift-config/pull-secret from {place}"),
                (false, false) => {
                    format!("would restore openshift-config/pull-secret from {place}")
                }
            })
        })
    }
}

/// What the cluster has.
pub(super) async fn read(client: &Client) -> Result<Vec<u8>, Failure> {
    let absent = || {
        Failure::new(
            Exit::Remote,
            "Secret openshift-config/pull-secret is not there, or is none",
        )
    };
    let Got::Object(secret) = client.get(paths::PULL_SECRET).await? else {
        return Err(absent());
    };
    let encoded = secret
        .pointer("/data/.dockerconfigjson")
        .and_then(Value::as_str);
    encoded
        .and_then(|text| BASE64.decode(text).ok())
        .ok_or_else(absent)
}

/// Saves what the cluster has. A file with another pull secret is never replaced: it may be the only copy of the right one.
///
/// # Errors
/// There is no pull secret worth saving, another one is saved there already, or the file cannot be written.
pub(super) async fn back_up(client: &Client, path: &Path) -> Result<(), Failure> {
    let secret = read(client).await?;
    if is_sanitized(&secret) {
        return Err(Failure::new(
            Exit::Verification,
            "the cluster's pull secret is lifecycle-agent's substitute, left by an earlier run",
        )
        .hint("`snoforge seed restore-pull-secret` puts the saved one back"));
    }
    match fs_err::read(path) {
        Ok(saved) if saved == secret => Ok(()),
        Ok(_) => Err(Failure::new(
            Exit::Usage,
            format!(
                "{} is there, and is not the cluster's pull secret",
                path.display()
            ),
        )
        .hint("name another file with --backup")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Ok(atomic::write_private(path, &secret)?)
        }
        Err(e) => Err(unreadable(path, &e)),
    }
}
