//! `precache verify|list|prune`: what is on the disk.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::plan::{DataDir, expected};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::inventory::lock::Inventory;
use crate::oci::Digest;
use crate::store::{Depth, Finding, Listing, Problem, PrunePlan, Report, Store, StoreLock};
use crate::ui::{format, table};

/// Flags of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    pub folder: PathBuf,
    /// Also decompress every layer and compare it with the image configuration.
    #[arg(long)]
    pub deep: bool,
    /// Remove the files with wrong bytes, so that `precache download` fetches them again.
    #[arg(long)]
    pub drop_damaged: bool,
}

impl Verify {
    /// Runs the verb.
    ///
    /// # Errors
    /// No data directory, or findings (exit 7).
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = data.inventory()?;
        let depth = if self.deep {
            Depth::Deep
        } else {
            Depth::Digests
        };
        let lock = self.drop_damaged.then(|| data.store.lock()).transpose()?;
        let report = data
            .store
            .verify(&expected(&inventory), depth, context.reporter.as_ref());
        context.result(&verify_json(&report, &inventory), || {
            verify_text(&report, &inventory)
        })?;
        if report.findings.is_empty() {
            return Ok(());
        }
        if let Some(lock) = &lock {
            drop_damaged(context, &data.store, lock, &report.findings)?;
        }
        let count = format::count(report.findings.len() as u64, "problem");
        let failure = Failure::new(
            Exit::Verification,
            format!("{}: {count} found", self.folder.display()),
        );
        Err(failure.hint(cure(&report.findings, self.drop_damaged)))
    }
}

/// A download looks at sizes only, so that a file of the right size with wrong bytes has to go first.
fn cure(findings: &[Finding], dropped: bool) -> &'static str {
    if !dropped && findings.iter().any(has_wrong_bytes) {
        "add --drop-damaged to remove the files with wrong bytes, then run `precache download` again to fetch them and what is missing; `precache prune` drops what is extra"
    } else {
        "run `precache download` again to fetch what is missing or wrong, `precache prune` to drop what is extra"
    }
}

fn has_wrong_bytes(finding: &Finding) -> bool {
    matches!(finding.problem, Problem::WrongDigest { .. })
}

/// Removes the files whose bytes are wrong.
fn drop_damaged(
    context: &Context,
    store: &Store,
    lock: &StoreLock,
    findings: &[Finding],
) -> Result<(), Failure> {
    for finding in findings.iter().filter(|finding| has_wrong_bytes(finding)) {
        if let Some(digest) = &finding.digest {
            store.remove_blob(lock, digest)?;
            context.say(&format!("removed {}", finding.path.display()));
        }
    }
    Ok(())
}

/// Images that need a blob or manifest.
fn users<'a>(inventory: &'a Inventory, digest: &'a Digest) -> impl Iterator<Item = String> + 'a {
    let needs = move |image: &&crate::inventory::lock::Image| {
        let content = |c: &crate::inventory::lock::Content| {
            c.manifest.digest == *digest || c.config == *digest || c.layers.contains(digest)
        };
        image.manifest.digest == *digest || image.contents.iter().any(content)
    };
    inventory
        .images
        .iter()
        .filter(needs)
        .map(|image| image.source.to_string())
}

fn verify_text(report: &Report, inventory: &Inventory) -> String {
    let line = |finding: &Finding| {
        let users: Vec<_> = finding
            .digest
            .iter()
            .flat_map(|d| users(inventory, d))
            .collect();
        match users.as_slice() {
            [] => finding.to_string(),
            [one] => format!("{finding} (needed by {one})"),
            [first, rest @ ..] => format!("{finding} (needed by {first} and {} more)", rest.len()),
        }
    };
    let mut lines: Vec<_> = report.findings.iter().map(line).collect();
    let verdict = if lines.is_empty() {
        "all well"
    } else {
        "NOT WELL"
    };
    let images = format::count(inventory.images.len() as u64, "image");
    let read = format::bytes(report.bytes_read);
    lines.push(format!(
        "{verdict}: {images}, {} blobs and manifests, {read} read",
        report.items
    ));
    lines.join("\n")
}

