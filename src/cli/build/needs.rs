//! What a job needs of the machine and the network, for `doctor`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use url::Url;

use super::check::{self, Depth};
use super::data::{self, Data};
use super::disks::{self, State};
use super::report::Report;
use super::{isos, lines};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::global::RegistryFlags;
use crate::cli::imageset::resolve::Wanted;
use crate::config::factory::{Disk, Factory, Iso, Target};
use crate::config::{Finding, imageset};
use crate::doctor::Need;
use crate::inventory::Summary;
use crate::inventory::lock::Inventory;
use crate::oci::{Location, Reference};
use crate::remote::Visit;
use crate::site::Site;

const GIB: u64 = 1 << 30;
/// No image has it: asked by digest, as the job asks, a registry that lets us in says that it is not there.
const NO_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What is written to a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Files {
    pub directory: PathBuf,
    pub need: Need,
    /// The largest file among them.
    pub largest: Option<u64>,
}

/// Needs that are known from the file and from what is there of the job.
pub(in crate::cli) struct Needs {
    /// What is wrong with the file and what it names.
    pub errors: Vec<Finding>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
    /// One image per registry and namespace, and what is to be tried.
    pub images: Vec<(Reference, Visit)>,
    /// Registries that are pushed to.
    pub push: Vec<Location>,
    /// Whether the update graph is asked.
    pub graph: bool,
    /// Whether release signatures are looked for.
    pub signatures: bool,
    /// Files beside the images.
    pub files: Vec<Url>,
    /// The data directory.
    pub folder: PathBuf,
    /// Bytes that are not there yet, and the largest blob, when the inventory is known.
    pub missing: Option<(u64, u64)>,
    /// New image files, by directory.
    pub image_files: Vec<Files>,
    /// The ISOs that are not there yet.
    pub isos: Option<Files>,
    /// What stands of each disk.
    pub disks: Vec<(String, Result<String, Failure>)>,
    /// Whether real disks are written.
    pub devices: bool,
    /// The filesystems that are made.
    pub filesystems: BTreeSet<String>,
    /// The Ignition configs of the sites.
    pub configs: BTreeSet<PathBuf>,
    /// The installer that the job names.
    pub installer: Option<PathBuf>,
    /// How registries are reached.
    pub registries: Option<RegistryFlags>,
}

/// Looks; asks no registry.
pub(in crate::cli) fn needs(factory: &Factory) -> Needs {
    let found = check::check(factory, Depth::Full);
    let data = Data::look(&Context::silent(), factory).ok();
    let report = Report::read(&factory.report).unwrap_or_default();
    let known = data.as_ref().and_then(|data| data.inventory.as_ref());
    let digest = known.map(Inventory::digest);
    let states: Vec<State> = factory
        .disks
        .iter()
        .map(|disk| disks::state(factory, disk, &report, digest.as_ref()))
        .collect();
    let asks = |key: &str| factory.release.text(key).is_none();
    let from_set = asks("mapping");
    Needs {
        images: data.as_ref().map(images).unwrap_or_default(),
        push: push(factory, |target| {
            digest.as_ref().is_some_and(|d| report.is_pushed(target, d))
        }),
        graph: known.is_none() && from_set && asks("graph") && asks("image"),
        signatures: known.is_none() && from_set && !factory.release.is_on("ignoreReleaseSignature"),
        files: match data::flags(factory) {
            Ok(flags) if !data.as_ref().is_some_and(|data| data.complete) => {
                flags.rootfs_url.clone()
            }
            _ => Vec::new(),
        },
        folder: PathBuf::from(lines::folder(factory)),
        missing: data.as_ref().and_then(missing),
        image_files: image_files(
            factory.disks.iter().zip(&states),
            known.map(|known| Summary::of(known).disk_bytes),
        ),
        isos: factory.iso.as_ref().and_then(|iso| iso_files(factory, iso)),
        devices: states.iter().any(needs_device),
        filesystems: filesystems(factory.disks.iter().zip(&states)),
        disks: factory
            .disks
            .iter()
            .zip(states)
            .map(|(disk, state)| (disk.target.text(), told(disk, state)))
            .collect(),
        configs: factory
            .iso
            .as_ref()
            .map(|iso| configs(factory, iso))
            .unwrap_or_default(),
        installer: factory
            .install
            .as_ref()
            .and_then(|install| install.path("installer").map(Path::to_owned)),
        registries: data::flags(factory)
            .ok()
            .map(|flags| flags.flags.registries.clone()),
        errors: found.errors,
        warnings: found.warnings,
    }
}

fn missing(data: &Data) -> Option<(u64, u64)> {
    let inventory = data.inventory.as_ref()?;
    let largest = inventory.blobs.values().copied().max();
    Some((data.missing, largest.unwrap_or(0)))
}

