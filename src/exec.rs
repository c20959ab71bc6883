//! The only place that spawns programs. No shell; arguments are passed as they are; output is captured.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

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
    /// It was told to stop before it was done.
    #[error("`{0}` was stopped")]
    Stopped(String),
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

/// How often a running program is looked at: no one waits a noticeable time for its end, and looking costs nothing.
const POLL: Duration = Duration::from_millis(20);

/// As [`run`], for work of minutes: the program is killed as soon as `stop` says so.
///
/// # Errors
/// As [`run`], and [`ExecError::Stopped`].
pub fn run_until<A: AsRef<OsStr> + fmt::Debug>(
    program: &str,
    args: &[A],
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>, ExecError> {
    tracing::debug!(program, ?args, "run");
    let child = spawn(Path::new("."), program, args, false);
    let output = child.and_then(|child| end(child, stop));
    match output.transpose() {
        Some(output) => judge(program, output),
        None => Err(ExecError::Stopped(program.to_owned())),
    }
}

/// As [`run_until`], and each line that it prints on stderr goes to `line` at once.
///
/// # Errors
/// As [`run_until`].
pub fn run_watched<A: AsRef<OsStr> + fmt::Debug>(
    program: &str,
    args: &[A],
    stop: &dyn Fn() -> bool,
    line: &(dyn Fn(&str) + Sync),
) -> Result<Vec<u8>, ExecError> {
    tracing::debug!(program, ?args, "run, watched");
    let child = spawn(Path::new("."), program, args, false);
    let output = child.and_then(|child| end_with(child, stop, |pipe| told(pipe, line)));
    match output.transpose() {
        Some(output) => judge(program, output),
        None => Err(ExecError::Stopped(program.to_owned())),
    }
}

/// [`drain`], and each line is told.
fn told(pipe: Option<impl io::Read>, line: &dyn Fn(&str)) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let mut pipe = io::BufReader::new(pipe);
        let mut start = 0;
        while matches!(pipe.read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
            line(text.trim_end());
            start = bytes.len();
        }
    }
    bytes
}

/// Runs a program that reads what `fill` writes, however much: its own output is drained meanwhile. When `fill` fails the program is
/// killed, unless it ended first: then its own reason counts. Gives what `fill` gave, and what a good program said on stderr.
///
/// # Errors
/// As [`run`]; within, what `fill` says.
pub fn run_fed<A: AsRef<OsStr> + fmt::Debug, T>(
    program: &str,
    args: &[A],
    fill: impl FnOnce(&mut dyn io::Write) -> io::Result<T>,
) -> Result<io::Result<(T, String)>, ExecError> {
    tracing::debug!(program, ?args, "run, fed");
    let mut filled = Err(io::ErrorKind::BrokenPipe.into());
    let output = spawn(Path::new("."), program, args, true).and_then(|mut child| {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let out = scope.spawn(|| drain(out));
            let err = scope.spawn(|| drain(err));
            if let Some(mut stdin) = child.stdin.take() {
                filled = fill(&mut stdin);
            }
            let own = filled.is_ok() || is_broken_pipe(&filled);
            if !own {
                child.kill()?;
            }
            let status = child.wait()?;
            let (stdout, stderr) = (
                out.join().unwrap_or_default(),
                err.join().unwrap_or_default(),
            );
            Ok(own.then_some(Output {
                status,
                stdout,
                stderr,
            }))
        })
    });
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    match output.transpose() {
        Some(output) => {
            let said = output.as_ref().map(said).unwrap_or_default();
            judge(program, output).map(|_| filled.map(|value| (value, said)))
        }
        None => Ok(filled.map(|value| (value, String::new()))),
    }
}

fn is_broken_pipe<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(e) if e.kind() == io::ErrorKind::BrokenPipe)
}

/// Waits for the end; `None` when it was killed. The pipes are drained meanwhile: a full one would hold the program up.
fn end(child: Child, stop: &dyn Fn() -> bool) -> io::Result<Option<Output>> {
    end_with(child, stop, drain)
}

fn end_with(
    mut child: Child,
    stop: &dyn Fn() -> bool,
    stderr: impl FnOnce(Option<std::process::ChildStderr>) -> Vec<u8> + Send,
) -> io::Result<Option<Output>> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let out = scope.spawn(|| drain(out));
        let err = scope.spawn(|| stderr(err));
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if stop() {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(POLL);
        };
        let (stdout, stderr) = (
            out.join().unwrap_or_default(),
            err.join().unwrap_or_default(),
        );
        Ok(status.map(|status| Output {
            status,
            stdout,
            stderr,
        }))
    })
}

/// What cannot be read is missing from a message at most: the exit status decides.
fn drain(pipe: Option<impl io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).ok();
    }
    bytes
}

fn start<A: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: &[A],
    input: &[u8],
) -> io::Result<Output> {
    let mut child = spawn(directory, program, args, !input.is_empty())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may still do its work: its exit status decides.
        stdin.write_all(input).ok();
    }
    child.wait_with_output()
}

/// Where a program is looked for that is not in the `PATH`: a user's often lacks the directory where mkfs and blkid are.
pub const BESIDE_PATH: [&str; 2] = ["/usr/sbin", "/sbin"];

fn spawn<A: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: &[A],
    with_stdin: bool,
) -> io::Result<Child> {
    let at = |program: &str| {
        command(program)
            .args(args)
            .current_dir(directory)
            .stdin(if with_stdin {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut child = at(program);
    for directory in BESIDE_PATH {
        match &child {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !program.contains('/') => {
                child = at(&format!("{directory}/{program}"));
            }
            _ => break,
        }
    }
    child
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

    #[test]
    fn a_fed_program_reads_all_or_says_why_not() {
        let feed = |script: &str, fail: bool| {
            run_fed("sh", &["-c", script], |stdin| {
                for _ in 0..300 {
                    stdin.write_all(&[b'x'; 4096])?;
                }
                if fail {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                Ok(7)
            })
        };
        assert_eq!(
            feed(
                "test $(head -c 1228800 | wc -c) = 1228800; echo odd >&2",
                false
            )
            .unwrap()
            .unwrap(),
            (7, "odd\n".to_owned())
        );
        // Its own words, although writing to it failed too.
        let failed = feed("echo full >&2; exit 3", false).unwrap_err();
        assert!(failed.to_string().ends_with("full"), "{failed}");
        let own = feed("cat >/dev/null; exec sleep 60", true)
            .unwrap()
            .unwrap_err();
        assert_eq!(own.kind(), io::ErrorKind::InvalidData);
        assert!(matches!(
            run_fed("no-such-program-here", &[""; 0], |_| Ok(())),
            Err(ExecError::Missing(_))
        ));
    }

    #[test]
    fn a_long_program_ends_when_told() {
        let begun = std::time::Instant::now();
        let stopped = run_until("sleep", &["60"], &|| begun.elapsed() > POLL);
        assert!(matches!(stopped, Err(ExecError::Stopped(_))));
        assert!(begun.elapsed() < Duration::from_secs(30));
        // More than a pipe holds, on both pipes.
        let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit $0";
        let long = |code| run_until("sh", &["-c", script, code], &|| false);
        assert_eq!(long("0").unwrap().len(), 300_000);
        assert!(matches!(long("3"), Err(ExecError::Failed { .. })));
        assert!(matches!(
            run_until("no-such-program-here", &[""; 0], &|| false),
            Err(ExecError::Missing(_))
        ));
    }
}
