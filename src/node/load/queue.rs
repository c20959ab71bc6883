//! Which image is copied next.
//!
//! Two images that share a layer which storage does not have yet are not copied at the same time: each skopeo would fetch and unpack
//! it. So an image waits while another one brings a layer of its own, and images that share nothing new go side by side.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Job;
use crate::oci::Digest;

/// A job on its way.
#[derive(Debug)]
pub(super) struct Task {
    /// Unique in the run.
    pub(super) id: u64,
    /// What to copy.
    pub(super) job: Job,
    /// Tries so far.
    pub(super) tries: u32,
    not_before: Option<Instant>,
}

/// An answer to a worker.
#[derive(Debug)]
pub(super) enum Next {
    /// Copy this one.
    Job(Box<Task>),
    /// Nothing can be copied now; ask again after a change or a little later.
    Wait,
    /// All is copied or given up.
    Done,
}

/// Jobs that wait, run and are done. Jobs keep their order, as far as the rule above lets them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Task>,
    running: usize,
    /// Layers that running copies bring.
    coming: BTreeSet<Digest>,
    /// Layers that finished copies brought.
    there: BTreeSet<Digest>,
    loaded: Vec<Job>,
    failures: Vec<(String, String)>,
}

impl Queue {
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        let task = |(id, job)| Task {
            id,
            job,
            tries: 0,
            not_before: None,
        };
        Self {
            waiting: (0..).zip(jobs).map(task).collect(),
            ..Self::default()
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.waiting.is_empty() && self.running == 0 {
            return Next::Done;
        }
        let ready = |task: &Task| {
            task.not_before.is_none_or(|at| at <= now) && task.job.layers.is_disjoint(&self.coming)
        };
        let Some(index) = self.waiting.iter().position(ready) else {
            return Next::Wait;
        };
        let task = self.waiting.remove(index);
        let new = task.job.layers.difference(&self.there);
        self.coming.extend(new.cloned());
        self.running += 1;
        Next::Job(Box::new(task))
    }

    pub(super) fn done(&mut self, task: Task) {
        self.release(&task);
        self.there.extend(task.job.layers.iter().cloned());
        self.loaded.push(task.job);
    }

    pub(super) fn again(&mut self, mut task: Task, not_before: Instant) {
        self.release(&task);
        task.not_before = Some(not_before);
        self.waiting.push(task);
    }

    pub(super) fn failed(&mut self, task: &Task, reason: String) {
        self.release(task);
        self.failures.push((task.job.source.to_string(), reason));
    }

    /// No two running tasks bring the same layer, so all of the task's are its own.
    fn release(&mut self, task: &Task) {
        self.running -= 1;
        self.coming.retain(|layer| !task.job.layers.contains(layer));
    }

    pub(super) fn loaded(&self) -> &[Job] {
        &self.loaded
    }

    pub(super) fn failures(&self) -> &[(String, String)] {
        &self.failures
    }

    /// Jobs that were not tried to the end.
    pub(super) fn left(&self) -> impl Iterator<Item = &Job> {
        self.waiting.iter().map(|task| &task.job)
    }
}
