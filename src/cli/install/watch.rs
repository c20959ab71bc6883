//! `install watch`: looks at the cluster into the state machine, its lines to the user, its approvals to the cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::outcome;
use crate::cli::context::{Context, block_on, on_interrupt, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::printable;
use crate::cli::live::{Live, answers};
use crate::cli::values;
use crate::cluster::{Client, Error, Got, Kubeconfig, Reason};
use crate::install::{self, Event, Facts, Line, NODES, Verdict, requests};
use crate::objects::Answer;
use crate::progress::Event as Progress;
use crate::ui::format;

/// Flags of `watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Start it at any time, before the machine is switched on too: an API that is away is waited for. Nothing is kept here; whoever runs it again goes on where the cluster is. KUBECONFIG names the cluster when --kubeconfig does not.\n\nStages: api, bootstrap, reboot, node, ready, machine-config, operators, version, complete.\n\nExit codes: 0 installed, 2 the kubeconfig's certificates have expired, 5 it cannot go on, or the API was away when the time was over, 8 not done in time: run again to go on, 130 interrupted.\n\nExamples:\n  snoforge install watch --kubeconfig cluster/auth/kubeconfig\n  snoforge install watch --kubeconfig cluster/auth/kubeconfig --approve-csr --node bip --timeout 3h\n  snoforge install watch --kubeconfig cluster/auth/kubeconfig --dry-run          # one look, and what would be approved\n  snoforge install watch --kubeconfig cluster/auth/kubeconfig --output json | jq '.stages[] | {stage, seconds}'"
)]
pub(crate) struct Watch {
    #[command(flatten)]
    live: Live,
    /// Give up after this time; the installation goes on (90s, 60m, 2h).
    #[arg(long, value_name = "TIME", default_value = "120m", value_parser = values::wait)]
    timeout: Duration,
    /// Milliseconds between two looks.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    interval_ms: u64,
    /// Approve the kubelet's certificate requests of one node. Its client certificate, asked for by the node-bootstrapper: as long as no
    /// node is registered, when all such requests name the same node (or --node names it), never for `localhost`. Its serving certificate,
    /// asked for by the registered node: for names and addresses that the node has. Others are only shown.
    #[arg(long)]
    approve_csr: bool,
    /// Approve requests of this node only, whatever others ask for: its name as `oc get nodes` will show it.
    #[arg(long, value_name = "NAME", requires = "approve_csr")]
    node: Option<String>,
    /// Look once, say where it stands and what would be approved, and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Watch {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (kubeconfig, client) = self.live.config_and_client()?;
        valid(context, &kubeconfig)?;
        block_on(async {
            let stop = on_interrupt();
            let begun = install::Watch::new(client.server(), self.timeout, today())
                .of_node(self.node.clone());
            let watch = self.follow(context, &client, begun, &stop).await?;
            let console = match watch.verdict() {
                Verdict::Completed => console(&client).await,
                _ => None,
            };
            outcome::tell(context, &watch, console)
        })
    }

    /// Follows to a verdict; for a dry run to the first look.
    ///
    /// # Errors
    /// The user interrupts.
    async fn follow(
        &self,
        context: &Context,
        client: &Client,
        mut watch: install::Watch,
        stop: &CancellationToken,
    ) -> Result<install::Watch, Failure> {
        let mut said = BTreeSet::new();
        loop {
            let event = tokio::select! {
                event = look(client) => event,
                () = stop.cancelled() => return Err(interrupted(&watch)),
            };
            for line in watch.take(event, today()) {
                say(context, &watch, line);
            }
            if self.dry_run || *watch.verdict() != Verdict::GoingOn {
                for request in watch
                    .approvable()
                    .iter()
                    .filter(|_| self.dry_run && self.approve_csr)
                {
                    context.say(&printable(&format!(
                        "would approve {}",
                        requests::shown(request)
                    )));
                }
                return Ok(watch);
            }
            if self.approve_csr {
                approve(context, client, &mut watch, &mut said).await;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.interval_ms)) => {}
                () = stop.cancelled() => return Err(interrupted(&watch)),
            }
        }
    }
}

