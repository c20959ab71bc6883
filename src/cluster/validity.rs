//! From when to when the certificates in a kubeconfig are valid: what a server tells of that is 401, or nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::time::Time;

use super::{Error, Kubeconfig};

/// A certificate of a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Whether it is the user's own; else it is one of the authorities that the server's is held against.
    pub is_client: bool,
    /// Its subject, as `CN=system:admin`.
    pub subject: String,
    /// The first moment.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
}

impl Kubeconfig {
    /// Its certificates: the user's own first, then the authorities. What is no certificate is left out; [`Kubeconfig::load`] has
    /// refused what cannot be used.
    ///
    /// # Errors
    /// The file of the client certificate cannot be read any more.
    pub fn validity(&self) -> Result<Vec<Validity>, Error> {
        let user = &self.config.auth_info;
        let pem = match (&user.client_certificate_data, &user.client_certificate) {
            (Some(data), _) => BASE64.decode(data).unwrap_or_default(),
            (None, Some(path)) => fs_err::read(path).map_err(|e| Error::Kubeconfig {
                path: self.path.clone(),
                reason: format!("cannot read {path}: {}", e.kind()),
            })?,
            (None, None) => Vec::new(),
        };
        let client = Certificate::load_pem_chain(&pem).unwrap_or_default();
        // What follows the first is the way to its authority.
        let client = client.first().and_then(|c| Validity::new(true, c));
        let authorities = self.config.root_cert.iter().flatten();
        let authorities = authorities.filter_map(|bytes| {
            use der::Decode as _;
            Validity::new(false, &Certificate::from_der(bytes).ok()?)
        });
        Ok(client.into_iter().chain(authorities).collect())
    }
}

impl Validity {
    fn new(is_client: bool, certificate: &Certificate) -> Option<Self> {
        let body = certificate.tbs_certificate();
        let subject = body.subject().to_string();
        Some(Self {
            is_client,
            // A name goes to a terminal.
            subject: subject.chars().filter(|c| !c.is_control()).collect(),
            not_before: moment(body.validity().not_before)?,
            not_after: moment(body.validity().not_after)?,
        })
    }
}

fn moment(time: Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}
