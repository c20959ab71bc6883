//! `factory.yaml`: one file for the whole job, from the inventory to one ISO per site.
//!
//! ```yaml
//! apiVersion: snoforge.io/v1
//! kind: Factory
//! release:  {version: 4.13.1, acmVersion: 2.7.4, mceVersion: 2.2.4}
//! imageset: imageset.yaml          # or one written here; without it, made of `release`
//! download: {folder: data, mirrors: [registry.lan:5000/ocp]}
//! disks:    [{device: serial=…, size: 298}, {image: out/data.img}]
//! install:  {pullSecret: pull-secret.json, sshKey: key.pub, out: clusters}    # in place of iso.ignition
//! iso:      {live: rhcos-live.iso, ignition: bip.ign, sites: sites.csv, out: isos}
//! rates:    {download: 100mbit}    # what the plan's times are estimated from
//! report:   report.json
//! ```
//!
//! Every field but `imageset`, `push`, `sites`, `rates` and `report` is a flag of an existing verb, in [`FIELDS`]. Paths are relative to the
//! file. Reading is strict: an unknown or repeated key, a value of another kind, nothing where something is needed; everything that
//! is wrong is told at once, with line and column. What needs other files or rooms (the image set named, sites, disks) is checked by
//! whoever reads those. This module reads no files.

mod fields;
mod inline;
mod reader;
mod schema;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Finding;
use super::model::{At, Located};
use super::template;
pub use fields::{FIELDS, Field, Kind, Section};
pub use inline::InlineImageSet;
pub use schema::schema;

/// A sample with every field.
pub const TEMPLATE: &str = include_str!("../../../templates/factory/factory.yaml");

/// What the file's `apiVersion` is.
pub const API_VERSION: &str = "snoforge.io/v1";
/// What the file's `kind` is.
pub const KIND: &str = "Factory";

/// Size of a data partition in GiB when it is not said, as in `precache partition`.
const DISK_GIB: u64 = 100;

/// A whole job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factory {
    /// The file as it was named; paths in the job are joined to its directory.
    pub file: String,
    /// `release`.
    pub release: Values,
    /// Where the image set comes from.
    pub imageset: ImageSetSource,
    /// `download`.
    pub download: Values,
    /// `disks`, in file order; targets are unique.
    pub disks: Vec<Disk>,
    /// `install`; `pullSecret`, `sshKey` and `out` are there, and so is `iso`, without an `ignition`.
    pub install: Option<Values>,
    /// `iso`.
    pub iso: Option<Iso>,
    /// Rates to estimate with.
    pub rates: Rates,
    /// Where the report goes.
    pub report: PathBuf,
}

/// Where the image set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSetSource {
    /// Made of `release`: its text.
    Made(String),
    /// A file.
    File(Located<PathBuf>),
    /// Written in the factory file.
    Inline(InlineImageSet),
    /// None: `release.mapping` takes its place.
    Mapping,
}

/// A data disk to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Where it goes.
    pub target: Target,
    /// The other values.
    pub values: Values,
    /// Size of the partition in GiB.
    pub size_gib: u64,
}

/// Where a data partition goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A disk: `/dev/…`, `serial=…` or `wwn=…`.
    Device(Located<String>),
    /// An image file to make.
    Image(Located<PathBuf>),
}

impl Target {
    /// As it is written to a person.
    pub fn text(&self) -> String {
        match self {
            Self::Device(device) => device.value.clone(),
            Self::Image(path) => path.value.display().to_string(),
        }
    }

    /// Where it stands.
    pub fn at(&self) -> At {
        match self {
            Self::Device(device) => device.at,
            Self::Image(path) => path.at,
        }
    }
}

/// The boot media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iso {
    /// Everything but the sites; `live` and `out` are there.
    pub values: Values,
    /// The list of machines: its file, or none when they are in the factory file.
    pub sites: Located<Option<PathBuf>>,
}

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of the registry.
    pub download: u64,
    /// Of a data disk, in one direction.
    pub disk: u64,
    /// Of a registry that is pushed to.
    pub push: u64,
    /// Of ISOs.
    pub iso: u64,
}

