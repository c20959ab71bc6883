//! The command lines of the steps: what a user could type.

use std::path::Path;

use crate::config::factory::{Disk, Factory, ImageSetSource, Iso, Section, Target, Values};

/// `precache download`, without or with the work itself.
pub(super) fn download(factory: &Factory) -> Vec<String> {
    let mut line = words(&["precache", "download"]);
    line.extend(factory.release.flags(Section::Release));
    line.extend(factory.download.flags(Section::Download));
    if matches!(
        factory.imageset,
        ImageSetSource::File(_) | ImageSetSource::Inline(_)
    ) {
        line.push("--skip-imageset".to_owned());
    }
    line
}

/// The same, and only the inventory.
pub(super) fn inventory(factory: &Factory) -> Vec<String> {
    let mut line = download(factory);
    line.push("--testmode".to_owned());
    line
}

/// `precache push` into a registry, reached as the download's are.
pub(super) fn push(factory: &Factory, target: &str) -> Vec<String> {
    const SHARED: [&str; 4] = [
        "--authfile=",
        "--registries-conf=",
        "--cert-dir=",
        "--tls-verify=",
    ];
    let mut line = words(&["precache", "push"]);
    line.push(format!("--folder={}", folder(factory)));
    let flags = factory.download.flags(Section::Download).into_iter();
    line.extend(flags.filter(|flag| SHARED.iter().any(|start| flag.starts_with(start))));
    line.push(target.to_owned());
    line
}

/// `precache partition` of a disk; it was confirmed before.
pub(super) fn partition(disk: &Disk) -> Vec<String> {
    let mut line = words(&["precache", "partition"]);
    line.extend(disk.values.flags(Section::Disk));
    line.push("--yes".to_owned());
    line
}

/// `precache partition` of an image file under its temporary name, filled at once.
pub(super) fn image(factory: &Factory, disk: &Disk, file: &Path) -> Vec<String> {
    let mut line = partition(disk);
    line.push(format!("--device={}", file.display()));
    line.push(format!("--populate={}", folder(factory)));
    line
}

/// `precache copy` onto disks whose partitions have one label.
pub(super) fn copy(factory: &Factory, label: &str, disks: &[&Disk]) -> Vec<String> {
    let mut line = words(&["precache", "copy"]);
    line.push(format!("--label={label}"));
    line.push("--".to_owned());
    line.push(folder(factory).to_owned());
    line.extend(disks.iter().map(|disk| disk.target.text()));
    line
}

/// What `iso` says of the sites, and their clusters need to know.
const OF_SITES: [&str; 9] = [
    "cluster",
    "domain",
    "interface",
    "netmask",
    "gateway",
    "nameserver",
    "vlan",
    "bond",
    "installationDisk",
];

/// `ignition create` of all sites.
pub(super) fn clusters(factory: &Factory, install: &Values, iso: &Iso) -> Vec<String> {
    let mut line = words(&["ignition", "create"]);
    line.extend(install.flags(Section::Install));
    line.extend(iso.values.only(&OF_SITES).flags(Section::Iso));
    if install.text("installer").is_none() {
        line.push(format!("--folder={}", folder(factory)));
        let version = factory.release.text("version");
        line.extend(version.map(|version| format!("--release={version}")));
    }
    line.push(sites(factory, iso));
    line
}

/// Sites that stand in the factory file are read from it.
fn sites(factory: &Factory, iso: &Iso) -> String {
    let sites = iso.sites.value.as_deref();
    let sites = sites.unwrap_or(Path::new(&factory.file)).display();
    format!("--sites={sites}")
}

/// `iso build` of all sites.
pub(super) fn isos(factory: &Factory, iso: &Iso) -> Vec<String> {
    let mut line = words(&["iso", "build"]);
    line.extend(iso.values.flags(Section::Iso));
    let clusters = factory.install.as_ref().and_then(|i| i.text("out"));
    line.extend(clusters.map(|out| format!("--ignition={out}")));
    line.push(sites(factory, iso));
    if iso.values.is_on("embedPullSecret") {
        let authfile = factory.download.text("authfile");
        line.extend(authfile.map(|file| format!("--authfile={file}")));
    }
    line
}

/// Label of a disk's partition.
pub(super) fn label(disk: &Disk) -> &str {
    disk.values.text("label").unwrap_or("data")
}

/// Number of a disk's partition.
pub(super) fn number(disk: &Disk) -> u32 {
    let number = disk.values.text("number").and_then(|n| n.parse().ok());
    number.unwrap_or(1)
}

/// The data directory.
pub(super) fn folder(factory: &Factory) -> &str {
    factory.download.text("folder").unwrap_or_default()
}

/// As a shell would take it, for people.
pub(super) fn shown(line: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%[]".contains(c);
    let word = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let words: Vec<String> = line.iter().map(word).collect();
    format!("snoforge {}", words.join(" "))
}

/// Whether a disk is a real one.
pub(super) fn is_device(disk: &Disk) -> bool {
    matches!(disk.target, Target::Device(_))
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}
