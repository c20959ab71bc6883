//! The DNS records that a site needs, for three kinds of name server.
//!
//! ```text
//! api.CLUSTER.DOMAIN       A, AAAA   the machine: clients outside
//! api-int.CLUSTER.DOMAIN   A, AAAA   the machine: the node itself
//! *.apps.CLUSTER.DOMAIN    A, AAAA   the machine: every route
//! the host's own name      A, AAAA, PTR
//! ```
//!
//! The host's own name is its host name when that has dots; else it is below the cluster's domain, and a host that is called as its
//! cluster (the usual case) is that domain itself. Order: as above, IPv4 before IPv6 as the site has them. [`Format::Bind`] is master
//! file syntax (RFC 1035 section 5), to be put into existing zones: neither SOA nor NS. [`Format::Dnsmasq`] is dnsmasq.conf,
//! with `local=` so that a name server above is never asked. [`Format::Hosts`] is
//! hosts(5), which has no wildcards: it names [`ROUTES`] instead.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::Serialize;

use super::error::{Error, Field};
use super::{Cluster, Hostname, Site, address};

/// The routes that every Single Node OpenShift has, in front of `.apps.CLUSTER.DOMAIN`: console and login, the router's own check,
/// and monitoring (its Grafana until 4.10).
pub const ROUTES: [&str; 9] = [
    "console-openshift-console",
    "oauth-openshift",
    "downloads-openshift-console",
    "canary-openshift-ingress-canary",
    "alertmanager-main-openshift-monitoring",
    "grafana-openshift-monitoring",
    "prometheus-k8s-openshift-monitoring",
    "prometheus-k8s-federate-openshift-monitoring",
    "thanos-querier-openshift-monitoring",
];

/// What a name server is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Master file lines.
    Bind,
    /// Lines of dnsmasq.conf.
    Dnsmasq,
    /// Lines of /etc/hosts.
    Hosts,
}

/// A machine and what it is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    hostname: Option<Hostname>,
    cluster: Cluster,
    addresses: Vec<IpAddr>,
}

/// One record; names without the final dot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The name.
    pub name: String,
    /// `A`, `AAAA` or `PTR`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The address, or the name that it points to.
    pub value: String,
}

impl Names {
    /// Of a machine; `addresses` has one of each family at most.
    ///
    /// # Errors
    /// No address, or one that no machine can have.
    pub fn new(
        hostname: Option<Hostname>,
        cluster: Cluster,
        addresses: Vec<IpAddr>,
    ) -> Result<Self, Error> {
        if addresses.is_empty() {
            return Err(Error::Alone {
                field: Field::Cluster,
                needs: Field::Ip,
            });
        }
        super::request::distinct(Field::Ip, addresses.iter().copied())?;
        for address in &addresses {
            address::usable(Field::Ip, *address)?;
        }
        Ok(Self {
            hostname,
            cluster,
            addresses,
        })
    }

