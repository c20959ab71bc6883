//! cpio archives in the `newc` form (`Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel).
//!
//! ```text
//! @0 "070701" (or "070702")   @6 ino   @14 mode   @22 uid   @30 gid   @38 nlink   @46 mtime   @54 file size
//! @62 dev major, minor   @78 rdev major, minor   @94 name size with NUL   @102 check   @110 name, padded to 4; data, padded to 4
//! ```
//! Every number is 8 hexadecimal digits. `TRAILER!!!` ends an archive.
//!
//! The writer gives the bytes that coreos-installer gives: numbers in lower case, inode numbers counted from 0, missing parent
//! directories before their files, no padding after the trailer. It gives them in parts, because the `cpio` crate that coreos-installer
//! uses flushes its compressor after each padded member, which shows in the compressed bytes.

use std::collections::BTreeMap;

use super::{MAX_EXPANDED, Member, Members};
use crate::iso::error::InitrdError;

const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";
/// A path that the kernel would accept (`PATH_MAX`).
const MAX_NAME: usize = 4096;
/// `S_IFDIR | 0755`
const DIRECTORY_MODE: u32 = 0o040_755;
const TYPE_MASK: u32 = 0o170_000;
const TYPE_DIRECTORY: u32 = 0o040_000;

/// What a cpio archive begins with.
pub(super) fn is_cpio(bytes: &[u8]) -> bool {
    bytes.starts_with(b"070701") || bytes.starts_with(b"070702")
}

/// Names of hard-linked files, by device and inode.
type Links = BTreeMap<(u32, u32, u32), Vec<String>>;

/// Reads one archive into `members` (a later member replaces an earlier one); returns the bytes after it. `room` is what hard links may
/// still multiply their data to, in bytes.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    members: &mut Members,
    room: &mut usize,
) -> Result<&'a [u8], InitrdError> {
    let mut rest = bytes;
    let mut links = Links::new();
    loop {
        let at = bytes.len() - rest.len();
        let (header, after) = Header::parse(rest, at)?;
        rest = after;
        // What everybody makes for their files is made again by the writer.
        if header.is_plain_directory() {
            continue;
        }
        let Some((name, member)) = header.member() else {
            return Ok(rest);
        };
        if name.is_empty() || name == TRAILER {
            return Err(InitrdError::Cpio {
                at,
                reason: "a name stands for something else",
            });
        }
        let others = linked(&header, &name, &mut links);
        let copies = others.len().saturating_mul(member.data.len());
        *room = room
            .checked_sub(copies)
            .ok_or(InitrdError::TooLarge(MAX_EXPANDED))?;
        for other in others.iter().filter(|_| copies > 0) {
            if let Some(other) = members.get_mut(other) {
                other.data.clone_from(&member.data);
            }
        }
        members.insert(name, member);
    }
}

/// The names so far of a file with hard links: only one of them carries the data, each of ours gets them.
fn linked<'a>(header: &Header<'_>, name: &str, links: &'a mut Links) -> &'a [String] {
    if header.nlink < 2 || header.mode & TYPE_MASK == TYPE_DIRECTORY {
        return &[];
    }
    let names = links.entry(header.inode).or_default();
    names.push(name.to_owned());
    names
}

struct Header<'a> {
    inode: (u32, u32, u32),
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    mtime: u32,
    rdev: (u32, u32),
    name: &'a str,
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Also returns what follows the data.
    fn parse(bytes: &'a [u8], at: usize) -> Result<(Self, &'a [u8]), InitrdError> {
        let bad = |reason| InitrdError::Cpio { at, reason };
        let head = bytes
            .get(..HEADER)
            .filter(|head| is_cpio(head))
            .ok_or_else(|| bad("no header is there"))?;
        let number = |index: usize| {
            let digits = head.get(6 + 8 * index..14 + 8 * index)?;
            digits.iter().try_fold(0_u32, |number, digit| {
                Some(number << 4 | char::from(*digit).to_digit(16)?)
            })
        };
        let field = |index| number(index).ok_or_else(|| bad("a header field is no number"));
        let name_size = usize::try_from(field(11)?).unwrap_or(usize::MAX);
        if name_size == 0 || name_size > MAX_NAME {
            return Err(bad("the length of the name is wrong"));
        }
        let data_size = usize::try_from(field(6)?).unwrap_or(usize::MAX);
        let name = bytes
            .get(HEADER..HEADER + name_size)
            .and_then(|n| n.strip_suffix(b"\0"));
        let name = name.ok_or_else(|| bad("the name has no end"))?;
        let name = std::str::from_utf8(name).map_err(|_| bad("the name is not UTF-8"))?;
        let data_at = aligned(HEADER + name_size);
        let data = data_at
            .checked_add(data_size)
            .and_then(|end| bytes.get(data_at..end));
        let data = data.ok_or_else(|| bad("the data end early"))?;
        // The last padding may be missing.
        let rest = bytes
            .get(aligned(data_at + data_size)..)
            .unwrap_or_default();
        let header = Self {
            inode: (field(7)?, field(8)?, field(0)?),
            mode: field(1)?,
            uid: field(2)?,
            gid: field(3)?,
            nlink: field(4)?,
            mtime: field(5)?,
            rdev: (field(9)?, field(10)?),
            name,
            data,
        };
        Ok((header, rest))
    }

    /// None for the trailer.
    fn member(&self) -> Option<(String, Member)> {
        (self.name != TRAILER).then(|| {
            let name = self.name.trim_start_matches("./").trim_start_matches('/');
            let member = Member {
                mode: self.mode,
                uid: self.uid,
                gid: self.gid,
                mtime: self.mtime,
                rdev: self.rdev,
                data: self.data.to_vec(),
            };
            (name.to_owned(), member)
        })
    }

    fn is_plain_directory(&self) -> bool {
        self.name == "." || self.mode == DIRECTORY_MODE && (self.uid, self.gid) == (0, 0)
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Writes an archive, in parts that are to be compressed each by itself.
pub(super) fn write(members: &Members) -> Vec<Vec<u8>> {
    let mut out = Writer::default();
    let mut inside: Vec<&str> = Vec::new();
    for (path, member) in members {
        let mut parents: Vec<&str> = path.split('/').collect();
        parents.pop();
        let common = inside
            .iter()
            .zip(&parents)
            .take_while(|(a, b)| a == b)
            .count();
        inside.truncate(common);
        for part in parents.iter().skip(common) {
            inside.push(part);
            let directory = inside.join("/");
            if !members.contains_key(&directory) {
                out.add(&directory, &Member::new(DIRECTORY_MODE, Vec::new()));
            }
        }
        out.add(path, member);
    }
    out.index = 0;
    out.add(TRAILER, &Member::new(0, Vec::new()));
    out.parts.push(out.bytes);
    out.parts
}

#[derive(Default)]
struct Writer {
    parts: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    index: usize,
}

impl Writer {
    fn add(&mut self, name: &str, member: &Member) {
        let (major, minor) = member.rdev;
        let size = member.data.len();
        let ids = [
            self.index,
            member.mode as usize,
            member.uid as usize,
            member.gid as usize,
        ];
        let rest = [
            1,
            member.mtime as usize,
            size,
            0,
            0,
            major as usize,
            minor as usize,
        ];
        self.bytes.extend(b"070701");
        for number in ids.into_iter().chain(rest).chain([name.len() + 1, 0]) {
            self.bytes.extend(format!("{number:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(&member.data);
        self.pad();
        self.index += 1;
        if !size.is_multiple_of(4) {
            self.parts.push(std::mem::take(&mut self.bytes));
        }
    }

    fn pad(&mut self) {
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }
}
