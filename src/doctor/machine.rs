//! The machine: programs, rights, disks, room, clock.

use super::{Fault, Outcome, Row, moment};

const GIB: u64 = 1 << 30;
/// What `precache partition` makes when nothing is said: a release with its operators fits.
const USUAL: u64 = 100 * GIB;
/// Catalogs and protofiles are unpacked there.
const TEMPORARY: u64 = GIB;
/// The largest file of FAT32 is a byte shorter.
const FAT_LIMIT: u64 = 4 * GIB;
/// 2026-11-01T00:00:00Z: no clock that is right shows an earlier time than that of this program's making.
const MADE: i64 = 1_793_491_200;
/// Certificates and tokens are refused when the clock is off by more.
const TOO_FAR: u64 = 300;
/// NTP keeps a clock better than this.
const NOTEWORTHY: u64 = 30;

/// A program that snoforge runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub program: String,
    /// What it is for.
    pub verb: String,
    /// How it is installed.
    pub package: String,
    /// Whether the job needs it.
    pub needed: bool,
    /// Where it is, and whether that is in `$PATH`.
    pub found: Option<(String, bool)>,
}

/// One row each.
pub fn tools(tools: &[Tool]) -> Vec<Row> {
    let row = |tool: &Tool| {
        let outcome = if tool.needed {
            Outcome::Fail
        } else {
            Outcome::Warning
        };
        let (program, verb) = (&tool.program, &tool.verb);
        match &tool.found {
            Some((path, true)) => Row::pass("tool", program, format!("{path}, for {verb}")),
            Some((path, false)) => {
                let directory = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                let message = format!("{path} is not in the search path; it is for {verb}");
                let fault = Fault::new(message, format!("run `export PATH=$PATH:{directory}`"));
                Row::new(outcome, "tool", program, fault)
            }
            None => {
                let fault = Fault::new(format!("missing, for {verb}"), &tool.package);
                Row::new(outcome, "tool", program, fault)
            }
        }
    };
    tools.iter().map(row).collect()
}

/// Who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Whether it is root.
    pub root: bool,
    /// What the job does that only root can; empty where nothing is known of the job.
    pub needs: Vec<String>,
    /// Whether it is known what the job needs.
    pub known: bool,
}

/// Whether the user may do it all.
pub fn user(user: &User) -> Row {
    if user.root {
        return Row::pass("rights", "root", "everything is allowed");
    }
    if user.known && user.needs.is_empty() {
        return Row::pass("rights", "user", "nothing of the job needs root");
    }
    let (outcome, what) = if user.known {
        (Outcome::Fail, user.needs.join(", "))
    } else {
        let all = "partition and write disks, mount data partitions";
        (Outcome::Warning, all.to_owned())
    };
    let cure = "run it by sudo, or make image files (`precache partition -d FILE`) and let root write them (`disk write`)";
    let fault = Fault::new(format!("not root, who alone can: {what}"), cure);
    Row::new(outcome, "rights", "user", fault)
}

/// A disk of this machine, or one that the job names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// How it is named.
    pub name: String,
    /// What it is, when it can be used.
    pub usable: Result<String, Fault>,
    /// Whether the job names it.
    pub needed: bool,
}

/// Those that the job names; else those that can be used, or that there are none.
pub fn disks(disks: &[Disk], named: bool) -> Vec<Row> {
    let row = |disk: &Disk| match &disk.usable {
        Ok(what) => Row::pass("disk", &disk.name, what),
        Err(fault) => {
            let outcome = if disk.needed {
                Outcome::Fail
            } else {
                Outcome::Pass
            };
            Row::new(outcome, "disk", &disk.name, fault.clone())
        }
    };
    if named || disks.iter().any(|disk| disk.usable.is_ok()) {
        return disks.iter().map(row).collect();
    }
    let used: Vec<String> = disks
        .iter()
        .filter_map(|disk| {
            Some(format!(
                "{} ({})",
                disk.name,
                disk.usable.as_ref().err()?.message
            ))
        })
        .collect();
    let message = if used.is_empty() {
        "this machine shows no disks".to_owned()
    } else {
        format!("none is free: {}", used.join(", "))
    };
    let cure =
        "plug in the data disk; or make an image file with `precache partition -d FILE -s GIB`";
    vec![Row::new(
        Outcome::Warning,
        "disk",
        "any",
        Fault::new(message, cure),
    )]
}

/// What a directory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The data directory.
    Data,
    /// Image files of data disks.
    Images,
    /// The ISOs.
    Isos,
    /// Temporary files.
    Temporary,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Images => "disk images",
            Self::Isos => "ISOs",
            Self::Temporary => "temporary files",
        }
    }
}

/// What a filesystem is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filesystem {
    /// A usual one.
    Local,
    /// FAT, with its limit of 4 GiB.
    Fat,
    /// NFS, SMB, …
    Network,
    /// RAM.
    Memory,
}

/// A directory that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory, there or to be made.
    pub path: String,
    /// What for.
    pub role: Role,
    /// Bytes that are to be written there, when that is known.
    pub needed: Option<u64>,
    /// The largest file among them, when that is known.
    pub largest: Option<u64>,
    /// Name and kind of the filesystem, and bytes free; or why it cannot be used.
    pub found: Result<(String, Filesystem, u64), Fault>,
}

