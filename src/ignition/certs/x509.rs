//! One certificate, read.

use std::fmt::Write as _;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::{Decode as _, Encode as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use x509_cert::ext::pkix::{BasicConstraints, SubjectKeyIdentifier};

use super::der::Parts;

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Other,
}

/// A signature algorithm by what it hashes with and the keys it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
}

impl Scheme {
    fn of(oid: &str) -> Option<Self> {
        match oid {
            "1.2.840.113549.1.1.11" => Some(Self::RsaSha256),
            "1.2.840.113549.1.1.12" => Some(Self::RsaSha384),
            "1.2.840.113549.1.1.13" => Some(Self::RsaSha512),
            "1.2.840.10045.4.3.2" => Some(Self::EcdsaSha256),
            "1.2.840.10045.4.3.3" => Some(Self::EcdsaSha384),
            "1.2.840.10045.4.3.4" => Some(Self::EcdsaSha512),
            _ => None,
        }
    }

    fn verifier(self, kind: Kind) -> Option<&'static dyn VerificationAlgorithm> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self, kind) {
            (Self::RsaSha256, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Self::RsaSha384, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Self::RsaSha512, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Self::EcdsaSha256, Kind::P256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::EcdsaSha384, Kind::P256) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::EcdsaSha512, Kind::P256) => &signature::ECDSA_P256_SHA512_ASN1,
            (Self::EcdsaSha256, Kind::P384) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::EcdsaSha384, Kind::P384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::EcdsaSha512, Kind::P384) => &signature::ECDSA_P384_SHA512_ASN1,
            (Self::EcdsaSha256, Kind::P521) => &signature::ECDSA_P521_SHA256_ASN1,
            (Self::EcdsaSha384, Kind::P521) => &signature::ECDSA_P521_SHA384_ASN1,
            (Self::EcdsaSha512, Kind::P521) => &signature::ECDSA_P521_SHA512_ASN1,
            _ => return None,
        };
        Some(algorithm)
    }
}

/// A certificate with what this room asks of it.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) subject: String,
    pub(super) issuer: String,
    /// The names as they stand in the certificate: what chains are made by.
    pub(super) subject_der: Vec<u8>,
    pub(super) issuer_der: Vec<u8>,
    pub(super) serial: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) is_ca: bool,
    pub(super) key_id: Option<String>,
    pub(super) kind: Kind,
    /// The content of the public key's BIT STRING: for RSA the PKCS#1 structure, for ECDSA the point.
    pub(super) public: Vec<u8>,
    /// `None` when it is one that is not checked here.
    pub(super) scheme: Option<Scheme>,
    /// The algorithm's number, for messages.
    pub(super) algorithm: String,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// Why it is none, in a few words.
    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let read = x509_cert::Certificate::from_der(der).map_err(|e| e.to_string())?;
        let tbs = read.tbs_certificate();
        if Parts::of(der).is_none() {
            return Err("its two signature algorithms differ".to_owned());
        }
        let encoded = |name: &x509_cert::name::Name| name.to_der().map_err(|e| e.to_string());
        let public_key = tbs.subject_public_key_info();
        let algorithm = read.signature_algorithm().oid.to_string();
        Ok(Self {
            subject: shown(tbs.subject()),
            issuer: shown(tbs.issuer()),
            subject_der: encoded(tbs.subject())?,
            issuer_der: encoded(tbs.issuer())?,
            serial: hex::encode(tbs.serial_number().as_bytes()),
            not_before: moment(tbs.validity().not_before)?,
            not_after: moment(tbs.validity().not_after)?,
            is_ca: matches!(tbs.get_extension::<BasicConstraints>(), Ok(Some((_, c))) if c.ca),
            key_id: match tbs.get_extension::<SubjectKeyIdentifier>() {
                Ok(Some((_, id))) => Some(colons(id.0.as_bytes())),
                _ => None,
            },
            kind: kind(public_key),
            public: public_key
                .subject_public_key
                .as_bytes()
                .unwrap_or_default()
                .to_vec(),
            scheme: Scheme::of(&algorithm),
            algorithm,
            der: der.to_vec(),
        })
    }

    /// Whether the signature is of this public key.
    pub(super) fn signed_by(&self, kind: Kind, public: &[u8]) -> bool {
        let verifier = self.scheme.and_then(|scheme| scheme.verifier(kind));
        match (verifier, Parts::of(&self.der)) {
            (Some(verifier), Some(parts)) => UnparsedPublicKey::new(verifier, public)
                .verify(parts.tbs, parts.signature)
                .is_ok(),
            _ => false,
        }
    }

    /// Whether `other` is its issuer: by name and by signature.
    pub(super) fn issued_by(&self, other: &Self) -> bool {
        self.issuer_der == other.subject_der && self.signed_by(other.kind, &other.public)
    }

    /// SHA-256 over the certificate, in hexadecimal.
    pub(super) fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.der))
    }
}

/// Both names in the order they are written in, as `openssl` and people have it; RFC 4514 has the reverse.
fn shown(name: &x509_cert::name::Name) -> String {
    let mut text = String::new();
    for part in name.iter_rdn() {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{part}");
    }
    // Names come from a file that somebody else wrote, and go to a terminal.
    text.chars().filter(|c| !c.is_control()).collect()
}

fn moment(time: x509_cert::time::Time) -> Result<Timestamp, String> {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| "its validity is out of range".to_owned())
}

fn kind(key: &x509_cert::SubjectPublicKeyInfo) -> Kind {
    let curve = || {
        let oid: der::asn1::ObjectIdentifier =
            key.algorithm.parameters.as_ref()?.decode_as().ok()?;
        Some(oid.to_string())
    };
    match key.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => Kind::Rsa,
        "1.2.840.10045.2.1" => match curve().as_deref() {
            Some("1.2.840.10045.3.1.7") => Kind::P256,
            Some("1.3.132.0.34") => Kind::P384,
            Some("1.3.132.0.35") => Kind::P521,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

/// `AB:CD:…`, as `openssl` prints it.
fn colons(bytes: &[u8]) -> String {
    let octets: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
    octets.join(":")
}
