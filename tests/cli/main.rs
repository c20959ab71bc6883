//! Drives the built program as a user does: command lines in, files, exit codes and texts out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod appliance;
mod disk;
mod download;
mod files;
mod kubernetes;
mod sample;

use program::{Run, run, snoforge};
