//! Superblock magics: which filesystem, RAID, LVM or swap a region holds, and its label.
//!
//! Offsets are those of libblkid. Containers (RAID, LVM, LUKS) come before filesystems: a mirror's member looks like what it mirrors.

use std::fmt;
use std::io::{self, Read, Seek};

use serde::Serialize;

use super::read_at;

/// btrfs has its superblock the farthest in: 64 KiB + 4 KiB.
const HEAD: usize = 68 * 1024;
/// md 0.90 has its superblock the farthest from the end: 64 KiB, rounded down to 64 KiB.
const TAIL: u64 = 128 * 1024;
const MD_MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();

/// What a region holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// The name that `blkid` uses: `xfs`, `ext4`, `vfat`, `linux_raid_member`, …
    pub kind: &'static str,
    /// The filesystem's own label; empty without one.
    pub label: String,
}

impl Signature {
    /// A FAT boot sector ends like an MBR, but its entry table is code.
    pub(super) fn is_fat(&self) -> bool {
        matches!(self.kind, "vfat" | "exfat" | "ntfs")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.label.is_empty() {
            write!(f, " `{}`", self.label)?;
        }
        Ok(())
    }
}

/// Where a label is: offset and length in bytes.
type LabelAt = Option<(usize, usize)>;

/// Kind, offset, magic, label. The first that fits is the answer.
const MAGICS: &[(&str, usize, &[u8], LabelAt)] = &[
    ("linux_raid_member", 4096, &MD_MAGIC, Some((4096 + 32, 32))),
    ("linux_raid_member", 0, &MD_MAGIC, Some((32, 32))),
    ("LVM2_member", 512 + 24, b"LVM2 001", None),
    ("LVM2_member", 24, b"LVM2 001", None),
    ("LVM2_member", 1024 + 24, b"LVM2 001", None),
    ("LVM2_member", 1536 + 24, b"LVM2 001", None),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe", None),
    (
        "bcache",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
        None,
    ),
    ("stratis", 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh", None),
    ("ceph_bluestore", 0, b"bluestore block device", None),
    // The first name of the label's XDR list, after six 4-byte words.
    ("zfs_member", 16384 + 24, b"version", None),
    ("xfs", 0, b"XFSB", Some((108, 12))),
    ("btrfs", 0x1_0040, b"_BHRfS_M", Some((0x1_012b, 256))),
    ("swap", 4086, b"SWAPSPACE2", Some((1052, 16))),
    ("swap", 65526, b"SWAPSPACE2", Some((1052, 16))),
    ("ntfs", 3, b"NTFS    ", None),
    ("exfat", 3, b"EXFAT   ", None),
    ("vfat", 82, b"FAT32   ", Some((71, 11))),
    ("vfat", 54, b"FAT16   ", Some((43, 11))),
    ("vfat", 54, b"FAT12   ", Some((43, 11))),
    ("squashfs", 0, b"hsqs", None),
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0", Some((1024 + 64, 16))),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2", None),
    ("iso9660", 32769, b"CD001", Some((32808, 32))),
];

/// Looks for a signature in `size` bytes from `start`.
pub(in crate::disk) fn probe<R: Read + Seek>(
    disk: &mut R,
    start: u64,
    size: u64,
) -> io::Result<Option<Signature>> {
    let length = usize::try_from(size).unwrap_or(HEAD).min(HEAD);
    let head = read_at(disk, start, length)?;
    let tail_at = size.saturating_sub(TAIL);
    let tail = read_at(disk, start.saturating_add(tail_at), 128 * 1024)?;
    Ok(raid_at_end(&tail, tail_at, size)
        .or_else(|| known(&head))
        .or_else(|| ext(&head)))
}

fn known(head: &[u8]) -> Option<Signature> {
    let fits = |at: usize, magic: &[u8]| head.get(at..at + magic.len()) == Some(magic);
    let (kind, _, _, label) = MAGICS.iter().find(|(_, at, magic, _)| fits(*at, magic))?;
    Some(Signature {
        kind,
        label: label.map(|at| text(head, at)).unwrap_or_default(),
    })
}

/// ext2, 3 and 4 share a magic; features tell them apart (as libblkid does).
fn ext(head: &[u8]) -> Option<Signature> {
    if head.get(0x438..0x43a)? != [0x53, 0xef] {
        return None;
    }
    let journal = *head.get(0x45c)? & 0x4 != 0;
    let extents = *head.get(0x460)? & 0x40 != 0;
    Some(Signature {
        kind: match (extents, journal) {
            (true, _) => "ext4",
            (false, true) => "ext3",
            (false, false) => "ext2",
        },
        label: text(head, (0x478, 16)),
    })
}

/// md 0.90 and 1.0, Intel and DDF firmware RAID keep their superblocks at the end. `tail` begins at `tail_at` of `size` bytes.
fn raid_at_end(tail: &[u8], tail_at: u64, size: u64) -> Option<Signature> {
    let at = |absolute: Option<u64>, magic: &[u8]| {
        let start = absolute
            .and_then(|a| a.checked_sub(tail_at))
            .and_then(|a| usize::try_from(a).ok());
        start.is_some_and(|s| tail.get(s..s.saturating_add(magic.len())) == Some(magic))
    };
    let md_0_90 = (size & !0xffff).checked_sub(0x1_0000);
    let md_1_0 = (size / 512).checked_sub(16).map(|s| (s & !7) * 512);
    let end = |back: u64| size.checked_sub(back);
    let kind = if at(md_0_90, &MD_MAGIC) || at(md_1_0, &MD_MAGIC) {
        "linux_raid_member"
    } else if at(end(1024), b"Intel Raid ISM Cfg Sig.") {
        "isw_raid_member"
    } else if at(end(512), b"\xde\x11\xde\x11") {
        "ddf_raid_member"
    } else {
        return None;
    };
    Some(Signature {
        kind,
        label: String::new(),
    })
}

/// A label: up to the first NUL, without the blanks that FAT and ISO 9660 fill up with.
fn text(head: &[u8], (at, length): (usize, usize)) -> String {
    let bytes = head.get(at..at + length).unwrap_or_default();
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    match text.trim_end() {
        "NO NAME" => String::new(),
        label => label.to_owned(),
    }
}
