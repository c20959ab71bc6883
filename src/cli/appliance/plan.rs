//! What will be made where, with sizes, before anything is written.

use std::fmt;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::json;
use uuid::Uuid;

use super::Appliance;
use crate::appliance::{Boots, DATA_NUMBER, Layout, Live};
use crate::cli::confirm::typed;
use crate::cli::context::Context;
use crate::cli::disk::choose_one;
use crate::cli::exit::{Exit, Failure};
use crate::cli::precache::partition::confirm;
use crate::disk::{self, Contents, Device, DiskError, Label, Partition, Request, Selector, System};
use crate::io::atomic::parent;
use crate::ui::format;

const GIB: u64 = 1 << 30;

/// Where the appliance goes.
#[derive(Debug)]
pub(super) enum Target {
    /// A new image file.
    File(PathBuf),
    /// A disk.
    Disk(Box<Device>),
}

/// What is done about the data partition of a disk.
#[derive(Debug)]
pub(super) enum Data {
    /// It is made.
    Make(Box<disk::Plan>),
    /// It is there, as asked for; its GUID.
    There(Option<Uuid>),
    /// It is made in a new file.
    InFile,
}

/// The whole plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) layout: Layout,
    pub(super) request: Request,
    pub(super) data: Data,
    iso: String,
    volume: String,
    iso_bytes: u64,
    boots: Boots,
    /// A file is there and will be replaced.
    replaces: bool,
}

impl Target {
    /// Finds it; lets a person choose a disk where none is named.
    pub(super) fn find(out: Option<&str>, context: &Context) -> Result<Self, Failure> {
        let Some(out) = out else {
            return Ok(Self::Disk(Box::new(choose_one(context, "--out")?)));
        };
        let selector = Selector::from(out);
        if let Selector::Path(path) = &selector {
            let block = |meta: std::fs::Metadata| meta.file_type().is_block_device();
            let is_disk = fs_err::metadata(path).is_ok_and(block) || path.starts_with("/dev");
            if !is_disk {
                return Ok(Self::File(path.clone()));
            }
        }
        let device = disk::find(&System::host(), &selector)?;
        Ok(Self::Disk(Box::new(device)))
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Disk(device) => &device.path,
        }
    }
}

impl Plan {
    /// Plans; writes nothing.
    pub(super) fn new(flags: &Appliance, live: &Live, target: Target) -> Result<Self, Failure> {
        let layout = Layout::of(live);
        let filesystem = flags.fs.filesystem();
        let label: Label = flags.label.parse()?;
        let least = disk::least_size(&flags.folder, filesystem)?;
        let mut request = Request {
            size_mib: flags.size.unwrap_or(least.div_ceil(GIB)) * 1024,
            number: DATA_NUMBER,
            label,
            filesystem,
            wipe: flags.wipe,
        };
        let mut replaces = false;
        let data = match &target {
            Target::File(path) => {
                replaces = refuse_file(path, flags.wipe)?;
                let data = request.size_mib * disk::MIB;
                // The filesystem is made in a file of its own and then copied in.
                room(path, layout.end_bytes() + 2 * least.min(data))?;
                Data::InFile
            }
            Target::Disk(device) => plan_disk(flags, &layout, device, &mut request)?,
        };
        Ok(Self {
            layout,
            request,
            data,
            iso: live.path.display().to_string(),
            volume: live.volume.clone(),
            iso_bytes: live.size_bytes,
            boots: live.boots(),
            replaces,
            target,
        })
    }

    /// Asks, where something is written over.
    pub(super) fn confirm(&self) -> Result<(), Failure> {
        match (&self.data, &self.target) {
            (Data::Make(plan), _) => confirm(plan),
            (Data::There(_), _) => typed("yes"),
            (Data::InFile, Target::File(path)) if self.replaces => {
                let name = path.file_name().unwrap_or_default();
                typed(&name.to_string_lossy())
            }
            (Data::InFile, _) => Ok(()),
        }
    }

    pub(super) fn data_bytes(&self) -> u64 {
        self.request.size_mib * disk::MIB
    }

    fn boots_text(&self) -> &'static str {
        match self.boots {
            Boots::BiosAndUefi => "BIOS and UEFI",
            Boots::Uefi => "UEFI only",
        }
    }
}

/// Whether a file is there that may be replaced.
fn refuse_file(path: &Path, wipe: bool) -> Result<bool, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let name = path.display();
    if !parent(path).is_dir() {
        return Err(usage(format!("the directory of {name} does not exist")).hint("make it"));
    }
    match fs_err::metadata(path) {
        Err(_) => Ok(false),
        Ok(meta) if !meta.is_file() => Err(usage(format!("{name} is no file"))),
        Ok(_) if wipe => Ok(true),
        Ok(_) => {
            let hint = "--wipe replaces it; or choose another name";
            Err(usage(format!("{name} exists already")).hint(hint))
        }
    }
}

