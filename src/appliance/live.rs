//! What the live ISO brings: its volume id, its EFI files, its ISOLINUX.

use std::path::{Path, PathBuf};

use super::boot::{SIGNATURE, SIGNATURE_AT};
use super::error::ApplianceError;
use super::fat::{self, Tree};
use crate::iso::{LiveIso, Medium, ReadAt};

const EFIBOOT: &str = "images/efiboot.img";
const ISOLINUX: &str = "isolinux/isolinux.bin";
/// Those of RHCOS have 10 MiB.
const MAX_EFIBOOT: u64 = 64 << 20;

/// By what the disk is to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boots {
    /// Either.
    BiosAndUefi,
    /// UEFI alone.
    Uefi,
}

/// A live ISO that an appliance is made of.
#[derive(Debug)]
pub struct Live {
    /// Where it is.
    pub path: PathBuf,
    /// Its volume id.
    pub volume: String,
    /// Its size.
    pub size_bytes: u64,
    /// Whether an Ignition config is embedded.
    pub has_ignition: bool,
    /// Byte of the ISO that isolinux.bin begins at; none when BIOS is not wanted.
    pub(super) isolinux: Option<u64>,
    pub(super) efi: Tree,
}

impl Live {
    /// Reads everything that matters here, and refuses an ISO whose stick would not boot.
    ///
    /// # Errors
    /// It is no CoreOS live ISO, has no EFI loader, no ISOLINUX for disks where that is wanted, or kernel arguments that name no volume.
    pub fn read(path: &Path, boots: Boots) -> Result<Self, ApplianceError> {
        let medium = Medium::open(path)?;
        Self::from_source(path, &medium, boots)
    }

    fn from_source(path: &Path, source: &dyn ReadAt, boots: Boots) -> Result<Self, ApplianceError> {
        let iso = LiveIso::read(source)?;
        refuse_other_volume(&iso)?;
        let isolinux = match boots {
            Boots::Uefi => None,
            Boots::BiosAndUefi => Some(isolinux(source, &iso)?),
        };
        Ok(Self {
            path: path.to_owned(),
            volume: iso.volume.id.clone(),
            // A device that an ISO was written to is larger than the ISO.
            size_bytes: if source.is_device() {
                iso.volume.size()
            } else {
                source.size()
            },
            has_ignition: iso.ignition().is_ok(),
            isolinux,
            efi: efi(source, &iso)?,
        })
    }

    /// By what the disk will boot.
    pub fn boots(&self) -> Boots {
        match self.isolinux {
            Some(_) => Boots::BiosAndUefi,
            None => Boots::Uefi,
        }
    }
}

/// The live system waits for a volume of the name that the kernel arguments have.
fn refuse_other_volume(iso: &LiveIso) -> Result<(), ApplianceError> {
    let id = &iso.volume.id;
    let wanted = format!("coreos.liveiso={id}");
    let kargs = iso.kargs.as_ref().and_then(|kargs| kargs.current().ok());
    match kargs {
        Some(kargs) if !kargs.split_whitespace().any(|karg| karg == wanted) => {
            Err(ApplianceError::OtherVolume(id.clone()))
        }
        _ => Ok(()),
    }
}

fn isolinux(source: &dyn ReadAt, iso: &LiveIso) -> Result<u64, ApplianceError> {
    let Some((_, extent)) = iso.volume.find_file(source, ISOLINUX)? else {
        return Err(ApplianceError::NoIsolinux("there is no such file"));
    };
    let start = extent.lba.offset();
    let mut found = [0; SIGNATURE.len()];
    let read = source.read_exact_at(start + SIGNATURE_AT, &mut found);
    if read.is_err() || found != SIGNATURE {
        return Err(ApplianceError::NoIsolinux(
            "it has no such entry (ISOLINUX 4 and later do)",
        ));
    }
    Ok(start)
}

fn efi(source: &dyn ReadAt, iso: &LiveIso) -> Result<Tree, ApplianceError> {
    let Some((_, extent)) = iso.volume.find_file(source, EFIBOOT)? else {
        return Err(ApplianceError::NoEfi);
    };
    let failed = |source| ApplianceError::Efi { source };
    let length = u64::from(extent.length);
    if length > MAX_EFIBOOT {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    let mut image = vec![0; usize::try_from(length).unwrap_or_default()];
    let read = source.read_exact_at(extent.lba.offset(), &mut image);
    read.map_err(failed)?;
    let tree = fat::read(&image).map_err(failed)?;
    let is_loader = |path: &String| {
        let path = path.to_ascii_uppercase();
        path.strip_prefix("EFI/BOOT/BOOT")
            .is_some_and(|rest| rest.strip_suffix(".EFI").is_some())
    };
    if !tree.keys().any(is_loader) {
        return Err(ApplianceError::NoLoader);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The demo's ISO has stand-ins for the boot loaders: every refusal in turn.
    #[test]
    fn what_would_not_boot_is_refused() {
        let packed = include_bytes!("../demo/live.iso.xz").as_slice();
        let mut iso = Vec::new();
        let mut unpacked = liblzma::read::XzDecoder::new(packed);
        unpacked.read_to_end(&mut iso).unwrap();
        let read = |iso: &[u8], boots| {
            let read = Live::from_source(Path::new("x.iso"), &iso, boots);
            read.map(|_| ()).unwrap_err()
        };
        assert!(matches!(
            read(&iso, Boots::BiosAndUefi),
            ApplianceError::NoIsolinux(_)
        ));
        assert!(matches!(
            read(&iso, Boots::Uefi),
            ApplianceError::Efi { .. }
        ));
        for at in 0..iso.len() - 15 {
            if iso[at..].starts_with(b"coreos.liveiso=") {
                iso[at + 15] ^= 1;
            }
        }
        let refused = read(&iso, Boots::Uefi);
        assert!(
            matches!(refused, ApplianceError::OtherVolume(_)),
            "{refused}"
        );
        iso.truncate(100 << 10);
        assert!(matches!(
            read(&iso, Boots::Uefi),
            ApplianceError::Iso { .. }
        ));
    }
}
