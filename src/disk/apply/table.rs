//! Writes the partition table with gptman and reads it back with the `gpt` crate, so that one library's mistake is not believed twice.
//!
//! gptman, not `gpt`, writes, because `gpt` renumbers partitions. What gptman leaves to its caller is done here: the protective MBR,
//! the place of the backup on a grown disk, and fsync.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use gpt::disk::LogicalBlockSize;
use gptman::{GPT, GPTPartitionEntry};
use uuid::Uuid;

use crate::disk::contents::read_at;
use crate::disk::plan::{NewPartition, Plan};

/// The GUIDs that a new table and a new partition get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guids {
    pub(super) disk: Uuid,
    pub(super) partition: Uuid,
}

/// The table as planned, in memory; the new partition is called `name`.
pub(super) fn stage<D: Read + Seek>(
    disk: &mut D,
    plan: &Plan,
    guids: Guids,
    name: &str,
) -> Result<GPT, gptman::Error> {
    let sector = u64::from(plan.device.sector_bytes);
    let mut table = if plan.new_table {
        GPT::new_from(disk, sector, guids.disk.to_bytes_le())?
    } else {
        existing(disk, sector)?
    };
    if !plan.new_table {
        for gone in &plan.destroy {
            table.remove(gone.number)?;
        }
    }
    if let Some(new) = &plan.create {
        table[new.number] = entry(new, guids, name, sector);
    }
    Ok(table)
}

/// Writes a staged table, backup and protective MBR included; the caller syncs.
pub(in crate::disk) fn write<D: Read + Write + Seek>(
    disk: &mut D,
    table: &mut GPT,
) -> Result<(), gptman::Error> {
    protect(disk, table.sector_size)?;
    table.write_into(disk)?;
    Ok(())
}

/// Checks that gptman staged what our own reader saw: the kept partitions as they were, and nothing else besides the new one.
pub(super) fn strays(table: &GPT, plan: &Plan) -> Option<String> {
    let sector = table.sector_size;
    let staged = table.iter().filter(|(_, e)| e.is_used());
    let staged = staged.map(|(number, e)| {
        let (start, end) = (e.starting_lba * sector, (e.ending_lba + 1) * sector);
        (number, start, end)
    });
    let kept = plan
        .keep
        .iter()
        .map(|p| (p.number, p.start_bytes, p.end_bytes()));
    let new = plan.create.iter();
    let new = new.map(|n| (n.number, n.start_bytes, n.start_bytes + n.size_bytes));
    let mut planned: Vec<_> = kept.chain(new).collect();
    planned.sort_unstable();
    let staged: Vec<_> = staged.collect();
    (staged != planned).then(|| format!("partitions {staged:?} instead of {planned:?}"))
}

/// Gives the new partition its final name: from now on it counts as done.
pub(super) fn name<D: Read + Write + Seek>(
    disk: &mut D,
    sector: u32,
    new: &NewPartition,
) -> Result<GPT, gptman::Error> {
    let mut table = GPT::read_from(disk, u64::from(sector))?;
    table[new.number].partition_name = new.label.as_str().into();
    table.write_into(disk)?;
    Ok(table)
}

/// The table on the disk, with its backup moved to the end of the disk. Only for one that our own reader found sound.
pub(in crate::disk) fn existing<D: Read + Seek>(
    disk: &mut D,
    sector: u64,
) -> Result<GPT, gptman::Error> {
    let mut table = GPT::read_from(disk, sector)?;
    let first_usable = table.header.first_usable_lba;
    table.header.update_from(disk, sector)?;
    // update_from packs it to the least value; what was chosen there (2048 by some tools) stays.
    table.header.first_usable_lba = first_usable;
    // gptman refuses to write what some tools leave in deleted entries.
    for (_, unused) in table.iter_mut().filter(|(_, e)| e.is_unused()) {
        *unused = GPTPartitionEntry::empty();
    }
    Ok(table)
}

fn entry(new: &NewPartition, guids: Guids, name: &str, sector: u64) -> GPTPartitionEntry {
    GPTPartitionEntry {
        partition_type_guid: new.kind.to_bytes_le(),
        unique_partition_guid: guids.partition.to_bytes_le(),
        starting_lba: new.start_bytes / sector,
        ending_lba: (new.start_bytes + new.size_bytes) / sector - 1,
        attribute_bits: 0,
        partition_name: name.into(),
    }
}