/// One look: the nodes first, because their answer tells of all others.
async fn look(client: &Client) -> Event {
    let nodes = match client.get(NODES).await {
        Ok(Got::Items(items)) => Answer::Items(items),
        Ok(_) => return Event::Away(Reason::Absent("404 Not Found: no nodes".to_owned())),
        Err(error) => return away(error),
    };
    match answers(client, Facts::paths()).await {
        Ok(mut all) => {
            all.push((NODES.to_owned(), nodes));
            Event::Here(Facts::new(all))
        }
        Err(error) => away(error),
    }
}

fn away(error: Error) -> Event {
    Event::Away(match error {
        Error::Request { reason, .. } => reason,
        Error::Kubeconfig { reason, .. } => Reason::Status(reason),
    })
}

/// Approves what is the node's own. What fails is tried again at the next look, and said once; mostly somebody else was faster.
async fn approve(
    context: &Context,
    client: &Client,
    watch: &mut install::Watch,
    said: &mut BTreeSet<String>,
) {
    for request in watch.approvable() {
        let approved = requests::approved(&request, today());
        match client
            .replace(&requests::approval(&request), &approved)
            .await
        {
            Ok(_) => {
                let line = watch.approved(&request);
                say(context, watch, line);
            }
            Err(Error::Request {
                reason: Reason::Conflict(_) | Reason::Absent(_),
                ..
            }) => {}
            Err(error) => {
                let text = printable(&format!("not approved: {error}"));
                if said.insert(text.clone()) {
                    context.reporter.report(Progress::Warning(&text));
                }
            }
        }
    }
}

/// Says a line with the time since the watch began, and the stage where one begins.
fn say(context: &Context, watch: &install::Watch, line: Line) {
    let elapsed = match watch.elapsed(today()).as_secs() {
        short @ 0..10 => format!("{short}s"),
        seconds => format::duration(Duration::from_secs(seconds)),
    };
    let (stage, text) = match line {
        Line::Stage(stage, text) => (stage.name(), text),
        Line::Say(text) => ("", text),
        Line::Trap(trap) => {
            let text = format!(
                "{}: {}: {}\n  cure: {}",
                trap.rule, trap.object, trap.message, trap.cure
            );
            context
                .reporter
                .report(Progress::Warning(&printable(&text)));
            return;
        }
    };
    let text = format!("{elapsed:>9}  {stage:<14}  {text}");
    context.reporter.report(Progress::Note(&printable(&text)));
}

fn interrupted(watch: &install::Watch) -> Failure {
    let stage = watch.report(today()).stage;
    let message = format!("interrupted in stage {stage}; the installation goes on by itself");
    Failure::new(Exit::Interrupted, message).hint("run the same command again to go on watching")
}

/// The web console's address, when the cluster has one.
async fn console(client: &Client) -> Option<String> {
    match client.get(install::CONSOLE).await {
        Ok(Got::Object(route)) => install::console_url(&route),
        _ => None,
    }
}

/// Refuses a kubeconfig that no server would take any more.
///
/// # Errors
/// The client certificate, or every authority, has expired.
fn valid(context: &Context, kubeconfig: &Kubeconfig) -> Result<(), Failure> {
    let (all, now) = (kubeconfig.validity()?, today());
    for early in all.iter().filter(|c| c.not_before > now) {
        context.warn(&format!(
            "the kubeconfig's certificate `{}` is not valid before {}: is the clock of this machine right?",
            early.subject, early.not_before
        ));
    }
    let client = all
        .iter()
        .filter(|c| c.is_client)
        .find(|c| c.not_after < now);
    let authorities = || all.iter().filter(|c| !c.is_client);
    let dead = authorities()
        .all(|c| c.not_after < now)
        .then(|| authorities().next())
        .flatten();
    let Some(expired) = client.or(dead) else {
        return Ok(());
    };
    let what = if expired.is_client {
        "client certificate"
    } else {
        "certificate authority"
    };
    let message = format!(
        "the kubeconfig's {what} `{}` expired on {}",
        expired.subject, expired.not_after
    );
    Err(Failure::new(Exit::Usage, message).hint("take auth/kubeconfig of the config that the machine booted, or make a new one; check the clock of this machine"))
}
