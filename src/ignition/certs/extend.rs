//! Signs certificates again, with a later not-after.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::der::{Parts, certificate};
use super::key::PrivateKey;
use super::survey::{Inventory, Survey, rfc3339, survey};
use super::walk;
use super::x509::Certificate;
use crate::ignition::{Config, Version};

/// What [`extend`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// Signed again, issuers before what they issued.
    pub extended: Vec<Extended>,
    /// Would expire before the time asked for, and stay so; in the order of the survey.
    pub left: Vec<Left>,
    /// All certificates of the config as it is now.
    pub survey: Survey,
}

/// A certificate that lives longer now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extended {
    /// Its subject.
    pub subject: String,
    /// Its not-after before.
    #[serde(serialize_with = "rfc3339")]
    pub old_not_after: Timestamp,
    /// Its not-after now; earlier than asked for when its issuer ends then.
    #[serde(serialize_with = "rfc3339")]
    pub not_after: Timestamp,
}

/// A certificate that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Its subject.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// Its not-after.
    #[serde(serialize_with = "rfc3339")]
    pub not_after: Timestamp,
    /// Whether the installation needs it.
    pub needed: bool,
    /// Why.
    pub reason: String,
}

/// Why nothing was extended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Spec 2 is read, not written.
    #[error("a config of version {version} is read only")]
    ReadOnly {
        /// Its version.
        version: Version,
    },
    /// Not a time that a certificate can say.
    #[error("certificates cannot live until {seconds} seconds after {now}")]
    OutOfRange {
        /// The duration asked for, in seconds.
        seconds: i64,
        /// The moment it is counted from.
        now: Timestamp,
    },
    /// What was signed does not verify. Nothing was changed.
    #[error("the new certificate of `{subject}` does not verify")]
    SelfCheck {
        /// Its subject.
        subject: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::ReadOnly { .. } => Some("make the config anew with a current openshift-install"),
            Self::OutOfRange { .. } => Some("ask for a duration such as 365d"),
            Self::SelfCheck { .. } => Some("this is a bug; the config is unchanged"),
        }
    }
}

/// Lets every certificate that would expire before `now` + `duration` live until then, if the key that signed it is in the
/// file. The config is unchanged when this fails, and when there is nothing to do.
///
/// # Errors
/// The config cannot be written, the duration is not above zero or goes beyond year 9999, or the check of the result fails.
pub fn extend(
    config: &mut Config,
    now: Timestamp,
    duration: SignedDuration,
) -> Result<Extension, Error> {
    let version = config.version();
    if !version.writable() {
        return Err(Error::ReadOnly { version });
    }
    let out_of_range = Error::OutOfRange {
        seconds: duration.as_secs(),
        now,
    };
    let until = now
        .checked_add(duration)
        .ok()
        .filter(|_| duration.is_positive());
    // Certificates know whole seconds only.
    let target = until
        .and_then(|t| Timestamp::from_second(t.as_second()).ok())
        .ok_or(out_of_range)?;
    let inventory = Inventory::take(config);
    let mut planner = Planner::new(&inventory, target);
    let mut replaced = BTreeMap::new();
    let mut extended = Vec::new();
    for n in planner.order() {
        let (Some(old), Some(Fate::Signed { key, not_after })) =
            (inventory.certificates.get(n), planner.fates.get(&n))
        else {
            continue;
        };
        replaced.insert(old.der.clone(), sign(old, key, *not_after)?);
        extended.push(Extended {
            subject: old.subject.clone(),
            old_not_after: old.not_after,
            not_after: *not_after,
        });
    }
    let mut changed = config.clone();
    walk::change(&mut changed, &mut |_, _, der| replaced.get(der?).cloned());
    let extension = Extension {
        extended,
        left: planner.left(&inventory.survey()),
        survey: survey(&changed),
    };
    *config = changed;
    Ok(extension)
}

