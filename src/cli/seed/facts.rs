//! The facts of a cluster: of a file, or of a live one.

use std::path::Path;

use crate::cli::context::{block_on, now};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::live::{Live, answers};
use crate::cluster::Client;
use crate::seed::Facts;

/// Reads a facts document.
///
/// # Errors
/// Not readable, or none.
pub(super) fn read(path: &Path) -> Result<Facts, Failure> {
    let bytes = fs_err::read(path).map_err(|e| unreadable(path, &e))?;
    Ok(Facts::parse(&path.display().to_string(), &bytes)?)
}

/// The facts of the cluster that the user named.
///
/// # Errors
/// No kubeconfig, or the cluster cannot be reached or does not know the user.
pub(super) fn live(live: &Live) -> Result<Facts, Failure> {
    let client = live.client().map_err(|failure| match failure.exit {
        Exit::Usage if failure.message == "no cluster is named" => failure.hint(
            "give --kubeconfig FILE or set KUBECONFIG, or check saved facts with --facts FILE",
        ),
        _ => failure,
    })?;
    block_on(collect(&client))
}

/// Asks the cluster until nothing is missing.
///
/// # Errors
/// The cluster cannot be reached or does not know the user.
pub(super) async fn collect(client: &Client) -> Result<Facts, Failure> {
    let mut facts = Facts {
        collected: now(),
        server: client.server().to_owned(),
        ..Facts::default()
    };
    loop {
        let missing = facts.missing();
        if missing.is_empty() {
            return Ok(facts);
        }
        for (path, answer) in answers(client, missing).await? {
            facts.put(&path, answer);
        }
    }
}
