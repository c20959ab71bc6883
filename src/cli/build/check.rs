//! Everything that can be known to be wrong before the work begins: no root, no network, nothing written.

use std::path::Path;

use super::data::{self, Data};
use super::isos::{self, SitesError};
use super::report::Report;
use super::{html, lines};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::{execute, parse};
use crate::config::factory::{Disk, Factory, ImageSetSource, Iso, Kind, Section, Values};
use crate::config::model::At;
use crate::config::{Finding, imageset};
use crate::disk::{Filesystem, Label};
use crate::site::Site;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What makes the job impossible, in the order of the file.
    pub errors: Vec<Finding>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

/// How much the boot media are looked at; it takes some 15 ms for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every medium is planned, as `iso build --dry-run` does.
    Full,
    /// The same, unless all are there.
    Work,
    /// The list only: a plan has to come at once.
    Plan,
}

/// Paths that the job itself may make.
const MADE: [&str; 4] = ["folder", "out", "image", "inventory"];

/// Checks a job and everything that it names.
pub(super) fn check(factory: &Factory, depth: Depth) -> Found {
    let mut check = Checker {
        depth,
        context: Context::silent(),
        factory,
        found: Found::default(),
    };
    check.image_set();
    check.section(&factory.release, Section::Release);
    check.section(&factory.download, Section::Download);
    for disk in &factory.disks {
        check.disk(disk);
    }
    if let Err(failure) = Report::read(&factory.report) {
        check.failed(At::default(), failure);
    }
    if let Err(failure) = html::ours(&html::beside(&factory.report)) {
        check.failed(At::default(), failure);
    }
    // What is missing would be told a second time.
    if check.found.errors.is_empty() {
        check.download();
    }
    if let Some(iso) = &factory.iso {
        check.isos(iso);
    }
    let own = |finding: &Finding| finding.file == factory.file;
    check
        .found
        .errors
        .sort_by_key(|finding| (!own(finding), finding.at));
    check.found
}

struct Checker<'a> {
    depth: Depth,
    /// Says nothing: what is found is told once, at the end.
    context: Context,
    factory: &'a Factory,
    found: Found,
}

