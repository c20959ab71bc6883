//! Machines laid out in a directory: no hardware needed to be mounted, striped or ambiguous.

use super::*;

/// A machine with `sys`, `proc` and `dev` in a temporary directory.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for dir in ["sys/block", "sys/class/block", "sys/dev/block", "dev"] {
            fs_err::create_dir_all(machine.0.path().join(dir)).unwrap();
        }
        machine
    }

    fn system(&self) -> System {
        System::below(self.0.path())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// A disk at `sys/devices/<bus>/<name>` with partitions 1 to `partitions`.
    fn disk(&self, bus: &str, name: &str, number: &str, partitions: u32) {
        let dir = format!("sys/devices/{bus}/{name}");
        self.write(&format!("{dir}/size"), "1953525168\n");
        self.write(&format!("{dir}/dev"), &format!("{number}:0\n"));
        self.write(&format!("{dir}/queue/logical_block_size"), "512\n");
        self.write(&format!("{dir}/queue/physical_block_size"), "4096\n");
        self.link(&format!("sys/block/{name}"), &dir);
        self.link(&format!("sys/class/block/{name}"), &dir);
        self.write(&format!("dev/{name}"), "");
        for p in 1..=partitions {
            let part = format!("{dir}/{name}{p}");
            self.write(&format!("{part}/partition"), &format!("{p}\n"));
            self.write(&format!("{part}/size"), "2048\n");
            self.write(&format!("{part}/dev"), &format!("{number}:{p}\n"));
            self.link(&format!("sys/class/block/{name}{p}"), &part);
            self.write(&format!("dev/{name}{p}"), "");
        }
    }

    fn link(&self, from: &str, to: &str) {
        let target = self.0.path().join(to);
        std::os::unix::fs::symlink(target, self.0.path().join(from)).unwrap();
    }

    fn uses(&self, name: &str) -> Vec<String> {
        let device = sysfs::device(&self.system(), name).unwrap();
        device.uses.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn facts_of_usb_sata_nvme_and_virtio() {
    let machine = Machine::new();
    machine.disk("pci0/usb2/2-1", "sda", "8", 1);
    machine.write("sys/devices/pci0/usb2/2-1/idVendor", "0781\n");
    machine.write("sys/devices/pci0/usb2/2-1/serial", "4C530001\n");
    machine.write("sys/devices/pci0/usb2/2-1/sda/removable", "1\n");
    machine.write("sys/devices/pci0/usb2/2-1/sda/device/vendor", "SanDisk \n");
    machine.write("sys/devices/pci0/usb2/2-1/sda/device/model", "Ultra Fit\n");
    machine.disk("pci0/ata1", "sdb", "9", 0);
    machine.write("sys/devices/pci0/ata1/sdb/device/vendor", "ATA     \n");
    machine.write(
        "sys/devices/pci0/ata1/sdb/device/model",
        "SAMSUNG MZ7LH960\n",
    );
    machine.write(
        "sys/devices/pci0/ata1/sdb/device/vpd_pg80",
        "\0\0\0\u{14}      S45NNC0R\n",
    );
    machine.write(
        "sys/devices/pci0/ata1/sdb/device/wwid",
        "naa.5002538e00000001\n",
    );
    machine.disk("pci0/nvme/nvme0", "nvme0n1", "259", 0);
    machine.write(
        "sys/devices/pci0/nvme/nvme0/nvme0n1/device/serial",
        "PHLJ1  \n",
    );
    machine.write(
        "sys/devices/pci0/nvme/nvme0/nvme0n1/wwid",
        "eui.0123456789abcdef\n",
    );
    machine.disk("pci0/virtio3", "vda", "254", 0);
    machine.write("sys/devices/pci0/virtio3/vda/device/vendor", "0x1af4\n");
    machine.write(
        "run/udev/data/b254:0",
        "S:disk/by-id/x\nE:ID_SERIAL_SHORT=from-udev\n",
    );

    let disks = list(&machine.system()).unwrap();
    let told: Vec<String> = disks
        .iter()
        .map(|d| d.to_string().rsplit_once("/dev/").unwrap().1.to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "nvme0n1, serial PHLJ1, 931.5 GiB, nvme, 512-byte sectors",
            "sda, SanDisk Ultra Fit, serial 4C530001, 931.5 GiB, usb, 512-byte sectors",
            "sdb, SAMSUNG MZ7LH960, serial S45NNC0R, 931.5 GiB, ata, 512-byte sectors",
            "vda, serial from-udev, 931.5 GiB, virtio, 512-byte sectors",
        ]
    );
    assert!(disks[1].removable && !disks[2].removable);
    assert_eq!(disks[0].physical_sector_bytes, 4096);
    for selector in [
        "wwn=0x5002538E00000001",
        "wwn=naa.5002538e00000001",
        "serial=s45nnc0r",
    ] {
        let found = find(&machine.system(), &selector.into()).unwrap();
        assert!(found.path.ends_with("sdb"), "{selector}");
    }
}

#[test]
fn none_or_two_matches_name_the_candidates() {
    let machine = Machine::new();
    for name in ["sda", "sdb"] {
        machine.disk(&format!("pci0/{name}"), name, "8", 0);
        machine.write(
            &format!("sys/devices/pci0/{name}/{name}/device/serial"),
            "0123456789\n",
        );
    }
    let two = find(&machine.system(), &"serial=0123456789".into()).unwrap_err();
    assert!(matches!(&two, DiskError::Ambiguous { candidates, .. } if candidates.len() == 2));
    for selector in ["serial=x", "wwn=", "/dev/disk/by-id/nothing"] {
        let none = find(&machine.system(), &selector.into()).unwrap_err();
        let said = none.to_string();
        assert!(
            said.contains("sda, serial 0123456789") && said.contains("sdb"),
            "{said}"
        );
    }
}

#[test]
fn mounts_swap_and_root_are_seen() {
    let machine = Machine::new();
    machine.disk("pci0/a", "sda", "8", 3);
    machine.disk("pci0/b", "sdb", "9", 1);
    let root = machine.0.path().display();
    machine.write(
        "proc/self/mountinfo",
        "22 1 8:1 / / rw - xfs /dev/sda1 rw\n\
         30 22 8:2 / /media/my\\040stick rw shared:1 - vfat /dev/sda2 rw\n\
         31 22 0:45 / /btr rw - btrfs /dev/sda3 rw\n",
    );
    machine.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sda3 partition 1 0 -2\n",
    );
    assert_eq!(
        machine.uses("sda"),
        [
            "sda1 holds the running system's /",
            "sda2 is mounted at /media/my stick",
            "sda3 is mounted at /btr",
            "sda3 is swap space",
        ],
        "{root}"
    );
    assert!(machine.uses("sdb").is_empty());
    // Mounted by the host, seen from a container.
    machine.write("proc/1/mountinfo", "9 1 9:1 / /mnt rw - xfs /dev/sdb1 rw\n");
    assert_eq!(machine.uses("sdb"), ["sdb1 is mounted at /mnt"]);
}

