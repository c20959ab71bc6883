//! One item from a source to a finished file: which repository, which attempt, and the pump in between.
//!
//! The pump gathers chunks to batches; a batch is hashed and written on a blocking thread while the socket's buffer fills.
//! With several transfers in flight that alone keeps network, hash and disk busy; a queue per transfer would only add memory.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::plan::{Item, Kind};
use super::run::Shared;
use super::summary::{FailureKind, Reason};
use crate::oci::{BlobRequest, Reference, SourceError, SourceErrorKind};
use crate::progress::Event;
use crate::store::{Checked, Finished, Partial, StoreError};

/// Bytes per write. Fewer cost calls and thread hops, more cost memory and what a `kill -9` loses, times the slots.
const BATCH_BYTES: u64 = 512 << 10;
/// Chunks per write: tiny chunks each pin a buffer of the connection.
const BATCH_CHUNKS: usize = 128;
/// On a slow link a batch is written when it is this old, so that progress shows and little is lost.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Why a transfer ended without a blob.
enum End {
    /// Told to stop; what came is kept.
    Stopped,
    /// This place does not have it or refuses: another image's repository may do better.
    Elsewhere(Reason),
    /// What was sent cannot be right. After a wrong digest the partial is gone.
    Wrong(Reason),
    /// Given up.
    Failed(Reason),
}

/// Fetches an item; `None` when told to stop.
pub(super) async fn run(shared: &Shared, index: usize) -> Result<Option<Finished>, Reason> {
    let Some(item) = shared.plan.items.get(index) else {
        return Ok(None);
    };
    let id = index as u64;
    shared.reporter.report(Event::Started {
        id,
        name: &name(shared, item),
        size: Some(item.size),
    });
    let mut transfer = Transfer {
        shared,
        item,
        id,
        partial: None,
        counted: 0,
    };
    match transfer.try_places().await {
        Ok(finished) => Ok(Some(finished)),
        Err(End::Stopped) => match transfer.on_disk(Partial::sync).await {
            Err(End::Failed(reason)) => Err(reason),
            _ => Ok(None),
        },
        Err(End::Elsewhere(reason) | End::Wrong(reason) | End::Failed(reason)) => Err(reason),
    }
}

/// What a person calls an item.
fn name(shared: &Shared, item: &Item) -> String {
    let short = item.digest.hex().get(..12).unwrap_or_default();
    match item.images.as_slice() {
        [only] => {
            let image = shared.images.get(*only).map_or("", |(_, name)| name);
            format!("{image} {short}")
        }
        many => format!("{short} (shared by {} images)", many.len()),
    }
}

struct Transfer<'a> {
    shared: &'a Shared,
    item: &'a Item,
    id: u64,
    /// `None` before it is opened, and while a blocking thread has it.
    partial: Option<Partial>,
    /// Bytes that were reported as advanced.
    counted: u64,
}

