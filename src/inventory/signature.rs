//! Release signatures (`imageset.md` §2.6; openshift/library-go `pkg/verify`).
//!
//! An object `<store>/sha256=<hex>/signature-<n>` is an opaque `OpenPGP` signed message whose body is JSON of the *atomic container
//! signature* format (containers/image `docs/atomic-signature.md`). Accepted only if a known key signed it, the whole body was
//! read first, it has not expired, nothing is in it that we do not know, and it names exactly the payload's digest.
//!
//! What this does not do: it never falls back to "probably fine". None to be had is a state of its own; one that is there and
//! wrong is an error unless another one of the same release is right.

use std::collections::BTreeMap;
use std::io::Read as _;

use pgp::composed::{Deserializable as _, Message, SignedPublicKey, VerificationResult};
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::{KeyDetails as _, VerifyingKey};
use serde::Deserialize;

use crate::oci::Digest;

use super::InventoryError;
use super::documents::Documents;
use super::lock::Signature;

/// Where Red Hat publishes signatures; the two have the same contents.
const STORES: [&str; 2] = [
    "https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release",
    "https://storage.googleapis.com/openshift-release/official/signatures/openshift/release",
];

/// Upstream looks at no more signatures than this.
const MAX_SIGNATURES: u32 = 9;

/// A body is about 400 bytes.
const MAX_BODY: u64 = 64 << 10;

/// "Red Hat, Inc. (release key 2)", 567E 347A D004 4ADE 55BA 8A5F 199E 2F91 FD43 1D51; from the release verification `ConfigMap`.
const RED_HAT_RELEASE_KEY_2: &str = include_str!("keys/redhat-release-2.asc");

/// The public keys that may sign a release.
#[derive(Debug, Clone)]
pub struct Keyring(Vec<SignedPublicKey>);

impl Keyring {
    /// Red Hat's release key.
    ///
    /// # Panics
    /// Never: the key is embedded, and a test parses it.
    pub fn red_hat() -> Self {
        Self::from_armor(RED_HAT_RELEASE_KEY_2).expect("the embedded key is well formed")
    }

    /// The keys of an armored block.
    ///
    /// # Errors
    /// Not an armored public key.
    pub fn from_armor(text: &str) -> Result<Self, SignatureError> {
        let bad = |e: pgp::errors::Error| SignatureError::Key(e.to_string());
        let (keys, _) = SignedPublicKey::from_armor_many(text.as_bytes()).map_err(bad)?;
        let keys = keys.collect::<Result<Vec<_>, _>>().map_err(bad)?;
        if keys.is_empty() {
            return Err(SignatureError::Key("no public key in it".to_owned()));
        }
        Ok(Self(keys))
    }
}

