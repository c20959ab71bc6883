//! The PKCS#10 request inside a certificate request: subject and alternative names.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use der::{Decode as _, DecodePem as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::CertReq;

const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION: &str = "2.5.4.10";
const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
const ALT_NAME: &str = "2.5.29.17";

/// What is inside a request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) common_name: String,
    pub(super) organizations: Vec<String>,
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    /// Whether it has names of other kinds, or parts that are not understood.
    pub(super) others: bool,
}

impl Asked {
    /// Reads `spec.request`.
    ///
    /// # Errors
    /// Why it is none, in one clause.
    pub(super) fn parse(encoded: &str) -> Result<Self, String> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE REQUEST-----";
        let none = || "it holds no certificate request".to_owned();
        let bytes = BASE64.decode(encoded).map_err(|_| none())?;
        let pem = std::str::from_utf8(&bytes).map_err(|_| none())?.trim();
        // What stands before or after it another reader may take for the request.
        if !pem.starts_with(BEGIN) || pem.matches("-----BEGIN").count() != 1 {
            return Err(none());
        }
        let request = CertReq::from_pem(pem.as_bytes()).map_err(|_| none())?;
        let mut asked = Self::default();
        for part in request.info.subject.iter() {
            let value = std::str::from_utf8(part.value.value())
                .map_err(|_| none())?
                .to_owned();
            match part.oid.to_string().as_str() {
                COMMON_NAME if asked.common_name.is_empty() => asked.common_name = value,
                ORGANIZATION => asked.organizations.push(value),
                _ => {
                    return Err(
                        "its subject has more than a common name and organizations".to_owned()
                    );
                }
            }
        }
        for attribute in request.info.attributes.iter() {
            if attribute.oid.to_string() != EXTENSION_REQUEST {
                asked.others = true;
                continue;
            }
            for value in attribute.values.iter() {
                let bytes = value.to_der().map_err(|_| none())?;
                let extensions = Vec::<Extension>::from_der(&bytes).map_err(|_| none())?;
                extensions
                    .iter()
                    .try_for_each(|e| asked.extension(e))
                    .map_err(|()| none())?;
            }
        }
        Ok(asked)
    }

    fn extension(&mut self, extension: &Extension) -> Result<(), ()> {
        // The signer takes nothing else from a request.
        if extension.extn_id.to_string() != ALT_NAME {
            return Ok(());
        }
        let names = SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(|_| ())?;
        for name in names.0 {
            match name {
                GeneralName::DnsName(dns) => self.dns.push(dns.as_str().to_owned()),
                GeneralName::IpAddress(ip) => match address(ip.as_bytes()) {
                    Some(ip) => self.addresses.push(ip),
                    None => self.others = true,
                },
                _ => self.others = true,
            }
        }
        Ok(())
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    four.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}
