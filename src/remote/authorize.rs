//! The `Authorization` header for a place, and what a refusal means.

use base64::Engine as _;
use http::HeaderValue;
use reqwest::Response;

use super::challenge::Scheme;
use super::client::Client;
use super::credentials::{Credential, CredentialSource};
use super::error::Fault;
use super::itinerary::Place;
use super::token::Wish;
use crate::oci::SourceErrorKind;

/// What to send for one request.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    /// A token of an earlier request, which may have expired since: its refusal says nothing about the account.
    pub(super) cached: bool,
}

/// The header to send, other than the `rejected` one; `None` when the registry did not ask or there is nothing to send.
pub(super) async fn header(
    client: &Client,
    place: &Place,
    scope: &str,
    rejected: Option<&HeaderValue>,
) -> Result<Option<Authorization>, Fault> {
    let Some(scheme) = place.host.auth_scheme() else {
        return Ok(None);
    };
    let (registry, repository) = (place.image.registry(), place.image.repository());
    let credential = client.inner.credentials.get(registry, repository).await?;
    let found = match scheme {
        Scheme::Basic => credential
            .as_ref()
            .and_then(|(_, credential)| basic(credential))
            .map(|header| Authorization {
                header,
                cached: false,
            }),
        Scheme::Bearer { realm, service } => {
            if credential.is_some() && realm.scheme() != "https" && !place.host.insecure {
                return Err(Fault::config(format!(
                    "its token service {realm} is not on TLS, the password is not sent there"
                )));
            }
            let wish = Wish {
                http: &place.host.http,
                realm: &realm,
                service: service.as_deref(),
                scope,
                credential: credential.as_ref(),
                patience: client.stall(),
            };
            let (header, fresh) = client.inner.tokens.get(&wish, rejected).await?;
            Some(Authorization {
                header,
                cached: !fresh,
            })
        }
    };
    Ok(found.filter(|found| Some(&found.header) != rejected))
}

fn basic(credential: &Credential) -> Option<HeaderValue> {
    let Credential::Login { user, password } = credential else {
        return None;
    };
    let login = format!("{user}:{}", password.expose());
    let encoded = base64::engine::general_purpose::STANDARD.encode(login);
    let mut header = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Says whose credentials were refused, or that there are none.
pub(super) async fn refused(client: &Client, place: &Place, response: Response) -> Fault {
    let status = response.status().as_u16();
    let said = super::transport::said(response, client.stall()).await;
    let (registry, repository) = (place.image.registry(), place.image.repository());
    let source = client.inner.credentials.source(registry, repository);
    let (detail, hint) = match source {
        Err(error) => return error.into(),
        Ok(Some(source)) => (
            format!("access refused to the account under {source}: HTTP {status}{said}"),
            log_in(&source, registry),
        ),
        Ok(None) => (
            format!("access refused, and no credentials are known for it: HTTP {status}{said}"),
            nothing_known(client, registry, repository),
        ),
    };
    Fault::never(SourceErrorKind::Unauthorized, detail).with_hint(hint)
}

fn log_in(source: &CredentialSource, registry: &str) -> String {
    let file = source.file.display();
    format!(
        "check that this account may read the repository, or log in again: podman login --authfile {file} {registry}"
    )
}

fn nothing_known(client: &Client, registry: &str, repository: &str) -> String {
    let namespace = repository.split('/').next().unwrap_or(repository);
    let files: Vec<String> = client
        .inner
        .credentials
        .files()
        .map(|path| path.display().to_string())
        .collect();
    let place = match files.as_slice() {
        [] => "a file and name it with --authfile".to_owned(),
        files => files.join(" or "),
    };
    format!(
        "add `{registry}/{namespace}` or `{registry}` under `auths` in {place} (podman login does)"
    )
}
