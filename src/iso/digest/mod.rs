//! SHA-256 of files that differ from one base in a few places only: the base is read once for all of them.
//!
//! The places that change are near the beginning of a live ISO (the embed area at 0.1 MB of 1.2 GB), so a common prefix saves nothing:
//! every digest has to go over the whole file. What is the same for all of them is the message schedule (a third of SHA-256), and that the
//! rounds of many states over the same block can go side by side (`lanes`).
//!
//! Invariant: places that a file has of its own are read from that file, so the digest is that of the file as it is on the disk.

mod lanes;

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::block_api::compress256;

use super::changes::Plan;
use super::error::IsoError;
use super::source::{Medium, ReadAt, read};
use lanes::{BLOCK, State, Words};

/// Its schedule is a megabyte, and fits into the second-level cache; a multiple of a block.
const CHUNK: u64 = 256 << 10;
/// FIPS 180-4 section 5.3.3.
const START: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A file that was made of the base.
#[derive(Debug, Clone)]
pub struct Derived {
    path: PathBuf,
    size: u64,
    /// Where it has bytes of its own.
    own: Vec<Range<u64>>,
}

impl Derived {
    /// What a plan made.
    pub fn new(path: &Path, plan: &Plan) -> Self {
        let regions = plan.regions.iter().map(|r| r.offset..r.end());
        Self {
            path: path.to_owned(),
            size: plan.new_size,
            own: regions
                .chain(std::iter::once(
                    plan.old_size.min(plan.new_size)..plan.new_size,
                ))
                .collect(),
        }
    }

    /// A file that was there before: nothing of it is taken from the base.
    pub fn there(path: &Path, plan: &Plan) -> Self {
        Self {
            path: path.to_owned(),
            size: plan.new_size,
            own: std::iter::once(0..plan.new_size).collect(),
        }
    }

    /// Whether everything in `range` is as in the base, and the file goes on after it.
    fn shares(&self, range: &Range<u64>) -> bool {
        let apart = |own: &Range<u64>| own.end <= range.start || range.end <= own.start;
        range.end < self.size && self.own.iter().all(apart)
    }
}

/// A digest on its way.
struct Running<'a> {
    file: &'a Derived,
    state: Result<State, IsoError>,
}

/// The digests, hex, in the order of `files`, none of which is empty; `done` is told the bytes of the base as they are through.
///
/// # Errors
/// Each file that cannot be read has its own.
pub fn digests(
    base: &dyn ReadAt,
    files: &[Derived],
    mut done: impl FnMut(u64),
) -> Vec<Result<String, IsoError>> {
    let mut running: Vec<Running<'_>> = files
        .iter()
        .map(|file| Running {
            file,
            state: Ok(START),
        })
        .collect();
    let end = files.iter().map(|file| file.size).max().unwrap_or(0);
    let mut words = Words::default();
    let mut at = 0;
    while at < end {
        let range = at..at + CHUNK;
        let (mut shared, mut own): (Vec<_>, Vec<_>) = running
            .iter_mut()
            .filter(|running| running.state.is_ok() && at < running.file.size)
            .partition(|running| running.file.shares(&range));
        // Where the base cannot be read, every file goes its own way.
        match read(base, at, CHUNK.min(base.size().saturating_sub(at))) {
            Ok(data) => {
                let states = shared.iter_mut().map(|running| running.state.as_mut());
                let mut states: Vec<&mut State> = states.filter_map(Result::ok).collect();
                lanes::update(&mut states, &data, &mut words);
            }
            Err(_) => own.append(&mut shared),
        }
        own.into_par_iter()
            .for_each(|running| running.update(&range));
        done(CHUNK.min(end - at));
        at = range.end;
    }
    let hex = |state: State| hex::encode(state.map(u32::to_be_bytes).as_flattened());
    running.into_iter().map(|r| r.state.map(hex)).collect()
}

impl Running<'_> {
    /// Goes on with the file's own bytes.
    fn update(&mut self, range: &Range<u64>) {
        let Ok(state) = &mut self.state else { return };
        let end = range.end.min(self.file.size);
        let bytes =
            Medium::open(&self.file.path).and_then(|m| read(&m, range.start, end - range.start));
        match bytes {
            Ok(mut bytes) => {
                if end == self.file.size {
                    pad(&mut bytes, self.file.size);
                }
                compress256(state, bytes.as_chunks::<BLOCK>().0);
            }
            Err(error) => self.state = Err(error),
        }
    }
}

/// The end of a message of `size` bytes (FIPS 180-4 section 5.1.1).
fn pad(bytes: &mut Vec<u8>, size: u64) {
    bytes.push(0x80);
    while bytes.len() % BLOCK != BLOCK - 8 {
        bytes.push(0);
    }
    bytes.extend((size * 8).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn noise(length: u32, seed: u32) -> Vec<u8> {
        let mix = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(i % 31);
        (0..length).map(|i| mix(i).to_le_bytes()[3]).collect()
    }

    #[test]
    fn digests_are_those_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let base = noise(3 * 262_144 + 17, 1);
        let sizes = [
            base.len(),
            3 * 262_144,
            262_144 - 9,
            2 * 262_144 + 55,
            4 * 262_144 + 56,
        ];
        let files: Vec<Derived> = (0..43)
            .map(|n: u32| {
                let mut bytes = base.clone();
                let size = sizes[n as usize % sizes.len()];
                bytes.resize(size, 7);
                let at = 262_144 * (n as usize % 3) + 100;
                let own = at.min(size)..(at + n as usize).min(size);
                bytes[own.clone()].fill(n.to_le_bytes()[0]);
                let path = dir.path().join(n.to_string());
                fs_err::write(&path, &bytes).unwrap();
                let ranges = [own, base.len().min(size)..size];
                Derived {
                    path,
                    size: size as u64,
                    own: ranges.map(|r| r.start as u64..r.end as u64).to_vec(),
                }
            })
            .collect();
        let mut told = 0;
        let found = digests(&base.as_slice(), &files, |bytes| told += bytes);
        assert_eq!(told, 4 * 262_144 + 56);
        for (file, found) in files.iter().zip(found) {
            let expected = hex::encode(Sha256::digest(fs_err::read(&file.path).unwrap()));
            assert_eq!(found.unwrap(), expected, "{}", file.path.display());
        }
    }

    #[test]
    fn a_file_that_is_gone_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let base = noise(262_144 + 5, 2);
        let file = |name: &str| Derived {
            path: dir.path().join(name),
            size: base.len() as u64,
            own: Vec::new(),
        };
        fs_err::write(dir.path().join("a"), &base).unwrap();
        let found = digests(&base.as_slice(), &[file("a"), file("b")], |_| {});
        let expected = hex::encode(Sha256::digest(&base));
        assert_eq!(found[0].as_ref().unwrap(), &expected);
        assert!(found[1].is_err());
    }
}
