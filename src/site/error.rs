//! What is wrong with a site, and which field says it.

use std::net::IpAddr;

/// One thing asked for; the same word is the flag (`--installation-disk`), the key in a list and the CSV column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `hostname`
    Hostname,
    /// `cluster`
    Cluster,
    /// `domain`
    Domain,
    /// `interface`
    Interface,
    /// `ip`
    Ip,
    /// `netmask`
    Netmask,
    /// `gateway`
    Gateway,
    /// `nameserver`
    Nameserver,
    /// `ntp`
    Ntp,
    /// `vlan`
    Vlan,
    /// `bond`
    Bond,
    /// `karg`
    Karg,
    /// `installation-disk`
    InstallationDisk,
    /// `label`
    Label,
    /// `ignition`
    Ignition,
}

impl Field {
    /// All of them, in the order of the help text.
    pub const ALL: [Self; 15] = [
        Self::Hostname,
        Self::Cluster,
        Self::Domain,
        Self::Interface,
        Self::Ip,
        Self::Netmask,
        Self::Gateway,
        Self::Nameserver,
        Self::Ntp,
        Self::Vlan,
        Self::Bond,
        Self::Karg,
        Self::InstallationDisk,
        Self::Label,
        Self::Ignition,
    ];

    /// Whether it takes several values.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Self::Ip | Self::Gateway | Self::Nameserver | Self::Ntp | Self::Karg
        )
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Cluster => "cluster",
            Self::Domain => "domain",
            Self::Interface => "interface",
            Self::Ip => "ip",
            Self::Netmask => "netmask",
            Self::Gateway => "gateway",
            Self::Nameserver => "nameserver",
            Self::Ntp => "ntp",
            Self::Vlan => "vlan",
            Self::Bond => "bond",
            Self::Karg => "karg",
            Self::InstallationDisk => "installation-disk",
            Self::Label => "label",
            Self::Ignition => "ignition",
        }
    }
}

/// Why a machine cannot be set up as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No host name.
    #[error("`{name}` is no hostname: {reason}")]
    Hostname {
        /// The text.
        name: String,
        /// The rule it breaks.
        reason: String,
    },
    /// No interface name.
    #[error("`{name}` is no interface name: {reason}")]
    Interface {
        /// The text.
        name: String,
        /// The rule it breaks.
        reason: String,
    },
    /// No hardware address.
    #[error("`{text}` is no MAC address: {reason}")]
    Mac {
        /// The text.
        text: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Not an address at all.
    #[error("{} `{text}` is no address", field.name())]
    NoAddress {
        /// Where it was asked for.
        field: Field,
        /// The text.
        text: String,
    },
    /// An address that no machine, gateway or server can have.
    #[error("{} {address} {reason}", field.name())]
    Unusable {
        /// Where it was asked for.
        field: Field,
        /// The address.
        address: IpAddr,
        /// What it is.
        reason: String,
    },
    /// An address without a prefix.
    #[error("ip {0} has no prefix length")]
    NoPrefix(IpAddr),
    /// A prefix length or netmask that is none.
    #[error("`{text}` is no netmask for {address}: {reason}")]
    Netmask {
        /// Where it was asked for: `ip` or `netmask`.
        field: Field,
        /// The address it belongs to.
        address: IpAddr,
        /// The text.
        text: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A gateway that the machine cannot reach.
    #[error("gateway {gateway} is outside the subnet {subnet}")]
    GatewayOutside {
        /// The gateway.
        gateway: IpAddr,
        /// The subnet of the machine.
        subnet: String,
    },
    /// A second address or gateway of one family.
    #[error("{} {address} is the second of its family", field.name())]
    Second {
        /// Where it was asked for.
        field: Field,
        /// The second one.
        address: IpAddr,
    },
    /// A gateway or name server of a family the machine has no address of.
    #[error("{} {address} has no ip of its family", field.name())]
    OtherFamily {
        /// Where it was asked for.
        field: Field,
        /// The address that cannot be reached.
        address: IpAddr,
    },
    /// A value that only means something together with another.
    #[error("{} is given, {} is not", field.name(), needs.name())]
    Alone {
        /// What is given.
        field: Field,
        /// What it needs.
        needs: Field,
    },
    /// Two values that exclude each other.
    #[error("{} and {} exclude each other", field.name(), other.name())]
    Both {
        /// One.
        field: Field,
        /// The other.
        other: Field,
    },
    /// A VLAN that is none.
    #[error("`{0}` is no VLAN number from 1 to 4094")]
    Vlan(String),
    /// A bond that is none.
    #[error("`{text}` is no bond: {reason}")]
    Bond {
        /// The text.
        text: String,
        /// The rule it breaks.
        reason: String,
    },
    /// Any other value that cannot be meant.
    #[error("`{text}` is no {}: {reason}", field.name())]
    Value {
        /// Where it was asked for.
        field: Field,
        /// The text.
        text: String,
        /// The rule it breaks.
        reason: String,
    },
}

impl Error {
    /// Which field says it.
    pub fn field(&self) -> Field {
        match self {
            Self::Hostname { .. } => Field::Hostname,
            Self::Interface { .. } | Self::Mac { .. } => Field::Interface,
            Self::NoPrefix(_) => Field::Ip,
            Self::GatewayOutside { .. } => Field::Gateway,
            Self::Vlan(_) => Field::Vlan,
            Self::Bond { .. } => Field::Bond,
            Self::NoAddress { field, .. }
            | Self::Unusable { field, .. }
            | Self::Netmask { field, .. }
            | Self::Second { field, .. }
            | Self::OtherFamily { field, .. }
            | Self::Alone { field, .. }
            | Self::Both { field, .. }
            | Self::Value { field, .. } => *field,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Hostname { .. } => {
                "a name is letters, digits and hyphens, as in bip or bip-01.site.example.com"
            }
            Self::Interface { .. } => {
                "`ip -br link` on the machine tells its names; mac=28:d2:44:d3:ef:1c names a card without knowing them"
            }
            Self::NoAddress {
                field: Field::Ip, ..
            } => "write 192.168.86.45/24 or fd00::45/64",
            Self::NoPrefix(IpAddr::V4(_)) => {
                "add the prefix length, as in 192.168.86.45/24, or a netmask"
            }
            Self::NoPrefix(IpAddr::V6(_)) => "add the prefix length, as in fd00::45/64",
            Self::Netmask { .. } => {
                "write a prefix length such as 24 or a netmask such as 255.255.255.0"
            }
            Self::GatewayOutside { .. } => "check the prefix length of the address and the gateway",
            Self::Second {
                field: Field::Ip, ..
            } => "give at most one IPv4 and one IPv6 address",
            Self::Second { .. } => "give at most one gateway per family",
            Self::Alone {
                needs: Field::Interface,
                ..
            } => {
                "name the card: `ip -br link` on the machine tells, or write mac=28:d2:44:d3:ef:1c"
            }
            Self::Alone {
                needs: Field::Domain | Field::Cluster,
                ..
            } => "the API is api.CLUSTER.DOMAIN: give both, or a hostname of that form",
            Self::Alone {
                needs: Field::Ip, ..
            } => "give the address too, or leave the network to DHCP",
            Self::Both {
                field: Field::Interface,
                ..
            } => "the bond names its interfaces itself, as in bond0:eno1,eno2",
            Self::Bond { .. } => {
                "write NAME:IF,IF[:OPTION=VALUE,…[:MTU]], as in bond0:eno1,eno2:mode=active-backup,miimon=100"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
