//! The boot media: what decides them, and whether those that are there were made of that.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::report::{IsosReport, MachineReport, Report, SiteReport};
use super::{lines, relative};
use crate::cli::context::{now, today};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::ignition::IGNITION;
use crate::cli::imageset::check::{findings_failure, read};
use crate::cli::iso::Iso as Verb;
use crate::cli::{Command, parse};
use crate::config::Finding;
use crate::config::factory::{Factory, Iso, Kind, Section};
use crate::oci::Digest;
use crate::site::list::{self, Listed};
use crate::site::{Address, Link, Network, Request, Site, Vlan};

/// The list that `iso build` writes.
const LIST: &str = "sites.json";

/// The machines, with the file that names them.
///
/// # Errors
/// Every finding of the list; not readable.
pub(super) fn sites(factory: &Factory, iso: &Iso) -> Result<Listed, SitesError> {
    sites_with(factory, iso, &Request::default())
}

/// [`sites`], with what `request` says of those that say nothing, nor the file.
///
/// # Errors
/// As [`sites`].
pub(super) fn sites_with(
    factory: &Factory,
    iso: &Iso,
    request: &Request,
) -> Result<Listed, SitesError> {
    let verb = match parse(&lines::isos(factory, iso)) {
        Ok(Command::Iso(verb)) => *verb,
        Ok(_) => return Err(Failure::new(Exit::Internal, "no ISOs").into()),
        Err(failure) => return Err(failure.into()),
    };
    let Verb::Build(flags) = verb else {
        return Err(Failure::new(Exit::Internal, "no ISOs").into());
    };
    let name = iso.sites.value.as_deref();
    let name = name.unwrap_or(Path::new(&factory.file));
    let text = read(name)?;
    let request = flags.request().over(request);
    list::parse(&name.display().to_string(), &text, &request).map_err(SitesError::Found)
}

/// Why there are no sites.
pub(super) enum SitesError {
    /// The list is wrong.
    Found(Vec<Finding>),
    /// It cannot be read.
    Failed(Failure),
}

impl From<Failure> for SitesError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<SitesError> for Failure {
    fn from(error: SitesError) -> Self {
        match error {
            SitesError::Found(found) => findings_failure(&found),
            SitesError::Failed(failure) => failure,
        }
    }
}

/// The directory of the ISOs.
pub(super) fn out(iso: &Iso) -> &Path {
    iso.values.path("out").unwrap_or(Path::new("."))
}

/// Size of the live ISO.
///
/// # Errors
/// It is not there.
pub(super) fn live_size(iso: &Iso) -> Result<u64, Failure> {
    let live = iso.values.path("live").unwrap_or(Path::new(""));
    let meta = fs_err::metadata(live).map_err(|e| unreadable(live, &e))?;
    Ok(meta.len())
}

/// The digest of everything that decides the ISOs. Of the live ISO size and time of change stand for the content, as for make.
///
/// # Errors
/// A file is not readable.
pub(super) fn inputs(factory: &Factory, iso: &Iso, sites: &[Site]) -> Result<Digest, Failure> {
    let mut values = Vec::new();
    for field in Section::Iso.fields() {
        for value in iso.values.all(field.key) {
            let value = match (field.kind, field.key) {
                (Kind::Path, "out") => continue,
                (Kind::Path, "live") => live_identity(Path::new(&value.value))?,
                (Kind::Path, _) => json!(content(Path::new(&value.value))?),
                _ => json!(value.value),
            };
            values.push(json!([field.key, value]));
        }
    }
    let own = sites
        .iter()
        .filter_map(|site| own_config(factory, iso, site));
    let own = own.map(|own| content(&own));
    let own: Vec<Digest> = own.collect::<Result<_, _>>()?;
    let authfile = factory.download.path("authfile");
    let authfile = authfile.filter(|_| iso.values.is_on("embedPullSecret"));
    let document = json!({
        "tool": env!("CARGO_PKG_VERSION"), "values": values, "sites": sites, "ignition": own,
        "authfile": authfile.map(content).transpose()?,
    });
    Ok(Digest::of(document.to_string().as_bytes()))
}

/// The config of one site alone: the one that it names, else the one that the job makes.
pub(super) fn own_config(factory: &Factory, iso: &Iso, site: &Site) -> Option<PathBuf> {
    let Some(own) = &site.ignition else {
        return created(factory, site);
    };
    let list = iso.sites.value.as_deref();
    let beside = list.unwrap_or(Path::new(&factory.file)).parent();
    Some(beside.unwrap_or(Path::new("")).join(own))
}

