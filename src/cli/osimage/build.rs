//! `osimage preflight` and `osimage build`.

use clap::Args;
use serde_json::{Value, json};

use super::cluster::{Patience, own};
use super::trial::trial;
use super::wanted::Wanted;
use super::watch::watch;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::{findings_text, rules_text, unmet};
use crate::cli::global::RegistryFlags;
use crate::cli::live::{Live, answers};
use crate::cluster::Client;
use crate::osimage::Era;
use crate::osimage::build::clean::pool_path;
use crate::osimage::facts::{self, Facts};
use crate::osimage::preflight::{self, Report};
use crate::osimage::resources::{ENABLED_LABEL, OsImage, image_stream};

/// Flags of `preflight`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed on the cluster. Exit codes: 0 every requirement is met (there may be warnings), 5 no cluster answers, 7 some are not.\n\nExample:\n  snoforge osimage preflight --kubeconfig auth/kubeconfig -f osimage.yaml --authfile push.json"
)]
pub(crate) struct Preflight {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    cluster: Live,
    #[command(flatten)]
    trial: Trial,
}

/// What is tried on the registries from here.
#[derive(Debug, Args)]
struct Trial {
    /// Do not try push and pull on the registries.
    #[arg(long)]
    no_trial: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Preflight {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let image = self.wanted.values()?.image(context)?;
        let client = self.cluster.client()?;
        let report = block_on(check(&client, &image, &self.trial))?;
        context.result(&report, || text(&report))?;
        unmet(&report.findings, "the image cannot be built yet")
    }
}

async fn check(client: &Client, image: &OsImage, tried: &Trial) -> Result<Report, Failure> {
    let mut facts = Facts::default();
    loop {
        let missing = facts.missing(image);
        if missing.is_empty() {
            break;
        }
        for (path, answer) in answers(client, missing).await? {
            facts.put(&path, answer);
        }
    }
    let mut report = preflight::run(&facts, image);
    if !tried.no_trial {
        let found = trial(&tried.registry, image, &facts).await?;
        report.add(
            "push-pull",
            "the registries take the push and give the images",
            found,
        );
    }
    Ok(report)
}

fn text(report: &Report) -> String {
    let rules = rules_text(&report.rules);
    if report.findings.is_empty() {
        return rules;
    }
    format!("{rules}\n\n{}", findings_text(&report.findings))
}

/// Flags of `build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Preflight, then the objects of `osimage manifests` without the Secrets, which must be there; in 4.14 then the pool's label. The build is followed to its end, and the node reboots into the image when it is done.\n\nExit codes: 0 the image is built, 5 the build failed, 7 a requirement is not met, 8 time is over: run again.\n\nExamples:\n  snoforge osimage build --kubeconfig auth/kubeconfig -f osimage.yaml --dry-run\n  snoforge osimage build --kubeconfig auth/kubeconfig -f osimage.yaml --timeout 2h"
)]
pub(crate) struct Build {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    cluster: Live,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    trial: Trial,
    /// Print what would be applied, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
}

impl Build {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let values = self.wanted.values()?;
        let image = values.image(context)?;
        let stream = values
            .settings
            .text("image-stream")
            .map(|(name, _)| image_stream(name));
        let objects = objects(&image, stream.as_deref())?;
        let client = self.cluster.client()?;
        let pool = image.pool.name().to_owned();
        block_on(async {
            let mut report = check(&client, &image, &self.trial).await?;
            report.findings.retain(|f| !preflight::is_made_by_build(f));
            if !report.findings.is_empty() {
                context.say(&findings_text(&report.findings));
            }
            unmet(&report.findings, "the image cannot be built yet")?;
            if self.dry_run {
                let paths: Vec<&String> = objects.iter().map(|(path, _)| path).collect();
                let label = (image.era == Era::V414)
                    .then(|| format!("label {} with {ENABLED_LABEL}", pool_path(&pool)));
                return context.result(&json!({"apply": paths, "label": label}), || {
                    let lines = paths.iter().map(|path| format!("apply {path}"));
                    lines.chain(label.clone()).collect::<Vec<_>>().join("\n")
                });
            }
            for (path, object) in &objects {
                client.apply(path, object).await?;
                context.say(&format!("applied {path}"));
            }
            if image.era == Era::V414 {
                opt_in(context, &client, &pool).await?;
            }
            if self.no_wait {
                return context.result(&json!({"pool": pool, "applied": objects.len()}), || {
                    format!("asked for an image of the pool {pool}")
                });
            }
            watch(context, &client, &pool, image.era, &self.patience).await
        })
    }
}

/// Labels the pool; where it is labelled already, a changed Containerfile does not start a build.
async fn opt_in(context: &Context, client: &Client, pool: &str) -> Result<(), Failure> {
    let path = pool_path(pool);
    let labels = super::cluster::object(client, &path).await?;
    let there = labels.is_some_and(|p| {
        p.pointer("/metadata/labels")
            .is_some_and(|l| l.get(ENABLED_LABEL).is_some())
    });
    if there {
        context.warn("the pool is opted in already: in 4.14 a changed Containerfile does not start a build, `snoforge osimage clean --api 4.14` does");
        return Ok(());
    }
    client
        .patch(&path, &json!({"metadata": {"labels": {ENABLED_LABEL: ""}}}))
        .await?;
    context.say(&format!("labelled {path} with {ENABLED_LABEL}"));
    Ok(())
}

/// The objects with their paths, in the order in which they are needed.
fn objects(image: &OsImage, stream: Option<&str>) -> Result<Vec<(String, Value)>, Failure> {
    let pool = image.machine_config_pool();
    let texts = [stream.map(str::to_owned), pool, Some(image.config())];
    let mut objects = Vec::new();
    for text in texts.into_iter().flatten() {
        let internal =
            |e: serde_saphyr::Error| Failure::new(Exit::Internal, format!("our own manifest: {e}"));
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(internal)?;
        for object in all.into_iter().filter(Value::is_object) {
            let field = |pointer: &str| {
                object
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let collection = match field("/kind") {
                "MachineOSConfig" => facts::CONFIGS.to_owned(),
                "ConfigMap" => own("/api/v1", "configmaps"),
                "ImageStream" => own("/apis/image.openshift.io/v1", "imagestreams"),
                _ => pool_path("").trim_end_matches('/').to_owned(),
            };
            objects.push((format!("{collection}/{}", field("/metadata/name")), object));
        }
    }
    Ok(objects)
}