/// An image that cannot be finished is not begun.
fn room(path: &Path, needed: u64) -> Result<(), Failure> {
    // A filesystem that does not tell is tried.
    let Ok(stat) = rustix::fs::statvfs(parent(path)) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let message = format!(
        "no room for {}: making it takes {}, {} are free",
        path.display(),
        disk::human(needed),
        disk::human(free)
    );
    let hint = "free some, or write to another filesystem; straight onto a disk no room is needed";
    Err(Failure::new(Exit::Io, message).hint(hint))
}

fn plan_disk(
    flags: &Appliance,
    layout: &Layout,
    device: &Device,
    request: &mut Request,
) -> Result<Data, Failure> {
    let contents = disk::read(device)?;
    let there = existing(&contents, request).filter(|_| !flags.wipe);
    if let (Some(there), None) = (there, flags.size) {
        request.size_mib = there.size_bytes / disk::MIB;
    }
    layout.check(device, request.size_mib * disk::MIB)?;
    let foreign = !contents.partitions().is_empty() && !Layout::is_ours(&contents, &flags.label);
    if foreign && !flags.wipe {
        let names = contents
            .partitions()
            .iter()
            .map(|p| match p.label.as_str() {
                "" => p.number.to_string(),
                label => format!("`{}`", label.escape_debug()),
            });
        let names: Vec<_> = names.collect();
        return Err(DiskError::NeedsWipe {
            path: device.path.clone(),
            found: format!("it has other partitions: {}", names.join(", ")),
        }
        .into());
    }
    match disk::plan(device, &contents, request) {
        Ok(plan) => {
            let start = plan.create().map(|new| new.start_bytes);
            layout.check_before(device, start.unwrap_or_default())?;
            Ok(Data::Make(Box::new(plan)))
        }
        Err(DiskError::AlreadyThere { .. }) => {
            let data = existing(&contents, request);
            layout.check_before(device, data.map_or(0, |p| p.start_bytes))?;
            Ok(Data::There(data.and_then(|p| p.guid)))
        }
        Err(taken @ (DiskError::NumberInUse { .. } | DiskError::NoRoom { .. })) => {
            Err(Failure::from(taken).hint("--wipe makes everything anew"))
        }
        Err(other) => Err(other.into()),
    }
}

/// The data partition that is there.
fn existing<'a>(contents: &'a Contents, request: &Request) -> Option<&'a Partition> {
    let mut partitions = contents.partitions().iter();
    partitions.find(|p| p.number == DATA_NUMBER && p.label == request.label.as_str())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.target, &self.data) {
            (Target::File(path), _) => {
                let bytes = self.layout.disk_bytes(self.data_bytes());
                let what = if self.replaces { "REPLACE" } else { "make   " };
                writeln!(f, "{what}   {}, {}", path.display(), disk::human(bytes))?;
            }
            (_, Data::Make(plan)) => write!(f, "{plan}")?,
            (Target::Disk(device), _) => writeln!(f, "disk      {device}")?,
        }
        let (label, filesystem) = (&self.request.label, self.request.filesystem.name());
        let data = disk::human(self.data_bytes());
        match &self.data {
            Data::Make(_) => {}
            Data::There(_) => writeln!(
                f,
                "keep      3: `{label}`, {data}, {filesystem}: what it lacks is copied"
            )?,
            Data::InFile => writeln!(f, "make      3: `{label}`, {data}, {filesystem}")?,
        }
        let layout = &self.layout;
        let (esp, live) = (
            disk::human(layout.esp_size_bytes),
            format::bytes(self.iso_bytes),
        );
        writeln!(f, "write     1: EFI system partition, {esp}")?;
        writeln!(f, "write     2: {} ({}), {live}", self.iso, self.volume)?;
        write!(f, "boots by  {}", self.boots_text())
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let partition = match &self.data {
            Data::Make(plan) => Some(plan),
            Data::There(_) | Data::InFile => None,
        };
        let device = match &self.target {
            Target::Disk(device) => Some(device),
            Target::File(_) => None,
        };
        json!({
            "out": self.target.path(), "device": device, "replaces": self.replaces, "partition": partition,
            "iso": self.iso, "volume": self.volume, "isoBytes": self.iso_bytes,
            "bios": self.boots == Boots::BiosAndUefi, "layout": self.layout,
            "label": self.request.label, "filesystem": self.request.filesystem, "dataBytes": self.data_bytes(),
            "diskBytes": self.layout.disk_bytes(self.data_bytes()),
        })
        .serialize(serializer)
    }
}
