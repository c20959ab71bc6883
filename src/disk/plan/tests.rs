//! Every refusal, and the place of every plan, without any disk.

use std::path::Path;

use proptest::prelude::*;

use super::super::contents::Signature;
use super::super::device::{How, Use};
use super::*;
use crate::io::Category;

const GIB: u64 = 1 << 30;

fn disk(size_bytes: u64, sector_bytes: u32) -> Device {
    Device {
        path: "/dev/sda".into(),
        kind: DeviceKind::Disk,
        size_bytes,
        sector_bytes,
        physical_sector_bytes: sector_bytes,
        model: Some("SAMSUNG MZ7LH960".to_owned()),
        serial: Some("S45NNC0R".to_owned()),
        wwn: None,
        transport: Some("ata".to_owned()),
        removable: false,
        read_only: false,
        uses: Vec::new(),
    }
}

fn asked(size_mib: u64) -> Request {
    Request {
        size_mib,
        number: 5,
        label: "data".parse().unwrap(),
        filesystem: Filesystem::Xfs,
        wipe: false,
    }
}

fn there(number: u32, start_mib: u64, size_mib: u64, label: &str) -> Partition {
    Partition {
        number,
        start_bytes: start_mib * MIB,
        size_bytes: size_mib * MIB,
        kind: "0FC63DAF-8483-4772-8E79-3D69D8477DE4".to_owned(),
        guid: Some(Uuid::from_u128(u128::from(number))),
        label: label.to_owned(),
        content: None,
    }
}

fn with(device: &Device, partitions: Vec<Partition>) -> Contents {
    let gpt = fresh(device).unwrap();
    Contents {
        table: Table::Gpt(Gpt { partitions, ..gpt }),
        signature: None,
    }
}

fn blank() -> Contents {
    Contents {
        table: Table::None,
        signature: None,
    }
}

fn holds(kind: &'static str) -> Signature {
    Signature {
        kind,
        label: String::new(),
    }
}

#[test]
fn a_blank_disk_gets_a_table_and_the_partition_at_its_end() {
    let device = disk(931 * GIB, 512);
    let plan = plan(&device, &blank(), &asked(250 * 1024)).unwrap();
    let new = plan.create().unwrap();
    assert!(plan.new_table && plan.destroy.is_empty());
    assert_eq!(new.start_bytes, (931 - 250) * GIB - MIB);
    assert_eq!(new.node.as_deref(), Some(Path::new("/dev/sda5")));
    assert_eq!(
        plan.to_string(),
        "\
disk      /dev/sda, SAMSUNG MZ7LH960, serial S45NNC0R, 931.0 GiB, ata, 512-byte sectors
now       no partition table, 0 partitions
make      a new GPT
make      5: `data`, 250.0 GiB at 680.9 GiB, xfs
"
    );
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        json["create"]["kind"],
        "0fc63daf-8483-4772-8e79-3d69d8477de4"
    );
    assert_eq!(json["device"]["serial"], "S45NNC0R");
}

#[test]
fn the_kernel_puts_a_p_after_a_digit() {
    let mut device = disk(2 * GIB, 512);
    for (path, node) in [
        ("/dev/nvme0n1", "/dev/nvme0n1p5"),
        ("/dev/vdb", "/dev/vdb5"),
    ] {
        device.path = path.into();
        let plan = plan(&device, &blank(), &asked(1024)).unwrap();
        assert_eq!(
            plan.create().unwrap().node.as_deref(),
            Some(Path::new(node))
        );
    }
}

#[test]
fn a_disk_in_use_is_refused() {
    let cases = [
        (How::Root, "sda3 holds the running system's /"),
        (How::Mounted("/mnt".into()), "sda3 is mounted at /mnt"),
        (How::Swap, "sda3 is swap space"),
        (How::Held("md127".to_owned()), "sda3 is part of md127"),
    ];
    for (how, said) in cases {
        let mut device = disk(10 * GIB, 512);
        device.uses.push(Use {
            device: "sda3".to_owned(),
            how,
        });
        let said = format!("/dev/sda is in use: {said}");
        refused(&device, &said, Category::Environment);
    }
}