/// Writes the protective MBR unless one of the right size, or a hybrid one, is there. Boot code is kept either way.
fn protect<D: Read + Write + Seek>(disk: &mut D, sector: u64) -> io::Result<()> {
    let sectors = disk.seek(SeekFrom::End(0))? / sector;
    let covers = u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    let mbr = read_at(disk, 0, 512)?;
    let entries: Vec<&[u8]> = mbr
        .get(446..510)
        .unwrap_or_default()
        .chunks_exact(16)
        .collect();
    let kinds: Vec<u8> = entries.iter().filter_map(|e| e.get(4).copied()).collect();
    let hybrid = kinds.contains(&0xee) && kinds.iter().any(|k| !matches!(k, 0 | 0xee));
    let sized = entries
        .first()
        .is_some_and(|e| e.get(12..16) == Some(&covers.to_le_bytes()));
    let signed = mbr.get(510..512) == Some(&[0x55, 0xaa]);
    if signed && (hybrid || (kinds == [0xee, 0, 0, 0] && sized)) {
        return Ok(());
    }
    // Some BIOSes boot only what is marked active.
    let active = signed && kinds.first() == Some(&0xee) && mbr.get(446) == Some(&0x80);
    let written = if active {
        GPT::write_bootable_protective_mbr_into(disk, sector)
    } else {
        GPT::write_protective_mbr_into(disk, sector)
    };
    written.map_err(io::Error::other)
}

/// Compares the disk, as the `gpt` crate reads it, with what gptman wrote. `None`: they agree.
pub(in crate::disk) fn differs<D: Read + Write + Seek + std::fmt::Debug>(
    disk: &mut D,
    written: &GPT,
) -> Option<String> {
    let block = match written.sector_size {
        4096 => LogicalBlockSize::Lb4096,
        _ => LogicalBlockSize::Lb512,
    };
    let config = gpt::GptConfig::new().logical_block_size(block);
    let read = match config.only_valid_headers(true).open_from_device(disk) {
        Ok(read) => read,
        Err(reason) => return Some(format!("no valid pair of headers ({reason})")),
    };
    let (low, high) = (read.primary_header().ok()?, read.backup_header().ok()?);
    let ends = (low.current_lba, low.backup_lba) == (high.backup_lba, high.current_lba);
    if !ends || low.crc32_parts != high.crc32_parts {
        return Some("primary and backup table disagree".to_owned());
    }
    if low.disk_guid.to_bytes_le() != written.header.disk_guid {
        return Some(format!("disk GUID {}", low.disk_guid));
    }
    let expected = lines(written);
    // `gpt` itself reads the entries of one header only.
    let (low, high) = (low.clone(), high.clone());
    let disk = read.take_device();
    for (which, header) in [("primary", &low), ("backup", &high)] {
        let seen = match gpt::partition::file_read_partitions(disk, header, block) {
            Ok(seen) => seen,
            Err(reason) => return Some(format!("{which} entries unreadable ({reason})")),
        };
        if let Some(wrong) = first_difference(&seen_lines(&seen), &expected) {
            return Some(format!("{which} table: {wrong}"));
        }
    }
    None
}

fn first_difference(seen: &[String], expected: &[String]) -> Option<String> {
    if let Some((s, e)) = seen.iter().zip(expected).find(|(s, e)| s != e) {
        return Some(format!("partition `{s}` instead of `{e}`"));
    }
    let (seen, expected) = (seen.len(), expected.len());
    (seen != expected).then(|| format!("{seen} partitions instead of {expected}"))
}

fn seen_lines(partitions: &BTreeMap<u32, gpt::partition::Partition>) -> Vec<String> {
    let used = partitions.iter().filter(|(_, p)| p.is_used());
    let lines = used.map(|(number, p)| {
        let (kind, guid) = (&p.part_type_guid.guid, &p.part_guid);
        let (first, last, flags, name) = (p.first_lba, p.last_lba, p.flags, &p.name);
        format!("{number} {first} {last} {kind} {guid} {flags:x} {name}")
    });
    lines.collect()
}

fn lines(table: &GPT) -> Vec<String> {
    let used = table.iter().filter(|(_, e)| e.is_used());
    let lines = used.map(|(number, e)| {
        let kind = Uuid::from_bytes_le(e.partition_type_guid);
        let guid = Uuid::from_bytes_le(e.unique_partition_guid);
        let (first, last, flags) = (e.starting_lba, e.ending_lba, e.attribute_bits);
        let name = e.partition_name.as_str();
        format!("{number} {first} {last} {kind} {guid} {flags:x} {name}")
    });
    lines.collect()
}
