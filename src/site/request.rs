//! What is asked for, as text, and the way from there to a [`Site`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::address::{self, Address};
use super::cluster::Cluster;
use super::error::{Error, Field};
use super::name::{Hostname, dns_fault};
use super::network::{Bond, Link, Network, Vlan};
use super::{Site, lint};

/// Values by field: the flags of one command, or one row of a list. Nothing is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request(BTreeMap<Field, Vec<String>>);

/// A site, and what its author should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The site.
    pub site: Site,
    /// One sentence each, with the field it is about.
    pub warnings: Vec<(Field, String)>,
}

impl Request {
    /// The same request with values for a field; no values leave it as it is.
    #[must_use]
    pub fn with<T: Into<String>>(
        mut self,
        field: Field,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if !values.is_empty() {
            self.0.insert(field, values);
        }
        self
    }

    /// Sets a field; an empty list asks for nothing, whatever the base says.
    pub(super) fn set(&mut self, field: Field, values: Vec<String>) {
        self.0.insert(field, values);
    }

    /// The values of a field.
    pub fn get(&self, field: Field) -> &[String] {
        self.0.get(&field).map_or(&[], Vec::as_slice)
    }

    /// This request, and what `base` says about fields that it leaves open. A bond takes the place of an interface, and the
    /// reverse.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let replaced = |field: &Field| match field {
            Field::Interface => self.0.contains_key(&Field::Bond),
            Field::Bond => self.0.contains_key(&Field::Interface),
            _ => false,
        };
        let mut values = base.0.clone();
        values.retain(|field, _| !replaced(field));
        values.extend(self.0.clone());
        Self(values)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// All that is wrong, in the order of [`Field`]; never empty.
    pub fn resolve(&self) -> Result<Resolved, Vec<Error>> {
        let mut errors = Vec::new();
        let mut faults = Faults(&mut errors);
        let hostname = faults.keep(self.one(Field::Hostname, Hostname::new));
        let hostname = hostname.flatten();
        let cluster = self.cluster(hostname.as_ref(), &mut faults);
        let network = self.network(&mut faults);
        let site = Site {
            hostname,
            cluster,
            network,
            ntp: faults.all(self.get(Field::Ntp), server),
            kargs: faults.all(self.get(Field::Karg), words).concat(),
            installation_disk: faults
                .keep(self.one(Field::InstallationDisk, disk))
                .flatten(),
            label: faults.keep(self.one(Field::Label, label)).flatten(),
            ignition: faults.keep(self.one(Field::Ignition, path)).flatten(),
        };
        if errors.is_empty() {
            let warnings = lint::site(&site);
            return Ok(Resolved { site, warnings });
        }
        errors.sort_by_key(Error::field);
        Err(errors)
    }

    fn cluster(&self, hostname: Option<&Hostname>, faults: &mut Faults<'_>) -> Option<Cluster> {
        let text = |text: &str| Ok(text.to_owned());
        let name = faults.keep(self.one(Field::Cluster, text))?;
        let domain = faults.keep(self.one(Field::Domain, text))?;
        if hostname.is_none() && !self.get(Field::Hostname).is_empty() {
            // A wrong host name is told already.
            return None;
        }
        let cluster = Cluster::of(name.as_deref(), domain.as_deref(), hostname);
        faults.keep(cluster).flatten()
    }

    /// The only value of a field, read.
    fn one<T>(
        &self,
        field: Field,
        read: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.get(field) {
            [] => Ok(None),
            [text] => read(text).map(Some),
            [_, second, ..] => Err(value(field, second, "one value was given already")),
        }
    }

    fn network(&self, faults: &mut Faults<'_>) -> Option<Network> {
        if self.get(Field::Ip).is_empty() {
            return self.no_network(faults);
        }
        let link = faults.keep(self.link());
        let (addresses, nameservers) = self.addresses(faults);
        let Some(link) = link? else {
            faults.push(Error::Alone {
                field: Field::Ip,
                needs: Field::Interface,
            });
            return None;
        };
        let vlan = faults.keep(self.one(Field::Vlan, |text| Vlan::new(text, link.name())))?;
        Some(Network {
            link,
            vlan,
            addresses,
            nameservers,
        })
    }

    /// Without an address there is nothing to say about the network; the first field that says something is told.
    fn no_network(&self, faults: &mut Faults<'_>) -> Option<Network> {
        let needing = [
            Field::Interface,
            Field::Bond,
            Field::Netmask,
            Field::Gateway,
            Field::Nameserver,
            Field::Vlan,
        ];
        let field = needing.into_iter().find(|f| !self.get(*f).is_empty())?;
        let needs = Field::Ip;
        faults.push(Error::Alone { field, needs });
        None
    }

    /// Addresses with their gateways, and name servers; not all of them when something was wrong.
    fn addresses(&self, faults: &mut Faults<'_>) -> (Vec<Address>, Vec<IpAddr>) {
        let netmask = faults.keep(self.one(Field::Netmask, |text| Ok(text.to_owned())));
        let netmask = netmask.flatten();
        let mut addresses = faults.all(self.get(Field::Ip), |text| {
            Address::new(text, netmask.as_deref())
        });
        let gateways = faults.all(self.get(Field::Gateway), |text| {
            address::parse(Field::Gateway, text)
        });
        let nameservers = faults.all(self.get(Field::Nameserver), |text| {
            let address = address::parse(Field::Nameserver, text)?;
            address::usable(Field::Nameserver, address).map(|()| address)
        });
        // A wrong address would make its gateway wrong too.
        if addresses.len() == self.get(Field::Ip).len() {
            faults.keep(distinct(Field::Ip, addresses.iter().map(Address::ip)));
            faults.keep(distinct(Field::Gateway, gateways.iter().copied()));
            for gateway in gateways {
                faults.keep(attach(&mut addresses, gateway));
            }
            for nameserver in &nameservers {
                faults.keep(reachable(&addresses, *nameserver));
            }
        }
        (addresses, nameservers)
    }

    fn link(&self) -> Result<Option<Link>, Error> {
        let card = self.one(Field::Interface, Link::new)?;
        let bond = self.one(Field::Bond, |text| Bond::new(text).map(Link::Bond))?;
        if card.is_some() && bond.is_some() {
            return Err(Error::Both {
                field: Field::Interface,
                other: Field::Bond,
            });
        }
        Ok(card.or(bond))
    }
}