#[test]
fn what_is_no_writable_disk_is_refused() {
    let of = PathBuf::from("/dev/sd");
    let mut device = disk(10 * GIB, 512);
    device.read_only = true;
    refused(&device, "/dev/sda is read-only", Category::Environment);
    device.kind = DeviceKind::Mapped;
    let said = "/dev/sda is a device-mapper or RAID device, not a disk";
    refused(&device, said, Category::Unsupported);
    device.kind = DeviceKind::Partition { of };
    refused(
        &device,
        "/dev/sda is a partition of /dev/sd",
        Category::Usage,
    );
}

/// Refused, with or without `--wipe`, and with advice.
fn refused(device: &Device, said: &str, category: Category) {
    for wipe in [false, true] {
        let request = Request {
            wipe,
            ..asked(1024)
        };
        let refused = plan(device, &blank(), &request).unwrap_err();
        assert_eq!(refused.to_string(), said);
        assert_eq!(refused.category(), category);
        assert!(refused.hint().is_some());
    }
    let reset = plan_reset(device, &with(device, Vec::new()), "data").unwrap_err();
    assert_eq!(reset.to_string(), said);
}

#[test]
fn what_is_there_is_lost_only_by_wipe() {
    let device = disk(10 * GIB, 512);
    let mbr = Table::Mbr(vec![there(1, 1, 100, "")]);
    let gpt = with(&device, Vec::new()).table;
    let cases = [
        (mbr, None, "it has an MBR with 1 partition"),
        (
            Table::Broken("GPT with odd entries".to_owned()),
            None,
            "it has a GPT with odd entries",
        ),
        (Table::None, Some(holds("xfs")), "it holds xfs"),
        (
            gpt,
            Some(holds("linux_raid_member")),
            "it holds linux_raid_member",
        ),
    ];
    for (table, signature, found) in cases {
        let contents = Contents { table, signature };
        let refused = plan(&device, &contents, &asked(1024)).unwrap_err();
        assert!(refused.to_string().ends_with(found), "{refused}");
        assert!(refused.hint().unwrap().contains("--wipe"));
        let wiped = plan(
            &device,
            &contents,
            &Request {
                wipe: true,
                ..asked(1024)
            },
        )
        .unwrap();
        assert!(wiped.new_table && wiped.keep.is_empty());
        assert_eq!(wiped.destroy, contents.partitions());
        assert!(
            wiped.to_string().contains("everything on the disk is lost"),
            "{wiped}"
        );
    }
}

#[test]
fn numbers_and_labels_that_are_taken_are_refused() {
    let device = disk(10 * GIB, 512);
    let mut named = there(5, 9000, 1024, "data");
    let contents = |p: &Partition| with(&device, vec![p.clone()]);
    let refusal =
        |p: &Partition, request: &Request| plan(&device, &contents(p), request).unwrap_err();
    // Label and size are right, but there is no filesystem.
    assert!(matches!(
        refusal(&named, &asked(1024)),
        DiskError::NumberInUse { number: 5, .. }
    ));
    named.content = Some(Signature {
        kind: "xfs",
        label: "data".to_owned(),
    });
    assert!(matches!(
        refusal(&named, &asked(1024)),
        DiskError::AlreadyThere { number: 5, .. }
    ));
    assert!(matches!(
        refusal(&named, &asked(2048)),
        DiskError::NumberInUse { .. }
    ));
    let other = Request {
        number: 6,
        ..asked(1024)
    };
    assert!(matches!(
        refusal(&named, &other),
        DiskError::LabelInUse { number: 5, .. }
    ));
    // The filesystem's label counts as well: /dev/disk/by-label would have two.
    named.label = "old".to_owned();
    assert!(matches!(
        refusal(&named, &other),
        DiskError::LabelInUse { number: 5, .. }
    ));
    for number in [0, 129] {
        let request = Request {
            number,
            ..asked(1024)
        };
        let refused = refusal(&named, &request);
        assert!(matches!(
            refused,
            DiskError::NumberOutOfRange { max: 128, .. }
        ));
    }
}

