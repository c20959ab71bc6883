//! Tables of our own making, and hostile ones.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

const SIZE: u64 = 4 << 20;

/// A disk with partitions 2 and 7, written by gptman.
fn sample(sector: u32) -> Vec<u8> {
    let mut disk = Cursor::new(vec![0; usize::try_from(SIZE).unwrap()]);
    let sector = u64::from(sector);
    let mut table = gptman::GPT::new_from(&mut disk, sector, [9; 16]).unwrap();
    for (number, start) in [(2_u8, 64), (7, 128)] {
        table[u32::from(number)] = gptman::GPTPartitionEntry {
            partition_type_guid: [1; 16],
            unique_partition_guid: [number; 16],
            starting_lba: start,
            ending_lba: start + 63,
            attribute_bits: 0,
            partition_name: "näme".into(),
        };
    }
    gptman::GPT::write_protective_mbr_into(&mut disk, sector).unwrap();
    table.write_into(&mut disk).unwrap();
    disk.into_inner()
}

fn table(bytes: &[u8], sector: u32) -> Table {
    let mut disk = Cursor::new(bytes);
    read_from(&mut disk, bytes.len() as u64, sector)
        .unwrap()
        .table
}

/// Makes a header's checksum right again after an edit.
fn reseal(bytes: &mut [u8], at: usize) {
    bytes[at + 16..at + 20].fill(0);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[at..at + 92]);
    let sum = crc.sum().to_le_bytes();
    bytes[at + 16..at + 20].copy_from_slice(&sum);
}

#[test]
fn reads_what_gptman_writes() {
    for sector in [512, 4096] {
        let Table::Gpt(gpt) = table(&sample(sector), sector) else {
            panic!("no table")
        };
        let found: Vec<_> = gpt
            .partitions
            .iter()
            .map(|p| (p.number, p.start_bytes, p.size_bytes))
            .collect();
        let unit = u64::from(sector);
        assert_eq!(
            found,
            [(2, 64 * unit, 64 * unit), (7, 128 * unit, 64 * unit)]
        );
        assert_eq!(gpt.partitions[0].label, "näme");
        assert_eq!((gpt.entries, gpt.repairs.len()), (128, 0));
        let array = 16384_u64.next_multiple_of(unit);
        assert_eq!(gpt.first_usable_bytes, 2 * unit + array);
        assert_eq!(gpt.end_usable_bytes, SIZE - unit - array);
    }
}

#[test]
fn hostile_headers_are_broken_tables() {
    let last = usize::try_from(SIZE).unwrap() - 512;
    let edits: [(&str, usize, &[u8]); 6] = [
        ("no entries", 80, &[0; 4]),
        ("2^32-1 entries", 80, &[0xff; 4]),
        ("huge entries", 84, &[0xff; 4]),
        ("entries beyond the disk", 72, &[0xff; 8]),
        ("first usable sector 0", 40, &[0; 8]),
        ("last first usable sector", 40, &[0xff; 8]),
    ];
    for (what, at, value) in edits {
        let mut bytes = sample(512);
        bytes[last..].fill(0);
        bytes[512 + at..512 + at + value.len()].copy_from_slice(value);
        reseal(&mut bytes, 512);
        assert!(matches!(table(&bytes, 512), Table::Broken(_)), "{what}");
    }
}

#[test]
fn an_mbr_with_a_stale_gpt_is_an_mbr() {
    let mut bytes = sample(512);
    bytes[446 + 4] = 0x83;
    let Table::Mbr(partitions) = table(&bytes, 512) else {
        panic!("no MBR")
    };
    assert_eq!(partitions[0].kind, "0x83");
    // Erased MBR: the GPT is what there is.
    bytes[..512].fill(0);
    assert!(matches!(table(&bytes, 512), Table::Gpt(_)));
}

#[test]
fn an_outdated_backup_is_noted() {
    let mut bytes = sample(512);
    let last = bytes.len() - 512;
    let mut older = sample(512);
    older[last - 16384 + 56] ^= 1;
    let mut crc = flate2::Crc::new();
    crc.update(&older[last - 16384..last]);
    older[last + 88..last + 92].copy_from_slice(&crc.sum().to_le_bytes());
    reseal(&mut older, last);
    bytes[last - 16384..].copy_from_slice(&older[last - 16384..]);
    let Table::Gpt(gpt) = table(&bytes, 512) else {
        panic!("no table")
    };
    assert_eq!(gpt.repairs, ["the backup table is outdated"]);
}

proptest! {
    /// Any bytes in headers and entries, checksums made right: no panic, and what counts as sound, gptman can write back.
    #[test]
    fn sound_tables_are_safe_for_gptman(
        edits in prop::collection::vec((512_usize..2048, any::<u8>()), 0..24),
    ) {
        let mut bytes = sample(512);
        for (at, value) in edits {
            // The signature stays, or there is nothing to test.
            if !(512..524).contains(&at) {
                bytes[at] = value;
            }
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[1024..1024 + 16384]);
        let sum = crc.sum().to_le_bytes();
        bytes[512 + 88..512 + 92].copy_from_slice(&sum);
        reseal(&mut bytes, 512);
        let last = bytes.len() - 512;
        bytes[last..].fill(0);
        if let Table::Gpt(_) = table(&bytes, 512) {
            let mut disk = Cursor::new(bytes);
            let mut parsed = crate::disk::apply::table::existing(&mut disk, 512).unwrap();
            parsed.write_into(&mut disk).unwrap();
            let again = table(&disk.into_inner(), 512);
            prop_assert!(matches!(again, Table::Gpt(_)));
        }
    }
}
