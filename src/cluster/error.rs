//! Why a cluster cannot be reached or does not answer.

use std::path::PathBuf;

/// Why a kubeconfig cannot be used, or a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A kubeconfig, or a file that it names, is missing or wrong.
    #[error("kubeconfig {path}: {reason}", path = .path.display())]
    Kubeconfig {
        /// The kubeconfig.
        path: PathBuf,
        /// What is wrong with it; never quotes its contents.
        reason: String,
    },
    /// A request got no answer that tells.
    #[error("cluster {server}: GET {path}: {reason}")]
    Request {
        /// The API's URL.
        server: String,
        /// The API path.
        path: String,
        /// What happened.
        reason: Reason,
    },
}

/// What happened to a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No connection: refused, no such host, no route.
    #[error("no connection: {0}")]
    Connect(String),
    /// TLS failed: the server's certificate or ours.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server does not know who asks.
    #[error("401 Unauthorized: the credentials are not accepted")]
    Unauthorized,
    /// No whole answer within the time limit.
    #[error("no answer within {0} s")]
    Slow(u64),
    /// Any other status than 200 and 404, with the server's words.
    #[error("{0}")]
    Status(String),
    /// The answer is no API object, or was cut.
    #[error("{0}")]
    Answer(String),
}

impl Reason {
    /// Whether every other request would fail for the same reason.
    pub fn is_general(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Tls(_) | Self::Unauthorized)
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Kubeconfig { .. } => {
                "take the kubeconfig that the installation left (auth/kubeconfig): its client certificate also outlives the seed's reboot"
            }
            Self::Request { reason, .. } => match reason {
                Reason::Connect(_) => {
                    "check that the cluster is up, and that its API's name and port are reachable from here"
                }
                Reason::Tls(_) => {
                    "check the CA, the client certificate and `server` in the kubeconfig, and the clocks of both machines"
                }
                Reason::Unauthorized => {
                    "the certificate or token in the kubeconfig is expired or of another cluster: take a new one"
                }
                Reason::Slow(_) => "raise --request-timeout, or wait until the API has settled",
                Reason::Status(_) | Reason::Answer(_) => {
                    "check that `server` in the kubeconfig is a Kubernetes API, and that the user may read it"
                }
            },
        };
        Some(text.to_owned())
    }
}