/// Signs, and checks that everything but not-after and signature is as it was.
fn sign(old: &Certificate, key: &PrivateKey, not_after: Timestamp) -> Result<Vec<u8>, Error> {
    let signed = || {
        let parts = Parts::of(&old.der)?;
        let tbs = parts.with_not_after(not_after)?;
        let signature = key.sign(old.scheme?, &tbs)?;
        let der = certificate(&tbs, parts.algorithm, &signature);
        let new = Certificate::parse(&der).ok()?;
        let same = new.subject_der == old.subject_der
            && new.issuer_der == old.issuer_der
            && new.public == old.public
            && (new.serial.as_str(), &new.key_id) == (old.serial.as_str(), &old.key_id)
            && new.not_before == old.not_before
            && new.not_after == not_after;
        (same && new.signed_by(key.kind(), key.public())).then_some(der)
    };
    signed().ok_or_else(|| Error::SelfCheck {
        subject: old.subject.clone(),
    })
}

/// What becomes of a certificate.
enum Fate<'i> {
    /// It lives long enough.
    Kept,
    /// It is signed again.
    Signed {
        key: &'i PrivateKey,
        not_after: Timestamp,
    },
    /// It stays, and expires too soon.
    Left(String),
}

struct Planner<'i> {
    inventory: &'i Inventory,
    target: Timestamp,
    fates: BTreeMap<usize, Fate<'i>>,
    order: Vec<usize>,
}

impl<'i> Planner<'i> {
    fn new(inventory: &'i Inventory, target: Timestamp) -> Self {
        let mut planner = Self {
            inventory,
            target,
            fates: BTreeMap::new(),
            order: Vec::new(),
        };
        for n in 0..inventory.certificates.len() {
            planner.plan(n, &mut Vec::new());
        }
        planner
    }

    /// Issuers first.
    fn order(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.order)
    }

    /// Decides on a certificate, on its issuers before it. `below` are those that wait for the decision: CAs that sign each
    /// other do not wait for themselves.
    fn plan(&mut self, n: usize, below: &mut Vec<usize>) -> Option<Timestamp> {
        let certificate = self.inventory.certificates.get(n)?;
        if let Some(fate) = self.fates.get(&n) {
            return Some(match fate {
                Fate::Signed { not_after, .. } => *not_after,
                _ => certificate.not_after,
            });
        }
        if certificate.not_after >= self.target {
            self.fates.insert(n, Fate::Kept);
            return Some(certificate.not_after);
        }
        below.push(n);
        let issuers = self.inventory.issuers(n);
        let mut limit = None;
        for issuer in issuers {
            if !below.contains(&issuer) {
                limit = limit.max(self.plan(issuer, below));
            }
        }
        below.pop();
        let (fate, not_after) = self.decide(certificate, limit);
        self.order.push(n);
        self.fates.insert(n, fate);
        Some(not_after)
    }

    fn decide(&self, certificate: &Certificate, limit: Option<Timestamp>) -> (Fate<'i>, Timestamp) {
        let left = |reason: String| (Fate::Left(reason), certificate.not_after);
        let Some(scheme) = certificate.scheme else {
            let algorithm = &certificate.algorithm;
            return left(format!(
                "its signature algorithm {algorithm} is not one of RSA or ECDSA with SHA-2"
            ));
        };
        let keys = &self.inventory.keys;
        let Some(key) = keys
            .iter()
            .find(|key| certificate.signed_by(key.kind(), key.public()))
        else {
            return left("the key of its issuer is not in the file".to_owned());
        };
        // ECDSA keys sign here with the hash of their own size only.
        if key.sign(scheme, b"").is_none() {
            return left(
                "its issuer's key does not go with its signature algorithm here".to_owned(),
            );
        }
        let not_after = limit.map_or(self.target, |limit| limit.min(self.target));
        if not_after <= certificate.not_after {
            return left("its issuer expires no later".to_owned());
        }
        (Fate::Signed { key, not_after }, not_after)
    }

    fn left(&self, before: &Survey) -> Vec<Left> {
        let rows = self.inventory.certificates.iter().zip(&before.certificates);
        rows.enumerate()
            .filter_map(|(n, (certificate, found))| match self.fates.get(&n) {
                Some(Fate::Left(reason)) => Some(Left {
                    subject: certificate.subject.clone(),
                    issuer: certificate.issuer.clone(),
                    not_after: certificate.not_after,
                    needed: found.needed,
                    reason: reason.clone(),
                }),
                _ => None,
            })
            .collect()
    }
}