impl Transfer<'_> {
    /// Asks one repository after the other while the answer is "not here".
    async fn try_places(&mut self) -> Result<Finished, End> {
        self.open().await?;
        let mut last = None;
        for image in places(self.shared, self.item) {
            match self.try_place(image).await {
                Err(End::Elsewhere(reason)) => last = Some(reason),
                end => return end,
            }
        }
        Err(End::Failed(last.unwrap_or_else(|| Reason {
            kind: FailureKind::Source(SourceErrorKind::NotFound),
            text: format!("no image names {}", self.item.digest),
            hint: None,
        })))
    }

    /// What cannot be right is tried once more, elsewhere if there is an elsewhere. Only a wrong digest throws bytes away; when
    /// it covers bytes of an earlier attempt or run, those may be the wrong ones, and the new start does not count as a try.
    async fn try_place(&mut self, image: &Reference) -> Result<Finished, End> {
        let mut avoid: Vec<String> = Vec::new();
        let mut endpoint = String::new();
        let mut last_try = false;
        loop {
            let resumed = self.written() > 0;
            let got = match self.item.kind {
                Kind::Blob => self.blob(image, &avoid, &mut endpoint).await,
                Kind::Manifest => self.manifest(image).await,
            };
            let Err(End::Wrong(reason)) = got else {
                return got;
            };
            let thrown_away = self.partial.is_none();
            if thrown_away {
                self.restart().await?;
            }
            if thrown_away && resumed {
                continue;
            }
            if last_try {
                return Err(End::Failed(reason));
            }
            last_try = true;
            let text = format!("{}; trying once more", reason.text);
            self.shared.reporter.report(Event::Warning(&text));
            avoid.extend((!endpoint.is_empty()).then(|| std::mem::take(&mut endpoint)));
        }
    }

    async fn blob(
        &mut self,
        image: &Reference,
        avoid: &[String],
        endpoint: &mut String,
    ) -> Result<Finished, End> {
        if self.written() < self.item.size {
            let request = BlobRequest {
                image,
                digest: &self.item.digest,
                size: self.item.size,
                offset: self.written(),
                avoid,
            };
            let stream = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Err(End::Stopped),
                answer = self.shared.source.blob(request) => answer.map_err(gave_up)?,
            };
            endpoint.clone_from(&stream.endpoint);
            self.pump(stream.body).await?;
        }
        self.check(endpoint).await
    }

    /// Writes the body; whatever ends it, what came before is written.
    async fn pump(
        &mut self,
        mut body: BoxStream<'static, Result<Bytes, SourceError>>,
    ) -> Result<(), End> {
        let stopped = self.shared.stop.cancelled();
        tokio::pin!(stopped);
        let mut batch = Batch::default();
        let mut left = self.item.size - self.written();
        let ended = loop {
            let chunk = tokio::select! {
                biased;
                () = &mut stopped => break Err(End::Stopped),
                chunk = body.next() => chunk,
            };
            match chunk {
                Some(Ok(bytes)) if bytes.len() as u64 <= left => {
                    left -= bytes.len() as u64;
                    self.shared
                        .fetched
                        .fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    batch.push(bytes);
                    if batch.is_due() {
                        self.write(batch.take()).await?;
                    }
                }
                Some(Ok(_)) => break Err(self.against_protocol("more bytes than declared")),
                Some(Err(error)) => break Err(gave_up(error)),
                None if left > 0 => break Err(self.against_protocol("fewer bytes than declared")),
                None => break Ok(()),
            }
        };
        self.write(batch.take()).await?;
        ended
    }

    async fn manifest(&mut self, image: &Reference) -> Result<Finished, End> {
        let pinned = image.pinned(self.item.digest.clone());
        let raw = tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => return Err(End::Stopped),
            answer = self.shared.source.manifest(&pinned) => answer.map_err(gave_up)?,
        };
        let bytes = raw.bytes();
        self.shared
            .fetched
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if bytes.len() as u64 != self.item.size {
            return Err(self.against_protocol("another size than the inventory says"));
        }
        if self.written() > 0 {
            self.restart().await?;
        }
        self.write(vec![bytes.clone()]).await?;
        self.check(&pinned.name()).await
    }

    async fn open(&mut self) -> Result<(), End> {
        let store = self.shared.store.clone();
        let (digest, size) = (self.item.digest.clone(), self.item.size);
        let opened = blocking(move || store.partial(&digest, size)).await?;
        let (id, bytes) = (self.id, opened.written());
        if bytes > 0 {
            self.counted += bytes;
            self.shared.reporter.report(Event::Kept { id, bytes });
        }
        self.partial = Some(opened);
        Ok(())
    }

    /// Back to an empty partial, also when the last one was thrown away.
    async fn restart(&mut self) -> Result<(), End> {
        if self.partial.is_some() {
            self.on_disk(Partial::restart).await?;
        }
        let (id, bytes) = (self.id, std::mem::take(&mut self.counted));
        self.shared.reporter.report(Event::Rewound { id, bytes });
        if self.partial.is_none() {
            self.open().await?;
        }
        Ok(())
    }

    async fn write(&mut self, chunks: Vec<Bytes>) -> Result<(), End> {
        if chunks.is_empty() {
            return Ok(());
        }
        let bytes = chunks.iter().map(|c| c.len() as u64).sum();
        self.on_disk(move |partial| partial.append(&chunks)).await?;
        self.count(bytes);
        Ok(())
    }

    async fn check(&mut self, endpoint: &str) -> Result<Finished, End> {
        let Some(partial) = self.partial.take() else {
            return Err(End::Stopped);
        };
        match blocking(move || partial.check()).await? {
            Checked::Right(finished) => Ok(finished),
            Checked::Wrong { got } => Err(End::Wrong(Reason {
                kind: FailureKind::Source(SourceErrorKind::Digest),
                text: format!("{} sent {got} for {}", place(endpoint), self.item.digest),
                hint: Some("the registry or a mirror or proxy before it has damaged data".into()),
            })),
        }
    }

    /// Lends the partial to a blocking thread. After an error it is closed; its file stays.
    async fn on_disk(
        &mut self,
        work: impl FnOnce(&mut Partial) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), End> {
        let Some(mut partial) = self.partial.take() else {
            return Ok(());
        };
        let lent = move || work(&mut partial).map(|()| partial);
        self.partial = Some(blocking(lent).await?);
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        if bytes > 0 {
            self.counted += bytes;
            let id = self.id;
            self.shared.reporter.report(Event::Advanced { id, bytes });
        }
    }

    fn written(&self) -> u64 {
        self.partial.as_ref().map_or(0, Partial::written)
    }

    fn against_protocol(&self, detail: &str) -> End {
        End::Wrong(Reason {
            kind: FailureKind::Source(SourceErrorKind::Protocol),
            text: format!("{}: {detail}", self.item.digest),
            hint: None,
        })
    }
}

/// Chunks that wait for a write.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    bytes: u64,
    since: Option<Instant>,
}

impl Batch {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len() as u64;
        self.chunks.push(chunk);
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self) -> bool {
        self.bytes >= BATCH_BYTES
            || self.chunks.len() >= BATCH_CHUNKS
            || self.since.is_some_and(|since| since.elapsed() >= BATCH_AGE)
    }

    fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(self).chunks
    }
}

/// The images that need the item, one per repository, in inventory order.
fn places<'a>(shared: &'a Shared, item: &'a Item) -> impl Iterator<Item = &'a Reference> {
    let mut seen = BTreeSet::new();
    let images = item.images.iter().filter_map(|i| shared.images.get(*i));
    images
        .map(|(reference, _)| reference)
        .filter(move |r| seen.insert((r.registry(), r.repository())))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, End> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    done.map_err(|error| End::Failed(Reason::store(&error)))
}

fn place(endpoint: &str) -> &str {
    if endpoint.is_empty() {
        "an earlier run"
    } else {
        endpoint
    }
}

/// The source gave up, with its own retries behind it.
fn gave_up(error: SourceError) -> End {
    match error.kind {
        SourceErrorKind::NotFound | SourceErrorKind::Unauthorized => End::Elsewhere(error.into()),
        SourceErrorKind::Protocol | SourceErrorKind::Digest => End::Wrong(error.into()),
        _ => End::Failed(error.into()),
    }
}

impl From<SourceError> for Reason {
    fn from(error: SourceError) -> Self {
        Self {
            kind: FailureKind::Source(error.kind),
            text: error.to_string(),
            hint: error.hint,
        }
    }
}
