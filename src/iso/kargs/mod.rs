//! Kernel arguments of the live system: where they are, how they are read, changed and written.
//!
//! ```text
//! coreos/kargs.json  {"default": "…", "size": 1139, "files": [{"path": "EFI/redhat/grub.cfg", "offset": 970, "pad": "#", "end": "\n"}, …]}
//! area               kargs end pad…     the same in every boot loader's file, `size` bytes each
//! ```
//!
//! Without `kargs.json` (RHCOS 4.7 to 4.9) a header in the system area names the areas; without that, the marker that follows an area in
//! the boot loaders' files shows them (`legacy`).

mod check;
mod edit;
mod legacy;

use serde::Deserialize;

use super::error::IsoError;
use super::iso9660::Volume;
use super::layout;
use super::region::Region;
use super::source::{ReadAt, read};

pub use check::{Warning, check};
pub use edit::Edit;

const FILE: &str = "coreos/kargs.json";
/// `COMMAND_LINE_SIZE` of the architectures; larger ones cannot be meant.
const MAX_SIZE: usize = 2048;

/// Where it was read that there are areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `coreos/kargs.json`
    KargsJson,
    /// The `coreKarg` header of the system area.
    Header,
    /// `# COREOS_KARG_EMBED_AREA` in a boot loader's file.
    Marker,
}

/// One area.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Area {
    /// The boot loader's file, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// First byte, on the medium.
    pub offset: u64,
    /// Bytes.
    pub length: usize,
    /// What fills the area.
    pub pad: char,
    /// What ends the arguments.
    pub end: char,
}

/// The areas of an ISO with what they hold.
#[derive(Debug, Clone)]
pub struct Kargs {
    /// How they were found.
    pub origin: Origin,
    /// At least one.
    pub areas: Vec<Area>,
    /// Of the pristine ISO, where it is recorded.
    pub default: Option<String>,
    /// What each area holds, in the order of `areas`.
    held: Vec<String>,
}

#[derive(Deserialize)]
struct Info {
    default: String,
    files: Vec<Location>,
    size: usize,
}

#[derive(Deserialize)]
struct Location {
    path: String,
    offset: u64,
    pad: Option<char>,
    end: Option<char>,
}

impl Kargs {
    /// Finds the areas; none in an ISO that has none.
    ///
    /// # Errors
    /// A description is wrong or points beyond its file.
    pub(super) fn find(source: &dyn ReadAt, volume: &Volume) -> Result<Option<Self>, IsoError> {
        let found = match layout::json::<Info>(source, volume, FILE)? {
            Some(info) => Some(described(source, volume, info)?),
            None => match legacy::header(source)? {
                Some(found) => Some(found),
                None => legacy::marker(source, volume)?,
            },
        };
        let Some((origin, default, mut areas)) = found else {
            return Ok(None);
        };
        areas.sort_by_key(|area| area.offset);
        let held = areas
            .iter()
            .map(|area| area.read(source))
            .collect::<Result<_, _>>()?;
        Ok(Some(Self {
            origin,
            areas,
            default,
            held,
        }))
    }

    /// The arguments.
    ///
    /// # Errors
    /// [`IsoError::KargsDiffer`]: a change was interrupted.
    pub fn current(&self) -> Result<&str, IsoError> {
        let first = self.held.first().map(String::as_str).unwrap_or_default();
        for (held, area) in self.held.iter().zip(&self.areas) {
            if held != first {
                return Err(IsoError::KargsDiffer {
                    first: first.to_owned(),
                    offset: area.offset,
                    other: held.clone(),
                });
            }
        }
        Ok(first)
    }

    /// The default arguments.
    ///
    /// # Errors
    /// [`IsoError::NoDefaultKargs`]
    pub fn default(&self) -> Result<&str, IsoError> {
        self.default.as_deref().ok_or(IsoError::NoDefaultKargs)
    }

    /// Whether the arguments are not the default ones.
    pub fn is_modified(&self) -> bool {
        self.current().ok() != self.default.as_deref()
    }

    /// The longest arguments that fit, in bytes.
    pub fn capacity(&self) -> usize {
        let room = |area: &Area| area.length.saturating_sub(area.end.len_utf8());
        self.areas.iter().map(room).min().unwrap_or(0)
    }

    /// The regions that hold `kargs`.
    ///
    /// # Errors
    /// [`IsoError::KargsTooLong`]
    pub(super) fn regions(&self, kargs: &str) -> Result<Vec<Region>, IsoError> {
        self.areas
            .iter()
            .map(|area| area.region(kargs.trim()))
            .collect()
    }
}

impl Area {
    fn read(&self, source: &dyn ReadAt) -> Result<String, IsoError> {
        let bytes = read(source, self.offset, self.length as u64)?;
        // A torn or foreign area is told by its difference to the others; only the defaults are then of use.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(self.pad).trim_end_matches(self.end);
        Ok(text.trim().to_owned())
    }

    fn region(&self, kargs: &str) -> Result<Region, IsoError> {
        let needed = kargs.len() + self.end.len_utf8();
        if needed > self.length {
            return Err(IsoError::KargsTooLong {
                needed,
                capacity: self.length,
            });
        }
        let mut contents = format!("{kargs}{}", self.end).into_bytes();
        contents.resize(self.length, u8::try_from(self.pad).unwrap_or(b'#'));
        Ok(Region {
            offset: self.offset,
            contents,
        })
    }
}

/// What a finder finds.
type Found = (Origin, Option<String>, Vec<Area>);

fn described(source: &dyn ReadAt, volume: &Volume, info: Info) -> Result<Found, IsoError> {
    let wrong = |reason: String| IsoError::Description { file: FILE, reason };
    let Info {
        default,
        files,
        size,
    } = info;
    if size > MAX_SIZE {
        return Err(wrong(format!(
            "areas of {size} bytes (more than {MAX_SIZE})"
        )));
    }
    if default.len() > size {
        let length = default.len();
        return Err(wrong(format!(
            "{length} bytes of default arguments in areas of {size}"
        )));
    }
    let mut areas = Vec::new();
    for location in files {
        let path = &location.path;
        let Some((_, extent)) = volume.find_file(source, path)? else {
            return Err(wrong(format!("there is no file `{path}`")));
        };
        let end = location.offset.checked_add(size as u64);
        if end.is_none_or(|end| end > u64::from(extent.length)) {
            return Err(wrong(format!("the area in `{path}` is not within it")));
        }
        let (pad, end) = (location.pad.unwrap_or('#'), location.end.unwrap_or('\n'));
        if !pad.is_ascii() || !end.is_ascii() {
            return Err(wrong(format!(
                "the filling of the area in `{path}` is not ASCII"
            )));
        }
        areas.push(Area {
            offset: extent.lba.offset() + location.offset,
            file: Some(location.path),
            length: size,
            pad,
            end,
        });
    }
    if areas.is_empty() || size == 0 {
        return Err(wrong("no area is there".to_owned()));
    }
    Ok((Origin::KargsJson, Some(default), areas))
}

#[cfg(test)]
mod tests;
