//! The sysroot: whether it is one and may be used, what is in it already, and the mark of what is whole.
//!
//! The mark is `ostree/deploy/<stateroot>/.snoforge-restore.json`, `{"digest": "sha256:…"}`: written last, after a sync of the
//! filesystem. A stateroot without it was made by something else, or is not whole.

use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use super::undo;
use crate::io::{Category, atomic};
use crate::oci::Digest;

/// A directory with an ostree repository, which is not the running system's.
#[derive(Debug, Clone)]
pub struct Sysroot {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    digest: Digest,
}

/// Keeps other restores away; a program that outlives us keeps it.
#[derive(Debug)]
pub(super) struct Lock {
    _directory: fs_err::File,
}

/// Whether we may do it at all.
///
/// # Errors
/// Not root.
pub(super) fn ready() -> Result<(), RestoreError> {
    if nix::unistd::Uid::effective().is_root() {
        return Ok(());
    }
    Err(RestoreError::NotRoot)
}

impl Sysroot {
    /// Looks at a directory; writes nothing.
    ///
    /// # Errors
    /// It is `/` or the running system's, no sysroot, or its `/boot` is not mounted.
    pub fn open(path: &Path) -> Result<Self, RestoreError> {
        let refuse = |reason: &str, hint, category| {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            RestoreError::Sysroot {
                path,
                reason,
                hint,
                category,
            }
        };
        let real = fs_err::canonicalize(path).map_err(|_| {
            refuse(
                "no such directory",
                "mount the target's root filesystem, and name the mount point",
                Category::Usage,
            )
        })?;
        let sysroot = Self { path: real };
        if sysroot.is_running() {
            let reason = "it is the running system's";
            let hint = "a restore is for another disk: mount it, and name the mount point";
            return Err(refuse(reason, hint, Category::Usage));
        }
        if !sysroot.repo().is_dir() || !sysroot.deploys().is_dir() {
            let reason = "it has no ostree/repo: it is no sysroot";
            let hint = "install RHCOS there first (`coreos-installer install`), or make an empty one with `ostree admin init-fs`";
            return Err(refuse(reason, hint, Category::Usage));
        }
        let booted = |name| {
            let link = sysroot.ostree().join(name);
            fs_err::read_dir(link).is_ok_and(|mut d| d.next().is_some())
        };
        let entries = sysroot.path.join("boot/loader");
        if (booted("boot.0") || booted("boot.1")) && fs_err::symlink_metadata(entries).is_err() {
            let reason = "it has deployments, and boot/loader is not there";
            let hint = "mount the target's boot partition at SYSROOT/boot";
            return Err(refuse(reason, hint, Category::Environment));
        }
        Ok(sysroot)
    }

    fn is_running(&self) -> bool {
        let id = |path: &Path| fs_err::metadata(path).map(|m| (m.dev(), m.ino()));
        let own = [id(&self.path), id(&self.ostree())];
        let running = ["/", "/sysroot", "/ostree", "/sysroot/ostree"].map(|p| id(Path::new(p)));
        let mut own = own.iter().flatten();
        own.any(|own| running.iter().flatten().any(|other| own == other))
    }

    /// Where it is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn ostree(&self) -> PathBuf {
        self.path.join("ostree")
    }

    pub(super) fn repo(&self) -> PathBuf {
        self.ostree().join("repo")
    }

    fn deploys(&self) -> PathBuf {
        self.ostree().join("deploy")
    }

    pub(super) fn stateroot(&self, name: &str) -> PathBuf {
        self.deploys().join(name)
    }

    pub(super) fn has(&self, stateroot: &str) -> bool {
        fs_err::symlink_metadata(self.stateroot(stateroot)).is_ok()
    }

    /// Which image a whole stateroot is of.
    pub(super) fn marker(&self, stateroot: &str) -> Result<Option<Digest>, RestoreError> {
        let path = self.marker_path(stateroot);
        match fs_err::read(&path) {
            // One that cannot be read marks nothing.
            Ok(bytes) => Ok(serde_json::from_slice::<Marker>(&bytes)
                .ok()
                .map(|m| m.digest)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(RestoreError::io("read", &path)(e)),
        }
    }

    fn marker_path(&self, stateroot: &str) -> PathBuf {
        self.stateroot(stateroot).join(".snoforge-restore.json")
    }

    pub(super) fn taken(&self, stateroot: &str, other: Option<&Digest>) -> RestoreError {
        let reason = match other {
            Some(other) => format!("stateroot {stateroot} is there, restored from image {other}"),
            None => format!("stateroot {stateroot} is there, and not from a restore"),
        };
        RestoreError::Sysroot {
            path: self.path.clone(),
            reason,
            hint: "remove it first: `ostree admin undeploy` its deployments, then its directory below ostree/deploy",
            category: Category::Usage,
        }
    }

    pub(super) fn free_bytes(&self) -> Result<u64, RestoreError> {
        let stat = rustix::fs::statvfs(self.ostree());
        let stat = stat.map_err(|e| RestoreError::io("stat", &self.path)(e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// A layer of that many bytes takes at least as many unpacked.
    pub(super) fn fits(&self, need: u64) -> Result<(), RestoreError> {
        let have = self.free_bytes()?;
        if have > need {
            return Ok(());
        }
        let path = self.path.clone();
        Err(RestoreError::NoSpace { path, need, have })
    }

    /// Takes the lock, which the programs that we start inherit: after a kill, what still runs is not cleaned up under its feet.
    pub(super) fn lock(&self) -> Result<Lock, RestoreError> {
        let path = self.deploys();
        let directory = fs_err::File::open(&path).map_err(RestoreError::io("open", &path))?;
        match directory.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RestoreError::Sysroot {
                    path: self.path.clone(),
                    reason: "another restore is at work there".to_owned(),
                    hint: "wait until it, and what it started, is done",
                    category: Category::Environment,
                });
            }
            Err(TryLockError::Error(e)) => return Err(RestoreError::io("lock", &path)(e)),
        }
        rustix::io::fcntl_setfd(directory.file(), FdFlags::empty())
            .map_err(|e| RestoreError::io("lock", &path)(e.into()))?;
        Ok(Lock {
            _directory: directory,
        })
    }

    /// Makes everything durable, marks the stateroot, and removes what was needed on the way.
    pub(super) fn finish(&self, stateroot: &str, digest: &Digest) -> Result<(), RestoreError> {
        let path = self.ostree();
        let synced = fs_err::File::open(&path).and_then(|d| Ok(rustix::fs::syncfs(d.file())?));
        synced.map_err(RestoreError::io("sync", &path))?;
        let marker = self.marker_path(stateroot);
        let digest = digest.clone();
        let text = serde_json::to_vec(&Marker { digest }).unwrap_or_default();
        atomic::write(&marker, &text).map_err(RestoreError::io("write", &marker))?;
        undo::remove_stage(self)
    }
}

/// Opens a directory below `root` that no symbolic link is on the way to, for file operations through [`through`].
///
/// # Errors
/// It is not there, or there is a link.
pub(super) fn beneath(root: &Path, relative: &Path) -> io::Result<fs_err::File> {
    let directory = fs_err::File::open(root)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let fd = rustix::fs::openat2(directory.file(), relative, flags, Mode::empty(), resolve)?;
    Ok(fs_err::File::from_parts(fd.into(), root.join(relative)))
}

/// A name in an open directory, wherever that has gone.
pub(super) fn through(directory: &fs_err::File, name: &Path) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    let fd = directory.file().as_raw_fd();
    PathBuf::from(format!("/proc/self/fd/{fd}")).join(name)
}
