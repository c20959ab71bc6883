//! Walking a tar stream in constant memory, member by member, with what a hostile one does refused.
//!
//! Format: POSIX ustar and pax, GNU long names and base-256 sizes. The `tar` crate parses the header fields; it does not walk,
//! because it holds extended headers of any size in memory, and in raw mode does not know the `size` record that members of
//! 8 GiB and more need, which a seed image's `var.tgz` may be.
//!
//! What is unpacked after this check is unpacked by GNU tar. Where the two could read one archive in two ways (sparse members, names
//! in global headers, two names for one member, a directory as a file) the archive is refused: no seed image needs that.

use std::io::{self, Read};

use ::tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// A longer name or link is not from any image builder.
const MAX_EXTENSION: u64 = 1 << 20;
const TWICE: &str = "two headers name one member";

/// One member. Reading past `body` is impossible; what is not read of it is skipped.
pub(in crate::seed) struct Member<'a> {
    /// As it is in the archive, without the leading `./` and the trailing `/`.
    pub(in crate::seed) path: String,
    pub(in crate::seed) kind: EntryType,
    /// Target of a link.
    pub(in crate::seed) link: String,
    /// Bytes of the body.
    pub(in crate::seed) size: u64,
    pub(in crate::seed) body: &'a mut dyn Read,
}

