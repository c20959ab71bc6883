//! The archives within the layer: `var.tgz`, `etc.tgz` and `ostree.tgz`, which lifecycle-agent unpacks as root on the target.
//!
//! A member must stay below its directory, must not be written through a link that an earlier member made, and is no device.
//! Names that come twice and links are normal there (`seed-image.md` section 4.2).
//!
//! [`pass`] hands on what it has checked, so that tar unpacks in the same pass: a member's header waits until the member is judged.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Write};

use ::tar::EntryType;

use super::tar::{self, Member, shown};

/// Links that are remembered; a real `/var` and `/etc` have some thousand.
const MAX_LINKS: usize = 500_000;
const MANY: &str = "more links than any system has";
/// Bytes of all remembered links together.
const MAX_LINK_BYTES: usize = 32 << 20;

/// Headers of one member; real ones have some KiB of extended attributes.
const MAX_HELD: usize = 4 << 20;

/// How many members an archive has, below `root` (`var`, `etc`; anything for ostree). `out` gets it uncompressed, each member as soon
/// as it is judged, and nothing from the first hostile one on.
///
/// # Errors
/// `out` fails; within: it is no gzip tar, or a member is hostile.
pub(in crate::seed) fn pass(
    body: &mut dyn Read,
    root: Option<&str>,
    out: &mut dyn Write,
) -> Result<io::Result<u64>, io::Error> {
    let gzip = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(32 << 10, body));
    let gate = RefCell::new(Gate {
        held: Vec::new(),
        open: 0,
        out,
        failed: None,
    });
    let mut gated = Gated {
        inner: gzip,
        gate: &gate,
    };
    let count = through(&mut gated, &gate, root);
    let mut gate = gate.into_inner();
    match gate.failed.take() {
        Some(error) => Err(error),
        None if count.is_err() => Ok(count),
        // Two blocks of zeros end an archive, whatever this one has there.
        None => gate.out.write_all(&[0; 1024]).map(|()| count),
    }
}

fn through<R: Read>(
    gated: &mut Gated<'_, '_, R>,
    gate: &RefCell<Gate<'_>>,
    root: Option<&str>,
) -> io::Result<u64> {
    let mut links = Links::default();
    let mut count = 0;
    tar::walk(gated, &mut |member| {
        count += 1;
        judge(&member, root, &mut links)?;
        gate.borrow_mut().release(member.size)?;
        Ok(true)
    })?;
    // The checksum of the gzip stream comes last.
    io::copy(&mut gated.inner, &mut io::sink())?;
    Ok(count)
}

/// Between what is read and what is handed on.
struct Gate<'a> {
    /// Headers of the member that is not judged yet.
    held: Vec<u8>,
    /// Bytes of the judged member's body still to come.
    open: u64,
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Gate<'_> {
    fn release(&mut self, size: u64) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.open = size + tar::padding(size);
        self.write(&held)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes).map_err(|error| {
            self.failed = Some(error);
            io::ErrorKind::WriteZero.into()
        })
    }
}

struct Gated<'g, 'o, R> {
    inner: R,
    gate: &'g RefCell<Gate<'o>>,
}

impl<R: Read> Read for Gated<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut gate = self.gate.borrow_mut();
        if gate.open == 0 {
            let count = self.inner.read(buffer)?;
            gate.held
                .extend_from_slice(buffer.get(..count).unwrap_or_default());
            if gate.held.len() > MAX_HELD {
                return Err(tar::bad("extended headers too long"));
            }
            return Ok(count);
        }
        let most = usize::try_from(gate.open).map_or(buffer.len(), |open| open.min(buffer.len()));
        let count = self
            .inner
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        gate.open -= count as u64;
        gate.write(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

#[derive(Default)]
struct Links {
    paths: BTreeSet<String>,
    bytes: usize,
}

impl Links {
    /// Remembers a link for good, even if another member takes its name; `None` when there are too many.
    fn add(&mut self, path: &str) -> Option<()> {
        self.bytes += path.len();
        self.paths.insert(path.to_owned());
        (self.paths.len() <= MAX_LINKS && self.bytes <= MAX_LINK_BYTES).then_some(())
    }

    /// The link that a path goes through.
    fn above<'p>(&self, path: &'p str) -> Option<&'p str> {
        parents(path).find(|parent| self.paths.contains(*parent))
    }
}

/// A path as members have theirs.
fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|p| !p.is_empty() && *p != ".");
    parts.collect::<Vec<_>>().join("/")
}

