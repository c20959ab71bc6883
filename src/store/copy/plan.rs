//! What each destination lacks, and whether it fits; writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::survey::{Item, Kind, Survey};
use crate::io::atomic::parent;
use crate::oci::Digest;
use crate::store::{Delta, Store, StoreError, StoreLock};

/// A copy that was thought through.
#[derive(Debug)]
pub struct CopyPlan {
    pub(super) survey: Survey,
    pub(super) targets: Vec<CopyTarget>,
    /// Keeps a download away from the source.
    _reading: Option<StoreLock>,
}

/// What a destination has of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// All, under its final name.
    There,
    /// So many bytes of a partial.
    From(u64),
    /// It cannot be had in this run: the source's is wrong, or the medium does not keep it.
    Lost,
}

/// One destination as it was found.
#[derive(Debug)]
pub struct CopyTarget {
    pub(super) id: u64,
    pub(super) store: Store,
    /// One for each item of the survey.
    pub(super) needs: Vec<Need>,
    /// A delta is made here: what it leaves out.
    pub(super) delta: Option<Delta>,
    /// Files and bytes that are there.
    pub there: (usize, u64),
    /// Files and bytes to be written.
    pub missing: (usize, u64),
    /// Files and bytes that a delta leaves out.
    pub left_out: (usize, u64),
    /// Bytes of disk that it takes.
    pub disk_need: u64,
    /// Bytes free before.
    pub free: u64,
    /// Why nothing will be written there.
    pub error: Option<StoreError>,
}

impl CopyTarget {
    /// The data directory.
    pub fn root(&self) -> &Path {
        self.store.root()
    }
}

impl CopyPlan {
    /// Looks at the source and at every destination. A destination that cannot take its part has that as its error; the others
    /// are not concerned. A destination may be a new directory in one that is there.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] or [`StoreError::Busy`] for the source, a source whose index cannot be read,
    /// [`StoreError::Overlap`].
    pub fn new(source: &Path, destinations: &[PathBuf]) -> Result<Self, StoreError> {
        Self::make(source, destinations, None)
    }

    /// What `base` lacks of the source, as a data directory of its own that a later copy brings to a disk that holds `base`.
    ///
    /// # Errors
    /// As [`CopyPlan::new`]; `base` is no data directory or cannot be read.
    pub fn delta(source: &Path, base: &Path, destination: &Path) -> Result<Self, StoreError> {
        let base = Store::open(base)?;
        apart(base.root(), &[source.to_owned(), destination.to_owned()])?;
        Self::make(source, &[destination.to_owned()], Some(&base))
    }

    fn make(
        source: &Path,
        destinations: &[PathBuf],
        base: Option<&Store>,
    ) -> Result<Self, StoreError> {
        let source = Store::open(source)?;
        let reading = source.lock_shared()?;
        apart(source.root(), destinations)?;
        let survey = Survey::of(&source)?;
        let mut promised = BTreeMap::new();
        let targets = (0..).zip(destinations);
        let targets = targets.map(|(id, root)| target(id, root, &survey, base, &mut promised));
        Ok(Self {
            targets: targets.collect(),
            survey,
            _reading: reading,
        })
    }

    /// The destinations, in the order asked.
    pub fn targets(&self) -> &[CopyTarget] {
        &self.targets
    }

    /// Images in the source's index.
    pub fn images(&self) -> usize {
        self.survey.images.len() + self.survey.refused.len()
    }

    /// Files and bytes of the source, text files left out.
    pub fn total(&self) -> (usize, u64) {
        let items = &self.survey.items;
        (items.len(), items.iter().map(|item| item.size).sum())
    }
}

/// `promised` is what other destinations on the same file system take.
fn target(
    id: u64,
    root: &Path,
    survey: &Survey,
    base: Option<&Store>,
    promised: &mut BTreeMap<u64, u64>,
) -> CopyTarget {
    let mut target = CopyTarget {
        id,
        store: Store::at(root),
        needs: vec![Need::From(0); survey.items.len()],
        there: (0, 0),
        delta: None,
        missing: (0, 0),
        left_out: (0, 0),
        disk_need: 0,
        free: 0,
        error: None,
    };
    target.error = target.look(survey, base, promised).err();
    target
}

