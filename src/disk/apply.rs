//! Does what a plan says, or puts the disk back as it was.
//!
//! ```text
//! lock, check that nothing changed → save both ends of the disk
//! → write table (partition called `snoforge-unfinished`) → sync → read back with another library → tell the kernel
//! → format → look at the superblock → give the partition its name → sync → read back
//! ```
//! The lock is the one of <https://systemd.io/BLOCK_DEVICE_LOCKING>: while it is held, udev leaves the disk alone.
//! In an image file there is no partition node to format: the filesystem is made in a sparse file beside it and moved in, holes kept.

use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::File;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{Advice, FlockOperation};
use serde::Serialize;
use uuid::Uuid;

use super::contents::{self, Partition, probe};
use super::device::DeviceKind;
use super::error::DiskError;
use super::kernel;
use super::mkfs::Maker;
use super::plan::{NewPartition, Plan, UNFINISHED, node};
use super::populate::Tree;
use crate::progress::{Event, Reporter};
use ends::{Saved, erase};

mod ends;
mod splice;
pub(super) use splice::next_data;
pub(super) mod table;

/// udev may probe the disk for a moment when we come.
const LOCK_TRIES: u32 = 50;
const LOCK_POLL: Duration = Duration::from_millis(100);

/// What a new filesystem begins with.
#[derive(Debug, Clone, Copy)]
pub enum Populate<'a> {
    /// Nothing.
    Empty,
    /// Everything below a directory: plain files and directories (vfat: files in its root only), owner root.
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

/// Does what a plan says. Reports one phase, `partition`, with an item for each step.
///
/// # Errors
/// The disk is busy or changed, a tool is missing (nothing is written then); a write, the formatting or a read-back fails (the old table
/// is put back then).
pub fn apply(
    plan: &Plan,
    populate: Populate<'_>,
    reporter: &dyn Reporter,
) -> Result<Applied, DiskError> {
    let filling = plan
        .create
        .as_ref()
        .map(|new| Filling::prepare(plan, new, populate))
        .transpose()?;
    let mut job = Job::open(plan)?;
    let saved = Saved::take(&mut job)?;
    let steps = Steps {
        reporter,
        count: if filling.is_some() { 3 } else { 1 },
    };
    match steps.run(&mut job, filling.as_ref()) {
        Ok(applied) => Ok(applied),
        Err(cause) => match saved.restore(&mut job) {
            Ok(()) => Err(cause),
            Err(source) => Err(DiskError::NotRolledBack {
                path: plan.device.path.clone(),
                cause: Box::new(cause),
                source: Box::new(source),
            }),
        },
    }
}

/// The new partition with all that it takes to fill it, checked before anything is written.
struct Filling<'a> {
    new: &'a NewPartition,
    maker: Maker,
    tree: Option<Tree>,
}

impl<'a> Filling<'a> {
    fn prepare(
        plan: &Plan,
        new: &'a NewPartition,
        populate: Populate<'_>,
    ) -> Result<Self, DiskError> {
        let tree = match populate {
            Populate::Empty => None,
            Populate::From(directory) => Some(Tree::walk(directory, new.filesystem)?),
        };
        if let Some(tree) = &tree {
            tree.fits(new.filesystem, new.size_bytes)?;
        }
        let maker = Maker::find(new, &plan.device.path)?;
        Ok(Self { new, maker, tree })
    }
}

/// An open, locked disk that is still as planned.
struct Job<'a> {
    plan: &'a Plan,
    disk: File,
    guids: table::Guids,
}

impl<'a> Job<'a> {
    fn open(plan: &'a Plan) -> Result<Self, DiskError> {
        let path = &plan.device.path;
        let mut options = fs_err::OpenOptions::new();
        let mut disk = options
            .read(true)
            .write(true)
            .open(path)
            .map_err(DiskError::io("open", path))?;
        lock(&disk, path)?;
        if plan.device.kind != DeviceKind::Image {
            // Exclusive: fails while the kernel has the disk or a partition mounted, as swap or below another device. Only a check:
            // mkfs wants to be exclusive itself. A plan for a disk that is in use removes a partition that is not: that one is asked.
            let nodes = plan
                .destroy
                .iter()
                .filter_map(|p| node(&plan.device, p.number));
            let free: Vec<PathBuf> = if plan.device.uses.is_empty() {
                vec![path.clone()]
            } else {
                nodes.collect()
            };
            for path in free {
                exclusive(fs_err::OpenOptions::new().read(true), &path)?;
            }
        }
        let (size, sector) = (plan.device.size_bytes, plan.device.sector_bytes);
        let end = disk
            .seek(SeekFrom::End(0))
            .map_err(DiskError::io("read", path))?;
        let now = contents::read_from(&mut disk, size, sector);
        if end != size || now.map_err(DiskError::io("read", path))? != plan.before {
            return Err(DiskError::Changed(path.clone()));
        }
        let guids = table::Guids {
            disk: Uuid::new_v4(),
            partition: Uuid::new_v4(),
        };
        Ok(Self { plan, disk, guids })
    }

