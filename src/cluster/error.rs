//! Why a cluster cannot be reached or does not answer.

use std::path::PathBuf;

use jiff::Timestamp;

/// Why a kubeconfig cannot be used, or a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A kubeconfig, or a file that it names, is missing or wrong.
    #[error("kubeconfig {path}: {reason}", path = .path.display())]
    Kubeconfig {
        /// The kubeconfig; several are separated by colons.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
    /// A request got no answer that tells, or was refused.
    #[error("cluster {server}: {method} {path}: {reason}")]
    Request {
        /// The API's URL.
        server: String,
        /// The HTTP method; `WATCH` for a watch.
        method: &'static str,
        /// The API path.
        path: String,
        /// What happened.
        reason: Reason,
    },
}

/// What happened to a request. Texts of refusals are the status and the server's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No connection: refused, no such host, no route.
    #[error("no connection: {0}")]
    Connect(String),
    /// TLS failed: the server's certificate or ours.
    #[error("TLS: {0}")]
    Tls(String),
    /// TLS failed: the server's certificate is no longer valid, by the clock of this machine.
    #[error("TLS: the server's certificate expired on {0}")]
    CertificateExpired(Timestamp),
    /// TLS failed: the server's certificate is not valid yet, by the clock of this machine.
    #[error("TLS: the server's certificate is not valid before {0}")]
    CertificateNotYetValid(Timestamp),
    /// 401: the server does not know who asks.
    #[error("401 Unauthorized: the credentials are not accepted")]
    Unauthorized,
    /// 403: the user may not.
    #[error("{0}")]
    Forbidden(String),
    /// 404: the object or its whole group is not there.
    #[error("{0}")]
    Absent(String),
    /// 409: it exists already, or is another than the one that was meant.
    #[error("{0}")]
    Conflict(String),
    /// 410: the place in a list or watch is no longer known.
    #[error("{0}")]
    Expired(String),
    /// 422, 400: the object breaks its schema or a rule.
    #[error("{0}")]
    Invalid(String),
    /// 429 and 5xx: the server cannot answer now.
    #[error("{0}")]
    Busy(String),
    /// No whole answer within the time limit.
    #[error("no answer within {0} s")]
    Slow(u64),
    /// Any other status.
    #[error("{0}")]
    Status(String),
    /// The answer is no API object, or was cut.
    #[error("{0}")]
    Answer(String),
}

impl Reason {
    /// Whether every other request would fail for the same reason.
    pub fn is_general(&self) -> bool {
        matches!(
            self,
            Self::Connect(_)
                | Self::Tls(_)
                | Self::CertificateExpired(_)
                | Self::CertificateNotYetValid(_)
                | Self::Unauthorized
        )
    }

    /// Whether the same request may succeed later although nobody changes it: the server is away, starting or busy.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Connect(_) | Self::Expired(_) | Self::Busy(_) | Self::Slow(_) | Self::Answer(_)
        )
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Kubeconfig { .. } => {
                "take the kubeconfig that the installation left (auth/kubeconfig): its client certificate outlives every reboot"
            }
            Self::Request { reason, .. } => match reason {
                Reason::Connect(_) => {
                    "check that the cluster is up, and that its API's name and port are reachable from here"
                }
                Reason::Tls(_)
                | Reason::CertificateExpired(_)
                | Reason::CertificateNotYetValid(_) => {
                    "check the CA, the client certificate and `server` in the kubeconfig, and the clocks of both machines"
                }
                Reason::Unauthorized => {
                    "the certificate or token in the kubeconfig is expired or of another cluster: take a new one"
                }
                Reason::Forbidden(_) => "take a kubeconfig whose user may do this",
                Reason::Absent(_) => "check that the operator that serves this API is installed",
                Reason::Conflict(_) | Reason::Expired(_) => {
                    "somebody else changed it meanwhile: look at it, and try again"
                }
                Reason::Invalid(_) => "change the object as the API server says",
                Reason::Busy(_) => "wait until the API has settled, and try again",
                Reason::Slow(_) => "raise --request-timeout, or wait until the API has settled",
                Reason::Status(_) | Reason::Answer(_) => {
                    "check that `server` in the kubeconfig is a Kubernetes API, and that the user may read it"
                }
            },
        };
        Some(text.to_owned())
    }
}
