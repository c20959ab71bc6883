//! Walking a tar stream of an image layer, with bounds on what a hostile one can make us hold.
//!
//! Format: POSIX pax and GNU headers (image-spec `layer.md`). The `tar` crate reads extended headers whole, whatever their size, so
//! it is used in raw mode and the two kinds that matter, GNU long names and pax records, are read here with a cap.

use std::io::{self, Read};

/// A path longer than this is not from any image builder.
const MAX_EXTENSION: u64 = 1 << 20;

/// What an entry is to a catalog or a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Hardlink,
    /// Devices and the like: not read, but they replace what was there.
    Other,
}

/// One entry: path relative to the root (no leading or trailing `/`, no `.` parts), kind, contents.
pub(super) struct Entry<'a> {
    pub(super) path: &'a str,
    pub(super) kind: Kind,
    /// Target of a link, as it is written; else empty.
    pub(super) link: &'a str,
    pub(super) body: &'a mut dyn Read,
}

/// Calls `visit` for each entry in order.
///
/// # Errors
/// The stream fails or is no tar, or `visit` fails.
pub(super) fn walk(
    reader: &mut dyn Read,
    visit: &mut dyn FnMut(Entry<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    let mut next = Long::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let kind = match entry.header().entry_type() {
            tar::EntryType::GNULongName => {
                next.path = Some(gnu(&extension(&mut entry)?));
                continue;
            }
            tar::EntryType::GNULongLink => {
                next.link = Some(gnu(&extension(&mut entry)?));
                continue;
            }
            tar::EntryType::XHeader => {
                next.pax(&extension(&mut entry)?)?;
                continue;
            }
            tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Regular | tar::EntryType::Continuous => Kind::File,
            tar::EntryType::Directory => Kind::Directory,
            tar::EntryType::Symlink => Kind::Symlink,
            tar::EntryType::Link => Kind::Hardlink,
            _ => Kind::Other,
        };
        let long = std::mem::take(&mut next);
        let own = || String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let raw = long.path.unwrap_or_else(own);
        let own = entry.link_name_bytes();
        let own = || own.map(|name| String::from_utf8_lossy(&name).into_owned());
        let link = long.link.or_else(own).unwrap_or_default();
        // Old tars mark directories by a trailing slash only.
        let kind = if kind == Kind::File && raw.ends_with('/') {
            Kind::Directory
        } else {
            kind
        };
        let path = normalize(&raw)?;
        visit(Entry {
            path: &path,
            kind,
            link: &link,
            body: &mut entry,
        })?;
    }
    Ok(())
}

fn extension(entry: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = entry.take(MAX_EXTENSION + 1).read_to_end(&mut bytes)?;
    if count as u64 > MAX_EXTENSION {
        return Err(bad("extended header too long"));
    }
    Ok(bytes)
}

fn gnu(bytes: &[u8]) -> String {
    let name = bytes.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// What extended headers say of the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
struct Long {
    path: Option<String>,
    link: Option<String>,
}

impl Long {
    /// Reads the records of a pax header that matter here: `<length> <key>=<value>\n` …
    fn pax(&mut self, mut records: &[u8]) -> io::Result<()> {
        let broken = || bad("broken pax header");
        while !records.is_empty() {
            let space = records.iter().position(|b| *b == b' ');
            let (digits, _) = records.split_at(space.ok_or_else(broken)?);
            let length = std::str::from_utf8(digits).ok();
            let length: usize = length.and_then(|d| d.parse().ok()).ok_or_else(broken)?;
            let record = records.get(digits.len() + 1..length).ok_or_else(broken)?;
            records = records.get(length..).ok_or_else(broken)?;
            let record = record.strip_suffix(b"\n").ok_or_else(broken)?;
            if let Some(value) = record.strip_prefix(b"path=") {
                self.path = Some(String::from_utf8_lossy(value).into_owned());
            } else if let Some(value) = record.strip_prefix(b"linkpath=") {
                self.link = Some(String::from_utf8_lossy(value).into_owned());
            } else if record.starts_with(b"size=") {
                return Err(bad("a file of 8 GiB or more"));
            }
        }
        Ok(())
    }
}

pub(super) fn normalize(path: &str) -> io::Result<String> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(bad("a path with `..`"));
    }
    Ok(parts.join("/"))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a layer: {what}"))
}

