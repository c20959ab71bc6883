//! The committer: finished blobs are synced and named in batches, while transfers go on.
//!
//! A batch is whatever has gathered while the last one was synced, so that a fast disk names at once and a slow one shares
//! the cost. What waits is bounded in bytes: a disk slower than the network holds the slots back instead of gathering dirty
//! pages that Ctrl-C would have to wait for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::run::Shared;
use super::summary::Reason;
use crate::store::Finished;

/// Most blobs in a batch, and most that wait; each holds a file descriptor.
const BATCH: usize = 64;
/// Most MiB that wait; a larger blob waits alone.
const WAITING_MIB: u32 = 256;

/// A finished blob on its way to its name.
#[derive(Debug)]
pub(super) struct Ready {
    index: usize,
    finished: Finished,
    room: OwnedSemaphorePermit,
}

/// The slots' end.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    queue: mpsc::Sender<Ready>,
    room: Arc<Semaphore>,
}

/// A queue to the committer.
pub(super) fn channel() -> (Sender, mpsc::Receiver<Ready>) {
    let (queue, receiver) = mpsc::channel(BATCH);
    let room = Arc::new(Semaphore::new(WAITING_MIB as usize));
    (Sender { queue, room }, receiver)
}

impl Sender {
    /// Hands a blob of `size` bytes over, waiting while too much waits already.
    pub(super) async fn send(&self, index: usize, finished: Finished, size: u64) {
        let mib = u32::try_from(size >> 20).unwrap_or(WAITING_MIB);
        let room = Arc::clone(&self.room).acquire_many_owned(mib.min(WAITING_MIB));
        let room = room.await.expect("the semaphore is never closed");
        let ready = Ready {
            index,
            finished,
            room,
        };
        // The committer outlives every slot; a closed queue means that it panicked, which ends the run anyway.
        let _ = self.queue.send(ready).await;
    }
}

/// Commits until every [`Sender`] is gone.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Ready>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut indices = Vec::with_capacity(batch.len());
        let mut rooms = Vec::with_capacity(batch.len());
        let mut finished = Vec::with_capacity(batch.len());
        for ready in batch.drain(..) {
            indices.push(ready.index);
            rooms.push(ready.room);
            finished.push(ready.finished);
        }
        let store = shared.store.clone();
        let answers = tokio::task::spawn_blocking(move || store.commit(finished)).await;
        let answers = answers.expect("a commit returns its errors");
        for (index, (_, answer)) in indices.into_iter().zip(answers) {
            match answer {
                Ok(()) => shared.done(index),
                Err(error) => shared.failed(index, Reason::store(&error)),
            }
        }
        drop(rooms);
    }
}
