//! What a data directory has to give: its items, its images, its texts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Refused;
use crate::io::atomic::{PREFIX, UNFINISHED};
use crate::oci::{Digest, RawManifest};
use crate::store::{IndexEntry, Store, StoreError, delta};

/// Directories that are copied beside the images; other ones are nobody's business.
const DIRECTORIES: [&str; 2] = ["bin", "files"];

/// A larger file of the data directory itself is no text, whatever it is called.
const TEXT_MAX: u64 = 64 << 20;

/// A file to copy, under its partial name until it is verified.
#[derive(Debug)]
pub(super) struct Item {
    /// Below the data directory, at either side.
    pub(super) path: PathBuf,
    /// Name in `.partial`.
    pub(super) partial: String,
    pub(super) size: u64,
    pub(super) kind: Kind,
}

/// How it is known whether a file is the right one.
#[derive(Debug)]
pub(super) enum Kind {
    /// By its name.
    Blob(Digest),
    /// By what is read from the source; one of the same size and time at a destination counts as the same.
    File { modified: SystemTime, mode: u32 },
}

/// An image of the index with everything that it needs.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) entry: IndexEntry,
    pub(super) needs: BTreeSet<Digest>,
}

/// What is to be copied.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) source: Store,
    /// Largest first.
    pub(super) items: Vec<Item>,
    pub(super) images: Vec<Image>,
    /// Names of the plain files of the data directory itself, and their bytes.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
    /// Images whose manifests cannot be used.
    pub(super) refused: Vec<Refused>,
    /// What the source is known not to have.
    pub(super) lacks: BTreeSet<Digest>,
    /// Those of the items that are manifests.
    pub(super) manifests: BTreeSet<Digest>,
}

impl Survey {
    /// Reads the index, every manifest and the directory.
    pub(super) fn of(source: &Store) -> Result<Self, StoreError> {
        let mut survey = Self {
            source: source.clone(),
            items: Vec::new(),
            images: Vec::new(),
            texts: BTreeMap::new(),
            refused: Vec::new(),
            lacks: source.read_delta()?.map_or_else(BTreeSet::new, |d| d.lacks),
            manifests: BTreeSet::new(),
        };
        survey.read_texts()?;
        survey.read_images()?;
        for directory in DIRECTORIES {
            survey.read_directory(Path::new(directory))?;
        }
        let by_size = |a: &Item, b: &Item| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path));
        survey.items.sort_by(by_size);
        Ok(survey)
    }

    /// Names of the images that need a blob, in index order.
    pub(super) fn users(&self, item: &Item) -> Vec<String> {
        let Kind::Blob(digest) = &item.kind else {
            return Vec::new();
        };
        let users = self.images.iter().filter(|i| i.needs.contains(digest));
        users.map(|image| image.entry.label()).collect()
    }

    fn read_images(&mut self) -> Result<(), StoreError> {
        let mut sizes = BTreeMap::new();
        let mut known: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
        for entry in self.source.read_index()? {
            let digest = &entry.descriptor.digest;
            if let Some(needs) = known.get(digest) {
                let needs = needs.clone();
                self.images.push(Image { entry, needs });
                continue;
            }
            let closure = match self.source.closure(&entry.descriptor) {
                Ok(closure) => closure,
                Err(
                    error @ (StoreError::Missing(_)
                    | StoreError::Damaged { .. }
                    | StoreError::Manifest { .. }),
                ) => {
                    self.refused.push(Refused {
                        path: relative(&self.source, digest),
                        images: vec![entry.label()],
                        reason: error.to_string(),
                    });
                    continue;
                }
                Err(other) => return Err(other),
            };
            let manifests = closure.manifests.iter().map(RawManifest::descriptor);
            let mut all = closure.blobs.clone();
            let digests = manifests.clone().map(|d| d.digest.clone());
            self.manifests.extend(digests);
            all.extend(manifests.map(|d| (d.digest.clone(), d.size)));
            let needs: BTreeSet<Digest> = all.keys().cloned().collect();
            known.insert(digest.clone(), needs.clone());
            sizes.extend(all);
            self.images.push(Image { entry, needs });
        }
        let items = sizes.into_iter().map(|(digest, size)| Item {
            path: relative(&self.source, &digest),
            partial: digest.hex().to_owned(),
            size,
            kind: Kind::Blob(digest),
        });
        self.items.extend(items);
        Ok(())
    }

    /// Whether an item is a blob that the source left out and does not have.
    pub(super) fn leaves_out(&self, item: &Item) -> Result<bool, StoreError> {
        match &item.kind {
            Kind::Blob(digest) if self.lacks.contains(digest) => {
                Ok(self.source.blob_size(digest)? != Some(item.size))
            }
            _ => Ok(false),
        }
    }

    /// Plain files below a directory; not links, and not what a download has not finished.
    fn read_directory(&mut self, relative: &Path) -> Result<(), StoreError> {
        let at = self.source.root().join(relative);
        for (name, meta) in entries(&at)? {
            let path = relative.join(&name);
            if meta.is_dir() {
                if name != UNFINISHED {
                    self.read_directory(&path)?;
                }
            } else if meta.is_file() && !name.starts_with(PREFIX) && !name.ends_with(".partial") {
                self.items.push(other_file(path, &meta)?);
            }
        }
        Ok(())
    }

    /// The plain files of the data directory itself.
    fn read_texts(&mut self) -> Result<(), StoreError> {
        let root = self.source.root().to_owned();
        for (name, meta) in entries(&root)? {
            if !meta.is_file() || name.starts_with('.') || name == delta::FILE {
                continue;
            }
            if meta.len() > TEXT_MAX {
                self.items.push(other_file(name.into(), &meta)?);
                continue;
            }
            let path = root.join(&name);
            let bytes = fs_err::read(&path).map_err(StoreError::io("read", &path))?;
            self.texts.insert(name, bytes);
        }
        Ok(())
    }
}

fn other_file(path: PathBuf, meta: &std::fs::Metadata) -> Result<Item, StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let modified = meta.modified().map_err(StoreError::io("stat", &path))?;
    let identity = format!("{} {} {modified:?}", path.display(), meta.len());
    Ok(Item {
        partial: format!("file-{}", Digest::of(identity.as_bytes()).hex()),
        path,
        size: meta.len(),
        kind: Kind::File {
            modified,
            mode: meta.permissions().mode() & 0o777,
        },
    })
}

fn relative(source: &Store, digest: &Digest) -> PathBuf {
    let path = source.blob_path(digest);
    path.strip_prefix(source.root())
        .map(Path::to_owned)
        .unwrap_or(path)
}

/// Sorted by name; none when there is no such directory. Links are not followed, names that are no text are passed over.
fn entries(dir: &Path) -> Result<BTreeMap<String, std::fs::Metadata>, StoreError> {
    let listed = match fs_err::read_dir(dir) {
        Ok(listed) => listed,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(StoreError::io("list", dir)(e)),
    };
    let mut found = BTreeMap::new();
    for entry in listed {
        let path = entry.map_err(StoreError::io("list", dir))?.path();
        let meta = fs_err::symlink_metadata(&path).map_err(StoreError::io("stat", &path))?;
        if let Some(name) = path.file_name().and_then(|n| n.to_str()) {
            found.insert(name.to_owned(), meta);
        }
    }
    Ok(found)
}
