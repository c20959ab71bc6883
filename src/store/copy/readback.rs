//! What was written is read from the medium, compared, and named.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{Advice, fadvise};

use super::Job;
use super::feed;
use super::lane::Lane;
use super::plan::Need;
use super::survey::{Item, Kind};
use crate::io::atomic;
use crate::oci::{Algorithm, Digest, Hasher};
use crate::progress::Event;
use crate::store::{Store, StoreError};

/// Bytes per read; see `store::verify`.
const CHUNK: usize = 256 << 10;
/// The page cache is given back each time so much was read.
const WINDOW: u64 = 8 << 20;
/// Files that are named with one sync of their directory.
const BATCH: usize = 64;

/// Reads back every lane, each on a thread of its own: they are different media. `true` when something must be written again.
pub(super) fn all(lanes: &mut [Lane], read: &feed::Read, job: &Job<'_>) -> bool {
    std::thread::scope(|scope| {
        let alive = lanes.iter_mut().filter(|lane| lane.is_alive());
        let threads: Vec<_> = alive
            .map(|lane| scope.spawn(move || lane.read_back(read, job)))
            .collect();
        let mut again = false;
        for thread in threads {
            again |= thread.join().expect("a lane returns its errors");
        }
        again
    })
}

impl Lane {
    fn read_back(&mut self, read: &feed::Read, job: &Job<'_>) -> bool {
        let begun = Instant::now();
        let done = self.read_and_name(read, job);
        self.verifying += begun.elapsed();
        match done {
            Ok(again) => {
                job.reporter.report(Event::Finished { id: self.id });
                again
            }
            Err(error) => {
                self.fail(error, job);
                false
            }
        }
    }

    fn read_and_name(&mut self, read: &feed::Read, job: &Job<'_>) -> Result<bool, StoreError> {
        let mut again = false;
        let mut right = Vec::new();
        let mut buffer = vec![0; CHUNK];
        for index in std::mem::take(&mut self.ready) {
            let (Some(item), Some(digest)) = (read.survey.items.get(index), read.digest(index))
            else {
                continue;
            };
            let path = self.store.partial_dir().join(&item.partial);
            let mut advance = |bytes| {
                self.bytes_verified += bytes;
                job.advanced(self.id, bytes);
                !(job.stop)()
            };
            let Some(found) = hash(&path, digest.algorithm(), &mut buffer, &mut advance)? else {
                break;
            };
            if found == (item.size, digest.clone()) {
                right.push((index, item));
            } else {
                fs_err::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                again |= self.was_wrong(index);
            }
            if right.len() == BATCH {
                self.name_all(&mut right)?;
            }
        }
        self.name_all(&mut right)?;
        Ok(again)
    }

    /// What an earlier run began is written once more; what this one wrote whole is lost.
    fn was_wrong(&mut self, index: usize) -> bool {
        let Some(need) = self.needs.get_mut(index) else {
            return false;
        };
        let again = matches!(need, Need::From(from) if *from > 0);
        *need = if again { Need::From(0) } else { Need::Lost };
        if !again {
            self.wrong.push(index);
        }
        again
    }

    fn name_all(&mut self, right: &mut Vec<(usize, &Item)>) -> Result<(), StoreError> {
        let mut directories = BTreeSet::new();
        for (_, item) in right.iter() {
            name(&self.store, item, &mut directories)?;
        }
        for directory in directories {
            atomic::sync_dir(&directory).map_err(StoreError::io("sync", &directory))?;
        }
        for (index, item) in right.drain(..) {
            if let Some(need) = self.needs.get_mut(index) {
                *need = Need::There;
            }
            self.copied.0 += 1;
            self.copied.1 += item.size;
        }
        Ok(())
    }
}

/// Gives a file its mode, its time and its final name; notes the directories to be synced.
fn name(store: &Store, item: &Item, directories: &mut BTreeSet<PathBuf>) -> Result<(), StoreError> {
    let from = store.partial_dir().join(&item.partial);
    let to = store.root().join(&item.path);
    let file = fs_err::File::open(&from).map_err(StoreError::io("open", &from))?;
    let mode = match &item.kind {
        Kind::Blob(_) => 0o444,
        Kind::File { modified, mode } => {
            let times = std::fs::FileTimes::new().set_modified(*modified);
            let set = file.file().set_times(times);
            set.map_err(StoreError::io("set the time of", &from))?;
            *mode
        }
    };
    // FAT mounted by a plain user may refuse it.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    let parent = to.parent().unwrap_or(store.root());
    if !parent.is_dir() {
        fs_err::create_dir_all(parent).map_err(StoreError::io("create", parent))?;
        let above = parent.ancestors().skip(1);
        let above = above.take_while(|dir| dir.starts_with(store.root()));
        directories.extend(above.map(Path::to_owned));
    }
    fs_err::rename(&from, &to).map_err(StoreError::io("rename", &from))?;
    directories.insert(parent.to_owned());
    Ok(())
}

/// Reads a file from the medium, not from the page cache: its size and digest; `None` when `advance` says to stop.
fn hash(
    path: &Path,
    algorithm: Algorithm,
    buffer: &mut [u8],
    advance: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<(u64, Digest)>, StoreError> {
    let failed = |e: std::io::Error| StoreError::io("read back", path)(e);
    let mut file = fs_err::File::open(path).map_err(failed)?;
    // Only clean pages can be dropped.
    file.sync_data().map_err(StoreError::io("sync", path))?;
    let _ = fadvise(file.file(), 0, None, Advice::DontNeed);
    let _ = fadvise(file.file(), 0, None, Advice::Sequential);
    let mut hasher = Hasher::new(algorithm);
    let (mut at, mut dropped) = (0, 0);
    loop {
        let count = match file.read(buffer) {
            Ok(0) => break,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(failed)?,
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
        at += count as u64;
        if !advance(count as u64) {
            return Ok(None);
        }
        if at - dropped >= WINDOW {
            let length = NonZeroU64::new(at - dropped);
            let _ = fadvise(file.file(), dropped, length, Advice::DontNeed);
            dropped = at;
        }
    }
    let _ = fadvise(file.file(), 0, None, Advice::DontNeed);
    Ok(Some((at, hasher.finish())))
}
