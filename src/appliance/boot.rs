//! The boot code of the first sector: `boot.S`, assembled as `boot.bin`, with its two addresses filled in.

use crate::disk::CODE;

const BOOT: &[u8; CODE] = include_bytes!("boot.bin");
/// Where `boot.S` has the sector that isolinux.bin begins at, and then the one that the ISO begins at.
const ADDRESSES: usize = 424;
/// What ISOLINUX and the boot code count in, whatever the disk's sectors are.
pub(super) const BLOCK: u64 = 512;

/// Where ISOLINUX has the signature of its entry for disks, and the signature (`isohybrid` looks for the same).
pub(super) const SIGNATURE_AT: u64 = 0x40;
pub(super) const SIGNATURE: [u8; 4] = 0x7078_c0fb_u32.to_le_bytes();

/// The code for an ISO that begins at byte `iso` of the disk, with isolinux.bin at byte `isolinux` of the ISO.
pub(super) fn code(iso: u64, isolinux: u64) -> [u8; CODE] {
    let mut code = *BOOT;
    let addresses = [(iso + isolinux) / BLOCK, iso / BLOCK];
    let places = code.get_mut(ADDRESSES..).unwrap_or_default();
    for (place, address) in places.chunks_exact_mut(8).zip(addresses) {
        place.copy_from_slice(&address.to_le_bytes());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec;

    #[test]
    fn addresses_are_where_the_source_has_them() {
        let code = code(65 << 20, 761 * 2048);
        assert_eq!(code[..ADDRESSES], BOOT[..ADDRESSES]);
        // The packet before them: 16 bytes, 4 sectors to 0:7c00.
        assert_eq!(code[416..424], [16, 0, 4, 0, 0, 0x7c, 0, 0]);
        assert_eq!(code[424..432], (133_120_u64 + 3044).to_le_bytes());
        assert_eq!(code[432..440], 133_120_u64.to_le_bytes());
        assert_eq!(BOOT[ADDRESSES..], [0; 16]);
    }

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    #[test]
    fn the_binary_is_what_the_source_says() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/appliance/boot.S");
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (object, binary) = (path("boot.o"), path("boot.bin"));
        if !cfg!(target_arch = "x86_64") || exec::run("as", &["--version"]).is_err() {
            eprintln!("skipped: no assembler for x86");
            return;
        }
        exec::run("as", &["--32", "-o", &object, source]).unwrap();
        let flags = ["-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary"];
        let files = ["-o", &binary, &object];
        exec::run("ld", &[&flags[..], &files[..]].concat()).unwrap();
        assert_eq!(fs_err::read(&binary).unwrap(), BOOT, "assemble it again");
    }
}
