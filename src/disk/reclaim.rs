//! Plans the removal of one partition from a disk whose other partitions may be in use: the data partition of an installed machine.
//!
//! Nothing but the partition table is written, and of it only the entry of that partition changes: what is mounted from the same disk
//! goes on. The partition itself has to be free.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use super::MIB;
use super::contents::{Contents, Partition};
use super::device::{Device, How, Use};
use super::error::DiskError;
use super::plan::{Plan, node, refuse_kind, usable};

/// Plans it. `released` is a directory that will be unmounted before the plan is applied. Pure.
///
/// # Errors
/// The device is no disk with a sound GPT; the label is there not exactly once; the partition, or the disk as a whole, is in use.
pub fn plan_remove(
    device: &Device,
    contents: &Contents,
    label: &str,
    released: Option<&Path>,
) -> Result<Plan, DiskError> {
    refuse_kind(device)?;
    let gpt = usable(device, contents)?.clone();
    let (destroy, keep): (Vec<_>, Vec<_>) =
        gpt.partitions.into_iter().partition(|p| p.label == label);
    if destroy.len() != 1 {
        return Err(DiskError::KeepNotFound {
            path: device.path.clone(),
            label: label.to_owned(),
            found: destroy.len(),
        });
    }
    let uses = in_the_way(device, &keep, released);
    if !uses.is_empty() {
        return Err(DiskError::InUse {
            path: device.path.clone(),
            uses,
        });
    }
    Ok(Plan {
        device: device.clone(),
        before: contents.clone(),
        new_table: false,
        keep,
        destroy,
        create: None,
        notes: gpt.repairs,
    })
}

/// Uses that are not those of a kept partition, or of what stands on one. A failed change puts the first and the last MiB back, so
/// that a kept partition in use must not reach into them.
fn in_the_way(device: &Device, keep: &[Partition], released: Option<&Path>) -> Vec<Use> {
    let inner = keep
        .iter()
        .filter(|p| p.start_bytes >= MIB && p.end_bytes() <= device.size_bytes.saturating_sub(MIB));
    let names = inner.filter_map(|p| node(device, p.number));
    let names = names.filter_map(|n| n.file_name().and_then(OsStr::to_str).map(str::to_owned));
    let mut harmless: BTreeSet<String> = names.collect();
    // LUKS and LVM on a kept partition, and what is on these.
    loop {
        let above = device.uses.iter().filter_map(|u| match &u.how {
            How::Held(by) if harmless.contains(&u.device) => Some(by.clone()),
            _ => None,
        });
        let above: Vec<String> = above.filter(|by| !harmless.contains(by)).collect();
        if above.is_empty() {
            break;
        }
        harmless.extend(above);
    }
    let let_go = |u: &Use| matches!(&u.how, How::Mounted(at) if Some(at.as_path()) == released);
    let uses = device.uses.iter();
    let uses = uses.filter(|u| !harmless.contains(&u.device) && !let_go(u));
    uses.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::contents::{Gpt, Table};
    use super::super::device::DeviceKind;
    use super::*;
    use uuid::Uuid;

    const GIB: u64 = 1 << 30;

    fn partition(number: u32, start: u64, size: u64, label: &str) -> Partition {
        Partition {
            number,
            start_bytes: start,
            size_bytes: size,
            kind: String::new(),
            guid: None,
            label: label.to_owned(),
            content: None,
        }
    }

    fn machine(uses: &[(&str, How)]) -> (Device, Contents) {
        let device = Device {
            path: "/dev/nvme0n1".into(),
            kind: DeviceKind::Disk,
            size_bytes: 100 * GIB,
            sector_bytes: 512,
            physical_sector_bytes: 512,
            model: None,
            serial: None,
            wwn: None,
            transport: None,
            removable: false,
            read_only: false,
            uses: uses
                .iter()
                .map(|(device, how)| Use {
                    device: (*device).to_owned(),
                    how: how.clone(),
                })
                .collect(),
        };
        let gpt = Gpt {
            guid: Uuid::nil(),
            entries: 128,
            first_usable_bytes: MIB,
            end_usable_bytes: 100 * GIB - MIB,
            partitions: vec![
                partition(4, MIB, 60 * GIB, "root"),
                partition(5, 70 * GIB, 20 * GIB, "data"),
            ],
            repairs: Vec::new(),
        };
        let contents = Contents {
            table: Table::Gpt(gpt),
            signature: None,
        };
        (device, contents)
    }

    #[test]
    fn the_system_on_the_same_disk_may_run() {
        let root = [
            ("nvme0n1p4", How::Held("dm-0".to_owned())),
            ("dm-0", How::Root),
            ("nvme0n1p4", How::Mounted("/sysroot".into())),
        ];
        let (device, contents) = machine(&root);
        let plan = plan_remove(&device, &contents, "data", None).unwrap();
        let numbers = |list: &[Partition]| list.iter().map(|p| p.number).collect::<Vec<_>>();
        assert_eq!(
            (numbers(plan.keep()), numbers(plan.destroy())),
            (vec![4], vec![5])
        );
        assert!(plan.to_string().contains("DESTROY   5: `data`"), "{plan}");
    }

    #[test]
    fn what_stands_in_the_way() {
        let data = Path::new("/run/snoforge/data");
        let mounted = How::Mounted(data.to_owned());
        for how in [mounted.clone(), How::Swap, How::Held("dm-1".to_owned())] {
            let (device, contents) = machine(&[("nvme0n1p5", how.clone())]);
            let error = plan_remove(&device, &contents, "data", None).unwrap_err();
            assert!(
                matches!(error, DiskError::InUse { ref uses, .. } if uses.len() == 1),
                "{how:?}"
            );
            assert_eq!(
                plan_remove(&device, &contents, "data", Some(data)).is_ok(),
                how == mounted
            );
        }
        let (device, contents) = machine(&[("nvme0n1", How::Held("dm-0".to_owned()))]);
        assert!(
            plan_remove(&device, &contents, "data", None).is_err(),
            "multipath"
        );
        let (device, contents) = machine(&[]);
        assert!(matches!(
            plan_remove(&device, &contents, "nope", None),
            Err(DiskError::KeepNotFound { found: 0, .. })
        ));
    }

    #[test]
    fn a_running_partition_at_the_very_end_is_too_near() {
        let (device, mut contents) = machine(&[("nvme0n1p6", How::Mounted("/var".into()))]);
        let Table::Gpt(gpt) = &mut contents.table else {
            panic!("a GPT")
        };
        gpt.partitions
            .push(partition(6, 95 * GIB, 5 * GIB - 34 * 512, "var"));
        assert!(matches!(
            plan_remove(&device, &contents, "data", None),
            Err(DiskError::InUse { .. })
        ));
    }
}
