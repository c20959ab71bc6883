//! What will be done to a disk, as plain data: made without any I/O, shown before asking, then applied.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use super::contents::{Contents, Gpt, Partition, Table};
use super::device::{Device, DeviceKind};
use super::error::DiskError;
use super::request::{Filesystem, Label, Request};
use super::{MIB, human};

/// The name of a partition whose filesystem is not made yet; a later run takes its place.
pub(super) const UNFINISHED: &str = "snoforge-unfinished";
/// Entries of a table that we make.
const ENTRIES: u32 = 128;

/// A change of a disk: [`plan`], [`plan_reset`] and [`super::plan_remove`] make it, [`super::apply()`] does it. Printed or serialised, it is what a person says yes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub(super) device: Device,
    pub(super) before: Contents,
    pub(super) new_table: bool,
    pub(super) keep: Vec<Partition>,
    pub(super) destroy: Vec<Partition>,
    pub(super) create: Option<NewPartition>,
    pub(super) notes: Vec<String>,
}

/// The partition to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPartition {
    /// Its number.
    pub number: u32,
    /// Where it begins; a multiple of 1 MiB.
    pub start_bytes: u64,
    /// Its size; a multiple of 1 MiB.
    pub size_bytes: u64,
    /// Its GPT type.
    #[serde(serialize_with = "super::as_text")]
    pub kind: Uuid,
    /// Label of the partition and the filesystem.
    pub label: Label,
    /// Its filesystem.
    pub filesystem: Filesystem,
    /// Its device node; `None` in an image file.
    pub node: Option<PathBuf>,
}

impl Plan {
    /// The disk.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What will be there that is not there now; `None` for a reset.
    pub fn create(&self) -> Option<&NewPartition> {
        self.create.as_ref()
    }

    /// The partitions that will be lost.
    pub fn destroy(&self) -> &[Partition] {
        &self.destroy
    }

    /// The partitions that stay as they are.
    pub fn keep(&self) -> &[Partition] {
        &self.keep
    }
}

/// Plans a new partition at the end of a disk. Pure.
///
/// # Errors
/// Every refusal of the room: the device is no free disk, its table is no sound GPT and `wipe` is not asked, number or label are taken,
/// the size does not fit.
pub fn plan(device: &Device, contents: &Contents, request: &Request) -> Result<Plan, DiskError> {
    refuse_device(device)?;
    refuse_request(device, request)?;
    let (gpt, new_table) = if request.wipe || empty(contents) {
        (fresh(device)?, true)
    } else {
        (usable(device, contents)?.clone(), false)
    };
    if request.number == 0 || request.number > gpt.entries {
        return Err(DiskError::NumberOutOfRange {
            path: device.path.clone(),
            number: request.number,
            max: gpt.entries,
        });
    }
    let (unfinished, keep): (Vec<_>, Vec<_>) = gpt
        .partitions
        .iter()
        .cloned()
        .partition(Partition::is_unfinished);
    refuse_taken(device, &keep, request)?;
    let size_bytes = request.size_mib * MIB;
    let start_bytes = place(&gpt, &keep, size_bytes).ok_or_else(|| DiskError::NoRoom {
        path: device.path.clone(),
        asked_bytes: size_bytes,
        largest_bytes: gaps(&gpt, &keep)
            .map(|(start, end)| end - start)
            .max()
            .unwrap_or(0),
    })?;
    Ok(Plan {
        new_table,
        keep,
        destroy: if new_table {
            contents.partitions().to_vec()
        } else {
            unfinished
        },
        create: Some(NewPartition {
            number: request.number,
            start_bytes,
            size_bytes,
            kind: request.filesystem.partition_type(),
            label: request.label.clone(),
            filesystem: request.filesystem,
            node: node(device, request.number),
        }),
        notes: gpt.repairs,
        device: device.clone(),
        before: contents.clone(),
    })
}

/// Plans the removal of every partition but the one labelled `keep`. Pure.
///
/// # Errors
/// The device is no free disk with a sound GPT; `keep` is there not exactly once; there is nothing else.
pub fn plan_reset(device: &Device, contents: &Contents, keep: &str) -> Result<Plan, DiskError> {
    refuse_device(device)?;
    let gpt = usable(device, contents)?.clone();
    let (kept, destroy): (Vec<_>, Vec<_>) =
        gpt.partitions.into_iter().partition(|p| p.label == keep);
    if kept.len() != 1 {
        return Err(DiskError::KeepNotFound {
            path: device.path.clone(),
            label: keep.to_owned(),
            found: kept.len(),
        });
    }
    if destroy.is_empty() {
        return Err(DiskError::NothingToRemove {
            path: device.path.clone(),
            label: keep.to_owned(),
        });
    }
    Ok(Plan {
        device: device.clone(),
        before: contents.clone(),
        new_table: false,
        keep: kept,
        destroy,
        create: None,
        notes: gpt.repairs,
    })
}

