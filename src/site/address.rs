//! Addresses in their subnets, and which of them a machine can have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::error::{Error, Field};

/// An address that a machine can have, in its subnet, with a gateway that it can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Address {
    ip: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
}

impl Address {
    /// Reads `ADDRESS/PREFIX` or `ADDRESS/NETMASK`; `netmask` stands in where the text has neither, and must agree where it
    /// has (it says nothing about an IPv6 address).
    ///
    /// # Errors
    /// No address, no netmask, or an address that no machine in that subnet can have.
    pub fn new(text: &str, netmask: Option<&str>) -> Result<Self, Error> {
        // dracut's own examples have the prefix inside the brackets.
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let text = inner.unwrap_or(text);
        let (host, own) = match text.split_once('/') {
            Some((host, mask)) => (host, Some(mask)),
            None => (text, None),
        };
        let ip = parse(Field::Ip, host)?;
        let netmask = netmask.filter(|_| ip.is_ipv4());
        let read = |field, mask: &str| {
            prefix(ip, mask).map_err(|reason| netmask_error(field, ip, mask, reason))
        };
        let prefix = match (own, netmask) {
            (None, None) => return Err(Error::NoPrefix(ip)),
            (None, Some(mask)) => read(Field::Netmask, mask)?,
            (Some(mask), None) => read(Field::Ip, mask)?,
            (Some(own), Some(mask)) => {
                let prefix = read(Field::Ip, own)?;
                if read(Field::Netmask, mask)? != prefix {
                    let reason = "the address says another one";
                    return Err(netmask_error(Field::Netmask, ip, mask, reason));
                }
                prefix
            }
        };
        let address = Self {
            ip,
            prefix,
            gateway: None,
        };
        usable(Field::Ip, ip)?;
        address.host_part().map_err(|reason| Error::Unusable {
            field: Field::Ip,
            address: ip,
            reason: format!("{reason} {}", address.subnet()),
        })?;
        Ok(address)
    }

    /// The same address with a gateway.
    ///
    /// # Errors
    /// The gateway is outside the subnet, is the machine itself, or is no host's address.
    pub fn via(mut self, gateway: IpAddr) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Unusable {
            field: Field::Gateway,
            address: gateway,
            reason,
        };
        // Routers announce themselves by link-local addresses: every subnet of IPv6 reaches them.
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !link_local {
            usable(Field::Gateway, gateway)?;
            let inside = Self {
                ip: gateway,
                ..self
            };
            if inside.network() != self.network() || gateway.is_ipv4() != self.ip.is_ipv4() {
                return Err(Error::GatewayOutside {
                    gateway,
                    subnet: self.subnet(),
                });
            }
            // The all-zero host part is a router's own anycast address in IPv6 (RFC 4291 section 2.6.1).
            if gateway.is_ipv4() {
                inside
                    .host_part()
                    .map_err(|reason| unusable(format!("{reason} {}", self.subnet())))?;
            }
        }
        if gateway == self.ip {
            return Err(unusable("is the machine's own address".to_owned()));
        }
        self.gateway = Some(gateway);
        Ok(self)
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The prefix length.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The gateway.
    pub fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// The netmask as the `ip=` argument has it: dotted for IPv4, a number for IPv6.
    pub fn netmask(&self) -> String {
        match self.ip {
            IpAddr::V4(_) => Ipv4Addr::from_bits(mask_v4(self.prefix)).to_string(),
            IpAddr::V6(_) => self.prefix.to_string(),
        }
    }

    /// The subnet, as in `192.168.86.0/24`.
    pub fn subnet(&self) -> String {
        format!("{}/{}", self.network(), self.prefix)
    }

    fn network(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(v4) => {
                Ipv4Addr::from_bits(v4.to_bits() & mask_v4(self.prefix.min(32))).into()
            }
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & mask_v6(self.prefix)).into(),
        }
    }

    /// Subnets of two addresses or one have no address to spare for the network itself (RFC 3021, RFC 6164).
    fn host_part(&self) -> Result<(), &'static str> {
        match self.ip {
            IpAddr::V4(_) if self.prefix >= 31 => Ok(()),
            IpAddr::V6(_) if self.prefix >= 127 => Ok(()),
            _ if self.network() == self.ip => Err("is the network address of"),
            IpAddr::V4(v4) if v4.to_bits() | mask_v4(self.prefix) == u32::MAX => {
                Err("is the broadcast address of")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

fn netmask_error(field: Field, address: IpAddr, text: &str, reason: &'static str) -> Error {
    Error::Netmask {
        field,
        address,
        text: text.to_owned(),
        reason,
    }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix.min(32)))
        .unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(prefix.min(128)))
        .unwrap_or(0)
}

/// Reads an address; brackets around IPv6 are as good as none.
pub(super) fn parse(field: Field, text: &str) -> Result<IpAddr, Error> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let parsed = match inner {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| Error::NoAddress {
        field,
        text: text.to_owned(),
    })
}

/// Refuses addresses that no machine, gateway or server has.
pub(super) fn usable(field: Field, address: IpAddr) -> Result<(), Error> {
    let reason = match address {
        _ if address.is_unspecified() => "stands for no address",
        _ if address.is_loopback() => "is a loopback address",
        _ if address.is_multicast() => "is a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V4(v4) if v4.octets().first() == Some(&0) => "is in 0.0.0.0/8, which no host has",
        IpAddr::V4(v4) if v4.octets().first().is_some_and(|b| *b >= 240) => {
            "is in the reserved range 240.0.0.0/4"
        }
        IpAddr::V4(v4) if v4.is_link_local() => "is a link-local address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "is a link-local address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "is an IPv4 address in IPv6 clothes",
        _ => return Ok(()),
    };
    Err(Error::Unusable {
        field,
        address,
        reason: reason.to_owned(),
    })
}

/// A prefix length from its number or, for IPv4, a dotted netmask.
fn prefix(ip: IpAddr, text: &str) -> Result<u8, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (longest, fault) = match ip {
        IpAddr::V4(_) => (32, "a prefix length of IPv4 is 1 to 32"),
        IpAddr::V6(_) => (128, "a prefix length of IPv6 is 1 to 128"),
    };
    if digits {
        return text
            .parse()
            .ok()
            .filter(|n| (1..=longest).contains(n))
            .ok_or(fault);
    }
    let mask: Ipv4Addr = match (ip, text.parse()) {
        (IpAddr::V4(_), Ok(mask)) => mask,
        _ => return Err("it is neither a prefix length nor a netmask"),
    };
    let bits = mask.to_bits();
    if bits == 0 || bits.leading_ones() + bits.trailing_zeros() != 32 {
        return Err("its bits are not ones followed by zeros");
    }
    u8::try_from(bits.leading_ones()).map_err(|_| fault)
}
