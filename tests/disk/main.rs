//! The data partition on loop devices and image files, judged by the field's own tools.
//!
//! Tests that need root, loop devices or a tool that is not there say so and pass.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says why it skips"
)]

mod write;

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use snoforge::disk::{
    self, Applied, Contents, Device, DiskError, Filesystem, MIB, Plan, Populate, Request, Selector,
    System, Table,
};
use snoforge::exec;
use snoforge::io::Category;
use snoforge::progress::{Event, Reporter, Silent};

// ---- helpers ----

fn tool(program: &str, args: &[&str]) -> String {
    let out = exec::run(program, args).unwrap_or_else(|e| panic!("{program} {args:?}: {e}"));
    String::from_utf8_lossy(&out).into_owned()
}

/// `true`, and a word on stderr, when the test cannot run here.
fn skipped(needs_root: bool, tools: &[&str]) -> bool {
    if needs_root && !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return true;
    }
    if needs_root && exec::run("losetup", &["-f"]).is_err() {
        eprintln!("skipped: no loop devices");
        return true;
    }
    for name in tools {
        let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
            .iter()
            .any(|dir| Path::new(dir).join(name).exists());
        if !found {
            eprintln!("skipped: `{name}` is not installed");
            return true;
        }
    }
    false
}

/// A loop device that goes away with the test.
struct Loop(String);

impl Loop {
    fn new(image: &Path, sector: u32) -> Self {
        Self::with(image, &["-P", "-b", &sector.to_string()])
    }

    fn with(image: &Path, options: &[&str]) -> Self {
        let mut args = vec!["-f", "--show"];
        args.extend(options);
        args.push(image.to_str().unwrap());
        Self(tool("losetup", &args).trim().to_owned())
    }

    fn part(&self, number: u32) -> String {
        format!("{}p{number}", self.0)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = exec::run("losetup", &["-d", &self.0]);
    }
}

/// A mount that goes away with the test.
struct Mount(PathBuf);