    fn path(&self) -> &Path {
        &self.plan.device.path
    }

    fn is_image(&self) -> bool {
        self.plan.device.kind == DeviceKind::Image
    }

    fn io(&self, operation: &'static str) -> impl FnOnce(io::Error) -> DiskError + use<> {
        DiskError::io(operation, self.path().to_owned())
    }

    fn table_error(&self) -> impl FnOnce(gptman::Error) -> DiskError + use<> {
        let path = self.path().to_owned();
        move |source| match source {
            gptman::Error::Io(source) => DiskError::io("write", path)(source),
            source => DiskError::Table { path, source },
        }
    }

    fn differs(&self, found: String) -> DiskError {
        DiskError::ReadBack {
            path: self.path().to_owned(),
            found,
        }
    }

    fn write_table(&mut self) -> Result<(), DiskError> {
        let failed = self.table_error();
        let staged = table::stage(&mut self.disk, self.plan, self.guids, UNFINISHED);
        let mut staged = staged.map_err(failed)?;
        if let Some(wrong) = table::strays(&staged, self.plan) {
            return Err(self.differs(wrong));
        }
        if self.plan.new_table {
            self.erase_ends()?;
        }
        let failed = self.table_error();
        table::write(&mut self.disk, &mut staged).map_err(failed)?;
        self.read_back(&staged)?;
        self.tell_kernel()
    }

    /// Old tables of any sector size, and whole-disk signatures, lie in the first and the last MiB.
    fn erase_ends(&mut self) -> Result<(), DiskError> {
        let (path, size) = (self.plan.device.path.clone(), self.plan.device.size_bytes);
        erase(&mut self.disk, size).map_err(DiskError::io("erase", path))
    }

    /// Looks at the medium, not at the page cache, with another library.
    fn read_back(&mut self, written: &gptman::GPT) -> Result<(), DiskError> {
        self.disk.sync_all().map_err(self.io("sync"))?;
        let dropped = rustix::fs::fadvise(&self.disk, 0, None, Advice::DontNeed);
        dropped.map_err(|e| self.io("read")(e.into()))?;
        match table::differs(&mut self.disk, written) {
            None => Ok(()),
            Some(found) => Err(self.differs(found)),
        }
    }

    fn tell_kernel(&self) -> Result<(), DiskError> {
        if self.is_image() {
            return Ok(());
        }
        let gone: Vec<u32> = self.plan.destroy.iter().map(|p| p.number).collect();
        let new = self.plan.create.as_ref();
        let mut present = extents(&self.plan.keep);
        present.extend(new.map(|n| (n.number, n.start_bytes, n.size_bytes)));
        let told = kernel::refresh(self.disk.file(), &gone, &present);
        told.map_err(|source| DiskError::NoNode {
            path: new
                .and_then(|n| n.node.clone())
                .unwrap_or_else(|| self.path().to_owned()),
            source: Some(source),
        })
    }

    fn format(&mut self, filling: &Filling<'_>) -> Result<(), DiskError> {
        let new = filling.new;
        let sector = self.plan.device.sector_bytes;
        let tree = filling.tree.as_ref();
        let Some(node) = &new.node else {
            let made = splice::beside(self.path(), new.size_bytes)?;
            filling.maker.make(made.path(), new, sector, tree)?;
            splice::into(
                made.as_file(),
                &mut self.disk,
                new.start_bytes,
                new.size_bytes,
            )
            .map_err(self.io("write"))?;
            let path = self.path().to_owned();
            return self.look(&path, new.start_bytes, new);
        };
        kernel::wait(node, new)?;
        let mut options = fs_err::OpenOptions::new();
        let mut partition = options
            .read(true)
            .write(true)
            .open(node)
            .map_err(DiskError::io("open", node))?;
        erase(&mut partition, new.size_bytes).map_err(DiskError::io("erase", node))?;
        partition.sync_all().map_err(DiskError::io("sync", node))?;
        drop(partition);
        filling.maker.make(node, new, sector, tree)?;
        self.look(node, 0, new)
    }

