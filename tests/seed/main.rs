//! The seed room from outside: manifests byte for byte and against the CRDs, the rules, a real image in a real registry.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test stops at the first broken invariant, and says why it did not run"
)]

#[path = "../support/apiserver/mod.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod apiserver;
mod create;
mod facts;
mod image;
mod lab;
mod live;
mod manifests;
mod preflight;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/registry.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod registry;
mod restore;
mod restore_faults;
#[path = "../support/schema.rs"]
mod schema;
mod verdict;

use std::path::{Path, PathBuf};

use program::{Run, run};

/// A file of ours.
fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seed/golden")
        .join(name);
    fs_err::read_to_string(path).unwrap()
}

/// The project's shared data, where they are.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}
