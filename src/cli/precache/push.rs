//! `precache push`: the images into a registry, under their own paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::plan::DataDir;
use super::published;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::imageset::resolve::read_lock;
use crate::inventory::lock::Inventory;
use crate::oci::{Digest, Location, Reference, SourceError, SourceErrorKind};
use crate::progress::Event;
use crate::remote::{Client, Pushed};
use crate::store::{IndexEntry, Store};
use crate::ui::format;

/// Flags of `push`.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Registry, with a path to put before the images' own: `registry.example:5000/ocp`; `http://…` where it speaks no TLS.
    #[arg(value_name = "REGISTRY[/PREFIX]")]
    target: Location,
    /// Print what would be pushed and stop.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registries: RegistryFlags,
}

/// An image and where it goes.
struct Job {
    image: Reference,
    digest: Digest,
    target: Reference,
}

impl Push {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = read_lock(&self.folder.join("inventory.json"))?;
        let jobs: Result<Vec<_>, Failure> = data
            .store
            .read_index()?
            .iter()
            .filter_map(|entry| self.job(entry))
            .collect();
        let jobs = jobs?;
        apart(&jobs)?;
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
        let mut registries = self.registries.clone();
        registries.tls_verify &= !self.target.is_insecure();
        let client = registries.client()?;
        block_on(self.push(context, &client, (&data.store, &jobs), inventory.as_ref()))
    }

    async fn push(
        &self,
        context: &Context,
        client: &Client,
        (store, jobs): (&Store, &[Job]),
        inventory: Option<&Inventory>,
    ) -> Result<(), Failure> {
        let (mut total, mut done, mut failed) = (Pushed::default(), 0, Vec::new());
        let reporter = context.reporter.as_ref();
        reporter.report(Event::Phase {
            name: "push",
            items: Some(jobs.len() as u64),
            bytes: None,
        });
        for (id, job) in (0..).zip(jobs) {
            let name = job.target.to_string();
            reporter.report(Event::Started {
                id,
                name: &name,
                size: None,
            });
            match client.push(store, &job.image, &job.target).await {
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
        let all = |inventory: &&Inventory| failed.is_empty() && holds(jobs, inventory);
        if let Some(inventory) = inventory.filter(all) {
            let pushed = published::publish(client, &self.target, inventory).await?;
            add(&mut total, pushed);
        }
        self.report(context, (done, jobs.len()), total, failed)
    }

    fn job(&self, entry: &IndexEntry) -> Option<Result<Job, Failure>> {
        let image = entry.reference()?;
        let target = self.target.of(&image);
        let target = target.map_err(|e| {
            Failure::new(Exit::Usage, e.to_string()).hint("give a shorter path behind the registry")
        });
        Some(target.map(|target| Job {
            image,
            digest: entry.descriptor.digest.clone(),
            target,
        }))
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

/// Whether every image of an inventory is among them: who finds it in a registry relies on that.
fn holds(jobs: &[Job], inventory: &Inventory) -> bool {
    let there: BTreeSet<&Digest> = jobs.iter().map(|job| &job.digest).collect();
    let mut images = inventory.images.iter();
    images.all(|image| there.contains(&image.manifest.digest))
}

/// Refuses images that would take each other's place: registries are left out of their names.
fn apart(jobs: &[Job]) -> Result<(), Failure> {
    let mut places: BTreeMap<&Reference, &Job> = BTreeMap::new();
    for job in jobs {
        if let Some(other) = places.insert(&job.target, job)
            && other.digest != job.digest
        {
            let (one, two) = (&other.image, &job.image);
            let message = format!("{one} and {two} would both be {}", job.target);
            let hint = "name one of them by its digest in the image set";
            return Err(Failure::new(Exit::Usage, message).hint(hint));
        }
    }
    Ok(())
}

fn add(total: &mut Pushed, more: Pushed) {
    total.blobs += more.blobs;
    total.bytes += more.bytes;
    total.present += more.present;
    total.manifests += more.manifests;
}
