//! The EFI system partition (UEFI 2.10 section 13.3): FAT32, with the EFI files of the ISO.

use sha2::{Digest as _, Sha256};

use super::error::ApplianceError;
use super::fat::{self, Tree};
use crate::disk::MIB;

/// FAT32 has at least 65525 clusters: 33 MiB of the smallest. RHCOS has 10 MiB of loaders.
const LEAST: u64 = 64 * MIB;
const LABEL: [u8; 11] = *b"SNOFORGE   ";

/// How large it will be.
pub(super) fn size(tree: &Tree) -> u64 {
    let files: u64 = tree.values().map(|bytes| bytes.len() as u64).sum();
    (files * 2).next_multiple_of(MIB).max(LEAST)
}

/// Makes it. Its volume id follows from the files, so that a second run finds it as it is.
pub(super) fn make(tree: &Tree) -> Result<Vec<u8>, ApplianceError> {
    let mut hasher = Sha256::new();
    for (path, bytes) in tree {
        hasher.update(path);
        hasher.update([0]);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    let [a, b, c, d, ..] = hasher.finalize().0;
    let id = u32::from_le_bytes([a, b, c, d]);
    fat::make(tree, size(tree), LABEL, id).map_err(|source| ApplianceError::Esp { source })
}
