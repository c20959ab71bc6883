//! `osimage clean`.

use clap::Args;
use serde_json::{Value, json};

use super::cluster::{Look, Patience, builds, follow, items, object, own};
use super::watch::Of;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::{findings_text, unmet};
use crate::cli::live::Live;
use crate::cluster::Client;
use crate::osimage::build::clean::{BUILDER, LAYERING_LABEL, Step, pool_path, v1, v414};
use crate::osimage::{Era, facts};

/// Flags of `clean`.
#[derive(Debug, Args)]
#[command(
    after_help = "Builds that go on, builds that succeeded and your own Secrets are not touched.\n\nExit codes: 0 all is gone, 5 the cluster refuses, 7 a node runs an image of a pool that 4.14 cannot roll back (--force goes on), 8 time is over: run again.\n\nExamples:\n  snoforge osimage clean --kubeconfig auth/kubeconfig --dry-run\n  snoforge osimage clean --pool layering --api 4.14 --stay-out"
)]
pub(crate) struct Clean {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    cluster: Live,
    #[command(flatten)]
    patience: Patience,
    /// Print the steps, and stop.
    #[arg(long)]
    dry_run: bool,
    /// In 4.14: do not opt the pool in again, so that no build starts.
    #[arg(long)]
    stay_out: bool,
    /// In 4.14: take the label off although nodes of the pool run a built image.
    #[arg(long)]
    force: bool,
}

impl Clean {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.cluster.client()?;
        let pool = self.of.pool()?;
        block_on(async {
            let steps = match self.of.api.into() {
                Era::V1 => plan_v1(&client, pool).await?,
                Era::V414 => self.plan_v414(context, &client, pool).await?,
            };
            let document = json!({"pool": pool, "dryRun": self.dry_run, "steps": steps});
            let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
            if !self.dry_run {
                for (step, line) in steps.iter().zip(&lines) {
                    context.say(line);
                    take(context, &client, step, &self.patience).await?;
                }
            }
            context.result(&document, || match lines.len() {
                0 => format!("nothing of the pool {pool} is to be cleaned"),
                _ if self.dry_run => lines.join("\n"),
                n => format!("{n} steps are done for the pool {pool}"),
            })
        })
    }

    async fn plan_v414(
        &self,
        context: &Context,
        client: &Client,
        pool: &str,
    ) -> Result<Vec<Step>, Failure> {
        let object = object(client, &pool_path(pool)).await?;
        let object = object.ok_or_else(|| absent(&format!("there is no pool {pool}")))?;
        let nodes = items(client, facts::NODES).await?;
        let (steps, against) = v414(&object, &nodes, !self.stay_out);
        if !against.is_empty() {
            context.say(&findings_text(&against));
        }
        if !self.force {
            unmet(&against, "the pool cannot be rolled back")?;
        }
        Ok(steps)
    }
}

fn absent(message: &str) -> Failure {
    Failure::new(Exit::Usage, message).hint("name the pool with --pool; `oc get mcp` lists them")
}

async fn plan_v1(client: &Client, pool: &str) -> Result<Vec<Step>, Failure> {
    let config = object(client, &format!("{}/{pool}", facts::CONFIGS)).await?;
    let config = config.ok_or_else(|| absent(&format!("there is no MachineOSConfig {pool}")))?;
    let mut leftovers = Vec::new();
    for (group, plural, kind) in [
        ("/apis/batch/v1", "jobs", "Job"),
        ("/api/v1", "configmaps", "ConfigMap"),
        ("/api/v1", "secrets", "Secret"),
    ] {
        for object in items(client, &own(group, plural)).await? {
            let metadata = object.get("metadata").cloned().unwrap_or_default();
            let labelled = metadata
                .pointer("/labels")
                .is_some_and(|l| l.get(LAYERING_LABEL).is_some());
            if labelled {
                // Items of a list say no kind; and what is in a Secret is nobody's business here.
                leftovers.push(json!({"kind": kind, "metadata": metadata}));
            }
        }
    }
    Ok(v1(&config, &builds(client).await?, &leftovers))
}

async fn take(
    context: &Context,
    client: &Client,
    step: &Step,
    patience: &Patience,
) -> Result<(), Failure> {
    match step {
        Step::Delete { path } => {
            client.delete(path, None).await?;
        }
        Step::WaitGone { path } => {
            let gone = follow(context, patience, async || {
                Ok(match object(client, path).await? {
                    Some(object) if !is_idle(path, &object) => {
                        Look::Waiting(format!("{path} is still there"))
                    }
                    _ => Look::Done(()),
                })
            });
            gone.await?;
        }
        Step::Label {
            path,
            label,
            present,
        } => {
            let value = if *present { json!("") } else { Value::Null };
            client
                .patch(path, &json!({"metadata": {"labels": {*label: value}}}))
                .await?;
        }
        Step::Annotate { path, annotation } => {
            client
                .patch(
                    path,
                    &json!({"metadata": {"annotations": {*annotation: ""}}}),
                )
                .await?;
        }
    }
    Ok(())
}

/// Whether the operator kept its deployment with nothing in it.
fn is_idle(path: &str, object: &Value) -> bool {
    let none = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) == 0;
    let scaled = object.pointer("/spec/replicas").is_some();
    path == BUILDER && scaled && none("/spec/replicas") && none("/status/replicas")
}
