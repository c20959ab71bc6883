//! The `oci_distribution` crate in our terms: its client with our trust, its tokens from ours, its errors as ours.

use http::HeaderValue;
use oci_distribution as oci;
use oci_distribution::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_distribution::errors::OciDistributionError;
use oci_distribution::token_cache::{RegistryToken, RegistryTokenType};

use crate::oci::SourceErrorKind;
use crate::remote::client::Client;
use crate::remote::error::{Fault, Retry};
use crate::remote::itinerary::Place;
use crate::remote::tls::{self, Certificates, Profile};
use crate::remote::transport;

/// The crate's client for a place, with the same trust as ours.
pub(super) fn registry(client: &Client, place: &Place, scheme: &str) -> Result<oci::Client, Fault> {
    // The crate panics where the system has no CA store; ours says it in words.
    let plain = Profile {
        verify: true,
        certificates: None,
    };
    client.inner.clients.get(&plain)?;
    let mut authorities = Vec::new();
    if let Some(directory) = tls::directory(&client.inner.options, place.image.registry()) {
        let certificates = Certificates::read(&directory)?;
        if let Some((path, _)) = certificates.client {
            return Err(Fault::config(format!(
                "pushing with a client certificate ({}) is not supported",
                path.display()
            )));
        }
        authorities = certificates.authorities;
    }
    let config = ClientConfig {
        protocol: match scheme {
            "http" => ClientProtocol::Http,
            _ => ClientProtocol::Https,
        },
        accept_invalid_certificates: place.host.insecure,
        use_monolithic_push: true,
        extra_root_certificates: authorities
            .into_iter()
            .map(|(_, data)| Certificate {
                encoding: CertificateEncoding::Pem,
                data,
            })
            .collect(),
        // No read timeout: the crate counts a long upload as one unanswered read. `Push::watch` looks after it.
        connect_timeout: Some(client.inner.options.retry.connect_timeout),
        user_agent: concat!("snoforge/", env!("CARGO_PKG_VERSION")),
        // Renewal is ours, so the crate's idea of a token's life must not be shorter.
        default_token_expiration_secs: 24 * 60 * 60,
        ..ClientConfig::default()
    };
    oci::Client::try_from(config).map_err(fault)
}

/// A header as the crate wants it.
pub(super) fn crate_token(header: &HeaderValue) -> Option<RegistryTokenType> {
    use base64::Engine as _;
    let text = header.to_str().ok()?;
    if let Some(token) = text.strip_prefix("Bearer ") {
        let token = token.to_owned();
        return Some(RegistryTokenType::Bearer(RegistryToken::Token { token }));
    }
    let login = base64::engine::general_purpose::STANDARD
        .decode(text.strip_prefix("Basic ")?)
        .ok()?;
    let login = String::from_utf8(login).ok()?;
    let (user, password) = login.split_once(':')?;
    Some(RegistryTokenType::Basic(
        user.to_owned(),
        password.to_owned(),
    ))
}

/// The crate's error in our terms.
pub(super) fn fault(error: OciDistributionError) -> Fault {
    let refused = |text: String| Fault::never(SourceErrorKind::Unauthorized, text);
    match error {
        OciDistributionError::RequestError(error) => match error.status() {
            Some(status) => by_status(status.as_u16(), ""),
            None => error.into(),
        },
        OciDistributionError::ServerError { code, message, .. } => by_status(code, &message),
        OciDistributionError::UnauthorizedError { .. } => {
            refused("access refused: HTTP 401".into())
        }
        OciDistributionError::AuthenticationFailure(_) => refused("authentication failed".into()),
        OciDistributionError::RegistryError { envelope, .. } => {
            let first = envelope.errors.first();
            let text = first.map_or_else(String::new, |e| format!("{:?}: {}", e.code, e.message));
            Fault::protocol(format!("the registry refuses it ({text})"))
        }
        other => Fault::protocol(other.to_string()),
    }
}

fn by_status(code: u16, message: &str) -> Fault {
    let words = transport::words_of(message.as_bytes());
    let said = words.map_or_else(String::new, |words| format!(" ({words})"));
    match code {
        401 | 403 => Fault::never(
            SourceErrorKind::Unauthorized,
            format!("access refused: HTTP {code}{said}"),
        )
        .with_hint("the account needs the right to push to this repository"),
        404 => Fault::never(SourceErrorKind::NotFound, format!("not found{said}")),
        429 => Fault {
            retry: Retry::Throttled(None),
            ..Fault::later(format!("too many requests: HTTP 429{said}"))
        },
        408 | 500.. => Fault::later(format!("server error: HTTP {code}{said}")),
        _ => Fault::protocol(format!("unexpected answer: HTTP {code}{said}")),
    }
}
