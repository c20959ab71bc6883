//! `/etc` of a new deployment: the seed's changes over the commit's own, and what the seed had deleted.
//!
//! The commit comes with the image, so its tree is as little to be trusted as the archive: nothing is written or deleted through a
//! symbolic link that the tree has.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use ::tar::EntryType;

use super::error::RestoreError;
use super::{stage, sysroot};
use crate::seed::image::{parents, walk};

/// Unpacks the checked archive over the deployment.
///
/// # Errors
/// The archive goes through a link of the deployed tree, tar or the disk.
pub(super) fn unpack(archive: &Path, deployment: &Path) -> Result<(), RestoreError> {
    let open = || fs_err::File::open(archive).map(io::BufReader::new);
    let checked = open().and_then(|mut archive| check(&mut archive, deployment));
    checked.map_err(RestoreError::io("unpack", archive))?;
    let mut archive = open().map_err(RestoreError::io("open", archive))?;
    stage::unpack(deployment, |tar| io::copy(&mut archive, tar).map(drop))
}

/// Nothing goes through a link that is on disk. One that the archive replaces with a directory is none any more.
fn check(archive: &mut dyn io::Read, deployment: &Path) -> io::Result<()> {
    let mut good = BTreeSet::new();
    walk(archive, &mut |member| {
        let linked = (member.kind == EntryType::Link).then_some(member.link.as_str());
        for path in [Some(member.path.as_str()), linked].into_iter().flatten() {
            for parent in parents(path) {
                if !good.contains(parent) {
                    if is_link(&deployment.join(parent)) {
                        let what = format!(
                            "hostile member {:?}: it goes through the deployment's link {parent:?}",
                            member.path
                        );
                        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                    }
                    good.insert(parent.to_owned());
                }
            }
        }
        if member.kind == EntryType::Directory {
            good.insert(member.path);
        }
        Ok(true)
    })
    .map(drop)
}

fn is_link(path: &Path) -> bool {
    fs_err::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

/// Deletes what the seed had deleted; `false` when it was not there. A directory goes with all that is in it: the seed's list has it
/// without.
///
/// # Errors
/// The disk, or a link on the way.
pub(super) fn delete(deployment: &Path, path: &str) -> Result<bool, RestoreError> {
    let relative = Path::new(path.trim_start_matches('/'));
    let failed = |e| RestoreError::io("delete", &deployment.join(relative))(e);
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Ok(false);
    };
    let directory = match sysroot::beneath(deployment, parent) {
        Ok(directory) => directory,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(failed(e)),
    };
    let place = sysroot::through(&directory, Path::new(name));
    let deleted = match fs_err::symlink_metadata(&place) {
        Ok(meta) if meta.is_dir() => fs_err::remove_dir_all(&place),
        Ok(_) => fs_err::remove_file(&place),
        Err(e) => Err(e),
    };
    match deleted {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed(e)),
    }
}

#[cfg(test)]
mod tests {
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
        builder.into_inner().unwrap()
    }

    #[test]
    fn links_of_the_tree_are_not_followed() {
        use EntryType::{Directory, Link, Regular};
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs_err::create_dir_all(root.join("tree/etc/d")).unwrap();
        fs_err::create_dir(root.join("outside")).unwrap();
        fs_err::write(root.join("outside/f"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("outside"), root.join("tree/etc/l")).unwrap();
        let tree = root.join("tree");
        let checked = |members: &[_]| check(&mut &*archive(members), &tree);
        checked(&[
            ("etc/d/f", Regular, ""),
            ("etc/l", Regular, ""),
            ("etc/new/f", Regular, ""),
        ])
        .unwrap();
        checked(&[("etc/l", Directory, ""), ("etc/l/f", Regular, "")]).unwrap();
        for bad in [
            &[("etc/l/f", Regular, "")][..],
            &[("etc/d/f", Link, "etc/l/f")],
        ] {
            let said = checked(bad).unwrap_err().to_string();
            assert!(said.contains("the deployment's link \"etc/l\""), "{said}");
        }
        assert!(delete(&tree, "/etc/l/f").is_err());
        assert!(root.join("outside/f").exists());
        assert!(delete(&tree, "/etc/l").unwrap());
        assert!(delete(&tree, "/etc/d").unwrap());
        assert!(!delete(&tree, "/etc/d/f").unwrap());
        assert!(root.join("outside/f").exists());
    }
}
