//! `install-config.yaml` of a site: what `openshift-install create single-node-ignition-config` is given.
//!
//! Format: `InstallConfig` v1 of openshift/installer `pkg/types/installconfig.go`, as bootstrap in place needs it: one control plane
//! machine, no workers, platform `none`, `bootstrapInPlace.installationDisk`. What the installer's `pkg/types/validation` would refuse
//! and a site can get wrong is refused here, with the field that says it; a network of the machine inside the pods' or the
//! services' own is the one that costs an afternoon.
//!
//! The text holds the pull secret: it is a [`Rendered`], which shows nothing. [`Secrets::mask`] takes the same words out of what others
//! print about it.

mod networks;
mod secrets;

use std::fmt;

use serde_json::{Map, Value, json};

use super::{Field, Site};
use crate::objects::yaml;

pub use networks::Cidr;
use networks::Networks;
pub use secrets::Secrets;

/// What the sites of a job have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `OVNKubernetes`.
    pub network_type: String,
    /// Of machines without a static address; empty: that of the site's addresses.
    pub machine_networks: Vec<Cidr>,
    /// Of the pods; empty: the installer's own.
    pub cluster_networks: Vec<Cidr>,
    /// Of the services; empty: the installer's own.
    pub service_networks: Vec<Cidr>,
    /// `GOARCH` of the machines.
    pub architecture: String,
    /// Whether the cluster uses validated cryptography only.
    pub fips: bool,
    /// PEM certificates that the machines trust.
    pub trust_bundle: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            network_type: "OVNKubernetes".to_owned(),
            machine_networks: Vec::new(),
            cluster_networks: Vec::new(),
            service_networks: Vec::new(),
            architecture: "amd64".to_owned(),
            fips: false,
            trust_bundle: None,
        }
    }
}

/// Why a site cannot become a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The site does not say what is needed.
    #[error("{site}: `{}` is missing", .field.name())]
    Missing {
        /// The site, by its host name.
        site: String,
        /// The field.
        field: Field,
        /// What to do.
        hint: &'static str,
    },
    /// Two networks share addresses.
    #[error("{site}: the {first} {one} and the {second} {other} overlap")]
    Overlap {
        /// The site.
        site: String,
        /// What the first is: `machine network`.
        first: &'static str,
        /// The first.
        one: Cidr,
        /// What the second is.
        second: &'static str,
        /// The second.
        other: Cidr,
    },
    /// The networks of pods and services are not of the machine's families.
    #[error("{site}: the {what} must be one of {families}, as the machine's")]
    Families {
        /// The site.
        site: String,
        /// Which networks.
        what: &'static str,
        /// The families.
        families: &'static str,
    },
    /// The pull secret is none; nothing of it is quoted.
    #[error("the pull secret is not usable: {0}")]
    PullSecret(String),
    /// The SSH key is none; nothing of it is quoted.
    #[error("the SSH key is not usable: {0}")]
    SshKey(&'static str),
    /// The trust bundle is none.
    #[error("the trust bundle has no PEM certificate in it")]
    TrustBundle,
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { hint, .. } => Some(hint),
            Self::Overlap { .. } => Some(
                "move the inner ones: --cluster-network for pods (default 10.128.0.0/14), --service-network for services (default 172.30.0.0/16)",
            ),
            Self::Families { .. } => Some("give one network of each family, or none"),
            Self::PullSecret(_) => {
                Some("it is the JSON from console.redhat.com/openshift/install/pull-secret")
            }
            Self::SshKey(_) => Some("name the public half, ~/.ssh/id_ed25519.pub for one"),
            Self::TrustBundle => None,
        }
    }
}

/// An `install-config.yaml`, pull secret included: for the file that the installer reads, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered(String);

impl Rendered {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendered(…)")
    }
}

/// Writes the install config of a site.
///
/// # Errors
/// The site lacks something, or networks overlap.
pub fn render(site: &Site, options: &Options, secrets: &Secrets) -> Result<Rendered, Error> {
    let name = called(site);
    let missing = |field, hint| Error::Missing {
        site: name.clone(),
        field,
        hint,
    };
    let cluster = site.cluster.as_ref().ok_or_else(|| {
        missing(
            Field::Domain,
            "the API is api.CLUSTER.DOMAIN: give the base domain, and the cluster's name when it is not the hostname",
        )
    })?;
    let disk = site.installation_disk.as_ref().ok_or_else(|| {
        missing(
            Field::InstallationDisk,
            "name the disk that the machine is installed on, best by /dev/disk/by-id/…",
        )
    })?;
    let networks = Networks::of(site, options, &name)?;
    let architecture = &options.architecture;
    let pool = |name: &str, replicas: u8| json!({"architecture": architecture, "name": name, "replicas": replicas});
    let mut config = json!({
        "apiVersion": "v1",
        "baseDomain": cluster.domain(),
        "metadata": {"name": cluster.name()},
        "compute": [pool("worker", 0)],
        "controlPlane": pool("master", 1),
        "networking": networks.value(&options.network_type),
        "platform": {"none": {}},
        "bootstrapInPlace": {"installationDisk": disk},
    });
    if let Some(map) = config.as_object_mut() {
        more(map, options, secrets);
    }
    Ok(Rendered(yaml::document(&config)))
}

fn more(config: &mut Map<String, Value>, options: &Options, secrets: &Secrets) {
    if options.fips {
        config.insert("fips".to_owned(), true.into());
    }
    if let Some(bundle) = &options.trust_bundle {
        config.insert("additionalTrustBundle".to_owned(), json!(bundle));
        // Without a proxy the installer would leave the bundle out of the machine.
        config.insert("additionalTrustBundlePolicy".to_owned(), "Always".into());
    }
    config.insert("pullSecret".to_owned(), json!(secrets.pull_secret));
    config.insert("sshKey".to_owned(), json!(secrets.ssh_key));
}

/// A PEM bundle, looked at.
///
/// # Errors
/// It has no certificate.
pub fn trust_bundle(text: &str) -> Result<String, Error> {
    if text.contains("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY") {
        return Ok(text.to_owned());
    }
    Err(Error::TrustBundle)
}

/// The site in messages.
fn called(site: &Site) -> String {
    let cluster = || site.cluster.as_ref().map(super::Cluster::full);
    let hostname = site.hostname.as_ref().map(ToString::to_string);
    let name = hostname.or_else(cluster);
    name.map_or_else(|| "the site".to_owned(), |name| format!("site {name}"))
}

#[cfg(test)]
mod tests;
