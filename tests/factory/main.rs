//! `build`, `check` and `schema`: the sample's registry, two sites, one file.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod bench;
mod checks;
mod disks;
mod job;
mod page;
mod schema;
mod stopped;

use bench::Bench;
use program::{Run, run, snoforge};
