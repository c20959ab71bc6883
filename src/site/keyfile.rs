//! The network of a site as `NetworkManager` connection profiles (nm-settings-keyfile(5)): one file per interface.
//!
//! In the live initrd they take the place of whatever `ip=` arguments say (`live-iso.md` section 3). They carry no host name.
//! A profile has no UUID: `NetworkManager` derives one from the file's name. IPv6 is disabled where no IPv6 address is given, and
//! the reverse.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::address::Address;
use super::name::Interface;
use super::network::{Bond, Link, Network};

/// One profile. `NetworkManager` ignores it unless only root can read it (mode 0600).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyfile {
    /// File name, `NAME.nmconnection`.
    pub name: String,
    /// The text.
    pub contents: String,
}

/// The profiles of a network, the lowest interface first.
pub fn keyfiles(network: &Network) -> Vec<Keyfile> {
    let mut files = Vec::new();
    let on_top = network.vlan().is_none();
    let addresses = addresses(network);
    let below = if on_top { &addresses } else { NO_ADDRESS };
    match network.link() {
        // The VLAN's profile names the card; NetworkManager needs no profile of the card itself.
        Link::Named(_) | Link::Mac { .. } if !on_top => (),
        Link::Named(name) => files.push(card(name, "", below)),
        Link::Mac { mac, name } => {
            let mac = format!("mac-address={mac}\n");
            files.push(card(name, &mac, below));
        }
        Link::Bond(bond) => bonded(bond, below, &mut files),
    }
    if let Some(vlan) = network.vlan() {
        let mut text = head(vlan.name(), "vlan", Some(vlan.name()));
        match network.link() {
            Link::Mac { mac, .. } => {
                let _ = write!(text, "\n[ethernet]\nmac-address={mac}\n");
                let _ = write!(text, "\n[vlan]\nflags=1\nid={}\n", vlan.id());
            }
            link => {
                let (id, parent) = (vlan.id(), link.name());
                let _ = write!(text, "\n[vlan]\nflags=1\nid={id}\nparent={parent}\n");
            }
        }
        text.push_str(&addresses);
        files.push(file(vlan.name(), text));
    }
    files
}

const NO_ADDRESS: &str = "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n";

fn file(name: &Interface, contents: String) -> Keyfile {
    Keyfile {
        name: format!("{name}.nmconnection"),
        contents,
    }
}

fn head(id: &Interface, kind: &str, interface: Option<&Interface>) -> String {
    let mut text = format!("[connection]\nid={id}\ntype={kind}\n");
    if let Some(interface) = interface {
        let _ = writeln!(text, "interface-name={interface}");
    }
    text
}

/// A card known by its MAC keeps the name that it has: without the `ifname=` argument nobody renames it.
fn card(name: &Interface, mac: &str, addresses: &str) -> Keyfile {
    let interface = mac.is_empty().then_some(name);
    let mut text = head(name, "ethernet", interface);
    let _ = write!(text, "\n[ethernet]\n{mac}");
    text.push_str(addresses);
    file(name, text)
}

fn bonded(bond: &Bond, addresses: &str, files: &mut Vec<Keyfile>) {
    for member in bond.members() {
        let mut text = head(member, "ethernet", Some(member));
        let _ = write!(text, "master={}\nslave-type=bond\n", bond.name());
        files.push(file(member, text));
    }
    let mut text = head(bond.name(), "bond", Some(bond.name()));
    if let Some(mtu) = bond.mtu() {
        let _ = write!(text, "\n[ethernet]\nmtu={mtu}\n");
    }
    text.push_str("\n[bond]\n");
    if !bond.options().iter().any(|(name, _)| name == "mode") {
        text.push_str("mode=balance-rr\n");
    }
    for (name, value) in bond.options() {
        let _ = writeln!(text, "{name}={value}");
    }
    text.push_str(addresses);
    files.push(file(bond.name(), text));
}

fn addresses(network: &Network) -> String {
    let mut text = String::new();
    for (section, wanted) in [("ipv4", true), ("ipv6", false)] {
        let own = |ip: IpAddr| ip.is_ipv4() == wanted;
        let address = network.addresses().iter().find(|a| own(a.ip()));
        let servers = network.nameservers().iter().filter(|a| own(**a));
        let servers: Vec<String> = servers.map(ToString::to_string).collect();
        text.push_str(&family(section, address, &servers));
    }
    text
}

fn family(section: &str, address: Option<&Address>, nameservers: &[String]) -> String {
    let Some(address) = address else {
        return format!("\n[{section}]\nmethod=disabled\n");
    };
    let mut text = format!("\n[{section}]\nmethod=manual\nmay-fail=false\naddress1={address}");
    if let Some(gateway) = address.gateway() {
        let _ = write!(text, ",{gateway}");
    }
    text.push('\n');
    if !nameservers.is_empty() {
        let _ = writeln!(text, "dns={};", nameservers.join(";"));
    }
    text
}
