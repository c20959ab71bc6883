//! `seed status`.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::create::settle;
use super::follow::{Follow, StateFile, Wait, object_path};
use super::outcome::Outcome;
use crate::cli::context::{Context, block_on, on_interrupt, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::live::Live;
use crate::cluster::{Client, Got};
use crate::seed::imaging::{Seen, State, Watch};
use crate::seed::resources::{Api, NAMESPACE};

/// The state file that `create` writes unless told otherwise.
pub(super) const STATE: &str = "seed-create.json";

/// Flags of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "The verdict comes from the reasons in the conditions: the STATE column of `oc get seedgenerator` says \"in progress\" of a failed run too. With the state file of `seed create` it is known what the registry had before, and that the cluster is away because it is being imaged.\n\nExit codes: 0 going on or completed, 5 failed, or undecided in time, 7 completed but the image is not good, 8 the image is published but the seed cluster did not recover, 130 interrupted.\n\nExamples:\n  snoforge seed status --kubeconfig auth/kubeconfig\n  snoforge seed status --kubeconfig auth/kubeconfig --watch --state seed-create.json\n  snoforge seed status --kubeconfig auth/kubeconfig --output json | jq -r .verdict"
)]
pub(crate) struct Status {
    #[command(flatten)]
    live: Live,
    /// Follow it to its end.
    #[arg(long)]
    watch: bool,
    /// State file of `seed create` [default: seed-create.json when it is there].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Status {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = if self.watch {
            self.live.lasting_client()?
        } else {
            self.live.client()?
        };
        let path = self.state.clone().unwrap_or_else(|| STATE.into());
        let kept = self.kept(&path, client.server())?;
        let registry = self.registry.client()?;
        block_on(async {
            let file = kept.is_some().then_some(StateFile(&path));
            let state = match (kept, file) {
                (Some(state), Some(file)) if state.ended.is_none() => {
                    let state = settle(&client, file, state).await?;
                    if state.applied.is_none() {
                        return Err(not_applied(&path));
                    }
                    state
                }
                (Some(state), _) => state,
                (None, _) => match of_cluster(&client).await? {
                    Some(state) => state,
                    None => return none(context),
                },
            };
            let follow = Follow {
                context,
                client: &client,
                registry: file.map(|_| &registry),
                file,
                wait: &self.wait,
                complained: AtomicBool::default(),
            };
            let watch = Watch::new(state, self.wait.limits(), today());
            let watch = if watch.state().ended.is_some() {
                watch
            } else if self.watch {
                follow.run(watch, &on_interrupt()).await?
            } else {
                follow.once(watch).await?
            };
            let outcome = Outcome {
                context,
                client: &client,
                registry: &registry,
                file,
            };
            outcome.tell(&watch).await
        })
    }

    /// The state file, when it was named or is there.
    fn kept(&self, path: &Path, server: &str) -> Result<Option<State>, Failure> {
        let state = StateFile(path).load()?;
        if let Some(state) = &state {
            state.check(&path.display().to_string(), server, None)?;
        } else if self.state.is_some() {
            let message = format!("cannot read {}: no such file", path.display());
            return Err(Failure::new(Exit::Usage, message)
                .hint("leave --state out to look at the cluster alone"));
        }
        Ok(state)
    }
}

fn not_applied(path: &Path) -> Failure {
    let message = format!("{}: the SeedGenerator was not created yet", path.display());
    Failure::new(Exit::Partial, message).hint("run the same `snoforge seed create` again to go on")
}

/// What the SeedGenerator itself tells; `None` when there is none.
async fn of_cluster(client: &Client) -> Result<Option<State>, Failure> {
    let Got::Object(object) = client.get(&object_path(Api::V1)).await? else {
        return Ok(None);
    };
    let seen = Seen::new(&object);
    Ok(Some(State {
        server: client.server().to_owned(),
        seed_image: seen.seed_image,
        namespace: NAMESPACE.to_owned(),
        uid: Some(seen.uid),
        ..State::default()
    }))
}

fn none(context: &Context) -> Result<(), Failure> {
    context.result(&json!({"verdict": "none"}), || {
        "there is no SeedGenerator: none was created, or lifecycle-agent has deleted it for the imaging and not restored it yet".to_owned()
    })
}
