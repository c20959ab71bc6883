//! Disks: find one, plan a change (pure), apply it.
//!
//! ```text
//! Selector ─ find ─→ Device ─ read ─→ Contents ─ plan ─→ Plan ─ apply ─→ Applied
//!            sysfs, /proc      GPT, MBR, magics   pure       gptman, mkfs, fatfs
//! image + Devices ─ WritePlan::new ─→ WritePlan ─ run ─→ WriteReport
//! Contents + partitions, boot code ─ Front::new ─→ Front ─ run ─→ FrontReport
//! ```
//!
//! Formats: GPT (UEFI 2.10 section 5), sysfs block ABI (`Documentation/ABI/stable/sysfs-block`), the superblock magics of libblkid.
//!
//! Invariants:
//! - a disk in use (mounted, swap, held by device-mapper or md, read-only) never becomes a [`Plan`], except to remove one partition that
//!   is free itself ([`plan_remove`]);
//! - partitions that a plan keeps are not written, and keep their number, place and GUIDs;
//! - the partition label comes last: a partition named as asked has a whole filesystem;
//! - a failing [`apply()`] puts the old table back.
//!
//! What this room does not do: it asks no questions and prints nothing; it mounts only what [`Volume::mount`] is asked for.

mod apply;
mod contents;
mod device;
mod error;
mod front;
mod kernel;
mod mkfs;
mod mount;
mod plan;
mod populate;
mod reclaim;
mod request;
mod write;

pub use apply::{Applied, Made, Populate, apply};
pub use contents::{Contents, Gpt, Partition, Signature, Table, read};
pub use device::{Device, DeviceKind, How, Selector, System, Use, find, list};
pub use error::DiskError;
pub use front::{CODE, Content, Front, FrontPartition, FrontReport};
pub use mount::{Access, Mounted, Volume, volume};
pub use plan::{NewPartition, Plan, plan, plan_reset};
pub use populate::least_size;
pub use reclaim::plan_remove;
pub use request::{Filesystem, Label, Request};
pub use write::{WriteOutcome, WritePlan, WriteReport};

/// One mebibyte: the alignment of everything we make.
pub const MIB: u64 = 1 << 20;

/// Bytes as a person reads them: `298.0 GiB`.
pub fn human(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        let one = 1_u128 << shift;
        if u128::from(bytes) >= one {
            let tenths = u128::from(bytes) * 10 / one;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// Serialises what has a text form by that form.
fn as_text<T: std::fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn as_text_if_any<T: std::fmt::Display, S: serde::Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
