//! `openshift-install` as a child: what it is, what it says, and nothing of the secrets in that.

use std::path::Path;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::exec::{self, ExecError};
use crate::progress::Event;
use crate::site::install_config::Secrets;

/// An installer that answered.
pub(super) struct Installer<'a> {
    program: String,
    /// What `version` prints: version, commit, release image, architecture.
    version: String,
    secrets: &'a Secrets,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Installer<'a> {
    /// Asks a program what it is.
    ///
    /// # Errors
    /// It is missing, is for another machine, or fails.
    pub(super) fn ask(
        program: &Path,
        secrets: &'a Secrets,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, Failure> {
        let program = program.to_string_lossy().into_owned();
        let printed = exec::run_until(&program, &["version"], stop);
        let printed = printed.map_err(|e| failed(&program, &e, secrets))?;
        Ok(Self {
            version: String::from_utf8_lossy(&printed).trim().to_owned(),
            program,
            secrets,
            stop,
        })
    }

    /// What it is, for the record.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The payload that it installs.
    pub(super) fn release_image(&self) -> Option<&str> {
        let mut lines = self.version.lines();
        lines.find_map(|line| line.strip_prefix("release image "))
    }

    /// What its user should know.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let image = self.release_image().filter(|i| !i.contains("@sha256:"));
        let text = |image: &str| {
            format!(
                "{} installs {image}, no release by digest: was it taken out of its image without being given its release?\n  hint: `snoforge assets installer -f DIR` does both",
                self.program
            )
        };
        image.map(text).into_iter()
    }

    /// Makes the Ignition config of the install config in `dir`, and relays what it says.
    ///
    /// # Errors
    /// It refuses, or was stopped.
    pub(super) fn run(&self, context: &Context, name: &str, dir: &Path) -> Result<(), Failure> {
        let dir = dir.to_string_lossy();
        let args = ["create", "single-node-ignition-config", "--dir", &dir];
        let relay = |line: &str| {
            let (level, text) = said(line, self.secrets);
            let text = format!("{name}: {text}");
            match level.as_str() {
                "info" => context.reporter.report(Event::Note(&text)),
                "warning" => context.reporter.report(Event::Warning(&text)),
                // Errors are in the failure, the rest is of no use to anybody here.
                _ => (),
            }
        };
        let done = exec::run_watched(&self.program, &args, self.stop, &relay);
        done.map(drop)
            .map_err(|e| failed(&self.program, &e, self.secrets))
    }
}

/// Level and text of a line of logrus, `level=info msg="…"`; any other line is all text. Without the secrets.
fn said(line: &str, secrets: &Secrets) -> (String, String) {
    let masked = secrets.mask(line);
    let parts = || {
        let start = masked.find("level=")?;
        let (level, rest) = masked.get(start + "level=".len()..)?.split_once(' ')?;
        let text = rest.trim().strip_prefix("msg=")?;
        let plain = serde_json::from_str::<String>(text);
        Some((level.to_owned(), plain.unwrap_or_else(|_| text.to_owned())))
    };
    let (level, text) = parts().unwrap_or((String::new(), masked.clone()));
    // What was quoted may be a secret only now.
    (level, secrets.mask(&text))
}

/// Never the error's own text: it has what the program printed, secrets and all.
fn failed(program: &str, error: &ExecError, secrets: &Secrets) -> Failure {
    match error {
        ExecError::Missing(_) => {
            Failure::new(Exit::Environment, format!("`{program}` is not there"))
                .hint("take it out of the release with -f DIR, or name one with --installer")
        }
        ExecError::Start { source, .. } => {
            let reason = crate::io::root_text(source);
            let failure = Failure::new(
                Exit::Environment,
                format!("cannot start {program}: {reason}"),
            );
            failure.hint("is it for this machine? `snoforge assets installer --arch` takes the one of another architecture")
        }
        ExecError::Stopped(_) => Failure::new(Exit::Interrupted, "interrupted"),
        ExecError::Failed { stderr, .. } => {
            let lines = stderr.split("; level=").map(|part| {
                let part = part.strip_prefix("level=").unwrap_or(part);
                said(&format!("level={part}"), secrets).1
            });
            let text = lines.collect::<Vec<_>>().join("; ");
            let text = text.strip_prefix("level=").unwrap_or(&text);
            let exit = if text.contains("install-config.yaml") || text.contains("Install Config") {
                Exit::Usage
            } else {
                Exit::Environment
            };
            Failure::new(exit, format!("openshift-install failed: {text}"))
        }
    }
}
