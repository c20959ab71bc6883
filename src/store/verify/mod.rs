//! Checks a store against what should be in it: everything is looked at, nothing stops at the first finding.
//!
//! | depth | per blob | per image |
//! |---|---|---|
//! | [`Depth::Quick`] | present, size | |
//! | [`Depth::Digests`] | present, size, digest | |
//! | [`Depth::Deep`] | present, size, digest | manifests parse, what they name is expected, layers decompress to the `diff_ids` of the configuration |
//!
//! What a delta leaves out is not missing from it. At every depth: files that nothing names, unfinished blobs, index entries without their manifest. Each blob is read once,
//! biggest first, on all cores. Findings are sorted by path, so the same damage gives the same report.

mod deep;
mod finding;
mod hash;
mod strays;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

use super::{Store, StoreError};
use crate::oci::{Descriptor, Digest};
use crate::progress::{Event, Reporter};
pub use finding::{Finding, Problem};
pub(super) use strays::{entries, strays};

/// How closely to look; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Presence and size: what a re-run of a download trusts.
    Quick,
    /// Digests too.
    Digests,
    /// What is in manifests and layers too.
    Deep,
}

/// What should be in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    blobs: BTreeMap<Digest, u64>,
    manifests: BTreeMap<Digest, Descriptor>,
}

impl Expected {
    /// From the size in bytes of each configuration and layer, and the descriptors of all manifests and indexes.
    pub fn new(
        blobs: impl IntoIterator<Item = (Digest, u64)>,
        manifests: impl IntoIterator<Item = Descriptor>,
    ) -> Self {
        Self {
            blobs: blobs.into_iter().collect(),
            manifests: manifests
                .into_iter()
                .map(|d| (d.digest.clone(), d))
                .collect(),
        }
    }

    /// Everything by digest, with its size in bytes.
    pub fn sizes(&self) -> BTreeMap<Digest, u64> {
        let manifests = self.manifests.values().map(|d| (d.digest.clone(), d.size));
        self.blobs
            .iter()
            .map(|(d, s)| (d.clone(), *s))
            .chain(manifests)
            .collect()
    }

    /// Every digest: what a prune keeps.
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.sizes().into_keys().collect()
    }
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Blobs and manifests that were expected.
    pub items: usize,
    /// Bytes that were read and hashed; 0 for [`Depth::Quick`].
    pub bytes_read: u64,
    /// What is wrong, sorted by path; empty when all is well.
    pub findings: Vec<Finding>,
}

/// One file to look at.
struct Item {
    id: u64,
    digest: Digest,
    size: u64,
    decode: bool,
}

/// What looking at it gave.
struct Outcome {
    digest: Digest,
    read: u64,
    result: Result<Option<Digest>, Problem>,
}

/// Twice as many threads as cores: one reads while another hashes. `None` when they cannot be had; the common pool does then.
fn readers() -> Option<rayon::ThreadPool> {
    let threads = 2 * rayon::current_num_threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().ok()
}

impl Store {
    /// Looks at everything; see the module head.
    pub fn verify(&self, expected: &Expected, depth: Depth, reporter: &dyn Reporter) -> Report {
        let sizes = expected.sizes();
        let images = match depth {
            Depth::Deep => deep::read_images(self, expected),
            _ => deep::Images::default(),
        };
        let items = plan(&sizes, &images.layers());
        reporter.report(Event::Phase {
            name: "verify",
            items: Some(items.len() as u64),
            bytes: (depth > Depth::Quick).then(|| sizes.values().sum()),
        });
        // A bridge hands items out one by one in order; a parallel iterator over the list would start at its middle too.
        let look = || {
            let all = items.into_iter().par_bridge();
            let all = all.map_init(Vec::new, |buffer, item| {
                self.look_at(item, depth, buffer, reporter)
            });
            all.collect::<Vec<Outcome>>()
        };
        let outcomes = match readers() {
            Some(pool) => pool.install(look),
            None => look(),
        };
        reporter.report(Event::PhaseDone);
        let bytes_read = outcomes.iter().map(|outcome| outcome.read).sum();
        let mut findings = self.other_findings(&sizes);
        let mut diff_ids = BTreeMap::new();
        for Outcome { digest, result, .. } in outcomes {
            match result {
                Ok(Some(diff_id)) => drop(diff_ids.insert(digest, diff_id)),
                Ok(None) => {}
                Err(problem) => findings.push(self.finding(&digest, problem)),
            }
        }
        findings.extend(images.judge(self, &diff_ids));
        match self.read_delta() {
            Ok(Some(delta)) => findings.retain(|finding| {
                let left_out = finding
                    .digest
                    .as_ref()
                    .is_some_and(|d| delta.lacks.contains(d));
                finding.problem != Problem::Missing || !left_out
            }),
            Ok(None) => {}
            Err(error) => findings.push(self.failed(&error)),
        }
        findings.sort();
        findings.dedup();
        Report {
            items: sizes.len(),
            bytes_read,
            findings,
        }
    }

