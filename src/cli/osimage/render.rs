//! `osimage render`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::cluster::{builds, object, own};
use super::watch::Of;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::live::Live;
use crate::cluster::Client;
use crate::osimage::build::clean::pool_path;
use crate::osimage::build::current;
use crate::osimage::render::{MAX_BYTES, render};
use crate::osimage::{Era, facts};

/// Flags of `render`.
#[derive(Debug, Args)]
#[command(
    after_help = "Files of the MachineConfig are shown decoded. What looks like a secret is shown by size and digest.\n\nExamples:\n  snoforge osimage render machineconfig.json.gz\n  oc get cm -n openshift-machine-config-operator -l machineconfiguration.openshift.io/ephemeral-build-object -o yaml | snoforge osimage render --dockerfile -\n  snoforge osimage render --kubeconfig auth/kubeconfig --pool master"
)]
pub(crate) struct Render {
    /// machineconfig.json.gz, its base64, the ConfigMap that holds it (YAML or JSON, a list too), a MachineConfig, or an Ignition config; `-` for stdin.
    #[arg(required_unless_present = "kubeconfig", conflicts_with_all = ["kubeconfig", "pool", "api"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    cluster: Live,
    /// Only the Containerfile.
    #[arg(long, visible_alias = "containerfile")]
    dockerfile: bool,
    /// Show secrets too.
    #[arg(long)]
    show_secrets: bool,
}

impl Render {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, bytes) = match &self.file {
            Some(path) => (path.display().to_string(), read(path)?),
            None => self.live()?,
        };
        let mut shown = render(&name, &bytes, self.show_secrets)?;
        if self.dockerfile {
            shown.retain(|part| part.kind == "Containerfile");
            if shown.is_empty() {
                let failure = Failure::new(
                    Exit::Usage,
                    format!("{name}: there is no Containerfile in it"),
                );
                return Err(failure.hint("it is in the ConfigMap containerfile-BUILD, in 4.14 dockerfile-RENDERED, while the build is going on or has failed"));
            }
        }
        context.result(&json!({ "rendered": shown }), || {
            let single = shown.len() == 1;
            let text = |part: &crate::osimage::render::Rendered| {
                let text = part.text.trim_end();
                if single {
                    return text.to_owned();
                }
                format!("# {} {}\n---\n{text}", part.kind, part.name)
            };
            let parts: Vec<String> = shown.iter().map(text).collect();
            crate::cli::findings::printable(&parts.join("\n"))
        })
    }
}

impl Render {
    /// The `ConfigMaps` of the pool's build, as a list.
    fn live(&self) -> Result<(String, Vec<u8>), Failure> {
        let client = self.cluster.client()?;
        let pool = self.of.pool()?;
        let maps = block_on(async {
            let name = build_name(&client, pool, self.of.api.into()).await?;
            let mut maps = Vec::new();
            for kind in ["mc", "containerfile", "dockerfile"] {
                let path = format!("{}/{kind}-{name}", own("/api/v1", "configmaps"));
                maps.extend(object(&client, &path).await?);
            }
            if maps.is_empty() {
                let message = format!("the build {name} has no ConfigMaps");
                return Err(Failure::new(Exit::Usage, message).hint("they are there while a build is going on or has failed; one that succeeded took them along"));
            }
            Ok(maps)
        })?;
        let list = json!({"kind": "List", "items": maps});
        Ok((
            format!("the build for the pool {pool}"),
            list.to_string().into_bytes(),
        ))
    }
}

/// What the names of a build's `ConfigMaps` end with.
async fn build_name(client: &Client, pool: &str, era: Era) -> Result<String, Failure> {
    let found = match era {
        Era::V1 => {
            let config = object(client, &format!("{}/{pool}", facts::CONFIGS)).await?;
            let builds = builds(client).await?;
            let build = config.and_then(|config| current(&config, &builds).cloned());
            build.and_then(|b| Some(b.pointer("/metadata/name")?.as_str()?.to_owned()))
        }
        Era::V414 => {
            let pool = object(client, &pool_path(pool)).await?;
            pool.and_then(|p| Some(p.pointer("/spec/configuration/name")?.as_str()?.to_owned()))
        }
    };
    found.ok_or_else(|| Failure::new(Exit::Usage, format!("the pool {pool} has no build")))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        fs_err::File::open(path).and_then(|f| f.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|e| unreadable(path, &e))?;
    Ok(bytes)
}
