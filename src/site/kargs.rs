//! The network of a site as kernel arguments.
//!
//! Order: `rd.neednet=1`, what makes the interface (`ifname=`, `bond=`, `vlan=`), one `ip=` per address, `nameserver=` for those
//! beyond the two that `ip=` has room for, the site's own arguments.

use std::net::IpAddr;

use super::address::Address;
use super::network::{Link, Network};
use super::{Hostname, Site};

/// Name servers that one `ip=` argument holds.
const IN_IP: usize = 2;

/// The kernel arguments of a site, one each, in the order to append them.
pub fn kargs(site: &Site) -> Vec<String> {
    let mut kargs = Vec::new();
    if let Some(network) = &site.network {
        kargs.push("rd.neednet=1".to_owned());
        devices(network, &mut kargs);
        let (first, rest) = network
            .nameservers()
            .split_at_checked(IN_IP)
            .unwrap_or((network.nameservers(), &[]));
        let hostname = site.hostname.as_ref();
        for (n, address) in network.addresses().iter().enumerate() {
            let nameservers = if n == 0 { first } else { &[] };
            kargs.push(ip(network, address, hostname, nameservers));
        }
        kargs.extend(rest.iter().map(|a| format!("nameserver={}", literal(*a))));
    }
    kargs.extend(site.kargs.iter().cloned());
    kargs
}

fn devices(network: &Network, kargs: &mut Vec<String>) {
    match network.link() {
        Link::Named(_) => (),
        Link::Mac { mac, name } => kargs.push(format!("ifname={name}:{mac}")),
        Link::Bond(bond) => kargs.push(format!("bond={bond}")),
    }
    if let Some(vlan) = network.vlan() {
        kargs.push(format!("vlan={}:{}", vlan.name(), network.link().name()));
    }
}

/// `ip=IP::GW:NETMASK:HOST:IF:none[:DNS1[:DNS2]]`
fn ip(
    network: &Network,
    address: &Address,
    hostname: Option<&Hostname>,
    nameservers: &[IpAddr],
) -> String {
    let mut text = format!(
        "ip={}::{}:{}:{}:{}:none",
        literal(address.ip()),
        address.gateway().map(literal).unwrap_or_default(),
        address.netmask(),
        hostname.map_or("", Hostname::as_str),
        network.device()
    );
    for nameserver in nameservers {
        text.push(':');
        text.push_str(&literal(*nameserver));
    }
    text
}

/// An address as it stands between colons.
fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
