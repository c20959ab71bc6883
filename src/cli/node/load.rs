//! `node load`: our own registry on a free port of loopback, and the images through it into containers-storage.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::cli::precache::plan::DataDir;
use crate::cli::precache::serve::registry;
use crate::inventory::lock;
use crate::node::load::{Containers, Job, Options, Outcome, StorageError, jobs, load};
use crate::node::registry::{Registry, serve};
use crate::ui::format;

/// Flags of `load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Boot stage whose images are loaded.
    #[arg(short, long, value_enum)]
    group: Group,
    /// Copies at once.
    #[arg(short, long, value_name = "N", default_value_t = Options::default().parallel, value_parser = parallel)]
    parallel: usize,
    /// How often an image is tried.
    #[arg(long, value_name = "N", default_value_t = Options::default().attempts, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Give up after so many minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = Options::default().deadline.as_secs() / 60, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    timeout: u64,
    /// Print what would be loaded and stop.
    #[arg(long)]
    dry_run: bool,
}

/// `--group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Group {
    /// The live stage.
    Ai,
    /// The installed stage.
    Ocp,
}

impl From<Group> for lock::Group {
    fn from(group: Group) -> Self {
        match group {
            Group::Ai => Self::Ai,
            Group::Ocp => Self::Ocp,
        }
    }
}

fn parallel(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=64).contains(n));
    number.ok_or_else(|| "expected 1 to 64".to_owned())
}

impl Load {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = data.inventory()?;
        let jobs = jobs(&inventory, self.group.into(), &data.store)?;
        if self.dry_run {
            return plan(context, &jobs);
        }
        let options = Options {
            parallel: self.parallel,
            attempts: self.attempts,
            deadline: Duration::from_mins(self.timeout),
            ..Options::default()
        };
        let registry = registry(&data, Some(&inventory))?;
        let outcome = block_on(through_registry(context, registry, jobs, options))?;
        report(context, &outcome)
    }
}

/// Serves the store on a port of its own while the jobs run: the unit of the registry need not be there, nor its address be known.
async fn through_registry(
    context: &Context,
    registry: Registry,
    jobs: Vec<Job>,
    options: Options,
) -> Result<Outcome, Failure> {
    let environment = |e: std::io::Error| {
        Failure::new(Exit::Environment, format!("cannot listen on loopback: {e}"))
    };
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(environment)?;
    let storage = Containers {
        registry: listener.local_addr().map_err(environment)?,
    };
    let registry = tokio::spawn(serve(registry, listener, None, std::future::pending()));
    let stop = on_interrupt();
    let reporter = Arc::clone(&context.reporter);
    let loading = tokio::task::spawn_blocking(move || {
        let stopped = || stop.is_cancelled();
        load(jobs, &storage, &options, (reporter.as_ref(), &stopped))
    });
    let outcome = loading.await;
    registry.abort();
    Ok(outcome.map_err(|e| Failure::new(Exit::Internal, e.to_string()))??)
}

fn plan(context: &Context, jobs: &[Job]) -> Result<(), Failure> {
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| json!({"image": job.source, "tags": job.tags, "bytes": job.size_bytes, "lacks": job.lacks}))
        .collect();
    context.result(&json!({ "images": rows }), || {
        let names = jobs.iter().flat_map(Job::names);
        let mut lines: Vec<_> = names.map(ToString::to_string).collect();
        lines.push(format!(
            "{} to load where storage does not have them",
            format::count(jobs.len() as u64, "image")
        ));
        lines.join("\n")
    })
}

fn report(context: &Context, outcome: &Outcome) -> Result<(), Failure> {
    let failed: Vec<_> = outcome
        .failed
        .iter()
        .map(|(image, reason)| json!({"image": image, "reason": reason}))
        .collect();
    let document = json!({
        "loaded": outcome.loaded, "loadedBytes": outcome.loaded_bytes, "present": outcome.present,
        "failed": failed, "interrupted": outcome.interrupted,
    });
    context.result(&document, || {
        format!(
            "{} loaded, {} there already, {} failed",
            format::count(outcome.loaded as u64, "image"),
            outcome.present,
            outcome.failed.len()
        )
    })?;
    for (image, reason) in &outcome.failed {
        context.say(&format!("failed: {image}: {reason}"));
    }
    if outcome.interrupted {
        let failure = Failure::new(Exit::Interrupted, "interrupted");
        return Err(failure.hint("run the same command again: what is loaded is skipped"));
    }
    if outcome.failed.is_empty() {
        return Ok(());
    }
    let count = format::count(outcome.failed.len() as u64, "image");
    let failure = Failure::new(Exit::Partial, format!("{count} not loaded"));
    Err(failure.hint("the list above says why; run the same command again to go on, `precache verify` checks the disk"))
}

impl Categorised for StorageError {
    fn exit(&self) -> Exit {
        match self {
            Self::List(_) | Self::Copy(_) => Exit::Environment,
            Self::Syntax(_) => Exit::Unsupported,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint().map(str::to_owned)
    }
}