impl Mount {
    fn new(options: &[&str], what: &str, at: &Path) -> Self {
        fs_err::create_dir_all(at).unwrap();
        let mut args = options.to_vec();
        args.extend([what, at.to_str().unwrap()]);
        tool("mount", &args);
        Self(at.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = exec::run("umount", &[&self.0]);
    }
}

fn image(dir: &Path, mib: u64) -> PathBuf {
    let path = dir.join("disk.img");
    File::create(&path).unwrap().set_len(mib * MIB).unwrap();
    path
}

fn request(number: u32, mib: u64, filesystem: Filesystem) -> Request {
    Request {
        size_mib: mib,
        number,
        label: "data".parse().unwrap(),
        filesystem,
        wipe: false,
    }
}

fn look(path: impl AsRef<Path>) -> (Device, Contents) {
    let selector = Selector::Path(path.as_ref().to_owned());
    let device = disk::find(&System::host(), &selector).unwrap();
    let contents = disk::read(&device).unwrap();
    (device, contents)
}

fn plan(path: impl AsRef<Path>, request: &Request) -> Result<Plan, DiskError> {
    let (device, contents) = look(path);
    disk::plan(&device, &contents, request)
}

fn partition(path: impl AsRef<Path>, request: &Request) -> Applied {
    let plan = plan(path, request).unwrap();
    disk::apply(&plan, Populate::Empty, &Silent).unwrap()
}

fn bytes(path: impl AsRef<Path>, at: u64, length: u64) -> Vec<u8> {
    let mut file = File::open(path.as_ref()).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    let mut all = Vec::new();
    file.take(length).read_to_end(&mut all).unwrap();
    all
}

fn scribble(path: impl AsRef<Path>, at: u64, length: u64) {
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .open(path.as_ref())
        .unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    let pattern: Vec<u8> = (0..length)
        .map(|i| (i * 31 + i / 4096).to_le_bytes()[0])
        .collect();
    file.write_all(&pattern).unwrap();
    file.sync_all().unwrap();
}

/// Partitions 1 to 4 as coreos-installer lays them out, full of a pattern.
fn like_coreos(device: &str) -> Vec<(u64, u64)> {
    let mut args = vec!["-n1:0:+1M", "-t1:21686148-6449-6E6F-744E-656564454649"];
    args.extend(["-c1:BIOS-BOOT", "-n2:0:+16M", "-t2:ef00", "-c2:EFI-SYSTEM"]);
    args.extend(["-n3:0:+32M", "-c3:boot", "-n4:0:+64M", "-c4:root"]);
    // An attribute bit, to see that it stays.
    args.push("-A4:set:59");
    sgdisk(device, &args);
    let (_, contents) = look(device);
    let places: Vec<_> = gpt(&contents)
        .partitions
        .iter()
        .map(|p| (p.start_bytes, p.size_bytes))
        .collect();
    assert_eq!(places.len(), 4);
    for (start, size) in &places {
        scribble(device, *start, *size);
    }
    places
}

/// Runs sgdisk on a device, and tells the kernel even where it has no GPT parser.
fn sgdisk(device: &str, options: &[&str]) {
    tool("sgdisk", &[options, &[device]].concat());
    tool("partx", &["-u", device]);
}

fn gpt(contents: &Contents) -> &disk::Gpt {
    match &contents.table {
        Table::Gpt(gpt) => gpt,
        other => panic!("no GPT: {other:?}"),
    }
}

/// What sgdisk says about each of the partitions, attributes and GUIDs included.
fn entries(device: &str, numbers: &[u32]) -> String {
    let show = |n: &u32| tool("sgdisk", &[&format!("-i{n}"), device]);
    numbers.iter().map(show).collect()
}

fn sound(device: &str) {
    let said = tool("sgdisk", &["-v", device]);
    assert!(said.contains("No problems found"), "{said}");
    assert!(!said.to_lowercase().contains("warning"), "{said}");
}

fn blkid(node: &str, key: &str) -> String {
    tool("blkid", &["-p", "-o", "value", "-s", key, node])
        .trim()
        .to_owned()
}

fn healthy(node: &str, filesystem: Filesystem) {
    match filesystem {
        Filesystem::Xfs => tool("xfs_repair", &["-n", node]),
        Filesystem::Ext4 => tool("e2fsck", &["-fn", node]),
        Filesystem::Vfat => tool("fsck.vfat", &["-n", node]),
    };
}

// ---- block devices ----

#[test]
fn next_to_an_installed_system() {
    if skipped(true, &["sgdisk", "mkfs.xfs", "blkid", "xfs_repair"]) {
        return;
    }
    for sector in [512, 4096] {
        let dir = tempfile::tempdir().unwrap();
        let dev = Loop::new(&image(dir.path(), 1024), sector);
        let places = like_coreos(&dev.0);
        let told = entries(&dev.0, &[1, 2, 3, 4]);
        let before: Vec<_> = places.iter().map(|(s, n)| bytes(&dev.0, *s, *n)).collect();

        let asked = request(7, 512, Filesystem::Xfs);
        let made = partition(&dev.0, &asked).partition.unwrap();

        assert_eq!(made.number, 7);
        assert_eq!(made.node.as_deref(), Some(Path::new(&dev.part(7))));
        assert_eq!((made.start_bytes % MIB, made.size_bytes), (0, 512 * MIB));
        // At the end: the backup table takes less than the last MiB.
        assert_eq!(made.start_bytes + made.size_bytes, 1023 * MIB);
        sound(&dev.0);
        let shown = tool("sgdisk", &["-i7", &dev.0]);
        assert!(
            shown.contains("0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
            "{shown}"
        );
        assert!(shown.contains("Partition name: 'data'"), "{shown}");
        assert!(
            shown.contains(&made.guid.to_string().to_uppercase()),
            "{shown}"
        );
        assert_eq!(blkid(&dev.part(7), "TYPE"), "xfs");
        assert_eq!(blkid(&dev.part(7), "LABEL"), "data");
        healthy(&dev.part(7), Filesystem::Xfs);
        {
            let mounted = Mount::new(&[], &dev.part(7), &dir.path().join("mnt"));
            fs_err::write(mounted.0.join("f"), "x").unwrap();
        }
        assert_eq!(entries(&dev.0, &[1, 2, 3, 4]), told);
        for ((start, size), was) in places.iter().zip(&before) {
            assert!(
                bytes(&dev.0, *start, *size) == *was,
                "partition at {start} changed"
            );
        }

        let again = plan(&dev.0, &asked).unwrap_err();
        assert!(
            matches!(again, DiskError::AlreadyThere { number: 7, .. }),
            "{again}"
        );
        let (device, contents) = look(&dev.0);
        assert_eq!(device.sector_bytes, sector);
        assert_eq!(gpt(&contents).partitions.len(), 5);
    }
}

#[test]
fn every_filesystem_on_an_empty_disk() {
    if skipped(
        true,
        &["sgdisk", "mkfs.xfs", "mke2fs", "fsck.vfat", "blkid"],
    ) {
        return;
    }
    for sector in [512, 4096] {
        for filesystem in [Filesystem::Xfs, Filesystem::Ext4, Filesystem::Vfat] {
            let dir = tempfile::tempdir().unwrap();
            let dev = Loop::new(&image(dir.path(), 700), sector);
            partition(&dev.0, &request(1, 600, filesystem));
            sound(&dev.0);
            let node = dev.part(1);
            assert_eq!(blkid(&node, "TYPE"), filesystem.name());
            let label = if filesystem == Filesystem::Vfat {
                "DATA"
            } else {
                "data"
            };
            assert_eq!(blkid(&node, "LABEL"), label);
            healthy(&node, filesystem);
            let kind = tool("sgdisk", &["-i1", &dev.0]);
            let wanted = if filesystem == Filesystem::Vfat {
                "EBD0A0A2-"
            } else {
                "0FC63DAF-"
            };
            assert!(kind.contains(wanted), "{kind}");
        }
    }
}

#[test]
fn a_grown_disk_gets_its_backup_table_moved() {
    if skipped(true, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 200);
    tool(
        "sgdisk",
        &["-n4:0:+20M", "-c4:root", path.to_str().unwrap()],
    );
    fs_err::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(900 * MIB)
        .unwrap();
    let dev = Loop::new(&path, 512);
    let told = entries(&dev.0, &[4]);
    let plan = plan(&dev.0, &request(5, 512, Filesystem::Xfs)).unwrap();
    assert!(plan.to_string().contains("the disk grew"), "{plan}");
    let made = disk::apply(&plan, Populate::Empty, &Silent).unwrap();
    let made = made.partition.unwrap();
    assert_eq!(made.start_bytes + made.size_bytes, 899 * MIB);
    assert_eq!(entries(&dev.0, &[4]), told);
    sound(&dev.0);
}

#[test]
fn damaged_tables_are_repaired_from_the_other() {
    if skipped(true, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    for (at, note) in [
        (0, "primary table is damaged"),
        (899 * MIB, "backup table is damaged"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = image(dir.path(), 900);
        tool(
            "sgdisk",
            &["-n4:2048:+20M", "-c4:root", path.to_str().unwrap()],
        );
        let told = entries(path.to_str().unwrap(), &[4]);
        // The whole MiB: MBR, header and entries, or entries and header.
        let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&vec![0; 1 << 20]).unwrap();
        let dev = Loop::new(&path, 512);
        let plan = plan(&dev.0, &request(5, 512, Filesystem::Xfs)).unwrap();
        assert!(plan.to_string().contains(note), "{plan}");
        disk::apply(&plan, Populate::Empty, &Silent).unwrap();
        sound(&dev.0);
        assert_eq!(entries(&dev.0, &[4]), told);
    }
}

#[test]
fn an_mbr_disk_needs_wipe() {
    if skipped(true, &["parted", "sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 700), 512);
    let args = [
        "-s", &dev.0, "mklabel", "msdos", "mkpart", "primary", "1MiB", "50MiB",
    ];
    tool("parted", &args);
    tool("mkfs.vfat", &[&dev.part(1)]);
    let mut asked = request(1, 512, Filesystem::Xfs);
    let refused = plan(&dev.0, &asked).unwrap_err();
    assert!(matches!(&refused, DiskError::NeedsWipe { found, .. } if found.contains("MBR")));
    assert_eq!(refused.category(), Category::Usage);
    asked.wipe = true;
    let plan = plan(&dev.0, &asked).unwrap();
    assert_eq!(plan.destroy().len(), 1);
    let shown = plan.to_string();
    assert!(
        shown.contains("DESTROY") && shown.contains("vfat"),
        "{shown}"
    );
    disk::apply(&plan, Populate::Empty, &Silent).unwrap();
    sound(&dev.0);
    assert!(tool("blkid", &["-p", &dev.0]).contains("PTTYPE=\"gpt\""));
    // The kernel forgot the old partition 1 and shows the new one.
    let sectors = fs_err::read_to_string(format!(
        "/sys/class/block/{}/size",
        dev.part(1).trim_start_matches("/dev/")
    ));
    assert_eq!(sectors.unwrap().trim(), (512 * MIB / 512).to_string());
}

#[test]
fn wipe_leaves_no_old_signature() {
    if skipped(true, &["mkfs.xfs", "mke2fs", "wipefs", "sgdisk", "blkid"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 700), 512);
    // A whole-disk ext4, and an md 1.0 superblock at the end.
    tool("mke2fs", &["-q", "-F", &dev.0]);
    let mut file = fs_err::OpenOptions::new().write(true).open(&dev.0).unwrap();
    file.seek(SeekFrom::Start(700 * MIB - 8192)).unwrap();
    file.write_all(&0xa92b_4efc_u32.to_le_bytes()).unwrap();
    drop(file);
    let mut asked = request(1, 512, Filesystem::Xfs);
    let refused = plan(&dev.0, &asked).unwrap_err().to_string();
    assert!(refused.contains("linux_raid_member"), "{refused}");
    asked.wipe = true;
    partition(&dev.0, &asked);
    sound(&dev.0);
    let left = tool("wipefs", &["-n", "-O", "TYPE", "--noheadings", &dev.0]);
    assert!(!left.contains("ext") && !left.contains("raid"), "{left}");
    assert_eq!(blkid(&dev.part(1), "TYPE"), "xfs");
    let inside = tool(
        "wipefs",
        &["-n", "-O", "TYPE", "--noheadings", &dev.part(1)],
    );
    assert_eq!(inside.split_whitespace().collect::<Vec<_>>(), ["xfs"]);
}

#[test]
fn an_old_filesystem_in_the_free_space_is_erased() {
    if skipped(true, &["mkfs.xfs", "wipefs", "sgdisk"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    let dev = Loop::new(&path, 512);
    sgdisk(&dev.0, &["-n1:0:+10M"]);
    // Where the new partition will be: swap at its start, md 1.0 at its end.
    let (start, end) = ((699 - 512) * MIB, 699 * MIB);
    let mut file = fs_err::OpenOptions::new().write(true).open(&dev.0).unwrap();
    file.seek(SeekFrom::Start(start + 4086)).unwrap();
    file.write_all(b"SWAPSPACE2").unwrap();
    file.seek(SeekFrom::Start(end - 8192)).unwrap();
    file.write_all(&0xa92b_4efc_u32.to_le_bytes()).unwrap();
    drop(file);
    partition(&dev.0, &request(2, 512, Filesystem::Vfat));
    let inside = tool(
        "wipefs",
        &["-n", "-O", "TYPE", "--noheadings", &dev.part(2)],
    );
    let kinds: Vec<_> = inside.split_whitespace().collect();
    assert!(
        kinds.iter().all(|k| *k == "vfat" || *k == "dos"),
        "{inside}"
    );
}

#[test]
fn a_busy_table_is_told_partition_by_partition() {
    if skipped(true, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 700), 512);
    sgdisk(&dev.0, &["-n1:0:+10M"]);
    // An open partition makes BLKRRPART answer EBUSY.
    let held = File::open(dev.part(1)).unwrap();
    partition(&dev.0, &request(5, 512, Filesystem::Xfs));
    drop(held);
    healthy(&dev.part(5), Filesystem::Xfs);
    sound(&dev.0);
}

#[test]
fn disks_in_use_are_refused() {
    if skipped(true, &["sgdisk", "mke2fs", "mkswap", "dmsetup"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    let dev = Loop::new(&path, 512);
    sgdisk(&dev.0, &["-n1:0:+64M", "-n2:0:+64M"]);
    let asked = request(5, 512, Filesystem::Xfs);
    let refusal = || plan(&dev.0, &asked).unwrap_err();

    tool("mke2fs", &["-q", "-F", &dev.part(1)]);
    {
        let at = dir.path().join("a mount");
        let _mount = Mount::new(&[], &dev.part(1), &at);
        let said = refusal();
        assert_eq!(said.category(), Category::Environment);
        let wanted = format!("p1 is mounted at {}", at.display());
        assert!(said.to_string().contains(&wanted), "{said}");
    }
    tool("mkswap", &[&dev.part(2)]);
    if exec::run("swapon", &[&dev.part(2)]).is_ok() {
        let said = refusal().to_string();
        tool("swapoff", &[&dev.part(2)]);
        assert!(said.contains("p2 is swap space"), "{said}");
    } else {
        eprintln!("swap not tested: swapon fails here");
    }
    let table = format!("0 2048 linear {} 0", dev.part(1));
    let name = format!("snoforge-test-{}", std::process::id());
    if exec::run("dmsetup", &["create", &name, "--table", &table]).is_ok() {
        let said = refusal().to_string();
        tool("dmsetup", &["remove", &name]);
        assert!(said.contains(&format!("({name})")), "{said}");
    } else {
        eprintln!("device-mapper not tested: dmsetup fails here");
    }
    let part = plan(dev.part(1), &asked).unwrap_err();
    assert!(matches!(part, DiskError::IsPartition { .. }), "{part}");
    let said = plan(&path, &asked).unwrap_err().to_string();
    assert!(said.contains(&format!("attached to {}", dev.0)), "{said}");
    plan(&dev.0, &asked).expect("free again");
}

#[test]
fn a_mount_after_the_plan_is_noticed() {
    if skipped(true, &["sgdisk", "mke2fs", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 700), 512);
    sgdisk(&dev.0, &["-n1:0:+64M"]);
    tool("mke2fs", &["-q", "-F", &dev.part(1)]);
    let plan = plan(&dev.0, &request(5, 512, Filesystem::Xfs)).unwrap();
    let _mount = Mount::new(&[], &dev.part(1), &dir.path().join("mnt"));
    let busy = disk::apply(&plan, Populate::Empty, &Silent).unwrap_err();
    assert!(matches!(busy, DiskError::Busy { .. }), "{busy}");
}

#[test]
fn a_read_only_disk_is_refused() {
    if skipped(true, &[]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::with(&image(dir.path(), 700), &["-r"]);
    let said = plan(&dev.0, &request(1, 512, Filesystem::Xfs)).unwrap_err();
    assert!(matches!(said, DiskError::ReadOnly(_)), "{said}");
}

#[test]
fn the_disk_of_the_running_system_is_refused() {
    let root = nix::sys::stat::stat("/").unwrap().st_dev;
    let (major, minor) = (nix::sys::stat::major(root), nix::sys::stat::minor(root));
    let Ok(link) = fs_err::read_link(format!("/sys/dev/block/{major}:{minor}")) else {
        eprintln!("skipped: / is on no block device");
        return;
    };
    let name = link.file_name().unwrap().to_string_lossy().into_owned();
    let path = PathBuf::from(format!("/dev/{name}"));
    let device = disk::find(&System::host(), &Selector::Path(path)).unwrap();
    let nothing = Contents {
        table: Table::None,
        signature: None,
    };
    let said = disk::plan(&device, &nothing, &request(1, 512, Filesystem::Xfs)).unwrap_err();
    match said {
        DiskError::InUse { .. } => assert!(said.to_string().contains("running system"), "{said}"),
        DiskError::IsPartition { .. } | DiskError::IsMapped(_) => {}
        other => panic!("{other}"),
    }
}

#[test]
fn reset_keeps_the_data_partition() {
    if skipped(true, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 1024), 512);
    like_coreos(&dev.0);
    let made = partition(&dev.0, &request(5, 512, Filesystem::Xfs))
        .partition
        .unwrap();
    let told = entries(&dev.0, &[5]);
    let was = bytes(&dev.0, made.start_bytes, made.size_bytes);

    let (device, contents) = look(&dev.0);
    let wrong = disk::plan_reset(&device, &contents, "date").unwrap_err();
    assert!(matches!(wrong, DiskError::KeepNotFound { found: 0, .. }));
    let plan = disk::plan_reset(&device, &contents, "data").unwrap();
    assert_eq!(plan.destroy().len(), 4);
    {
        let _mounted = Mount::new(
            &["-o", "ro,norecovery"],
            &dev.part(5),
            &dir.path().join("m"),
        );
        let (busy, contents) = look(&dev.0);
        let refused = disk::plan_reset(&busy, &contents, "data").unwrap_err();
        assert!(matches!(refused, DiskError::InUse { .. }), "{refused}");
        let late = disk::apply(&plan, Populate::Empty, &Silent).unwrap_err();
        assert_eq!(late.category(), Category::Environment, "{late}");
    }
    disk::apply(&plan, Populate::Empty, &Silent).unwrap();

    sound(&dev.0);
    assert_eq!(entries(&dev.0, &[5]), told);
    assert!(bytes(&dev.0, made.start_bytes, made.size_bytes) == was);
    assert!(Path::new(&dev.part(5)).exists() && !Path::new(&dev.part(1)).exists());
    let (device, contents) = look(&dev.0);
    let done = disk::plan_reset(&device, &contents, "data").unwrap_err();
    assert!(matches!(done, DiskError::NothingToRemove { .. }), "{done}");
}

// ---- image files, no root ----

fn store(dir: &Path) -> PathBuf {
    let root = dir.join("store");
    let blobs = root.join("oci/blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    fs_err::create_dir_all(root.join("empty")).unwrap();
    for (n, size) in [
        (1_u32, 0_u64),
        (2, 1),
        (3, 4096),
        (4, 5_000_000),
        (5, 70_000_000),
    ] {
        let path = blobs.join(format!("{n:064x}"));
        File::create(&path).unwrap();
        scribble(&path, 0, size);
    }
    fs_err::write(
        root.join("oci/oci-layout"),
        "{\"imageLayoutVersion\":\"1.0.0\"}",
    )
    .unwrap();
    fs_err::write(root.join("mapping.txt"), "a=b\n").unwrap();
    root
}

/// Reads a filesystem out of an image into a file of its own, as a partition node would show it.
fn cut_out(image: &Path, applied: &Applied, to: &Path) {
    let made = applied.partition.as_ref().unwrap();
    let (start, size) = (made.start_bytes / MIB, made.size_bytes / MIB);
    let from = format!("if={}", image.display());
    let to = format!("of={}", to.display());
    let (skip, count) = (format!("skip={start}"), format!("count={size}"));
    tool(
        "dd",
        &[
            &from,
            &to,
            "bs=1M",
            &skip,
            &count,
            "conv=sparse",
            "status=none",
        ],
    );
}

/// What kernel 4.18 (RHCOS 4.12) cannot mount is not in it.
fn old_kernels_mount(file: &str, filesystem: Filesystem) {
    let said = match filesystem {
        Filesystem::Xfs => tool("xfs_db", &["-r", "-c", "version", file]),
        Filesystem::Ext4 => tool("dumpe2fs", &["-h", file]),
        Filesystem::Vfat => return,
    };
    for new in [
        "BIGTIME",
        "INOBTCNT",
        "NREXT64",
        "EXCHANGE",
        "PARENT",
        "orphan_file",
        "metadata_csum_seed",
    ] {
        assert!(!said.contains(new), "{new} in {said}");
    }
}

#[test]
fn image_file_filled_with_a_store() {
    if skipped(
        false,
        &["sgdisk", "mkfs.xfs", "mke2fs", "xfs_repair", "e2fsck"],
    ) {
        return;
    }
    for filesystem in [Filesystem::Xfs, Filesystem::Ext4] {
        let dir = tempfile::tempdir().unwrap();
        let path = image(dir.path(), 520);
        let source = store(dir.path());
        // What was there before must not shine through the holes.
        scribble(&path, 100 * MIB, 20 * MIB);
        scribble(&path, 500 * MIB, 4 * MIB);
        let plan = plan(&path, &request(1, 512, filesystem)).unwrap();
        let done = disk::apply(&plan, Populate::From(&source), &Silent).unwrap();
        sound(path.to_str().unwrap());
        let cut = dir.path().join("cut.img");
        cut_out(&path, &done, &cut);
        healthy(cut.to_str().unwrap(), filesystem);
        old_kernels_mount(cut.to_str().unwrap(), filesystem);
        assert_eq!(blkid(cut.to_str().unwrap(), "LABEL"), "data");
        // Sparse: the files, the metadata and the log, not the whole size.
        let meta = fs_err::metadata(&path).unwrap();
        let used = std::os::unix::fs::MetadataExt::blocks(&meta) * 512;
        assert!(used < 260 * MIB, "{used} bytes used");
        let leftovers = fs_err::read_dir(dir.path()).unwrap();
        let names = leftovers.map(|e| e.unwrap().file_name());
        assert!(
            names
                .into_iter()
                .all(|n| !n.to_string_lossy().starts_with(".snoforge"))
        );
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not compared file by file: mounting needs root");
            continue;
        }
        let mounted = Mount::new(
            &["-o", "ro,loop"],
            cut.to_str().unwrap(),
            &dir.path().join("m"),
        );
        let args = [
            "-r",
            "-x",
            "lost+found",
            source.to_str().unwrap(),
            mounted.0.to_str().unwrap(),
        ];
        assert_eq!(tool("diff", &args), "");
        let oci = fs_err::metadata(mounted.0.join("oci")).unwrap();
        assert!(oci.is_dir() && mounted.0.join("empty").is_dir());
    }
}

#[test]
fn image_file_without_root() {
    if skipped(true, &["setpriv"]) {
        return;
    }
    let test = std::env::current_exe().unwrap();
    let test = test.to_str().unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", test];
    if exec::run("setpriv", &[&nobody[..], &["--list"]].concat()).is_err() {
        eprintln!("skipped: nobody may not run the test program");
        return;
    }
    let names = [
        "image_file_filled_with_a_store",
        "vfat_image_takes_files_but_no_directories",
    ];
    let said = tool("setpriv", &[&nobody[..], &["--exact"], &names[..]].concat());
    assert!(said.contains("2 passed"), "{said}");
}

#[test]
fn vfat_image_takes_files_but_no_directories() {
    if skipped(false, &["mcopy", "fsck.vfat"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 100);
    let source = dir.path().join("config");
    fs_err::create_dir(&source).unwrap();
    fs_err::write(source.join("a-long-name-for-fat.yaml"), "spec: {}\n").unwrap();
    scribble(
        File::create(source.join("BIG")).unwrap().path(),
        0,
        3_000_001,
    );
    let plan = plan(&path, &request(1, 80, Filesystem::Vfat)).unwrap();
    let done = disk::apply(&plan, Populate::From(&source), &Silent).unwrap();
    let cut = dir.path().join("cut.img");
    cut_out(&path, &done, &cut);
    healthy(cut.to_str().unwrap(), Filesystem::Vfat);
    let out = dir.path().join("out");
    fs_err::create_dir(&out).unwrap();
    let flat = cut.to_str().unwrap();
    tool("mcopy", &["-s", "-i", flat, "::*", out.to_str().unwrap()]);
    tool(
        "diff",
        &["-r", source.to_str().unwrap(), out.to_str().unwrap()],
    );

    fs_err::create_dir(source.join("sub")).unwrap();
    let second = dir.path().join("second");
    fs_err::create_dir(&second).unwrap();
    let path = image(&second, 100);
    let before = bytes(&path, 0, 2 * MIB);
    let plan = self::plan(&path, &request(1, 80, Filesystem::Vfat)).unwrap();
    let refused = disk::apply(&plan, Populate::From(&source), &Silent).unwrap_err();
    assert!(
        matches!(refused, DiskError::CannotPopulate { .. }),
        "{refused}"
    );
    assert!(
        bytes(&path, 0, 2 * MIB) == before,
        "written before refusing"
    );
}

/// Removes a file just before the filesystem is made: its maker then fails, after the table was written.
#[derive(Debug)]
struct Saboteur(PathBuf);

impl Reporter for Saboteur {
    fn report(&self, event: Event<'_>) {
        if matches!(event, Event::Started { id: 2, .. }) {
            fs_err::remove_file(&self.0).unwrap();
        }
    }
}

#[test]
fn a_failing_maker_leaves_the_disk_as_it_was() {
    if skipped(false, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    tool("sgdisk", &["-n3:0:+10M", "-c3:old", path.to_str().unwrap()]);
    let source = store(dir.path());
    let before = (bytes(&path, 0, 12 * MIB), bytes(&path, 699 * MIB, MIB));
    let plan = plan(&path, &request(1, 512, Filesystem::Xfs)).unwrap();
    let saboteur = Saboteur(source.join("mapping.txt"));
    let failed = disk::apply(&plan, Populate::From(&source), &saboteur).unwrap_err();
    assert!(matches!(failed, DiskError::Tool { .. }), "{failed}");
    let after = (bytes(&path, 0, 12 * MIB), bytes(&path, 699 * MIB, MIB));
    assert!(before == after);
    sound(path.to_str().unwrap());
}

#[test]
fn rollback_reaches_the_kernel() {
    if skipped(true, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = Loop::new(&image(dir.path(), 700), 512);
    sgdisk(&dev.0, &["-n3:0:+10M"]);
    let source = store(dir.path());
    let plan = plan(&dev.0, &request(1, 512, Filesystem::Xfs)).unwrap();
    let saboteur = Saboteur(source.join("mapping.txt"));
    disk::apply(&plan, Populate::From(&source), &saboteur).unwrap_err();
    sound(&dev.0);
    assert!(Path::new(&dev.part(3)).exists() && !Path::new(&dev.part(1)).exists());
    // And populating a real partition works once the file is back.
    fs_err::write(source.join("mapping.txt"), "a=b\n").unwrap();
    disk::apply(&plan, Populate::From(&source), &Silent).unwrap();
    let mounted = Mount::new(&["-o", "ro"], &dev.part(1), &dir.path().join("m"));
    tool(
        "diff",
        &["-r", source.to_str().unwrap(), mounted.0.to_str().unwrap()],
    );
}

/// xfsprogs 6.1 corrupts the filesystem silently when a file is larger than any allocation group's free space.
#[test]
fn a_file_that_mkfs_xfs_cuts_short_is_noticed() {
    if skipped(false, &["mkfs.xfs", "xfs_db", "mke2fs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    let source = dir.path().join("source");
    fs_err::create_dir(&source).unwrap();
    let big = File::create(source.join("big")).unwrap();
    big.set_len(200 * MIB).unwrap();
    let asked = request(1, 600, Filesystem::Xfs);
    let failed = plan(&path, &asked).unwrap();
    let failed = disk::apply(&failed, Populate::From(&source), &Silent).unwrap_err();
    assert!(
        matches!(failed, DiskError::CannotPopulate { .. }),
        "{failed}"
    );
    assert!(matches!(look(&path).1.table, Table::None));
    let ext4 = plan(&path, &request(1, 600, Filesystem::Ext4)).unwrap();
    disk::apply(&ext4, Populate::From(&source), &Silent).unwrap();
}

#[test]
fn sizes_that_are_no_round_number() {
    if skipped(false, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Half a sector more; and beyond what the protective MBR can say.
    for (size, end_mib) in [(700 * MIB + 256, 699), (3 << 40, (3 << 20) - 1)] {
        let path = dir.path().join(format!("{size}.img"));
        if File::create(&path).unwrap().set_len(size).is_err() {
            eprintln!("skipped: no sparse file of {size} bytes here");
            continue;
        }
        let made = partition(&path, &request(1, 300, Filesystem::Xfs))
            .partition
            .unwrap();
        assert_eq!((made.start_bytes + made.size_bytes) / MIB, end_mib);
        sound(path.to_str().unwrap());
    }
}

#[test]
fn an_unfinished_partition_is_replaced() {
    if skipped(false, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    // What kill -9 while formatting leaves.
    let text = path.to_str().unwrap();
    tool("sgdisk", &["-n5:-512M:0", "-c5:snoforge-unfinished", text]);
    let plan = plan(&path, &request(5, 512, Filesystem::Xfs)).unwrap();
    assert_eq!(plan.destroy().len(), 1);
    disk::apply(&plan, Populate::Empty, &Silent).unwrap();
    sound(text);
    let shown = tool("sgdisk", &["-p", text]);
    assert!(
        shown.contains("data") && !shown.contains("unfinished"),
        "{shown}"
    );
}

#[test]
fn a_disk_that_changed_after_the_plan_is_refused() {
    if skipped(false, &["sgdisk", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    let plan = plan(&path, &request(1, 512, Filesystem::Xfs)).unwrap();
    tool("sgdisk", &["-n1:0:+10M", path.to_str().unwrap()]);
    let before = bytes(&path, 0, MIB);
    let refused = disk::apply(&plan, Populate::Empty, &Silent).unwrap_err();
    assert!(matches!(refused, DiskError::Changed(_)), "{refused}");
    assert!(bytes(&path, 0, MIB) == before);
}

#[test]
fn a_locked_image_is_busy() {
    if skipped(false, &["flock", "mkfs.xfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), 700);
    let plan = plan(&path, &request(1, 512, Filesystem::Xfs)).unwrap();
    let other = File::open(&path).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let busy = disk::apply(&plan, Populate::Empty, &Silent).unwrap_err();
    assert!(matches!(busy, DiskError::Busy { .. }), "{busy}");
}

// ---- real disks' heads ----

fn unpacked(name: &str, dir: &Path) -> Option<PathBuf> {
    let packed = format!(
        "{}/../shared/data/disks/{name}.xz",
        env!("CARGO_MANIFEST_DIR")
    );
    if !Path::new(&packed).exists() || skipped(false, &["xz"]) {
        eprintln!("skipped: {packed} or xz is not here");
        return None;
    }
    let path = dir.join(name);
    fs_err::write(&path, exec::run("xz", &["-dc", &packed]).unwrap()).unwrap();
    Some(path)
}

#[test]
fn real_heads_are_read_as_sgdisk_reads_them() {
    for (name, sector) in [("gpt-512", 512), ("gpt-4096", 4096)] {
        let dir = tempfile::tempdir().unwrap();
        let Some(path) = unpacked(name, dir.path()) else {
            return;
        };
        let (device, contents) = look(&path);
        assert_eq!(device.sector_bytes, sector, "{name}");
        let ours: Vec<_> = gpt(&contents)
            .partitions
            .iter()
            .map(|p| (p.number, p.start_bytes, p.size_bytes))
            .collect();
        assert!(!ours.is_empty());
        if skipped(true, &["sgdisk"]) {
            continue;
        }
        let dev = Loop::new(&path, sector);
        for (number, start, size) in ours {
            let shown = tool("sgdisk", &[&format!("-i{number}"), &dev.0]);
            let sector = u64::from(sector);
            assert!(
                shown.contains(&format!("First sector: {} ", start / sector)),
                "{shown}"
            );
            assert!(
                shown.contains(&format!("Partition size: {} ", size / sector)),
                "{shown}"
            );
        }
    }
}

#[test]
fn duplicate_guids_need_wipe() {
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = unpacked("gpt-512-duplicate-partition-guids", dir.path()) else {
        return;
    };
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(700 * MIB).unwrap();
    let said = plan(&path, &request(9, 512, Filesystem::Xfs)).unwrap_err();
    assert!(matches!(said, DiskError::NeedsWipe { .. }), "{said}");
    assert!(said.to_string().contains("have one GUID"), "{said}");
}
