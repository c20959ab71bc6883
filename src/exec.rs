//! The only place that spawns programs. No shell; arguments are passed as they are; output is captured.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Output, Stdio};

#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that the rule points to"
)]
fn command(program: &str) -> std::process::Command {
    std::process::Command::new(program)
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It is not installed.
    #[error("`{0}` is not installed")]
    Missing(String),
    /// It could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The reason.
        source: io::Error,
    },
    /// It ran and failed.
    #[error("`{program}` failed ({status}): {stderr}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines it printed.
        stderr: String,
    },
}

/// Runs a program to its end and returns what it printed on stdout.
///
/// # Errors
/// Not installed, not startable, or an exit status other than 0.
pub fn run<A: AsRef<OsStr> + fmt::Debug>(program: &str, args: &[A]) -> Result<Vec<u8>, ExecError> {
    run_in(Path::new("."), program, args)
}

/// [`run`], with `directory` as the program's working directory.
///
/// # Errors
/// As [`run`].
pub fn run_in<A: AsRef<OsStr> + fmt::Debug>(
    directory: &Path,
    program: &str,
    args: &[A],
) -> Result<Vec<u8>, ExecError> {
    tracing::debug!(program, ?args, ?directory, "run");
    judge(program, start(directory, program, args, b""))
}

/// As [`run`], with `input` on stdin: a few lines at most, since it is written before any output is read.
///
/// # Errors
/// As for [`run`].
pub fn run_with_input<A: AsRef<OsStr> + fmt::Debug>(
    program: &str,
    args: &[A],
    input: &[u8],
) -> Result<Vec<u8>, ExecError> {
    tracing::debug!(program, ?args, "run");
    judge(program, start(Path::new("."), program, args, input))
}

/// A user's `PATH` often lacks the directory where mkfs and blkid are; it is tried second.
fn start<A: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: &[A],
    input: &[u8],
) -> io::Result<Output> {
    match start_at(directory, program, args, input) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && !program.contains('/') => {
            start_at(directory, &format!("/usr/sbin/{program}"), args, input)
        }
        other => other,
    }
}

fn start_at<A: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: &[A],
    input: &[u8],
) -> io::Result<Output> {
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command(program)
        .args(args)
        .current_dir(directory)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may still do its work: its exit status decides.
        stdin.write_all(input).ok();
    }
    child.wait_with_output()
}

fn judge(program: &str, output: io::Result<Output>) -> Result<Vec<u8>, ExecError> {
    let output = output.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ExecError::Missing(program.to_owned()),
        _ => ExecError::Start {
            program: program.to_owned(),
            source,
        },
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    Err(ExecError::Failed {
        program: program.to_owned(),
        status: output.status,
        stderr: tail(text),
    })
}

/// The last three non-empty lines, joined: enough to tell the reason, short enough for one sentence.
fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    lines
        .get(lines.len().saturating_sub(3)..)
        .unwrap_or_default()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_missing_from_failing() {
        assert!(matches!(
            run("no-such-program-here", &[""; 0]),
            Err(ExecError::Missing(_))
        ));
        assert!(matches!(
            run("ls", &["/no/such/dir"]),
            Err(ExecError::Failed { .. })
        ));
        assert_eq!(run("echo", &["a b"]).unwrap(), b"a b\n");
        assert_eq!(run_with_input("cat", &[""; 0], b"x").unwrap(), b"x");
    }
}
