//! `appliance`: one stick out of an ISO and the demo's data, judged by the field's tools.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use snoforge::exec;

use super::sample::data;
use super::support::registry::installed;
use super::{Run, run};

const MIB: usize = 1 << 20;
const TOOLS: [&str; 7] = [
    "xorriso",
    "mformat",
    "mcopy",
    "mkfs.xfs",
    "sgdisk",
    "fsck.vfat",
    "xfs_repair",
];

fn tool(program: &str, args: &[&str]) -> String {
    let out = exec::run(program, args).unwrap_or_else(|e| panic!("{program} {args:?}: {e}"));
    String::from_utf8_lossy(&out).into_owned()
}

/// A live ISO with the layout of CoreOS; its loaders are stand-ins, ISOLINUX's entry for disks included where wanted.
fn live_iso(home: &Path, entry: bool) -> PathBuf {
    let tree = home.join("tree");
    for dir in ["coreos", "images/pxeboot", "isolinux", "EFI/redhat"] {
        fs_err::create_dir_all(tree.join(dir)).unwrap();
    }
    let put = |name: &str, bytes: &[u8]| fs_err::write(tree.join(name), bytes).unwrap();
    let kargs = format!(
        "{:#<1139}",
        "rw coreos.liveiso=appliance-1 ignition.firstboot\n"
    );
    put("isolinux/isolinux.cfg", kargs.as_bytes());
    put("EFI/redhat/grub.cfg", kargs.as_bytes());
    put("coreos/igninfo.json", br#"{"file":"images/ignition.img"}"#);
    put(
        "coreos/kargs.json",
        br##"{"default":"rw coreos.liveiso=appliance-1 ignition.firstboot","size":1139,"files":[
            {"path":"isolinux/isolinux.cfg","offset":0,"pad":"#","end":"\n"},
            {"path":"EFI/redhat/grub.cfg","offset":0,"pad":"#","end":"\n"}]}"##,
    );
    put("images/ignition.img", &vec![0; 262_144]);
    put("images/pxeboot/rootfs.img", &vec![0xa5; 3 * MIB + 4096]);
    let mut isolinux = vec![0x90; 38_912];
    if entry {
        isolinux[0x40..0x44].copy_from_slice(&0x7078_c0fb_u32.to_le_bytes());
    }
    put("isolinux/isolinux.bin", &isolinux);
    let efiboot = tree.join("images/efiboot.img");
    let efiboot = efiboot.to_str().unwrap();
    fs_err::write(efiboot, vec![0; 1440 << 10]).unwrap();
    tool("mformat", &["-i", efiboot, "-f", "1440", "::"]);
    tool(
        "mmd",
        &["-i", efiboot, "::/EFI", "::/EFI/BOOT", "::/EFI/redhat"],
    );
    let loader = tree.join("isolinux/isolinux.bin");
    for name in ["::/EFI/BOOT/BOOTX64.EFI", "::/EFI/redhat/grub.cfg"] {
        tool("mcopy", &["-i", efiboot, loader.to_str().unwrap(), name]);
    }
    master(home, "site.iso")
}

/// The ISO of the tree as it is now.
fn master(home: &Path, name: &str) -> PathBuf {
    let (iso, tree) = (home.join(name), home.join("tree"));
    let words = "-as mkisofs -quiet -V appliance-1 -r -J -iso-level 1 -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table -eltorito-alt-boot -e images/efiboot.img -no-emul-boot -o";
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.extend([iso.to_str().unwrap(), tree.to_str().unwrap()]);
    tool("xorriso", &words);
    iso
}

fn appliance(home: &Path, iso: &Path, out: &str, more: &[&str]) -> Run {
    let data = data();
    let line = [
        "appliance",
        "--iso",
        iso.to_str().unwrap(),
        "-f",
        data.to_str().unwrap(),
        "-o",
        out,
    ];
    run(home, &[&line[..], more].concat())
}

/// Start and size in bytes, from sgdisk.
fn place(image: &str, number: &str) -> (usize, usize) {
    let told = tool("sgdisk", &["-i", number, image]);
    let value = |key: &str| -> usize {
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (
        value("First sector: ") * 512,
        value("Partition size: ") * 512,
    )
}

/// Bytes of a file or disk.
fn read(path: &str, at: usize, length: usize) -> Vec<u8> {
    use fs_err::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; length];
    let file = fs_err::File::open(path).unwrap();
    file.read_exact_at(&mut bytes, at as u64).unwrap();
    bytes
}

