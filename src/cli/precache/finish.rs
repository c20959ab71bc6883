//! The end of a download: index, header, stale files, other files, the summary and the exit code.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::download::Download;
use crate::cli::context::{Context, now};
use crate::cli::exit::{Exit, Failure};
use crate::cli::registry::category;
use crate::fetch::{Failure as Failed, FailureKind, Summary};
use crate::inventory::lock::{Group, Inventory};
use crate::node::binary::{Installed, install};
use crate::remote::Client;
use crate::store::{Expected, Header, IndexEntry, Store, StoreLock};
use crate::ui::{format, table};

/// Writes `index.json` with every image that is whole, and `snoforge.json`. `complete` says that all are.
///
/// # Errors
/// A file cannot be written.
pub(in crate::cli) fn record(
    store: &Store,
    inventory: &Inventory,
    complete: bool,
) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for image in &inventory.images {
        if complete || is_whole(store, inventory, image)? {
            entries.push(IndexEntry::new(&image.source, image.manifest.clone()));
            let tagged = image
                .requested
                .as_deref()
                .and_then(|text| text.parse().ok());
            entries.extend(tagged.map(|tag| IndexEntry::new(&tag, image.manifest.clone())));
        }
    }
    store.replace_index(entries)?;
    let group = |group: Group| {
        let members = inventory
            .images
            .iter()
            .filter(|image| image.groups.contains(&group));
        members.map(|image| image.source.clone()).collect()
    };
    let header = Header {
        inventory: inventory.digest(),
        created: now(),
        tool: concat!("snoforge ", env!("CARGO_PKG_VERSION")).to_owned(),
        groups: [
            ("ai".to_owned(), group(Group::Ai)),
            ("ocp".to_owned(), group(Group::Ocp)),
        ]
        .into(),
    };
    Ok(store.write_header(&header)?)
}

/// Puts this program onto the data disk, for the node to run.
///
/// # Errors
/// The copy cannot be written.
pub(in crate::cli) fn put_program(context: &Context, folder: &Path) -> Result<(), Failure> {
    if install(Path::new("/proc/self/exe"), folder)? == Installed::Dynamic {
        context.warn("this snoforge needs the system's C library, so that it is not put on the data disk; a node needs DIR/bin/snoforge as scripts/build makes it");
    }
    Ok(())
}

