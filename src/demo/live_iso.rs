//! The sample live ISO: the layout of a CoreOS live ISO with stand-ins for everything that would boot.
//!
//! Made by `scripts/make-live-iso --rootfs-mib 0`, then `xz -9e`. It is in the program, so that the sample needs no tools.

use std::io::{self, Read as _};

/// As it is in the program.
const PACKED: &[u8] = include_bytes!("live.iso.xz");
/// A stock bootstrap-in-place config without keys and certificates, made by `scripts/make-ignition-fixtures --sanitised`.
pub(super) const CONFIG: &[u8] = include_bytes!("../../ignition/golden/stock/era-b.ign");

/// The bytes of the ISO.
///
/// # Errors
/// The program is damaged.
pub fn bytes() -> io::Result<Vec<u8>> {
    let mut iso = Vec::new();
    liblzma::read::XzDecoder::new(PACKED).read_to_end(&mut iso)?;
    Ok(iso)
}
