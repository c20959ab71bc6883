//! The archives on their way: each member is checked, then unpacked by GNU tar in a directory that nothing else uses.
//!
//! `ostree.tgz` and `var.tgz` are unpacked beside their place, on the same filesystem: from there they need only be linked and
//! renamed. `etc.tgz` belongs over a deployment's etc, which comes later; it is kept, checked and uncompressed.

use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RestoreError;
use super::sysroot::Sysroot;
use super::undo;
use crate::exec;
use crate::seed::image::{Archives, Stopped, pass};

/// The calls that tar names when it cannot set an attribute; it goes on then, and exits with 0.
const ATTRIBUTE: [&str; 4] = ["setfilecon", "setxattr", "acl_set", "acl_delete"];

/// What went wrong on our side, for the one who waits for the end of the stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<Mutex<Option<RestoreError>>>);

impl Failed {
    pub(super) fn take(&self) -> Option<RestoreError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.take()
    }

    fn set(&self, error: RestoreError) -> Stopped {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert(error);
        Stopped
    }
}

/// Where the archives go.
#[derive(Debug)]
pub(super) struct Staging {
    stage: PathBuf,
    failed: Failed,
}

/// The seed's repository, unpacked.
pub(super) fn repo(sysroot: &Sysroot) -> PathBuf {
    undo::stage(sysroot).join("ostree")
}

/// The directory that holds the seed's `var`, unpacked.
pub(super) fn root(sysroot: &Sysroot) -> PathBuf {
    undo::stage(sysroot).join("root")
}

/// The seed's changes to `/etc`, as a tar.
pub(super) fn etc(sysroot: &Sysroot) -> PathBuf {
    undo::stage(sysroot).join("etc.tar")
}

impl Staging {
    /// Makes the directories; the journal is there.
    pub(super) fn new(sysroot: &Sysroot) -> Result<(Self, Failed), RestoreError> {
        for directory in [repo(sysroot), root(sysroot)] {
            fs_err::create_dir(&directory).map_err(RestoreError::io("create", &directory))?;
        }
        let failed = Failed::default();
        let staging = Self {
            stage: undo::stage(sysroot),
            failed: failed.clone(),
        };
        Ok((staging, failed))
    }

    fn keep(&self, root: Option<&str>, body: &mut dyn Read) -> Result<io::Result<()>, Stopped> {
        let path = self.stage.join("etc.tar");
        let mut file = fs_err::File::create(&path)
            .map(io::BufWriter::new)
            .map_err(|e| self.failed.set(RestoreError::io("create", &path)(e)))?;
        let passed = pass(body, root, &mut file);
        let kept = passed.and_then(|passed| file.flush().map(|()| passed.map(drop)));
        kept.map_err(|e| self.failed.set(RestoreError::io("write", &path)(e)))
    }
}

impl Archives for Staging {
    fn take(
        &mut self,
        name: &str,
        root: Option<&str>,
        body: &mut dyn Read,
    ) -> Result<io::Result<()>, Stopped> {
        let directory = match name {
            "ostree.tgz" => "ostree",
            "var.tgz" => "root",
            _ => return self.keep(root, body),
        };
        let mut hostile = None;
        let unpacked = unpack(&self.stage.join(directory), |tar| {
            pass(body, root, tar)?.map(drop).map_err(|error| {
                hostile = Some(error);
                io::ErrorKind::InvalidData.into()
            })
        });
        match (unpacked, hostile) {
            (_, Some(error)) => Ok(Err(error)),
            (Ok(()), None) => Ok(Ok(())),
            (Err(error), None) => Err(self.failed.set(error)),
        }
    }
}

/// Unpacks the tar that `fill` writes into a directory, with lifecycle-agent's options. Owners by number: by name they would be those
/// of the machine that restores. Names come on stdin only: tar takes a file with a colon for another machine's.
pub(super) fn unpack(
    directory: &Path,
    fill: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), RestoreError> {
    let options = [
        "--extract",
        "--file=-",
        "--same-owner",
        "--same-permissions",
        "--numeric-owner",
        "--selinux",
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "--directory",
    ];
    let mut args: Vec<&std::ffi::OsStr> = options.iter().map(std::ffi::OsStr::new).collect();
    args.push(directory.as_os_str());
    let step = format!("unpack into {}", directory.display());
    let ((), said) = exec::run_fed("tar", &args, fill)
        .map_err(RestoreError::program(&step))?
        .map_err(RestoreError::io("unpack into", directory))?;
    // Only a warning to tar: a label that the running system's policy does not know, an attribute that the filesystem cannot hold.
    match said
        .lines()
        .find(|line| ATTRIBUTE.iter().any(|call| line.contains(call)))
    {
        Some(line) => Err(RestoreError::Attribute {
            step,
            said: line.chars().take(300).collect(),
        }),
        None => Ok(()),
    }
}
