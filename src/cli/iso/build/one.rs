//! The ISO of one machine.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::Run;
use super::base::Base;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::iso::ignition::say_steps;
use crate::cli::iso::sink::{grouped, grown, regions, would};
use crate::ignition::fit::Step;
use crate::iso::kargs::Edit;
use crate::iso::{Change, Changes, KargsChange, Plan, write};
use crate::progress::Event;
use crate::site::{self, Cluster, Request, Site};

/// A machine's ISO before it is written.
#[derive(Debug)]
pub(super) struct Planned {
    /// What is written.
    pub plan: Plan,
    /// What was done to make the config fit.
    pub steps: Vec<Step>,
}

/// What is told about a machine's ISO.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// Its name.
    pub hostname: Option<String>,
    /// Name and base domain of the cluster, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The file.
    pub iso: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Kernel arguments of the live system, where they can be set.
    pub kargs: Option<String>,
    /// When the certificates in the config begin to expire.
    pub use_before: Option<String>,
    /// Bytes of the embed area in use.
    pub embedded: u64,
    /// Bytes of the embed area.
    pub capacity: u64,
    /// Whether the area was moved to the end to hold that.
    pub moved: bool,
}

impl Row {
    /// The row of a plan.
    pub(super) fn new(site: &Site, base: &Base, out: &Path, plan: &Plan) -> Self {
        Self {
            hostname: site.hostname.as_ref().map(ToString::to_string),
            cluster: site.cluster.as_ref().map(Cluster::full),
            iso: out.display().to_string(),
            size: plan.new_size,
            sha256: None,
            kargs: plan.kargs.clone(),
            use_before: base
                .use_before
                .as_ref()
                .map(|(moment, _)| moment.to_string()),
            embedded: plan.used,
            capacity: plan.capacity,
            moved: plan.grows,
        }
    }
}

/// Plans the ISO of a machine: every limit is checked here.
pub(super) fn plan(run: &Run, base: &Base, site: &Site) -> Result<Planned, Failure> {
    let (bytes, config) = base.of(site)?;
    let edit = Edit::new(&site::kargs(site), &run.delete, &run.replace)?;
    let changes = Changes {
        clear: true,
        network: if run.keyfiles.is_empty() {
            Change::Keep
        } else {
            Change::Set(run.keyfiles.clone())
        },
        kargs: if edit.is_empty() {
            KargsChange::Reset
        } else {
            KargsChange::EditDefault(edit)
        },
        may_grow: true,
        ..Changes::default()
    };
    let (plan, steps) = Plan::fitted(&run.medium, &run.iso, (&config, &bytes), &changes)?;
    Ok(Planned { plan, steps })
}

/// Builds one ISO.
pub(super) fn build(
    context: &Context,
    run: &Run,
    request: &Request,
    ignition: &Path,
    out: &Path,
) -> Result<(), Failure> {
    write::preflight(run.medium.path(), out, run.overwrite)?;
    let site = resolve(context, request)?;
    let base = Base::load(context, run, ignition)?;
    let Planned { plan, steps } = plan(run, &base, &site)?;
    say_steps(context, &steps);
    if plan.grows {
        grown(context, &run.iso, &plan);
    }
    for warning in &plan.warnings {
        context.warn(&warning.to_string());
    }
    let row = Row::new(&site, &base, out, &plan);
    if run.plan_only {
        let document = json!({"written": false, "iso": row, "regions": regions(&plan)});
        return context.result(&document, || {
            format!("{}\n{}", would(&plan).join("\n"), text(&row, &base))
        });
    }
    written(context, run, &plan, out)?;
    context.result(&json!({"written": true, "iso": row}), || text(&row, &base))
}

fn written(context: &Context, run: &Run, plan: &Plan, out: &Path) -> Result<(), Failure> {
    let (reporter, size) = (context.reporter.as_ref(), Some(plan.new_size));
    let name = out.display().to_string();
    reporter.report(Event::Phase {
        name: "write",
        items: Some(1),
        bytes: size,
    });
    reporter.report(Event::Started {
        id: 0,
        name: &name,
        size,
    });
    write::to_file(&run.medium, plan, out, run.overwrite, (reporter, 0))?;
    reporter.report(Event::Finished { id: 0 });
    reporter.report(Event::PhaseDone);
    Ok(())
}

/// The machine that the flags describe.
///
/// # Errors
/// Everything that is wrong, in one message.
pub(in crate::cli) fn resolve(context: &Context, request: &Request) -> Result<Site, Failure> {
    let resolved = request.resolve().map_err(|errors| {
        let lines: Vec<String> = errors
            .iter()
            .map(|e| format!("--{}: {e}", e.field().name()))
            .collect();
        Failure {
            exit: Exit::Usage,
            message: lines.join("\nerror: "),
            hint: errors.iter().find_map(site::Error::hint),
        }
    })?;
    for (field, warning) in &resolved.warnings {
        context.warn(&format!("--{}: {warning}", field.name()));
    }
    Ok(resolved.site)
}

fn text(row: &Row, base: &Base) -> String {
    let mut lines = vec![format!(
        "{}: {} bytes, {} of {} of the embed area in use",
        row.iso,
        grouped(row.size),
        grouped(row.embedded),
        grouped(row.capacity)
    )];
    lines.extend(
        row.kargs
            .iter()
            .map(|kargs| format!("kernel arguments: {kargs}")),
    );
    if let Some((moment, subject)) = &base.use_before {
        lines.push(format!("Use before {moment}: then `{subject}` expires."));
    }
    lines.join("\n")
}