/// The values of one section, each of the kind that [`FIELDS`] says; paths are joined to the file's directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Where the section begins.
    pub at: At,
    values: BTreeMap<&'static str, Vec<Located<String>>>,
}

impl Values {
    /// The value of a field that is no list.
    pub fn text(&self, key: &str) -> Option<&str> {
        Some(self.values.get(key)?.first()?.value.as_str())
    }

    /// The values of a field.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &Located<String>> {
        self.values.get(key).into_iter().flatten()
    }

    /// The value as a path.
    pub fn path(&self, key: &str) -> Option<&Path> {
        self.text(key).map(Path::new)
    }

    /// The same section with these fields only.
    #[must_use]
    pub fn only(&self, keys: &[&str]) -> Self {
        let mut some = self.clone();
        some.values.retain(|key, _| keys.contains(key));
        some
    }

    /// Whether a switch is on.
    pub fn is_on(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }

    /// Where a field stands, or else its section.
    pub fn place(&self, key: &str) -> At {
        self.values
            .get(key)
            .and_then(|values| values.first())
            .map_or(self.at, |value| value.at)
    }

    /// The flags that say the same, in the order of [`FIELDS`].
    pub fn flags(&self, section: Section) -> Vec<String> {
        let mut flags = Vec::new();
        for field in section.fields().filter(|field| !field.flag.is_empty()) {
            for value in self.all(field.key) {
                let value = &value.value;
                match (field.kind, field.flag.len()) {
                    (Kind::Switch, _) if value == "true" => flags.push(format!("--{}", field.flag)),
                    (Kind::Switch, _) => {}
                    (_, 1) => flags.extend([format!("-{}", field.flag), value.clone()]),
                    _ => flags.push(format!("--{}={value}", field.flag)),
                }
            }
        }
        flags
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    fn rate(&self, key: &str, standard: u64) -> u64 {
        let rate = self.text(key).and_then(|text| super::rate(text).ok());
        rate.unwrap_or(standard)
    }
}

impl Factory {
    /// Reads a file; `file` is the name to print, and its directory is what paths are relative to.
    ///
    /// # Errors
    /// Everything that is wrong, in file order; never empty.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Finding>> {
        reader::read(file, text)
    }

    /// A path of this file's directory.
    pub fn beside(&self, path: &str) -> PathBuf {
        beside(&self.file, path)
    }

    /// A finding in this file.
    pub fn finding(&self, at: At, message: impl Into<String>) -> Finding {
        Finding::new(&self.file, at, message)
    }
}

/// Whether a text is a `factory.yaml`, good or bad: the `kind` decides.
pub fn is_one(text: &str) -> bool {
    let document = super::yaml::parse(text).ok();
    let kind = document.as_ref().and_then(|d| d.root.get("kind"));
    matches!(kind.map(|k| &k.value.value), Some(super::yaml::Value::Scalar { text, .. }) if text == KIND)
}

fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("")).join(path)
}

/// The image set that `release` describes.
fn made(release: &Values) -> Result<String, (At, template::TemplateError)> {
    let text = |key| release.text(key).map(str::to_owned);
    let texts = |key| release.all(key).map(|v| v.value.clone()).collect();
    let options = template::Options {
        release: text("version").unwrap_or_default(),
        mce_version: text("mceVersion"),
        acm_version: text("acmVersion"),
        du_profile: release.is_on("duProfile"),
        ai_images: texts("aiImages"),
        images: texts("images"),
        catalog_redhat_operators: text("catalogRedhatOperators"),
        catalog_certified_operators: text("catalogCertifiedOperators"),
    };
    let rendered = options
        .require_mce()
        .and_then(|()| template::render(&options));
    rendered.map_err(|error| {
        let key = match &error {
            template::TemplateError::AcmMissing => "duProfile",
            _ => "version",
        };
        (release.place(key), error)
    })
}

#[cfg(test)]
mod tests;
