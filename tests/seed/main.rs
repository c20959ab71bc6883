//! The seed room from outside: manifests byte for byte and against the CRDs, the rules, a real image in a real registry.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test stops at the first broken invariant, and says why it did not run"
)]

#[path = "../support/apiserver.rs"]
mod apiserver;
mod facts;
mod image;
mod live;
mod manifests;
mod preflight;
#[path = "../support/registry.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod registry;
#[path = "../support/schema.rs"]
mod schema;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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

/// What a run left.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// Asserts the exit code, with everything that was printed when it differs.
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

/// Runs the program in a directory with an environment of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test is a child process"
)]
fn run(home: &Path, args: &[&str]) -> Run {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(env!("CARGO_BIN_EXE_snoforge"))
        .args(args)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .current_dir(home)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
