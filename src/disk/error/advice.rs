//! What sort of failure a disk error is, and what to do about it.

use super::DiskError;
use crate::exec::ExecError;
use crate::io::Category;

impl DiskError {
    /// What sort of failure it is.
    pub fn category(&self) -> Category {
        match self {
            Self::NoMatch { .. }
            | Self::Ambiguous { .. }
            | Self::NotADisk(_)
            | Self::IsPartition { .. }
            | Self::NeedsWipe { .. }
            | Self::NumberInUse { .. }
            | Self::NumberOutOfRange { .. }
            | Self::LabelInUse { .. }
            | Self::AlreadyThere { .. }
            | Self::NoRoom { .. }
            | Self::SizeOutOfRange { .. }
            | Self::BadLabel { .. }
            | Self::KeepNotFound { .. }
            | Self::DataNotFound { .. }
            | Self::NotAnImage(_)
            | Self::NamedTwice(_)
            | Self::TooSmall { .. }
            | Self::NothingToRemove { .. } => Category::Usage,
            Self::IsMapped(_) | Self::CannotPopulate { .. } => Category::Unsupported,
            Self::ReadOnly(_)
            | Self::InUse { .. }
            | Self::Busy { .. }
            | Self::Changed(_)
            | Self::Permission { .. }
            | Self::Tool { .. }
            | Self::Mount { .. }
            | Self::NoNode { .. } => Category::Environment,
            Self::Io { .. } | Self::Table { .. } => Category::Io,
            Self::ReadBack { .. } | Self::NotKept { .. } => Category::Verification,
            Self::NotRolledBack { cause, .. } => cause.category(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoMatch { .. } | Self::NotADisk(_) => {
                "name a whole disk: /dev/…, /dev/disk/by-*/…, serial=…, wwn=… or an image file"
            }
            Self::Ambiguous { .. } => "name one of them by /dev/disk/by-id/…",
            Self::IsPartition { .. } => "name the whole disk, the partition number goes to -n",
            Self::IsMapped(_) => "name the physical disk below it",
            Self::ReadOnly(_) => "move the write-protect switch, or run `blockdev --setrw`",
            Self::InUse { .. } => {
                "unmount it, `swapoff` it, or stop the volume group or RAID array; the running system's own disk cannot be used"
            }
            Self::Busy { .. } => {
                "close the program that has it open (`fuser -v DEVICE`), then run again"
            }
            Self::NeedsWipe { .. } => "--wipe makes a new GPT and destroys everything on the disk",
            Self::NumberInUse { .. } => "choose a free number with -n, or --wipe the whole disk",
            Self::NumberOutOfRange { .. } => "choose a number in that range with -n",
            Self::LabelInUse { .. } => "choose another label with -l, or --wipe the whole disk",
            Self::AlreadyThere { .. } => {
                "nothing was changed: mount it and go on, or --wipe to start over"
            }
            Self::NoRoom { .. } => "ask for less with -s, or --wipe the whole disk",
            Self::SizeOutOfRange { .. } => "choose another size with -s, or another --fs",
            Self::BadLabel { .. } => "use letters, digits, `-`, `_` and `.`, such as `data`",
            Self::KeepNotFound { .. } => "name the label of exactly one partition",
            Self::DataNotFound { .. } => {
                "`precache partition` makes one; --label takes another label, and a partition's own device names it directly"
            }
            Self::Mount { .. } => "mount it yourself, and name the directory instead",
            Self::NothingToRemove { .. } => "nothing was changed: the disk is ready for a retry",
            Self::Changed(_) => "run again to see the new plan",
            Self::CannotPopulate { .. } => {
                "use --fs ext4 or a larger partition, and plain files in plain directories"
            }
            Self::Permission { .. } => "run as root",
            Self::Tool {
                source: ExecError::Missing(program),
                ..
            } => match program.as_str() {
                "mkfs.xfs" => "install xfsprogs",
                "mke2fs" => "install e2fsprogs",
                _ => "install it",
            },
            Self::ReadBack { .. } => {
                "the old partition table was put back; suspect the disk or its cable"
            }
            Self::NotAnImage(_) => "name a raw disk image, as it goes onto the disk byte for byte",
            Self::NamedTwice(_) => "name each disk once",
            Self::TooSmall { .. } => "take a larger disk",
            Self::NotKept { .. } => {
                "do not use this disk; try another port or cable, then another disk"
            }
            Self::NoNode { .. } => "run `partprobe` or reconnect the disk, then run again",
            Self::NotRolledBack { .. } => {
                "do not use the disk before its table is checked with `sgdisk --verify`"
            }
            Self::Tool { .. } | Self::Io { .. } | Self::Table { .. } => return None,
        })
    }
}
