//! Which certificates there are, and when the config is too old to use.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::key::PrivateKey;
use super::scan::Place;
use super::walk;
use super::x509::Certificate;
use crate::ignition::Config;

/// Every certificate in a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Each certificate once, in the order in which they come first.
    pub certificates: Vec<Found>,
    /// What calls itself a certificate and cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// One certificate and all its copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Subject, as `OU=openshift, CN=kubelet-signer`.
    pub subject: String,
    /// Issuer, written the same way.
    pub issuer: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Not valid before.
    #[serde(serialize_with = "rfc3339")]
    pub not_before: Timestamp,
    /// Not valid after.
    #[serde(serialize_with = "rfc3339")]
    pub not_after: Timestamp,
    /// Whether it may sign others (basic constraints).
    pub is_ca: bool,
    /// Subject key identifier, `AB:CD:…`.
    pub key_id: Option<String>,
    /// SHA-256 over the certificate, hexadecimal.
    pub sha256: String,
    /// Whether its own private key is in the file.
    pub has_key: bool,
    /// Whether the installation needs it: its key is in the file, or it stands above one whose key is.
    pub needed: bool,
    /// Where it stands, never empty.
    pub places: Vec<Place>,
}

impl Found {
    /// How long it still lives; negative when it has expired.
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        now.duration_until(self.not_after)
    }
}

/// A certificate that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub reason: String,
}

impl Survey {
    /// The certificate that ends the use of this config: of those the installation needs, the one that expires first. What
    /// came along with a trust bundle does not count.
    pub fn use_before(&self) -> Option<&Found> {
        let needed = self.certificates.iter().filter(|found| found.needed);
        needed.min_by_key(|found| found.not_after)
    }

    /// Whether the installation would meet an expired certificate; the moment of expiry itself is still good.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.use_before().is_some_and(|found| found.not_after < now)
    }
}

/// Lists every certificate in a config. No clock is asked: [`Found::left`] and [`Survey::expired`] take it.
pub fn survey(config: &Config) -> Survey {
    Inventory::take(config).survey()
}

/// Certificates and keys as the algorithms need them.
pub(super) struct Inventory {
    /// Each once.
    pub(super) certificates: Vec<Certificate>,
    places: Vec<Vec<Place>>,
    pub(super) keys: Vec<PrivateKey>,
    unreadable: Vec<Unreadable>,
}

impl Inventory {
    pub(super) fn take(config: &Config) -> Self {
        let mut inventory = Self {
            certificates: Vec::new(),
            places: Vec::new(),
            keys: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut known = BTreeMap::new();
        walk::look(config, &mut |place, label, der| {
            inventory.see(place, label, der, &mut known);
            None
        });
        inventory
    }

    fn see(
        &mut self,
        place: &Place,
        label: &str,
        der: Option<&[u8]>,
        known: &mut BTreeMap<Vec<u8>, usize>,
    ) {
        if label.ends_with("PRIVATE KEY") {
            let key = der.and_then(|der| PrivateKey::read(label, der));
            self.keys.extend(key.filter(|key| !self.has(key)));
            return;
        }
        let der = der.unwrap_or_default();
        if let Some(places) = known.get(der).and_then(|n| self.places.get_mut(*n)) {
            places.push(place.clone());
            return;
        }
        match Certificate::parse(der) {
            Ok(certificate) => {
                known.insert(der.to_vec(), self.certificates.len());
                self.certificates.push(certificate);
                self.places.push(vec![place.clone()]);
            }
            Err(reason) => self.unreadable.push(Unreadable {
                place: place.clone(),
                reason,
            }),
        }
    }

    fn has(&self, key: &PrivateKey) -> bool {
        self.keys.iter().any(|other| other.public() == key.public())
    }

    /// The issuers of a certificate that are in the file, itself left out.
    pub(super) fn issuers(&self, n: usize) -> Vec<usize> {
        let Some(child) = self.certificates.get(n) else {
            return Vec::new();
        };
        let others = self.certificates.iter().enumerate();
        others
            .filter(|(m, other)| *m != n && child.issued_by(other))
            .map(|(m, _)| m)
            .collect()
    }

    pub(super) fn survey(&self) -> Survey {
        let has_key: Vec<bool> = self
            .certificates
            .iter()
            .map(|c| self.keys.iter().any(|key| key.public() == c.public))
            .collect();
        let needed = self.needed(&has_key);
        let rows = self.certificates.iter().zip(&self.places);
        let flags = has_key.iter().zip(&needed);
        Survey {
            certificates: rows
                .zip(flags)
                .map(|((certificate, places), (has_key, needed))| Found {
                    subject: certificate.subject.clone(),
                    issuer: certificate.issuer.clone(),
                    serial: certificate.serial.clone(),
                    not_before: certificate.not_before,
                    not_after: certificate.not_after,
                    is_ca: certificate.is_ca,
                    key_id: certificate.key_id.clone(),
                    sha256: certificate.fingerprint(),
                    has_key: *has_key,
                    needed: *needed,
                    places: places.clone(),
                })
                .collect(),
            unreadable: self.unreadable.clone(),
        }
    }

    /// Of several issuers that all fit (a CA that was renewed), the one that lives longest counts: verification needs one.
    fn needed(&self, has_key: &[bool]) -> Vec<bool> {
        let mut needed = has_key.to_vec();
        let mut todo: Vec<usize> = (0..needed.len())
            .filter(|n| needed.get(*n) == Some(&true))
            .collect();
        while let Some(n) = todo.pop() {
            let not_after = |m: &usize| self.certificates.get(*m).map(|c| c.not_after);
            let above = self.issuers(n).into_iter().max_by_key(not_after);
            if let Some(m) = above
                && let Some(flag) = needed.get_mut(m)
                && !std::mem::replace(flag, true)
            {
                todo.push(m);
            }
        }
        needed
    }
}

/// Moments in JSON: `2026-11-21T00:00:00Z`.
pub(super) fn rfc3339<S: serde::Serializer>(
    moment: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}
