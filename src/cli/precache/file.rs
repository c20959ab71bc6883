//! Single files beside the images: the RHCOS rootfs for one. Resumed by Range; there is no digest to check them against.

use std::path::Path;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::finish;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::io::atomic;
use crate::progress::Event;
use crate::remote::Client;

/// Downloads `url` to `path`; a file of the same size there counts as done.
///
/// # Errors
/// The server, the disk, or interrupted; what came stays beside it for the next run.
pub(super) async fn download(
    context: &Context,
    client: &Client,
    (url, path): (&Url, &Path),
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let size = client.file_size(url).await?;
    let there = fs_err::metadata(path).map_or(0, |meta| meta.len());
    if size > 0 && there == size {
        context.say(&format!("{} is there already", path.display()));
        return Ok(());
    }
    let partial = path.with_added_extension("partial");
    let work = fill(context, client, (url, &partial), size);
    tokio::select! {
        done = work => done?,
        () = cancel.cancelled() => return Err(finish::interrupted(path.parent().unwrap_or(path))),
    }
    fs_err::rename(&partial, path).map_err(|e| io(&e))?;
    atomic::sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(|e| io(&e))
}

fn io(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, error.to_string())
}

async fn fill(
    context: &Context,
    client: &Client,
    (url, partial): (&Url, &Path),
    size: u64,
) -> Result<(), Failure> {
    let parent = partial.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent).map_err(|e| io(&e))?;
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(partial)
        .await
        .map_err(|e| io(&e))?;
    let mut offset = file.metadata().await.map_err(|e| io(&e))?.len();
    if offset > size {
        file.set_len(0).await.map_err(|e| io(&e))?;
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
        file.write_all(&chunk).await.map_err(|e| io(&e))?;
        report(Event::Advanced {
            id: 0,
            bytes: chunk.len() as u64,
        });
    }
    file.flush().await.map_err(|e| io(&e))?;
    file.sync_all().await.map_err(|e| io(&e))?;
    report(Event::Finished { id: 0 });
    report(Event::PhaseDone);
    Ok(())
}
