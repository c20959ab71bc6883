//! The program itself on the data disk: `DIR/bin/snoforge`, which the node runs in both boot stages.
//!
//! The node's C library may be older than the workstation's (RHCOS 8: glibc 2.28), so that only a statically linked program is
//! put there. Static means: the ELF file has no `PT_INTERP` program header (System V ABI, chapter 5).

use std::io::{self, Read as _};
use std::path::Path;

use crate::io::atomic;

/// Type of the program header that names a dynamic linker.
const PT_INTERP: u32 = 3;
/// ELF header of a 64-bit little-endian file, and one of its program headers, in bytes.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// What [`install`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The file was written.
    Written,
    /// The same bytes are there.
    Unchanged,
    /// The program needs a dynamic linker; nothing was written.
    Dynamic,
}

/// Puts the program at `exe` into the data directory `root`.
///
/// # Errors
/// The program cannot be read or its copy not be written.
pub fn install(exe: &Path, root: &Path) -> io::Result<Installed> {
    if !is_static(exe)? {
        return Ok(Installed::Dynamic);
    }
    let target = root.join("bin/snoforge");
    if same(exe, &target)? {
        return Ok(Installed::Unchanged);
    }
    fs_err::create_dir_all(root.join("bin"))?;
    atomic::copy_executable(exe, &target)?;
    Ok(Installed::Written)
}

/// Whether a file is a 64-bit little-endian ELF program that needs no dynamic linker.
///
/// # Errors
/// It cannot be read.
pub fn is_static(path: &Path) -> io::Result<bool> {
    // Linkers place the program headers right behind the ELF header, in the first page.
    let mut head = Vec::new();
    fs_err::File::open(path)?
        .take(4096)
        .read_to_end(&mut head)?;
    Ok(program_header_types(&head).is_some_and(|types| !types.contains(&PT_INTERP)))
}

fn program_header_types(head: &[u8]) -> Option<Vec<u32>> {
    if head.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let short = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let (size, count) = (short(54)?, short(56)?);
    let at_header = head.get(32..40)? == (HEADER as u64).to_le_bytes();
    if !at_header || usize::from(size) != PROGRAM_HEADER {
        return None;
    }
    let kind = |n: usize| {
        let at = HEADER + n * PROGRAM_HEADER;
        Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?))
    };
    (0..usize::from(count)).map(kind).collect()
}

fn same(a: &Path, b: &Path) -> io::Result<bool> {
    let length = |path: &Path| fs_err::metadata(path).map(|meta| meta.len()).ok();
    if length(a) != length(b) {
        return Ok(false);
    }
    let (mut a, mut b) = (fs_err::File::open(a)?, fs_err::File::open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = a.read(&mut left)?;
        let (Some(left), Some(right)) = (left.get(..n), right.get_mut(..n)) else {
            return Ok(false);
        };
        if n == 0 {
            return Ok(true);
        }
        match b.read_exact(right) {
            Ok(()) if left == right => {}
            Ok(()) => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn elf(types: &[u32]) -> Vec<u8> {
        let mut file = vec![0; HEADER];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[54] = 56;
        file[56] = u8::try_from(types.len()).unwrap();
        for kind in types {
            let mut header = vec![0; PROGRAM_HEADER];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            file.extend(header);
        }
        file
    }

    #[test]
    fn only_static_programs_go_onto_the_disk_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("exe");
        let target = dir.path().join("bin/snoforge");
        for not in [
            elf(&[6, 3, 1]),
            b"#!/bin/sh\n".to_vec(),
            elf(&[1])[..66].to_vec(),
        ] {
            fs_err::write(&exe, not).unwrap();
            assert_eq!(install(&exe, dir.path()).unwrap(), Installed::Dynamic);
            assert!(!target.exists());
        }
        fs_err::write(&exe, elf(&[6, 1])).unwrap();
        assert_eq!(install(&exe, dir.path()).unwrap(), Installed::Written);
        assert_eq!(install(&exe, dir.path()).unwrap(), Installed::Unchanged);
        fs_err::write(&exe, elf(&[1, 1])).unwrap();
        assert_eq!(install(&exe, dir.path()).unwrap(), Installed::Written);
        assert_eq!(fs_err::read(&target).unwrap(), elf(&[1, 1]));
        assert_eq!(
            fs_err::metadata(&target).unwrap().permissions().mode() & 0o777,
            0o755
        );
    }

    #[test]
    fn the_test_program_is_what_the_linker_made() {
        // Built like any program here: with the system's dynamic linker.
        let me = Path::new("/proc/self/exe");
        assert!(!is_static(me).unwrap());
    }
}
