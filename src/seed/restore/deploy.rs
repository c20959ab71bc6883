//! From what is staged and checked to a stateroot that boots, in lifecycle-agent's order.

use std::io;
use std::path::{Path, PathBuf};

use super::error::RestoreError;
use super::sysroot::{self, Sysroot};
use super::{Restored, etc, karg_options, ostree, stage, undo};
use crate::io::atomic;
use crate::progress::{Event, Reporter};
use crate::seed::image::Files;

/// Does the steps, each of which is an item of its own.
///
/// # Errors
/// A program or the disk; nothing is taken back here.
pub(super) fn deploy(
    sysroot: &Sysroot,
    stateroot: &str,
    files: &Files,
    reporter: &dyn Reporter,
) -> Result<Restored, RestoreError> {
    let steps = Steps::new(reporter, 8);
    let repo = stage::repo(sysroot);
    let commit = files.deployment.commit.as_str();
    steps.run(1, "pull the commit", || {
        ostree::pull_local(sysroot, &repo, commit)?;
        undo::remove(&repo)
    })?;
    steps.run(2, "make the stateroot", || {
        ostree::os_init(sysroot, stateroot)
    })?;
    let kargs = karg_options(&files.kernel_arguments);
    steps.run(3, "deploy", || {
        ostree::deploy(sysroot, (stateroot, commit), &kargs)
    })?;
    let deployment = deployed(sysroot, stateroot, commit)?;
    let deployments = sysroot.stateroot(stateroot).join("deploy");
    let directory = deployments.join(&deployment);
    steps.run(4, "write the origin", || {
        write(
            &deployments,
            Path::new(""),
            &format!("{deployment}.origin"),
            &files.origin,
        )
    })?;
    let place = sysroot.stateroot(stateroot);
    steps.run(5, "move var", || {
        var(&stage::root(sysroot).join("var"), &place.join("var"))
    })?;
    steps.run(6, "unpack etc", || {
        etc::unpack(&stage::etc(sysroot), &directory)
    })?;
    let mut not_there = Vec::new();
    steps.run(7, "delete from etc", || {
        for path in &files.deletions {
            if !etc::delete(&directory, path)? {
                not_there.push(path.clone());
            }
        }
        Ok(())
    })?;
    steps.run(8, "write the lists", || lists(&place, files))?;
    steps.done();
    Ok(Restored {
        deployment,
        directory,
        kernel_arguments: files.kernel_arguments.clone(),
        deleted: files.deletions.len() - not_there.len(),
        not_there,
    })
}

/// Steps as items of a phase.
struct Steps<'a>(&'a dyn Reporter);

impl<'a> Steps<'a> {
    fn new(reporter: &'a dyn Reporter, count: u64) -> Self {
        reporter.report(Event::Phase {
            name: "deploy",
            items: Some(count),
            bytes: None,
        });
        Self(reporter)
    }

    fn run(
        &self,
        id: u64,
        name: &str,
        work: impl FnOnce() -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let size = None;
        self.0.report(Event::Started { id, name, size });
        let done = work();
        match &done {
            Ok(()) => self.0.report(Event::Finished { id }),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.as_str();
                self.0.report(Event::Failed { id, reason });
            }
        }
        done
    }

    fn done(&self) {
        self.0.report(Event::PhaseDone);
    }
}

/// The new stateroot's one deployment; its serial is ostree's to choose.
fn deployed(sysroot: &Sysroot, stateroot: &str, commit: &str) -> Result<String, RestoreError> {
    let all = ostree::deployments(sysroot)?;
    let own = all.into_iter().find(|(os, deployment)| {
        let sum = deployment.split('.').next();
        os == stateroot && sum == Some(commit)
    });
    own.map(|(_, deployment)| deployment)
        .ok_or_else(|| RestoreError::Unforeseen {
            step: "find the deployment".to_owned(),
            reason: format!("`ostree admin status` has none of {stateroot} with {commit}"),
        })
}

/// The seed's var in the place of the one that ostree made, whose own entries stay where the seed has none: what unpacking over it
/// would give, without writing anything twice.
fn var(staged: &Path, place: &Path) -> Result<(), RestoreError> {
    if !fs_err::symlink_metadata(staged).is_ok_and(|meta| meta.is_dir()) {
        return Err(RestoreError::Unforeseen {
            step: "move var".to_owned(),
            reason: "var.tgz has no directory var".to_owned(),
        });
    }
    merge(place, staged).map_err(RestoreError::io("move", staged))?;
    undo::remove(place)?;
    fs_err::rename(staged, place).map_err(RestoreError::io("rename", staged))
}

/// Moves what `from` has and `into` has not.
fn merge(from: &Path, into: &Path) -> io::Result<()> {
    let is_dir = |path: &Path| fs_err::symlink_metadata(path).map(|meta| meta.is_dir());
    for entry in fs_err::read_dir(from)? {
        let own = entry?;
        let theirs = into.join(own.file_name());
        match is_dir(&theirs) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => fs_err::rename(own.path(), theirs)?,
            Err(e) => return Err(e),
            Ok(true) if is_dir(&own.path())? => merge(&own.path(), &theirs)?,
            Ok(_) => {}
        }
    }
    Ok(())
}

/// `containers.list` and `manifest.json`, for whoever pulls the images.
fn lists(stateroot: &Path, files: &Files) -> Result<(), RestoreError> {
    let tmp = Path::new("var/tmp");
    write(stateroot, tmp, "containers.list", &files.containers)?;
    write(stateroot, tmp, "manifest.json", &files.info)
}

/// Writes a file into a directory below `root` without following the image's links.
fn write(root: &Path, relative: &Path, name: &str, text: &str) -> Result<(), RestoreError> {
    let path: PathBuf = root.join(relative).join(name);
    let written = if relative.as_os_str().is_empty() {
        atomic::write(&path, text.as_bytes())
    } else {
        sysroot::beneath(root, relative).and_then(|directory| {
            let place = sysroot::through(&directory, Path::new(name));
            atomic::write(&place, text.as_bytes())
        })
    };
    written.map_err(RestoreError::io("write", &path))
}
