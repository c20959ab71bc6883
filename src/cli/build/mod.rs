//! `snoforge build -f factory.yaml`: the whole job, resumed wherever it stopped; `check` and `schema` beside it.
//!
//! ```text
//! factory.yaml → check → plan (shown) → inventory → download → push → data disks → ISOs → report.json, report.html
//! ```
//!
//! Each step is the command line of an existing verb, run in this process: its errors, its progress and its way to go on are its
//! own. A step whose work is there already is said and left out; what tells is the data directory itself, and for disks and ISOs
//! the report of an earlier run together with what is on them.

mod check;
mod data;
mod disks;
mod downloads;
mod html;
mod isos;
mod job;
mod lines;
mod needs;
mod page;
mod plan;
mod report;
mod run;
mod watch;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

pub(super) use html::Report;
pub(super) use needs::{Files, Needs, needs, usual_images};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::imageset::check::{findings_failure, read, row, told};
use crate::config::factory::{self, Factory};
use crate::site::Request;
use crate::site::list::Listed;

/// The file.
#[derive(Debug, Args)]
pub(super) struct FileFlag {
    /// The job.
    #[arg(
        short = 'f',
        long = "file",
        value_name = "FILE",
        default_value = "factory.yaml"
    )]
    file: PathBuf,
}

/// Flags of `build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Run it again after Ctrl-C, a pulled cable or a full disk: what is done stays done. An image file appears whole or not at all.\n\nExamples:\n  snoforge schema --template > factory.yaml\n  snoforge build -f factory.yaml --dry-run      (the plan, with sizes and times; nothing is written)\n  snoforge build -f factory.yaml"
)]
pub(super) struct Build {
    #[command(flatten)]
    file: FileFlag,
    /// Do not ask before disks are changed.
    #[arg(short, long)]
    yes: bool,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
}

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  snoforge check -f factory.yaml")]
pub(super) struct Check {
    #[command(flatten)]
    file: FileFlag,
}

/// Flags of `schema`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  snoforge schema > factory.schema.json\n  snoforge schema --template > factory.yaml"
)]
pub(super) struct Schema {
    /// Print a factory.yaml with every field instead.
    #[arg(long)]
    template: bool,
}

/// A path as the report has it: relative to the factory file where that can be.
fn relative(factory: &Factory, path: &Path) -> String {
    let dir = factory.beside("");
    let path = path.strip_prefix(&dir).unwrap_or(path);
    path.display().to_string()
}

/// The job of a file.
///
/// # Errors
/// Not readable, or wrong.
pub(super) fn factory_at(file: &Path) -> Result<Factory, Failure> {
    let file = file.to_owned();
    FileFlag { file }.load()
}

/// The machines of a `factory.yaml`; `None` when the text is none.
///
/// # Errors
/// It is one and wrong, or it names no boot media.
pub(super) fn factory_sites(
    path: &Path,
    text: &str,
    request: &Request,
) -> Result<Option<Listed>, Failure> {
    if !factory::is_one(text) {
        return Ok(None);
    }
    let name = path.display().to_string();
    let factory = Factory::parse(&name, text).map_err(|found| findings_failure(&found))?;
    let Some(iso) = &factory.iso else {
        let failure = Failure::new(Exit::Usage, format!("{name}: there is no `iso`"));
        return Err(failure.hint("the sites of a job are under `iso.sites`"));
    };
    Ok(Some(isos::sites_with(&factory, iso, request)?))
}

impl FileFlag {
    fn load(&self) -> Result<Factory, Failure> {
        let name = self.file.to_str().ok_or_else(|| {
            let message = format!("{}: the path is not UTF-8", self.file.display());
            Failure::new(Exit::Usage, message)
        })?;
        Factory::parse(name, &read(&self.file)?).map_err(|found| findings_failure(&found))
    }
}

impl Build {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let factory = self.file.load()?;
        run::build(context, &factory, self.yes, self.dry_run)
    }
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let file = self.file.file.display().to_string();
        let found = match Factory::parse(&file, &read(&self.file.file)?) {
            Ok(factory) => check::check(&factory, check::Depth::Full),
            Err(errors) => check::Found {
                errors,
                warnings: Vec::new(),
            },
        };
        let failure = (!found.errors.is_empty()).then(|| findings_failure(&found.errors));
        if failure.is_none() || context.is_json() {
            let rows = |list: &[_]| list.iter().map(row).collect::<Vec<_>>();
            let document = json!({
                "ok": failure.is_none(), "findings": rows(&found.errors), "warnings": rows(&found.warnings),
            });
            context.result(&document, || {
                let warnings = told(&found.warnings).into_iter();
                let lines = warnings.map(|warning| format!("warning: {warning}"));
                let lines: Vec<_> = lines.chain([format!("{file}: ok")]).collect();
                lines.join("\n")
            })?;
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Schema {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.template {
            let document = json!({"template": factory::TEMPLATE});
            return context.result(&document, || factory::TEMPLATE.trim_end().to_owned());
        }
        let schema = factory::schema();
        context.result(&schema, || format!("{schema:#}"))
    }
}
