//! `site dns`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::list::{chosen, name_of};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::site::dns::{self, Names};
use crate::site::{Cluster, Error, Field, Hostname, Request, Site};

/// Flags of `dns`.
#[derive(Debug, Args)]
#[command(
    after_help = "bind: lines for existing zones, to be put in and reloaded. dnsmasq: a file for /etc/dnsmasq.d. hosts: has no wildcards, so it names the routes\nthat every cluster has.\n\nExamples:\n  snoforge site dns --name bip --domain lab.example.com --ip 192.168.86.45\n  snoforge site dns --sites sites.csv --domain lab.example.com --format dnsmasq > /etc/dnsmasq.d/sites.conf\n  snoforge site dns --sites factory.yaml --hostname bip-1 --format hosts"
)]
pub(crate) struct Dns {
    /// List of machines (CSV or YAML, or a factory.yaml).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "ip"], required_unless_present = "name")]
    sites: Option<PathBuf>,
    /// Name of the cluster.
    #[arg(long, value_name = "NAME", requires_all = ["domain", "ip"])]
    name: Option<String>,
    /// Base domain; with --sites that of the sites that say none.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Address of the machine; one IPv4 and one IPv6 at most.
    #[arg(long, value_name = "ADDR")]
    ip: Vec<IpAddr>,
    /// Host name of the machine; with --sites the only one to print.
    #[arg(long, value_name = "HOST")]
    hostname: Option<String>,
    /// What the name server reads.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// `--format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of a zone file.
    #[default]
    Bind,
    /// Lines of dnsmasq.conf.
    Dnsmasq,
    /// Lines of /etc/hosts.
    Hosts,
}

impl From<Format> for dns::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Bind => Self::Bind,
            Format::Dnsmasq => Self::Dnsmasq,
            Format::Hosts => Self::Hosts,
        }
    }
}

impl Dns {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let names = match &self.sites {
            Some(path) => {
                let request = Request::default().with(Field::Domain, self.domain.clone());
                let sites = chosen(context, path, &request, self.hostname.as_deref())?;
                sites.iter().map(names).collect::<Result<_, _>>()?
            }
            None => vec![self.one().map_err(|e| wrong(&e))?],
        };
        if let Some((one, other)) = dns::clash(&names) {
            let list = |names: &Names| {
                names
                    .addresses()
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let message = format!(
                "two sites are the cluster {}: {} and {}",
                one.cluster().full(),
                list(one),
                list(other)
            );
            let hint =
                "give each its own `cluster` or `domain`, or print one of them by --hostname";
            return Err(Failure::new(Exit::Usage, message).hint(hint));
        }
        let document: Vec<Value> = names.iter().map(document).collect();
        context.result(&json!({"sites": document}), || {
            dns::render(&names, self.format.into())
                .trim_end()
                .to_owned()
        })
    }

    /// The machine that the flags describe.
    fn one(&self) -> Result<Names, Error> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let cluster = Cluster::new(&text(&self.name), &text(&self.domain))?;
        let hostname = self.hostname.as_deref().map(Hostname::new).transpose()?;
        Names::new(hostname, cluster, self.ip.clone())
    }
}

/// The names of a site of a list.
pub(in crate::cli) fn names(site: &Site) -> Result<Names, Failure> {
    Names::of(site).map_err(|missing| {
        let (what, hint) = match missing {
            Field::Ip => (
                "no static address",
                "its records cannot be known before DHCP gives it one: add `ip`, or name it by --name, --domain and --ip",
            ),
            _ => (
                "no domain",
                "add `domain` (and `cluster`, when the machine is called otherwise), or --domain",
            ),
        };
        Failure::new(Exit::Usage, format!("{}: {what}", name_of(site))).hint(hint)
    })
}

fn wrong(error: &Error) -> Failure {
    let flag = match error.field() {
        Field::Cluster => "name",
        other => other.name(),
    };
    Failure {
        exit: Exit::Usage,
        message: format!("--{flag}: {error}"),
        hint: error.hint(),
    }
}

fn document(names: &Names) -> Value {
    json!({"cluster": names.cluster(), "host": names.host(), "records": names.records()})
}
