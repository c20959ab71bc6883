//! From the file to the work: check, plan, ask.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::Depth;
use super::data::Data;
use super::disks::{self, State};
use super::job::Job;
use super::plan::{self, Facts, Isos};
use super::report::Report;
use super::watch::Watch;
use super::{check, isos};
use crate::cli::confirm::typed;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::imageset::check::{findings_failure, told};
use crate::cli::precache::partition::confirm;
use crate::config::factory::{Factory, Iso};
use crate::disk::Plan as DiskPlan;
use crate::inventory::Summary;
use crate::inventory::lock::Inventory;
use crate::ui::format;

const GIB: u64 = 1 << 30;

/// What may be done to each disk, by its name: the plan of a partition, or none for a file that is replaced.
pub(super) type Confirmed = BTreeMap<String, Option<DiskPlan>>;

/// Builds everything that is not there.
///
/// # Errors
/// Something is wrong with the file, or what a step says.
pub(super) fn build(
    context: &Context,
    factory: &Factory,
    yes: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    let watch = Watch::start();
    let depth = if dry_run { Depth::Plan } else { Depth::Work };
    let found = check::check(factory, depth);
    // Those of the sites are told by their step, too.
    if dry_run {
        for warning in told(&found.warnings) {
            context.warn(&warning);
        }
    }
    if !found.errors.is_empty() {
        return Err(findings_failure(&found.errors));
    }
    let mut data = Data::look(&Context::silent(), factory)?;
    if dry_run && let Err(failure) = data.resolve(context) {
        context.warn(&format!("no inventory: {}", failure.message));
    }
    let report = Report::read(&factory.report)?;
    let digest = data.inventory.as_ref().map(Inventory::digest);
    let state = |disk| disks::state(factory, disk, &report, digest.as_ref());
    let states: Vec<State> = factory.disks.iter().map(state).collect();
    let summary = data.inventory.as_ref().map(Summary::of);
    let steps = plan::steps(&Facts {
        factory,
        summary: summary.as_ref(),
        locked: data.locked,
        complete: data.complete,
        missing: data.missing,
        pushed: &|target| digest.as_ref().is_some_and(|d| report.is_pushed(target, d)),
        disks: &states,
        isos: factory
            .iso
            .as_ref()
            .map(|iso| boot_media(factory, iso, &report))
            .transpose()?,
    });
    if dry_run {
        let document = plan::document(&steps, summary.as_ref());
        context.result(&document, || plan::text(&steps) + &plan::commands(&steps))?;
    } else {
        context.say(&plan::text(&steps));
    }
    if let Some(summary) = &summary {
        fits(factory, summary)?;
    }
    let confirmed = confirmed(context, factory, states, yes || dry_run)?;
    if dry_run {
        return Ok(());
    }
    Job::new(context, factory, watch, (report, confirmed)).run(data)
}

fn boot_media(factory: &Factory, iso: &Iso, report: &Report) -> Result<Isos, Failure> {
    let sites = isos::sites(factory, iso)?.sites;
    // What the job itself makes may be missing still.
    let inputs = isos::inputs(factory, iso, &sites).ok();
    let made = inputs.and_then(|inputs| isos::made(factory, iso, report, &inputs));
    Ok(Isos {
        sites: sites.len() as u64,
        size: isos::live_size(iso)?,
        made: made.is_some(),
    })
}

/// Refuses partitions that the images do not fit in.
///
/// # Errors
/// Each of them, with its place.
pub(super) fn fits(factory: &Factory, summary: &Summary) -> Result<(), Failure> {
    let need = summary.partition.contents_bytes + summary.partition.filesystem_bytes;
    let small = factory
        .disks
        .iter()
        .filter(|disk| disk.size_gib * GIB < need);
    let found = small.map(|disk| {
        let (target, size) = (disk.target.text(), disk.size_gib);
        let message = format!(
            "{target}: {size} GiB are too small for {}",
            format::bytes(need)
        );
        let hint = format!("`size: {}` or more", summary.partition.gib);
        let finding = factory.finding(disk.values.place("size"), message);
        finding.with_hint(hint)
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(findings_failure(&found))
}

/// Shows what will be done to each disk, and asks.
fn confirmed(
    context: &Context,
    factory: &Factory,
    states: Vec<State>,
    yes: bool,
) -> Result<Confirmed, Failure> {
    let mut confirmed = BTreeMap::new();
    for (disk, state) in factory.disks.iter().zip(states) {
        let target = disk.target.text();
        match state {
            State::Refused(failure) => return Err(failure),
            State::Empty(plan) => {
                context.say(&plan.to_string());
                confirmed.insert(target, Some(*plan));
            }
            State::Image { replaces: true } => {
                context.say(&format!("{target} is there and will be replaced"));
                confirmed.insert(target, None);
            }
            _ => {}
        }
    }
    if !yes {
        for (target, plan) in &confirmed {
            if let Some(plan) = plan {
                confirm(plan)?;
            } else {
                let name = Path::new(target).file_name().unwrap_or_default();
                typed(&name.to_string_lossy())?;
            }
        }
    }
    Ok(confirmed)
}
