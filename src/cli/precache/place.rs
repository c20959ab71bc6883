//! A data directory as a person names it: a directory, or the disk whose data partition holds it.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::disk::{self, Access, DiskError, Mounted, Selector, System, Volume};
use crate::io::atomic::parent;

/// A place that was found; nothing is mounted yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A directory, there or to be made.
    Directory(PathBuf),
    /// A data partition.
    Volume(Volume),
}

/// A data directory that can be used.
#[derive(Debug)]
pub(super) enum Opened {
    /// It was there.
    Directory(PathBuf),
    /// Mounted by us.
    Mounted(Mounted),
}

impl Place {
    /// Finds it. A directory may be new, its parent may not.
    ///
    /// # Errors
    /// There is no such directory or disk; the disk has no data partition, or that is in use.
    pub(super) fn find(text: &str, label: &str) -> Result<Self, Failure> {
        let selector = Selector::from(text);
        let Selector::Path(path) = &selector else {
            return volume(&selector, label);
        };
        match fs_err::metadata(path) {
            Ok(meta) if meta.is_file() || meta.file_type().is_block_device() => {
                volume(&selector, label)
            }
            Err(_) if path.starts_with("/dev") => volume(&selector, label),
            Err(_) if path.extension().is_some_and(|e| e == "img" || e == "raw") => {
                let message = format!("{} does not exist", path.display());
                let hint = "make the image file first: `truncate -s SIZE FILE`, then `snoforge precache partition -d FILE`";
                Err(Failure::new(Exit::Usage, message).hint(hint))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !parent(path).is_dir() => {
                let parent = parent(path).display();
                let failure = Failure::new(
                    Exit::Usage,
                    format!("{}: {parent} does not exist", path.display()),
                );
                Err(failure.hint(
                    "only the last part of a new directory's name is made; is the disk mounted?",
                ))
            }
            _ => Ok(Self::Directory(path.clone())),
        }
    }

    /// Mounts what has to be.
    ///
    /// # Errors
    /// Not root, or the mount fails.
    pub(super) fn open(self, access: Access) -> Result<Opened, Failure> {
        Ok(match self {
            Self::Directory(path) => Opened::Directory(path),
            Self::Volume(volume) => Opened::Mounted(volume.mount(access)?),
        })
    }

    /// Whether it is a directory of the file system that the running system has for `/`.
    pub(super) fn is_on_root(&self) -> bool {
        let device = |path: &Path| fs_err::metadata(path).map(|meta| meta.dev()).ok();
        match self {
            Self::Directory(path) => {
                let at = device(path).or_else(|| device(parent(path)));
                at.is_some() && at == device(Path::new("/"))
            }
            Self::Volume(_) => false,
        }
    }
}

impl Opened {
    /// The data directory.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Directory(path) => path,
            Self::Mounted(mounted) => mounted.path(),
        }
    }

    /// Unmounts what was mounted.
    ///
    /// # Errors
    /// It cannot be unmounted.
    pub(super) fn close(self) -> Result<(), DiskError> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::Mounted(mounted) => mounted.unmount(),
        }
    }
}

fn volume(selector: &Selector, label: &str) -> Result<Place, Failure> {
    match disk::volume(&System::host(), selector, label) {
        Ok(volume) => Ok(Place::Volume(volume)),
        Err(error @ DiskError::InUse { .. }) => Err(Failure::from(error)
            .hint("name the directory where it is mounted instead, or unmount it")),
        Err(error) => Err(error.into()),
    }
}
