//! `disk list`.

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::disk::{self, Contents, Device, Partition, System, Table};
use crate::ui::table;

/// Flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {}

/// A disk and what is on it; `None`: it cannot be read.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub(super) device: Device,
    contents: Option<Contents>,
}

impl List {
    #[expect(clippy::unused_self, reason = "every verb runs the same way")]
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let disks = all()?;
        context.result(&disks, || {
            if disks.is_empty() {
                return "there are no disks".to_owned();
            }
            let rows = disks.iter().map(Listed::row).collect();
            let text = table::render(&HEADER, rows, &[1]);
            if disks.iter().any(|disk| disk.contents.is_none()) {
                return format!("{text}\n? what is on it is told to root only");
            }
            text
        })
    }
}

/// What [`Listed::row`] has.
pub(super) const HEADER: [&str; 7] = [
    "DISK",
    "SIZE",
    "TRANSPORT",
    "MODEL",
    "SERIAL",
    "CONTENT",
    "IN USE",
];

/// Every disk of this machine.
pub(super) fn all() -> Result<Vec<Listed>, Failure> {
    let disks = disk::list(&System::host())?.into_iter().map(|device| {
        let contents = disk::read(&device).ok();
        Listed { device, contents }
    });
    Ok(disks.collect())
}

impl Listed {
    pub(super) fn row(&self) -> Vec<String> {
        let device = &self.device;
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        let uses: Vec<String> = device.uses.iter().map(ToString::to_string).collect();
        vec![
            device.path.display().to_string(),
            disk::human(device.size_bytes),
            known(&device.transport),
            known(&device.model),
            known(&device.serial),
            self.contents.as_ref().map_or("?".to_owned(), content),
            if device.read_only && uses.is_empty() {
                "read-only".to_owned()
            } else {
                uses.join(", ")
            },
        ]
    }
}

/// `GPT: data xfs, EFI-SYSTEM vfat`, or the filesystem of the disk as a whole.
fn content(contents: &Contents) -> String {
    let kind = match &contents.table {
        Table::Gpt(_) => "GPT",
        Table::Mbr(_) => "MBR",
        Table::Broken(_) => return "a damaged GPT".to_owned(),
        Table::None => {
            let whole = contents.signature.as_ref().map(ToString::to_string);
            return whole.unwrap_or_else(|| "empty".to_owned());
        }
    };
    let parts: Vec<String> = contents.partitions().iter().map(partition).collect();
    if parts.is_empty() {
        return format!("{kind}, no partitions");
    }
    format!("{kind}: {}", parts.join(", "))
}

fn partition(partition: &Partition) -> String {
    let content = partition.content.as_ref().map(ToString::to_string);
    let words = [partition.label.clone(), content.unwrap_or_default()];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return format!("partition {}", partition.number);
    }
    words.join(" ")
}