/// Those that no earlier run filled.
fn push(factory: &Factory, is_pushed: impl Fn(&str) -> bool) -> Vec<Location> {
    let targets = factory.download.all("push").map(|target| &target.value);
    let targets = targets.filter(|target| !is_pushed(target));
    targets.filter_map(|target| target.parse().ok()).collect()
}

/// One per registry and namespace: those have logins of their own.
fn images(data: &Data) -> Vec<(Reference, Visit)> {
    if data.complete {
        return Vec::new();
    }
    let all = match (&data.inventory, &data.wanted) {
        (Some(inventory), _) => {
            let images = inventory.images.iter().map(|image| image.source.clone());
            images.map(|image| (image, Visit::Read)).collect()
        }
        (None, Wanted::Mapping(lines, ..)) => {
            let images = lines.iter().map(|line| line.source.clone());
            images.map(|image| (image, Visit::Read)).collect()
        }
        (None, Wanted::Set { text, .. }) => of_image_set(text),
    };
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for (image, visit) in all {
        let namespace = image.repository().split('/').next().unwrap_or_default();
        if seen.insert((image.registry().to_owned(), namespace.to_owned())) {
            kept.push((image, visit));
        }
    }
    kept
}

fn of_image_set(text: &str) -> Vec<(Reference, Visit)> {
    let Ok(parsed) = imageset::parse("imageset.yaml", text) else {
        return Vec::new();
    };
    let set = parsed.imageset;
    let mut all = Vec::new();
    if !set.platform.channels.is_empty() || set.platform.release.is_some() {
        all.extend(release());
    }
    let catalogs = set.operators.iter().map(|o| o.catalog.value.as_str());
    let certified = catalogs
        .clone()
        .any(|catalog| catalog.contains("certified"));
    let named = set.additional_images.iter().map(|i| i.name.value.as_str());
    let named = catalogs.chain(named).filter_map(|name| name.parse().ok());
    all.extend(named.map(|image| (image, Visit::Read)));
    if certified {
        all.extend(connect());
    }
    all
}

/// The images of a release, whatever release.
fn release() -> Option<(Reference, Visit)> {
    let name = format!("quay.io/openshift-release-dev/ocp-v4.0-art-dev@{NO_DIGEST}");
    Some((name.parse().ok()?, Visit::Read))
}

/// Where the images of certified operators are; no repository there is in every catalog.
fn connect() -> Option<(Reference, Visit)> {
    let name = format!("registry.connect.redhat.com/snoforge/doctor@{NO_DIGEST}");
    Some((name.parse().ok()?, Visit::Login))
}

/// What every job with a release and its operators needs.
pub(in crate::cli) fn usual_images() -> Vec<(Reference, Visit)> {
    let catalog = format!("registry.redhat.io/redhat/redhat-operator-index@{NO_DIGEST}");
    let catalog = catalog.parse().ok().map(|image| (image, Visit::Read));
    release().into_iter().chain(catalog).collect()
}

/// Whether a real disk is written.
fn needs_device(state: &State) -> bool {
    !matches!(state, State::Image { .. } | State::Filled(_) | State::Away)
}

/// Those of partitions that are not there yet.
fn filesystems<'a>(disks: impl Iterator<Item = (&'a Disk, &'a State)>) -> BTreeSet<String> {
    let made = disks.filter(|(_, state)| matches!(state, State::Empty(_) | State::Image { .. }));
    let name = |disk: &Disk| disk.values.text("fs").unwrap_or("xfs").to_owned();
    made.map(|(disk, _)| name(disk)).collect()
}

/// An image file has holes where its filesystem has nothing: it takes what the `data` take, its whole size at most.
fn image_files<'a>(
    disks: impl Iterator<Item = (&'a Disk, &'a State)>,
    data: Option<u64>,
) -> Vec<Files> {
    let mut sizes: BTreeMap<PathBuf, Vec<u64>> = BTreeMap::new();
    for (disk, state) in disks {
        if let (Target::Image(path), State::Image { .. }) = (&disk.target, state) {
            let directory = path.value.parent().unwrap_or(Path::new("")).to_owned();
            let size = disk.size_gib * GIB;
            sizes.entry(directory).or_default().push(size);
        }
    }
    let files = sizes.into_iter().map(|(directory, sizes)| Files {
        directory,
        need: match data {
            Some(data) => Need::Known(sizes.iter().map(|size| data.min(*size)).sum()),
            None => Need::AtMost(sizes.iter().sum()),
        },
        largest: sizes.iter().copied().max(),
    });
    files.collect()
}

fn iso_files(factory: &Factory, iso: &Iso) -> Option<Files> {
    let sites = isos::sites(factory, iso).ok()?.sites;
    let size = isos::live_size(iso).ok()?;
    let directory = isos::out(iso).to_owned();
    let there = |site: &&Site| {
        let name = site.hostname.as_ref();
        name.is_some_and(|name| directory.join(format!("{name}.iso")).exists())
    };
    let missing = sites.len() - sites.iter().filter(there).count();
    Some(Files {
        need: Need::Known(size * missing as u64),
        largest: Some(size),
        directory,
    })
}

