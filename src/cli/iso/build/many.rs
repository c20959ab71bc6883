//! The ISOs of a list of machines, in parallel; one failure does not stop the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::Run;
use super::base::Base;
use super::one::{self, Row};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::imageset::check::findings_failure;
use crate::io::atomic;
use crate::iso::{Plan, digests, write};
use crate::progress::{Event, Reporter};
use crate::site::list::{self, Listed};
use crate::site::{Request, Site};

/// Machines whose ISOs are hashed in one pass over the base; their plans are in memory for that long.
const BATCH: usize = 8;
const REPORT: &str = "sites.json";

/// What is to be built.
pub(super) struct List<'a> {
    /// The list.
    pub file: &'a Path,
    /// What the flags say about every machine.
    pub request: &'a Request,
    /// The config of machines that name none.
    pub ignition: Option<&'a Path>,
    /// The directory.
    pub out: &'a Path,
    /// Whether to compute digests.
    pub sha256: bool,
}

/// A machine, its config and its file.
struct Job<'a> {
    id: u64,
    site: &'a Site,
    base: &'a Base,
    out: PathBuf,
}

/// Builds one ISO each.
pub(super) fn build(context: &Context, run: &Run, list: &List<'_>) -> Result<(), Failure> {
    let sites = read(context, list)?;
    let bases = bases(context, run, list, &sites)?;
    let jobs = jobs(list, &sites, &bases)?;
    if !run.plan_only {
        fs_err::create_dir_all(list.out).map_err(|e| Failure::new(Exit::Io, e.to_string()))?;
    }
    let reporter = context.reporter.as_ref();
    let total = run.medium_size() * jobs.len() as u64;
    reporter.report(Event::Phase {
        name: "build",
        items: Some(jobs.len() as u64),
        bytes: Some(total),
    });
    let built: Vec<Result<Row, Failure>> = jobs
        .par_chunks(BATCH)
        .flat_map_iter(|batch| finish(run, batch, list.sha256, reporter))
        .collect();
    reporter.report(Event::PhaseDone);
    report(context, run, list, &jobs, &built)
}

fn read(context: &Context, list: &List<'_>) -> Result<Vec<Site>, Failure> {
    let name = list.file.display().to_string();
    let text =
        fs_err::read_to_string(list.file).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    let Listed { sites, warnings } =
        list::parse(&name, &text, list.request).map_err(|found| findings_failure(&found))?;
    for warning in warnings {
        context.warn(&warning.to_string());
    }
    Ok(sites)
}

/// Every config that a machine names, by the path in the list.
fn bases(
    context: &Context,
    run: &Run,
    list: &List<'_>,
    sites: &[Site],
) -> Result<BTreeMap<Option<PathBuf>, Base>, Failure> {
    let mut bases = BTreeMap::new();
    for site in sites {
        if bases.contains_key(&site.ignition) {
            continue;
        }
        let beside = list.file.parent().unwrap_or(Path::new("."));
        let path = match (&site.ignition, list.ignition) {
            (Some(own), _) => beside.join(own),
            (None, Some(shared)) => shared.to_owned(),
            (None, None) => {
                let name = site
                    .hostname
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let message = format!(
                    "{}: site `{name}` names no Ignition config",
                    list.file.display()
                );
                return Err(Failure::new(Exit::Usage, message).hint("add --ignition FILE"));
            }
        };
        bases.insert(site.ignition.clone(), Base::load(context, run, &path)?);
    }
    Ok(bases)
}

fn jobs<'a>(
    list: &List<'_>,
    sites: &'a [Site],
    bases: &'a BTreeMap<Option<PathBuf>, Base>,
) -> Result<Vec<Job<'a>>, Failure> {
    let mut jobs = Vec::new();
    for (id, site) in (0..).zip(sites) {
        let (Some(name), Some(base)) = (&site.hostname, bases.get(&site.ignition)) else {
            let message = format!("{}: a site has no hostname", list.file.display());
            return Err(Failure::new(Exit::Usage, message));
        };
        let out = list.out.join(format!("{name}.iso"));
        jobs.push(Job {
            id,
            site,
            base,
            out,
        });
    }
    Ok(jobs)
}

