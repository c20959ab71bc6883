//! The program under test as a child process.
#![allow(
    clippy::allow_attributes,
    clippy::disallowed_methods,
    dead_code,
    reason = "a child process is the point, and each test binary uses another part"
)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// Asserts the exit code, with everything that was printed when it differs.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let (out, err) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, code, "stdout: {out}\nstderr: {err}");
        self
    }
}

/// The program in a directory with an environment of its own: no credentials or caches of the machine.
pub(crate) fn snoforge(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snoforge"));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home);
    command.current_dir(home);
    command
}

/// Runs it to its end.
pub(crate) fn run(home: &Path, args: &[&str]) -> Run {
    let command = &mut snoforge(home);
    let output = command.args(args).stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
