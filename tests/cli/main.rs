//! Drives the built program as a user does: command lines in, files, exit codes and texts out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first broken invariant"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is a child process"
)]

#[path = "../support/mod.rs"]
mod support;

mod disk;
mod download;
mod files;
mod sample;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

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

/// The program with an environment of its own: no credentials or caches of the machine.
fn snoforge(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snoforge"));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home);
    command
}

fn run(home: &Path, args: &[&str]) -> Run {
    let output = snoforge(home)
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
