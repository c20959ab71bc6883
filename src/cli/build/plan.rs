//! The plan: every step with its bytes, its estimated time, or the reason why it is done. Pure: from what was found to text.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::disks::State;
use super::lines;
use crate::config::factory::{Disk, Factory};
use crate::inventory::Summary;
use crate::ui::{format, table};

/// What was found.
pub(super) struct Facts<'a> {
    /// The job.
    pub factory: &'a Factory,
    /// The inventory's figures, when it is known.
    pub summary: Option<&'a Summary>,
    /// Whether the lock answers the question.
    pub locked: bool,
    /// Whether the download is done.
    pub complete: bool,
    /// Bytes to fetch.
    pub missing: u64,
    /// Whether the inventory was pushed to a registry.
    pub pushed: &'a dyn Fn(&str) -> bool,
    /// State of each disk.
    pub disks: &'a [State],
    /// The boot media.
    pub isos: Option<Isos>,
}

/// The boot media in a plan.
pub(super) struct Isos {
    /// How many.
    pub sites: u64,
    /// Bytes of one.
    pub size: u64,
    /// Whether all are there.
    pub made: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// Its name.
    #[serde(rename = "step")]
    pub name: &'static str,
    /// What it is about.
    pub what: String,
    /// Bytes that it moves; none when that is not known.
    pub bytes: Option<u64>,
    /// How long it takes, by the rates; none when that is not known.
    pub seconds: Option<u64>,
    /// Why there is nothing to do.
    pub done: Option<String>,
    /// The command line.
    pub command: Option<String>,
}

/// All steps, in order.
pub(super) fn steps(facts: &Facts<'_>) -> Vec<Step> {
    let mut steps = vec![inventory(facts), download(facts)];
    let targets = facts.factory.download.all("push");
    steps.extend(targets.map(|target| push(facts, &target.value)));
    let disks = facts.factory.disks.iter().zip(facts.disks);
    steps.extend(disks.flat_map(|(disk, state)| one_disk(facts, disk, state)));
    steps.extend(facts.isos.as_ref().and_then(|isos| clusters(facts, isos)));
    steps.extend(facts.isos.as_ref().and_then(|isos| boot_media(facts, isos)));
    steps
}

fn inventory(facts: &Facts<'_>) -> Step {
    let what = facts.summary.map_or_else(
        || "to be worked out: the registries were not asked".to_owned(),
        |summary| {
            let images = format::count(summary.images as u64, "image");
            format!("{images}, {} unique blobs", summary.blobs)
        },
    );
    Step {
        name: "inventory",
        what,
        bytes: None,
        seconds: None,
        done: facts
            .locked
            .then(|| "it is in the data directory".to_owned()),
        command: Some(lines::shown(&lines::inventory(facts.factory))),
    }
}

fn download(facts: &Facts<'_>) -> Step {
    let factory = facts.factory;
    let limit = factory.download.text("limitRate");
    let limit = limit.and_then(|text| crate::config::rate(text).ok());
    let rate = factory.rates.download.min(limit.unwrap_or(u64::MAX));
    let bytes = facts.summary.map(|_| facts.missing);
    Step {
        name: "download",
        what: format!("to {}{}", lines::folder(factory), mirrors(factory)),
        bytes,
        seconds: bytes.map(|bytes| bytes.div_ceil(rate.max(1))),
        done: facts.complete.then(|| "everything is there".to_owned()),
        command: Some(lines::shown(&lines::download(factory))),
    }
}

/// Which registries are asked first.
fn mirrors(factory: &Factory) -> String {
    let mirrors = factory.download.all("mirrors").map(|m| m.value.as_str());
    let mirrors: Vec<&str> = mirrors.collect();
    if mirrors.is_empty() {
        return String::new();
    }
    format!(", first from {}", mirrors.join(", "))
}

fn push(facts: &Facts<'_>, target: &str) -> Step {
    let bytes = facts.summary.map(|summary| summary.disk_bytes);
    let rate = facts.factory.rates.push.max(1);
    Step {
        name: "push",
        what: format!("to {target}"),
        bytes,
        seconds: bytes.map(|bytes| bytes.div_ceil(rate)),
        done: (facts.pushed)(target).then(|| "pushed by an earlier run".to_owned()),
        command: Some(lines::shown(&lines::push(facts.factory, target))),
    }
}

