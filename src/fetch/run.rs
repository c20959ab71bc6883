//! The run: checks, slots, and what they share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::commit;
use super::plan::{Plan, Queue};
use super::summary::{self, FailureKind, Reason, State, Summary};
use super::{FetchError, transfer};
use crate::inventory::lock::Inventory;
use crate::oci::{Digest, ImageSource, Reference};
use crate::progress::{Event, Reporter};
use crate::store::{Store, StoreError, StoreLock};

/// From this many slots on, one of them works from the small end of the queue.
const SLOTS_FOR_SMALL_END: usize = 3;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Transfers in flight, at least one.
    pub parallel: usize,
    /// Hears of every item.
    pub reporter: Arc<dyn Reporter>,
    /// Cancel it to stop: writes are finished, state is kept.
    pub cancel: CancellationToken,
}

/// What all slots share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    /// Per image of the inventory: where it comes from, and what people call it.
    pub(super) images: Vec<(Reference, String)>,
    pub(super) store: Store,
    pub(super) source: Arc<dyn ImageSource>,
    pub(super) reporter: Arc<dyn Reporter>,
    /// Cancelled by the user, or by a full disk.
    pub(super) stop: CancellationToken,
    pub(super) fetched: AtomicU64,
    disk_full: AtomicBool,
    queue: Mutex<Queue>,
    states: Mutex<Vec<State>>,
}

/// Fetches what the store does not have of the inventory. The caller holds the store's lock, until the index is written too.
///
/// # Errors
/// Nothing was begun: no room, or a store that does not answer. Everything later is in the
/// summary, a full disk included.
pub async fn run(
    inventory: &Inventory,
    store: &Store,
    _lock: &StoreLock,
    source: Arc<dyn ImageSource>,
    options: Options,
) -> Result<Summary, FetchError> {
    let started = Instant::now();
    let plan = Plan::new(inventory, store)?;
    check_space(&plan, store)?;
    let shared = Arc::new(Shared::new(inventory, store, source, &options, plan));
    shared.announce();
    shared.work(options.parallel.max(1)).await;
    shared.reporter.report(Event::PhaseDone);
    let held = |digest: &Digest| match fs_err::metadata(store.partial_path(digest)) {
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    let states = lock(&shared.states);
    let mut summary = summary::by_image(inventory, &shared.plan, &states, held);
    summary.bytes_fetched = shared.fetched.load(Ordering::Relaxed);
    summary.disk_full = shared.disk_full.load(Ordering::Relaxed);
    summary.interrupted = options.cancel.is_cancelled() && !summary.is_complete();
    summary.elapsed = started.elapsed();
    Ok(summary)
}

fn check_space(plan: &Plan, store: &Store) -> Result<(), FetchError> {
    let (have, block) = store.free_space()?;
    let need = plan.disk_need(store, block);
    if need > have {
        let path = store.root().to_owned();
        return Err(FetchError::NoSpace { path, need, have });
    }
    Ok(())
}

impl Shared {
    fn new(
        inventory: &Inventory,
        store: &Store,
        source: Arc<dyn ImageSource>,
        options: &Options,
        plan: Plan,
    ) -> Self {
        let images = inventory.images.iter();
        let state = |complete: &bool| if *complete { State::Kept } else { State::Open };
        Self {
            images: images
                .map(|image| (image.source.clone(), image.destination.clone()))
                .collect(),
            store: store.clone(),
            source,
            reporter: Arc::clone(&options.reporter),
            stop: options.cancel.child_token(),
            fetched: AtomicU64::new(0),
            disk_full: AtomicBool::new(false),
            queue: Mutex::new(Queue::new(&plan)),
            states: Mutex::new(plan.complete.iter().map(state).collect()),
            plan,
        }
    }

    fn announce(&self) {
        let (mut items, mut bytes) = (0, 0);
        for (item, _) in self
            .plan
            .items
            .iter()
            .zip(&self.plan.complete)
            .filter(|(_, c)| **c)
        {
            items += 1;
            bytes += item.size;
        }
        self.reporter.report(Event::Phase {
            name: "download",
            items: Some(self.plan.items.len() as u64),
            bytes: Some(self.plan.items.iter().map(|item| item.size).sum()),
        });
        if items > 0 {
            self.reporter.report(Event::Skipped { items, bytes });
        }
    }

    /// Runs the slots and the committer to their end.
    async fn work(self: &Arc<Self>, parallel: usize) {
        let (ready, finished) = commit::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(commit::run(Arc::clone(self), finished));
        for slot in 0..parallel {
            let small_end = slot == 0 && parallel >= SLOTS_FOR_SMALL_END;
            tasks.spawn(Arc::clone(self).slot(small_end, ready.clone()));
        }
        drop(ready);
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }

    /// Takes items until there are none, or until told to stop.
    async fn slot(self: Arc<Self>, small_end: bool, ready: commit::Sender) {
        while !self.stop.is_cancelled() {
            let Some(index) = lock(&self.queue).take(small_end) else {
                return;
            };
            match transfer::run(&self, index).await {
                Ok(Some(finished)) => {
                    let size = self.plan.items.get(index).map_or(0, |item| item.size);
                    ready.send(index, finished, size).await;
                }
                Ok(None) => return,
                Err(reason) => self.failed(index, reason),
            }
        }
    }

    /// Records a complete item.
    pub(super) fn done(&self, index: usize) {
        self.set(index, State::Done);
        self.reporter.report(Event::Finished { id: index as u64 });
    }

    /// Records a failed item; a full disk stops everything.
    pub(super) fn failed(&self, index: usize, reason: Reason) {
        if reason.kind == FailureKind::DiskFull {
            self.disk_full.store(true, Ordering::Relaxed);
            self.stop.cancel();
        }
        let id = index as u64;
        self.reporter.report(Event::Failed {
            id,
            reason: &reason.text,
        });
        self.set(index, State::Failed(reason));
    }

    fn set(&self, index: usize, state: State) {
        if let Some(place) = lock(&self.states).get_mut(index) {
            *place = state;
        }
    }
}

impl Reason {
    pub(super) fn store(error: &StoreError) -> Self {
        use std::error::Error as _;
        let because = error.source().map(|e| format!(": {e}")).unwrap_or_default();
        let kind = if error.is_full() {
            FailureKind::DiskFull
        } else {
            FailureKind::Store
        };
        Self {
            kind,
            text: format!("{error}{because}"),
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// A panic elsewhere does not make these plain values wrong.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