    /// Of a site; without a cluster or an address, the field that says so little.
    ///
    /// # Errors
    /// [`Field::Domain`] or [`Field::Ip`].
    pub fn of(site: &Site) -> Result<Self, Field> {
        let cluster = site.cluster.clone().ok_or(Field::Domain)?;
        let network = site.network.as_ref().ok_or(Field::Ip)?;
        let addresses = network.addresses().iter().map(super::Address::ip).collect();
        Ok(Self {
            hostname: site.hostname.clone(),
            cluster,
            addresses,
        })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The machine's addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The host's own name; none without a host name.
    pub fn host(&self) -> Option<String> {
        let host = self.hostname.as_ref()?.as_str().to_ascii_lowercase();
        if host.contains('.') {
            Some(host)
        } else if host == self.cluster.name() {
            Some(self.cluster.full())
        } else {
            Some(format!("{host}.{}", self.cluster.full()))
        }
    }

    /// `PREFIX.CLUSTER.DOMAIN`.
    pub fn below(&self, prefix: &str) -> String {
        format!("{prefix}.{}", self.cluster.full())
    }

    /// Every record, the wildcard as one.
    pub fn records(&self) -> Vec<Record> {
        let shared = ["api", "api-int", "*.apps"].map(|prefix| self.below(prefix));
        let mut records = Vec::new();
        for name in shared.into_iter().chain(self.host()) {
            records.extend(self.addresses.iter().map(|address| Record {
                name: name.clone(),
                kind: if address.is_ipv4() { "A" } else { "AAAA" },
                value: address.to_string(),
            }));
        }
        let host = self.host().into_iter();
        records.extend(host.flat_map(|host| {
            let pointer = move |address: &IpAddr| Record {
                name: reverse(*address),
                kind: "PTR",
                value: host.clone(),
            };
            self.addresses.iter().map(pointer)
        }));
        records
    }
}

/// The name that an address is looked up by: `45.86.168.192.in-addr.arpa`.
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let mut name = String::new();
            for octet in v6.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// Two of them that are one cluster: their records would answer for each other.
pub fn clash(sites: &[Names]) -> Option<(&Names, &Names)> {
    let earlier = |(n, site): (usize, &Names)| {
        let before = sites.iter().take(n);
        before.into_iter().find(|s| s.cluster == site.cluster)
    };
    let mut found = sites.iter().enumerate();
    found.find_map(|(n, site)| Some((earlier((n, site))?, site)))
}

/// All records of all sites; ends with a line break.
pub fn render(sites: &[Names], format: Format) -> String {
    match format {
        Format::Bind => bind(sites),
        Format::Dnsmasq => sites.iter().map(dnsmasq).collect(),
        Format::Hosts => {
            let note = "# A hosts file has no wildcards: *.apps is the routes that every cluster has; add those of your applications.\n";
            let lines: String = sites.iter().map(hosts).collect();
            format!("{note}{lines}")
        }
    }
}

/// Forward records relative to `$ORIGIN DOMAIN.`, then pointers with their whole names: those are of other zones.
fn bind(sites: &[Names]) -> String {
    let mut text = String::new();
    let mut pointers = String::new();
    let mut origin = None;
    for site in sites {
        let domain = site.cluster.domain();
        if origin != Some(domain) {
            let _ = writeln!(text, "$ORIGIN {domain}.");
            origin = Some(domain);
        }
        for record in site.records() {
            let Record { name, kind, value } = record;
            if kind == "PTR" {
                let _ = writeln!(pointers, "{name}.\tIN\tPTR\t{value}.");
                continue;
            }
            let inner = name.strip_suffix(domain).and_then(|n| n.strip_suffix('.'));
            let name = inner.map_or_else(|| format!("{name}."), str::to_owned);
            let _ = writeln!(text, "{name}\tIN\t{kind}\t{value}");
        }
    }
    if !pointers.is_empty() {
        let _ = writeln!(text, "; in the zones of the addresses:\n{pointers}");
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// `host-record` where there is no wildcard: with `address` dnsmasq 2.90 says NXDOMAIN of a name that has addresses of the other
/// family only, and some resolvers then take the name for absent. The first one of an address gives its PTR.
fn dnsmasq(site: &Names) -> String {
    let full = site.cluster.full();
    let addresses: Vec<String> = site.addresses.iter().map(ToString::to_string).collect();
    let mut text = format!("# {full}\nlocal=/{full}/\n");
    let shared = ["api", "api-int"].map(|prefix| site.below(prefix));
    for name in site.host().into_iter().chain(shared) {
        let _ = writeln!(text, "host-record={name},{}", addresses.join(","));
    }
    for address in &addresses {
        let _ = writeln!(text, "address=/apps.{full}/{address}");
    }
    text
}

fn hosts(site: &Names) -> String {
    let mut names: Vec<String> = site.host().into_iter().collect();
    names.extend(["api", "api-int"].map(|prefix| site.below(prefix)));
    let routes = ROUTES.map(|route| site.below(&format!("{route}.apps")));
    names.extend(routes);
    // glibc before 2.27 read 1024 bytes of a line; three names are at most 765.
    let mut text = String::new();
    for address in &site.addresses {
        for names in names.chunks(3) {
            let _ = writeln!(text, "{address} {}", names.join(" "));
        }
    }
    text
}
