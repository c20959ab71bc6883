//! What is in the Ignition embed area: an initramfs that the boot loader appends to the system's own.
//!
//! The kernel unpacks a concatenation of cpio archives, each raw or compressed, with NULs between (`buffer-format.rst`); a later member
//! replaces an earlier one. We read all of that, and write one xz stream with CRC32 checks, the only ones that the kernel knows; no
//! members are written as nothing at all, since an area of zeroes is what a pristine ISO has.
//!
//! Invariants: our bytes are those of coreos-installer for the members that it writes; members that we do not know keep their mode,
//! owner, time and type.

mod compress;
mod cpio;

use std::collections::BTreeMap;

use super::error::InitrdError;

/// The Ignition config of the live system.
pub const CONFIG: &str = "config.ign";
/// `NetworkManager` keyfiles of the live system.
pub const NETWORK_DIR: &str = "etc/coreos-firstboot-network/";
/// The most that an area expands to; nobody embeds more.
const MAX_EXPANDED: usize = 64 << 20;
/// A regular file that only root reads.
const FILE_MODE: u32 = 0o100_600;

/// One file, symbolic link, device or special directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Device number of a device file.
    pub rdev: (u32, u32),
    /// Contents; the target of a symbolic link.
    pub data: Vec<u8>,
}

impl Member {
    fn new(mode: u32, data: Vec<u8>) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            rdev: (0, 0),
            data,
        }
    }
}

/// Members by path, without leading slash.
type Members = BTreeMap<String, Member>;

/// The members of an initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Initrd {
    members: Members,
}

impl Initrd {
    /// Reads an embed area or an initramfs file.
    ///
    /// # Errors
    /// An unknown format, a damaged stream, or more than 64 MiB in all.
    pub fn read(bytes: &[u8]) -> Result<Self, InitrdError> {
        let mut members = Members::new();
        let mut rest = skip_padding(bytes);
        let (mut left, mut room) = (MAX_EXPANDED, MAX_EXPANDED);
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            rest = if cpio::is_cpio(rest) {
                cpio::read(rest, &mut members, &mut room)?
            } else {
                let (expanded, after) = compress::expand(rest, at, left)?;
                left -= expanded.len();
                archives(&expanded, &mut members, &mut room)?;
                after
            };
            rest = skip_padding(rest);
        }
        Ok(Self { members })
    }

    /// The bytes of an embed area, without its padding; none when there are no members.
    ///
    /// # Errors
    /// The compressor fails.
    pub fn write(&self) -> Result<Vec<u8>, InitrdError> {
        if self.members.is_empty() {
            return Ok(Vec::new());
        }
        compress::xz(&cpio::write(&self.members))
    }

    /// Contents of a member.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.members.get(path).map(|m| m.data.as_slice())
    }

    /// Adds or replaces a regular file.
    pub fn set(&mut self, path: &str, data: Vec<u8>) {
        self.members
            .insert(path.to_owned(), Member::new(FILE_MODE, data));
    }

    /// Removes a member.
    pub fn remove(&mut self, path: &str) {
        self.members.remove(path);
    }

    /// The embedded keyfiles by name.
    pub fn keyfiles(&self) -> BTreeMap<&str, &[u8]> {
        let files = self.members.iter().filter_map(|(path, member)| {
            let name = path
                .strip_prefix(NETWORK_DIR)
                .filter(|n| !n.contains('/'))?;
            let regular = member.mode & 0o170_000 == 0o100_000;
            regular.then_some((name, member.data.as_slice()))
        });
        files.collect()
    }

    /// Replaces every keyfile.
    pub fn set_keyfiles<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        let old: Vec<String> = self
            .keyfiles()
            .keys()
            .map(|n| format!("{NETWORK_DIR}{n}"))
            .collect();
        for path in old {
            self.members.remove(&path);
        }
        for (name, data) in files {
            self.set(&format!("{NETWORK_DIR}{name}"), data.to_vec());
        }
    }

    /// Paths of the members, sorted, with the bytes of each.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members
            .iter()
            .map(|(path, member)| (path.as_str(), member))
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The archives within one compressed stream: the kernel accepts several, and padding.
fn archives(expanded: &[u8], members: &mut Members, room: &mut usize) -> Result<(), InitrdError> {
    let mut rest = skip_padding(expanded);
    while !rest.is_empty() {
        rest = skip_padding(cpio::read(rest, members, room)?);
    }
    Ok(())
}

fn skip_padding(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
