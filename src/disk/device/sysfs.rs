//! One block device out of `/sys/class/block`, with everything that stands on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Device, DeviceKind, How, System, Use};
use crate::disk::error::DiskError;

/// sysfs counts `size` and `start` in these, whatever the disk's own sector is.
const SYSFS_SECTOR: u64 = 512;

/// Reads everything about the device with the kernel's `name` (`sda`, `nvme0n1p3`, `dm-0`).
pub(super) fn device(system: &System, name: &str) -> Result<Device, DiskError> {
    let dir = class(system, name);
    let size = dir.join("size");
    let sectors: u64 = text(&size)
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| DiskError::NotADisk(node(system, name)))?;
    let kind = kind(system, name);
    let udev = Udev::read(system, &dir);
    let serial = udev.get("ID_SERIAL_SHORT").or_else(|| serial(&dir));
    let wwn = udev
        .get("ID_WWN_WITH_EXTENSION")
        .or_else(|| udev.get("ID_WWN"))
        .or_else(|| text(&dir.join("wwid")))
        .or_else(|| text(&dir.join("device/wwid")));
    Ok(Device {
        path: node(system, name),
        kind,
        size_bytes: sectors.saturating_mul(SYSFS_SECTOR),
        sector_bytes: number(&queue(&dir), "logical_block_size").unwrap_or(512),
        physical_sector_bytes: number(&queue(&dir), "physical_block_size").unwrap_or(512),
        model: model(&dir),
        serial,
        wwn,
        transport: transport(&dir, name, udev.get("ID_BUS")),
        removable: number(&dir, "removable") == Some(1),
        read_only: number(&dir, "ro") == Some(1),
        uses: uses(system, name),
    })
}

/// The kernel's name for a device number.
pub(super) fn name_of(system: &System, rdev: u64) -> Result<String, DiskError> {
    let (major, minor) = (nix::sys::stat::major(rdev), nix::sys::stat::minor(rdev));
    let link = system.path(&format!("sys/dev/block/{major}:{minor}"));
    let target = fs_err::read_link(&link).map_err(DiskError::io("read", &link))?;
    target
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .ok_or(DiskError::NotADisk(link))
}

/// The loop devices that an image file backs.
pub(super) fn loops_over(system: &System, image: &Path) -> Vec<Use> {
    let mut uses: Vec<Use> = names(&system.path("sys/block"))
        .into_iter()
        .filter(|name| {
            let backing = text(&system.path(&format!("sys/block/{name}/loop/backing_file")));
            backing.is_some_and(|b| Path::new(&b) == image)
        })
        .map(|name| Use {
            device: image.display().to_string(),
            how: How::Loop(node(system, &name).display().to_string()),
        })
        .collect();
    uses.sort();
    uses
}

/// The partitions of a disk, by the kernel's name.
fn partitions(system: &System, name: &str) -> Vec<String> {
    let dir = class(system, name);
    names(&dir)
        .into_iter()
        .filter(|n| dir.join(n).join("partition").is_file())
        .collect()
}

fn kind(system: &System, name: &str) -> DeviceKind {
    let dir = class(system, name);
    if dir.join("partition").is_file() {
        // The link's target ends in DISK/PARTITION.
        let real = fs_err::canonicalize(&dir).unwrap_or_default();
        let parent = real.parent().and_then(Path::file_name).unwrap_or_default();
        return DeviceKind::Partition {
            of: node(system, &parent.to_string_lossy()),
        };
    }
    if dir.join("dm").is_dir() || dir.join("md").is_dir() {
        return DeviceKind::Mapped;
    }
    DeviceKind::Disk
}

/// Everything that uses the device, its partitions, or what stands on those; sorted, each once.
fn uses(system: &System, name: &str) -> Vec<Use> {
    let mounts = Mounts::read(system);
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        found.extend(mounts.uses(system, &name));
        for holder in names(&class(system, &name).join("holders")) {
            found.insert(Use {
                device: name.clone(),
                how: How::Held(called(system, &holder)),
            });
            open.push(holder);
        }
        open.extend(partitions(system, &name));
    }
    found.into_iter().collect()
}

/// `dm-0 (vg-root)`, `md127`.
fn called(system: &System, holder: &str) -> String {
    match text(&class(system, holder).join("dm/name")) {
        Some(name) => format!("{holder} ({name})"),
        None => holder.to_owned(),
    }
}

/// Mounts and swap areas.
struct Mounts {
    /// `major:minor`, source, mount point.
    mounts: Vec<(String, String, PathBuf)>,
    swaps: Vec<String>,
}

impl Mounts {
    fn read(system: &System) -> Self {
        let mut mounts = Vec::new();
        // Inside a container the own namespace does not show what the host has mounted; process 1 may.
        for file in ["proc/self/mountinfo", "proc/1/mountinfo"] {
            let table = text(&system.path(file)).unwrap_or_default();
            mounts.extend(table.lines().filter_map(mount_line));
        }
        let swaps = text(&system.path("proc/swaps")).unwrap_or_default();
        let swaps = swaps.lines().skip(1);
        let swaps = swaps.filter_map(|l| l.split_whitespace().next());
        Self {
            mounts,
            swaps: swaps.map(unescape).collect(),
        }
    }

