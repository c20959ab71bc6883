//! Private keys, for signing only. They have no `Debug` and leave this file as signatures.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaEncoding, RsaKeyPair,
};

use super::x509::{Kind, Scheme};

/// A private key of a kind that can sign certificates.
pub(super) enum PrivateKey {
    Rsa(RsaKeyPair),
    Ec(Kind, EcdsaKeyPair),
}

const CURVES: [(Kind, &EcdsaSigningAlgorithm); 3] = [
    (Kind::P256, &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
    (Kind::P384, &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
    (Kind::P521, &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
];

impl PrivateKey {
    /// Reads a key from the label and the bytes of its PEM block: PKCS#1, PKCS#8, SEC 1. Nothing for other kinds.
    pub(super) fn read(label: &str, der: &[u8]) -> Option<Self> {
        let curves = |read: fn(&'static EcdsaSigningAlgorithm, &[u8]) -> Option<EcdsaKeyPair>| {
            CURVES
                .iter()
                .find_map(|(kind, algorithm)| Some(Self::Ec(*kind, read(algorithm, der)?)))
        };
        match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(der).ok().map(Self::Rsa),
            "EC PRIVATE KEY" => {
                curves(|algorithm, der| EcdsaKeyPair::from_private_key_der(algorithm, der).ok())
            }
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(der)
                .ok()
                .map(Self::Rsa)
                .or_else(|| curves(|algorithm, der| EcdsaKeyPair::from_pkcs8(algorithm, der).ok())),
            _ => None,
        }
    }

    /// The kind of its public half.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Rsa(_) => Kind::Rsa,
            Self::Ec(kind, _) => *kind,
        }
    }

    /// Its public half, in the form of a certificate's BIT STRING.
    pub(super) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ec(_, pair) => pair.public_key().as_ref(),
        }
    }

    /// Signs; nothing when a key of this kind does not sign by that scheme here.
    pub(super) fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match scheme {
                    Scheme::RsaSha256 => &signature::RSA_PKCS1_SHA256,
                    Scheme::RsaSha384 => &signature::RSA_PKCS1_SHA384,
                    Scheme::RsaSha512 => &signature::RSA_PKCS1_SHA512,
                    _ => return None,
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut out).ok()?;
                Some(out)
            }
            Self::Ec(kind, pair) => {
                let own = match kind {
                    Kind::P256 => Scheme::EcdsaSha256,
                    Kind::P384 => Scheme::EcdsaSha384,
                    _ => Scheme::EcdsaSha512,
                };
                let signature = (scheme == own).then(|| pair.sign(&random, message))?;
                Some(signature.ok()?.as_ref().to_vec())
            }
        }
    }
}
