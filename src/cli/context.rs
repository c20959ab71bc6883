//! What a command gets from the process: output, progress, environment, clock.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::global::{Output, Progress, Reporting};
use crate::progress::Reporter;
use crate::ui;

/// The process around a command.
#[derive(Debug)]
pub struct Context {
    output: Output,
    one_line: bool,
    quiet: bool,
    /// Results go to stderr: a step of a command that has a result of its own.
    nested: bool,
    /// Whether stdout carries the command's document already.
    answered: AtomicBool,
    /// Receives progress.
    pub reporter: Arc<dyn Reporter>,
}

impl Context {
    /// From the reporting flags.
    pub fn new(flags: &Reporting) -> Self {
        let mode = match flags.progress {
            Progress::Json => ui::Mode::Json,
            _ if flags.quiet => ui::Mode::Never,
            Progress::Auto => ui::Mode::Auto,
            Progress::Always => ui::Mode::Always,
            Progress::Never => ui::Mode::Never,
        };
        Self {
            output: flags.output,
            one_line: flags.progress == Progress::Json,
            quiet: flags.quiet,
            nested: false,
            answered: AtomicBool::new(false),
            reporter: ui::reporter(mode),
        }
    }

    /// For a step of a larger command: text results, which leave stdout to the command's own when that is JSON.
    #[must_use]
    pub fn nested(&self) -> Self {
        Self {
            output: Output::Text,
            one_line: self.one_line,
            quiet: self.quiet,
            nested: self.is_json(),
            answered: AtomicBool::new(false),
            reporter: Arc::clone(&self.reporter),
        }
    }

    /// For a look at something: nothing is printed.
    #[must_use]
    pub(super) fn silent() -> Self {
        Self {
            output: Output::Text,
            one_line: false,
            quiet: true,
            nested: true,
            answered: AtomicBool::new(false),
            reporter: ui::reporter(ui::Mode::Never),
        }
    }

    /// Prints the result on stdout: `text` for people, `document` as JSON.
    ///
    /// # Errors
    /// Stdout cannot be written (a closed pipe counts as success).
    pub fn result(
        &self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let out = match self.output {
            Output::Text => text(),
            Output::Json if self.one_line => to_json(serde_json::to_string(document))?,
            Output::Json => to_json(serde_json::to_string_pretty(document))?,
        };
        if self.nested {
            self.say(&out);
            return Ok(());
        }
        self.answered.store(true, Ordering::Relaxed);
        if out.is_empty() {
            Ok(())
        } else {
            raw(format!("{out}\n").as_bytes())
        }
    }

    /// Prints why the command failed: on stderr, and with `--output json` on stdout too when nothing is there yet.
    pub fn fail(&self, failure: &Failure) {
        // Nothing to be done when even this cannot be written.
        let _ = writeln!(std::io::stderr(), "{failure}");
        if self.is_json() && !self.answered.load(Ordering::Relaxed) {
            let _ = self.result(failure, String::new);
        }
    }

    /// Says something on stderr, unless `--quiet`.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Warns on stderr.
    pub fn warn(&self, line: &str) {
        self.say(&format!("warning: {line}"));
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Writes bytes to stdout as they are.
///
/// # Errors
/// As [`Context::result`].
pub(super) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().write_all(bytes) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Io,
            format!("cannot write to stdout: {e}"),
        )),
        _ => Ok(()),
    }
}

fn to_json(text: Result<String, serde_json::Error>) -> Result<String, Failure> {
    text.map_err(|e| {
        Failure::new(
            Exit::Internal,
            format!("cannot write the result as JSON: {e}"),
        )
    })
}

/// An environment variable, absent when empty.
#[expect(
    clippy::disallowed_methods,
    reason = "cli is the room that reads the environment"
)]
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An environment variable that is a path.
pub(super) fn env_path(name: &str) -> Option<PathBuf> {
    env(name).map(PathBuf::from)
}

/// Now, UTC, as RFC 3339 in whole seconds; `SOURCE_DATE_EPOCH` stands in for the clock.
pub(super) fn now() -> String {
    clock().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now; `SOURCE_DATE_EPOCH` stands in for the clock. Only for what is written: whether something has expired is a matter of [`today`].
pub(super) fn clock() -> jiff::Timestamp {
    let pinned = env("SOURCE_DATE_EPOCH").and_then(|s| s.parse().ok());
    pinned
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .unwrap_or_else(today)
}

/// Now, by the clock of the machine.
pub(super) fn today() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Runs async work on a small runtime: two threads drive all sockets, blocking work has its own.
///
/// # Errors
/// The runtime cannot start, or the work fails.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|e| Failure::new(Exit::Internal, format!("cannot start the runtime: {e}")))?;
    let result = runtime.block_on(work);
    // A blocking read that hangs on a dead disk must not keep the process from ending.
    runtime.shutdown_background();
    result
}

/// Ends the process at every Ctrl-C or SIGTERM that comes while `spared` is not set; returns only when signals cannot be had.
pub(super) fn ended_by_signal(spared: &AtomicBool) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        let (Ok(mut int), Ok(mut term)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        loop {
            tokio::select! { _ = int.recv() => (), _ = term.recv() => () }
            if !spared.load(Ordering::SeqCst) {
                let _ = writeln!(
                    std::io::stderr(),
                    "error: interrupted\nhint: run the same command again to go on"
                );
                #[expect(clippy::exit, reason = "every commit point is crash-safe")]
                std::process::exit(i32::from(Exit::Interrupted as u8));
            }
        }
    });
}

/// A token that Ctrl-C or SIGTERM cancels; a second signal ends the process at once.
pub(super) fn on_interrupt() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let seen = token.clone();
    tokio::spawn(async move {
        let (Ok(mut int), Ok(mut term)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut next = async || tokio::select! { _ = int.recv() => (), _ = term.recv() => () };
        next().await;
        seen.cancel();
        next().await;
        #[expect(
            clippy::exit,
            reason = "the user asked twice; every commit point is crash-safe"
        )]
        std::process::exit(i32::from(Exit::Interrupted as u8));
    });
    token
}
