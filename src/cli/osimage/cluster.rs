//! A live cluster: the objects of one moment, and waiting for the next.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use crate::cli::context::{Context, on_interrupt};
use crate::cli::exit::{Exit, Failure};
use crate::cli::findings::printable;
use crate::cli::values::wait;
use crate::cluster::{Client, Error, Got};
use crate::osimage::NAMESPACE;
use crate::osimage::build::clean::{BUILDER, pool_path};
use crate::osimage::build::{Log, State, V1Objects, V414Objects, current, v1, v414};
use crate::osimage::{Era, facts};

/// `MachineOSBuilds`.
const BUILDS: &str = "/apis/machineconfiguration.openshift.io/v1/machineosbuilds";
/// Events of objects without a namespace.
const EVENTS: &str = "/api/v1/namespaces/default/events";
/// Lines of a failed container's log that are shown.
const LOG_LINES: u32 = 40;

/// How long, and how often.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// Give up after this time; the cluster goes on.
    #[arg(long, value_name = "TIME", default_value = "90m", value_parser = wait)]
    timeout: Duration,
    /// Milliseconds between two looks.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    interval_ms: u64,
}

/// What a look came to.
pub(super) enum Look<T> {
    Done(T),
    /// What to say while it goes on.
    Waiting(String),
}

/// Looks until it is done. A line is said when it is another than the one before; an API that is away is waited for, because a
/// Single Node machine reboots into its image.
///
/// # Errors
/// Time is over, the user interrupts, or the cluster refuses.
pub(super) async fn follow<T>(
    context: &Context,
    patience: &Patience,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Error>,
) -> Result<T, Failure> {
    let end = Instant::now() + patience.timeout;
    let interrupt = on_interrupt();
    let mut said = String::new();
    loop {
        let line = match look().await {
            Ok(Look::Done(done)) => return Ok(done),
            Ok(Look::Waiting(line)) => line,
            Err(Error::Request { reason, .. }) if reason.may_pass() => {
                format!("the API does not answer ({reason}); looking again")
            }
            Err(error) => return Err(error.into()),
        };
        if line != said {
            context.say(&printable(&line));
            said = line;
        }
        let pause = Duration::from_millis(patience.interval_ms);
        if Instant::now() + pause > end {
            let message = format!("not finished in time: {}", printable(&said));
            let failure = Failure::new(Exit::Partial, message);
            return Err(failure.hint("the cluster goes on by itself; run `snoforge osimage watch` or `rollout` again, with a longer --timeout"));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupt.cancelled() => {
                let failure = Failure::new(Exit::Interrupted, "interrupted");
                return Err(failure.hint("the cluster goes on by itself; run again to go on watching"));
            }
        }
    }
}

/// One object, when it is there.
pub(super) async fn object(client: &Client, path: &str) -> Result<Option<Value>, Error> {
    match client.get(path).await? {
        Got::Object(object) => Ok(Some(object)),
        Got::Items(_) | Got::Absent => Ok(None),
    }
}

/// A list; empty where its kind is not known.
pub(super) async fn items(client: &Client, path: &str) -> Result<Vec<Value>, Error> {
    match client.get(path).await? {
        Got::Items(items) => Ok(items),
        Got::Object(_) | Got::Absent => Ok(Vec::new()),
    }
}

/// Path in the operator's namespace.
pub(super) fn own(group: &str, plural: &str) -> String {
    format!("{group}/namespaces/{NAMESPACE}/{plural}")
}

/// All `MachineOSBuilds`.
pub(super) async fn builds(client: &Client) -> Result<Vec<Value>, Error> {
    items(client, BUILDS).await
}

/// Where the build of a pool stands.
///
/// # Errors
/// The cluster does not answer, or refuses.
pub(super) async fn state(client: &Client, pool: &str, era: Era) -> Result<State, Error> {
    let object_of_pool = object(client, &pool_path(pool)).await?;
    let builder = object(client, BUILDER).await?;
    match era {
        Era::V1 => state_v1(client, pool, object_of_pool, builder).await,
        Era::V414 => {
            let rendered = object_of_pool
                .as_ref()
                .and_then(|p| p.pointer("/spec/configuration/name"));
            let rendered = rendered.and_then(Value::as_str).unwrap_or_default();
            let pod = object(
                client,
                &format!("{}/build-{rendered}", own("/api/v1", "pods")),
            )
            .await?;
            let build = format!(
                "{}/build-{rendered}",
                own("/apis/build.openshift.io/v1", "builds")
            );
            let build = object(client, &build).await?;
            Ok(v414(&V414Objects {
                pool: object_of_pool.as_ref(),
                pod: pod.as_ref(),
                build: build.as_ref(),
                builder: builder.as_ref(),
            }))
        }
    }
}

async fn state_v1(
    client: &Client,
    pool: &str,
    object_of_pool: Option<Value>,
    builder: Option<Value>,
) -> Result<State, Error> {
    let config = object(client, &format!("{}/{pool}", facts::CONFIGS)).await?;
    let builds = builds(client).await?;
    let build = config.as_ref().and_then(|config| current(config, &builds));
    let name = |object: &Value| {
        object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (mut job, mut pods, mut events) = (None, Vec::new(), Vec::new());
    let mut secrets = BTreeSet::new();
    if let Some(build) = build {
        let own_job = format!("build-{}", name(build));
        job = object(
            client,
            &format!("{}/{own_job}", own("/apis/batch/v1", "jobs")),
        )
        .await?;
        pods = items(client, &own("/api/v1", "pods")).await?;
        pods.retain(|pod| {
            let labels = pod.pointer("/metadata/labels");
            labels
                .and_then(|l| l.get("job-name"))
                .and_then(Value::as_str)
                == Some(&*own_job)
        });
    } else if let Some(config) = &config {
        events = items(client, EVENTS).await?;
        for pointer in [
            "/spec/renderedImagePushSecret/name",
            "/spec/baseImagePullSecret/name",
        ] {
            let secret = config
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !secret.is_empty() && object(client, &facts::secret_path(secret)).await?.is_some() {
                secrets.insert(secret.to_owned());
            }
        }
    }
    Ok(v1(&V1Objects {
        pool: object_of_pool.as_ref(),
        config: config.as_ref(),
        build,
        job: job.as_ref(),
        pods: &pods,
        builder: builder.as_ref(),
        events: &events,
        secrets: Some(&secrets),
    }))
}

/// The end of a container's log; that there is none is said in its place.
pub(super) async fn log_tail(client: &Client, log: &Log) -> String {
    let pod = format!("{}/{}", own("/api/v1", "pods"), log.pod);
    match client.log_tail(&pod, &log.container, LOG_LINES).await {
        Ok(text) => printable(text.trim_end()),
        Err(error) => format!("(no log: {error})"),
    }
}
