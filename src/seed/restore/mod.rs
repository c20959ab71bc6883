//! `seed restore`: a seed image into a sysroot without the live ISO, as lifecycle-agent's `SetupStateroot` does it for Image-Based
//! Installation (`seed-image.md` section 4.5).
//!
//! ```text
//! SYSROOT/ostree/
//! ├── repo/                       pull-local: hard links to what was unpacked, no second copy
//! ├── deploy/rhcos_<version>/
//! │   ├── deploy/<commit>.<n>/    with its etc: etc.tgz over the commit's, without what etc.deletions names
//! │   ├── var/                    var.tgz, renamed into place; tmp/ has containers.list and manifest.json
//! │   └── .snoforge-restore.json  last of all: which image this is                             [`sysroot`]
//! └── .snoforge-restore/          while it is under way; what a later run cleans up            [`undo`]
//!     ├── journal.json            stateroot, image, the repository's refs before
//!     ├── ostree/  root/var/      unpacked from the stream, checked member by member           [`stage`]
//!     └── etc.tar                 checked, unpacked only when the deployment is there          [`etc`]
//! ```
//!
//! Invariants: the layer is transferred once and stored never; repository, deployments and boot entries are touched only after its
//! digest and all its files were checked; what fails is taken back, and what was killed is taken back by the next run; programs get
//! their arguments as they are, no shell sees them.
//!
//! What this does not do: it makes no partitions and no container storage, and pulls no container images.

mod deploy;
mod error;
mod etc;
mod ostree;
mod stage;
mod sysroot;
mod undo;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::RestoreError;
pub use sysroot::Sysroot;

use super::error::Error;
use super::finding::{Finding, has_errors};
use super::image::{self, SeedImage};
use super::version::Version;
use crate::oci::{Digest, ImageSource};
use crate::progress::{Event, Reporter};

/// What is going to be done; nothing is touched yet.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The image as it was asked for.
    pub image: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Bytes to read.
    pub layer_bytes: u64,
    /// Version of the seed cluster.
    pub version: String,
    /// Where to, without symbolic links.
    pub sysroot: PathBuf,
    /// `rhcos_<version>`.
    pub stateroot: String,
    /// Bytes free in the sysroot.
    pub free_bytes: u64,
    /// The stateroot is there already, whole and of this image.
    pub done: bool,
    /// A stateroot whose restore was interrupted and is taken back first.
    pub interrupted: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// `<commit>.<serial>` in the new stateroot.
    pub deployment: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Kernel arguments of its boot entry, in order.
    pub kernel_arguments: Vec<String>,
    /// How many files were deleted as the seed cluster had deleted them.
    pub deleted: usize,
    /// Files to delete that were not there; lifecycle-agent fails at one (MGMT-19505).
    pub not_there: Vec<String>,
}

/// lifecycle-agent's name for the stateroot of a version.
pub fn stateroot(version: &Version) -> String {
    format!("rhcos_{}", version.to_string().replace('-', "_"))
}

/// The arguments of `ostree admin deploy` for kernel arguments: one each, so that none is taken for an option, and none is split.
pub fn karg_options(kernel_arguments: &[String]) -> Vec<String> {
    let option = |karg: &String| format!("--karg-append={karg}");
    kernel_arguments.iter().map(option).collect()
}

