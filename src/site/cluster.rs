//! Name and base domain of the cluster that a machine becomes.
//!
//! A Single Node OpenShift machine is its whole cluster, so most sites say only one thing of it: the host name `bip-1` with the
//! shared domain `lab.example.com` is the cluster `bip-1.lab.example.com`, and so is the host name `bip-1.lab.example.com` alone.
//! Every rule is in [`Cluster::of`]. `openshift-install` takes what is accepted here: DNS-1123, lower case.

use serde::Serialize;

use super::error::{Error, Field};
use super::name::{Hostname, label_fault};

/// RFC 1035 section 2.3.4.
const MAX_NAME: usize = 253;
/// The longest name below a cluster's domain that a machine must resolve; routes add more.
const LONGEST: &str = "alertmanager-main-openshift-monitoring.apps..";

/// Name and base domain: the API is `api.NAME.DOMAIN`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cluster {
    name: String,
    domain: String,
}

impl Cluster {
    /// Checks both.
    ///
    /// # Errors
    /// The name is no label of lower-case letters, digits and inner hyphens, the domain is not made of those, or both together
    /// leave no room for the names of routes.
    pub fn new(name: &str, domain: &str) -> Result<Self, Error> {
        let refuse = |field: Field, reason: String| {
            let text = if field == Field::Cluster {
                name
            } else {
                domain
            };
            Error::Value {
                field,
                text: text.to_owned(),
                reason,
            }
        };
        if name.contains('.') {
            let reason = "it has a dot: name and domain are two fields".to_owned();
            return Err(refuse(Field::Cluster, reason));
        }
        lower_case(name).map_or(Ok(()), |why| Err(refuse(Field::Cluster, why)))?;
        let labels = domain.split('.').find_map(lower_case);
        labels.map_or(Ok(()), |why| Err(refuse(Field::Domain, why)))?;
        if LONGEST.len() + name.len() + domain.len() > MAX_NAME {
            let reason = format!("the names of routes below it would pass {MAX_NAME} characters");
            return Err(refuse(Field::Domain, reason));
        }
        Ok(Self {
            name: name.to_owned(),
            domain: domain.to_owned(),
        })
    }

    /// Of what a site says: name and domain; else the host name below the domain, or its first label; else a host name with dots,
    /// whose first label is the cluster's name.
    ///
    /// # Errors
    /// A name without a domain, a domain without a name, or one that is none.
    pub(super) fn of(
        name: Option<&str>,
        domain: Option<&str>,
        hostname: Option<&Hostname>,
    ) -> Result<Option<Self>, Error> {
        let alone = |field, needs| Err(Error::Alone { field, needs });
        // The node is called by the host name in lower case.
        let host = hostname.map(|h| h.as_str().to_ascii_lowercase());
        let dotted = host.as_deref().and_then(|h| h.split_once('.'));
        match (name, domain, host.as_deref()) {
            (Some(name), Some(domain), _) => Self::new(name, domain).map(Some),
            (None, Some(domain), Some(host)) => Self::new(below(host, domain), domain).map(Some),
            (Some(name), None, Some(host)) => match after(host, name) {
                Some(domain) => Self::new(name, domain).map(Some),
                None => alone(Field::Cluster, Field::Domain),
            },
            (Some(_), None, None) => alone(Field::Cluster, Field::Domain),
            (None, Some(_), None) => alone(Field::Domain, Field::Cluster),
            (None, None, _) => Ok(dotted.and_then(|(name, rest)| Self::new(name, rest).ok())),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The base domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `NAME.DOMAIN`.
    pub fn full(&self) -> String {
        format!("{}.{}", self.name, self.domain)
    }
}

/// `bip` of `bip.DOMAIN` and of `node.bip.DOMAIN`; else the first label.
fn below<'a>(host: &'a str, domain: &str) -> &'a str {
    let inner = host.strip_suffix(domain).and_then(|h| h.strip_suffix('.'));
    match inner {
        Some(inner) => inner.rsplit('.').next().unwrap_or(inner),
        None => host.split('.').next().unwrap_or(host),
    }
}

/// What follows the cluster's name in the host name, which it begins or comes second in.
fn after<'a>(host: &'a str, name: &str) -> Option<&'a str> {
    let (first, rest) = host.split_once('.')?;
    if first == name {
        return Some(rest);
    }
    rest.strip_prefix(name)?.strip_prefix('.')
}

fn lower_case(label: &str) -> Option<String> {
    let upper = label.chars().find(char::is_ascii_uppercase);
    let upper = upper.map(|c| format!("{c:?} is upper case, which the installer refuses"));
    upper.or_else(|| label_fault(label))
}
