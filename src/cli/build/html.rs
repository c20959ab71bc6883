//! `report.html` beside `report.json`, and `snoforge report`, which writes it again.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::report::{Report as Document, Verified};
use super::{FileFlag, lines, page};
use crate::cli::context::{Context, now, today};
use crate::cli::exit::{Exit, Failure};
use crate::cli::precache::plan::{DataDir, expected};
use crate::config::factory::Factory;
use crate::io::atomic;
use crate::store::{Depth, Report as Findings};
use crate::ui::format;
use crate::ui::report::{self as ui, Page};

/// Problems that are kept.
const PROBLEMS: usize = 50;

/// Flags of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "`snoforge build` writes the page beside report.json. It is one file: no network, no script; print it for one travel sheet per machine.\n\nExamples:\n  snoforge report -f factory.yaml\n  snoforge report -f factory.yaml --verify      (reads every byte of the data directory first, and keeps what came of it)\n  snoforge report -f /mnt/data -o disk.html     (of a data directory: inventory, layers, verification)"
)]
pub(in crate::cli) struct Report {
    /// The job, or a data directory.
    #[arg(
        short = 'f',
        long = "file",
        value_name = "FILE|DIR",
        default_value = "factory.yaml"
    )]
    file: PathBuf,
    /// The page. Default: beside report.json, or report.html here.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read every byte of the data directory first.
    #[arg(long)]
    verify: bool,
}

impl Report {
    /// Runs the verb.
    ///
    /// # Errors
    /// There is nothing to report on, the page is somebody else's, or it cannot be written; with `--verify` what was found (exit 7).
    pub(in crate::cli) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.file.is_dir() {
            let verified = self.verified(context, &self.file)?;
            let page = page::of_directory(&self.file, verified.as_ref())?;
            let out = self.out.unwrap_or_else(|| "report.html".into());
            return finish(context, &page, &out, verified.as_ref());
        }
        let file = FileFlag {
            file: self.file.clone(),
        };
        let factory = file.load()?;
        let mut document = Document::read(&factory.report)?;
        if document.created.is_empty() {
            let message = format!("{} is not there yet", factory.report.display());
            let failure = Failure::new(Exit::Usage, message);
            return Err(failure.hint(
                "`snoforge build` writes it; of a data directory alone: snoforge report -f DIR",
            ));
        }
        let verified = self.verified(context, Path::new(lines::folder(&factory)))?;
        if verified.is_some() {
            document.verified.clone_from(&verified);
            document.write(&factory.report)?;
        }
        let page = page::of_job(&factory, &document, today());
        let out = self.out.unwrap_or_else(|| beside(&factory.report));
        finish(context, &page, &out, verified.as_ref())
    }

    fn verified(&self, context: &Context, folder: &Path) -> Result<Option<Verified>, Failure> {
        if !self.verify {
            return Ok(None);
        }
        let data = DataDir::open(folder)?;
        let inventory = data.inventory()?;
        let reporter = context.reporter.as_ref();
        let found = data
            .store
            .verify(&expected(&inventory), Depth::Digests, reporter);
        Ok(Some(Verified::of(inventory.digest(), &found, now())))
    }
}

impl Verified {
    /// What is there beyond the image set is no problem of it; the page says so beside.
    fn of(inventory: crate::oci::Digest, found: &Findings, at: String) -> Self {
        let wrong = found.findings.iter().filter(|f| page::is_lack(f));
        let problems: Vec<String> = wrong.map(ToString::to_string).collect();
        Self {
            at,
            inventory,
            items: found.items as u64,
            bytes_read: found.bytes_read,
            more_problems: problems.len().saturating_sub(PROBLEMS) as u64,
            problems: problems.into_iter().take(PROBLEMS).collect(),
        }
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.problems.len() as u64 + self.more_problems
    }
}

fn finish(
    context: &Context,
    page: &Page,
    out: &Path,
    verified: Option<&Verified>,
) -> Result<(), Failure> {
    let bytes = put(page, out)?;
    let (machines, problems) = (page.machines.len(), verified.map(Verified::count));
    let document = json!({
        "page": out.display().to_string(), "bytes": bytes, "machines": machines, "problems": problems,
    });
    context.result(&document, || {
        let sheets = format::count(machines as u64, "travel sheet");
        format!(
            "wrote {}: {}, {sheets}",
            out.display(),
            format::bytes(bytes)
        )
    })?;
    match problems {
        None | Some(0) => Ok(()),
        Some(count) => {
            let count = format::count(count, "problem");
            let failure = Failure::new(
                Exit::Verification,
                format!("{count} found; they are in {}", out.display()),
            );
            Err(failure.hint(
                "run `precache verify` on the data directory, which says what to do about each",
            ))
        }
    }
}

/// The page of a report.
pub(super) fn beside(report: &Path) -> PathBuf {
    if report.extension().is_some_and(|e| e == "html") {
        return report.with_added_extension("html");
    }
    report.with_extension("html")
}

/// Refuses to replace a file that is no page of ours.
///
/// # Errors
/// It is something else, or not readable.
pub(super) fn ours(path: &Path) -> Result<(), Failure> {
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let mut head = Vec::new();
    file.take(ui::MARK.len() as u64).read_to_end(&mut head)?;
    if head == ui::MARK.as_bytes() {
        return Ok(());
    }
    let message = format!("{} is there and no page of ours", path.display());
    let failure = Failure::new(Exit::Usage, message);
    Err(failure.hint(
        "move it away, or choose another name (`report:` of the job, `-o` of `snoforge report`)",
    ))
}

/// Writes the page of a job beside its report, when there is a report; returns its path.
///
/// # Errors
/// It cannot be written, or is not ours.
pub(super) fn write(factory: &Factory, report: &Document) -> Result<PathBuf, Failure> {
    let path = beside(&factory.report);
    if !report.created.is_empty() {
        put(&page::of_job(factory, report, today()), &path)?;
    }
    Ok(path)
}

/// Writes a page, when it is not there already; returns its size in bytes.
fn put(page: &Page, path: &Path) -> Result<u64, Failure> {
    ours(path)?;
    let html = ui::render(page);
    if fs_err::read(path).is_ok_and(|old| old == html.as_bytes()) {
        return Ok(html.len() as u64);
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs_err::create_dir_all(parent)?;
    }
    atomic::write(path, html.as_bytes())?;
    Ok(html.len() as u64)
}
