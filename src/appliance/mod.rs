//! One stick, not two: the site's live ISO and the data partition on one GPT disk that boots by BIOS and UEFI.
//!
//! ```text
//! sector 0        boot code (440 bytes, `boot.S`), protective MBR
//! 1 MiB           1 snoforge-efi   EFI system partition, FAT32: the EFI files of the ISO's images/efiboot.img
//!                 2 snoforge-live  the ISO, byte for byte
//! at the end      3 data           made and filled by what makes every data partition
//! ```
//!
//! - The ISO is *in* a partition. At the start of the disk the kernel would mount the whole disk, and then no partition of it: a mount
//!   claims its device with all its partitions. Its file system counts from its own start, so it is the same in a partition, and the boot
//!   loaders and the live system find it by its volume id.
//! - UEFI reads the EFI system partition; the loader there looks the ISO up by its volume id.
//! - BIOS runs the boot code, which starts the ISO's own ISOLINUX by its entry for disks and tells it where the ISO begins.
//! - No name that CoreOS has on its own disk (EFI-SYSTEM, boot, root, BIOS-BOOT) is used: an installed system that is booted with the
//!   stick plugged in must not find two of them.
//!
//! Invariants: what makes the disk boot (table, boot code) comes last, after everything else was read back ([`crate::disk::Front`]);
//! same ISO, same bytes, so that a second run only reads.
//!
//! What this room does not do: it writes nothing itself, and knows no data directory.

mod boot;
mod error;
mod esp;
mod fat;
mod layout;
mod live;

pub use error::ApplianceError;
pub use layout::{DATA_NUMBER, Layout};
pub use live::{Boots, Live};
