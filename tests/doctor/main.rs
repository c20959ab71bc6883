//! `doctor` and `site dns`: against real registries and name servers on loopback, a lying clock, a closed port, a proxy.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops at the first broken invariant; one server serves many lines"
)]

#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod dns;
mod job;
mod server;
mod site;

use std::path::Path;

use program::{Run, snoforge};
use serde_json::Value;

/// The rows of a check: `outcome object: message`.
fn rows(run: &Run, check: &str) -> Vec<String> {
    let document = run.json();
    let rows = document["rows"].as_array().unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let wanted = rows.iter().filter(|row| row["check"] == check);
    wanted
        .map(|row| {
            let (outcome, object) = (text(row, "outcome"), text(row, "object"));
            format!("{outcome} {object}: {}", text(row, "message"))
        })
        .collect()
}

/// Asserts that one row of a check begins and goes on like this.
#[track_caller]
fn has(run: &Run, check: &str, begin: &str, piece: &str) {
    let rows = rows(run, check);
    let found = rows
        .iter()
        .any(|row| row.starts_with(begin) && row.contains(piece));
    assert!(found, "{begin} … {piece}: {rows:#?}");
}

/// Runs the program with more environment.
fn run_with(home: &Path, environment: &[(&str, &str)], args: &[&str]) -> Run {
    let command = &mut snoforge(home);
    command.envs(environment.iter().copied());
    let output = command
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
