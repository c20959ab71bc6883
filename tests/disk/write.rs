//! `disk write`: one image onto many loop devices.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use snoforge::disk::{self, DiskError, Filesystem, MIB};
use snoforge::progress::Silent;

use super::{Loop, Mount, blkid, image, look, partition, request, scribble, skipped, tool};

/// A sparse image with a data partition.
fn stick(dir: &Path) -> PathBuf {
    let path = image(dir, 100);
    partition(&path, &request(1, 48, Filesystem::Ext4));
    let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(60 * MIB)).unwrap();
    file.write_all(&vec![0xa5; 20 << 20]).unwrap();
    file.sync_all().unwrap();
    path
}

#[test]
fn an_image_goes_onto_many_disks_and_one_that_fails_stops_no_other() {
    if skipped(true, &["mkfs.ext4", "sgdisk", "losetup", "cmp"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = stick(dir.path());
    let backing = |name: &str| {
        let path = dir.path().join(name);
        File::create(&path).unwrap().set_len(101 * MIB).unwrap();
        path
    };
    let tmpfs = Mount::new(
        &["-t", "tmpfs", "-o", "size=8m"],
        "none",
        &dir.path().join("small"),
    );
    let files = [backing("a"), backing("small/b"), backing("c")];
    let mut loops: Vec<Loop> = files.iter().map(|file| Loop::new(file, 512)).collect();
    // What an old image left must not show through its holes.
    scribble(&loops[0].0, 90 * MIB, MIB);
    let write = |loops: &[Loop]| {
        let disks = loops.iter().map(|l| look(&l.0).0).collect();
        let plan = disk::WritePlan::new(&source, disks).unwrap();
        plan.run(&Silent, &|| false).unwrap()
    };
    let report = write(&loops);
    let done: Vec<bool> = report.disks.iter().map(|d| d.done).collect();
    assert_eq!(done, [true, false, true], "{report:?}");
    assert!(matches!(report.disks[1].error, Some(DiskError::Io { .. })));
    for disk in [&loops[0], &loops[2]] {
        let size = (100 * MIB).to_string();
        tool("cmp", &["-n", &size, source.to_str().unwrap(), &disk.0]);
        assert_eq!(blkid(&disk.part(1), "LABEL"), "data", "the kernel was told");
    }
    let sum = tool("sha256sum", &[source.to_str().unwrap()]);
    let digest = report.digest.unwrap().to_string();
    assert_eq!(digest.strip_prefix("sha256:"), sum.split(' ').next());
    // Plugged in again, with room, it goes on.
    tool(
        "mount",
        &["-o", "remount,size=200m", tmpfs.0.to_str().unwrap()],
    );
    drop(loops.remove(1));
    loops.insert(1, Loop::new(&files[1], 512));
    let report = write(&loops);
    assert!(report.disks.iter().all(|d| d.done), "{report:?}");
    assert_eq!(
        report.disks[0].written_bytes, 0,
        "a whole disk is only read"
    );
    tool(
        "cmp",
        &["-n", "104857600", source.to_str().unwrap(), &loops[1].0],
    );
}

#[test]
fn a_mounted_disk_gets_no_image() {
    if skipped(true, &["mkfs.ext4", "losetup", "mount"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = stick(dir.path());
    let target = dir.path().join("target");
    File::create(&target).unwrap().set_len(101 * MIB).unwrap();
    let disk = Loop::new(&target, 512);
    partition(&disk.0, &request(1, 48, Filesystem::Ext4));
    let _mount = Mount::new(&[], &disk.part(1), &dir.path().join("mnt"));
    let refused = disk::WritePlan::new(&source, vec![look(&disk.0).0]);
    assert!(
        matches!(refused, Err(DiskError::InUse { .. })),
        "{refused:?}"
    );
}
