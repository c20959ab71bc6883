//! What carries the address: a card, a bond, a VLAN on either.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::address::Address;
use super::error::Error;
use super::name::{Interface, Mac};

/// The name that a card known by its address only is given.
const NAMED_BY_MAC: &str = "lan0";

/// A static network. One address, or one of each family; the first one is OpenShift's primary family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    pub(super) link: Link,
    pub(super) vlan: Option<Vlan>,
    pub(super) addresses: Vec<Address>,
    pub(super) nameservers: Vec<IpAddr>,
}

impl Network {
    /// The card or bond below.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The VLAN on it.
    pub fn vlan(&self) -> Option<&Vlan> {
        self.vlan.as_ref()
    }

    /// One address or two, of different families.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// In the order asked for.
    pub fn nameservers(&self) -> &[IpAddr] {
        &self.nameservers
    }

    /// The interface that has the address.
    pub fn device(&self) -> &Interface {
        match &self.vlan {
            Some(vlan) => vlan.name(),
            None => self.link.name(),
        }
    }
}

/// A card or a bond of cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// A card known by the name that the kernel gives it.
    Named(Interface),
    /// A card known by its hardware address, and the name to give it (`ifname=`).
    Mac {
        /// The address.
        mac: Mac,
        /// The name.
        name: Interface,
    },
    /// A bond.
    Bond(Bond),
}

impl Link {
    /// Reads `NAME`, `mac=MAC` or `NAME,mac=MAC`.
    ///
    /// # Errors
    /// No interface name, no hardware address, or a name that collides with the kernel's own.
    pub fn new(text: &str) -> Result<Self, Error> {
        let (name, mac) = match text.split_once("mac=") {
            Some(("", mac)) => (NAMED_BY_MAC, mac),
            Some((name, mac)) => (name.strip_suffix(',').unwrap_or(name), mac),
            None => return Interface::new(text).map(Self::Named),
        };
        let name = Interface::new(name)?;
        if name.is_kernel_name() {
            // dracut.cmdline(7) on `ifname=`: such a name may be that of another card by the time it is given.
            return Err(Error::Interface {
                name: name.to_string(),
                reason: "the kernel gives such names itself, to whichever card comes first".into(),
            });
        }
        let mac = Mac::new(mac)?;
        Ok(Self::Mac { mac, name })
    }

    /// The interface's name.
    pub fn name(&self) -> &Interface {
        match self {
            Self::Named(name) | Self::Mac { name, .. } => name,
            Self::Bond(bond) => bond.name(),
        }
    }

    /// The names that must be those of real cards.
    pub(super) fn cards(&self) -> &[Interface] {
        match self {
            Self::Named(name) => std::slice::from_ref(name),
            Self::Mac { .. } => &[],
            Self::Bond(bond) => bond.members(),
        }
    }
}

/// A VLAN interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vlan {
    id: u16,
    name: Interface,
}

impl Vlan {
    /// VLAN `text` on `parent`, named `parent.ID`, or `vlanID` where that would be too long: the two forms dracut knows.
    ///
    /// # Errors
    /// It is no number from 1 to 4094.
    pub fn new(text: &str, parent: &Interface) -> Result<Self, Error> {
        let refuse = || Error::Vlan(text.to_owned());
        let id: u16 = Some(text)
            .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|t| t.parse().ok())
            .filter(|id| (1..=4094).contains(id))
            .ok_or_else(refuse)?;
        let name = Interface::new(&format!("{parent}.{id}"))
            .or_else(|_| Interface::new(&format!("vlan{id}")))
            .map_err(|_| refuse())?;
        Ok(Self { id, name })
    }

    /// Its number.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Its interface.
    pub fn name(&self) -> &Interface {
        &self.name
    }
}

/// A bond, in the terms of dracut's `bond=NAME:MEMBERS[:OPTIONS[:MTU]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    name: Interface,
    members: Vec<Interface>,
    options: Vec<(String, String)>,
    mtu: Option<u16>,
}

