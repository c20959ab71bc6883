//! The archives within the layer: `var.tgz`, `etc.tgz` and `ostree.tgz`, which lifecycle-agent unpacks as root on the target.
//!
//! A member must stay below its directory, must not be written through a link that an earlier member made, and is no device.
//! Names that come twice and links are normal there (`seed-image.md` section 4.2).

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use ::tar::EntryType;

use super::tar::{self, Member, shown};

/// Links that are remembered; a real `/var` and `/etc` have some thousand.
const MAX_LINKS: usize = 500_000;
const MANY: &str = "more links than any system has";
/// Bytes of all remembered links together.
const MAX_LINK_BYTES: usize = 32 << 20;

/// How many members an archive has, below `root` (`var`, `etc`; anything for ostree).
///
/// # Errors
/// It is no gzip tar, or a member is hostile.
pub(super) fn check(body: &mut dyn Read, root: Option<&str>) -> io::Result<u64> {
    let mut gzip = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(32 << 10, body));
    let mut links = Links::default();
    let mut count = 0;
    tar::walk(&mut gzip, &mut |member| {
        count += 1;
        judge(&member, root, &mut links)?;
        Ok(true)
    })?;
    // The checksum of the gzip stream comes last.
    io::copy(&mut gzip, &mut io::sink())?;
    Ok(count)
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
    let below = |root: &str| {
        path == root
            || path
                .strip_prefix(root)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    if root.is_some_and(|root| !below(root)) {
        return Err(hostile(&format!(
            "it is not below {}/",
            root.unwrap_or_default()
        )));
    }
    let mut parents = path
        .match_indices('/')
        .map(|(at, _)| path.get(..at).unwrap_or_default());
    if let Some(link) = parents.find(|parent| links.paths.contains(*parent)) {
        return Err(hostile(&format!(
            "it is written through the link {:?}",
            shown(link)
        )));
    }
    match member.kind {
        EntryType::Char | EntryType::Block => return Err(hostile("a device node")),
        EntryType::Link
            if member.link.starts_with('/') || member.link.split('/').any(|p| p == "..") =>
        {
            return Err(hostile("a hard link to the outside"));
        }
        EntryType::Symlink => links.add(path).ok_or_else(|| hostile(MANY))?,
        // A hard link to a symbolic link is one too.
        EntryType::Link if links.paths.contains(&plain(&member.link)) => {
            links.add(path).ok_or_else(|| hostile(MANY))?;
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

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
