//! Why an ISO or a disk makes no appliance.

use std::path::PathBuf;

use crate::disk::{DiskError, human};
use crate::io::Category;
use crate::iso::IsoError;

/// Why an ISO or a disk makes no appliance.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// The ISO cannot be read.
    #[error("cannot read the ISO")]
    Iso {
        /// The reason.
        #[from]
        source: IsoError,
    },
    /// It boots by no firmware of a PC or ARM server.
    #[error("the ISO has no images/efiboot.img, from which UEFI would boot it")]
    NoEfi,
    /// images/efiboot.img is no FAT file system.
    #[error("images/efiboot.img in the ISO cannot be read as FAT")]
    Efi {
        /// The reason.
        source: std::io::Error,
    },
    /// images/efiboot.img has no loader where firmware looks.
    #[error("images/efiboot.img in the ISO has no EFI/BOOT/BOOT*.EFI")]
    NoLoader,
    /// It has no ISOLINUX with an entry for disks.
    #[error("the ISO has no isolinux/isolinux.bin that starts from a disk: {0}")]
    NoIsolinux(&'static str),
    /// The live system would look for another volume.
    #[error(
        "the kernel arguments of the ISO do not name its volume: coreos.liveiso={0} is not there"
    )]
    OtherVolume(String),
    /// The kernel mounts no ISO on such sectors.
    #[error("{path} has sectors of {sector_bytes} bytes: the kernel mounts no ISO on it")]
    Sectors {
        /// The disk.
        path: PathBuf,
        /// Its logical sector.
        sector_bytes: u32,
    },
    /// The parts do not fit beside each other.
    #[error("{path} has {}, {} are needed: {parts}", human(*.size_bytes), human(*.needed_bytes))]
    TooSmall {
        /// The disk.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
        /// What takes how much.
        parts: String,
    },
    /// The data partition lies too far in front.
    #[error("the data partition of {path} leaves {} in front of it, {} are needed", human(*.free_bytes), human(*.needed_bytes))]
    NoRoomBefore {
        /// The disk.
        path: PathBuf,
        /// Before the data partition.
        free_bytes: u64,
        /// What the loaders and the ISO take.
        needed_bytes: u64,
    },
    /// The disk cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The EFI system partition cannot be made.
    #[error("cannot make the EFI system partition")]
    Esp {
        /// The reason.
        source: std::io::Error,
    },
}

impl ApplianceError {
    /// What sort of failure it is.
    pub fn category(&self) -> Category {
        match self {
            Self::Iso { source } => source.category(),
            Self::Disk(source) => source.category(),
            Self::Efi { .. } => Category::Verification,
            Self::NoEfi
            | Self::NoLoader
            | Self::NoIsolinux(_)
            | Self::OtherVolume(_)
            | Self::Sectors { .. } => Category::Unsupported,
            Self::TooSmall { .. } | Self::NoRoomBefore { .. } => Category::Usage,
            Self::Esp { .. } => Category::Io,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Iso { source } => return source.hint(),
            Self::Disk(source) => return source.hint().map(str::to_owned),
            Self::NoIsolinux(_) => "--uefi-only makes a stick that boots by UEFI alone",
            Self::NoEfi | Self::NoLoader | Self::Efi { .. } => {
                "take the live ISO of the release for x86_64 or aarch64"
            }
            Self::OtherVolume(_) => {
                "`snoforge iso kargs reset` puts the defaults back; a minimal ISO cannot be used"
            }
            Self::Sectors { .. } => "take a disk with 512-byte sectors; USB sticks have them",
            Self::TooSmall { .. } => "take a larger disk, or ask for less with -s",
            Self::NoRoomBefore { .. } => "--wipe makes the data partition anew",
            Self::Esp { .. } => return None,
        };
        Some(text.to_owned())
    }
}