/// Options of the bonding driver that `NetworkManager` takes, less those whose values have colons.
const OPTIONS: [&str; 23] = [
    "mode",
    "miimon",
    "updelay",
    "downdelay",
    "arp_interval",
    "arp_ip_target",
    "arp_validate",
    "arp_all_targets",
    "primary",
    "primary_reselect",
    "fail_over_mac",
    "use_carrier",
    "ad_select",
    "ad_actor_sys_prio",
    "ad_user_port_key",
    "xmit_hash_policy",
    "lacp_rate",
    "resend_igmp",
    "num_grat_arp",
    "num_unsol_na",
    "all_slaves_active",
    "min_links",
    "tlb_dynamic_lb",
];
const MODES: [&str; 7] = [
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
];

impl Bond {
    /// Reads `NAME:IF,IF[:OPTION=VALUE,…[:MTU]]`.
    ///
    /// # Errors
    /// It has another form, names an interface twice, or asks for an option, mode or MTU that there is not.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Bond {
            text: text.to_owned(),
            reason,
        };
        let mut parts = text.split(':');
        let mut next = || parts.next().unwrap_or_default();
        let (name, members, options, mtu) = (next(), next(), next(), next());
        if parts.next().is_some() {
            return Err(refuse("it has more than four parts".to_owned()));
        }
        let name = Interface::new(name)?;
        let mut taken = vec![name.clone()];
        for member in members.split(',').filter(|_| !members.is_empty()) {
            let member = Interface::new(member)?;
            if taken.contains(&member) {
                return Err(refuse(format!("`{member}` is named twice")));
            }
            taken.push(member);
        }
        let members = taken.split_off(1);
        if members.is_empty() {
            return Err(refuse("it names no interfaces".to_owned()));
        }
        let options = bond_options(options, &members).map_err(&refuse)?;
        let mtu = Some(mtu)
            .filter(|mtu| !mtu.is_empty())
            .map(|mtu| bond_mtu(mtu).ok_or_else(|| refuse(format!("`{mtu}` is no MTU"))))
            .transpose()?;
        Ok(Self {
            name,
            members,
            options,
            mtu,
        })
    }

    /// Its interface.
    pub fn name(&self) -> &Interface {
        &self.name
    }

    /// The cards in it, at least one.
    pub fn members(&self) -> &[Interface] {
        &self.members
    }

    /// Options of the bonding driver, in the order asked for.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }

    /// MTU of the bond.
    pub fn mtu(&self) -> Option<u16> {
        self.mtu
    }
}

fn bond_options(text: &str, members: &[Interface]) -> Result<Vec<(String, String)>, String> {
    let mut options: Vec<(String, String)> = Vec::new();
    for option in text.split(',').filter(|_| !text.is_empty()) {
        let (name, value) = option
            .split_once('=')
            .ok_or_else(|| format!("`{option}` is no OPTION=VALUE"))?;
        if !OPTIONS.contains(&name) {
            return Err(format!("the bonding driver has no option `{name}`"));
        }
        if options.iter().any(|(earlier, _)| earlier == name) {
            return Err(format!("`{name}` is given twice"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if value.is_empty() || !value.chars().all(plain) {
            // A `;` would separate two arp_ip_target; GRUB takes it for the end of the command.
            return Err(format!(
                "`{value}` is no value of `{name}` that a boot loader leaves alone"
            ));
        }
        let number = value.parse::<usize>().is_ok_and(|n| n < MODES.len());
        if name == "mode" && !number && !MODES.contains(&value) {
            return Err(format!("there is no mode `{value}`"));
        }
        if name == "primary" && !members.iter().any(|m| m.as_str() == value) {
            return Err(format!("its primary `{value}` is not in it"));
        }
        options.push((name.to_owned(), value.to_owned()));
    }
    Ok(options)
}

/// 68 is the least that IPv4 allows (RFC 791).
fn bond_mtu(text: &str) -> Option<u16> {
    Some(text)
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|t| t.parse().ok())
        .filter(|mtu| *mtu >= 68)
}

impl fmt::Display for Bond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<&str> = self.members.iter().map(Interface::as_str).collect();
        write!(f, "{}:{}", self.name, members.join(","))?;
        let options: Vec<String> = self
            .options
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        match (options.is_empty(), self.mtu) {
            (true, None) => Ok(()),
            (false, None) => write!(f, ":{}", options.join(",")),
            (_, Some(mtu)) => write!(f, ":{}:{mtu}", options.join(",")),
        }
    }
}

impl Serialize for Bond {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
