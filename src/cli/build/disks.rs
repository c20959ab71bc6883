//! The data disks and image files: which are filled, which are to be made, what would be lost.

use std::path::Path;

use super::lines::{is_device, label, number};
use super::report::{DiskReport, Report};
use super::{lines, relative};
use crate::cli::context::now;
use crate::cli::exit::{Exit, Failure};
use crate::cli::precache::Precache;
use crate::cli::{Command, parse};
use crate::config::factory::{Disk, Factory, Target};
use crate::disk::{self, Contents, Partition, Plan, Selector, System};
use crate::io::atomic::parent;
use crate::io::unfinished::Unfinished;
use crate::oci::Digest;

const GIB: u64 = 1 << 30;

/// Both partition tables and the first partition's alignment.
const TABLES: u64 = 4 << 20;

/// What has to be done for a disk.
pub(super) enum State {
    /// It is filled with the inventory; the partition's GUID.
    Filled(String),
    /// It is not there, and an earlier run filled it with the inventory.
    Away,
    /// Its partition is there; what is missing is copied.
    Partitioned,
    /// The partition is to be made.
    Empty(Box<Plan>),
    /// The image file is to be made.
    Image {
        /// Whether another file is there, which is lost.
        replaces: bool,
    },
    /// It cannot be used.
    Refused(Failure),
}

/// The state of a disk; `inventory` is none while it is not known.
pub(super) fn state(
    factory: &Factory,
    disk: &Disk,
    report: &Report,
    inventory: Option<&Digest>,
) -> State {
    let known = inventory.and_then(|digest| report.disk(&name(factory, disk), digest));
    let known = known.filter(|k| k.label == label(disk) && k.size_gib == disk.size_gib);
    let selector = match &disk.target {
        Target::Device(text) => Selector::from(text.value.as_str()),
        Target::Image(path) if !path.value.exists() => return State::Image { replaces: false },
        Target::Image(path) => Selector::Path(path.value.clone()),
    };
    let contents = disk::find(&System::host(), &selector)
        .and_then(|device| disk::read(&device).map(|contents| (device, contents)));
    let (device, contents) = match (contents, known) {
        (Ok(found), _) => found,
        (Err(_), Some(_)) if is_device(disk) => return State::Away,
        (Err(error), _) if is_device(disk) => return State::Refused(error.into()),
        (Err(_), _) => return State::Image { replaces: true },
    };
    let made = partition(disk, &contents);
    if let (Some(made), Some(known)) = (made, known)
        && guid(made) == known.partition
    {
        return State::Filled(known.partition.clone());
    }
    if !is_device(disk) {
        return State::Image { replaces: true };
    }
    if made.is_some() {
        return State::Partitioned;
    }
    let plan = match parse(&lines::partition(disk)) {
        Ok(Command::Precache(Precache::Partition(flags))) => flags.plan(&device),
        Ok(_) => return State::Refused(Failure::new(Exit::Internal, "no partition")),
        Err(failure) => return State::Refused(failure),
    };
    match plan {
        Ok(plan) => State::Empty(Box::new(plan)),
        Err(error) => State::Refused(error.into()),
    }
}

/// The partition that the file asks for, where it is finished.
fn partition<'a>(disk: &Disk, contents: &'a Contents) -> Option<&'a Partition> {
    contents.partitions().iter().find(|partition| {
        partition.label == label(disk)
            && partition.number == number(disk)
            && partition.size_bytes == disk.size_gib * GIB
    })
}

fn guid(partition: &Partition) -> String {
    partition.guid.map(|g| g.to_string()).unwrap_or_default()
}

/// What the report says of a disk that was filled just now; `read_back` when a copy read every file back.
///
/// # Errors
/// Its partition is not there.
pub(super) fn filled(
    factory: &Factory,
    disk: &Disk,
    (inventory, read_back): (&Digest, bool),
) -> Result<DiskReport, Failure> {
    let text = disk.target.text();
    let selector = match &disk.target {
        Target::Device(text) => Selector::from(text.value.as_str()),
        Target::Image(path) => Selector::Path(path.value.clone()),
    };
    let contents = disk::read(&disk::find(&System::host(), &selector)?)?;
    let made = partition(disk, &contents).ok_or_else(|| {
        let message = format!("{text}: the partition `{}` is gone", label(disk));
        Failure::new(Exit::Verification, message)
    })?;
    Ok(DiskReport {
        target: name(factory, disk),
        partition: guid(made),
        label: label(disk).to_owned(),
        size_gib: disk.size_gib,
        inventory: inventory.clone(),
        filled: Some(now()),
        read_back,
    })
}

/// As the report names it, wherever the factory file is read from.
pub(super) fn name(factory: &Factory, disk: &Disk) -> String {
    match &disk.target {
        Target::Device(device) => device.value.clone(),
        Target::Image(path) => relative(factory, &path.value),
    }
}

/// Makes the empty file of an image.
///
/// # Errors
/// It cannot be written, or another run makes it.
pub(super) fn create(disk: &Disk, image: &Path) -> Result<Unfinished, Failure> {
    fs_err::create_dir_all(parent(image))?;
    let bytes = disk.size_gib * GIB + TABLES;
    Ok(Unfinished::create(image, bytes, 0o644)?)
}