    fn uses(&self, system: &System, name: &str) -> Vec<Use> {
        let number = text(&class(system, name).join("dev")).unwrap_or_default();
        // btrfs and friends mount under a number of their own; the source still names the device.
        let is_us = |source: &str| {
            source.starts_with("/dev/")
                && (Path::new(source) == Path::new("/dev").join(name)
                    || fs_err::canonicalize(system.path(source.trim_start_matches('/')))
                        .is_ok_and(|p| p == node(system, name)))
        };
        let mounted = self
            .mounts
            .iter()
            .filter(|(n, source, _)| *n == number || is_us(source))
            .map(|(_, _, at)| match at.as_path() {
                root if root == Path::new("/") => How::Root,
                _ => How::Mounted(at.clone()),
            });
        let swap = self.swaps.iter().filter(|s| is_us(s)).map(|_| How::Swap);
        mounted
            .chain(swap)
            .map(|how| Use {
                device: name.to_owned(),
                how,
            })
            .collect()
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw` (proc(5)).
fn mount_line(line: &str) -> Option<(String, String, PathBuf)> {
    let mut fields = line.split(' ');
    let number = fields.nth(2)?.to_owned();
    let at = unescape(fields.nth(1)?);
    let source = fields.skip_while(|f| *f != "-").nth(2).unwrap_or_default();
    Some((number, unescape(source), at.into()))
}

/// Undoes the kernel's `\040` escapes.
fn unescape(field: &str) -> String {
    let mut out = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.get(..3).and_then(|c| u8::from_str_radix(c, 8).ok());
        rest = if let Some(code) = code {
            out.push(char::from(code));
            after.get(3..).unwrap_or_default()
        } else {
            out.push('\\');
            after
        };
    }
    out.push_str(rest);
    out
}

/// The udev database's record of a device; empty where udev does not run.
struct Udev(String);

impl Udev {
    fn read(system: &System, dir: &Path) -> Self {
        let number = text(&dir.join("dev")).unwrap_or_default();
        Self(text(&system.path(&format!("run/udev/data/b{number}"))).unwrap_or_default())
    }

    fn get(&self, key: &str) -> Option<String> {
        let values = self.0.lines().filter_map(|l| l.strip_prefix("E:"));
        let mut values = values.filter_map(|l| l.split_once('='));
        values
            .find(|(k, v)| *k == key && !v.is_empty())
            .map(|(_, v)| v.to_owned())
    }
}

fn model(dir: &Path) -> Option<String> {
    let parts = [
        text(&dir.join("device/vendor")),
        text(&dir.join("device/model")),
    ];
    // virtio and ATA put a bus name or number in `vendor`.
    let parts = parts.into_iter().flatten();
    let parts: Vec<String> = parts
        .filter(|p| p != "ATA" && !p.starts_with("0x"))
        .collect();
    if parts.is_empty() {
        return text(&dir.join("device/name"));
    }
    Some(parts.join(" "))
}

/// `NVMe`, virtio and MMC have it as text, SCSI and ATA in page 0x80 after a 4-byte header, USB at a parent.
fn serial(dir: &Path) -> Option<String> {
    let page = || {
        let bytes = fs_err::read(dir.join("device/vpd_pg80")).ok()?;
        let serial = String::from_utf8_lossy(bytes.get(4..)?).into_owned();
        let serial = serial.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!serial.is_empty()).then(|| serial.to_owned())
    };
    let usb = || {
        let real = fs_err::canonicalize(dir).ok()?;
        let at = real.ancestors().find(|p| p.join("idVendor").is_file())?;
        text(&at.join("serial"))
    };
    text(&dir.join("device/serial"))
        .or_else(|| text(&dir.join("serial")))
        .or_else(usb)
        .or_else(page)
}

fn transport(dir: &Path, name: &str, bus: Option<String>) -> Option<String> {
    let real = fs_err::canonicalize(dir).unwrap_or_default();
    let real = real.to_string_lossy();
    let by_path = [
        ("/usb", "usb"),
        ("/nvme", "nvme"),
        ("/ata", "ata"),
        ("/virtio", "virtio"),
        ("/mmc", "mmc"),
    ];
    let known = by_path.iter().find(|(part, _)| real.contains(part));
    known
        .map(|(_, transport)| (*transport).to_owned())
        .or(bus)
        .or_else(|| name.starts_with("loop").then(|| "loop".to_owned()))
}

/// A partition has no queue of its own; its disk is the directory above.
fn queue(dir: &Path) -> PathBuf {
    let own = dir.join("queue");
    if own.is_dir() {
        return own;
    }
    let real = fs_err::canonicalize(dir).unwrap_or_default();
    real.parent().unwrap_or(dir).join("queue")
}

fn class(system: &System, name: &str) -> PathBuf {
    system.path("sys/class/block").join(name)
}

/// sysfs writes `!` for the `/` in names such as `cciss/c0d0`.
fn node(system: &System, name: &str) -> PathBuf {
    system.path("dev").join(name.replace('!', "/"))
}

fn number<T: std::str::FromStr>(dir: &Path, file: &str) -> Option<T> {
    text(&dir.join(file))?.parse().ok()
}

/// A file's text without surrounding white space; `None` when it is absent or empty.
fn text(path: &Path) -> Option<String> {
    let bytes = fs_err::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|e| e.file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
