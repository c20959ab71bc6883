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
    /// Where it is.
    pub found: Option<String>,
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
        if let Some(path) = &tool.found {
            return Row::pass("tool", program, format!("{path}, for {verb}"));
        }
        let fault = Fault::new(format!("missing, for {verb}"), &tool.package);
        Row::new(outcome, "tool", program, fault)
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
    /// One where copies of a file may share its blocks: XFS, btrfs, …
    Sharing,
    /// FAT, with its limit of 4 GiB.
    Fat,
    /// NFS, SMB, …
    Network,
    /// RAM.
    Memory,
}

/// Bytes that are to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nobody knows.
    Unknown,
    /// So many, or less.
    AtMost(u64),
    /// So many.
    Known(u64),
}

/// A directory that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory, there or to be made.
    pub path: String,
    /// What for.
    pub role: Role,
    /// What is to be written there.
    pub need: Need,
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
    let (name, kind, free) = match &place.found {
        Ok((name, kind, free)) => (name.as_str(), *kind, *free),
        Err(fault) => return Row::new(Outcome::Fail, "space", object, fault.clone()),
    };
    let wrong = unfit(place, name, kind)
        .filter(|(outcome, _)| *outcome == Outcome::Fail)
        .or_else(|| narrow(place, (name, kind), free))
        .or_else(|| unfit(place, name, kind))
        .or_else(|| little(place, name, free));
    if let Some((outcome, fault)) = wrong {
        return Row::new(outcome, "space", object, fault);
    }
    let needed = match place.need {
        Need::Known(bytes) => format!(", {} needed", size(bytes)),
        Need::AtMost(bytes) => format!(", {} needed at most", size(bytes)),
        Need::Unknown => String::new(),
    };
    let message = format!("{} free on {name}{needed}", size(free));
    Row::pass("space", object, message)
}

/// Too little room for what is written there.
fn narrow(place: &Place, (name, kind): (&str, Filesystem), free: u64) -> Option<(Outcome, Fault)> {
    let (needed, sure, word) = match place.need {
        Need::Known(bytes) => (bytes, true, ""),
        Need::AtMost(bytes) => (bytes, false, " at most"),
        Need::Unknown => return None,
    };
    let short = needed.checked_sub(free).filter(|short| *short > 0)?;
    let message = format!(
        "{} free on {name}, {} needed{word}: {} short",
        size(free),
        size(needed),
        size(short)
    );
    // ISOs of one base share its blocks where the filesystem can do that.
    let shares = matches!(kind, Filesystem::Sharing | Filesystem::Network);
    let outcome = if sure && !(shares && place.role == Role::Isos) {
        Outcome::Fail
    } else {
        Outcome::Warning
    };
    let cure = "free space there, or choose another directory";
    Some((outcome, Fault::new(message, cure)))
}

/// A filesystem that is not made for it.
fn unfit(place: &Place, name: &str, kind: Filesystem) -> Option<(Outcome, Fault)> {
    let data = place.role == Role::Data;
    let (outcome, message, cure) = match kind {
        Filesystem::Fat if place.role != Role::Temporary => {
            let outcome = match place.largest {
                Some(size) if size >= FAT_LIMIT => Outcome::Fail,
                Some(_) if !data => return None,
                _ => Outcome::Warning,
            };
            let message = format!("{name} takes no file of 4 GiB or more");
            (outcome, message, "use XFS or ext4")
        }
        Filesystem::Network if data => {
            let message =
                format!("{name} is a network filesystem: slow, and its locks may not hold");
            (Outcome::Warning, message, "use a local disk")
        }
        Filesystem::Memory if data => {
            let message = format!("{name} is in memory: it is gone after a reboot");
            (Outcome::Warning, message, "use a disk")
        }
        _ => return None,
    };
    Some((outcome, Fault::new(message, cure)))
}

/// Less room than is usual, where it is not known how much it will be.
fn little(place: &Place, name: &str, free: u64) -> Option<(Outcome, Fault)> {
    let (usual, cure) = match place.role {
        Role::Data => (
            USUAL,
            "`precache download --dry-run` says how much it will be; or name another --folder",
        ),
        Role::Temporary => (
            TEMPORARY,
            "free space there, or point TMPDIR to another directory",
        ),
        Role::Images | Role::Isos => return None,
    };
    if place.need != Need::Unknown || free >= usual {
        return None;
    }
    let message = format!(
        "{} free on {name}, usually {} are enough",
        size(free),
        size(usual)
    );
    Some((Outcome::Warning, Fault::new(message, cure)))
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
