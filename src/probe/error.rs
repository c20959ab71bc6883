//! Why a question has no answer.

use std::io;
use std::net::SocketAddr;

/// Why a question has no answer. The server is named in every message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not one answer came in time.
    #[error("{server} does not answer within {seconds} s")]
    Silent {
        /// Who was asked.
        server: String,
        /// How long.
        seconds: u64,
    },
    /// The system said no.
    #[error("{server} cannot be reached")]
    Unreachable {
        /// Who was asked.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// The name server knows that there is no such name.
    #[error("{server} says that {name} does not exist")]
    NoSuchName {
        /// Who was asked.
        server: SocketAddr,
        /// For what.
        name: String,
    },
    /// The server answered with a refusal.
    #[error("{server} refuses: {reason}")]
    Refused {
        /// Who was asked.
        server: String,
        /// Its word for it.
        reason: String,
    },
    /// The answer is none.
    #[error("{server} sent something else: {reason}")]
    Garbled {
        /// Who was asked.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The text is no name.
    #[error("`{name}` is no name that can be asked for")]
    Name {
        /// The text.
        name: String,
    },
}

impl Error {
    /// Of a socket; running out of time is silence.
    pub(super) fn socket(server: &impl ToString, source: io::Error, seconds: u64) -> Self {
        let server = server.to_string();
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent { server, seconds },
            _ => Self::Unreachable { server, source },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Silent { .. } | Self::Unreachable { .. } => {
                "check the address, the cable and the firewall on the way; is the service running there?"
            }
            Self::NoSuchName { .. } => "add the record; `snoforge site dns` prints it",
            Self::Refused { .. } => "allow this machine's network to ask there",
            Self::Garbled { .. } => "check that the address is that of such a server",
            Self::Name { .. } => "check the name",
        }
    }
}
