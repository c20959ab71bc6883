//! Whose certificate a server shows, whoever signed it: so that a person knows which authority is missing.
//!
//! The handshake is made without any check, and nothing is sent after it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use der::Decode as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use x509_cert::Certificate;

use super::timed::Timed;
use super::{Error, connect};

/// The certificate that a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Whom it names.
    pub subject: String,
    /// Who signed the last certificate of the chain: what a client has to know.
    pub issuer: String,
    /// Seconds since 1970 from which on it is good.
    pub not_before: u64,
    /// Seconds since 1970 until which it is.
    pub not_after: u64,
}

/// Asks a server for its certificate; waits for `patience` for the connection, and once more for the handshake.
///
/// # Errors
/// Nothing listens there, or no TLS.
pub fn certificate(host: &str, port: u16, patience: Duration) -> Result<Shown, Error> {
    let garbled = |reason: String| Error::Garbled {
        server: format!("{host}:{port}"),
        reason,
    };
    let failed =
        |source: io::Error| Error::socket(&format!("{host}:{port}"), source, patience.as_secs());
    let mut stream = Timed::new(connect(host, port, patience)?, patience);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let seen = Arc::new(Seen::new(&provider));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| garbled(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| garbled(e.to_string()))?;
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|e| garbled(e.to_string()))?;
    // A server that wants a client's certificate hangs up after it has shown its own.
    let ended = connection.complete_io(&mut stream);
    let chain = seen.chain.lock().unwrap_or_else(PoisonError::into_inner);
    match (chain.first(), ended) {
        (Some(first), _) => shown(first, chain.last().unwrap_or(first)).map_err(garbled),
        (None, Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(garbled("it does not speak TLS".to_owned()))
        }
        (None, Err(error)) => Err(failed(error)),
        (None, Ok(_)) => Err(garbled("it shows no certificate".to_owned())),
    }
}

fn shown(first: &[u8], last: &[u8]) -> Result<Shown, String> {
    let read = |der: &[u8]| Certificate::from_der(der).map_err(|e| e.to_string());
    let (first, last) = (read(first)?, read(last)?);
    let own = first.tbs_certificate();
    let validity = own.validity();
    Ok(Shown {
        subject: own.subject().to_string(),
        issuer: last.tbs_certificate().issuer().to_string(),
        not_before: validity.not_before.to_unix_duration().as_secs(),
        not_after: validity.not_after.to_unix_duration().as_secs(),
    })
}

/// Notes the chain and lets it pass.
#[derive(Debug)]
struct Seen {
    chain: Mutex<Vec<Vec<u8>>>,
    schemes: Vec<SignatureScheme>,
}

impl Seen {
    fn new(provider: &CryptoProvider) -> Self {
        let schemes = provider
            .signature_verification_algorithms
            .supported_schemes();
        Self {
            chain: Mutex::default(),
            schemes,
        }
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        *chain = all.map(|certificate| certificate.to_vec()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
