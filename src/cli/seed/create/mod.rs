//! `seed create`: preflight, plan, confirmation, backup, apply, watch, verify.
//!
//! ```text
//! state file:  not there | nothing applied ─→ preflight … backup ─→ written ─→ applied ─→ uid known ─→ … ─→ ended
//! run again:   ───────────── from the start ──────────────────────┘  asks the cluster ┘  watches only  ┘  from the start
//! ```

mod apply;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(super) use apply::settle;

use super::follow::{Follow, StateFile, Wait};
use super::outcome::Outcome;
use super::status::STATE;
use super::{For, facts, findings_text, manifests, preflight as report, printable, pull_secret};
use crate::cli::confirm::typed;
use crate::cli::context::{Context, block_on, env_path, on_interrupt, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::live::Live;
use crate::cluster::Client;
use crate::oci::{Digest, ImageSource as _, Reference, SourceErrorKind};
use crate::remote;
use crate::seed::Facts;
use crate::seed::imaging::{Event, State, Watch};
use crate::seed::preflight::{self, Report};
use crate::seed::resources::SeedGenerator;
use crate::seed::settings::Settings;

/// Flags of `create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Lifecycle-agent deletes what the plan lists, stops the cluster, makes the image, and starts the cluster again: 7 to 40 minutes without an API are normal. Treat the seed cluster as disposable afterwards. The kubeconfig needs a client certificate: tokens do not outlive the imaging.\n\nThe state file makes it safe to lose this process: the same command, or `seed status --watch`, goes on and applies nothing twice.\n\nExit codes: 0 completed and the image is good, 2 wrong values, 5 failed, or undecided in time, 7 requirements are not met, or the image is not good, 8 the image is published but the seed cluster did not recover, 130 interrupted or not confirmed.\n\nExamples:\n  snoforge seed create -c seed.yaml --kubeconfig auth/kubeconfig --dry-run\n  snoforge seed create -c seed.yaml --kubeconfig auth/kubeconfig\n  snoforge seed create --kubeconfig auth/kubeconfig --seed-image quay.io/org/seed:4.18.27 --authfile auth.json --yes --output json"
)]
pub(crate) struct Create {
    /// The values, in one file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
    /// Where the image is pushed: registry/repository:tag.
    #[arg(long, value_name = "REF")]
    seed_image: Option<String>,
    /// Kubeconfig of the hub; lifecycle-agent reads none since February 2024.
    #[arg(long, value_name = "FILE")]
    hub_kubeconfig: Option<PathBuf>,
    /// Version of the SeedGenerator: v1 or v1alpha1 [default: v1].
    #[arg(long, value_name = "VERSION")]
    api: Option<String>,
    /// Another recert image than lifecycle-agent's own.
    #[arg(long, value_name = "REF")]
    recert_image: Option<String>,
    /// What the image is for: only upgrades need OADP on the seed cluster.
    #[arg(long, value_enum, default_value_t, value_name = "USE")]
    r#for: For,
    /// State file, to go on after this process.
    #[arg(long, value_name = "FILE", default_value = STATE)]
    state: PathBuf,
    /// Where the cluster's pull secret is saved, which lifecycle-agent replaces meanwhile.
    #[arg(long, value_name = "FILE", default_value = "pull-secret-backup.json")]
    backup: PathBuf,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// Everything that a run works with.
struct Run<'a> {
    flags: &'a Create,
    context: &'a Context,
    client: Client,
    registry: remote::Client,
    generator: SeedGenerator,
}

/// A generation that lifecycle-agent works on.
struct Begun {
    state: State,
    /// The SeedGenerator, when it was created just now.
    created: Option<Value>,
    stop: CancellationToken,
}

impl Create {
    pub(super) fn run(mut self: Box<Self>, context: &Context) -> Result<(), Failure> {
        // Said before anything is read or asked: the right kubeconfig may be on another machine.
        let client = self.live.lasting_client()?;
        let settings = self.settings()?;
        let generator = manifests::generator(context, &settings, self.config.as_deref())?;
        let run = Run {
            registry: self.registry.client()?,
            flags: &self,
            context,
            client,
            generator,
        };
        block_on(run.run())
    }

    /// The file's values under those of the flags; a credential file of the environment counts only when the file names none.
    fn settings(&mut self) -> Result<Settings, Failure> {
        let config = self.config.as_deref();
        let mut settings = config.map_or_else(|| Ok(Settings::default()), manifests::settings)?;
        let path = |p: &Option<PathBuf>| p.as_ref().map(|p| p.to_string_lossy().into_owned());
        let from_environment = self.registry.authfile == env_path("REGISTRY_AUTH_FILE");
        if !(from_environment && settings.has("authfile")) {
            settings.set("authfile", path(&self.registry.authfile));
        }
        settings.set("seed-image", self.seed_image.clone());
        settings.set("hub-kubeconfig", path(&self.hub_kubeconfig));
        settings.set("api", self.api.clone());
        settings.set("recert-image", self.recert_image.clone());
        self.registry.authfile = manifests::named(&settings, "authfile", config);
        Ok(settings)
    }
}

