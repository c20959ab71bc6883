//! Facts about sites: their names, asked of their own name servers; their time servers; their cards.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rayon::prelude::*;
use serde::Deserialize;

use crate::cli::context::{Context, today};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::site::{chosen, name_of};
use crate::doctor::{self, Answer, Card, Fault, Lookup, Missing, Outcome, Row, TimeServer};
use crate::io::root_text;
use crate::probe::{self, Family};
use crate::site::dns::Names;
use crate::site::{Field, Link, Request, Site};

const PATIENCE: Duration = Duration::from_secs(3);
const DNS: u16 = 53;
const NTP: u16 = 123;

/// Flags for sites.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sites")]
pub(crate) struct SiteFlags {
    /// Look at the sites of this list (CSV, YAML or factory.yaml).
    #[arg(long = "site", value_name = "FILE")]
    pub(super) list: Option<PathBuf>,
    /// Only the site with this hostname.
    #[arg(long, value_name = "HOST", requires = "list")]
    name: Option<String>,
    /// Name server to ask in place of the sites' own: ADDR or ADDR:PORT.
    #[arg(long, value_name = "ADDR", value_parser = server::<DNS>, requires = "list")]
    nameserver: Vec<SocketAddr>,
    /// Time server to ask in place of the sites' own: ADDR or ADDR:PORT.
    #[arg(long, value_name = "ADDR", value_parser = server::<NTP>, requires = "list")]
    ntp: Vec<SocketAddr>,
    /// Cards of the machine, as `ip -j link` prints them there.
    #[arg(long, value_name = "FILE", requires = "list")]
    interfaces_from: Option<PathBuf>,
}

/// An address with the port that it usually has.
fn server<const PORT: u16>(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    let address = address.or_else(|_| text.parse());
    address.map_err(|_| "an address such as 192.168.86.27 or [fd00::1]:53".to_owned())
}

impl SiteFlags {
    /// Asks for all sites at the same time; nothing of the network with `offline`.
    ///
    /// # Errors
    /// The list or the cards cannot be read.
    pub(super) fn rows(&self, context: &Context, offline: bool) -> Result<Vec<Row>, Failure> {
        let Some(list) = &self.list else {
            return Ok(Vec::new());
        };
        let sites = chosen(context, list, &Request::default(), self.name.as_deref())?;
        let seen = self.interfaces_from.as_deref().map(cards_of).transpose()?;
        let rows = sites
            .par_iter()
            .map(|site| self.site(site, seen.as_deref(), offline));
        let rows = rows.collect::<Vec<_>>().into_iter().flatten();
        Ok(rows.collect())
    }

    fn site(&self, site: &Site, seen: Option<&[(String, String)]>, offline: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        if !offline {
            rows.extend(self.names(site));
            rows.extend(doctor::time_servers(&self.times(site)));
        }
        rows.extend(doctor::cards(&cards(site, seen)));
        // Several sites have rows of the same object.
        for row in &mut rows {
            if row.check != "name" {
                row.object = format!("{} of {}", row.object, name_of(site));
            }
        }
        rows
    }

    fn servers(&self, site: &Site) -> Vec<SocketAddr> {
        if !self.nameserver.is_empty() {
            return self.nameserver.clone();
        }
        let network = site.network.iter();
        let own = network.flat_map(|network| network.nameservers().to_vec());
        own.map(|address| SocketAddr::new(address, DNS)).collect()
    }

    fn names(&self, site: &Site) -> Vec<Row> {
        let unknown = |message: &str, cure: &str| {
            let fault = Fault::new(message, cure);
            vec![Row::new(Outcome::Unknown, "name", name_of(site), fault)]
        };
        let names = match Names::of(site) {
            Ok(names) => names,
            Err(Field::Ip) => {
                return unknown(
                    "its address is not known: it has no `ip`",
                    "add `ip` to the site",
                );
            }
            Err(_) => {
                return unknown(
                    "its domain is not known",
                    "add `domain` (and `cluster`) to the site",
                );
            }
        };
        let servers = self.servers(site);
        if servers.is_empty() {
            return unknown(
                "it has no name server",
                "add `nameserver`, or ask one by --nameserver",
            );
        }
        let asked = servers.iter().flat_map(|server| questions(&names, *server));
        let asked: Vec<(String, SocketAddr, Family, bool)> = asked.collect();
        let lookups: Vec<Lookup> = asked
            .into_par_iter()
            .map(|(name, server, family, needed)| {
                let expected = names.addresses().iter().copied();
                let expected = expected.filter(|a| Family::of(*a) == family).collect();
                Lookup {
                    answer: ask(server, &name, family),
                    expected,
                    server: server.ip().to_string(),
                    name,
                    needed,
                }
            })
            .collect();
        doctor::lookups(&lookups)
    }

