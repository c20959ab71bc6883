//! What long work announces. Rooms state facts; [`crate::ui`] decides what a person or a script sees.

use std::fmt;

/// Receives events; called from many tasks at once, must not block.
pub trait Reporter: Send + Sync + fmt::Debug {
    /// Takes one event.
    fn report(&self, event: Event<'_>);
}

/// One fact. Sizes are bytes; `id` is unique among the items of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins; `items` and `bytes` are its totals where known.
    Phase {
        /// Name in the imperative: `resolve`, `download`, `verify`.
        name: &'a str,
        /// How many items.
        items: Option<u64>,
        /// How many bytes.
        bytes: Option<u64>,
    },
    /// An item begins.
    Started {
        /// The item.
        id: u64,
        /// What a person calls it.
        name: &'a str,
        /// Its size.
        size: Option<u64>,
    },
    /// More of an item is done.
    Advanced {
        /// The item.
        id: u64,
        /// Bytes since the last event.
        bytes: u64,
    },
    /// Bytes of an item that an earlier run left.
    Kept {
        /// The item.
        id: u64,
        /// How many; they did not move now.
        bytes: u64,
    },
    /// Bytes of an item do not count after all (it starts again).
    Rewound {
        /// The item.
        id: u64,
        /// Bytes taken back.
        bytes: u64,
    },
    /// Work found done already.
    Skipped {
        /// How many items.
        items: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// An item is done.
    Finished {
        /// The item.
        id: u64,
    },
    /// An item failed for good.
    Failed {
        /// The item.
        id: u64,
        /// One sentence.
        reason: &'a str,
    },
    /// Something that happened outside, worth a line of its own.
    Note(&'a str),
    /// Something a person should know, while work goes on.
    Warning(&'a str),
    /// The phase is over.
    PhaseDone,
}

/// Reports nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: Event<'_>) {}
}
