//! Values that land in manifests and in scripts that root runs on the node: each type holds only what is harmless there.
//!
//! Rules: `seed-image.md` section 1.1 (the field's script validates nothing) and 2.1. A DNS name has no `"`, `$`, backslash,
//! backquote or newline, so nothing needs quoting.

use std::fmt;
use std::net::IpAddr;

use super::error::Error;
use crate::objects::names::{MAX_NAME, dns_label_fault};
pub use crate::objects::names::{dns_label, object_name, pull_spec};
use crate::oci::Reference;

/// Name and base domain of a cluster: a DNS-1123 label and a subdomain, with `api-int.NAME.DOMAIN` at most 253 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    name: String,
    domain: String,
}

impl Cluster {
    /// Checks both.
    ///
    /// # Errors
    /// One of them breaks a rule above.
    pub fn new(name: &str, domain: &str) -> Result<Self, Error> {
        dns_label("name", name)?;
        if domain.is_empty() {
            return Err(Error::value("domain", domain, "it is empty"));
        }
        for part in domain.split('.') {
            dns_label_fault(part).map_or(Ok(()), |why| Err(Error::value("domain", domain, why)))?;
        }
        let longest = "api-int..".len() + name.len() + domain.len();
        if longest > MAX_NAME {
            let reason =
                format!("api-int.{name}.DOMAIN has {longest} characters, DNS takes {MAX_NAME}");
            return Err(Error::value("domain", domain, reason));
        }
        Ok(Self {
            name: name.to_owned(),
            domain: domain.to_owned(),
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The base domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// The node's address.
///
/// # Errors
/// It is none, or one that no node can have.
pub fn node_ip(text: &str) -> Result<IpAddr, Error> {
    let refuse = |reason: &str| Error::value("ip", text, reason);
    let ip: IpAddr = text.parse().map_err(|_| refuse("it is no IP address"))?;
    if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
        return Err(refuse("no node can have this address"));
    }
    Ok(ip)
}

/// A ZTP deploy wave, 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wave(u8);

impl Wave {
    /// Reads a whole number from 1 to 100. No sign, no leading zero: the field's script took `010` for 8.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &str) -> Result<Self, Error> {
        let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|n| (1..=100).contains(n) && plain);
        number
            .map(Self)
            .ok_or_else(|| Error::value("wave", text, "it is outside 1 to 100"))
    }
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the seed image is pushed: registry, repository and tag, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedImage(Reference);

impl SeedImage {
    /// Checks a pull spec more strictly than the CRD's pattern does: podman can push to no digest, and a scheme is no part of a
    /// pull spec.
    ///
    /// # Errors
    /// No registry, no tag, a digest, a scheme, or no reference at all.
    pub fn new(text: &str) -> Result<Self, Error> {
        const FIELD: &str = "seed-image";
        let refuse = |reason: &str| Error::value(FIELD, text, reason);
        let reference = pull_spec(FIELD, text)?;
        if reference.digest().is_some() {
            return Err(refuse("it has a digest, nothing can be pushed to one"));
        }
        if reference.tag().is_none() {
            return Err(refuse("it has no tag"));
        }
        Ok(Self(reference))
    }

    /// The reference.
    pub fn reference(&self) -> &Reference {
        &self.0
    }
}

impl fmt::Display for SeedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters() {
        let cluster = Cluster::new("mysno", "sno.cluster-domain.com").unwrap();
        assert_eq!(
            (cluster.name(), cluster.domain()),
            ("mysno", "sno.cluster-domain.com")
        );
        for name in [
            "",
            "My",
            "a.b",
            "a_b",
            "-a",
            "a-",
            "a b",
            "a\"",
            "$(id)",
            "a\n",
            &"a".repeat(64),
        ] {
            assert!(Cluster::new(name, "x.y").is_err(), "{name:?}");
        }
        for domain in ["", ".", "a.", "a..b", "A.b", "a.b`id`", "*.a", "a/b"] {
            assert!(Cluster::new("a", domain).is_err(), "{domain:?}");
        }
        let long = vec!["a".repeat(60); 4].join(".");
        assert!(Cluster::new("a", &long).is_err() == (long.len() + 10 > 253));
        assert!(Cluster::new("abcdefgh", &long).is_err());
    }

    #[test]
    fn addresses_and_waves() {
        for ip in ["10.20.30.5", "fd00::5", "2001:db8::10"] {
            assert!(node_ip(ip).is_ok(), "{ip}");
        }
        for ip in [
            "",
            "10.20.30",
            "10.20.30.256",
            "010.1.1.1",
            "::",
            "0.0.0.0",
            "127.0.0.1",
            "ff02::1",
            "10.0.0.1/24",
            "host",
        ] {
            assert!(node_ip(ip).is_err(), "{ip}");
        }
        assert_eq!(Wave::new("100").unwrap().to_string(), "100");
        for wave in [
            "", "0", "101", "-1", "+1", "010", "08", "1+1", "abc", "1.0", "256",
        ] {
            assert!(Wave::new(wave).is_err(), "{wave}");
        }
    }

    #[test]
    fn seed_images() {
        for good in [
            "quay.io/a/b:4.18.27",
            "infra.lab:8443/sno1/seed:t",
            "localhost/a:b",
        ] {
            assert_eq!(SeedImage::new(good).unwrap().to_string(), good);
        }
        let digest = format!("quay.io/a/b@sha256:{:064}", 1);
        let both = format!("quay.io/a/b:t@sha256:{:064}", 1);
        for bad in [
            "",
            "seed:t",
            "a/b:t",
            "quay.io/a/b",
            "docker://quay.io/a/b:t",
            "https://quay.io/a/b:t",
            "quay.io/A/b:t",
            "quay.io/a b:t",
            &digest,
            &both,
        ] {
            assert!(SeedImage::new(bad).is_err(), "{bad}");
        }
    }
}