/// The config that the job makes for a site.
pub(super) fn created(factory: &Factory, site: &Site) -> Option<PathBuf> {
    let out = factory.install.as_ref()?.path("out")?;
    let name = site.hostname.as_ref()?.to_string();
    Some(out.join(name).join(IGNITION))
}

fn live_identity(path: &Path) -> Result<Value, Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = fs_err::metadata(path).map_err(|e| unreadable(path, &e))?;
    Ok(json!([meta.len(), meta.mtime(), meta.mtime_nsec()]))
}

fn content(path: &Path) -> Result<Digest, Failure> {
    let bytes = fs_err::read(path).map_err(|e| unreadable(path, &e))?;
    Ok(Digest::of(&bytes))
}

/// The ISOs that an earlier run made, when they are those that the inputs give, all there, and of use today.
pub(super) fn made<'a>(
    factory: &Factory,
    iso: &Iso,
    report: &'a Report,
    inputs: &Digest,
) -> Option<&'a IsosReport> {
    let isos = report.isos.as_ref()?;
    let list = fs_err::read(out(iso).join(LIST)).ok()?;
    let whole = |site: &SiteReport| {
        let meta = fs_err::metadata(factory.beside(&site.iso));
        meta.is_ok_and(|meta| meta.len() == site.size)
    };
    let first = isos.use_before.as_ref();
    let in_time =
        first.is_none_or(|end| end.parse().is_ok_and(|end: jiff::Timestamp| end > today()));
    let same = isos.inputs == *inputs && isos.list == Digest::of(&list);
    (same && in_time && isos.sites.iter().all(whole)).then_some(isos)
}

/// What the report says of the ISOs that were made just now, for these machines.
///
/// # Errors
/// `sites.json` is not readable.
pub(super) fn report(
    factory: &Factory,
    iso: &Iso,
    (inputs, machines): (Digest, &[Site]),
) -> Result<IsosReport, Failure> {
    let path = out(iso).join(LIST);
    let text = read(&path)?;
    let wrong = |e: &dyn std::fmt::Display| {
        Failure::new(Exit::Verification, format!("{}: {e}", path.display()))
    };
    let document: Value = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    let rows = document.get("sites").and_then(Value::as_array);
    let sites = rows.into_iter().flatten().map(|row| {
        let mut site: SiteReport = serde_json::from_value(row.clone()).map_err(|e| wrong(&e))?;
        site.iso = relative(factory, Path::new(&site.iso));
        let named = |machine: &&Site| {
            let name = machine.hostname.as_ref();
            name.is_some_and(|name| name.as_str() == site.hostname)
        };
        site.machine = machines.iter().find(named).map(MachineReport::of);
        Ok(site)
    });
    let sites: Vec<SiteReport> = sites.collect::<Result<_, Failure>>()?;
    let ends = sites.iter().filter_map(|site| site.use_before.clone());
    Ok(IsosReport {
        inputs,
        list: Digest::of(text.as_bytes()),
        use_before: ends.min(),
        made: Some(now()),
        sites,
    })
}

impl MachineReport {
    fn of(site: &Site) -> Self {
        let network = site.network.as_ref();
        let addresses = || network.into_iter().flat_map(Network::addresses);
        let text = |address: &Address| format!("{}/{}", address.ip(), address.prefix());
        let servers = network.into_iter().flat_map(Network::nameservers);
        Self {
            interface: network.map(|n| n.link().name().to_string()),
            mac: network.and_then(|n| match n.link() {
                Link::Mac { mac, .. } => Some(mac.to_string()),
                Link::Named(_) | Link::Bond(_) => None,
            }),
            vlan: network.and_then(Network::vlan).map(Vlan::id),
            addresses: addresses().map(text).collect(),
            gateways: addresses()
                .filter_map(|a| Some(a.gateway()?.to_string()))
                .collect(),
            nameservers: servers.map(ToString::to_string).collect(),
            ntp: site.ntp.clone(),
            installation_disk: site.installation_disk.clone(),
        }
    }
}

/// The same failure for somebody who writes a file, no flags.
pub(super) fn in_file(failure: Failure) -> Failure {
    in_section(failure, "iso")
}

/// As [`in_file`], for another section.
pub(super) fn in_section(mut failure: Failure, section: &str) -> Failure {
    let set = format!("set `force: true` under `{section}`");
    let hint = failure.hint.take();
    failure.hint = hint.map(|hint| hint.replace("add --force", &set));
    failure
}
