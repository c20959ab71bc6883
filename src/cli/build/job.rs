//! The work, step by step; each step looks again at what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::data::{self, Data};
use super::disks::{self, State};
use super::downloads::Downloads;
use super::report::{InventoryReport, PushReport, Report};
use super::run::{Confirmed, fits};
use super::watch::Watch;
use super::{html, isos, lines};
use crate::cli::context::{Context, now};
use crate::cli::execute;
use crate::cli::exit::{Exit, Failure};
use crate::config::factory::{Disk, Factory, Iso, Target};
use crate::fetch::open_items;
use crate::inventory::Summary;
use crate::inventory::lock::{Inventory, Request};
use crate::oci::Digest;
use crate::progress::Reporter;
use crate::store::Store;
use crate::ui::record::{End, Recorder};
use crate::ui::{format, table};

/// A step that is over.
struct Past {
    step: &'static str,
    what: String,
    /// Whether there was nothing to do.
    skipped: bool,
    time: Duration,
}

/// The work.
pub(super) struct Job<'a> {
    context: &'a Context,
    factory: &'a Factory,
    watch: Watch,
    report: Report,
    confirmed: Confirmed,
    steps: Vec<Past>,
    started: Instant,
}

impl<'a> Job<'a> {
    /// A job that was looked at and confirmed.
    pub(super) fn new(
        context: &'a Context,
        factory: &'a Factory,
        watch: Watch,
        (report, confirmed): (Report, Confirmed),
    ) -> Self {
        Self {
            context,
            factory,
            watch,
            report,
            confirmed,
            steps: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// What a step says.
    pub(super) fn run(mut self, data: Data) -> Result<(), Failure> {
        let done = self.work(data);
        let page = html::write(self.factory, &self.report);
        match (done, page) {
            (Err(failure), page) => {
                if let Err(page) = page {
                    self.context.warn(&page.message);
                }
                Err(failure)
            }
            (Ok(()), page) => page.and_then(|page| self.summary(&page)),
        }
    }

    fn work(&mut self, data: Data) -> Result<(), Failure> {
        let inventory = self.inventory(data)?;
        let digest = inventory.digest();
        self.push(&inventory.request, &digest)?;
        self.disks(&digest)?;
        let factory = self.factory;
        match &factory.iso {
            Some(iso) => {
                self.clusters(iso)?;
                self.isos(iso)?;
            }
            None => self.report.isos = None,
        }
        self.report.complete = true;
        self.report.write(&factory.report)
    }

    /// Runs a command line as a step.
    fn step(
        &mut self,
        (step, what): (&'static str, String),
        listens: bool,
        line: Vec<String>,
    ) -> Result<(), Failure> {
        let nested = self.context.nested();
        self.step_in(&nested, (step, what), listens, line)
    }

    /// The same, told to a context of its own.
    fn step_in(
        &mut self,
        nested: &Context,
        (step, what): (&'static str, String),
        listens: bool,
        line: Vec<String>,
    ) -> Result<(), Failure> {
        self.context
            .say(&format!("\n# {step}: {what}\n$ {}", lines::shown(&line)));
        if self.report.complete {
            self.report.complete = false;
            self.report.write(&self.factory.report)?;
        }
        let started = Instant::now();
        let line = std::iter::once("snoforge".to_owned()).chain(line);
        let done = self.watch.step(listens, || execute(line, nested));
        if done.is_err() {
            self.context.say(&format!(
                "stopped in step `{step}`; the same `snoforge build` goes on from here"
            ));
        }
        done?;
        self.past(step, what, false, started.elapsed());
        Ok(())
    }

    fn skip(&mut self, step: &'static str, what: String, why: &str) {
        self.context
            .say(&format!("\n# {step}: {what}: done: {why}"));
        self.past(step, what, true, Duration::ZERO);
    }

    fn past(&mut self, step: &'static str, what: String, skipped: bool, time: Duration) {
        self.steps.push(Past {
            step,
            what,
            skipped,
            time,
        });
    }

    /// Inventory and download; returns the inventory.
    fn inventory(&mut self, mut data: Data) -> Result<Inventory, Failure> {
        let factory = self.factory;
        let folder = lines::folder(factory).to_owned();
        data::place_image_set(self.context, factory)?;
        if data.locked {
            let why = "it answers the same question (`precache download --refresh` asks again)";
            self.skip("inventory", folder.clone(), why);
        } else {
            let line = lines::inventory(factory);
            self.step(("inventory", folder.clone()), true, line)?;
            data = Data::look(&Context::silent(), factory)?;
        }
        let inventory = data.inventory.ok_or_else(|| {
            let message = format!("{folder}: the inventory is not the one that was asked for");
            Failure::new(Exit::Internal, message)
        })?;
        fits(factory, &Summary::of(&inventory))?;
        self.report.inventory = Some(InventoryReport::of(&inventory));
        if data.complete {
            self.skip("download", folder, "everything is there");
        } else {
            self.download(&inventory, folder)?;
        }
        let named = |target: &str| {
            let mut disks = factory.disks.iter();
            disks.any(|disk| disks::name(factory, disk) == target)
        };
        self.report.disks.retain(|disk| named(&disk.target));
        let wanted = |target: &String| factory.download.all("push").any(|t| t.value == *target);
        self.report.pushed.retain(|past| wanted(&past.target));
        self.report.write(&factory.report)?;
        Ok(inventory)
    }

    fn push(&mut self, request: &Request, digest: &Digest) -> Result<(), Failure> {
        let factory = self.factory;
        for target in factory.download.all("push").map(|target| &target.value) {
            if self.report.is_pushed(target, digest)
                && let Some(why) = data::pushed(factory, target, request)?
            {
                self.skip("push", target.clone(), &why);
                continue;
            }
            self.report.pushed.retain(|old| old.target != *target);
            let line = lines::push(factory, target);
            self.step(("push", target.clone()), false, line)?;
            self.report.pushed.push(PushReport {
                target: target.clone(),
                inventory: digest.clone(),
            });
            self.report.write(&factory.report)?;
        }
        Ok(())
    }

    /// Downloads, and keeps how it went.
    fn download(&mut self, inventory: &Inventory, folder: String) -> Result<(), Failure> {
        let factory = self.factory;
        let store = Store::open(Path::new(&folder)).ok();
        let open = store.and_then(|store| open_items(inventory, &store).ok());
        let images = if open.is_some() {
            inventory.images.len() as u64
        } else {
            0
        };
        let inner = Arc::clone(&self.context.reporter);
        let recorder = Recorder::new(inner, (open.unwrap_or_default(), images), now);
        let recorder = Arc::new(recorder);
        let mut nested = self.context.nested();
        nested.reporter = Arc::clone(&recorder) as Arc<dyn Reporter>;
        let downloads = &mut self.report.downloads;
        Downloads::begin(downloads, &inventory.digest(), now());
        self.report.write(&factory.report)?;
        let line = lines::download(factory);
        let done = self.step_in(&nested, ("download", folder), true, line);
        let end = match &done {
            Ok(()) => End::Complete,
            Err(failure) if failure.exit == Exit::Interrupted => End::Interrupted,
            Err(_) => End::Failed,
        };
        if let Some(downloads) = &mut self.report.downloads {
            downloads.end(recorder.session(end), end);
        }
        self.report.write(&factory.report)?;
        done
    }

    fn disks(&mut self, digest: &Digest) -> Result<(), Failure> {
        let factory = self.factory;
        let mut copies: BTreeMap<&str, Vec<&Disk>> = BTreeMap::new();
        for disk in &factory.disks {
            let target = disk.target.text();
            match disks::state(factory, disk, &self.report, Some(digest)) {
                State::Filled(partition) => {
                    let why = format!("filled by an earlier run, PARTUUID {partition}");
                    self.skip("disk", target, &why);
                }
                State::Away => {
                    let why = "filled by an earlier run, not plugged in now";
                    self.skip("disk", target, why);
                }
                State::Refused(failure) => return Err(failure),
                State::Partitioned => copies.entry(lines::label(disk)).or_default().push(disk),
                State::Empty(plan) => {
                    if self.confirmed.get(&target) != Some(&Some(*plan)) {
                        return Err(changed(&target));
                    }
                    self.step(("partition", target), false, lines::partition(disk))?;
                    copies.entry(lines::label(disk)).or_default().push(disk);
                }
                State::Image { replaces } => {
                    if replaces && !self.confirmed.contains_key(&target) {
                        return Err(changed(&target));
                    }
                    self.image(disk, digest)?;
                }
            }
        }
        for (label, disks) in copies {
            let names: Vec<String> = disks.iter().map(|disk| disk.target.text()).collect();
            let line = lines::copy(factory, label, &disks);
            self.step(("copy", names.join(" ")), true, line)?;
            for disk in disks {
                self.filled(disk, (digest, true))?;
            }
        }
        Ok(())
    }

    fn image(&mut self, disk: &Disk, digest: &Digest) -> Result<(), Failure> {
        let Target::Image(path) = &disk.target else {
            return Ok(());
        };
        let image = &path.value;
        let unfinished = disks::create(disk, image)?;
        let line = lines::image(self.factory, disk, unfinished.path());
        self.step(("image", image.display().to_string()), false, line)?;
        unfinished.publish()?;
        self.filled(disk, (digest, false))
    }

    /// Notes that a disk holds the inventory, and whether all of it was read back.
    fn filled(&mut self, disk: &Disk, what: (&Digest, bool)) -> Result<(), Failure> {
        let filled = disks::filled(self.factory, disk, what)?;
        let report = &mut self.report;
        report.disks.retain(|old| old.target != filled.target);
        report.disks.push(filled);
        report.write(&self.factory.report)
    }

    /// The verb itself keeps what is there of the same inputs.
    fn clusters(&mut self, iso: &Iso) -> Result<(), Failure> {
        let factory = self.factory;
        let Some(install) = &factory.install else {
            return Ok(());
        };
        let sites = isos::sites(factory, iso)?.sites;
        let own = sites.iter().filter(|site| site.ignition.is_none()).count();
        let out = install.text("out").unwrap_or_default();
        let what = format!("{} in {out}", format::count(own as u64, "site"));
        let line = lines::clusters(factory, install, iso);
        self.step(("clusters", what), true, line)
            .map_err(|failure| isos::in_section(failure, "install"))
    }

    fn isos(&mut self, iso: &Iso) -> Result<(), Failure> {
        let factory = self.factory;
        let sites = isos::sites(factory, iso)?.sites;
        let inputs = isos::inputs(factory, iso, &sites)?;
        let out = isos::out(iso).display();
        let what = format!("{} in {out}", format::count(sites.len() as u64, "site"));
        if isos::made(factory, iso, &self.report, &inputs).is_some() {
            self.skip("isos", what, "all are there, of the same inputs");
            return Ok(());
        }
        self.report.isos = None;
        let line = lines::isos(factory, iso);
        self.step(("isos", what), false, line)
            .map_err(isos::in_file)?;
        self.report.isos = Some(isos::report(factory, iso, (inputs, &sites))?);
        Ok(())
    }

    fn summary(&self, page: &Path) -> Result<(), Failure> {
        let seconds = |past: &Past| past.time.as_secs_f64();
        let steps = self.steps.iter().map(|past| {
            json!({"step": past.step, "what": past.what, "skipped": past.skipped, "seconds": seconds(past)})
        });
        let steps: Vec<_> = steps.collect();
        let file = self.factory.report.display();
        let document = json!({
            "steps": steps, "seconds": self.started.elapsed().as_secs_f64(),
            "report": file.to_string(), "page": page.display().to_string(), "result": self.report,
        });
        self.context.result(&document, || {
            let row = |past: &Past| {
                let time = if past.skipped {
                    "done before".to_owned()
                } else {
                    format::duration(past.time)
                };
                vec![past.step.to_owned(), time, past.what.clone()]
            };
            let rows = self.steps.iter().map(row).collect();
            let table = table::render(&["STEP", "TIME", "WHAT"], rows, &[1]);
            let isos = self.report.isos.as_ref();
            let end = isos.and_then(|isos| isos.use_before.as_ref());
            let end = end.map(|end| format!("Use the boot media before {end}.\n"));
            let page = page.display();
            format!(
                "\n{table}\n\n{}Report: {page} (for scripts: {file})",
                end.unwrap_or_default()
            )
        })
    }
}

fn changed(target: &str) -> Failure {
    let message = format!("{target} is not as it was when the plan was made");
    let failure = Failure::new(Exit::Environment, message);
    failure.hint("nothing was written to it; run the same command again and look at the plan")
}
