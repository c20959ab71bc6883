//! Ctrl-C between and in the steps.
//!
//! Once a step has listened for a signal, the process never again dies of it by itself. Steps that listen end by themselves, the others
//! are ended here: every commit point is crash-safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::context::ended_by_signal;

/// Ends the process at a signal while no step listens.
pub(super) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// Begins to watch.
    pub(super) fn start() -> Self {
        let listening = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&listening);
        std::thread::spawn(move || ended_by_signal(&seen));
        Self(listening)
    }

    /// Runs a step that listens itself.
    pub(super) fn step<T>(&self, listens: bool, step: impl FnOnce() -> T) -> T {
        self.0.store(listens, Ordering::SeqCst);
        let done = step();
        self.0.store(false, Ordering::SeqCst);
        done
    }
}
