//! `build`, `check` and `schema`: the sample's registry, two sites, one file.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/installer.rs"]
mod installer;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod bench;
mod checks;
mod clusters;
mod disks;
mod job;
mod lan;
mod page;
mod schema;
mod stopped;

use bench::Bench;
use program::{Run, run, snoforge};
