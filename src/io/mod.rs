//! Stream adapters and whole-file writes: the effects that every room above shares.

pub mod atomic;