impl Checker<'_> {
    fn wrong(&mut self, at: At, message: impl Into<String>) {
        let finding = self.factory.finding(at, message);
        self.found.errors.push(finding);
    }

    fn failed(&mut self, at: At, failure: Failure) {
        let mut finding = self.factory.finding(at, failure.message);
        finding.hint = failure.hint;
        self.found.errors.push(finding);
    }

    fn image_set(&mut self) {
        let found = match &self.factory.imageset {
            ImageSetSource::Made(_) | ImageSetSource::Mapping => return,
            ImageSetSource::Inline(set) => set.check(&self.factory.file),
            ImageSetSource::File(path) => {
                let name = path.value.display().to_string();
                match fs_err::read_to_string(&path.value) {
                    Ok(text) => image_set(&name, &text),
                    Err(e) => {
                        return self.wrong(path.at, format!("cannot read {name}: {}", e.kind()));
                    }
                }
            }
        };
        match found {
            Ok(warnings) => self.found.warnings.extend(warnings),
            Err(errors) => self.found.errors.extend(errors),
        }
    }

    /// Every path that must be there.
    fn section(&mut self, values: &Values, section: Section) {
        let paths = section.fields().filter(|f| f.kind == Kind::Path);
        for field in paths.filter(|field| !MADE.contains(&field.key)) {
            for path in values.all(field.key) {
                if !Path::new(&path.value).exists() {
                    let message = format!("`{}`: {} does not exist", field.key, path.value);
                    self.wrong(path.at, message);
                }
            }
        }
    }

    fn line(&mut self, at: At, line: &[String]) -> bool {
        let Err(failure) = parse(line) else {
            return true;
        };
        let first = failure.message.lines().next().unwrap_or_default();
        let first = first.trim_start_matches("error: ").to_owned();
        self.wrong(at, first);
        false
    }

    /// Filter, graph, mapping, image names; credentials, mirrors, certificates.
    fn download(&mut self) {
        let (release, download) = (self.factory.release.at, self.factory.download.at);
        if !self.line(download, &lines::download(self.factory)) {
            return;
        }
        if let Err(failure) = Data::look(&self.context, self.factory) {
            self.failed(release, failure);
        }
        let client = data::flags(self.factory).and_then(|flags| flags.flags.registries.client());
        if let Err(failure) = client {
            self.failed(download, failure);
        }
    }

    fn disk(&mut self, disk: &Disk) {
        if !self.line(disk.values.at, &lines::partition(disk)) {
            return;
        }
        let at = disk.values.place("label");
        let label = lines::label(disk);
        let filesystem = disk.values.text("fs").unwrap_or("xfs").parse();
        match (label.parse::<Label>(), filesystem) {
            (Err(error), _) => self.failed(at, error.into()),
            (Ok(_), Ok::<Filesystem, _>(filesystem)) if label.len() > filesystem.label_max() => {
                let most = filesystem.label_max();
                let name = filesystem.name();
                self.wrong(
                    at,
                    format!("a label of {name} has at most {most} characters"),
                );
            }
            _ => {}
        }
    }

    fn isos(&mut self, iso: &Iso) {
        let before = self.found.errors.len();
        self.section(&iso.values, Section::Iso);
        let inventory = iso.values.path("inventory");
        let own = Path::new(lines::folder(self.factory)).join("inventory.json");
        if let Some(path) = inventory.filter(|path| **path != own && !path.exists()) {
            let message = format!("`inventory`: {} does not exist", path.display());
            self.wrong(iso.values.place("inventory"), message);
        }
        if let Some(install) = &self.factory.install {
            self.section(install, Section::Install);
            let line = lines::clusters(self.factory, install, iso);
            if !self.line(install.at, &line) || self.found.errors.len() > before {
                return;
            }
            // Networks, disks, names, the secrets: the verb knows what each cluster needs.
            let line = std::iter::once("snoforge".to_owned()).chain(line);
            let line = line.chain(["--dry-run".to_owned()]);
            if let Err(failure) = execute(line, &self.context) {
                self.failed(install.at, failure);
                return;
            }
        }
        let line = lines::isos(self.factory, iso);
        if !self.line(iso.values.at, &line) {
            return;
        }
        match isos::sites(self.factory, iso) {
            Ok(listed) => {
                if self.found.errors.len() == before && !self.is_planned(iso, &listed.sites) {
                    self.plan(iso, line);
                }
                self.found.warnings.extend(listed.warnings);
            }
            Err(SitesError::Found(found)) => self.found.errors.extend(found),
            Err(SitesError::Failed(failure)) => self.failed(iso.sites.at, failure),
        }
    }

    /// Whether the boot media need not be planned.
    fn is_planned(&self, iso: &Iso, sites: &[Site]) -> bool {
        let made = || {
            let report = Report::read(&self.factory.report).ok()?;
            let inputs = isos::inputs(self.factory, iso, sites).ok()?;
            isos::made(self.factory, iso, &report, &inputs).map(drop)
        };
        match self.depth {
            // What the job makes itself may not be there yet.
            _ if self.waits(sites) => true,
            Depth::Full => false,
            Depth::Work => made().is_some(),
            Depth::Plan => true,
        }
    }

    /// Whether a config is still to be made.
    fn waits(&self, sites: &[Site]) -> bool {
        let own = sites.iter().filter(|site| site.ignition.is_none());
        let mut created = own.filter_map(|site| isos::created(self.factory, site));
        created.any(|path| !path.exists())
    }

    /// The verb itself knows the rest: the live ISO, configs, certificates, kernel arguments and what fits.
    fn plan(&mut self, iso: &Iso, line: Vec<String>) {
        let made = |word: &String| {
            let inventory = word.strip_prefix("--inventory=");
            inventory.is_none_or(|path| Path::new(path).exists())
        };
        let line = std::iter::once("snoforge".to_owned()).chain(line.into_iter().filter(made));
        let line = line.chain(["--dry-run".to_owned()]);
        if let Err(failure) = execute(line, &self.context) {
            self.failed(iso.values.at, isos::in_file(failure));
        }
    }
}

fn image_set(name: &str, text: &str) -> Result<Vec<Finding>, Vec<Finding>> {
    let parsed = imageset::parse(name, text)?;
    let late = imageset::selection_errors(name, &parsed.imageset);
    if late.is_empty() {
        Ok(parsed.warnings)
    } else {
        Err(late)
    }
}
