//! The cluster's side of the beginning: an ended SeedGenerator away, Secret and SeedGenerator there.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::unknown;
use crate::cli::context::today;
use crate::cli::exit::{Exit, Failure};
use crate::cli::seed::follow::{StateFile, object_path};
use crate::cluster::{Client, Error, Got};
use crate::seed::imaging::{Seen, State};
use crate::seed::resources::SeedGenerator;

/// A SeedGenerator has no finalizers: what is not gone by then will not go.
const GONE_AFTER: Duration = Duration::from_mins(2);

/// Applies Secret and SeedGenerator; the latter's creation starts the imaging. The state says so before it happens.
///
/// # Errors
/// A run is under way, or the API server refuses.
pub(super) async fn apply(
    client: &Client,
    generator: &SeedGenerator,
    file: StateFile<'_>,
    state: &mut State,
) -> Result<Value, Failure> {
    make_room(client, &object_path(generator.api)).await?;
    // The type of a Secret cannot be changed, and the field's guides make it with another one.
    client.delete(&secret_path(&state.namespace), None).await?;
    let secret = parsed(&generator.secret())?;
    client.create(&secrets(&state.namespace), &secret).await?;
    let object = parsed(&generator.generator())?;
    state.applied = Some(today());
    file.save(state)?;
    match client.create(&generator.api.generators(), &object).await {
        Ok(object) => Ok(object),
        Err(error) if may_have_worked(&error) => Err(unknown(error.into())),
        Err(error) => {
            state.applied = None;
            file.save(state)?;
            Err(error.into())
        }
    }
}

fn may_have_worked(error: &Error) -> bool {
    matches!(error, Error::Request { reason, .. } if reason.may_pass())
}

/// Finds out whether a SeedGenerator that was about to be created was.
///
/// Lifecycle-agent deletes the Secret before the SeedGenerator: a Secret alone tells that there never was one. Where the cluster
/// does not answer the question stays open, and the watch will see.
///
/// # Errors
/// The state file cannot be written.
pub(in crate::cli::seed) async fn settle(
    client: &Client,
    file: StateFile<'_>,
    mut state: State,
) -> Result<State, Failure> {
    if state.applied.is_none() || state.uid.is_some() {
        return Ok(state);
    }
    let absent = |got| matches!(got, Ok(Got::Absent));
    if absent(client.get(&object_path(state.api)).await)
        && matches!(
            client.get(&secret_path(&state.namespace)).await,
            Ok(Got::Object(_))
        )
    {
        state.applied = None;
        file.save(&state)?;
    }
    Ok(state)
}

/// Deletes a SeedGenerator of an earlier run, and waits until it is gone.
async fn make_room(client: &Client, path: &str) -> Result<(), Failure> {
    let Got::Object(object) = client.get(path).await? else {
        return Ok(());
    };
    let seen = Seen::new(&object);
    if !seen.has_ended() {
        let message = "a seed generation is under way on this cluster";
        return Err(Failure::new(Exit::Verification, message)
            .hint("`snoforge seed status --watch` follows it"));
    }
    client.delete(path, Some(&seen.uid)).await?;
    let begin = Instant::now();
    while let Got::Object(_) = client.get(path).await? {
        if begin.elapsed() > GONE_AFTER {
            let message = "the SeedGenerator of an earlier run was deleted, and is still there";
            return Err(Failure::new(Exit::Remote, message)
                .hint("look at its finalizers: `oc get seedgenerator seedimage -o yaml`"));
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

fn secrets(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

fn secret_path(namespace: &str) -> String {
    format!("{}/seedgen", secrets(namespace))
}

/// Our own manifest as an object; an error's text is not shown, it may quote the credentials.
fn parsed(manifest: &str) -> Result<Value, Failure> {
    serde_saphyr::from_str(manifest)
        .map_err(|_| Failure::new(Exit::Internal, "a manifest of ours is no YAML"))
}