impl Plan {
    /// Checks image and sysroot.
    ///
    /// # Errors
    /// The labels are not good, the image is of another version than `expected`, or the sysroot cannot take it.
    pub fn new(image: &SeedImage, sysroot: &Path, expected: Option<&str>) -> Result<Self, Error> {
        let (Some(info), false) = (&image.info, has_errors(&image.findings)) else {
            return Err(RestoreError::Unfit(image.findings.clone()).into());
        };
        let own = &info.seed_cluster_ocp_version;
        let version = own
            .parse::<Version>()
            .map_err(|e| Error::value("version", own, e.to_string()))?;
        if let Some(expected) = expected.filter(|e| e != own) {
            let image = own.clone();
            let expected = expected.to_owned();
            return Err(RestoreError::Version { image, expected }.into());
        }
        let stateroot = stateroot(&version);
        let sysroot = Sysroot::open(sysroot)?;
        let done = match sysroot.marker(&stateroot)? {
            Some(marker) if marker == image.digest => true,
            Some(other) => return Err(sysroot.taken(&stateroot, Some(&other)).into()),
            None => false,
        };
        let interrupted = undo::interrupted(&sysroot)?;
        if !done && sysroot.has(&stateroot) && interrupted.as_ref() != Some(&stateroot) {
            return Err(sysroot.taken(&stateroot, None).into());
        }
        let free_bytes = sysroot.free_bytes()?;
        if !done && interrupted.is_none() {
            sysroot.fits(image.layer.size)?;
        }
        Ok(Self {
            image: image.reference.to_string(),
            digest: image.digest.clone(),
            layer_bytes: image.layer.size,
            version: own.clone(),
            sysroot: sysroot.path().to_owned(),
            stateroot,
            free_bytes,
            done,
            interrupted,
        })
    }

    /// Whether it may turn out too much: a layer unpacks to two to three times its size.
    pub fn is_tight(&self) -> bool {
        !self.done && self.free_bytes < self.layer_bytes.saturating_mul(5) / 2
    }
}

/// Does it; `None` when it was done before. Blocks the thread at times: for a runtime of several threads.
///
/// # Errors
/// The source, the image's bytes, a program or the disk; what was done is then taken back.
pub async fn restore(
    source: &dyn ImageSource,
    image: &SeedImage,
    plan: &Plan,
    reporter: &dyn Reporter,
) -> Result<Option<Restored>, Error> {
    let sysroot = Sysroot::open(&plan.sysroot)?;
    sysroot::ready()?;
    let _lock = sysroot.lock()?;
    tokio::task::block_in_place(|| undo::undo(&sysroot))?;
    match sysroot.marker(&plan.stateroot)? {
        Some(digest) if digest == image.digest => return Ok(None),
        Some(other) => return Err(sysroot.taken(&plan.stateroot, Some(&other)).into()),
        None if sysroot.has(&plan.stateroot) => {
            return Err(sysroot.taken(&plan.stateroot, None).into());
        }
        None => sysroot.fits(image.layer.size)?,
    }
    undo::begin(&sysroot, &plan.stateroot)?;
    let done = steps(source, image, (&sysroot, plan), reporter).await;
    if done.is_err()
        && let Err(error) = tokio::task::block_in_place(|| undo::undo(&sysroot))
    {
        reporter.report(Event::Warning(&format!(
            "the same command cleans up what is left in {}: {error}",
            sysroot.path().display()
        )));
    }
    done.map(Some)
}

async fn steps(
    source: &dyn ImageSource,
    image: &SeedImage,
    (sysroot, plan): (&Sysroot, &Plan),
    reporter: &dyn Reporter,
) -> Result<Restored, Error> {
    reporter.report(Event::Phase {
        name: "unpack",
        items: Some(1),
        bytes: Some(image.layer.size),
    });
    let (archives, failed) = stage::Staging::new(sysroot)?;
    let (report, files) = image::whole(source, image, reporter, Box::new(archives)).await?;
    if let Some(error) = failed.take() {
        return Err(error.into());
    }
    reporter.report(Event::PhaseDone);
    let Some(files) = files else {
        return Err(RestoreError::Unfit(report.findings).into());
    };
    let restored =
        tokio::task::block_in_place(|| deploy::deploy(sysroot, &plan.stateroot, &files, reporter))?;
    tokio::task::block_in_place(|| sysroot.finish(&plan.stateroot, &image.digest))?;
    Ok(restored)
}

/// Findings that end a restore.
fn errors(findings: &[Finding]) -> usize {
    let error = |f: &&Finding| f.severity == super::finding::Severity::Error;
    findings.iter().filter(error).count()
}
