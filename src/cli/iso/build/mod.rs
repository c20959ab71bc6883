//! `iso build`: patch, validate, embed, set the network, read back; for one machine or a list of them.

mod base;
mod many;
mod one;

use std::path::PathBuf;

use clap::Args;

use super::network::keyfiles;
use super::open;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::ignition::PatchFlags;
use crate::iso::kargs::Edit;
use crate::iso::write::Overwrite;
use crate::iso::{IsoError, Keyfiles, LiveIso, Medium};
use crate::site::{Field, Request};

pub(in crate::cli) use one::resolve;

/// Flags of `build`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the command line"
)]
#[command(
    after_help = "The embed area and the kernel arguments of the live ISO must be untouched, or --force: then they are replaced.\n\nExamples:\n  snoforge iso build --iso rhcos-live.iso --ignition bip.ign --hostname bip --interface enp0s25 --ip 192.168.86.45/24 \\\n    --gateway 192.168.86.1 --nameserver 192.168.86.27 -o bip.iso\n  snoforge iso build --iso rhcos-live.iso --ignition bip.ign --sites sites.csv -o isos/"
)]
pub(crate) struct Build {
    /// Live ISO: a file, or a device that one was written to.
    #[arg(long, value_name = "ISO")]
    iso: PathBuf,
    /// Ignition config; sites may name their own. With --sites also the directory that `ignition create --sites` filled.
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "sites")]
    ignition: Option<PathBuf>,
    /// The new ISO; with --sites the directory of the new ISOs.
    #[arg(short, value_name = "FILE|DIR")]
    out: PathBuf,
    /// List of machines (CSV or YAML): one ISO each, and a report `sites.json`.
    #[arg(long, value_name = "FILE")]
    sites: Option<PathBuf>,
    /// Name of the cluster that the machine becomes; without it the first label of the hostname. With --domain it goes into
    /// `sites.json`.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Base domain of that cluster: its API is `api.CLUSTER.DOMAIN`.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    #[command(flatten)]
    network: NetworkFlags,
    /// `NetworkManager` keyfile in place of the above; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Network", conflicts_with_all = ["ip", "interface", "bond", "vlan", "gateway", "nameserver", "netmask"])]
    network_keyfile: Vec<PathBuf>,
    #[command(flatten)]
    patch: PatchFlags,
    /// Embed the config without patching it for the data partition.
    #[arg(long)]
    no_patch: bool,
    /// Kernel argument to append; repeatable.
    #[arg(
        long,
        value_name = "KARG",
        visible_alias = "karg-append",
        allow_hyphen_values = true
    )]
    karg: Vec<String>,
    /// Default kernel argument to delete; repeatable.
    #[arg(long, value_name = "KARG", allow_hyphen_values = true)]
    karg_delete: Vec<String>,
    /// Default kernel argument to replace; repeatable.
    #[arg(long, value_name = "KEY=OLD=NEW")]
    karg_replace: Vec<String>,
    /// Do not compute the SHA-256 of each ISO of --sites: it takes longer than writing them.
    #[arg(long, requires = "sites")]
    no_sha256: bool,
    /// Replace what the live ISO has embedded, and outputs that exist.
    #[arg(short, long)]
    force: bool,
    /// Print what would be written, and stop.
    #[arg(long)]
    dry_run: bool,
}

/// The static network of the live and the installed system.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(in crate::cli) struct NetworkFlags {
    /// Interface, or `mac=52:54:00:…`, or `mac=…,NAME`.
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Address with prefix length; one IPv4 and one IPv6 at most.
    #[arg(long, value_name = "ADDR/PREFIX")]
    ip: Vec<String>,
    /// Netmask of an address given without a prefix length.
    #[arg(long, value_name = "MASK")]
    netmask: Option<String>,
    /// Gateway; one per address family.
    #[arg(long, value_name = "ADDR")]
    gateway: Vec<String>,
    /// Name server; repeatable.
    #[arg(long, value_name = "ADDR")]
    nameserver: Vec<String>,
    /// VLAN on the interface: ID, or NAME:ID.
    #[arg(long, value_name = "ID")]
    vlan: Option<String>,
    /// Bond in place of an interface: `NAME:MEMBER,MEMBER[:OPTIONS[:MTU]]`.
    #[arg(long, value_name = "BOND")]
    bond: Option<String>,
}

impl NetworkFlags {
    /// What they say about every machine.
    pub(in crate::cli) fn over(&self, request: Request) -> Request {
        request
            .with(Field::Interface, self.interface.clone())
            .with(Field::Ip, self.ip.clone())
            .with(Field::Netmask, self.netmask.clone())
            .with(Field::Gateway, self.gateway.clone())
            .with(Field::Nameserver, self.nameserver.clone())
            .with(Field::Vlan, self.vlan.clone())
            .with(Field::Bond, self.bond.clone())
    }
}

/// What all ISOs of one run have in common, checked.
struct Run {
    medium: Medium,
    iso: LiveIso,
    delete: Vec<String>,
    replace: Vec<String>,
    keyfiles: Keyfiles,
    patch: Option<PatchFlags>,
    overwrite: Overwrite,
    plan_only: bool,
}

impl Run {
    fn medium_size(&self) -> u64 {
        self.iso.volume.size()
    }
}

impl Build {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let keyfiles = keyfiles(&self.network_keyfile)?;
        let (medium, iso) = open(context, &self.iso)?;
        if let Some(found) = iso.customisation().filter(|_| !self.force) {
            return Err(IsoError::Customised(found).into());
        }
        // Wrong words are told before the first machine is.
        Edit::new::<String>(&[], &self.karg_delete, &self.karg_replace)?;
        let request = self.request();
        let overwrite = if self.force {
            Overwrite::Replace
        } else {
            Overwrite::Refuse
        };
        let run = Run {
            medium,
            iso,
            delete: self.karg_delete,
            replace: self.karg_replace,
            keyfiles,
            patch: (!self.no_patch).then_some(self.patch),
            overwrite,
            plan_only: self.dry_run,
        };
        match (&self.sites, &self.ignition) {
            (Some(list), ignition) => {
                let list = many::List {
                    file: list,
                    request: &request,
                    ignition: ignition.as_deref(),
                    out: &self.out,
                    sha256: !self.no_sha256,
                };
                many::build(context, &run, &list)
            }
            (None, Some(ignition)) => one::build(context, &run, &request, ignition, &self.out),
            (None, None) => Err(Failure::new(Exit::Usage, "--ignition is missing")),
        }
    }

    /// What the flags say about every machine.
    pub(in crate::cli) fn request(&self) -> Request {
        let patch = &self.patch;
        let request = Request::default()
            .with(Field::Hostname, patch.hostname.clone())
            .with(Field::Cluster, self.cluster.clone())
            .with(Field::Domain, self.domain.clone())
            .with(Field::Ntp, patch.ntp.clone())
            .with(Field::Karg, self.karg.clone())
            .with(Field::InstallationDisk, patch.installation_disk.clone())
            .with(Field::Label, [patch.label.clone()]);
        self.network.over(request)
    }
}