fn verify_json(report: &Report, inventory: &Inventory) -> Value {
    let row = |finding: &Finding| {
        let images: Vec<_> = finding
            .digest
            .iter()
            .flat_map(|d| users(inventory, d))
            .collect();
        json!({"path": finding.path, "digest": finding.digest, "problem": finding.problem.to_string(), "images": images})
    };
    json!({
        "ok": report.findings.is_empty(), "images": inventory.images.len(), "items": report.items,
        "bytesRead": report.bytes_read, "findings": report.findings.iter().map(row).collect::<Vec<_>>(),
    })
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let listing = DataDir::open(&self.folder)?.store.list()?;
        let rows = |image: &crate::store::ListedImage| {
            json!({
                "names": image.names, "digest": image.descriptor.digest, "mediaType": image.descriptor.media_type,
                "groups": image.groups, "sizeBytes": image.size_bytes, "uniqueBytes": image.unique_bytes, "missing": image.missing,
            })
        };
        let document = json!({
            "images": listing.images.iter().map(rows).collect::<Vec<_>>(),
            "wholeBytes": listing.whole_bytes, "uniqueBytes": listing.unique_bytes,
        });
        context.result(&document, || list_text(&listing))
    }
}

fn list_text(listing: &Listing) -> String {
    let rows = listing.images.iter().map(|image| {
        let state = if image.missing.is_empty() {
            "complete".to_owned()
        } else {
            format!("{} missing", image.missing.len())
        };
        let name = image
            .names
            .first()
            .cloned()
            .unwrap_or_else(|| image.descriptor.digest.to_string());
        vec![
            image.groups.join("+"),
            format::bytes(image.size_bytes),
            format::bytes(image.unique_bytes),
            state,
            name,
        ]
    });
    let text = table::render(
        &["GROUP", "SIZE", "OWN", "STATE", "IMAGE"],
        rows.collect(),
        &[1, 2],
    );
    let (unique, whole) = (
        format::bytes(listing.unique_bytes),
        format::bytes(listing.whole_bytes),
    );
    let images = format::count(listing.images.len() as u64, "image");
    format!("{text}\n{images}, {unique} on disk ({whole} if each were stored whole)")
}

/// Flags of `prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Print what would go and stop.
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = data.inventory()?;
        // A plan needs no lock, so that it can be made on a medium that is mounted read-only.
        let lock = (!self.dry_run).then(|| data.store.lock()).transpose()?;
        let plan = data.store.plan_prune(&expected(&inventory).digests())?;
        if let Some(lock) = &lock {
            data.store.prune(lock, &plan)?;
        }
        let files: Vec<_> = plan
            .files
            .iter()
            .map(|(path, bytes)| json!({"path": path, "bytes": bytes}))
            .collect();
        let document = json!({"dryRun": self.dry_run, "images": plan.images, "files": files, "bytes": plan.bytes()});
        context.result(&document, || prune_text(&plan, self.dry_run))
    }
}

fn prune_text(plan: &PrunePlan, dry_run: bool) -> String {
    if plan.is_empty() {
        return "nothing to remove".to_owned();
    }
    let mut lines: Vec<_> = plan
        .images
        .iter()
        .map(|image| format!("image {image}"))
        .collect();
    lines.extend(
        plan.files
            .iter()
            .map(|(path, bytes)| format!("file {} ({})", path.display(), format::bytes(*bytes))),
    );
    let verb = if dry_run { "would free" } else { "freed" };
    lines.push(format!("{verb} {}", format::bytes(plan.bytes())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_bytes_of_the_right_size_have_to_go_first() {
        let finding = |problem| Finding {
            path: "oci/blobs/sha256/x".into(),
            digest: None,
            problem,
        };
        let found = Digest::of(b"");
        assert!(!cure(&[finding(Problem::Missing)], false).contains("damaged"));
        let wrong = [
            finding(Problem::Missing),
            finding(Problem::WrongDigest { found }),
        ];
        assert!(cure(&wrong, false).starts_with("add --drop-damaged"));
        assert!(!cure(&wrong, true).contains("damaged"));
    }
}