fn told(disk: &Disk, state: State) -> Result<String, Failure> {
    let size = disk.size_gib;
    Ok(match state {
        State::Filled(_) => "filled already".to_owned(),
        State::Away => "filled already, and not here".to_owned(),
        State::Partitioned => "its partition is there".to_owned(),
        State::Empty(_) => format!("{size} GiB will be its data partition"),
        State::Image { replaces: true } => format!("a file of {size} GiB, in place of another"),
        State::Image { replaces: false } => format!("a new file of {size} GiB"),
        State::Refused(failure) => return Err(failure),
    })
}

/// The configs that sites boot with, except for those that the job makes anew.
fn configs(factory: &Factory, iso: &Iso) -> BTreeSet<PathBuf> {
    let anew = factory.install.as_ref().is_some_and(|i| i.is_on("force"));
    let sites = isos::sites(factory, iso).map_or_else(|_| Vec::new(), |listed| listed.sites);
    let kept = sites.iter().filter(|site| !anew || site.ignition.is_some());
    let shared = || iso.values.path("ignition").map(Path::to_owned);
    kept.filter_map(|site| isos::own_config(factory, iso, site).or_else(shared))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {version: 4.13.1, mceVersion: 2.2.4}\ndownload: {folder: data, push: ['r.lan/a', 'r.lan/b']}\n";
    const DISKS: &str = "disks:\n- {image: out/a.img, size: 10}\n- {image: out/b.img, size: 30, fs: ext4}\n- {device: /dev/sdx, fs: vfat}\n";

    #[test]
    fn what_is_there_needs_nothing() {
        let factory = Factory::parse("f", &format!("{HEAD}{DISKS}")).unwrap();
        let new = || State::Image { replaces: false };
        let states = [new(), new(), State::Away];
        let disks = || factory.disks.iter().zip(&states);
        assert_eq!(
            filesystems(disks()),
            ["xfs", "ext4"].map(str::to_owned).into()
        );
        let filled = [new(), State::Filled(String::new()), State::Partitioned];
        let made = filesystems(factory.disks.iter().zip(&filled));
        assert_eq!(made, ["xfs".to_owned()].into());
        for (state, expected) in [
            (State::Filled(String::new()), false),
            (State::Away, false),
            (new(), false),
            (State::Partitioned, true),
        ] {
            assert_eq!(needs_device(&state), expected);
        }
        // Files have holes: they take what the data take.
        for (data, need) in [
            (None, Need::AtMost(40 * GIB)),
            (Some(2 * GIB), Need::Known(4 * GIB)),
            (Some(20 * GIB), Need::Known(30 * GIB)),
        ] {
            let files = Files {
                directory: PathBuf::from("out"),
                need,
                largest: Some(30 * GIB),
            };
            assert_eq!(image_files(disks(), data), [files]);
        }
        let left = push(&factory, |target| target == "r.lan/a");
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert_eq!(left, ["r.lan/b"]);
    }

    #[test]
    fn media_that_are_there_and_configs_of_each() {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join("factory.yaml").display().to_string();
        let job = |install: &str| {
            let text = format!(
                "{HEAD}{install}  live: live.iso\n  out: isos\n  interface: eno1\n  domain: x.org\n  sites:\n  - {{hostname: a, ip: 10.0.0.5/24}}\n  - {{hostname: b, ip: 10.0.0.6/24, ignition: own.ign}}\n"
            );
            fs_err::write(&name, &text).unwrap();
            Factory::parse(&name, &text).unwrap()
        };
        let shared = job("iso:\n  ignition: all.ign\n");
        let found = |factory: &Factory| -> Vec<String> {
            let found = configs(factory, factory.iso.as_ref().unwrap());
            let below = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().to_owned();
            found
                .iter()
                .map(|p| below(p).display().to_string())
                .collect()
        };
        assert_eq!(found(&shared), ["all.ign", "own.ign"]);
        let install =
            |more: &str| format!("install: {{pullSecret: p, sshKey: k, out: c{more}}}\niso:\n");
        let created = format!("c/a/{}", crate::cli::ignition::IGNITION);
        assert_eq!(found(&job(&install(""))), [created.as_str(), "own.ign"]);
        assert_eq!(found(&job(&install(", force: true"))), ["own.ign"]);
        let iso = shared.iso.as_ref().unwrap();
        assert_eq!(iso_files(&shared, iso), None);
        fs_err::write(dir.path().join("live.iso"), "1234567").unwrap();
        fs_err::create_dir(dir.path().join("isos")).unwrap();
        let need = || iso_files(&shared, iso).unwrap().need;
        assert_eq!(need(), Need::Known(14));
        fs_err::write(dir.path().join("isos/b.iso"), "1234567").unwrap();
        assert_eq!(need(), Need::Known(7));
    }
}