/// Plans and writes the ISOs of a batch, then hashes them together.
fn finish(
    run: &Run,
    batch: &[Job<'_>],
    sha256: bool,
    reporter: &dyn Reporter,
) -> Vec<Result<Row, Failure>> {
    let mut rows: Vec<Result<(Row, Arc<Plan>), Failure>> = Vec::new();
    for job in batch {
        let done = write_one(run, job, reporter);
        match &done {
            Ok(_) => reporter.report(Event::Finished { id: job.id }),
            Err(failure) => reporter.report(Event::Failed {
                id: job.id,
                reason: &failure.message,
            }),
        }
        rows.push(done);
    }
    if !sha256 || run.plan_only {
        return rows.into_iter().map(|row| Ok(row?.0)).collect();
    }
    let plans: Vec<Arc<Plan>> = rows
        .iter()
        .flatten()
        .map(|(_, plan)| Arc::clone(plan))
        .collect();
    let mut hashed = match digests(&run.medium, &plans) {
        Ok(hashed) => hashed.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => plans.iter().map(|_| Err(error.to_string())).collect(),
    }
    .into_iter();
    let mut with_digest = |(mut row, _): (Row, Arc<Plan>)| {
        row.sha256 = hashed
            .next()
            .transpose()
            .map_err(|reason| Failure::new(Exit::Io, reason))?;
        Ok(row)
    };
    rows.into_iter().map(|row| with_digest(row?)).collect()
}

fn write_one(
    run: &Run,
    job: &Job<'_>,
    reporter: &dyn Reporter,
) -> Result<(Row, Arc<Plan>), Failure> {
    let name = job.out.display().to_string();
    reporter.report(Event::Started {
        id: job.id,
        name: &name,
        size: Some(run.medium_size()),
    });
    write::preflight(run.medium.path(), &job.out, run.overwrite)?;
    let planned = one::plan(run, job.base, job.site)?;
    for warning in &planned.plan.warnings {
        reporter.report(Event::Warning(&format!("{name}: {warning}")));
    }
    for step in &planned.steps {
        let text = format!("{name}: the config does not fit: {step}");
        reporter.report(Event::Warning(&text));
    }
    if !run.plan_only {
        write::to_file(
            &run.medium,
            &planned.plan,
            &job.out,
            run.overwrite,
            (reporter, job.id),
        )?;
    }
    let row = Row::new(job.site, job.base, &job.out, &planned.plan);
    Ok((row, Arc::new(planned.plan)))
}

fn report(
    context: &Context,
    run: &Run,
    list: &List<'_>,
    jobs: &[Job<'_>],
    built: &[Result<Row, Failure>],
) -> Result<(), Failure> {
    let rows: Vec<Value> = jobs.iter().zip(built).map(|(job, row)| match row {
        Ok(row) => json!(row),
        Err(failure) => {
            let hostname = job.site.hostname.as_ref().map(ToString::to_string);
            json!({"hostname": hostname, "iso": job.out.display().to_string(), "error": failure.message})
        }
    }).collect();
    let document = json!({"base": run.medium.path(), "written": !run.plan_only, "sites": rows});
    if !run.plan_only {
        let mut text = serde_json::to_vec_pretty(&document)
            .map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        text.push(b'\n');
        atomic::write(&list.out.join(REPORT), &text)
            .map_err(|e| Failure::new(Exit::Io, e.to_string()))?;
    }
    context.result(&document, || lines(built))?;
    outcome(jobs, built)
}

fn lines(built: &[Result<Row, Failure>]) -> String {
    let line = |row: &Row| {
        let digest = row.sha256.as_deref().unwrap_or("-");
        let end = row.use_before.as_deref().unwrap_or("-");
        format!("{}  sha256 {digest}  use before {end}", row.iso)
    };
    let lines: Vec<String> = built.iter().flatten().map(line).collect();
    lines.join("\n")
}

/// All failures as one; work that is partly done is done by running again.
fn outcome(jobs: &[Job<'_>], built: &[Result<Row, Failure>]) -> Result<(), Failure> {
    let failed = jobs
        .iter()
        .zip(built)
        .filter_map(|(job, row)| row.as_ref().err().map(|f| (job, f)));
    let failed: Vec<(&Job<'_>, &Failure)> = failed.collect();
    let Some((_, first)) = failed.first() else {
        return Ok(());
    };
    let line = |(job, failure): &(&Job<'_>, &Failure)| {
        let name = job.site.hostname.as_ref().map(ToString::to_string);
        format!("site {}: {}", name.unwrap_or_default(), failure.message)
    };
    let message: Vec<String> = failed.iter().map(line).collect();
    Err(Failure {
        exit: if failed.len() == jobs.len() {
            first.exit
        } else {
            Exit::Partial
        },
        message: message.join("\nerror: "),
        hint: first.hint.clone(),
    })
}
