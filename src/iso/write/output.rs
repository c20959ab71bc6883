//! A changed ISO as a new file, or as a stream.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err::os::unix::fs::FileExt as _;

use super::journal::discard;
use super::temporary::Temporary;
use super::{Medium, Plan, copy, journal_path, verify};
use crate::io::atomic::{parent, sync_dir};
use crate::iso::error::IsoError;
use crate::iso::region::Region;
use crate::iso::source::{ReadAt as _, read};
use crate::progress::{Event, Reporter};

const BUFFER: u64 = 1 << 20;

/// Whether an output that is there may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It may not.
    Refuse,
    /// It may.
    Replace,
}

/// Whether the output of this plan is there already, made by an earlier run: its size and every changed place are the plan's. It got
/// its name only when it was whole, so the rest is the base.
pub fn is_made(output: &Path, plan: &Plan) -> bool {
    let Ok(medium) = Medium::open(output) else {
        return false;
    };
    let holds = |region: &Region| {
        let found = read(&medium, region.offset, region.contents.len() as u64);
        found.is_ok_and(|found| found == region.contents)
    };
    medium.size() == plan.new_size && plan.regions.iter().all(holds)
}

/// Refuses an output that cannot be, before any work.
///
/// # Errors
/// [`IsoError::OutputExists`], [`IsoError::OutputIsInput`]
pub fn preflight(input: &Path, output: &Path, overwrite: Overwrite) -> Result<(), IsoError> {
    let Ok(there) = fs_err::metadata(output) else {
        return Ok(());
    };
    let same =
        fs_err::metadata(input).is_ok_and(|m| (m.dev(), m.ino()) == (there.dev(), there.ino()));
    if same {
        return Err(IsoError::OutputIsInput(output.to_owned()));
    }
    if overwrite == Overwrite::Refuse || !there.is_file() {
        return Err(IsoError::OutputExists(output.to_owned()));
    }
    Ok(())
}

/// Writes the changed ISO to `output`, which appears whole or not at all (mode 0600), and reads it back. Reports the
/// bytes copied as progress of the item `id`; shared blocks count at once.
///
/// # Errors
/// As [`preflight`]; [`IsoError::NoSpace`]; a read or write fails; [`IsoError::ReadBack`].
pub fn to_file(
    medium: &Medium,
    plan: &Plan,
    output: &Path,
    overwrite: Overwrite,
    (reporter, id): (&dyn Reporter, u64),
) -> Result<(), IsoError> {
    preflight(medium.path(), output, overwrite)?;
    let failed = |source| IsoError::Write {
        path: output.to_owned(),
        source,
    };
    let directory = parent(output);
    let temporary = Temporary::new(directory).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => IsoError::NoDirectory(directory.to_owned()),
        _ => failed(source),
    })?;
    let file = temporary.file();
    let size = plan.old_size.min(plan.new_size);
    let done = |bytes| reporter.report(Event::Advanced { id, bytes });
    if copy::share(medium, file) {
        done(size);
    } else {
        room(directory, output, plan.new_size)?;
        copy::copy(medium, file, size, done).map_err(failed)?;
    }
    file.set_len(plan.new_size).map_err(failed)?;
    for region in &plan.regions {
        file.write_all_at(&region.contents, region.offset)
            .map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    temporary
        .publish(output, overwrite)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => IsoError::OutputExists(output.to_owned()),
            _ => failed(source),
        })?;
    // A journal that lies beside it is of the ISO that was replaced.
    discard(&journal_path(output, directory)).map_err(failed)?;
    sync_dir(directory).map_err(failed)?;
    verify(&Medium::open(output)?, output, &plan.regions)
}

/// A copy that cannot be finished is not begun.
fn room(directory: &Path, output: &Path, needed: u64) -> Result<(), IsoError> {
    // A filesystem that does not tell is tried.
    let Ok(stat) = rustix::fs::statvfs(directory) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(IsoError::NoSpace {
        path: output.to_owned(),
        needed,
        free,
    })
}

/// Writes the changed ISO to a pipe.
///
/// # Errors
/// A read or write fails.
pub fn to_stream(medium: &Medium, plan: &Plan, out: &mut dyn Write) -> Result<(), IsoError> {
    let mut at = 0;
    while at < plan.new_size {
        let length = (plan.new_size - at).min(BUFFER);
        let mut buffer = vec![0; usize::try_from(length).unwrap_or_default()];
        let old = plan.old_size.saturating_sub(at).min(length);
        if let Some(part) = buffer.get_mut(..usize::try_from(old).unwrap_or_default()) {
            medium
                .read_exact_at(at, part)
                .map_err(|source| IsoError::Read { offset: at, source })?;
        }
        for region in &plan.regions {
            region.copy_into(at, &mut buffer);
        }
        out.write_all(&buffer).map_err(|source| IsoError::Write {
            path: "standard output".into(),
            source,
        })?;
        at += length;
    }
    Ok(())
}
