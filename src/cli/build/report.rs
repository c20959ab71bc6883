//! `report.json`: what the factory made, and what the next run knows of it.
//!
//! ```json
//! { "format": 1, "created": "2026-11-20T10:00:00Z", "tool": "snoforge 0.1.0", "complete": true,
//!   "inventory": {"digest": "sha256:…", "releases": […], "images": 190, "blobs": 564, "fetchBytes": 0, "diskBytes": 0,
//!                 "groups": {"ai": {"images": 9, "bytes": 0}, "ocp": {…}}},
//!   "pushed": [{"target": "registry.lan:5000/ocp", "inventory": "sha256:…"}],
//!   "disks": [{"target": "serial=…", "partition": "GUID", "label": "data", "sizeGib": 298, "inventory": "sha256:…",
//!              "filled": "…", "readBack": true}],
//!   "isos": {"inputs": "sha256:…", "list": "sha256:…", "useBefore": "…", "made": "…",
//!            "sites": [{"hostname", "iso", "size", "sha256", "kargs", "useBefore",
//!                       "machine": {"interface", "mac", "vlan", "addresses", "gateways", "nameservers", "ntp", "installationDisk"}}]},
//!   "downloads": {"version": 1, "inventory": "sha256:…", "sessions": [see ui::record]},
//!   "verified": {"at": "…", "inventory": "sha256:…", "items": 0, "bytesRead": 0, "problems": [], "moreProblems": 0} }
//! ```
//!
//! `downloads` has every run of the download of this inventory, 600 samples in all; one of another version is begun anew. `verified` is
//! the last `snoforge report --verify`.
//!
//! Paths are relative to the factory file. It is written after every step; `complete` is true at the end only. `format` rises when an
//! older reader could misread a newer file. Nothing secret is in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::downloads::Downloads;
use crate::cli::context::now;
use crate::cli::exit::{Exit, Failure};
use crate::inventory::Summary;
use crate::inventory::lock::{Group, Inventory, Release};
use crate::io::atomic;
use crate::oci::Digest;

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub format: u32,
    pub created: String,
    pub tool: String,
    pub complete: bool,
    pub inventory: Option<InventoryReport>,
    #[serde(default)]
    pub pushed: Vec<PushReport>,
    pub disks: Vec<DiskReport>,
    pub isos: Option<IsosReport>,
    #[serde(
        default,
        deserialize_with = "Downloads::known",
        skip_serializing_if = "Option::is_none"
    )]
    pub downloads: Option<Downloads>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// The inventory that everything was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InventoryReport {
    pub digest: Digest,
    pub releases: Vec<Release>,
    pub images: usize,
    pub blobs: usize,
    pub fetch_bytes: u64,
    pub disk_bytes: u64,
    pub groups: BTreeMap<String, GroupReport>,
}

/// The images of one stage; blobs that stages share count in each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupReport {
    pub images: usize,
    pub bytes: u64,
}

/// A registry that every image was pushed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PushReport {
    pub target: String,
    pub inventory: Digest,
}

/// A data disk or an image file that was filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiskReport {
    pub target: String,
    pub partition: String,
    pub label: String,
    pub size_gib: u64,
    pub inventory: Digest,
    /// When it was filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<String>,
    /// Whether every file was read back from the medium.
    #[serde(default)]
    pub read_back: bool,
}

/// The boot media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IsosReport {
    /// Of everything that decides them.
    pub inputs: Digest,
    /// Of `sites.json`.
    pub list: Digest,
    /// When the first of them is of no use any more.
    pub use_before: Option<String>,
    /// When they were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    pub sites: Vec<SiteReport>,
}

/// One boot medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SiteReport {
    pub hostname: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub iso: String,
    pub size: u64,
    pub sha256: Option<String>,
    pub kargs: Option<String>,
    pub use_before: Option<String>,
    /// What the list of machines says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineReport>,
}

/// A machine's identity and network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MachineReport {
    pub interface: Option<String>,
    pub mac: Option<String>,
    pub vlan: Option<u16>,
    pub addresses: Vec<String>,
    pub gateways: Vec<String>,
    pub nameservers: Vec<String>,
    pub ntp: Vec<String>,
    pub installation_disk: Option<String>,
}

/// The last time that every byte was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    pub at: String,
    pub inventory: Digest,
    pub items: u64,
    pub bytes_read: u64,
    pub problems: Vec<String>,
    #[serde(default)]
    pub more_problems: u64,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            format: FORMAT,
            created: String::new(),
            tool: concat!("snoforge ", env!("CARGO_PKG_VERSION")).to_owned(),
            complete: false,
            inventory: None,
            pushed: Vec::new(),
            disks: Vec::new(),
            isos: None,
            downloads: None,
            verified: None,
        }
    }
}

impl Report {
    /// The report of an earlier run; an empty one when there is none.
    ///
    /// # Errors
    /// The file is something else, which is not ours to replace.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e.into()),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(report) if report.format == FORMAT => Ok(report),
            _ => {
                let message = format!("{} is there and no report of ours", path.display());
                let hint = "move it away, or choose another name with `report:`";
                Err(Failure::new(Exit::Usage, message).hint(hint))
            }
        }
    }

    /// Writes it, when something changed.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), Failure> {
        let before = Self::read(path)?;
        self.created.clone_from(&before.created);
        if *self == before && !self.created.is_empty() {
            return Ok(());
        }
        self.created = now();
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs_err::create_dir_all(parent)?;
        }
        Ok(atomic::write(path, format!("{text}\n").as_bytes())?)
    }

    /// Whether this inventory was pushed to a registry.
    pub(super) fn is_pushed(&self, target: &str, inventory: &Digest) -> bool {
        let mut pushed = self.pushed.iter();
        pushed.any(|past| past.target == target && past.inventory == *inventory)
    }

    /// What is known of a disk that was filled with this inventory.
    pub(super) fn disk(&self, target: &str, inventory: &Digest) -> Option<&DiskReport> {
        let mut disks = self.disks.iter();
        disks.find(|disk| disk.target == target && disk.inventory == *inventory)
    }
}

impl InventoryReport {
    /// Of an inventory.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let summary = Summary::of(inventory);
        let group = |group: Group| {
            let images = inventory.images.iter();
            let images: Vec<_> = images.filter(|i| i.groups.contains(&group)).collect();
            let mut bytes: BTreeMap<&Digest, u64> = BTreeMap::new();
            for image in &images {
                let blobs = image.blobs().into_iter();
                bytes.extend(blobs.filter_map(|d| Some((d, *inventory.blobs.get(d)?))));
                let manifests = image.contents.iter().map(|content| &content.manifest);
                let manifests = manifests.chain([&image.manifest]);
                bytes.extend(manifests.map(|manifest| (&manifest.digest, manifest.size)));
            }
            GroupReport {
                images: images.len(),
                bytes: bytes.values().sum(),
            }
        };
        Self {
            digest: inventory.digest(),
            releases: inventory.releases.clone(),
            images: summary.images,
            blobs: summary.blobs,
            fetch_bytes: summary.fetch_bytes,
            disk_bytes: summary.disk_bytes,
            groups: [
                ("ai".to_owned(), group(Group::Ai)),
                ("ocp".to_owned(), group(Group::Ocp)),
            ]
            .into(),
        }
    }
}
