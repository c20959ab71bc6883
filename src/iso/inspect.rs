//! What an ISO is and what is embedded in it, as data. Contents are told by size and digest only: they are secret.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::IsoError;
use super::grow;
use super::image::LiveIso;
use super::initrd::{CONFIG, Initrd, NETWORK_DIR};
use super::kargs::{Area, Kargs, Origin};
use super::layout::{Features, IgnitionArea};
use super::source::{ReadAt, read};

/// The report of an ISO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Volume id; names OS and version.
    pub volume: String,
    /// Bytes of the ISO.
    pub size: u64,
    /// The Ignition embed area.
    pub area: IgnitionArea,
    /// Bytes of it up to the last that is not zero.
    pub used: u64,
    /// Whether it was moved to the end.
    pub grown: bool,
    /// What cannot be read.
    pub damage: Vec<String>,
    /// The embedded config.
    pub ignition: Option<ConfigReport>,
    /// Names of the embedded keyfiles.
    pub keyfiles: Vec<String>,
    /// Whatever else is embedded.
    pub other_members: Vec<MemberReport>,
    /// The kernel arguments.
    pub kargs: Option<KargsReport>,
    /// What the live system can do.
    pub features: Features,
    /// Whether coreos-installer can make a minimal ISO of it (while nothing is embedded).
    pub minimal_iso: bool,
}

/// An embedded config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigReport {
    /// Its size.
    pub bytes: u64,
    /// Its digest, hex.
    pub sha256: String,
    /// `ignition.version`, where it is JSON that has one.
    pub version: Option<String>,
}

/// An embedded file that is neither config nor keyfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberReport {
    /// Its path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Type and permissions, octal.
    pub mode: String,
}

/// The kernel arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KargsReport {
    /// What every area holds; none when they differ.
    pub current: Option<String>,
    /// What the ISO was made with.
    pub default: Option<String>,
    /// How the areas were found.
    pub origin: Origin,
    /// The longest arguments that fit, in bytes.
    pub capacity: usize,
    /// The areas.
    pub areas: Vec<Area>,
}

impl Report {
    /// Looks at everything.
    ///
    /// # Errors
    /// A read fails.
    pub fn new(source: &dyn ReadAt, iso: &LiveIso) -> Result<Self, IsoError> {
        let bytes = read(source, iso.area.offset, iso.area.length)?;
        let used = bytes
            .iter()
            .rposition(|b| *b != 0)
            .map_or(0, |last| last as u64 + 1);
        let none = Initrd::default();
        let initrd = iso.initrd().unwrap_or(&none);
        let kargs = iso.kargs.as_ref();
        let differ = kargs.and_then(|kargs| kargs.current().err());
        let unreadable = iso.initrd().err();
        Ok(Self {
            volume: iso.volume.id.clone(),
            size: grow::image_end(source, iso)?,
            area: iso.area.clone(),
            used,
            grown: grow::undo(source, iso)?.is_some(),
            damage: unreadable
                .into_iter()
                .chain(differ)
                .map(|e| chain(&e))
                .collect(),
            ignition: initrd.get(CONFIG).map(config),
            keyfiles: initrd.keyfiles().into_keys().map(str::to_owned).collect(),
            other_members: others(initrd),
            kargs: kargs.map(kargs_report),
            features: iso.features.clone(),
            minimal_iso: iso.has_miniso,
        })
    }

    /// What the ISO can do, in words.
    pub fn abilities(&self) -> Vec<&'static str> {
        let known = [
            (true, "ignition"),
            (self.kargs.is_some(), "kargs"),
            (self.features.live_initrd_network, "network"),
            (self.features.installer_config, "installer.d"),
            (self.minimal_iso, "minimal ISO"),
        ];
        known
            .into_iter()
            .filter(|(can, _)| *can)
            .map(|(_, name)| name)
            .collect()
    }
}

fn config(bytes: &[u8]) -> ConfigReport {
    let json = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let version = json
        .as_ref()
        .and_then(|j| j.pointer("/ignition/version")?.as_str());
    ConfigReport {
        bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
        version: version.map(str::to_owned),
    }
}

fn others(initrd: &Initrd) -> Vec<MemberReport> {
    let known = |path: &str| path == CONFIG || path.starts_with(NETWORK_DIR);
    let others = initrd.members().filter(|(path, _)| !known(path));
    others
        .map(|(path, member)| MemberReport {
            path: path.to_owned(),
            bytes: member.data.len() as u64,
            mode: format!("{:o}", member.mode),
        })
        .collect()
}

fn kargs_report(kargs: &Kargs) -> KargsReport {
    KargsReport {
        current: kargs.current().ok().map(str::to_owned),
        default: kargs.default.clone(),
        origin: kargs.origin,
        capacity: kargs.capacity(),
        areas: kargs.areas.clone(),
    }
}

fn chain(error: &IsoError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