/// A whiteout entry (image-spec `layer.md`, Whiteouts).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whiteout<'a> {
    /// This path, and what is below it, is gone.
    Path { parent: &'a str, name: &'a str },
    /// What lower layers have below this directory is gone.
    Opaque(&'a str),
}

/// Reads a path as a whiteout.
pub(super) fn whiteout(path: &str) -> Option<Whiteout<'_>> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name == ".wh..wh..opq" {
        return Some(Whiteout::Opaque(parent));
    }
    let name = name.strip_prefix(".wh.")?;
    (!name.is_empty()).then_some(Whiteout::Path { parent, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(tar: &[u8]) -> io::Result<Vec<(String, Kind, String)>> {
        let mut found = Vec::new();
        walk(&mut &*tar, &mut |entry| {
            let mut text = String::new();
            entry.body.read_to_string(&mut text)?;
            found.push((entry.path.to_owned(), entry.kind, text));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn long_names_of_both_dialects() {
        let long = format!("configs/{}/catalog.json", "p".repeat(180));
        let mut gnu = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        gnu.append_data(&mut header, &long, &b"{}"[..]).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        gnu.append_data(&mut header, "./configs/b/", io::empty())
            .unwrap();
        let expected = vec![
            (long.clone(), Kind::File, "{}".to_owned()),
            ("configs/b".to_owned(), Kind::Directory, String::new()),
        ];
        assert_eq!(entries(&gnu.into_inner().unwrap()).unwrap(), expected);

        let mut pax = tar::Builder::new(Vec::new());
        pax.append_pax_extensions([("mtime", &b"1.5"[..]), ("path", long.as_bytes())])
            .unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(2);
        header.set_path("short").unwrap();
        header.set_cksum();
        pax.append(&header, &b"{}"[..]).unwrap();
        assert_eq!(entries(&pax.into_inner().unwrap()).unwrap(), expected[..1]);
    }

    #[test]
    fn hostile_headers_are_refused() {
        let mut huge = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(3 << 20);
        header.set_cksum();
        huge.append(&header, io::repeat(b'a').take(3 << 20))
            .unwrap();
        assert!(entries(&huge.into_inner().unwrap()).is_err());
        for path in ["../etc/x", "a/../../x"] {
            let mut builder = tar::Builder::new(Vec::new());
            builder
                .append_pax_extensions([("path", path.as_bytes())])
                .unwrap();
            let mut header = tar::Header::new_ustar();
            header.set_size(0);
            header.set_path("x").unwrap();
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
            assert!(entries(&builder.into_inner().unwrap()).is_err(), "{path}");
        }
        for records in ["5 path", "99 path=x\n", "x path=y\n", "0 \n", "3 =\n"] {
            let _ = Long::default().pax(records.as_bytes());
        }
        assert!(Long::default().pax(b"99 path=x\n").is_err());
        assert!(Long::default().pax(b"0 path=x\n").is_err());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

        /// Errors are fine, panics and endless loops are not.
        #[test]
        fn no_bytes_panic(
            changes in proptest::collection::vec((0usize..6000, proptest::prelude::any::<u8>()), 0..12),
            noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..1600),
        ) {
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_pax_extensions([("path", &b"configs/a/c.json"[..])]).unwrap();
            let mut header = tar::Header::new_gnu();
            header.set_size(700);
            builder.append_data(&mut header, "n".repeat(150), io::repeat(b'x').take(700)).unwrap();
            let mut bytes = builder.into_inner().unwrap();
            let length = bytes.len();
            for (at, value) in changes {
                bytes[at % length] = value;
            }
            let _ = entries(&bytes);
            let _ = entries(&noise);
            let _ = Long::default().pax(&noise);
        }
    }

    #[test]
    fn whiteouts() {
        assert_eq!(whiteout("a/.wh..wh..opq"), Some(Whiteout::Opaque("a")));
        assert_eq!(
            whiteout(".wh.configs"),
            Some(Whiteout::Path {
                parent: "",
                name: "configs"
            })
        );
        assert_eq!(whiteout("a/.wh."), None);
        assert_eq!(whiteout("a/b"), None);
    }
}
