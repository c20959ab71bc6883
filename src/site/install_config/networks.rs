//! Networks of the machine, its pods and its services: of the same families, and none within another.

use std::fmt;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Error, Options};
use crate::site::{Field, Site};

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

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let mask = self.mask() & other.mask();
        self.ip.is_ipv4() == other.ip.is_ipv4() && self.bits() & mask == other.bits() & mask
    }
}

/// The three kinds, of the same families.
pub(super) struct Networks {
    machine: Vec<Cidr>,
    cluster: Vec<Cidr>,
    service: Vec<Cidr>,
}

impl Networks {
    pub(super) fn of(site: &Site, options: &Options, name: &str) -> Result<Self, Error> {
        let own = site
            .network
            .iter()
            .flat_map(crate::site::Network::addresses);
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

    pub(super) fn value(&self, network_type: &str) -> Value {
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