#[test]
fn the_root_is_found_through_device_mapper() {
    let machine = Machine::new();
    machine.disk("pci0/a", "sda", "8", 2);
    machine.disk("virtual", "dm-0", "253", 0);
    machine.write("sys/devices/virtual/dm-0/dm/name", "rhel-root\n");
    machine.write("sys/devices/pci0/a/sda/sda2/holders/dm-0/x", "");
    machine.write(
        "proc/self/mountinfo",
        "22 1 253:0 / / rw - xfs /dev/mapper/rhel-root rw\n",
    );
    assert_eq!(
        machine.uses("sda"),
        [
            "dm-0 holds the running system's /",
            "sda2 is part of dm-0 (rhel-root)"
        ]
    );
    let mapped = sysfs::device(&machine.system(), "dm-0").unwrap();
    assert_eq!(mapped.kind, DeviceKind::Mapped);
    let part = sysfs::device(&machine.system(), "sda2").unwrap();
    assert!(matches!(&part.kind, DeviceKind::Partition { of } if of.ends_with("sda")));
    assert_eq!(part.sector_bytes, 512);
    // Mapped devices are no disks.
    assert_eq!(list(&machine.system()).unwrap().len(), 1);
}

#[test]
fn an_image_behind_a_loop_device_is_in_use() {
    let machine = Machine::new();
    let image = machine.0.path().join("x.img");
    fs_err::File::create(&image)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let system = machine.system();
    let selector = Selector::Path(image.clone());
    let free = find(&system, &selector).unwrap();
    assert_eq!(
        (free.kind, free.size_bytes, free.uses.len()),
        (DeviceKind::Image, 1 << 20, 0)
    );
    machine.write(
        "sys/block/loop3/loop/backing_file",
        &format!("{}\n", image.display()),
    );
    let used = find(&system, &selector).unwrap();
    assert!(matches!(&used.uses[0].how, How::Loop(by) if by.ends_with("/dev/loop3")));
    assert!(matches!(
        find(&system, &Selector::Path(machine.0.path().to_owned())),
        Err(DiskError::NotADisk(_))
    ));
}
