//! `precache push`: the images into a registry, under their own paths.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::plan::DataDir;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::oci::{Reference, SourceError, SourceErrorKind};
use crate::progress::Event;
use crate::remote::Pushed;
use crate::store::IndexEntry;
use crate::ui::format;

/// Flags of `push`.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Registry, with a path to put before the images' own: `registry.example:5000/ocp`.
    #[arg(value_name = "REGISTRY[/PREFIX]")]
    target: String,
    /// Print what would be pushed and stop.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registries: RegistryFlags,
}

/// An image and where it goes.
struct Job {
    image: Reference,
    target: Reference,
}

impl Push {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let jobs: Result<Vec<_>, Failure> = data
            .store
            .read_index()?
            .iter()
            .filter_map(IndexEntry::reference)
            .map(|image| self.job(image))
            .collect();
        let jobs = jobs?;
        if self.dry_run {
            let rows: Vec<_> = jobs
                .iter()
                .map(|job| json!({"image": job.image, "target": job.target}))
                .collect();
            return context.result(&rows, || {
                jobs.iter()
                    .map(|job| format!("{} → {}", job.image, job.target))
                    .collect::<Vec<_>>()
                    .join("\n")
            });
        }
        let client = self.registries.client()?;
        block_on(async {
            let (mut total, mut done, mut failed) = (Pushed::default(), 0, Vec::new());
            let reporter = context.reporter.as_ref();
            reporter.report(Event::Phase {
                name: "push",
                items: Some(jobs.len() as u64),
                bytes: None,
            });
            for (id, job) in (0..).zip(&jobs) {
                let name = job.target.to_string();
                reporter.report(Event::Started {
                    id,
                    name: &name,
                    size: None,
                });
                match client.push(&data.store, &job.image, &job.target).await {
                    Ok(pushed) => {
                        add(&mut total, pushed);
                        done += 1;
                        reporter.report(Event::Finished { id });
                    }
                    Err(error) => {
                        reporter.report(Event::Failed {
                            id,
                            reason: &error.to_string(),
                        });
                        let gone = error.kind == SourceErrorKind::Unavailable;
                        failed.push(error);
                        // Its retries are used up: the others would wait for the same registry just as long.
                        if gone {
                            break;
                        }
                    }
                }
            }
            reporter.report(Event::PhaseDone);
            self.report(context, (done, jobs.len()), total, failed)
        })
    }

    fn job(&self, image: Reference) -> Result<Job, Failure> {
        let place = format!(
            "{}/{}",
            self.target.trim_end_matches('/'),
            image.repository()
        );
        let target = image.relocated(&place).map_err(|e| {
            Failure::new(Exit::Usage, e.to_string())
                .hint("give a registry as host[:port], with a path behind it if you like")
        })?;
        Ok(Job { image, target })
    }

    fn report(
        &self,
        context: &Context,
        (done, jobs): (usize, usize),
        total: Pushed,
        failed: Vec<SourceError>,
    ) -> Result<(), Failure> {
        let errors: Vec<_> = failed.iter().map(ToString::to_string).collect();
        let document = json!({
            "images": jobs, "pushed": done, "failed": errors, "blobsSent": total.blobs, "bytesSent": total.bytes, "blobsThere": total.present,
        });
        context.result(&document, || {
            let sent = format!(
                "{} blobs sent ({}), {} were there",
                total.blobs,
                format::bytes(total.bytes),
                total.present
            );
            format!("{done} of {jobs} images pushed to {}; {sent}", self.target)
        })?;
        let Some(first) = failed.into_iter().next() else {
            return Ok(());
        };
        let mut failure = Failure::from(first);
        failure.message = format!(
            "{} not pushed; the first: {}",
            format::count((jobs - done) as u64, "image"),
            failure.message
        );
        if done > 0 {
            failure.exit = Exit::Partial;
        }
        Err(failure)
    }
}

fn add(total: &mut Pushed, more: Pushed) {
    total.blobs += more.blobs;
    total.bytes += more.bytes;
    total.present += more.present;
    total.manifests += more.manifests;
}
