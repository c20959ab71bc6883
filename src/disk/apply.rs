//! Does what a plan says.

use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use super::error::DiskError;
use super::plan::Plan;
use crate::progress::Reporter;

/// What a new filesystem begins with.
#[derive(Debug, Clone, Copy)]
pub enum Populate<'a> {
    /// Nothing.
    Empty,
    /// Everything below a directory: plain files and directories (vfat: files in its root only).
    From(&'a Path),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The disk or image file.
    pub device: PathBuf,
    /// The new partition; `None` after a reset.
    pub partition: Option<Made>,
}

/// A partition that is there and formatted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its number.
    pub number: u32,
    /// Its GUID: `/dev/disk/by-partuuid/…`.
    #[serde(serialize_with = "super::as_text")]
    pub guid: Uuid,
    /// Its device node; `None` in an image file.
    pub node: Option<PathBuf>,
    /// Where it begins on the disk.
    pub start_bytes: u64,
    /// Its size.
    pub size_bytes: u64,
}

/// Does what a plan says.
///
/// # Errors
/// Any failing step.
pub fn apply(
    plan: &Plan,
    _populate: Populate<'_>,
    _reporter: &dyn Reporter,
) -> Result<Applied, DiskError> {
    Err(DiskError::Changed(plan.device().path.clone()))
}
