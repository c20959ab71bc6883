//! Bringing a plan about: in place, into a new file, as a stream.
//!
//! A new file: copy (shared blocks where the filesystem can) → regions → fsync → rename → fsync of the directory → read back. In place:
//! journal → regions → fsync → read back → journal gone; a change that was cut off is taken back at the next use ([`recover`]).

mod copy;
mod journal;
mod output;
mod temporary;

use std::io;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::FileExt as _;

use super::changes::Plan;
use super::error::IsoError;
use super::region::Region;
use super::source::{Medium, ReadAt};
use crate::disk;
use journal::Journal;

pub use output::{Overwrite, is_made, preflight, to_file, to_stream};

/// What in-place changes are written to.
pub(super) trait Target: ReadAt {
    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Changes the size; a device keeps its own.
    fn set_len(&self, size: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
}

impl Target for Medium {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file().write_all_at(bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        if self.is_device() {
            return Ok(());
        }
        self.file().set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.file().sync_all()
    }
}

/// Where the journal of an ISO is: beside a file; for a device, in `state`, named by its serial number or its path.
pub fn journal_path(iso: &Path, state: &Path) -> PathBuf {
    let device = std::fs::metadata(iso).is_ok_and(|m| {
        use std::os::unix::fs::FileTypeExt as _;
        m.file_type().is_block_device()
    });
    if !device {
        // A link must not lead to two journals.
        let real = fs_err::canonicalize(iso).unwrap_or_else(|_| iso.to_owned());
        let name = real.file_name().unwrap_or_default().to_string_lossy();
        return real.with_file_name(format!(".{name}.snoforge-journal"));
    }
    let selector = disk::Selector::Path(iso.to_owned());
    let found = disk::find(&disk::System::host(), &selector).ok();
    let name = found.and_then(|d| d.serial.or(d.wwn));
    let name = name.unwrap_or_else(|| iso.display().to_string());
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(safe).collect();
    state.join(format!("device{name}.journal"))
}

/// Changes an ISO where it is. Returns after reading back.
///
/// # Errors
/// [`IsoError::Busy`]; a write fails or does not hold: then the change was taken back, or will be at the next use.
pub fn in_place(medium: &Medium, plan: &Plan, journal: &Path) -> Result<(), IsoError> {
    lock(medium)?;
    journaled(medium, &medium.owned_path(), plan, journal)
}

fn journaled(
    target: &dyn Target,
    path: &Path,
    plan: &Plan,
    journal: &Path,
) -> Result<(), IsoError> {
    if plan.is_empty() {
        return Ok(());
    }
    let journal = Journal::begin(target, plan, journal)?;
    let failed = |source| IsoError::Write {
        path: path.to_owned(),
        source,
    };
    let written = apply(target, plan).map_err(failed);
    if let Err(error) = written.and_then(|()| verify(target, path, &plan.regions)) {
        // Where this fails too, the journal stays, and the next use takes the change back.
        if journal.roll_back(target).is_ok() {
            journal.end()?;
        }
        return Err(error);
    }
    if plan.new_size < plan.old_size {
        journal.commit()?;
        target.set_len(plan.new_size).map_err(failed)?;
        target.sync().map_err(failed)?;
    }
    journal.end()
}

/// Everything but a cut: a shorter ISO is cut when the change is sure.
fn apply(target: &dyn Target, plan: &Plan) -> io::Result<()> {
    if plan.new_size > plan.old_size {
        target.set_len(plan.new_size)?;
    }
    for region in &plan.regions {
        target.write_all_at(&region.contents, region.offset)?;
    }
    target.sync()
}

/// Reads every region back, from the medium where that can be had.
fn verify(source: &dyn ReadAt, path: &Path, regions: &[Region]) -> Result<(), IsoError> {
    for region in regions {
        source.forget(region.offset..region.end());
        let mut found = vec![0; region.contents.len()];
        source
            .read_exact_at(region.offset, &mut found)
            .map_err(|source| IsoError::Read {
                offset: region.offset,
                source,
            })?;
        if found != region.contents {
            return Err(IsoError::ReadBack {
                path: path.to_owned(),
                offset: region.offset,
            });
        }
    }
    Ok(())
}

/// Takes a change back that was cut off; returns whether there was one.
///
/// # Errors
/// Another process is at it, the ISO cannot be written, or the journal is that of other content.
pub fn recover(iso: &Path, journal: &Path) -> Result<bool, IsoError> {
    if !Journal::is_at(journal) {
        return Ok(false);
    }
    let medium = Medium::open_for_writing(iso)?;
    lock(&medium)?;
    recover_from(&medium, iso, journal)
}

fn recover_from(target: &dyn Target, iso: &Path, journal: &Path) -> Result<bool, IsoError> {
    // The other process may have ended its change before it let go of the lock.
    let Some(journal) = Journal::load(journal)? else {
        return Ok(false);
    };
    if !journal.describes(target)? {
        return Err(IsoError::Journal {
            journal: journal.path().to_owned(),
            iso: iso.to_owned(),
        });
    }
    let failed = |source| IsoError::Write {
        path: iso.to_owned(),
        source,
    };
    journal.roll_back(target).map_err(failed)?;
    journal.end()?;
    Ok(true)
}

/// One process at a time changes an ISO; the kernel drops the lock with the process.
fn lock(medium: &Medium) -> Result<(), IsoError> {
    match medium.file().file().try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(IsoError::Busy(medium.owned_path())),
        Err(std::fs::TryLockError::Error(source)) => Err(IsoError::Open {
            path: medium.owned_path(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
