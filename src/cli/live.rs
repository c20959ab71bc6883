//! A live cluster: who it is, and what it answers.

use std::path::PathBuf;

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::context::env_path;
use super::exit::{Categorised, Exit, Failure};
use crate::cluster::{Client, Error, Got, Kubeconfig};
use crate::objects::Answer;

/// Requests at once: a Single Node API server has few cores.
const PARALLEL: usize = 4;

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct Live {
    /// A live cluster, by its kubeconfig: the current context, with a client certificate or a token.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Time limit of one request to the cluster, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    request_timeout: u64,
}

impl Live {
    /// Whether the user named a kubeconfig; the environment does not count.
    pub(super) fn is_named(&self) -> bool {
        self.kubeconfig.is_some()
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        let path = self.kubeconfig.clone().or_else(|| env_path("KUBECONFIG"));
        path.ok_or_else(|| {
            Failure::new(Exit::Usage, "no cluster is named")
                .hint("give --kubeconfig FILE or set KUBECONFIG")
        })
    }

    /// A client of the cluster.
    ///
    /// # Errors
    /// No kubeconfig, or one that cannot be used.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(self.config_and_client()?.1)
    }

    /// The kubeconfig too, for what it says of itself.
    ///
    /// # Errors
    /// As [`Live::client`].
    pub(super) fn config_and_client(&self) -> Result<(Kubeconfig, Client), Failure> {
        let config = Kubeconfig::load(&self.path()?)?;
        let client = Client::new(&config, self.request_timeout)?;
        Ok((config, client))
    }

    /// A client that the imaging does not lock out.
    ///
    /// # Errors
    /// As [`Live::client`], and a user without a client certificate.
    pub(super) fn lasting_client(&self) -> Result<Client, Failure> {
        let path = self.path()?;
        let config = Kubeconfig::load(&path)?;
        if config.has_client_certificate() {
            return Ok(Client::new(&config, self.request_timeout)?);
        }
        let message = format!(
            "kubeconfig {}: its user has no client certificate: the imaging gives the cluster new keys for tokens, and none of today's is accepted afterwards",
            path.display()
        );
        Err(Failure::new(Exit::Usage, message)
            .hint("take the kubeconfig that the installation left (auth/kubeconfig)"))
    }
}

/// Asks for these paths. What one object or list alone refuses is an answer; what all requests would meet ends the work.
///
/// # Errors
/// The cluster cannot be reached or does not know the user.
pub(super) async fn answers(
    client: &Client,
    paths: Vec<String>,
) -> Result<Vec<(String, Answer)>, Error> {
    let asked = stream::iter(paths).map(|path| ask(client, path));
    asked.buffered(PARALLEL).try_collect().await
}

async fn ask(client: &Client, path: String) -> Result<(String, Answer), Error> {
    let answer = match client.get(&path).await {
        Ok(Got::Items(items)) => Answer::Items(items),
        Ok(Got::Object(object)) => Answer::Object(object),
        Ok(Got::Absent) => Answer::Absent,
        Err(Error::Request { reason, .. }) if !reason.is_general() => {
            Answer::Error(reason.to_string())
        }
        Err(error) => return Err(error),
    };
    Ok((path, answer))
}

impl Categorised for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Kubeconfig { .. } => Exit::Usage,
            Self::Request { .. } => Exit::Remote,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}
