//! What a restore that is under way has in the sysroot, and how it is taken back.
//!
//! The journal is written before anything else is touched, and removed with its directory when all is done. It names the stateroot
//! that we make, which was not there before: what has that name and no mark is ours, and not whole.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::IFlags;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use super::ostree;
use super::sysroot::Sysroot;
use crate::io::atomic;

/// What is to be taken back.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    stateroot: String,
    /// The repository's refs before.
    refs: Vec<String>,
}

/// Where everything is that a finished restore does not have.
pub(super) fn stage(sysroot: &Sysroot) -> PathBuf {
    sysroot.ostree().join(".snoforge-restore")
}

fn journal(sysroot: &Sysroot) -> Result<Option<Journal>, RestoreError> {
    let path = stage(sysroot).join("journal.json");
    match fs_err::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Journal>(&bytes) {
            // One directory name, whoever wrote the file.
            Ok(j) if j.stateroot.starts_with("rhcos_") && !j.stateroot.contains('/') => Ok(Some(j)),
            _ => Err(RestoreError::Unforeseen {
                step: format!("read {}", path.display()),
                reason: "it is no journal of this version".to_owned(),
            }),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(RestoreError::io("read", &path)(e)),
    }
}

/// The stateroot of a restore that did not end.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn interrupted(sysroot: &Sysroot) -> Result<Option<String>, RestoreError> {
    match journal(sysroot)? {
        Some(journal) if sysroot.marker(&journal.stateroot)?.is_none() => {
            Ok(Some(journal.stateroot))
        }
        _ => Ok(None),
    }
}

/// Makes the directory and the journal.
///
/// # Errors
/// The disk, or ostree.
pub(super) fn begin(sysroot: &Sysroot, stateroot: &str) -> Result<(), RestoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let journal = Journal {
        stateroot: stateroot.to_owned(),
        refs: ostree::refs(sysroot)?,
    };
    let stage = stage(sysroot);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&stage)
        .map_err(RestoreError::io("create", &stage))?;
    let path = stage.join("journal.json");
    let text = serde_json::to_vec(&journal).unwrap_or_default();
    atomic::write(&path, &text).map_err(RestoreError::io("write", &path))
}

/// Takes back what the journal says; does nothing without one. May itself be interrupted and run again.
///
/// # Errors
/// The disk, or ostree; the journal stays.
pub(super) fn undo(sysroot: &Sysroot) -> Result<(), RestoreError> {
    // First of all: on a full disk ostree can do nothing.
    empty_stage(sysroot)?;
    if let Some(stateroot) = interrupted(sysroot)? {
        let deployments = ostree::deployments(sysroot)?;
        let ours = deployments
            .iter()
            .enumerate()
            .filter(|(_, (os, _))| *os == stateroot);
        // From the last: the others keep their numbers.
        for (index, _) in ours.rev() {
            ostree::undeploy(sysroot, index)?;
        }
        remove(&sysroot.stateroot(&stateroot))?;
        let before = journal(sysroot)?.map(|j| j.refs).unwrap_or_default();
        let own = |name: &String| {
            ostree::DEPLOYMENT_REFS
                .iter()
                .any(|tree| Path::new(name).starts_with(tree))
        };
        for name in ostree::refs(sysroot)? {
            if !before.contains(&name) && !own(&name) {
                ostree::delete_ref(sysroot, &name)?;
            }
        }
        ostree::cleanup(sysroot)?;
    }
    remove_stage(sysroot)
}

/// Removes the directory, the journal last.
pub(super) fn remove_stage(sysroot: &Sysroot) -> Result<(), RestoreError> {
    empty_stage(sysroot)?;
    remove(&stage(sysroot))
}

/// Leaves the journal.
fn empty_stage(sysroot: &Sysroot) -> Result<(), RestoreError> {
    let mut names = ["ostree", "root", "etc.tar"].iter();
    names.try_for_each(|name| remove(&stage(sysroot).join(name)))
}

/// Removes a tree or a file, if it is there. ostree marks the roots of deployments immutable: `deploy/<deployment>` of a stateroot.
pub(super) fn remove(path: &Path) -> Result<(), RestoreError> {
    let deployments = fs_err::read_dir(path.join("deploy")).into_iter().flatten();
    for deployment in deployments.flatten().map(|d| d.path()) {
        // A filesystem that knows no such mark has none to take off.
        if let Ok(directory) = fs_err::File::open(&deployment)
            && let Ok(flags) = rustix::fs::ioctl_getflags(directory.file())
        {
            let _ = rustix::fs::ioctl_setflags(directory.file(), flags - IFlags::IMMUTABLE);
        }
    }
    let removed = match fs_err::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(RestoreError::io("remove", path)(e)),
        _ => Ok(()),
    }
}