/// Whether release signatures are looked at.
#[derive(Debug, Clone)]
pub enum SignatureCheck {
    /// Looked for; a wrong one is an error, none is a state in the lock.
    WhenAvailable {
        /// The time to check expiry against, in seconds since 1970.
        now_unix: u64,
        /// Who may sign.
        keyring: Keyring,
    },
    /// Not looked for.
    Skip,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key itself cannot be read.
    #[error("not an OpenPGP public key: {0}")]
    Key(String),
    /// Not an `OpenPGP` signed message.
    #[error("not an OpenPGP signed message: {0}")]
    Message(String),
    /// No known key made it, or the message was changed.
    #[error("not signed by a known key, or altered")]
    NotSigned,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// The body is not what is signed for images.
    #[error("signed text is not an atomic container signature: {0}")]
    Body(String),
    /// It is for another image.
    #[error("it is for {0}")]
    OtherDigest(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    critical: Critical,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and of no meaning here")]
    optional: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: SignedImage,
    identity: Identity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SignedImage {
    docker_manifest_digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

/// Verifies one signature object for `digest`; returns the key id in upper-case hex.
///
/// # Errors
/// Why it is not accepted.
pub(super) fn verify(
    message: &[u8],
    digest: &Digest,
    keyring: &Keyring,
    now_unix: u64,
) -> Result<String, SignatureError> {
    let bad = |e: pgp::errors::Error| SignatureError::Message(e.to_string());
    let mut message = Message::from_bytes(message)
        .and_then(Message::decompress)
        .map_err(bad)?;
    if !message.is_signed() {
        return Err(SignatureError::NotSigned);
    }
    // The hash is complete only after the whole body was read.
    let mut body = Vec::new();
    let read = (&mut message).take(MAX_BODY + 1).read_to_end(&mut body);
    read.map_err(|e| SignatureError::Message(e.to_string()))?;
    if body.len() as u64 > MAX_BODY {
        return Err(SignatureError::Message("body too long".to_owned()));
    }
    let key = signer(&message, keyring, now_unix)?;
    check_body(&body, digest)?;
    Ok(key)
}

fn signer(
    message: &Message<'_>,
    keyring: &Keyring,
    now_unix: u64,
) -> Result<String, SignatureError> {
    let keys: Vec<&dyn VerifyingKey> = keyring.0.iter().map(|k| k as &dyn VerifyingKey).collect();
    let results = message
        .verify_nested(&keys)
        .map_err(|e| SignatureError::Message(e.to_string()))?;
    let mut expired = false;
    for (key, result) in keyring.0.iter().zip(results) {
        let VerificationResult::Valid(signature) = result else {
            continue;
        };
        let strong = matches!(
            signature.hash_alg(),
            Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512)
        );
        if !strong {
            continue;
        }
        let created = signature.created().map_or(0, |t| u64::from(t.as_secs()));
        let lifetime = signature
            .signature_expiration_time()
            .map_or(0, |d| u64::from(d.as_secs()));
        if lifetime != 0 && created + lifetime < now_unix {
            expired = true;
            continue;
        }
        return Ok(hex::encode_upper(key.legacy_key_id().as_ref()));
    }
    Err(if expired {
        SignatureError::Expired
    } else {
        SignatureError::NotSigned
    })
}

fn check_body(body: &[u8], digest: &Digest) -> Result<(), SignatureError> {
    let body: Body =
        serde_json::from_slice(body).map_err(|e| SignatureError::Body(e.to_string()))?;
    let critical = body.critical;
    if critical.kind != "atomic container signature" {
        return Err(SignatureError::Body(format!("type `{}`", critical.kind)));
    }
    if critical.identity.docker_reference.is_empty() {
        return Err(SignatureError::Body("no identity".to_owned()));
    }
    if critical.image.docker_manifest_digest != digest.to_string() {
        return Err(SignatureError::OtherDigest(
            critical.image.docker_manifest_digest,
        ));
    }
    Ok(())
}

/// What one store has.
enum Found {
    Verified(String),
    Wrong(SignatureError),
    NonePublished,
    Unreachable(String),
}

/// A state for the lock, and what happened where that is not the same each time.
pub(super) type Checked = (Signature, Option<String>);

/// Looks for a signature of a payload in both stores and verifies it.
///
/// # Errors
/// Signatures are there, and none is right.
pub(super) async fn check(
    documents: &dyn Documents,
    digest: &Digest,
    mode: &SignatureCheck,
) -> Result<Checked, InventoryError> {
    let SignatureCheck::WhenAvailable { now_unix, keyring } = mode else {
        return Ok((Signature::Skipped, None));
    };
    let looks = STORES.map(|store| look(documents, store, digest, (keyring, *now_unix)));
    let mut wrong = None;
    let mut reasons: Vec<String> = Vec::new();
    let mut none_published = false;
    for found in futures_util::future::join_all(looks).await {
        match found {
            Found::Verified(key) => return Ok((Signature::Verified { key }, None)),
            Found::Wrong(error) => wrong = wrong.or(Some(error)),
            Found::NonePublished => none_published = true,
            Found::Unreachable(reason) => reasons.push(reason),
        }
    }
    if let Some(error) = wrong {
        return Err(InventoryError::Signature {
            release: digest.to_string(),
            error,
        });
    }
    // The reason is part of the lock: no text of the system or the network in it.
    let reason = if none_published {
        "none is published"
    } else {
        "no signature store could be reached"
    };
    let state = Signature::Unavailable {
        reason: reason.to_owned(),
    };
    Ok((state, Some(reasons.join("; ")).filter(|r| !r.is_empty())))
}

async fn look(
    documents: &dyn Documents,
    store: &str,
    digest: &Digest,
    (keyring, now_unix): (&Keyring, u64),
) -> Found {
    let mut wrong = None;
    for number in 1..=MAX_SIGNATURES {
        let algorithm = digest.algorithm().name();
        let url = format!("{store}/{algorithm}={}/signature-{number}", digest.hex());
        match documents.get(&url, "*/*").await {
            Ok(Some(message)) => match verify(&message, digest, keyring, now_unix) {
                Ok(key) => return Found::Verified(key),
                Err(error) => wrong = wrong.or(Some(error)),
            },
            Ok(None) if number == 1 => return Found::NonePublished,
            Err(error) if number == 1 => return Found::Unreachable(error.to_string()),
            Ok(None) | Err(_) => break,
        }
    }
    wrong.map_or(Found::NonePublished, Found::Wrong)
}

#[cfg(test)]
mod tests;