/// A partition as a file of its own, holes kept.
fn part(image: &str, number: &str) -> String {
    let (start, size) = place(image, number);
    let out = format!("{image}.{number}");
    let line = format!(
        "if={image} of={out} bs=1M skip={} count={} conv=sparse status=none",
        start / MIB,
        size / MIB
    );
    tool("dd", &line.split(' ').collect::<Vec<_>>());
    out
}

#[test]
fn an_image_file_as_other_tools_see_it() {
    if !installed(&TOOLS) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let iso = live_iso(home, true);
    let plan = appliance(home, &iso, "stick.img", &["--dry-run"]).expect(0);
    assert!(plan.stdout.contains("BIOS and UEFI"), "{}", plan.stdout);
    assert!(!home.join("stick.img").exists());
    let made = appliance(home, &iso, "stick.img", &["--output", "json"]).expect(0);
    let said = &made.stderr;
    assert!(said.contains("no Ignition config"), "{said}");

    let image = home.join("stick.img");
    let permissions = fs_err::metadata(&image).unwrap().permissions();
    assert_eq!(
        permissions.mode() & 0o777,
        0o600,
        "keys of the cluster are in it"
    );
    let image = image.to_str().unwrap();
    // The data partition was filled by mkfs, and is read when the image is written.
    assert_eq!(made.json()["made"]["dataReadBack"], false);
    assert!(tool("sgdisk", &["-v", image]).contains("No problems found"));
    let sum = tool("sha256sum", &[iso.to_str().unwrap()]);
    let told = format!("sha256:{}", sum.split_whitespace().next().unwrap());
    assert_eq!(made.json()["made"]["isoDigest"], told);
    it_boots(image, &iso);
    tool("xfs_repair", &["-n", &part(image, "3")]);

    // What is there is not replaced by accident; the image is written to a disk as it is.
    let again = appliance(home, &iso, "stick.img", &[]).expect(2);
    assert!(again.stderr.contains("--wipe"), "{}", again.stderr);
    let disk = home.join("disk.img");
    let disk = disk.to_str().unwrap();
    let size = fs_err::metadata(image).unwrap().len();
    fs_err::File::create(disk).unwrap().set_len(size).unwrap();
    run(home, &["disk", "write", image, disk, "--yes"]).expect(0);
    tool("cmp", &[image, disk]);
    assert!(!home.join("stick.img.partial").exists());
}