impl CopyTarget {
    fn look(
        &mut self,
        survey: &Survey,
        base: Option<&Store>,
        promised: &mut BTreeMap<u64, u64>,
    ) -> Result<(), StoreError> {
        let root = self.store.root().to_owned();
        let existing = if root.exists() { &root } else { parent(&root) };
        let meta = fs_err::metadata(existing).map_err(StoreError::io("open", &root))?;
        if !meta.is_dir() {
            return Err(StoreError::io("write into", &root)(
                io::ErrorKind::NotADirectory.into(),
            ));
        }
        // What a newer version wrote may hold what this one does not know.
        self.store.read_header()?;
        let (free, block) = Store::at(existing).free_space()?;
        let texts = survey.texts.values().map(|bytes| bytes.len() as u64);
        let mut disk_need: u64 = texts.map(|size| size.next_multiple_of(block.max(1))).sum();
        let (mut lost, mut lacks) = (0, BTreeSet::new());
        for (item, need) in survey.items.iter().zip(&mut self.needs) {
            *need = look(&self.store, item)?;
            if *need != Need::There && survey.leaves_out(item)? {
                lost += 1;
                continue;
            }
            if let Some(digest) = left_out(survey, base, item)?.filter(|_| *need != Need::There) {
                lacks.insert(digest.clone());
                *need = Need::There;
                self.left_out.0 += 1;
                self.left_out.1 += item.size;
                continue;
            }
            let tally = match need {
                Need::There => &mut self.there,
                Need::From(_) | Need::Lost => {
                    let held = fs_err::metadata(self.store.partial_dir().join(&item.partial));
                    let held = held.map_or(0, |meta| meta.blocks() * 512);
                    let whole = item.size.next_multiple_of(block.max(1));
                    disk_need += whole.saturating_sub(held);
                    &mut self.missing
                }
            };
            tally.0 += 1;
            tally.1 += item.size;
        }
        if let Some(base) = base {
            let header = base.read_header()?;
            self.delta = Some(Delta::new(header.map(|h| h.inventory), lacks));
        }
        if lost > 0 {
            return Err(StoreError::NotTheBase { path: root, lost });
        }
        (self.disk_need, self.free) = (disk_need, free);
        let promised = promised.entry(meta.dev()).or_default();
        let have = free.saturating_sub(*promised);
        if disk_need > have {
            return Err(StoreError::NoSpace {
                path: root,
                need: disk_need,
                have,
            });
        }
        *promised += disk_need;
        Ok(())
    }
}

/// The blob, when the base of a delta has it. Manifests are in every delta: without them nobody knows what an image needs.
fn left_out<'a>(
    survey: &Survey,
    base: Option<&Store>,
    item: &'a Item,
) -> Result<Option<&'a Digest>, StoreError> {
    let (Some(base), Kind::Blob(digest)) = (base, &item.kind) else {
        return Ok(None);
    };
    let has = !survey.manifests.contains(digest) && look(base, item)? == Need::There;
    Ok(has.then_some(digest))
}

fn look(store: &Store, item: &Item) -> Result<Need, StoreError> {
    let there = match &item.kind {
        Kind::Blob(digest) => store.blob_size(digest)? == Some(item.size),
        Kind::File { modified, .. } => {
            let found = fs_err::symlink_metadata(store.root().join(&item.path)).ok();
            let same = |meta: &Metadata| meta.len() == item.size && kept(*modified, meta);
            found.is_some_and(|meta| meta.is_file() && same(&meta))
        }
    };
    if there {
        return Ok(Need::There);
    }
    let partial = fs_err::metadata(store.partial_dir().join(&item.partial));
    let held = partial.map_or(0, |meta| meta.len());
    Ok(Need::From(if held > item.size { 0 } else { held }))
}

/// Whether a file has this time, as its file system keeps it: FAT has even seconds, exFAT hundredths.
fn kept(modified: SystemTime, meta: &Metadata) -> bool {
    let Ok(found) = meta.modified() else {
        return false;
    };
    let Ok(lost) = modified.duration_since(found) else {
        return false;
    };
    let since_1970 = found.duration_since(SystemTime::UNIX_EPOCH);
    let coarse = since_1970.is_ok_and(|t| t.subsec_nanos() % 10_000_000 == 0);
    lost.is_zero() || coarse && lost < Duration::from_secs(2)
}

/// No data directory may be another, or inside another: a copy would read what it writes.
fn apart(source: &Path, destinations: &[PathBuf]) -> Result<(), StoreError> {
    let all = || std::iter::once(source).chain(destinations.iter().map(PathBuf::as_path));
    for (n, a) in all().enumerate() {
        for b in all().skip(n + 1) {
            let (real_a, real_b) = (real(a), real(b));
            let overlap = |inner: &Path, outer: &Path| StoreError::Overlap {
                inner: inner.to_owned(),
                outer: outer.to_owned(),
            };
            if real_b.starts_with(&real_a) || same(a, b) {
                return Err(overlap(b, a));
            }
            if real_a.starts_with(&real_b) {
                return Err(overlap(a, b));
            }
        }
    }
    Ok(())
}

/// Links resolved; the last part may be new.
fn real(path: &Path) -> PathBuf {
    let whole = fs_err::canonicalize(path);
    whole.unwrap_or_else(|_| {
        let parent = fs_err::canonicalize(parent(path)).unwrap_or_else(|_| parent(path).to_owned());
        parent.join(path.file_name().unwrap_or_default())
    })
}

/// One directory mounted at two places has two paths.
fn same(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| fs_err::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    identity(a).is_some_and(|a| Some(a) == identity(b))
}
