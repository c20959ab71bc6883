//! The osimage room from outside: vectors of the operator, manifests against the real CRDs with their CEL rules, scripted builds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::format_collect,
    reason = "a test stops at the first broken invariant, and says why it did not run"
)]

#[path = "../support/apiserver/mod.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod apiserver;
mod build;
mod live;
mod live414;
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
#[path = "../support/schema.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod schema;
mod trial;
mod vectors;
mod verbs;

use std::path::{Path, PathBuf};

use program::{Run, run};

/// The project's shared data, where they are.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// Runs the program in a directory of its own with these files.
fn with_files(files: &[(&str, &str)], args: &[&str]) -> Run {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs_err::write(home.path().join(name), text).unwrap();
    }
    run(home.path(), args)
}