fn is_whole(
    store: &Store,
    inventory: &Inventory,
    image: &crate::inventory::lock::Image,
) -> Result<bool, Failure> {
    let manifests = image
        .contents
        .iter()
        .map(|content| &content.manifest)
        .chain([&image.manifest]);
    let manifests = manifests.map(|manifest| (&manifest.digest, Some(manifest.size)));
    let blobs = image
        .contents
        .iter()
        .flat_map(|content| content.layers.iter().chain([&content.config]));
    let blobs = blobs.map(|digest| (digest, inventory.blobs.get(digest).copied()));
    for (digest, size) in manifests.chain(blobs) {
        if store.blob_size(digest)? != size {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what is not expected.
///
/// # Errors
/// A file cannot be removed.
pub(super) fn remove_stale(
    context: &Context,
    (store, lock): (&Store, &StoreLock),
    expected: &Expected,
) -> Result<(), Failure> {
    let plan = store.plan_prune(&expected.digests())?;
    if !plan.is_empty() {
        store.prune(lock, &plan)?;
        context.say(&format!(
            "removed {} stale files, {}",
            plan.files.len(),
            format::bytes(plan.bytes())
        ));
    }
    Ok(())
}

/// Downloads a file into `DIR/files` under the last part of its URL.
///
/// # Errors
/// The server, the disk, or interrupted.
pub(super) async fn download_file(
    context: &Context,
    client: &Client,
    url: &url::Url,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let path = file_target(url, folder)?;
    super::file::download(context, client, (url, &path), cancel).await
}

/// Where a file goes.
///
/// # Errors
/// The URL ends with no name.
pub(in crate::cli) fn file_target(url: &url::Url, folder: &Path) -> Result<PathBuf, Failure> {
    let name = url
        .path_segments()
        .and_then(|mut parts| parts.next_back())
        .unwrap_or_default();
    if name.is_empty() || name.starts_with('.') || name.contains('%') {
        return Err(Failure::new(
            Exit::Usage,
            format!("--rootfs-url {url}: no file name at its end"),
        ));
    }
    Ok(folder.join("files").join(name))
}

/// What an interrupt before the first blob says.
pub(in crate::cli) fn interrupted(folder: &Path) -> Failure {
    Failure::new(Exit::Interrupted, "interrupted").hint(format!(
        "run the same command again to go on; {} keeps what is there",
        folder.display()
    ))
}

/// Prints the summary of the field and ends with the right exit code.
///
/// # Errors
/// The download is not complete.
pub(super) fn report(context: &Context, args: &Download, summary: &Summary) -> Result<(), Failure> {
    context.result(&document(args, summary), || text(args, summary))?;
    ending(context, &args.folder, summary)
}

/// Lists the failures of a fetch that is not complete.
///
/// # Errors
/// It is not complete: exit 8, 130 or 6, or the category of what failed when nothing came through.
pub(in crate::cli) fn ending(
    context: &Context,
    folder: &Path,
    summary: &Summary,
) -> Result<(), Failure> {
    if summary.is_complete() {
        return Ok(());
    }
    for failed in &summary.failed {
        context.say(&format!("failed: {failed}"));
        if let Some(hint) = &failed.hint {
            context.say(&format!("  hint: {hint}"));
        }
    }
    let missing = format!(
        "{} of blobs and manifests are missing",
        format::bytes(summary.missing.bytes)
    );
    if summary.interrupted {
        return Err(Failure {
            message: format!("interrupted; {missing}"),
            ..interrupted(folder)
        });
    }
    if summary.disk_full {
        let failure = Failure::new(Exit::Io, format!("{} is full; {missing}", folder.display()));
        return Err(
            failure.hint("free space or use a larger partition, then run the same command again")
        );
    }
    Err(incomplete(summary, &missing))
}

/// Exit 8 when anything came through, else the category of the failures: there is nothing to go on with.
fn incomplete(summary: &Summary, missing: &str) -> Failure {
    let count = format::count(summary.failed.len() as u64, "image");
    let all = summary.downloaded + summary.skipped == 0;
    let category = |failed: &Failed| match failed.kind {
        FailureKind::Source(kind) => category(kind),
        FailureKind::DiskFull | FailureKind::Store => Exit::Io,
    };
    let exit = summary
        .failed
        .first()
        .filter(|_| all)
        .map_or(Exit::Partial, category);
    Failure::new(exit, format!("{count} could not be downloaded; {missing}"))
        .hint("the list above says why; run the same command again to go on")
}

fn text(args: &Download, summary: &Summary) -> String {
    let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "-".to_owned());
    let rows = table::summary(&[
        ("Release", version(&args.release)),
        ("ACM Version", version(&args.template.acm_version)),
        ("MCE Version", version(&args.template.mce_version)),
        (
            "Include DU Profile",
            if args.template.du_profile {
                "Yes"
            } else {
                "No"
            }
            .to_owned(),
        ),
        ("Workers", args.parallel.to_string()),
        ("", String::new()),
        ("Total Images", summary.images_total.to_string()),
        ("Downloaded", summary.downloaded.to_string()),
        (
            "Skipped (Previously Downloaded)",
            summary.skipped.to_string(),
        ),
        ("Download Failures", summary.failed.len().to_string()),
        ("Time for Download", format::duration(summary.elapsed)),
        ("", String::new()),
        ("Bytes Fetched", format::bytes(summary.bytes_fetched)),
        (
            "Bytes Saved by Sharing",
            format::bytes(summary.bytes_shared_saved),
        ),
        ("Mean Rate", format::rate(mean_rate(summary))),
    ]);
    format!("\nSummary:\n\n{rows}")
}

fn mean_rate(summary: &Summary) -> u64 {
    let millis = u64::try_from(summary.elapsed.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    summary.bytes_fetched.saturating_mul(1000) / millis
}

fn document(args: &Download, summary: &Summary) -> Value {
    let failed = |f: &Failed| json!({"image": f.image, "reason": f.reason, "hint": f.hint});
    json!({
        "release": args.release, "acmVersion": args.template.acm_version, "mceVersion": args.template.mce_version,
        "duProfile": args.template.du_profile, "workers": args.parallel,
        "totalImages": summary.images_total, "downloaded": summary.downloaded, "skipped": summary.skipped,
        "failed": summary.failed.iter().map(failed).collect::<Vec<_>>(),
        "complete": summary.is_complete(), "interrupted": summary.interrupted, "diskFull": summary.disk_full,
        "missingItems": summary.missing.items, "missingBytes": summary.missing.bytes,
        "seconds": summary.elapsed.as_secs_f64(), "bytesFetched": summary.bytes_fetched,
        "bytesUnique": summary.bytes_unique, "bytesSaved": summary.bytes_shared_saved, "bytesPerSecond": mean_rate(summary),
    })
}