    fn look_at(
        &self,
        item: Item,
        depth: Depth,
        buffer: &mut Vec<u8>,
        reporter: &dyn Reporter,
    ) -> Outcome {
        let name = item.digest.to_string();
        reporter.report(Event::Started {
            id: item.id,
            name: &name,
            size: Some(item.size),
        });
        let mut read = 0;
        let mut advance = |bytes: u64| {
            read += bytes;
            reporter.report(Event::Advanced { id: item.id, bytes });
        };
        let result = match self.present(&item.digest, item.size) {
            Ok(()) if depth == Depth::Quick => Ok(None),
            Ok(()) => hash::check(&self.blob_path(&item.digest), &item, buffer, &mut advance),
            Err(problem) => Err(problem),
        };
        match &result {
            Ok(_) => reporter.report(Event::Finished { id: item.id }),
            Err(problem) => reporter.report(Event::Failed {
                id: item.id,
                reason: &problem.to_string(),
            }),
        }
        Outcome {
            digest: item.digest,
            read,
            result,
        }
    }

    fn present(&self, digest: &Digest, expected: u64) -> Result<(), Problem> {
        match fs_err::metadata(self.blob_path(digest)) {
            Ok(meta) if !meta.is_file() => Err(Problem::Unreadable {
                reason: "not a regular file".to_owned(),
            }),
            Ok(meta) if meta.len() != expected => Err(Problem::WrongSize {
                expected,
                found: meta.len(),
            }),
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Problem::Missing),
            Err(e) => Err(unreadable(&e)),
        }
    }

    /// What is there and should not be, and an index that does not fit.
    fn other_findings(&self, sizes: &BTreeMap<Digest, u64>) -> Vec<Finding> {
        let keep = sizes.keys().cloned().collect();
        let mut findings = Vec::new();
        match strays(self, &keep) {
            Ok(strays) => findings.extend(strays.into_iter().map(|stray| self.stray(stray))),
            Err(error) => findings.push(self.failed(&error)),
        }
        let index = self.layout_dir().join("index.json");
        match self.read_index() {
            Ok(entries) => {
                for entry in entries {
                    let digest = entry.descriptor.digest;
                    if !keep.contains(&digest) && !self.blob_path(&digest).exists() {
                        findings.push(self.finding(&digest, Problem::Missing));
                    }
                }
            }
            Err(StoreError::Malformed { reason, .. }) => findings.push(Finding {
                path: self.relative(index),
                digest: None,
                problem: Problem::Malformed { reason },
            }),
            Err(error) => findings.push(self.failed(&error)),
        }
        findings
    }

    fn stray(&self, stray: strays::Stray) -> Finding {
        let bytes = stray.size_bytes;
        Finding {
            path: self.relative(stray.path),
            problem: match stray.unfinished {
                Some(_) => Problem::Unfinished { bytes },
                None => Problem::Extra { bytes },
            },
            digest: stray.unfinished,
        }
    }

    fn failed(&self, error: &StoreError) -> Finding {
        let (path, reason) = match error {
            StoreError::Io { path, source, .. } => (path.clone(), source.to_string()),
            other => (self.layout_dir(), other.to_string()),
        };
        Finding {
            path: self.relative(path),
            digest: None,
            problem: Problem::Unreadable { reason },
        }
    }

    fn finding(&self, digest: &Digest, problem: Problem) -> Finding {
        Finding {
            path: self.relative(self.blob_path(digest)),
            digest: Some(digest.clone()),
            problem,
        }
    }

    fn relative(&self, path: PathBuf) -> PathBuf {
        match path.strip_prefix(self.root()) {
            Ok(relative) => relative.to_owned(),
            Err(_) => path,
        }
    }
}

/// Biggest first, so that the last core to finish has little left; then by digest.
fn plan(sizes: &BTreeMap<Digest, u64>, decode: &BTreeSet<Digest>) -> Vec<Item> {
    let mut sorted: Vec<(&Digest, u64)> = sizes.iter().map(|(d, s)| (d, *s)).collect();
    sorted.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    (0..)
        .zip(sorted)
        .map(|(id, (digest, size))| Item {
            id,
            digest: digest.clone(),
            size,
            decode: decode.contains(digest),
        })
        .collect()
}

/// The system's words alone: the finding has the path already, and `fs_err` would repeat it.
fn unreadable(error: &std::io::Error) -> Problem {
    let inner = error.get_ref().and_then(|wrapped| wrapped.source());
    Problem::Unreadable {
        reason: inner.map_or_else(|| error.to_string(), ToString::to_string),
    }
}