/// What cannot be written as a whole.
pub(super) fn refuse_device(device: &Device) -> Result<(), DiskError> {
    refuse_kind(device)?;
    if device.uses.is_empty() {
        return Ok(());
    }
    Err(DiskError::InUse {
        path: device.path.clone(),
        uses: device.uses.clone(),
    })
}

/// What cannot be written, in use or not.
pub(super) fn refuse_kind(device: &Device) -> Result<(), DiskError> {
    let path = device.path.clone();
    match &device.kind {
        DeviceKind::Partition { of } => {
            return Err(DiskError::IsPartition {
                path,
                disk: of.clone(),
            });
        }
        DeviceKind::Mapped => return Err(DiskError::IsMapped(path)),
        DeviceKind::Disk | DeviceKind::Image => {}
    }
    if device.read_only {
        return Err(DiskError::ReadOnly(path));
    }
    Ok(())
}

fn refuse_request(device: &Device, request: &Request) -> Result<(), DiskError> {
    let filesystem = request.filesystem;
    let max = filesystem.label_max();
    if request.label.as_str().len() > max {
        return Err(DiskError::BadLabel {
            label: request.label.to_string(),
            reason: format!(
                "is longer than the {max} characters of {}",
                filesystem.name()
            ),
        });
    }
    let (min_mib, max_mib) = filesystem.size_mib(device.sector_bytes);
    if (min_mib..=max_mib).contains(&request.size_mib) {
        return Ok(());
    }
    Err(DiskError::SizeOutOfRange {
        filesystem: filesystem.name(),
        asked_bytes: request.size_mib.saturating_mul(MIB),
        min_bytes: min_mib * MIB,
        max_bytes: max_mib * MIB,
    })
}

fn refuse_taken(device: &Device, there: &[Partition], request: &Request) -> Result<(), DiskError> {
    let own_label = request.filesystem.own_label(&request.label);
    let has_label = |p: &&Partition| {
        p.label == request.label.as_str()
            || p.content.as_ref().is_some_and(|c| c.label == own_label)
    };
    let Some(found) = there.iter().find(|p| p.number == request.number) else {
        return match there.iter().find(has_label) {
            None => Ok(()),
            Some(other) => Err(DiskError::LabelInUse {
                path: device.path.clone(),
                label: request.label.to_string(),
                number: other.number,
            }),
        };
    };
    let filesystem = found.content.as_ref().map_or("", |c| c.kind);
    let as_asked = found.label == request.label.as_str()
        && found.size_bytes == request.size_mib * MIB
        && filesystem == request.filesystem.name();
    Err(if as_asked {
        DiskError::AlreadyThere {
            path: device.path.clone(),
            number: found.number,
            label: found.label.clone(),
            size_bytes: found.size_bytes,
            filesystem: filesystem.to_owned(),
        }
    } else {
        DiskError::NumberInUse {
            path: device.path.clone(),
            number: found.number,
            found: describe(found),
        }
    })
}

/// Nothing on it that could be lost.
fn empty(contents: &Contents) -> bool {
    contents.table == Table::None && contents.signature.is_none()
}

/// The GPT of a disk that may be changed without `--wipe`.
pub(super) fn usable<'a>(device: &Device, contents: &'a Contents) -> Result<&'a Gpt, DiskError> {
    let wipe = |found: String| DiskError::NeedsWipe {
        path: device.path.clone(),
        found,
    };
    // Firmware RAID and whole-disk LVM, LUKS and md own every byte, whatever table is inside. An ISO image on a stick is a GPT disk too.
    let owned = contents.signature.as_ref().filter(|s| s.kind != "iso9660");
    match (&contents.table, owned) {
        (Table::Gpt(gpt), None) => Ok(gpt),
        (_, Some(signature)) => Err(wipe(format!("it holds {signature}"))),
        (Table::None, None) => Err(wipe("it has no partition table".to_owned())),
        (Table::Mbr(partitions), None) => {
            let lines: Vec<String> = partitions.iter().map(describe).collect();
            Err(wipe(format!("it has an MBR with {}", count(lines.len()))))
        }
        (Table::Broken(reason), None) => Err(wipe(format!("it has a {reason}"))),
    }
}

