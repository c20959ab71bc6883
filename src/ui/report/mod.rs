//! `report.html`: what a factory made, for a person: on a screen, light or dark, and on paper.
//!
//! One file without script, font, image or address elsewhere; a Content-Security-Policy in it forbids that it ever loads anything.
//! Pure: from [`Page`] to text, the same page gives the same bytes; there is no clock here, and what has expired is said by the
//! caller. Every text is escaped, wherever it comes from. Secrets cannot be in it: no type here holds one.
//!
//! ```text
//! summary · index ─ inventory (tables, treemap) ─ shared layers ─ download ─ verification ─ images │ one A4 sheet per machine
//! ```

mod contents;
mod html;
mod page;
mod qr;
mod sharing;
mod sheet;
mod table;
mod timeline;
mod treemap;
mod verification;

#[cfg(test)]
mod tests;

use super::record::Session;

/// How a file begins that this module rendered; nothing else is replaced unasked.
pub const MARK: &str = "<!doctype html>\n<!-- snoforge report -->\n";

/// Everything in a report. Moments are RFC 3339, sizes are bytes.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What it is about: the factory file, or the data directory.
    pub title: String,
    /// When its facts were written.
    pub made: String,
    /// `snoforge 0.1.0`.
    pub tool: String,
    /// Whether everything that was asked for is made.
    pub complete: bool,
    /// The inventory, once it is known.
    pub inventory: Option<Inventory>,
    /// The runs of the download with their starts in seconds since 1970 (none when that is not known), in order.
    pub sessions: Vec<(Option<i64>, Session)>,
    /// What was verified.
    pub checks: Vec<Check>,
    /// The data disks.
    pub disks: Vec<Disk>,
    /// The machines.
    pub machines: Vec<Machine>,
}

/// The inventory.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Its digest.
    pub digest: String,
    /// How many images.
    pub images: u64,
    /// How many blobs.
    pub blobs: u64,
    /// Bytes of all, each once.
    pub unique_bytes: u64,
    /// Bytes on a disk.
    pub disk_bytes: u64,
    /// The releases.
    pub releases: Vec<Release>,
    /// Name, images and bytes of each boot stage.
    pub stages: Vec<(String, u64, u64)>,
    /// The images themselves; none when the data directory is not at hand.
    pub contents: Option<Contents>,
}

/// A release.
#[derive(Debug, Clone)]
pub struct Release {
    /// `4.13.1 x86_64`.
    pub name: String,
    /// Payload, by digest.
    pub payload: String,
}

/// The images of an inventory.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Largest first.
    pub groups: Vec<Group>,
    /// What several groups share.
    pub between: u64,
    /// What two groups both need, in the order of `groups`.
    pub pairs: Vec<Vec<u64>>,
    /// Shared layers, what saves most first.
    pub layers: Vec<Layer>,
    /// Bytes that sharing saves.
    pub saved: u64,
}

/// Images that are needed for one reason.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its images, largest own bytes first.
    pub images: Vec<Image>,
    /// All that it needs.
    pub needs: u64,
    /// What its images share with each other only.
    pub within: u64,
}

impl Group {
    /// What no other group needs.
    pub fn unique(&self) -> u64 {
        self.images.iter().map(|image| image.own).sum::<u64>() + self.within
    }
}

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    /// What a person calls it.
    pub name: String,
    /// Where it comes from, by digest.
    pub source: String,
    /// The boot stages that need it.
    pub stages: String,
    /// All that it needs.
    pub whole: u64,
    /// What no other image needs.
    pub own: u64,
}

/// A layer that several images share.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub size: u64,
    /// What sharing it saves.
    pub saved: u64,
    /// The images' names.
    pub images: Vec<String>,
}

/// Something that was verified, or not.
#[derive(Debug, Clone)]
pub struct Check {
    /// What.
    pub what: String,
    /// How it ended.
    pub result: Verdict,
    /// When.
    pub when: Option<String>,
    /// How, and what was found.
    pub detail: String,
}

/// The end of a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All well.
    Good,
    /// Something is wrong.
    Bad,
    /// Nobody looked.
    Open,
}

/// A data disk, or an image of one.
#[derive(Debug, Clone)]
pub struct Disk {
    /// As the job names it.
    pub target: String,
    /// Partition label.
    pub label: String,
    /// PARTUUID.
    pub partition: String,
    /// Size of the partition.
    pub size_gib: u64,
    /// When it was filled.
    pub filled: Option<String>,
    /// What is known of its content.
    pub check: String,
    /// Whether every file was read back.
    pub read_back: bool,
    /// Whether it holds the inventory of this report.
    pub current: bool,
}

/// A machine and its boot medium.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Its name.
    pub hostname: String,
    /// Its interface.
    pub interface: Option<String>,
    /// Hardware address, where the job names it.
    pub mac: Option<String>,
    /// VLAN.
    pub vlan: Option<u16>,
    /// `10.1.0.5/24`.
    pub addresses: Vec<String>,
    /// One for each family at most.
    pub gateways: Vec<String>,
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Time servers.
    pub ntp: Vec<String>,
    /// Disk to install to, where the job names it.
    pub installation_disk: Option<String>,
    /// The boot medium's file.
    pub iso: String,
    /// Its size.
    pub iso_size: u64,
    /// Its SHA-256, where it was computed.
    pub sha256: Option<String>,
    /// When its certificates begin to expire.
    pub use_before: Option<String>,
    /// Whether that is over.
    pub expired: bool,
}

/// The file.
pub fn render(page: &Page) -> String {
    page::render(page)
}

/// What the QR code of a machine's sheet says.
pub fn facts(page: &Page, machine: &Machine) -> String {
    sheet::facts(page, machine)
}