#[test]
fn sizes_are_refused_with_the_free_space() {
    let device = disk(10 * GIB, 512);
    let contents = with(
        &device,
        vec![there(1, 1, 4000, "a"), there(2, 8000, 1000, "b")],
    );
    let refused = plan(&device, &contents, &asked(5 * 1024)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "5.0 GiB do not fit on /dev/sda: the largest free space is 3.9 GiB"
    );
    // The last gap that is large enough, not the first.
    let plan = plan(&device, &contents, &asked(1024)).unwrap();
    assert_eq!(
        plan.create().unwrap().start_bytes,
        (10 * 1024 - 1 - 1024) * MIB
    );
    let small = super::plan(&device, &blank(), &asked(100)).unwrap_err();
    assert!(matches!(
        small,
        DiskError::SizeOutOfRange {
            filesystem: "xfs",
            ..
        }
    ));
    let huge = super::plan(&device, &blank(), &asked(u64::MAX)).unwrap_err();
    assert!(matches!(huge, DiskError::SizeOutOfRange { .. }), "{huge}");
    let tiny = super::plan(&disk(4096, 512), &blank(), &asked(1024)).unwrap_err();
    assert!(matches!(tiny, DiskError::NoRoom { .. }), "{tiny}");
}

#[test]
fn labels_fit_their_filesystem() {
    for bad in ["", "a b", "ä", "-x", "a/b", "seventeen-letters"] {
        assert!(bad.parse::<Label>().is_err(), "{bad}");
    }
    let device = disk(10 * GIB, 512);
    for (filesystem, longest) in [
        (Filesystem::Xfs, 12),
        (Filesystem::Ext4, 16),
        (Filesystem::Vfat, 11),
    ] {
        for (length, fits) in [(longest, true), (longest + 1, false)] {
            let Ok(label) = "x".repeat(length).parse() else {
                continue;
            };
            let request = Request {
                label,
                filesystem,
                ..asked(1024)
            };
            assert_eq!(
                plan(&device, &blank(), &request).is_ok(),
                fits,
                "{filesystem:?} {length}"
            );
        }
    }
}

proptest! {
    /// Whatever is there: the new partition is aligned, in bounds, on no other, and as far to the end as it can be.
    #[test]
    fn never_overlaps(
        sector in prop::sample::select(vec![512_u32, 4096]),
        size_mib in 400_u64..100_000,
        odd_bytes in 0_u64..MIB,
        cuts in prop::collection::vec((0_u64..100_000 * 2048, 1_u64..10_000 * 2048), 0..10),
        ask in 300_u64..20_000,
    ) {
        let device = disk((size_mib * MIB + odd_bytes) / u64::from(sector) * u64::from(sector), sector);
        let base = fresh(&device).unwrap();
        // Disjoint partitions at any sector, not only aligned ones.
        let mut partitions: Vec<Partition> = Vec::new();
        for (start, length) in cuts {
            let unit = u64::from(sector);
            let number = u32::try_from(partitions.len()).unwrap() + 10;
            let made = Partition {
                start_bytes: base.first_usable_bytes + start * 512 / unit * unit,
                size_bytes: (length * 512).next_multiple_of(unit),
                ..there(number, 0, 0, "x")
            };
            let free = partitions.iter().all(|p| p.end_bytes() <= made.start_bytes || made.end_bytes() <= p.start_bytes);
            if free && made.end_bytes() <= base.end_usable_bytes {
                partitions.push(made);
            }
        }
        let contents = with(&device, partitions.clone());
        match plan(&device, &contents, &asked(ask)) {
            Ok(plan) => {
                let new = plan.create().unwrap();
                let (start, end) = (new.start_bytes, new.start_bytes + new.size_bytes);
                prop_assert_eq!(start % MIB, 0);
                prop_assert_eq!(new.size_bytes, ask * MIB);
                prop_assert!(start >= base.first_usable_bytes && end <= base.end_usable_bytes);
                prop_assert!(partitions.iter().all(|p| p.end_bytes() <= start || end <= p.start_bytes));
                prop_assert_eq!(plan.keep().len(), partitions.len());
                // One step further never fits.
                let next = (start + MIB, end + MIB);
                prop_assert!(
                    next.1 > base.end_usable_bytes
                        || partitions.iter().any(|p| p.start_bytes < next.1 && next.0 < p.end_bytes())
                );
            }
            Err(DiskError::NoRoom { largest_bytes, .. }) => {
                prop_assert!(largest_bytes < ask * MIB);
                if largest_bytes >= 300 * MIB {
                    prop_assert!(plan(&device, &contents, &asked(largest_bytes / MIB)).is_ok());
                }
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
