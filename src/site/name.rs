//! Names: of the machine, of a network interface, of a network card.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::error::Error;

/// The kernel's `HOST_NAME_MAX`; a longer `/etc/hostname` is ignored at boot.
const MAX_HOSTNAME: usize = 64;
/// RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;
/// `IFNAMSIZ` less the final NUL.
const MAX_INTERFACE: usize = 15;

/// A host name of RFC 1123: labels of letters, digits and inner hyphens, at most 64 characters in all. Never an address, and
/// never `localhost`, which OpenShift takes for "no name yet".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Hostname(String);

impl Hostname {
    /// Checks a name.
    ///
    /// # Errors
    /// It breaks one of the rules above.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Hostname {
            name: text.to_owned(),
            reason,
        };
        if let Some(reason) = dns_fault(text) {
            return Err(refuse(reason));
        }
        if text.len() > MAX_HOSTNAME {
            let reason = format!(
                "it has {} characters, Linux takes {MAX_HOSTNAME}",
                text.len()
            );
            return Err(refuse(reason));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(refuse("it is an address".to_owned()));
        }
        let first = text.split('.').next().unwrap_or_default();
        if first.eq_ignore_ascii_case("localhost") {
            return Err(refuse(
                "OpenShift takes `localhost` for a machine without a name".to_owned(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name of RFC 1123.
pub(super) fn dns_fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.len() > 253 {
        return Some("it has more than 253 characters".to_owned());
    }
    text.split('.').find_map(label_fault)
}

pub(super) fn label_fault(label: &str) -> Option<String> {
    let bad = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    if let Some(c) = bad {
        return Some(format!("{c:?} is no letter, digit or hyphen of RFC 1123"));
    }
    if label.is_empty() {
        return Some("it has an empty label".to_owned());
    }
    if label.len() > MAX_LABEL {
        return Some(format!("a label has more than {MAX_LABEL} characters"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Some(format!("the label `{label}` begins or ends with a hyphen"));
    }
    None
}

/// The name of a network interface: 1 to 15 letters, digits, `.`, `_` and `-`. The kernel takes more characters, but not
/// between the colons and commas of a kernel argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Interface(String);

impl Interface {
    /// Checks a name.
    ///
    /// # Errors
    /// It breaks one of the rules above, or it is one that the kernel or `NetworkManager` keeps for itself.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"._-".contains(*c));
        let reason = if text.is_empty() {
            "it is empty".to_owned()
        } else if let Some(c) = bad {
            format!("{c:?} cannot stand in an interface name")
        } else if text.len() > MAX_INTERFACE {
            format!(
                "it has {} characters, the kernel takes {MAX_INTERFACE}",
                text.len()
            )
        } else if matches!(text, "lo" | "all" | "default" | "." | "..") {
            "the system keeps this name for itself".to_owned()
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::Interface {
            name: text.to_owned(),
            reason,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the kernel's own names (`eth0`), which udev replaces at boot unless told not to.
    pub fn is_kernel_name(&self) -> bool {
        self.0
            .strip_prefix("eth")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hardware address of one Ethernet card. Displays in lower case with colons: dracut compares it as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Reads six octets in hexadecimal, with colons or hyphens.
    ///
    /// # Errors
    /// It is none, or one that no card can have: a group address or all zero.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Mac {
            text: text.to_owned(),
            reason,
        };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            let part = parts.next().filter(|p| p.len() == 2);
            let digits = part.filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()));
            *octet = digits
                .and_then(|p| u8::from_str_radix(p, 16).ok())
                .ok_or_else(|| refuse("it is not six octets as in 28:d2:44:d3:ef:1c"))?;
        }
        if parts.next().is_some() {
            return Err(refuse("it has more than six octets"));
        }
        if octets == [0; 6] {
            return Err(refuse("it is all zero"));
        }
        if octets.first().is_some_and(|first| first & 1 == 1) {
            return Err(refuse("it is a group address, no card has it"));
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, octet) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { ":" };
            write!(f, "{separator}{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
