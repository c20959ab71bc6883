use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::disk::{Selector, System, find};
use crate::progress::Silent;

const MIB: u64 = 1 << 20;

/// An image of 9.5 MiB: data, a hole of 4 MiB, data; and disks of 12 MiB full of something else.
fn bench(disks: usize) -> (TempDir, PathBuf, Vec<u8>, Vec<PathBuf>) {
    let home = TempDir::new().unwrap();
    let image = home.path().join("stick.img");
    let mut bytes: Vec<u8> = (0..9 * MIB + MIB / 2)
        .map(|n| u8::try_from(n % 251).unwrap() | 1)
        .collect();
    let (from, to) = (3 << 20, 7 << 20);
    bytes[from..to].fill(0);
    let file = fs_err::File::create(&image).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    file.file().write_all_at(&bytes[..from], 0).unwrap();
    file.file().write_all_at(&bytes[to..], 7 * MIB).unwrap();
    file.sync_all().unwrap();
    let disks = (0..disks).map(|n| {
        let disk = home.path().join(format!("disk-{n}.img"));
        fs_err::write(&disk, vec![0x5a; 12 << 20]).unwrap();
        disk
    });
    let disks = disks.collect();
    (home, image, bytes, disks)
}

fn plan(image: &Path, disks: &[PathBuf]) -> Result<WritePlan, DiskError> {
    let disk = |path: &PathBuf| find(&System::host(), &Selector::Path(path.clone())).unwrap();
    WritePlan::new(image, disks.iter().map(disk).collect())
}

fn write(image: &Path, disks: &[PathBuf]) -> WriteReport {
    let plan = plan(image, disks).unwrap();
    plan.run(&Silent, &|| false).unwrap()
}

fn assert_holds(disk: &Path, bytes: &[u8]) {
    let held = fs_err::read(disk).unwrap();
    assert!(held[..bytes.len()] == *bytes, "{}", disk.display());
    assert!(
        held[bytes.len()..].iter().all(|b| *b == 0x5a),
        "what is behind the image stays"
    );
}

#[test]
fn every_disk_gets_every_byte_and_a_second_run_writes_none() {
    let (_home, image, bytes, disks) = bench(3);
    let report = write(&image, &disks);
    assert_eq!(report.digest, Some(crate::oci::Digest::of(&bytes)));
    assert!(!report.interrupted);
    for (disk, outcome) in disks.iter().zip(&report.disks) {
        assert!(outcome.done, "{:?}", outcome.error);
        assert_holds(disk, &bytes);
        assert_eq!(outcome.verified_bytes, bytes.len() as u64 - CHUNK);
    }
    for outcome in write(&image, &disks).disks {
        assert!(outcome.done);
        assert_eq!(outcome.written_bytes, 0);
        assert_eq!(outcome.kept_bytes, bytes.len() as u64);
    }
}

#[test]
fn what_is_there_is_kept_up_to_the_first_difference() {
    let (_home, image, bytes, disks) = bench(1);
    write(&image, &disks);
    let disk = fs_err::OpenOptions::new()
        .write(true)
        .open(&disks[0])
        .unwrap();
    // In the hole: zeros count as much as data.
    disk.file().write_all_at(b"x", 6 * MIB).unwrap();
    let report = write(&image, &disks);
    let outcome = &report.disks[0];
    assert!(outcome.done);
    assert_eq!(outcome.kept_bytes, 2 * MIB, "what is before the hole");
    assert_holds(&disks[0], &bytes);

    // Only the first MiB is missing, as after a kill during the read-back.
    disk.file().write_all_at(&[0; 512], 0).unwrap();
    let outcome = &write(&image, &disks).disks[0];
    assert!(outcome.done);
    assert_eq!(outcome.written_bytes, 0, "the head is not counted");
    assert_holds(&disks[0], &bytes);
}

#[test]
fn a_stopped_run_leaves_no_partition_table_and_the_next_goes_on() {
    let (_home, image, bytes, disks) = bench(2);
    let asked = AtomicU64::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 3;
    let report = plan(&image, &disks).unwrap().run(&Silent, &stop).unwrap();
    assert!(report.interrupted);
    assert_eq!(report.digest, None);
    for (disk, outcome) in disks.iter().zip(&report.disks) {
        assert!(!outcome.done && outcome.error.is_none());
        assert!(
            fs_err::read(disk).unwrap()[..1 << 20]
                .iter()
                .all(|b| *b == 0)
        );
    }
    let report = write(&image, &disks);
    for (disk, outcome) in disks.iter().zip(&report.disks) {
        assert!(outcome.done && outcome.kept_bytes > 0);
        assert_holds(disk, &bytes);
    }
}

#[test]
fn a_disk_that_fails_does_not_stop_the_others() {
    let (_home, image, bytes, disks) = bench(2);
    let mut plan = plan(&image, &disks).unwrap();
    fs_err::remove_file(&disks[0]).unwrap();
    let report = plan.run(&Silent, &|| false).unwrap();
    assert!(!report.disks[0].done);
    let error = report.disks[0].error.as_ref().unwrap().to_string();
    assert!(error.contains("disk-0.img"), "{error}");
    assert!(report.disks[1].done);
    assert_holds(&disks[1], &bytes);
    // With none left there is nothing to read either.
    plan.disks.truncate(1);
    let report = plan.run(&Silent, &|| false).unwrap();
    assert_eq!((report.digest, report.interrupted), (None, false));
}

#[test]
fn refusals_come_before_anything_is_written() {
    let (home, image, _, disks) = bench(1);
    let refused = |image: &Path, disks: &[PathBuf]| plan(image, disks).unwrap_err().to_string();
    let twice = [disks[0].clone(), disks[0].clone()];
    assert!(refused(&image, &twice).contains("more than once"));
    assert!(refused(&image, std::slice::from_ref(&image)).contains("more than once"));
    let small = home.path().join("small.img");
    fs_err::write(&small, [0; 4096]).unwrap();
    assert!(refused(&image, std::slice::from_ref(&small)).contains("9.5 MiB"));
    let empty = home.path().join("empty.img");
    fs_err::write(&empty, []).unwrap();
    assert!(refused(&empty, &disks).contains("is empty"));
    assert!(refused(home.path(), &disks).contains("no image file"));
    assert_eq!(fs_err::read(&disks[0]).unwrap(), vec![0x5a; 12 << 20]);
}