/// One row each; what comes together on one filesystem is the caller's to add up.
pub fn places(places: &[Place]) -> Vec<Row> {
    places.iter().map(place).collect()
}

fn place(place: &Place) -> Row {
    let object = format!("{} ({})", place.path, place.role.name());
    let judged = |outcome, fault| Row::new(outcome, "space", &object, fault);
    let (name, kind, free) = match &place.found {
        Ok(found) => found,
        Err(fault) => return judged(Outcome::Fail, fault.clone()),
    };
    let free_text = size(*free);
    if let Some(needed) = place.needed.filter(|needed| needed > free) {
        let short = size(needed - free);
        let message = format!(
            "{free_text} free on {name}, {} needed: {short} short",
            size(needed)
        );
        let fault = Fault::new(message, "free space there, or choose another directory");
        // A reflink filesystem holds ISOs of one base once.
        let outcome = if place.role == Role::Isos {
            Outcome::Warning
        } else {
            Outcome::Fail
        };
        return judged(outcome, fault);
    }
    let data = place.role == Role::Data;
    if data && *kind == Filesystem::Fat {
        let too_large = place.largest.is_some_and(|size| size >= FAT_LIMIT);
        let outcome = if too_large {
            Outcome::Fail
        } else {
            Outcome::Warning
        };
        let message = format!("{name} takes no file of 4 GiB or more");
        return judged(outcome, Fault::new(message, "use XFS or ext4 for the data"));
    }
    if data && *kind == Filesystem::Network {
        let message = format!("{name} is a network filesystem: slow, and its locks may not hold");
        return judged(Outcome::Warning, Fault::new(message, "use a local disk"));
    }
    if data && *kind == Filesystem::Memory {
        let message = format!("{name} is in memory: it is gone after a reboot");
        return judged(Outcome::Warning, Fault::new(message, "use a disk"));
    }
    let little = match place.role {
        Role::Data => USUAL,
        Role::Temporary => TEMPORARY,
        Role::Images | Role::Isos => 0,
    };
    if place.needed.is_none() && *free < little {
        let message = format!(
            "{free_text} free on {name}, usually {} are enough",
            size(little)
        );
        let cure = match place.role {
            Role::Temporary => "free space there, or point TMPDIR to another directory",
            _ => "`precache download --dry-run` says how much it will be; or name another --folder",
        };
        return judged(Outcome::Warning, Fault::new(message, cure));
    }
    let needed = place.needed.map(|n| format!(", {} needed", size(n)));
    let message = format!("{free_text} free on {name}{}", needed.unwrap_or_default());
    Row::pass("space", object, message)
}

fn size(bytes: u64) -> String {
    if bytes < GIB {
        return format!("{} MiB", bytes >> 20);
    }
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

/// The machine's clock and what others say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: i64,
    /// Whose clock, and what has to be added to ours, in seconds.
    pub heard: Vec<(String, i64)>,
    /// Whether a certificate was good by it: it cannot be off by much then.
    pub verified: bool,
}

/// Whether the clock is right. With several servers the middle one counts, of two in the middle the one that is nearer to ours:
/// one wrong server does not make ours wrong.
pub fn clock(clock: &Clock) -> Row {
    let shown = moment(clock.now);
    let cure =
        "set it: `sudo timedatectl set-ntp true`, or `sudo date -s @$(…)` by a clock that is right";
    let mut heard: Vec<&(String, i64)> = clock.heard.iter().collect();
    heard.sort_by_key(|(_, offset)| *offset);
    let middle = [heard.len().saturating_sub(1) / 2, heard.len() / 2];
    let middle = middle.iter().filter_map(|at| heard.get(*at));
    let Some((server, offset)) = middle.min_by_key(|(_, offset)| offset.unsigned_abs()) else {
        if clock.now < MADE {
            let message = format!("it says {shown}, which is before this program was made");
            return Row::new(
                Outcome::Fail,
                "clock",
                "this machine",
                Fault::new(message, cure),
            );
        }
        let message = format!("it says {shown}; no server told the time");
        return Row::pass("clock", "this machine", message);
    };
    let off = offset.unsigned_abs();
    let way = if *offset > 0 { "behind" } else { "ahead of" };
    let message = format!("it says {shown}: {} {way} {server}", span(off));
    if off > TOO_FAR && !clock.verified {
        let message = format!("{message}; TLS and certificates will fail");
        return Row::new(
            Outcome::Fail,
            "clock",
            "this machine",
            Fault::new(message, cure),
        );
    }
    if off > NOTEWORTHY {
        return Row::new(
            Outcome::Warning,
            "clock",
            "this machine",
            Fault::new(message, cure),
        );
    }
    Row::pass(
        "clock",
        "this machine",
        format!("right within {off} s, says {server}"),
    )
}

/// `2 d 3 h`, `7 min`, `12 s`.
pub(super) fn span(seconds: u64) -> String {
    let (d, h, m, s) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, m) => format!("{m} min {s} s"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}