impl Run<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        let file = StateFile(&self.flags.state);
        let begun = match self.earlier(file).await? {
            Some(begun) => begun,
            None => match self.begin(file).await? {
                Some(begun) => begun,
                None => return Ok(()),
            },
        };
        let follow = Follow {
            context: self.context,
            client: &self.client,
            registry: Some(&self.registry),
            file: Some(file),
            wait: &self.flags.wait,
            complained: AtomicBool::default(),
        };
        let limits = self.flags.wait.limits();
        let mut watch = Watch::new(begun.state, limits, today());
        if let Some(object) = begun.created {
            follow.note(&mut watch, Some(&Event::Object(object)))?;
        }
        let watch = follow.run(watch, &begun.stop).await?;
        let outcome = Outcome {
            context: self.context,
            client: &self.client,
            registry: &self.registry,
            file: Some(file),
        };
        outcome.tell(&watch).await
    }

    /// A generation that was begun and has not ended.
    async fn earlier(&self, file: StateFile<'_>) -> Result<Option<Begun>, Failure> {
        let Some(state) = file.load()?.filter(|_| !self.flags.dry_run) else {
            return Ok(None);
        };
        let image = self.generator.image.to_string();
        state.check(
            &file.0.display().to_string(),
            self.client.server(),
            Some(&image),
        )?;
        if state.ended.is_some() {
            return Ok(None);
        }
        let state = settle(&self.client, file, state).await?;
        if state.applied.is_none() {
            return Ok(None);
        }
        let place = file.0.display();
        self.context.say(&format!(
            "going on from {place}: the SeedGenerator was created already"
        ));
        Ok(Some(Begun {
            state,
            created: None,
            stop: on_interrupt(),
        }))
    }

    /// Everything up to the SeedGenerator's creation; `None` after `--dry-run`.
    async fn begin(&mut self, file: StateFile<'_>) -> Result<Option<Begun>, Failure> {
        let facts = facts::collect(&self.client).await?;
        let checked = preflight::run(&facts, self.flags.r#for.into());
        if !checked.ok {
            report::report(self.context, &checked)?;
        }
        let cluster = facts.cluster();
        if cluster.is_empty() {
            let message =
                "the cluster does not tell its name (ConfigMap kube-system/cluster-config-v1)";
            return Err(Failure::new(Exit::Verification, message));
        }
        // Wherever the operator runs, it reads the Secret there only.
        if let Some(namespace) = facts.operator_namespace() {
            namespace.clone_into(&mut self.generator.namespace);
        }
        if self.flags.dry_run {
            self.plan(&facts, &checked)?;
            return Ok(None);
        }
        self.show(&facts, &checked);
        let image = self.generator.image.reference();
        self.registry.try_push(image).await?;
        let old_digest = tagged(&self.registry, image).await?;
        if !self.flags.yes {
            typed(cluster.split('.').next().unwrap_or_default())?;
        }
        // From here on an interruption says how to go on.
        let stop = on_interrupt();
        let backup = &self.flags.backup;
        pull_secret::back_up(&self.client, backup).await?;
        let leftovers = checked
            .deletions
            .iter()
            .any(|d| d.contains("open-cluster-management"));
        let mut state = State {
            server: self.client.server().to_owned(),
            cluster,
            seed_image: self.generator.image.to_string(),
            api: self.generator.api,
            namespace: self.generator.namespace.clone(),
            pull_secret_backup: absolute(backup),
            old_digest,
            acm_leftovers: leftovers,
            ..State::default()
        };
        file.save(&state)?;
        let object = apply::apply(&self.client, &self.generator, file, &mut state).await?;
        Ok(Some(Begun {
            state,
            created: Some(object),
            stop,
        }))
    }

    /// The plan, for people.
    fn show(&self, facts: &Facts, checked: &Report) {
        let say = |text: &str| self.context.say(&printable(text));
        if !checked.findings.is_empty() {
            say(&findings_text(&checked.findings));
        }
        say(&format!(
            "{} of {} becomes {}",
            facts.cluster(),
            facts.server,
            self.generator.image
        ));
        if !checked.deletions.is_empty() {
            say("lifecycle-agent will delete, and not put back:");
            checked
                .deletions
                .iter()
                .for_each(|line| say(&format!("  {line}")));
        }
        say(
            "it stops the cluster, makes the image and starts the cluster again; treat the cluster as disposable afterwards",
        );
    }

    /// The plan, as the result of `--dry-run`.
    fn plan(&self, facts: &Facts, checked: &Report) -> Result<(), Failure> {
        let document = json!({
            "cluster": facts.cluster(), "server": facts.server, "seed_image": self.generator.image.to_string(),
            "namespace": self.generator.namespace, "seed_generator": self.generator.generator(),
            "pull_secret_backup": self.flags.backup, "state": self.flags.state,
            "deletions": checked.deletions, "findings": checked.findings,
        });
        self.show(facts, checked);
        self.context.result(&document, || {
            let namespace = &self.generator.namespace;
            format!(
                "would create Secret {namespace}/seedgen and:\n{}",
                self.generator.generator().trim_end()
            )
        })
    }
}

/// What the tag names now.
async fn tagged(registry: &remote::Client, image: &Reference) -> Result<Option<Digest>, Failure> {
    match registry.resolve(image).await {
        Ok(found) => Ok(Some(found.digest)),
        Err(error) if error.kind == SourceErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The state file may be used from another directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// A failure of the API server's that leaves open what it did.
fn unknown(failure: Failure) -> Failure {
    Failure {
        exit: Exit::Remote,
        hint: Some(
            "run the same command again: it asks the cluster what is there, and goes on".to_owned(),
        ),
        ..failure
    }
}
