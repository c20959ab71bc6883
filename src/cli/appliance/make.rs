//! Does what the plan says: the data partition, its data, what boots.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use serde_json::json;

use super::Appliance;
use super::confirmed::Confirmed;
use super::plan::{Data, Plan, Target};
use crate::appliance::Live;
use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::execute;
use crate::cli::exit::{Exit, Failure};
use crate::disk::{self, Device, FrontReport, Populate, Request, Selector, System};
use crate::io::unfinished::Unfinished;
use crate::progress::Reporter;
use crate::ui::format;

type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// What was done.
#[derive(Debug)]
pub(super) struct Made {
    front: FrontReport,
    /// Not in a file: mkfs filled it, and nothing read it.
    data_read_back: bool,
    elapsed: Duration,
}

/// Does it; Ctrl-C leaves what the next run goes on from.
pub(super) fn run(
    flags: &Appliance,
    context: &Context,
    live: &Live,
    plan: &Plan,
) -> Result<Made, Failure> {
    let begun = Instant::now();
    let front = match &plan.target {
        Target::File(path) => file(flags, context, (live, plan), path)?,
        Target::Disk(device) => disk(flags, context, (live, plan), device)?,
    };
    Ok(Made {
        front,
        data_read_back: matches!(plan.target, Target::Disk(_)),
        elapsed: begun.elapsed(),
    })
}

fn disk(
    flags: &Appliance,
    context: &Context,
    (live, plan): (&Live, &Plan),
    device: &Device,
) -> Result<FrontReport, Failure> {
    let label = plan.request.label.as_str();
    let confirmed = Confirmed { device, label };
    confirmed.disk()?;
    let data = match &plan.data {
        Data::Make(data) => {
            let made = disk::apply(data, Populate::Empty, context.reporter.as_ref())?;
            made.partition.map(|made| made.guid)
        }
        Data::There(guid) => *guid,
        Data::InFile => None,
    };
    confirmed.with(data)?;
    copy(flags, context, &device.path)?;
    let again = "run the same command again to go on; what is there is kept";
    stoppable(context, again, |reporter, stop| {
        let (device, contents) = confirmed.with(data)?;
        let front = plan.layout.front(live, &device, &contents)?;
        Ok(front.run(reporter, stop)?)
    })
}

/// As `precache copy` does it.
fn copy(flags: &Appliance, context: &Context, disk: &Path) -> Result<(), Failure> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let words = [
        "snoforge",
        "precache",
        "copy",
        "--label",
        &flags.label,
        "--",
    ]
    .map(str::to_owned);
    let places = [text(&flags.folder), text(disk)];
    execute(words.into_iter().chain(places), &context.nested())
}

fn file(
    flags: &Appliance,
    context: &Context,
    (live, plan): (&Live, &Plan),
    path: &Path,
) -> Result<FrontReport, Failure> {
    let bytes = plan.layout.disk_bytes(plan.data_bytes());
    // The keys and the pull secret in the config are its owner's.
    let image = Unfinished::create(path, bytes, 0o600)?;
    let request = Request {
        wipe: true,
        ..plan.request.clone()
    };
    let selector = Selector::Path(image.path().to_owned());
    let folder = &flags.folder;
    let again = "nothing is left of it; run the same command again";
    let report = stoppable(context, again, |reporter, stop| {
        let device = disk::find(&System::host(), &selector)?;
        let data = disk::plan(&device, &disk::read(&device)?, &request)?;
        disk::apply(&data, Populate::From(folder), reporter)?;
        let device = disk::find(&System::host(), &selector)?;
        let front = plan.layout.front(live, &device, &disk::read(&device)?)?;
        Ok(front.run(reporter, stop)?)
    })?;
    image.publish()?;
    Ok(report)
}

/// Runs blocking work that Ctrl-C stops; what it returns then counts as interrupted.
fn stoppable(
    context: &Context,
    again: &str,
    work: impl FnOnce(&dyn Reporter, Stop<'_>) -> Result<FrontReport, Failure> + Send,
) -> Result<FrontReport, Failure> {
    let reporter = Arc::clone(&context.reporter);
    block_on(async {
        let cancel = on_interrupt();
        let stop = || cancel.is_cancelled();
        // On this thread: the signals are waited for on the runtime's own.
        let done = tokio::task::block_in_place(|| work(reporter.as_ref(), &stop));
        let whole = done.as_ref().is_ok_and(|report| report.done);
        if cancel.is_cancelled() && !whole {
            return Err(Failure::new(Exit::Interrupted, "interrupted").hint(again));
        }
        done
    })
}

impl Made {
    pub(super) fn text(&self, plan: &Plan) -> String {
        let front = &self.front;
        let out = match &plan.target {
            Target::File(path) => path.display(),
            Target::Disk(device) => device.path.display(),
        };
        let state = match (self.data_read_back, front.written_bytes) {
            (false, _) => {
                "complete; boot partitions read back, the data when `disk write` writes it"
            }
            (true, 0) => "was complete, read back",
            (true, _) => "complete, read back",
        };
        let written = format::bytes(front.written_bytes);
        let time = format::duration(self.elapsed);
        let iso = front.digests.get(1).map(|d| format!("\nISO {d}"));
        format!(
            "{out}: {state}; {written} of boot partitions written, in {time}{}",
            iso.unwrap_or_default()
        )
    }
}

impl Serialize for Made {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let front = &self.front;
        json!({
            "keptBytes": front.kept_bytes, "writtenBytes": front.written_bytes, "espDigest": front.digests.first(),
            "isoDigest": front.digests.get(1), "dataReadBack": self.data_read_back, "seconds": self.elapsed.as_secs_f64(),
        })
        .serialize(serializer)
    }
}