/// Calls `visit` for each member in order until it answers `false` or the archive ends; tells whether it ended.
///
/// # Errors
/// The stream fails, is no tar or ends early, a path is hostile, or `visit` fails.
pub(in crate::seed) fn walk(
    reader: &mut dyn Read,
    visit: &mut dyn FnMut(Member<'_>) -> io::Result<bool>,
) -> io::Result<bool> {
    let mut next = Extensions::default();
    let mut seen = false;
    loop {
        let mut block = [0; 512];
        if !fill(reader, &mut block)? {
            // Some writers leave the two zero blocks out; nothing at all is no archive.
            return if seen {
                Ok(true)
            } else {
                Err(bad("it is empty"))
            };
        }
        if block.iter().all(|b| *b == 0) {
            return Ok(true);
        }
        seen = true;
        let header = Header::from_byte_slice(&block);
        check_sum(header, &block)?;
        let size = header
            .entry_size()
            .map_err(|_| bad("a member's size is no number"))?;
        let kind = header.entry_type();
        if next.read(kind, size, reader)? {
            continue;
        }
        let extensions = std::mem::take(&mut next);
        let size = extensions.size.unwrap_or(size);
        let path = extensions
            .path
            .unwrap_or_else(|| lossy(&header.path_bytes()));
        if matches!(kind, EntryType::Regular | EntryType::Continuous) && path.ends_with('/') {
            return Err(bad("a file with the name of a directory"));
        }
        let own_link = header.link_name_bytes().map(|b| lossy(&b));
        let link = extensions.link.or(own_link).unwrap_or_default();
        let path = checked(&path)?;
        let mut body = reader.take(size);
        let go_on = visit(Member {
            path,
            kind,
            link,
            size,
            body: &mut body,
        })?;
        if !go_on {
            return Ok(false);
        }
        io::copy(&mut body, &mut io::sink())?;
        if body.limit() > 0 {
            return Err(bad("it ends within a member"));
        }
        skip(reader, padding(size))?;
    }
}

/// What extended headers say of the next member.
#[derive(Default)]
struct Extensions {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl Extensions {
    /// Takes a member that only describes the next one; false when it is none.
    fn read(&mut self, kind: EntryType, size: u64, reader: &mut dyn Read) -> io::Result<bool> {
        let named = self.path.is_some() || self.link.is_some() || self.size.is_some();
        match kind {
            EntryType::GNULongName if self.path.is_some() => return Err(bad(TWICE)),
            EntryType::GNULongLink if self.link.is_some() => return Err(bad(TWICE)),
            EntryType::XHeader if named => return Err(bad(TWICE)),
            EntryType::GNULongName => self.path = Some(gnu(&extension(reader, size)?)),
            EntryType::GNULongLink => self.link = Some(gnu(&extension(reader, size)?)),
            EntryType::XHeader => self.pax(&extension(reader, size)?)?,
            EntryType::XGlobalHeader => {
                let mut all = Self::default();
                all.pax(&extension(reader, size)?)?;
                if all.path.is_some() || all.link.is_some() || all.size.is_some() {
                    return Err(bad("a global header names members"));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `<length> <key>=<value>\n` …
    fn pax(&mut self, mut records: &[u8]) -> io::Result<()> {
        let broken = || bad("broken pax header");
        while !records.is_empty() {
            let space = records.iter().position(|b| *b == b' ').ok_or_else(broken)?;
            let digits = records
                .get(..space)
                .and_then(|d| std::str::from_utf8(d).ok());
            let length: usize = digits.and_then(|d| d.parse().ok()).ok_or_else(broken)?;
            let record = records
                .get(space + 1..length)
                .and_then(|r| r.strip_suffix(b"\n"))
                .ok_or_else(broken)?;
            records = records.get(length..).ok_or_else(broken)?;
            let split = record.iter().position(|b| *b == b'=').ok_or_else(broken)?;
            let (key, value) = record.split_at(split);
            let value = value.get(1..).unwrap_or_default();
            match key {
                b"path" => self.path = Some(lossy(value)),
                b"linkpath" => self.link = Some(lossy(value)),
                b"size" => {
                    let number = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                    self.size = Some(number.ok_or_else(broken)?);
                }
                _ if key.starts_with(b"GNU.sparse.") => return Err(bad("a sparse member")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A path that stays below where it is unpacked, without `./` and the trailing `/`.
fn checked(path: &str) -> io::Result<String> {
    let hostile = |why: &str| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("hostile member {:?}: {why}", shown(path)),
        )
    };
    if path.starts_with('/') {
        return Err(hostile("an absolute path"));
    }
    if path.contains('\0') {
        return Err(hostile("a NUL"));
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(hostile("it leaves its directory by `..`"));
    }
    Ok(parts.join("/"))
}

/// The beginning of a path, for messages.
pub(super) fn shown(path: &str) -> String {
    path.chars().take(120).collect()
}

pub(super) fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no tar: {what}"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn gnu(bytes: &[u8]) -> String {
    lossy(bytes.split(|b| *b == 0).next().unwrap_or_default())
}

pub(super) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

fn extension(reader: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_EXTENSION {
        return Err(bad("extended header too long"));
    }
    let mut bytes = Vec::new();
    let count = reader.take(size).read_to_end(&mut bytes)?;
    if count as u64 != size {
        return Err(bad("it ends within a header"));
    }
    skip(reader, padding(size))?;
    Ok(bytes)
}

fn skip(reader: &mut dyn Read, count: u64) -> io::Result<()> {
    let done = io::copy(&mut reader.take(count), &mut io::sink())?;
    if done == count {
        Ok(())
    } else {
        Err(bad("it ends within a member"))
    }
}

/// Reads a whole block; false at the end of the stream.
fn fill(reader: &mut dyn Read, block: &mut [u8; 512]) -> io::Result<bool> {
    let mut bytes = Vec::with_capacity(512);
    reader.take(BLOCK).read_to_end(&mut bytes)?;
    match bytes.len() {
        0 => Ok(false),
        512 => {
            block.copy_from_slice(&bytes);
            Ok(true)
        }
        _ => Err(bad("it ends within a header")),
    }
}

/// The sum of all bytes with the checksum's own as spaces.
fn check_sum(header: &Header, block: &[u8; 512]) -> io::Result<()> {
    let field = 148..156;
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if field.contains(&at) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    match header.cksum() {
        Ok(stored) if stored == sum => Ok(()),
        _ => Err(bad("a header's checksum is wrong")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        walk(&mut &*bytes, &mut |member| {
            names.push(format!("{} {}", member.path, member.size));
            Ok(true)
        })?;
        Ok(names)
    }

    fn pax(records: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
        let mut builder = ::tar::Builder::new(Vec::new());
        builder
            .append_pax_extensions(records.iter().copied())
            .unwrap();
        let mut header = Header::new_ustar();
        header.set_size(body.len() as u64);
        header.set_path("short").unwrap();
        header.set_cksum();
        builder.append(&header, body).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn both_dialects_and_their_ends() {
        let long = "d/".repeat(90) + "f";
        let mut builder = ::tar::Builder::new(Vec::new());
        for (path, body) in [("./a", &b"xyz"[..]), (&long, &[7; 513][..])] {
            let mut header = Header::new_gnu();
            header.set_size(body.len() as u64);
            builder.append_data(&mut header, path, body).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let expected = vec!["a 3".to_owned(), format!("{long} 513")];
        assert_eq!(names(&bytes).unwrap(), expected);
        assert_eq!(
            names(bytes.strip_suffix(&[0; 1024]).unwrap()).unwrap(),
            expected
        );
        assert_eq!(
            names(&pax(&[("path", long.as_bytes())], b"1")).unwrap(),
            [format!("{long} 1")]
        );
        for cut in [1, 511, 513, 700, bytes.len() - 1030] {
            assert!(names(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(names(b"").is_err());
        assert!(names(&[1; 512]).is_err());
        let mut flipped = bytes;
        flipped[0] ^= 1;
        assert!(names(&flipped).is_err());
    }

    #[test]
    fn a_pax_size_beats_the_header() {
        let mut bytes = pax(&[("size", b"5")], b"");
        let end = bytes.len() - 1024;
        bytes.truncate(end);
        bytes.extend_from_slice(b"12345");
        bytes.resize(end + 512 + 1024, 0);
        assert_eq!(names(&bytes).unwrap(), ["short 5"]);
        assert!(names(&pax(&[("size", b"99999999999999999999")], b"")).is_err());
        assert!(names(&pax(&[("size", b"1000000000000")], b"")).is_err());
    }

    #[test]
    fn what_two_programs_may_read_in_two_ways_is_refused() {
        let said = |bytes: &[u8]| names(bytes).unwrap_err().to_string();
        assert!(said(&pax(&[("GNU.sparse.name", b"x")], b"")).contains("sparse"));
        assert!(said(&pax(&[("path", b"x/")], b"")).contains("a file with the name"));
        let mut twice = pax(&[("path", b"a")], b"");
        twice.truncate(1024);
        twice.extend(pax(&[("path", b"b")], b""));
        assert!(said(&twice).contains("two headers"));
        let mut global = pax(&[("path", b"a")], b"");
        let mut header = Header::from_byte_slice(&global[..512]).clone();
        header.set_entry_type(EntryType::XGlobalHeader);
        header.set_cksum();
        global[..512].copy_from_slice(header.as_bytes());
        assert!(said(&global).contains("global"));
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["/etc/passwd", "../x", "a/../../x", "a/..", "x\0y"] {
            let error = names(&pax(&[("path", path.as_bytes())], b""))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("hostile member"), "{path:?}: {error}");
        }
    }
}