fn count(partitions: usize) -> String {
    match partitions {
        1 => "1 partition".to_owned(),
        n => format!("{n} partitions"),
    }
}

/// The table that will be made: 128 entries, as every tool does.
fn fresh(device: &Device) -> Result<Gpt, DiskError> {
    let sector = u64::from(device.sector_bytes);
    let array = u64::from(ENTRIES) * 128;
    let first_usable_bytes = 2 * sector + array.div_ceil(sector) * sector;
    let whole = device.size_bytes / sector * sector;
    let end = whole.checked_sub(first_usable_bytes - sector);
    match end.filter(|end| *end > first_usable_bytes) {
        Some(end_usable_bytes) => Ok(Gpt {
            guid: Uuid::nil(),
            entries: ENTRIES,
            first_usable_bytes,
            end_usable_bytes,
            partitions: Vec::new(),
            repairs: Vec::new(),
        }),
        None => Err(DiskError::NoRoom {
            path: device.path.clone(),
            asked_bytes: MIB,
            largest_bytes: 0,
        }),
    }
}

/// The aligned free space, from the start of the disk: start and end (exclusive), both multiples of 1 MiB, never empty.
fn gaps<'a>(gpt: &'a Gpt, there: &[Partition]) -> impl Iterator<Item = (u64, u64)> + use<'a> {
    let mut taken: Vec<(u64, u64)> = there
        .iter()
        .map(|p| (p.start_bytes, p.end_bytes()))
        .collect();
    taken.push((gpt.end_usable_bytes, gpt.end_usable_bytes));
    taken.sort_unstable();
    let mut free_from = gpt.first_usable_bytes;
    taken.into_iter().filter_map(move |(start, end)| {
        let gap = (free_from.next_multiple_of(MIB), start / MIB * MIB);
        free_from = free_from.max(end);
        (gap.0 < gap.1).then_some(gap)
    })
}

/// The last place where so much fits.
fn place(gpt: &Gpt, there: &[Partition], size: u64) -> Option<u64> {
    let fitting = gaps(gpt, there).filter(|(start, end)| end - start >= size);
    fitting.last().map(|(_, end)| end - size)
}

/// `sda5`, but `nvme0n1p5`: the kernel puts a `p` after a digit.
pub(super) fn node(device: &Device, number: u32) -> Option<PathBuf> {
    if device.kind == DeviceKind::Image {
        return None;
    }
    let disk = device.path.to_string_lossy();
    let p = if disk.ends_with(|c: char| c.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    Some(format!("{disk}{p}{number}").into())
}

fn describe(partition: &Partition) -> String {
    let content = partition.content.as_ref();
    let content = content.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let label = match partition.label.as_str() {
        "" => "-".to_owned(),
        label => format!("`{}`", label.escape_debug()),
    };
    let size = human(partition.size_bytes);
    let start = human(partition.start_bytes);
    format!("{label}, {size} at {start}, {content}")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "disk      {}", self.device)?;
        let table = match &self.before.table {
            Table::None => "no partition table",
            Table::Gpt(_) => "GPT",
            Table::Mbr(_) => "MBR",
            Table::Broken(reason) => reason,
        };
        write!(
            f,
            "now       {table}, {}",
            count(self.before.partitions().len())
        )?;
        if let Some(signature) = &self.before.signature {
            write!(f, ", the disk as a whole is {signature}")?;
        }
        writeln!(f)?;
        for partition in &self.keep {
            writeln!(f, "keep      {}: {}", partition.number, describe(partition))?;
        }
        for partition in &self.destroy {
            writeln!(f, "DESTROY   {}: {}", partition.number, describe(partition))?;
        }
        if self.new_table {
            let why = if empty(&self.before) {
                ""
            } else {
                ", everything on the disk is lost"
            };
            writeln!(f, "make      a new GPT{why}")?;
        }
        for note in &self.notes {
            writeln!(f, "repair    {note}")?;
        }
        if let Some(new) = &self.create {
            writeln!(
                f,
                "make      {}: `{}`, {} at {}, {}",
                new.number,
                new.label,
                human(new.size_bytes),
                human(new.start_bytes),
                new.filesystem.name()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
