//! Failures: of setting up ([`Error`]), and of one attempt at one place (`Fault`), which the itinerary weighs.

use std::path::PathBuf;
use std::time::Duration;

use crate::io::root_text;
use crate::oci::{SourceError, SourceErrorKind};

/// Why a client cannot be made from its options.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A credential file is missing or no `containers-auth.json`.
    #[error("credential file {path}: {reason}", path = .path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
    /// A registries.conf is missing or wrong.
    #[error("registries configuration {path}: {reason}", path = .path.display())]
    RegistriesConf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No client for HTTPS can be made.
    #[error("no HTTPS is possible: {0}")]
    Https(String),
    /// A certificate or key is missing or unreadable.
    #[error("certificate {path}: {reason}", path = .path.display())]
    Certificate {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::AuthFile { .. } => {
                "log in again (`podman login --authfile FILE HOST`), or name another file with --authfile"
            }
            Self::RegistriesConf { .. } => {
                "see containers-registries.conf(5), version 2; --registries-conf names another file"
            }
            Self::Https(_) => {
                "install the system's ca-certificates, or name a directory with the CA by --cert-dir"
            }
            Self::Certificate { .. } => {
                "the directory holds *.crt for CAs and *.cert with *.key for the client, all PEM"
            }
        };
        Some(text.to_owned())
    }
}

/// Whether and how to go on after a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// This place will not answer better.
    Never,
    /// After a back-off of ours.
    Later,
    /// The same, and where there is another place everyone leaves this one alone for a while: a connection that times out is dear.
    Unreachable,
    /// The host asks everyone to slow down, for this long if it says so.
    Throttled(Option<Duration>),
}

/// One attempt at one place failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: SourceErrorKind,
    pub(super) detail: String,
    pub(super) hint: Option<String>,
    pub(super) retry: Retry,
}

impl Fault {
    pub(super) fn never(kind: SourceErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            hint: None,
            retry: Retry::Never,
        }
    }

    pub(super) fn protocol(detail: impl Into<String>) -> Self {
        Self::never(SourceErrorKind::Protocol, detail)
    }

    pub(super) fn config(detail: impl Into<String>) -> Self {
        Self::never(SourceErrorKind::Config, detail)
    }

    pub(super) fn later(detail: impl Into<String>) -> Self {
        Self {
            retry: Retry::Later,
            ..Self::never(SourceErrorKind::Unavailable, detail)
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with what was asked for.
    pub(super) fn about(self, what: &str) -> SourceError {
        let error = SourceError::new(self.kind, what, self.detail);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let hint = error.hint();
        Self {
            hint,
            ..Self::config(error.to_string())
        }
    }
}

const PLAIN_HTTP: &str = "for a plain HTTP registry set `insecure = true` for it in registries.conf, or use --tls-verify=false";

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let root = root_text(&error);
        if root.contains("peer certificate") {
            return certificate_fault(&root);
        }
        if root.contains("InvalidContentType") || root.contains("corrupt message") {
            return Self::config("the server does not speak TLS").with_hint(PLAIN_HTTP);
        }
        if error.is_redirect() {
            return Self::protocol(root);
        }
        if error.is_builder() {
            return Self::config(root);
        }
        if error.is_connect() {
            return connect_fault(&error, root);
        }
        if error.is_timeout() {
            return Self::later("no answer within the time limit");
        }
        Self::later(root)
    }
}

fn connect_fault(error: &reqwest::Error, root: String) -> Fault {
    // Some servers hang up on a TLS hello that they do not understand.
    let hung_up = root.contains("reset") || root.contains("eof");
    let detail = if error.is_timeout() {
        "no connection within the time limit".to_owned()
    } else {
        root
    };
    Fault {
        retry: Retry::Unreachable,
        hint: hung_up.then(|| PLAIN_HTTP.to_owned()),
        ..Fault::later(detail)
    }
}

fn certificate_fault(root: &str) -> Fault {
    if root.contains("UnknownIssuer") || root.contains("CaUsedAsEndEntity") {
        return Fault::config("its certificate is signed by an unknown authority")
            .with_hint("put the CA as ca.crt into a directory and name it with --cert-dir, or into /etc/containers/certs.d/HOST:PORT/");
    }
    Fault::config(format!("its certificate is refused: {root}"))
        .with_hint("check the host name, the server's clock and the certificate's dates; --tls-verify=false turns the check off")
}
