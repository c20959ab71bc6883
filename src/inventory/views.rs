//! The field's text files as views of the lock (`imageset.md` §4): `mapping.txt`, `ai-images.txt`, `ocp-images.txt`,
//! `ignored-images.txt`, each sorted, one entry per line, and all files of a resolve written to a directory.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::filter::ImageFilter;
use crate::io::atomic;

use super::lock::{Group, Inventory};
use super::mapping::{self, Line};
use super::{InventoryError, split};

/// The text files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// `mapping.txt`, without the ignored lines.
    pub mapping: String,
    /// `ai-images.txt`.
    pub ai: String,
    /// `ocp-images.txt`.
    pub ocp: String,
    /// `ignored-images.txt`: whole mapping lines.
    pub ignored: String,
}

impl Texts {
    /// The views of a lock.
    pub fn of(inventory: &Inventory) -> Self {
        let images = &inventory.images;
        let listed = |group: Group| {
            let members = images.iter().filter(|i| i.groups.contains(&group));
            sorted(members.map(|i| i.source.to_string()))
        };
        Self {
            mapping: mapping::render(images.iter().map(|i| (&i.source, i.destination.as_str()))),
            ai: listed(Group::Ai),
            ocp: listed(Group::Ocp),
            ignored: sorted(inventory.ignored.iter().cloned()),
        }
    }

    /// The views of a mapping file alone, without any network: what `--mapping FILE` writes offline.
    pub fn of_mapping(lines: &[Line], filter: &ImageFilter, ai_images: &BTreeSet<String>) -> Self {
        let (ignored, kept): (Vec<&Line>, Vec<&Line>) = lines
            .iter()
            .partition(|l| filter.matches(&l.source.to_string(), &l.destination));
        let listed = |group: Group| {
            let member = |l: &&&Line| {
                split::groups(&l.source.to_string(), &l.destination, ai_images).contains(&group)
            };
            sorted(kept.iter().filter(member).map(|l| l.source.to_string()))
        };
        let render = |lines: &[&Line]| {
            mapping::render(lines.iter().map(|l| (&l.source, l.destination.as_str())))
        };
        Self {
            mapping: render(&kept),
            ai: listed(Group::Ai),
            ocp: listed(Group::Ocp),
            ignored: render(&ignored),
        }
    }
}

fn sorted(items: impl Iterator<Item = String>) -> String {
    let set: BTreeSet<String> = items.map(|i| i + "\n").collect();
    set.into_iter().collect()
}

/// Writes the text files into a directory that exists, each atomically.
///
/// # Errors
/// A file cannot be written.
pub fn write_texts(directory: &Path, texts: &Texts) -> Result<(), InventoryError> {
    let files = [
        ("mapping.txt", &texts.mapping),
        ("ai-images.txt", &texts.ai),
        ("ocp-images.txt", &texts.ocp),
        ("ignored-images.txt", &texts.ignored),
    ];
    for (name, text) in files {
        put(directory, name, text.as_bytes())?;
    }
    Ok(())
}

/// Writes the text files, the image set as it was read (when there is one) and, last, `inventory.json`: a directory with a lock has the
/// files that belong to it.
///
/// # Errors
/// A file cannot be written.
pub fn write_all(
    directory: &Path,
    inventory: &Inventory,
    image_set: Option<&str>,
) -> Result<(), InventoryError> {
    write_texts(directory, &Texts::of(inventory))?;
    if let Some(text) = image_set {
        put(directory, "imageset.yaml", text.as_bytes())?;
    }
    put(directory, "inventory.json", &inventory.render())
}

fn put(directory: &Path, name: &str, contents: &[u8]) -> Result<(), InventoryError> {
    let path = directory.join(name);
    atomic::write(&path, contents).map_err(|source| InventoryError::Io {
        action: "write",
        path,
        source,
    })
}
