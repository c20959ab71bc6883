//! Where a live ISO says that it may be changed: `coreos/igninfo.json`, `coreos/features.json`.
//!
//! Without `igninfo.json` (RHCOS up to 4.13) the Ignition area is the whole of `images/ignition.img`; on s390x it is a part of
//! `images/cdboot.img`. The older `coreiso+` header of the system area always says the same, and is not read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::IsoError;
use super::iso9660::Volume;
use super::source::{ReadAt, read};

const IGNINFO: &str = "coreos/igninfo.json";
const FEATURES: &str = "coreos/features.json";
const DEFAULT_AREA: &str = "images/ignition.img";
/// Recipe of an ISO without root filesystem; it describes the pristine bytes.
const MINISO: &str = "coreos/miniso.dat";
/// No description is larger than a few hundred bytes.
const MAX_JSON: u64 = 64 << 10;
/// Ours grow to a few megabytes.
const MAX_AREA: u64 = 64 << 20;

/// The Ignition embed area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnitionArea {
    /// The file that it is (part of).
    pub file: String,
    /// First byte, on the medium.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Whether the area is exactly that file; then it can be moved.
    #[serde(skip)]
    pub whole_file: bool,
}

/// What the live system can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Features {
    /// It reads `/etc/coreos/installer.d`.
    pub installer_config: bool,
    /// What it knows there.
    pub installer_config_directives: BTreeMap<String, bool>,
    /// It applies embedded keyfiles.
    pub live_initrd_network: bool,
}

#[derive(Deserialize)]
struct IgnInfo {
    file: String,
    offset: Option<u64>,
    length: Option<u64>,
}

/// Finds the Ignition embed area.
///
/// # Errors
/// [`IsoError::NotCoreOs`]; a description is wrong or points beyond its file.
pub(super) fn ignition_area(
    source: &dyn ReadAt,
    volume: &Volume,
) -> Result<IgnitionArea, IsoError> {
    let info = json::<IgnInfo>(source, volume, IGNINFO)?;
    let described = info.is_some();
    let info = info.unwrap_or(IgnInfo {
        file: DEFAULT_AREA.to_owned(),
        offset: None,
        length: None,
    });
    let wrong = |reason: String| IsoError::Description {
        file: IGNINFO,
        reason,
    };
    let Some((_, extent)) = volume.find_file(source, &info.file)? else {
        return Err(if described {
            wrong(format!("there is no file `{}`", info.file))
        } else {
            IsoError::NotCoreOs(volume.id.clone())
        });
    };
    let file_length = u64::from(extent.length);
    let from = info.offset.unwrap_or(0);
    let length = info.length.unwrap_or(file_length.saturating_sub(from));
    let inside = from
        .checked_add(length)
        .is_some_and(|end| end <= file_length);
    if !inside || length == 0 || length > MAX_AREA {
        return Err(wrong(format!(
            "an area of {length} bytes at {from} in `{}`, which has {file_length}",
            info.file
        )));
    }
    Ok(IgnitionArea {
        file: info.file,
        offset: extent.lba.offset() + from,
        length,
        whole_file: info.offset.is_none() && info.length.is_none(),
    })
}

/// What the live system can do; nothing, where it does not say.
///
/// # Errors
/// The file is there and wrong.
pub(super) fn features(source: &dyn ReadAt, volume: &Volume) -> Result<Features, IsoError> {
    Ok(json(source, volume, FEATURES)?.unwrap_or_default())
}

/// Whether a minimal ISO can be made of the pristine one.
pub(super) fn has_miniso(source: &dyn ReadAt, volume: &Volume) -> Result<bool, IsoError> {
    Ok(volume.find(source, MINISO)?.is_some())
}

/// Reads a JSON file of the ISO; none when it is not there.
pub(super) fn json<T: DeserializeOwned>(
    source: &dyn ReadAt,
    volume: &Volume,
    file: &'static str,
) -> Result<Option<T>, IsoError> {
    let Some((_, extent)) = volume.find_file(source, file)? else {
        return Ok(None);
    };
    let wrong = |reason: String| IsoError::Description { file, reason };
    let length = u64::from(extent.length);
    if length > MAX_JSON {
        return Err(wrong(format!("{length} bytes are too many")));
    }
    let bytes = read(source, extent.lba.offset(), length)?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| wrong(e.to_string()))
}