    /// Checks that the filesystem is there, with its label.
    fn look(&self, path: &Path, start: u64, new: &NewPartition) -> Result<(), DiskError> {
        let mut file = File::open(path).map_err(DiskError::io("open", path))?;
        let found = probe(&mut file, start, new.size_bytes);
        let found = found.map_err(DiskError::io("read", path))?;
        let label = new.filesystem.own_label(&new.label);
        match &found {
            Some(s) if s.kind == new.filesystem.name() && s.label == label => Ok(()),
            Some(other) => Err(self.differs(format!("the new partition has {other}"))),
            None => Err(self.differs("the new partition has no filesystem".to_owned())),
        }
    }

    fn finish(&mut self, new: &NewPartition) -> Result<Made, DiskError> {
        let failed = self.table_error();
        let named = table::name(&mut self.disk, self.plan.device.sector_bytes, new);
        let named = named.map_err(failed)?;
        self.read_back(&named)?;
        // Only the name changed. udev takes it from the disk when the lock goes with our descriptor.
        Ok(Made {
            number: new.number,
            guid: self.guids.partition,
            node: new.node.clone(),
            start_bytes: new.start_bytes,
            size_bytes: new.size_bytes,
        })
    }
}

/// The numbered list, told to the reporter.
struct Steps<'a> {
    reporter: &'a dyn Reporter,
    count: u64,
}

impl Steps<'_> {
    fn run(&self, job: &mut Job<'_>, filling: Option<&Filling<'_>>) -> Result<Applied, DiskError> {
        self.reporter.report(Event::Phase {
            name: "partition",
            items: Some(self.count),
            bytes: None,
        });
        self.step(1, "write the partition table", || job.write_table())?;
        let mut partition = None;
        if let Some(filling) = filling {
            let name = format!("make {}", filling.new.filesystem.name());
            self.step(2, &name, || job.format(filling))?;
            partition = Some(self.step(3, "name the partition", || job.finish(filling.new))?);
        }
        self.reporter.report(Event::PhaseDone);
        Ok(Applied {
            device: job.path().to_owned(),
            partition,
        })
    }

    fn step<T>(
        &self,
        id: u64,
        name: &str,
        work: impl FnOnce() -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let size = None;
        self.reporter.report(Event::Started { id, name, size });
        let done = work();
        match &done {
            Ok(_) => self.reporter.report(Event::Finished { id }),
            Err(e) => {
                let reason = &e.to_string();
                self.reporter.report(Event::Failed { id, reason });
            }
        }
        done
    }
}

fn extents(partitions: &[Partition]) -> Vec<kernel::Extent> {
    let extent = |p: &Partition| (p.number, p.start_bytes, p.size_bytes);
    partitions.iter().map(extent).collect()
}

/// Opens a device so that nobody can mount it, swap on it or build on it meanwhile; fails when somebody does.
pub(super) fn exclusive(options: &mut fs_err::OpenOptions, path: &Path) -> Result<File, DiskError> {
    let exclusive = i32::try_from(rustix::fs::OFlags::EXCL.bits()).unwrap_or(0);
    let opened = options.custom_flags(exclusive).open(path);
    opened.map_err(DiskError::io("open", path))
}

/// Takes the lock by which udev and other tools of ours know that somebody writes.
pub(super) fn lock(disk: &File, path: &Path) -> Result<(), DiskError> {
    for tries_left in (0..LOCK_TRIES).rev() {
        match rustix::fs::flock(disk, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if tries_left > 0 => std::thread::sleep(LOCK_POLL),
            Err(rustix::io::Errno::WOULDBLOCK) => break,
            Err(other) => return Err(DiskError::io("lock", path)(other.into())),
        }
    }
    Err(DiskError::Busy {
        path: path.to_owned(),
        source: io::ErrorKind::WouldBlock.into(),
    })
}