fn judge(member: &Member<'_>, root: Option<&str>, links: &mut Links) -> io::Result<()> {
    let path = member.path.as_str();
    let hostile = |why: &str| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("hostile member {:?}: {why}", shown(path)),
        )
    };
    if let Some(root) = root
        && !inside(path, root)
    {
        return Err(hostile(&format!("it is not below {root}/")));
    }
    if let Some(link) = links.above(path) {
        return Err(hostile(&format!(
            "it is written through the link {:?}",
            shown(link)
        )));
    }
    let regular = matches!(member.kind, EntryType::Regular | EntryType::Continuous);
    if !regular && member.size > 0 {
        return Err(hostile("it has a body and is no file"));
    }
    if root == Some(path) && member.kind != EntryType::Directory {
        return Err(hostile("it is no directory"));
    }
    match member.kind {
        EntryType::Char | EntryType::Block => Err(hostile("a device node")),
        EntryType::Link => {
            let target = plain(&member.link);
            let outside = member.link.starts_with('/') || target.split('/').any(|p| p == "..");
            if outside || root.is_some_and(|root| !inside(&target, root)) {
                return Err(hostile("a hard link to the outside"));
            }
            if links.above(&target).is_some() {
                return Err(hostile("a hard link through a link"));
            }
            // A hard link to a symbolic link is one too.
            if links.paths.contains(&target) {
                links.add(path).ok_or_else(|| hostile(MANY))?;
            }
            Ok(())
        }
        EntryType::Symlink => links.add(path).ok_or_else(|| hostile(MANY)),
        EntryType::Directory | EntryType::Fifo => Ok(()),
        _ if regular => Ok(()),
        _ => Err(hostile("of a kind that no system has")),
    }
}

/// Whether a path is `root` or below it.
fn inside(path: &str, root: &str) -> bool {
    let rest = path.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directories that a path goes through, from the outermost.
pub(in crate::seed) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .map(|(at, _)| path.get(..at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn check(body: &mut dyn Read, root: Option<&str>) -> io::Result<u64> {
        pass(body, root, &mut io::sink()).unwrap()
    }

    fn archive(members: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = ::tar::Builder::new(Vec::new());
        for (path, kind, link) in members {
            let mut header = ::tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(0);
            header.set_path(path).unwrap();
            if !link.is_empty() {
                header.set_link_name(link).unwrap();
            }
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&builder.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn what_a_system_has_passes_and_what_escapes_does_not() {
        use EntryType::{Char, Directory, Link, Regular, Symlink};
        let good = archive(&[
            ("var/", Directory, ""),
            ("var/run", Symlink, "../run"),
            ("var/lib/a", Regular, ""),
            ("var/lib/b", Link, "var/lib/a"),
            ("var/lib/a", Regular, ""),
        ]);
        assert_eq!(check(&mut &*good, Some("var")).unwrap(), 5);
        assert!(check(&mut &good[..good.len() - 4], Some("var")).is_err());
        for (members, why) in [
            (&[("etc/a", Regular, "")][..], "not below var/"),
            (&[("variable", Regular, "")], "not below var/"),
            (
                &[("var/x", Symlink, "/etc"), ("var/x/shadow", Regular, "")],
                "through the link",
            ),
            (
                &[
                    ("var/x", Symlink, "/etc"),
                    ("var/y", Link, "./var/x"),
                    ("var/y/shadow", Regular, ""),
                ],
                "through the link",
            ),
            (&[("var/x", Link, "/etc/shadow")], "hard link"),
            (&[("var/x", Link, "var/../etc/shadow")], "hard link"),
            (&[("var/x", Link, "etc/shadow")], "hard link"),
            (
                &[("var/x", Symlink, "/etc"), ("var/y", Link, "var/x/shadow")],
                "hard link through",
            ),
            (&[("var", Symlink, "/etc")], "no directory"),
            (&[("var/x", ::tar::EntryType::GNUSparse, "")], "kind"),
            (&[("var/x", Char, "")], "device"),
        ] {
            let error = check(&mut &*archive(members), Some("var"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(check(&mut &b"not gzip"[..], None).is_err());
    }

    #[test]
    fn only_what_is_judged_is_handed_on() {
        use EntryType::{Directory, Regular};
        let unzip = |gzip: &[u8]| {
            let mut tar = Vec::new();
            flate2::read::GzDecoder::new(gzip)
                .read_to_end(&mut tar)
                .unwrap();
            tar
        };
        let good = archive(&[("var/", Directory, ""), ("var/a", Regular, "")]);
        let mut out = Vec::new();
        assert_eq!(
            pass(&mut &*good, Some("var"), &mut out).unwrap().unwrap(),
            2
        );
        assert_eq!(out, unzip(&good));
        let bad = archive(&[("var/", Directory, ""), ("etc/a", Regular, "")]);
        out.clear();
        assert!(pass(&mut &*bad, Some("var"), &mut out).unwrap().is_err());
        assert_eq!(out, unzip(&bad)[..512]);
        // A full disk is not the archive's fault.
        let full = pass(&mut &*good, Some("var"), &mut &mut [0; 700][..]);
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let gzip = archive(&[
            ("var/", Directory, ""),
            ("var/a", Regular, ""),
            ("var/b", Link, "var/a"),
            ("var/c", Symlink, "a"),
        ]);
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&*gzip)
            .read_to_end(&mut tar)
            .unwrap();
        for at in 0..tar.len() {
            let mut damaged = tar.clone();
            damaged[at] ^= 0x81;
            let _ = tar::walk(&mut &*damaged, &mut |_| Ok(true));
            let _ = tar::walk(&mut &damaged[..at], &mut |_| Ok(true));
        }
        for at in 0..gzip.len() {
            let mut damaged = gzip.clone();
            damaged[at] ^= 0x10;
            let _ = check(&mut &*damaged, Some("var"));
            assert!(check(&mut &gzip[..at], Some("var")).is_err(), "{at}");
        }
    }
}
