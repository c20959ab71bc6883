//! Store → containers-storage, through the node's own `skopeo` and `podman`, whatever their age.
//!
//! ```text
//! inventory, group ─ jobs ─→ Job ─ queue ─→ skopeo copy docker://127.0.0.1:PORT/… containers-storage:NAME
//!                             └─ minus what `podman images` lists; looked up again at the end
//! ```
//!
//! The source is our own registry on loopback: `oci:` layouts with Docker schema 2 images are read by skopeo 1.19 and newer only, a
//! registry by every one, and digests are kept. Names are the original ones, `repo@sha256:…` exactly; tags beside them are those that
//! the inventory asked for, and in group `ai` the tag of the mapping's destination under the source's repository, as the scripts that
//! this replaces set them.
//!
//! Invariants: an image that fails is tried again itself, later, and does not hold up others; what cannot be loaded is listed by name
//! with its own reason; nothing counts as loaded that storage does not list at the end. What this room does not do: it unpacks nothing
//! and needs no scratch space of its own.

mod jobs;
mod queue;
mod storage;

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::{Event, Reporter};

pub use jobs::{Job, jobs};
use queue::{Next, Queue};
pub use storage::{Containers, Storage, StorageError};

/// How often a worker that has nothing to do looks whether it has to stop.
const IDLE: Duration = Duration::from_millis(200);

/// How to load.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Copies at once.
    pub parallel: usize,
    /// How often an image is tried.
    pub attempts: u32,
    /// Pause before the second try; doubled before each later one.
    pub backoff: Duration,
    /// No copy goes on after this long.
    pub deadline: Duration,
}

impl Default for Options {
    /// Two at once: skopeo unpacks the layers of one image in parallel already, and the storage's lock makes more of them wait
    /// (`scripts/bench-node`). Three hours less five minutes: `snoforge-load@.service` ends the program after three hours, and the list
    /// of failures has to come before.
    fn default() -> Self {
        Self {
            parallel: 2,
            attempts: 4,
            backoff: Duration::from_secs(1),
            deadline: Duration::from_mins(175),
        }
    }
}

/// What came of it; the lists are sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Images copied.
    pub loaded: usize,
    /// Their bytes in the store, each blob once.
    pub loaded_bytes: u64,
    /// Images that were there under all their names.
    pub present: usize,
    /// Images that are not there, each with the reason.
    pub failed: Vec<(String, String)>,
    /// The caller asked to stop; images that were not tried are in no list.
    pub interrupted: bool,
}

/// Loads images. `stop` is asked often; once true, running copies are killed and [`Outcome::interrupted`] is set.
///
/// # Errors
/// Storage cannot be listed, before or after.
pub fn load(
    jobs: Vec<Job>,
    storage: &dyn Storage,
    options: &Options,
    (reporter, stop): (&dyn Reporter, &(dyn Fn() -> bool + Sync)),
) -> Result<Outcome, StorageError> {
    let there = storage.names()?;
    let (present, todo): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.is_in(&there));
    let bytes = |jobs: &[Job]| jobs.iter().map(|job| job.size_bytes).sum::<u64>();
    reporter.report(Event::Phase {
        name: "load",
        items: Some((present.len() + todo.len()) as u64),
        bytes: Some(bytes(&present) + bytes(&todo)),
    });
    reporter.report(Event::Skipped {
        items: present.len() as u64,
        bytes: bytes(&present),
    });
    let run = Run {
        storage,
        options,
        reporter,
        stop,
        begun: Instant::now(),
        queue: Mutex::new(Queue::new(todo)),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.max(1) {
            scope.spawn(|| run.work());
        }
    });
    let outcome = run.outcome(present.len())?;
    reporter.report(Event::PhaseDone);
    Ok(outcome)
}

/// One run of [`load`].
struct Run<'a> {
    storage: &'a dyn Storage,
    options: &'a Options,
    reporter: &'a dyn Reporter,
    stop: &'a (dyn Fn() -> bool + Sync),
    begun: Instant,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Run<'_> {
    /// A worker that panicked left the queue whole: every change of it is one call.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn overdue(&self) -> bool {
        self.begun.elapsed() >= self.options.deadline
    }

    fn ended(&self) -> bool {
        (self.stop)() || self.overdue()
    }

    fn work(&self) {
        let mut queue = self.queue();
        while !self.ended() {
            match queue.next(Instant::now()) {
                Next::Job(task) => {
                    drop(queue);
                    self.attempt(*task);
                    queue = self.queue();
                    self.changed.notify_all();
                }
                Next::Wait => {
                    let waited = self.changed.wait_timeout(queue, IDLE);
                    queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Next::Done => return,
            }
        }
    }

    fn attempt(&self, mut task: queue::Task) {
        let (id, name) = (task.id, task.job.source.to_string());
        let report = |event: Event<'_>| self.reporter.report(event);
        // Without a size every image gets its line in a log, the small ones too.
        report(Event::Started {
            id,
            name: &name,
            size: None,
        });
        task.tries += 1;
        let result = match &task.job.lacks {
            Some(reason) => Err(reason.clone()),
            None => self.copy(&task.job),
        };
        let reason = match result {
            Ok(()) => {
                report(Event::Advanced {
                    id,
                    bytes: task.job.size_bytes,
                });
                report(Event::Finished { id });
                return self.queue().done(task);
            }
            Err(reason) => reason,
        };
        if (self.stop)() {
            return self.queue().again(task, Instant::now());
        }
        let reason = if self.overdue() {
            let minutes = self.options.deadline.as_secs() / 60;
            format!("not done after {minutes} minutes")
        } else {
            reason
        };
        let last = task.tries >= self.options.attempts || task.job.lacks.is_some();
        if last || self.overdue() {
            report(Event::Failed {
                id,
                reason: &reason,
            });
            return self.queue().failed(&task, reason);
        }
        let pause = self.options.backoff * 2_u32.saturating_pow(task.tries - 1);
        report(Event::Warning(&format!(
            "{name}: try {} of {} failed, again in {} s: {reason}",
            task.tries,
            self.options.attempts,
            pause.as_secs()
        )));
        self.queue().again(task, Instant::now() + pause);
    }

    /// The image under each of its names. The first copy does the work; for the others every layer is there.
    fn copy(&self, job: &Job) -> Result<(), String> {
        for name in job.names() {
            let copied = self.storage.copy(&job.source, name, &|| self.ended());
            copied.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Asks storage what it has: a copy that ended well and left no name is a failure.
    fn outcome(self, present: usize) -> Result<Outcome, StorageError> {
        let interrupted = (self.stop)();
        let (storage, overdue) = (self.storage, self.overdue());
        let queue = self
            .queue
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let there = if queue.loaded().is_empty() {
            BTreeSet::new()
        } else {
            storage.names()?
        };
        let (kept, lost): (Vec<_>, Vec<_>) =
            queue.loaded().iter().partition(|job| job.is_in(&there));
        let mut failed: Vec<_> = queue.failures().to_vec();
        failed.extend(lost.into_iter().map(|job| {
            let reason = "copied, but storage does not list it".to_owned();
            (job.source.to_string(), reason)
        }));
        if overdue && !interrupted {
            let reason = || "not tried: the time was up".to_owned();
            failed.extend(queue.left().map(|job| (job.source.to_string(), reason())));
        }
        failed.sort();
        Ok(Outcome {
            loaded: kept.len(),
            loaded_bytes: kept.iter().map(|job| job.size_bytes).sum(),
            present,
            failed,
            interrupted,
        })
    }
}

#[cfg(test)]
mod tests;
