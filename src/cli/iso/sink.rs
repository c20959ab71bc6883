//! Where a changed ISO goes: in place, to a new file, to stdout. Every changing verb ends here.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Input, journal, named, recover};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::iso::write::{self, Overwrite};
use crate::iso::{Changes, LiveIso, Medium, Plan, Region};
use crate::progress::Event;
use crate::ui::format;

/// The ISO that a verb changes, and its flags.
#[derive(Debug, Args)]
pub(crate) struct Target {
    #[command(flatten)]
    input: Input,
    /// Write a new ISO there (`-`: stdout) and leave the old one; without it the ISO is changed in place.
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace what is embedded, and an output that exists.
    #[arg(short, long)]
    pub force: bool,
    /// Print what would be written where, and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Target {
    /// Refuses an output that cannot be, before anything is read.
    pub(super) fn preflight(&self) -> Result<(), Failure> {
        match self.out.as_deref() {
            Some(out) if out == Path::new("-") => {
                if std::io::stdout().is_terminal() && !self.dry_run {
                    let failure = Failure::new(Exit::Usage, "an ISO is not for a terminal");
                    return Err(failure.hint("redirect stdout, or name a file with -o"));
                }
                Ok(())
            }
            Some(out) => Ok(write::preflight(&self.input.iso, out, self.overwrite())?),
            None => Ok(()),
        }
    }

    /// Opens the ISO, asks `changes` what to do, and does it.
    pub(super) fn change(
        &self,
        context: &Context,
        changes: impl FnOnce(&LiveIso) -> Result<Changes, Failure>,
    ) -> Result<(), Failure> {
        self.carry_out(context, |medium, iso| {
            Ok(Plan::new(medium, iso, &changes(iso)?)?)
        })
    }

    /// Opens the ISO, asks for a plan, and carries it out.
    pub(super) fn carry_out(
        &self,
        context: &Context,
        plan: impl FnOnce(&Medium, &LiveIso) -> Result<Plan, Failure>,
    ) -> Result<(), Failure> {
        self.preflight()?;
        let path = &self.input.iso;
        if !self.dry_run {
            recover(context, path)?;
        }
        let medium = if self.out.is_none() && !self.dry_run {
            Medium::open_for_writing(path)?
        } else {
            Medium::open(path)?
        };
        let iso = LiveIso::read(&medium).map_err(|e| named(path, e))?;
        let plan = &plan(&medium, &iso)?;
        for warning in &plan.warnings {
            context.warn(&warning.to_string());
        }
        if plan.grows {
            grown(context, &iso, plan);
        }
        let to_stdout = self.out.as_deref() == Some(Path::new("-"));
        if !self.dry_run {
            self.write(context, &medium, plan)?;
        }
        let target = self.out.as_deref().unwrap_or(medium.path());
        let document = document(target, plan, self.dry_run);
        if to_stdout && !self.dry_run {
            return Ok(());
        }
        context.result(&document, || summary(target, plan, self.dry_run))
    }

    fn write(&self, context: &Context, medium: &Medium, plan: &Plan) -> Result<(), Failure> {
        let Some(out) = self.out.as_deref() else {
            return Ok(write::in_place(medium, plan, &journal(medium.path()))?);
        };
        if out == Path::new("-") {
            return Ok(write::to_stream(
                medium,
                plan,
                &mut std::io::stdout().lock(),
            )?);
        }
        let (reporter, bytes) = (context.reporter.as_ref(), Some(plan.new_size));
        let name = out.display().to_string();
        reporter.report(Event::Phase {
            name: "write",
            items: Some(1),
            bytes,
        });
        reporter.report(Event::Started {
            id: 0,
            name: &name,
            size: bytes,
        });
        write::to_file(medium, plan, out, self.overwrite(), (reporter, 0))?;
        reporter.report(Event::Finished { id: 0 });
        reporter.report(Event::PhaseDone);
        Ok(())
    }

    fn overwrite(&self) -> Overwrite {
        if self.force {
            Overwrite::Replace
        } else {
            Overwrite::Refuse
        }
    }
}

/// Says what growing means.
pub(super) fn grown(context: &Context, iso: &LiveIso, plan: &Plan) {
    context.say(&format!(
        "the content packs to {} bytes, the embed area holds {}: moved it to the end of the ISO, where it holds {}",
        grouped(plan.used),
        grouped(iso.area.length),
        grouped(plan.capacity),
    ));
}

fn summary(target: &Path, plan: &Plan, dry_run: bool) -> String {
    let target = target.display();
    let mut lines = if dry_run { would(plan) } else { Vec::new() };
    if plan.used > 0 {
        lines.push(format!(
            "{target}: {} of {} bytes of the embed area in use",
            grouped(plan.used),
            grouped(plan.capacity)
        ));
    }
    if let Some(kargs) = &plan.kargs {
        lines.push(format!("{target}: kernel arguments: {kargs}"));
    }
    if lines.is_empty() {
        let what = if plan.is_empty() {
            "nothing to change".to_owned()
        } else {
            format!("{} written", format::bytes(plan.bytes()))
        };
        lines.push(format!("{target}: {what}"));
    }
    lines.join("\n")
}

/// What would be written, a line each.
pub(super) fn would(plan: &Plan) -> Vec<String> {
    let line = |region: &Region| {
        let length = grouped(region.contents.len() as u64);
        format!("would write {length} bytes at {}", region.offset)
    };
    let mut lines: Vec<String> = plan.regions.iter().map(line).collect();
    if plan.old_size != plan.new_size {
        let (old, new) = (grouped(plan.old_size), grouped(plan.new_size));
        lines.push(format!("would change the size from {old} to {new} bytes"));
    }
    lines
}

/// What is written where.
pub(super) fn regions(plan: &Plan) -> Vec<Value> {
    let regions = plan.regions.iter();
    let region = regions.map(|r| json!({"offset": r.offset, "length": r.contents.len()}));
    region.collect()
}

fn document(target: &Path, plan: &Plan, dry_run: bool) -> Value {
    let regions = regions(plan);
    json!({
        "iso": target,
        "written": !dry_run,
        "size": plan.new_size,
        "regions": regions,
        "area": {"used": plan.used, "capacity": plan.capacity, "moved": plan.grows},
        "kargs": plan.kargs,
    })
}

/// `262,144`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
