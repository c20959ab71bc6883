//! `install-config.yaml` of a site: what `openshift-install create single-node-ignition-config` is given.
//!
//! Format: `InstallConfig` v1 of openshift/installer `pkg/types/installconfig.go`, as bootstrap in place needs it: one control plane
//! machine, no workers, platform `none`, `bootstrapInPlace.installationDisk`. What the installer's `pkg/types/validation` would refuse
//! and a site can get wrong is refused here, with the field that says it; a network of the machine inside the pods' or the
//! services' own is the one that costs an afternoon.
//!
//! The text holds the pull secret: it is a [`Rendered`], which shows nothing. [`Secrets::mask`] takes the same words out of what others
//! print about it.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::{Field, Site};
use crate::objects::{auth, yaml};

/// An IP network: address and prefix length, no bits behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    ip: IpAddr,
    prefix: u8,
}

impl std::str::FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is no network such as 10.128.0.0/14: {why}");
        let (ip, prefix) = text
            .split_once('/')
            .ok_or_else(|| wrong("it has no prefix length"))?;
        let ip: IpAddr = ip.parse().map_err(|_| wrong("it has no address"))?;
        let prefix: u8 = prefix
            .parse()
            .map_err(|_| wrong("the prefix length is no number"))?;
        let cidr = Self { ip, prefix };
        if u32::from(prefix) > cidr.width() {
            return Err(wrong("the prefix length is too large"));
        }
        if cidr.bits() & !cidr.mask() != 0 {
            return Err(wrong("it is the address of a host in it"));
        }
        Ok(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl Cidr {
    fn width(&self) -> u32 {
        if self.ip.is_ipv4() { 32 } else { 128 }
    }

    /// The address at the low end.
    fn bits(&self) -> u128 {
        match self.ip {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        }
    }

    fn mask(&self) -> u128 {
        let hosts = self.width().saturating_sub(u32::from(self.prefix));
        u128::MAX.checked_shl(hosts).unwrap_or(0)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let mask = self.mask() & other.mask();
        self.ip.is_ipv4() == other.ip.is_ipv4() && self.bits() & mask == other.bits() & mask
    }
}

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

/// Pull secret and SSH key; neither is ever shown.
#[derive(Clone)]
pub struct Secrets {
    pull_secret: String,
    ssh_key: String,
    /// What is taken out of others' output, longest first.
    words: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Shorter words are parts of others.
const SHORTEST: usize = 4;

impl Secrets {
    /// Checks both.
    ///
    /// # Errors
    /// The pull secret has no usable entry, or the key is no public key. Nothing of either is quoted.
    pub fn new(pull_secret: &[u8], ssh_key: &str) -> Result<Self, Error> {
        auth::keys(pull_secret, false).map_err(Error::PullSecret)?;
        let document: Value = serde_json::from_slice(pull_secret)
            .map_err(|_| Error::PullSecret("it is no JSON".to_owned()))?;
        let ssh_key = public_keys(ssh_key)?;
        let pull_secret = document.to_string();
        let mut words = vec![pull_secret.clone()];
        logins(&document, &mut words);
        for line in ssh_key.lines() {
            words.push(line.to_owned());
            words.extend(line.split_whitespace().nth(1).map(str::to_owned));
        }
        words.retain(|word| word.len() >= SHORTEST);
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Ok(Self {
            pull_secret,
            ssh_key,
            words,
        })
    }

    /// The text without anything of the secrets.
    pub fn mask(&self, text: &str) -> String {
        let hide = |text: String, word: &String| text.replace(word.as_str(), "(secret)");
        self.words.iter().fold(text.to_owned(), hide)
    }
}

/// What proves something in a credential document: entries' values, and the two halves of decoded logins. Also as a Go or JSON string
/// would quote them.
fn logins(document: &Value, words: &mut Vec<String>) {
    let auths = document.get("auths").and_then(Value::as_object);
    for (key, value) in auths
        .into_iter()
        .flatten()
        .filter_map(|(_, e)| e.as_object())
        .flatten()
    {
        let Some(text) = value.as_str().filter(|_| key != "email") else {
            continue;
        };
        words.push(text.to_owned());
        if key != "auth" {
            continue;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
        let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(login) = decoded else { continue };
        let password = login
            .split_once(':')
            .map(|(_, password)| password.to_owned());
        for word in std::iter::once(login.clone()).chain(password) {
            let quoted = Value::from(word.as_str()).to_string();
            words.push(quoted.trim_matches('"').to_owned());
            words.push(word);
        }
    }
}

/// One key per line, as `sshKey` takes them.
fn public_keys(text: &str) -> Result<String, Error> {
    if text.contains("PRIVATE KEY") {
        return Err(Error::SshKey("it is a private key"));
    }
    let lines = text.lines().map(str::trim);
    let keys: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let is_key = |line: &&str| {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
        let body = words.next().unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(body);
        // The body names its type itself, behind a length of four bytes (RFC 4253 section 6.6).
        let named =
            decoded.is_ok_and(|b| b.get(4..).is_some_and(|b| b.starts_with(kind.as_bytes())));
        known.iter().any(|k| kind.starts_with(k)) && named
    };
    match keys.as_slice() {
        [] => Err(Error::SshKey("it is empty")),
        keys if !keys.iter().all(is_key) => Err(Error::SshKey("a line of it is no public key")),
        keys => Ok(keys.join("\n")),
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

/// The three kinds, of the same families.
struct Networks {
    machine: Vec<Cidr>,
    cluster: Vec<Cidr>,
    service: Vec<Cidr>,
}

impl Networks {
    fn of(site: &Site, options: &Options, name: &str) -> Result<Self, Error> {
        let own = site.network.iter().flat_map(super::Network::addresses);
        let own = own.filter_map(|address| address.subnet().parse().ok());
        let machine = match options.machine_networks.as_slice() {
            [] => own.collect(),
            given => given.to_vec(),
        };
        if machine.is_empty() {
            return Err(Error::Missing {
                site: name.to_owned(),
                field: Field::Ip,
                hint: "with DHCP, say which network the machine is in: --machine-network 192.168.86.0/24",
            });
        }
        let networks = Self {
            cluster: inner(
                &machine,
                &options.cluster_networks,
                ["10.128.0.0/14", "fd01::/48"],
            ),
            service: inner(
                &machine,
                &options.service_networks,
                ["172.30.0.0/16", "fd02::/112"],
            ),
            machine,
        };
        networks.check(name).map(|()| networks)
    }

    fn check(&self, site: &str) -> Result<(), Error> {
        let families = |networks: &[Cidr]| {
            let count = |v4: bool| networks.iter().filter(|n| n.ip.is_ipv4() == v4).count();
            (count(true), count(false))
        };
        let wanted = match families(&self.machine) {
            (0, _) => ((0, 1), "IPv6"),
            (_, 0) => ((1, 0), "IPv4"),
            _ => ((1, 1), "IPv4 and one of IPv6"),
        };
        let inner = [
            ("cluster network", &self.cluster),
            ("service network", &self.service),
        ];
        for (what, networks) in inner {
            if families(networks) != wanted.0 {
                return Err(Error::Families {
                    site: site.to_owned(),
                    what,
                    families: wanted.1,
                });
            }
        }
        let named = [("machine network", &self.machine), inner[0], inner[1]];
        let all: Vec<_> = named
            .iter()
            .flat_map(|(what, networks)| networks.iter().map(|n| (*what, *n)))
            .collect();
        for (i, (first, one)) in all.iter().enumerate() {
            let later = all.iter().skip(i + 1);
            if let Some((second, other)) = later.clone().find(|(_, n)| n.overlaps(one)) {
                return Err(Error::Overlap {
                    site: site.to_owned(),
                    first,
                    one: *one,
                    second,
                    other: *other,
                });
            }
        }
        Ok(())
    }

    fn value(&self, network_type: &str) -> Value {
        let machine: Vec<Value> = self
            .machine
            .iter()
            .map(|n| json!({"cidr": n.to_string()}))
            .collect();
        // A node gets a /23 of the pods' addresses; for IPv6 the installer takes 64 alone.
        let host = |n: &Cidr| if n.ip.is_ipv4() { 23.max(n.prefix) } else { 64 };
        let cluster: Vec<Value> = self
            .cluster
            .iter()
            .map(|n| json!({"cidr": n.to_string(), "hostPrefix": host(n)}))
            .collect();
        let service: Vec<String> = self.service.iter().map(ToString::to_string).collect();
        json!({
            "clusterNetwork": cluster,
            "machineNetwork": machine,
            "networkType": network_type,
            "serviceNetwork": service,
        })
    }
}

/// What was given, else the installer's own of each family that the machine has.
fn inner(machine: &[Cidr], given: &[Cidr], defaults: [&str; 2]) -> Vec<Cidr> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let defaults = defaults.iter().filter_map(|text| text.parse().ok());
    let same = |d: &Cidr| machine.iter().any(|m| m.ip.is_ipv4() == d.ip.is_ipv4());
    defaults.filter(same).collect()
}

#[cfg(test)]
mod tests;
