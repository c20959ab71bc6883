//! Single files beside the images: the RHCOS rootfs for one. Resumed by Range; there is no digest to check them against, so that
//! what is there of a file is continued only while the server names the same version (`ETag`, else `Last-Modified`) of it.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::finish;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::io::atomic;
use crate::oci::Digest;
use crate::progress::Event;
use crate::remote::{Client, FileHead};

/// Downloads `url` to `path`; a file of the same size there counts as done.
///
/// # Errors
/// The server, the disk, or interrupted; what came stays beside it for the next run.
pub(in crate::cli) async fn download(
    context: &Context,
    client: &Client,
    (url, path): (&Url, &Path),
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let head = client.file_head(url).await?;
    let size = head.size;
    let there = fs_err::metadata(path).map_or(0, |meta| meta.len());
    if size > 0 && there == size {
        context.say(&format!("{} is there already", path.display()));
        return Ok(());
    }
    let partial = partial(path, &head);
    let work = fill(context, client, (url, &partial), size);
    tokio::select! {
        done = work => done?,
        () = cancel.cancelled() => return Err(finish::interrupted(path.parent().unwrap_or(path))),
    }
    fs_err::rename(&partial, path)?;
    Ok(atomic::sync_dir(path.parent().unwrap_or(Path::new(".")))?)
}

/// The unfinished file: its name holds the version. Those of other versions go, and without one there is nothing to go on with.
fn partial(path: &Path, head: &FileHead) -> PathBuf {
    let version = head.version.as_deref().unwrap_or_default();
    let digest = Digest::of(version.as_bytes());
    let short: String = digest.hex().chars().take(12).collect();
    let partial = path.with_added_extension(format!("{short}.partial"));
    for old in unfinished(path) {
        if head.version.is_none() || old != partial {
            // What cannot be removed is in nobody's way.
            let _ = fs_err::remove_file(old);
        }
    }
    partial
}

/// `NAME.*.partial` beside `path`.
fn unfinished(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let start = format!("{}.", name.to_string_lossy());
    let is_one = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&start) && name.ends_with(".partial")
    };
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

async fn fill(
    context: &Context,
    client: &Client,
    (url, partial): (&Url, &Path),
    size: u64,
) -> Result<(), Failure> {
    let parent = partial.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(partial)
        .await?;
    let mut offset = file.metadata().await?.len();
    if offset > size {
        file.set_len(0).await?;
        offset = 0;
    }
    let name = partial.display().to_string();
    let report = |event: Event<'_>| context.reporter.report(event);
    report(Event::Phase {
        name: "download file",
        items: Some(1),
        bytes: Some(size),
    });
    report(Event::Started {
        id: 0,
        name: &name,
        size: Some(size),
    });
    report(Event::Skipped {
        items: 0,
        bytes: offset,
    });
    let mut stream = client.open_file(url, offset..size)?;
    while let Some(chunk) = stream.body.next().await {
        let chunk = chunk?;
        file.write_all(&chunk).await?;
        report(Event::Advanced {
            id: 0,
            bytes: chunk.len() as u64,
        });
    }
    file.flush().await?;
    file.sync_all().await?;
    report(Event::Finished { id: 0 });
    report(Event::PhaseDone);
    Ok(())
}
