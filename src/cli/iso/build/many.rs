//! The ISOs of a list of machines, in parallel; one failure does not stop the rest.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::Run;
use super::base::Base;
use super::one::{self, Row};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::ignition::IGNITION;
use crate::cli::imageset::check::{findings_failure, told};
use crate::io::atomic;
use crate::iso::write::Overwrite;
use crate::iso::{Derived, digests, write};
use crate::progress::{Event, Reporter};
use crate::site::list::{self, Listed};
use crate::site::{Request, Site};

const REPORT: &str = "sites.json";

/// What is to be built.
pub(super) struct List<'a> {
    /// The list.
    pub file: &'a Path,
    /// What the flags say about every machine.
    pub request: &'a Request,
    /// The config of machines that name none, or the directory with one for each.
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

/// An ISO that is there.
struct Built {
    row: Row,
    file: Derived,
}

/// Builds one ISO each.
pub(super) fn build(context: &Context, run: &Run, list: &List<'_>) -> Result<(), Failure> {
    let sites = read(context, list)?;
    let bases = bases(context, run, list, &sites)?;
    let jobs = jobs(list, &sites, &bases)?;
    if !run.plan_only {
        directory(list.out)?;
    }
    let reporter = context.reporter.as_ref();
    let total = run.medium_size() * jobs.len() as u64;
    reporter.report(Event::Phase {
        name: "build",
        items: Some(jobs.len() as u64),
        bytes: Some(total),
    });
    let mut built: Vec<Result<Built, Failure>> = jobs
        .par_iter()
        .map(|job| {
            let built = build_one(run, job, reporter);
            reporter.report(match &built {
                Ok(_) => Event::Finished { id: job.id },
                Err(failure) => Event::Failed {
                    id: job.id,
                    reason: &failure.message,
                },
            });
            built
        })
        .collect();
    reporter.report(Event::PhaseDone);
    if list.sha256 && !run.plan_only && built.iter().any(Result::is_ok) {
        hash(run, &mut built, reporter);
    }
    let built: Vec<Result<Row, Failure>> = built.into_iter().map(|b| Ok(b?.row)).collect();
    report(context, run, list, &jobs, &built)
}

fn directory(path: &Path) -> Result<(), Failure> {
    if path.exists() && !path.is_dir() {
        let message = format!("{} is no directory", path.display());
        return Err(Failure::new(Exit::Usage, message).hint("with --sites, -o names a directory"));
    }
    Ok(fs_err::create_dir_all(path)?)
}

fn read(context: &Context, list: &List<'_>) -> Result<Vec<Site>, Failure> {
    let name = list.file.display().to_string();
    let text = fs_err::read_to_string(list.file).map_err(|e| unreadable(list.file, &e))?;
    let Listed { sites, warnings } =
        list::parse(&name, &text, list.request).map_err(|found| findings_failure(&found))?;
    for warning in told(&warnings) {
        context.warn(&warning);
    }
    Ok(sites)
}

/// The config of a machine: its own, the one that `ignition create` made for it in a directory, or the one of all.
fn config(list: &List<'_>, site: &Site) -> Result<PathBuf, Failure> {
    let name = site.hostname.as_ref().map(ToString::to_string);
    let name = name.unwrap_or_default();
    let beside = list.file.parent().unwrap_or(Path::new("."));
    match (&site.ignition, list.ignition) {
        (Some(own), _) => Ok(beside.join(own)),
        (None, Some(directory)) if directory.is_dir() => Ok(directory.join(name).join(IGNITION)),
        (None, Some(shared)) => Ok(shared.to_owned()),
        (None, None) => {
            let message = format!(
                "{}: site `{name}` names no Ignition config",
                list.file.display()
            );
            Err(Failure::new(Exit::Usage, message).hint("add --ignition FILE"))
        }
    }
}

/// Every config that a machine starts from, by its path.
fn bases(
    context: &Context,
    run: &Run,
    list: &List<'_>,
    sites: &[Site],
) -> Result<BTreeMap<PathBuf, Base>, Failure> {
    let mut bases = BTreeMap::new();
    for site in sites {
        let path = config(list, site)?;
        if let Entry::Vacant(new) = bases.entry(path) {
            let base = Base::load(context, run, new.key())?;
            new.insert(base);
        }
    }
    Ok(bases)
}

fn jobs<'a>(
    list: &List<'_>,
    sites: &'a [Site],
    bases: &'a BTreeMap<PathBuf, Base>,
) -> Result<Vec<Job<'a>>, Failure> {
    let mut jobs = Vec::new();
    for (id, site) in (0..).zip(sites) {
        let base = bases.get(&config(list, site)?);
        let (Some(name), Some(base)) = (&site.hostname, base) else {
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

/// Plans and writes one ISO; one that an earlier run made stays.
fn build_one(run: &Run, job: &Job<'_>, reporter: &dyn Reporter) -> Result<Built, Failure> {
    let name = job.out.display().to_string();
    reporter.report(Event::Started {
        id: job.id,
        name: &name,
        size: Some(run.medium_size()),
    });
    let planned = one::plan(run, job.base, job.site)?;
    let row = Row::new(job.site, job.base, &job.out, &planned.plan);
    if run.overwrite == Overwrite::Refuse && write::is_made(&job.out, &planned.plan) {
        let file = Derived::there(&job.out, &planned.plan);
        return Ok(Built { row, file });
    }
    write::preflight(run.medium.path(), &job.out, run.overwrite)?;
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
    Ok(Built {
        row,
        file: Derived::new(&job.out, &planned.plan),
    })
}

/// Adds the digest of every ISO that is there.
fn hash(run: &Run, built: &mut [Result<Built, Failure>], reporter: &dyn Reporter) {
    let there: Vec<&mut Result<Built, Failure>> =
        built.iter_mut().filter(|built| built.is_ok()).collect();
    let files: Vec<Derived> = there
        .iter()
        .filter_map(|built| Some(built.as_ref().ok()?.file.clone()))
        .collect();
    let size = Some(run.medium_size());
    reporter.report(Event::Phase {
        name: "hash",
        items: Some(1),
        bytes: size,
    });
    let name = "SHA-256 of every ISO";
    reporter.report(Event::Started { id: 0, name, size });
    let advanced = |bytes| reporter.report(Event::Advanced { id: 0, bytes });
    let found = digests(&run.medium, &files, advanced);
    for (built, found) in there.into_iter().zip(found) {
        match (built.as_mut(), found) {
            (Ok(done), Ok(digest)) => done.row.sha256 = Some(digest),
            (_, Err(error)) => *built = Err(error.into()),
            (Err(_), _) => {}
        }
    }
    reporter.report(Event::Finished { id: 0 });
    reporter.report(Event::PhaseDone);
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
    // A run that made nothing says nothing about the ISOs that are there.
    if !run.plan_only && built.iter().any(Result::is_ok) {
        let mut text = serde_json::to_vec_pretty(&document)
            .map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        text.push(b'\n');
        atomic::write(&list.out.join(REPORT), &text)?;
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
