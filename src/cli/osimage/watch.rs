//! `osimage watch`, `osimage status` and `osimage rollout`.

use clap::Args;
use serde_json::json;

use super::cluster::{Look, Patience, follow, items, log_tail, object, state};
use super::lint::Api;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::printable;
use crate::cli::live::Live;
use crate::cluster::Client;
use crate::osimage::build::clean::pool_path;
use crate::osimage::build::rollout::{Rollout, rollout};
use crate::osimage::build::{State, Verdict};
use crate::osimage::{Era, facts, names};

/// Which image.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The pool.
    #[arg(long, value_name = "NAME", default_value = "master")]
    pub(super) pool: String,
    /// Whose objects.
    #[arg(long, value_enum, default_value_t, value_name = "VERSION")]
    pub(super) api: Api,
}

impl Of {
    /// The pool's name, which goes into paths.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn pool(&self) -> Result<&str, Failure> {
        // Which pool is right is a matter of the cluster.
        names::Pool::new(&self.pool, false)?;
        Ok(&self.pool)
    }
}

/// Flags of `watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "An API that is away is waited for. Exit codes: 0 the image is built, 5 the build failed, 8 time is over or it was interrupted on the cluster: run again.\n\nExamples:\n  snoforge osimage watch --kubeconfig auth/kubeconfig\n  snoforge osimage watch --pool layering --api 4.14 --timeout 2h --output json | jq -r .image"
)]
pub(crate) struct Watch {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    cluster: Live,
    #[command(flatten)]
    patience: Patience,
}

impl Watch {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.cluster.client()?;
        let pool = self.of.pool()?;
        block_on(watch(
            context,
            &client,
            pool,
            self.of.api.into(),
            &self.patience,
        ))
    }
}

/// Follows a build to its end, and says how it ended.
pub(super) async fn watch(
    context: &Context,
    client: &Client,
    pool: &str,
    era: Era,
    patience: &Patience,
) -> Result<(), Failure> {
    let state = follow(context, patience, async || {
        let state = state(client, pool, era).await?;
        if state.is_final() {
            return Ok(Look::Done(state));
        }
        Ok(Look::Waiting(state.line))
    });
    let state = state.await?;
    for note in &state.notes {
        context.say(&format!("note: {}", printable(note)));
    }
    ended(context, client, pool, &state).await
}

/// The result, or the failure that the state is.
async fn ended(
    context: &Context,
    client: &Client,
    pool: &str,
    state: &State,
) -> Result<(), Failure> {
    match &state.verdict {
        Verdict::Succeeded { image } => {
            let document = json!({"pool": pool, "image": image, "notes": state.notes});
            context.result(&document, || printable(image))
        }
        Verdict::Failed { reason, log } => {
            if let Some(log) = log {
                let tail = log_tail(client, log).await;
                context.say(&format!(
                    "the end of the log of {}, container {}:\n{tail}",
                    printable(&log.pod),
                    log.container
                ));
            }
            let message = format!(
                "the build for the pool {pool} failed: {}",
                printable(reason)
            );
            let failure = Failure::new(Exit::Remote, message);
            Err(failure.hint("mend the cause, then `snoforge osimage clean` removes what is left and starts it again"))
        }
        Verdict::Interrupted { reason } => {
            let message = format!(
                "the build for the pool {pool} was interrupted: {}",
                printable(reason)
            );
            let failure = Failure::new(Exit::Partial, message);
            Err(failure.hint("`snoforge osimage clean` starts it again"))
        }
        Verdict::Waiting { why } => Err(Failure::new(Exit::Partial, printable(why))),
    }
}

/// Flags of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 whatever the state is.\n\nExample:\n  snoforge osimage status --kubeconfig auth/kubeconfig --output json | jq .state"
)]
pub(crate) struct Status {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    cluster: Live,
}

impl Status {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.cluster.client()?;
        let pool = self.of.pool()?;
        let (state, rolled) = block_on(async {
            let state = state(&client, pool, self.of.api.into()).await?;
            let rolled = match &state.verdict {
                Verdict::Succeeded { image } => Some(look(&client, pool, image).await?),
                _ => None,
            };
            Ok((state, rolled))
        })?;
        let document = json!({"pool": pool, "state": state, "rollout": rolled});
        context.result(&document, || {
            let mut lines = vec![format!("{pool}: {}", state.line)];
            lines.extend(rolled.as_ref().map(line));
            lines.extend(state.notes.iter().map(|n| format!("note: {n}")));
            printable(&lines.join("\n"))
        })
    }
}

fn line(rollout: &Rollout) -> String {
    match rollout {
        Rollout::Done { nodes } => format!("booted by {}", nodes.join(", ")),
        Rollout::Waiting { why } => why.clone(),
        Rollout::Degraded { reason } => format!("degraded: {reason}"),
        Rollout::NoNodes => "no node is in the pool".to_owned(),
    }
}

/// Flags of `rollout`.
#[derive(Debug, Args)]
#[command(
    after_help = "On Single Node OpenShift the API goes away while the node reboots; that is waited for.\n\nExit codes: 0 all nodes of the pool booted the image, 5 the pool is degraded, 8 time is over: run again.\n\nExample:\n  snoforge osimage rollout --kubeconfig auth/kubeconfig --timeout 60m"
)]
pub(crate) struct RolloutFlags {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    cluster: Live,
    #[command(flatten)]
    patience: Patience,
    /// The image [default: the one that was built last].
    #[arg(long, value_name = "REF@DIGEST")]
    image: Option<String>,
}

impl RolloutFlags {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.cluster.client()?;
        let pool = self.of.pool()?;
        let era = self.of.api.into();
        block_on(async {
            let image = match self.image {
                Some(image) => image,
                None => built(&client, pool, era).await?,
            };
            let done = follow(context, &self.patience, async || {
                Ok(match look(&client, pool, &image).await? {
                    Rollout::Waiting { why } => Look::Waiting(why),
                    done => Look::Done(done),
                })
            });
            match done.await? {
                Rollout::Degraded { reason } => {
                    let message = format!("the rollout does not go on: {}", printable(&reason));
                    let hint = "`oc describe mcp` and the machine-config-daemon's log tell more; the node keeps the image that it runs";
                    Err(Failure::new(Exit::Remote, message).hint(hint))
                }
                done => {
                    let document = json!({"pool": pool, "image": image, "rollout": done});
                    context.result(&document, || {
                        printable(&format!("{image}: {}", line(&done)))
                    })
                }
            }
        })
    }
}

/// The image of the last build.
async fn built(client: &Client, pool: &str, era: Era) -> Result<String, Failure> {
    let state = state(client, pool, era).await?;
    if let Verdict::Succeeded { image } = state.verdict {
        return Ok(image);
    }
    let message = format!(
        "no image is built for the pool {pool}: {}",
        printable(&state.line)
    );
    Err(Failure::new(Exit::Usage, message)
        .hint("run `snoforge osimage watch` first, or give --image"))
}

async fn look(client: &Client, pool: &str, image: &str) -> Result<Rollout, crate::cluster::Error> {
    let Some(object) = object(client, &pool_path(pool)).await? else {
        return Ok(Rollout::Degraded {
            reason: format!("there is no pool `{pool}`"),
        });
    };
    Ok(rollout(&object, &items(client, facts::NODES).await?, image))
}