/// Partition and copy, or one file.
fn one_disk(facts: &Facts<'_>, disk: &Disk, state: &State) -> Vec<Step> {
    let (factory, target) = (facts.factory, disk.target.text());
    let bytes = facts.summary.map(|summary| summary.disk_bytes);
    let rate = factory.rates.disk.max(1);
    let step = |name, what: String| Step {
        name,
        what,
        bytes: None,
        seconds: None,
        done: None,
        command: None,
    };
    let made = format!("{target}: {} GiB, `{}`", disk.size_gib, lines::label(disk));
    // Written, and read back.
    let copy = Step {
        bytes,
        seconds: bytes.map(|bytes| 2 * bytes.div_ceil(rate)),
        command: Some(lines::shown(&lines::copy(
            factory,
            lines::label(disk),
            &[disk],
        ))),
        ..step("copy", target.clone())
    };
    match state {
        State::Filled(partition) => vec![Step {
            done: Some(format!("filled by an earlier run, PARTUUID {partition}")),
            ..step("disk", target)
        }],
        State::Away => vec![Step {
            done: Some("filled by an earlier run, not plugged in now".to_owned()),
            ..step("disk", target)
        }],
        State::Partitioned => vec![copy],
        State::Empty(_) => vec![
            Step {
                command: Some(lines::shown(&lines::partition(disk))),
                ..step("partition", made)
            },
            copy,
        ],
        State::Image { replaces } => {
            let file = crate::io::unfinished::partial(std::path::Path::new(&target));
            let what = if *replaces {
                format!("{made}; replaces the file that is there")
            } else {
                made
            };
            vec![Step {
                bytes,
                seconds: bytes.map(|bytes| bytes.div_ceil(rate)),
                command: Some(lines::shown(&lines::image(factory, disk, &file))),
                ..step("image", what)
            }]
        }
        State::Refused(failure) => vec![step("disk", format!("{target}: {}", failure.message))],
    }
}

/// How long an installer takes is not estimated: seconds each.
fn clusters(facts: &Facts<'_>, isos: &Isos) -> Option<Step> {
    let (install, iso) = (facts.factory.install.as_ref()?, facts.factory.iso.as_ref()?);
    let line = lines::clusters(facts.factory, install, iso);
    Some(Step {
        name: "clusters",
        what: format!(
            "{} in {}",
            format::count(isos.sites, "site"),
            install.text("out").unwrap_or_default()
        ),
        bytes: None,
        seconds: None,
        done: isos
            .made
            .then(|| "the boot media are made of them".to_owned()),
        command: Some(lines::shown(&line)),
    })
}

fn boot_media(facts: &Facts<'_>, isos: &Isos) -> Option<Step> {
    let iso = facts.factory.iso.as_ref()?;
    let bytes = isos.sites * isos.size;
    // Copied, and hashed.
    let passes = if iso.values.is_on("noSha256") { 1 } else { 2 };
    let time = (passes * bytes).div_ceil(facts.factory.rates.iso.max(1));
    Some(Step {
        name: "isos",
        what: format!(
            "{} in {}",
            format::count(isos.sites, "site"),
            super::isos::out(iso).display()
        ),
        bytes: Some(bytes),
        seconds: Some(time),
        done: isos
            .made
            .then(|| "all are there, of the same inputs".to_owned()),
        command: Some(lines::shown(&lines::isos(facts.factory, iso))),
    })
}

/// Seconds of what is left, where all of it is known.
pub(super) fn total(steps: &[Step]) -> Option<u64> {
    let open = steps.iter().filter(|step| step.done.is_none());
    let known = |step: &&Step| !matches!(step.name, "inventory" | "partition" | "clusters");
    let times: Option<Vec<u64>> = open.filter(known).map(|step| step.seconds).collect();
    Some(times?.iter().sum())
}

/// The plan for people.
pub(super) fn text(steps: &[Step]) -> String {
    let rows = steps.iter().zip(1..).map(|(step, number): (_, usize)| {
        let open = |text: Option<String>| text.filter(|_| step.done.is_none()).unwrap_or_default();
        let time = |seconds| format!("~{}", format::duration(Duration::from_secs(seconds)));
        let what = match &step.done {
            Some(why) => format!("{}: done: {why}", step.what),
            None => step.what.clone(),
        };
        vec![
            number.to_string(),
            step.name.to_owned(),
            open(step.bytes.map(format::bytes)),
            open(step.seconds.map(time)),
            what,
        ]
    });
    let header = ["", "STEP", "BYTES", "TIME", "WHAT"];
    let plan = table::render(&header, rows.collect(), &[0, 2, 3]);
    match total(steps) {
        Some(0) => plan,
        Some(seconds) => {
            let time = format::duration(Duration::from_secs(seconds));
            format!("{plan}\n\nEstimated by `rates`: {time}")
        }
        None => format!("{plan}\n\nThe time cannot be estimated before the inventory is known"),
    }
}

/// The command lines of the plan.
pub(super) fn commands(steps: &[Step]) -> String {
    let open = steps.iter().filter(|step| step.done.is_none());
    let lines = open.filter_map(|step| Some(format!("  {}", step.command.as_ref()?)));
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("\n\nThe same by hand:\n{}", lines.join("\n"))
}

/// The plan for scripts.
pub(super) fn document(steps: &[Step], summary: Option<&Summary>) -> Value {
    json!({"dryRun": true, "steps": steps, "seconds": total(steps), "inventory": summary})
}