/// Collects what is wrong, so that all of it can be told at once.
struct Faults<'a>(&'a mut Vec<Error>);

impl Faults<'_> {
    fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    fn keep<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    fn all<T>(&mut self, texts: &[String], read: impl Fn(&str) -> Result<T, Error>) -> Vec<T> {
        texts
            .iter()
            .filter_map(|text| self.keep(read(text)))
            .collect()
    }
}

/// Gives a gateway to the address of its family.
fn attach(addresses: &mut [Address], gateway: IpAddr) -> Result<(), Error> {
    let address = addresses
        .iter_mut()
        .find(|a| a.ip().is_ipv4() == gateway.is_ipv4())
        .ok_or(Error::OtherFamily {
            field: Field::Gateway,
            address: gateway,
        })?;
    *address = address.via(gateway)?;
    Ok(())
}

/// A machine without an address of that family has no way there.
fn reachable(addresses: &[Address], nameserver: IpAddr) -> Result<(), Error> {
    let same = |a: &Address| a.ip().is_ipv4() == nameserver.is_ipv4();
    if addresses.iter().any(same) {
        return Ok(());
    }
    Err(Error::OtherFamily {
        field: Field::Nameserver,
        address: nameserver,
    })
}

/// At most one of each family.
fn distinct(field: Field, addresses: impl Iterator<Item = IpAddr>) -> Result<(), Error> {
    let mut seen = [false, false];
    for address in addresses {
        let [v4, v6] = &mut seen;
        let family = if address.is_ipv4() { v4 } else { v6 };
        if std::mem::replace(family, true) {
            return Err(Error::Second { field, address });
        }
    }
    Ok(())
}

fn value(field: Field, text: &str, reason: impl Into<String>) -> Error {
    Error::Value {
        field,
        text: text.to_owned(),
        reason: reason.into(),
    }
}

/// A time server: a name or an address.
fn server(text: &str) -> Result<String, Error> {
    match text.parse::<IpAddr>() {
        Ok(address) => address::usable(Field::Ntp, address)?,
        Err(_) => {
            if let Some(reason) = dns_fault(text) {
                return Err(value(Field::Ntp, text, reason));
            }
        }
    }
    Ok(text.to_owned())
}

/// Kernel arguments: several in one text are common in the field, a quoted one may have blanks.
fn words(text: &str) -> Result<Vec<String>, Error> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        // The boot loader ends the command there, and everything after it is lost.
        let reason = "it has a line break or another control character";
        return Err(value(Field::Karg, &text.escape_debug().to_string(), reason));
    }
    if text.contains(['"', '\'']) {
        return Ok(vec![text.trim().to_owned()]);
    }
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// A disk, as the installer's `installationDisk` has it.
fn disk(text: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._:+-@".contains(c);
    let path = text.strip_prefix("/dev/").unwrap_or_default();
    let reason = if path.is_empty() || path.ends_with('/') {
        "it is no path below /dev"
    } else if !text.chars().all(plain) {
        "it has characters that no device path has"
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "its path is not plain"
    } else {
        return Ok(text.to_owned());
    };
    Err(value(Field::InstallationDisk, text, reason))
}

/// A GPT partition label has 36 UTF-16 units; udev escapes what is not plain in `/dev/disk/by-partlabel`.
fn label(text: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > 36 {
        "a partition label has at most 36 characters"
    } else if !text.chars().all(plain) {
        "only letters, digits, `.`, `_` and `-` survive in /dev/disk/by-partlabel"
    } else {
        return Ok(text.to_owned());
    };
    Err(value(Field::Label, text, reason))
}

fn path(text: &str) -> Result<PathBuf, Error> {
    if text.is_empty() || text.contains('\0') {
        return Err(value(Field::Ignition, text, "it is no path"));
    }
    Ok(PathBuf::from(text))
}