    /// Servers with a name are looked up as the site would.
    fn times(&self, site: &Site) -> Vec<TimeServer> {
        let now = || {
            let since = today().duration_since(jiff::Timestamp::UNIX_EPOCH);
            Duration::try_from(since).unwrap_or_default()
        };
        let time = |name: String, server: Result<SocketAddr, Fault>| {
            let told = |error: probe::Error| fault_of(&error);
            let answer =
                server.and_then(|server| probe::time(server, &now, PATIENCE).map_err(told));
            TimeServer {
                server: name,
                answer: answer.map(|time| (time.offset_ms, time.stratum)),
            }
        };
        if !self.ntp.is_empty() {
            let servers = self.ntp.par_iter();
            return servers.map(|s| time(s.to_string(), Ok(*s))).collect();
        }
        let servers = site.ntp.par_iter();
        servers
            .map(|name| time(name.clone(), self.address(site, name)))
            .collect()
    }

    fn address(&self, site: &Site, name: &str) -> Result<SocketAddr, Fault> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, NTP));
        }
        let mut last = Fault::new(
            "its name cannot be looked up: the site has no name server",
            "write its address",
        );
        for server in self.servers(site) {
            for family in [Family::V4, Family::V6] {
                match probe::lookup(server, name, family, PATIENCE) {
                    Ok(found) => {
                        if let Some(address) = found.first() {
                            return Ok(SocketAddr::new(*address, NTP));
                        }
                    }
                    Err(error) => last = fault_of(&error),
                }
            }
        }
        Err(last)
    }
}

/// What a site needs of a name server. The host's own name helps people only; a name that nobody uses tells a wildcard from a list.
fn questions(names: &Names, server: SocketAddr) -> Vec<(String, SocketAddr, Family, bool)> {
    let needed = ["api", "api-int", "console-openshift-console.apps"];
    let needed = needed.map(|prefix| (names.below(prefix), true));
    let wildcard = (names.below("snoforge-doctor.apps"), false);
    let host = names.host().map(|host| (host, false));
    let all = needed.into_iter().chain([wildcard]).chain(host);
    let families = [Family::V4, Family::V6].into_iter().filter(|family| {
        let mut addresses = names.addresses().iter();
        addresses.any(|a| Family::of(*a) == *family)
    });
    let families: Vec<Family> = families.collect();
    all.flat_map(|(name, needed)| {
        let each = families.iter();
        each.map(move |family| (name.clone(), server, *family, needed))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn ask(server: SocketAddr, name: &str, family: Family) -> Answer {
    probe::lookup(server, name, family, PATIENCE).map_err(|error| match error {
        probe::Error::NoSuchName { .. } => Missing::Name,
        error => Missing::Server(fault_of(&error)),
    })
}

fn fault_of(error: &probe::Error) -> Fault {
    let reason = std::error::Error::source(error).map(root_text);
    let message = match reason {
        Some(reason) => format!("{error}: {reason}"),
        None => error.to_string(),
    };
    Fault::new(message, error.hint())
}

fn cards(site: &Site, seen: Option<&[(String, String)]>) -> Vec<Card> {
    let Some(network) = &site.network else {
        return Vec::new();
    };
    let card = |name: Option<String>, mac: Option<String>| Card {
        name,
        mac,
        old_names: site.kargs.iter().any(|karg| karg == "net.ifnames=0"),
        seen: seen.map(<[_]>::to_vec),
    };
    match network.link() {
        Link::Named(name) => vec![card(Some(name.to_string()), None)],
        Link::Mac { mac, name } => vec![card(Some(name.to_string()), Some(mac.to_string()))],
        Link::Bond(bond) => {
            let members = bond.members().iter();
            members
                .map(|name| card(Some(name.to_string()), None))
                .collect()
        }
    }
}

/// What `ip -j link` printed: names (the other ones too) with hardware addresses.
fn cards_of(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    #[derive(Deserialize)]
    struct Line {
        ifname: String,
        #[serde(default)]
        address: String,
        #[serde(default)]
        altnames: Vec<String>,
    }
    let bytes = fs_err::read(path).map_err(|e| unreadable(path, &e))?;
    let lines: Vec<Line> = serde_json::from_slice(&bytes).map_err(|e| {
        let message = format!("{}: no list of cards: {e}", path.display());
        Failure::new(Exit::Usage, message).hint("make it on the machine: ip -j link > FILE")
    })?;
    let cards = lines.into_iter().filter(|line| line.ifname != "lo");
    Ok(cards
        .flat_map(|line| {
            let names = std::iter::once(line.ifname).chain(line.altnames);
            names
                .map(move |name| (name, line.address.clone()))
                .collect::<Vec<_>>()
        })
        .collect())
}
