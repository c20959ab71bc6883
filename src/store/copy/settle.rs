//! The last step: text files, then `snoforge.json`, then `index.json` with the images that are whole.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::lane::Lane;
use super::plan::Need;
use super::survey::{Image, Kind, Survey};
use crate::io::atomic;
use crate::oci::Digest;
use crate::store::{StoreError, delta};

const HEADER: &str = "snoforge.json";

/// Settles every lane whose medium kept what it was given.
pub(super) fn all(lanes: &mut [Lane], survey: &Survey) {
    for lane in lanes.iter_mut().filter(|lane| lane.is_alive()) {
        if lane.wrong.is_empty() {
            match settle(lane, survey) {
                Ok(()) => lane.settled = true,
                Err(error) => lane.error = Some(error),
            }
        }
    }
}

fn settle(lane: &Lane, survey: &Survey) -> Result<(), StoreError> {
    let root = lane.store.root();
    let others = survey.texts.iter().filter(|(name, _)| *name != HEADER);
    for (name, bytes) in others {
        put(&root.join(name), bytes)?;
    }
    let delta = root.join(delta::FILE);
    match &lane.delta {
        Some(text) => put(&delta, text.to_json().as_bytes())?,
        // It was one, and is whole now.
        None if delta.exists() => {
            fs_err::remove_file(&delta).map_err(StoreError::io("remove", &delta))?;
        }
        None => {}
    }
    if let Some(bytes) = survey.texts.get(HEADER) {
        put(&root.join(HEADER), bytes)?;
    }
    let there = there(lane, survey);
    let whole = |image: &&Image| image.needs.iter().all(|digest| there.contains(digest));
    let entries = survey.images.iter().filter(whole);
    let index = lane.store.layout_dir().join("index.json");
    let bytes = crate::store::index::to_json(entries.map(|image| image.entry.clone()))?;
    put(&index, bytes.as_bytes())
}

fn there<'a>(lane: &Lane, survey: &'a Survey) -> BTreeSet<&'a Digest> {
    let items = survey.items.iter().zip(&lane.needs);
    let there = items.filter_map(|(item, need)| match (&item.kind, need) {
        (Kind::Blob(digest), Need::There) => Some(digest),
        _ => None,
    });
    there.collect()
}

/// Writes a file unless it is as it should be, and reads it back.
fn put(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if fs_err::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    atomic::write(path, bytes).map_err(StoreError::io("write", path))?;
    let file = fs_err::File::open(path).map_err(StoreError::io("open", path))?;
    let _ = fadvise(file.file(), 0, None, Advice::DontNeed);
    let found = fs_err::read(path).map_err(StoreError::io("read back", path))?;
    if found == bytes {
        return Ok(());
    }
    Err(StoreError::Malformed {
        path: path.to_owned(),
        reason: "it does not read back as it was written".to_owned(),
    })
}