/// What firmware reads: the boot code and the EFI system partition.
fn it_boots(image: &str, iso: &Path) {
    let (start, size) = place(image, "2");
    let there = read(image, start, size);
    let content = fs_err::read(iso).unwrap();
    assert!(there.starts_with(&content) && there[content.len()..].iter().all(|b| *b == 0));
    // The boot code leads to ISOLINUX in the partition.
    let number = |at: usize| {
        let bytes = read(image, at, 8).try_into().unwrap();
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    assert_eq!(number(432) * 512, start);
    let entry = read(image, number(424) * 512 + 0x40, 4);
    assert_eq!(entry, 0x7078_c0fb_u32.to_le_bytes());
    // Nothing that would be taken for a disk of CoreOS.
    let table = tool("sgdisk", &["-p", image]);
    for name in ["snoforge-efi", "snoforge-live", "data"] {
        assert!(table.contains(name), "{table}");
    }
    let esp = part(image, "1");
    let checked = tool("fsck.vfat", &["-n", &esp]);
    assert_eq!(checked.lines().count(), 2, "{checked}");
    let listed = tool("mdir", &["-b", "-/", "-i", &esp, "::"]);
    assert_eq!(listed.lines().count(), 5, "{listed}");
}

#[test]
fn what_would_not_boot_or_not_fit_is_refused() {
    if !installed(&TOOLS) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let iso = live_iso(home, false);
    let refused = appliance(home, &iso, "stick.img", &["--dry-run"]).expect(3);
    assert!(refused.stderr.contains("--uefi-only"), "{}", refused.stderr);
    let uefi = appliance(
        home,
        &iso,
        "stick.img",
        &["--dry-run", "--uefi-only", "--output", "json"],
    )
    .expect(0);
    assert_eq!(uefi.json()["plan"]["bios"], false);

    let no_iso = home.join("no.iso");
    fs_err::write(&no_iso, vec![0; 100_000]).unwrap();
    appliance(home, &no_iso, "stick.img", &[]).expect(2);
    let nowhere = appliance(home, &iso, "none/stick.img", &["--uefi-only"]).expect(2);
    assert!(nowhere.stderr.contains("none"), "{}", nowhere.stderr);

    // Data that are not whole.
    let data = home.join("data");
    exec::run(
        "cp",
        &[
            "-a".as_ref(),
            super::sample::data().as_os_str(),
            data.as_os_str(),
        ],
    )
    .unwrap();
    let blobs = data.join("oci/blobs/sha256");
    let blob = fs_err::read_dir(&blobs)
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    fs_err::remove_file(blob).unwrap();
    let line = [
        "appliance",
        "--uefi-only",
        "--iso",
        iso.to_str().unwrap(),
        "-f",
        data.to_str().unwrap(),
        "-o",
        "stick.img",
    ];
    let refused = run(home, &line).expect(7);
    assert!(refused.stderr.contains("not whole"), "{}", refused.stderr);
    assert!(!home.join("stick.img").exists() && !home.join("stick.img.partial").exists());
}

/// A loop device that goes away with the test; none without root or loop devices.
struct Loop(String);

impl Loop {
    fn new(image: &Path, mib: u64, sector: &str) -> Option<Self> {
        fs_err::File::create(image)
            .unwrap()
            .set_len(mib << 20)
            .unwrap();
        let flags = ["-f", "--show", "-P", "-b", sector, image.to_str().unwrap()];
        let path = exec::run("losetup", &flags).ok()?;
        Some(Self(String::from_utf8(path).unwrap().trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = exec::run("losetup", &["-d", &self.0]);
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[test]
fn a_disk_is_made_once_and_brought_up_to_date() {
    if !installed(&TOOLS) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(disk) = Loop::new(&home.join("disk.img"), 1300, "512") else {
        eprintln!("skipped: no loop devices");
        return;
    };
    let iso = live_iso(home, true);
    let line = ["--yes", "--output", "json"];
    let small = appliance(home, &iso, &disk.0, &["-s", "2", "--yes"]).expect(2);
    assert!(small.stderr.contains("are needed"), "{}", small.stderr);
    let made = appliance(home, &iso, &disk.0, &line).expect(0).json();
    assert!(made["made"]["writtenBytes"].as_u64() > Some(4 << 20));
    assert_eq!(made["made"]["dataReadBack"], true);
    assert!(tool("sgdisk", &["-v", &disk.0]).contains("No problems found"));
    let (_, size) = place(&disk.0, "3");
    assert_eq!(size, 1 << 30);
    // The kernel's view: the data partition beside the ones that boot.
    let at = home.join("data");
    fs_err::create_dir_all(&at).unwrap();
    let (node, at) = (format!("{}p3", disk.0), at.to_str().unwrap());
    tool("mount", &["-o", "ro", &node, at]);
    let busy = appliance(home, &iso, &disk.0, &line).expect(4);
    assert!(busy.stderr.contains("mounted"), "{}", busy.stderr);
    let verified = run(home, &["precache", "verify", "-f", at]);
    tool("umount", &[at]);
    verified.expect(0);

    let again = appliance(home, &iso, &disk.0, &line).expect(0).json();
    assert_eq!(again["made"]["writtenBytes"], 0);
    // A larger ISO; the data partition stays.
    fs_err::write(
        home.join("tree/images/pxeboot/rootfs.img"),
        vec![1; 5 * MIB],
    )
    .unwrap();
    let guid = tool("sgdisk", &["-i", "3", &disk.0]);
    let iso = master(home, "other.iso");
    appliance(home, &iso, &disk.0, &line).expect(0);
    assert_eq!(tool("sgdisk", &["-i", "3", &disk.0]), guid);
    let (start, _) = place(&disk.0, "2");
    let content = fs_err::read(&iso).unwrap();
    assert!(read(&disk.0, start, content.len()) == content);
    // Somebody else's partition.
    tool("sgdisk", &["-n", "7:0:+1M", "-c", "7:mine", &disk.0]);
    let foreign = appliance(home, &iso, &disk.0, &line).expect(2);
    assert!(foreign.stderr.contains("`mine`"), "{}", foreign.stderr);
    appliance(home, &iso, &disk.0, &["--wipe", "--yes"]).expect(0);
    assert!(!tool("sgdisk", &["-p", &disk.0]).contains("mine"));
    drop(disk);
    if let Some(large) = Loop::new(&home.join("4k.img"), 1300, "4096") {
        let refused = appliance(home, &iso, &large.0, &line).expect(3);
        assert!(refused.stderr.contains("4096 bytes"), "{}", refused.stderr);
    }
}
