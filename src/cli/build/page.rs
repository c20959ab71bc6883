//! What the page says: gathered from the report, the lock, the data directory and the file of the job. Reads only.

use std::path::Path;

use jiff::Timestamp;

use super::report::{DiskReport, InventoryReport, IsosReport, Report, SiteReport, Verified};
use super::{disks, lines};
use crate::cli::exit::Failure;
use crate::cli::imageset::resolve::read_lock;
use crate::cli::precache::plan::{DataDir, expected};
use crate::config::factory::Factory;
use crate::inventory::lock::{Group, Image, Inventory, Release, Signature};
use crate::inventory::{SharedBlob, Sharing};
use crate::oci::Digest;
use crate::progress::Silent;
use crate::store::{Depth, Finding, Problem, Store};
use crate::ui::format;
use crate::ui::report::{self as ui, Check, Contents, Page, Verdict};

/// The page of a job.
pub(super) fn of_job(factory: &Factory, report: &Report, now: Timestamp) -> Page {
    let folder = Path::new(lines::folder(factory));
    let digest = report.inventory.as_ref().map(|i| &i.digest);
    let lock = read_lock(&folder.join("inventory.json")).ok().flatten();
    let lock = lock.filter(|lock| Some(&lock.digest()) == digest);
    let mut checks = Vec::new();
    if let Some(inventory) = &report.inventory {
        checks.extend(inventory.releases.iter().map(signature));
        let store = lock.as_ref().and_then(|_| Store::open(folder).ok());
        match (&lock, store) {
            (Some(lock), Some(store)) => checks.extend(data(lock, &store)),
            _ => checks.push(check(
                "Data directory",
                Verdict::Open,
                None,
                "it was not at hand with this image set when the report was written",
            )),
        }
        checks.push(every_byte(report.verified.as_ref(), &inventory.digest));
    }
    checks.extend(report.isos.as_ref().map(isos));
    let mut made: Vec<&DiskReport> = report.disks.iter().collect();
    // In the order of the file, whichever was filled first.
    let place = |disk: &DiskReport| {
        factory
            .disks
            .iter()
            .position(|d| disks::name(factory, d) == disk.target)
    };
    made.sort_by_key(|disk| place(disk));
    let sessions = report
        .downloads
        .as_ref()
        .filter(|d| Some(&d.inventory) == digest);
    let sessions = sessions.into_iter().flat_map(|d| &d.sessions);
    Page {
        title: title(Path::new(&factory.file)),
        made: report.created.clone(),
        tool: report.tool.clone(),
        complete: report.complete,
        inventory: report
            .inventory
            .as_ref()
            .map(|i| inventory(i, lock.as_ref())),
        sessions: sessions.map(|s| (seconds(&s.start), s.clone())).collect(),
        checks,
        disks: made.into_iter().map(|d| disk(d, digest)).collect(),
        machines: report
            .isos
            .iter()
            .flat_map(|isos| &isos.sites)
            .map(|site| machine(site, now))
            .collect(),
    }
}

/// The page of a data directory alone.
///
/// # Errors
/// It is none, or has no inventory.
pub(super) fn of_directory(folder: &Path, verified: Option<&Verified>) -> Result<Page, Failure> {
    let data = DataDir::open(folder)?;
    let lock = data.inventory()?;
    let header = data.store.read_header()?;
    let summary = InventoryReport::of(&lock);
    let mut checks: Vec<Check> = lock.releases.iter().map(signature).collect();
    let found = self::data(&lock, &data.store);
    let complete = found.iter().all(|check| check.result == Verdict::Good);
    checks.extend(found);
    checks.push(every_byte(verified, &summary.digest));
    Ok(Page {
        title: title(folder),
        made: header.map(|header| header.created).unwrap_or_default(),
        tool: concat!("snoforge ", env!("CARGO_PKG_VERSION")).to_owned(),
        complete,
        inventory: Some(inventory(&summary, Some(&lock))),
        checks,
        ..Page::default()
    })
}

/// The last two parts of a path, wherever it is named from.
fn title(path: &Path) -> String {
    let whole = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut parts: Vec<_> = whole
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy())
        .collect();
    parts.reverse();
    parts.join("/")
}

fn seconds(moment: &str) -> Option<i64> {
    Some(moment.parse::<Timestamp>().ok()?.as_second())
}

fn check(what: &str, result: Verdict, when: Option<String>, detail: impl Into<String>) -> Check {
    Check {
        what: what.to_owned(),
        result,
        when,
        detail: detail.into(),
    }
}

fn signature(release: &Release) -> Check {
    let what = format!(
        "Signature of release {} {}",
        release.version, release.architecture
    );
    let (result, detail) = match &release.signature {
        Signature::Verified { key } => (
            Verdict::Good,
            format!("of the payload's digest, by the key {key}"),
        ),
        Signature::Unavailable { reason } => (
            Verdict::Open,
            format!("no signature could be had: {reason}"),
        ),
        Signature::Skipped => (
            Verdict::Open,
            "switched off with ignoreReleaseSignature".to_owned(),
        ),
    };
    check(&what, result, None, detail)
}

/// Whether something of the image set is missing or wrong, not only more there.
pub(super) fn is_lack(finding: &Finding) -> bool {
    !matches!(
        finding.problem,
        Problem::Extra { .. } | Problem::Unfinished { .. }
    )
}

/// What the data directory says of itself, and what a look at every size finds.
fn data(lock: &Inventory, store: &Store) -> [Check; 2] {
    let expected = expected(lock);
    let found = store.verify(&expected, Depth::Quick, &Silent);
    let missing = found.findings.iter().filter(|f| is_lack(f)).count();
    let header = store.read_header().ok().flatten();
    let header = header.filter(|header| header.inventory == lock.digest());
    let items = format!("{} blobs and manifests", found.items);
    let came = if header.is_some() && missing == 0 {
        check(
            "Download",
            Verdict::Good,
            header.map(|h| h.created),
            format!("{items}: SHA-256 and size of each compared before it got its name"),
        )
    } else {
        check(
            "Download",
            Verdict::Bad,
            None,
            format!(
                "{missing} of {} blobs and manifests are not there; what is there was compared by SHA-256",
                found.items
            ),
        )
    };
    let extra = found.findings.len() - missing;
    let detail = match (missing, extra) {
        (0, 0) => "all there, each with its size, and nothing else, when this report was written"
            .to_owned(),
        (0, extra) => format!(
            "all there, each with its size; {extra} more that the image set does not name (`precache prune`)"
        ),
        (missing, _) => {
            format!("{missing} missing or of another size (`precache download` goes on)")
        }
    };
    let verdict = if missing == 0 {
        Verdict::Good
    } else {
        Verdict::Bad
    };
    [came, check("Data directory", verdict, None, detail)]
}

fn every_byte(verified: Option<&Verified>, inventory: &Digest) -> Check {
    const WHAT: &str = "Every byte, read again";
    let Some(verified) = verified.filter(|v| v.inventory == *inventory) else {
        return check(
            WHAT,
            Verdict::Open,
            None,
            "`snoforge report --verify` reads every byte and writes it down here",
        );
    };
    let read = format::bytes(verified.bytes_read);
    let when = Some(verified.at.clone());
    if verified.count() == 0 {
        return check(
            WHAT,
            Verdict::Good,
            when,
            format!("{} files, {read}: every digest is right", verified.items),
        );
    }
    let first: Vec<&str> = verified
        .problems
        .iter()
        .take(5)
        .map(String::as_str)
        .collect();
    let more = verified.count() - first.len() as u64;
    let more = if more > 0 {
        format!("; {more} more")
    } else {
        String::new()
    };
    check(
        WHAT,
        Verdict::Bad,
        when,
        format!("{}{more}", first.join("; ")),
    )
}

fn isos(isos: &IsosReport) -> Check {
    let count = isos.sites.len() as u64;
    let hashed = isos.sites.iter().all(|site| site.sha256.is_some());
    let media = format::count(count, "ISO");
    let detail = if hashed {
        "every change read back after it was written; SHA-256 of each file as it is on the disk"
    } else {
        "every change read back after it was written; no SHA-256 (noSha256)"
    };
    check(
        "Boot media",
        Verdict::Good,
        isos.made.clone(),
        format!("{media}: {detail}"),
    )
}

fn disk(disk: &DiskReport, inventory: Option<&Digest>) -> ui::Disk {
    let check = if disk.read_back {
        "every file read back from the medium before it got its name"
    } else {
        "written from the verified data directory, not read back; `disk write` reads back when it is written to disks"
    };
    ui::Disk {
        target: disk.target.clone(),
        label: disk.label.clone(),
        partition: disk.partition.clone(),
        size_gib: disk.size_gib,
        filled: disk.filled.clone(),
        check: check.to_owned(),
        read_back: disk.read_back,
        current: Some(&disk.inventory) == inventory,
    }
}

fn machine(site: &SiteReport, now: Timestamp) -> ui::Machine {
    let known = site.machine.clone().unwrap_or_default();
    let end = site
        .use_before
        .as_ref()
        .and_then(|end| end.parse::<Timestamp>().ok());
    ui::Machine {
        hostname: site.hostname.clone(),
        interface: known.interface,
        mac: known.mac,
        vlan: known.vlan,
        addresses: known.addresses,
        gateways: known.gateways,
        nameservers: known.nameservers,
        ntp: known.ntp,
        installation_disk: known.installation_disk,
        iso: site.iso.clone(),
        iso_size: site.size,
        sha256: site.sha256.clone(),
        use_before: site.use_before.clone(),
        expired: end.is_some_and(|end| end <= now),
    }
}

fn inventory(report: &InventoryReport, lock: Option<&Inventory>) -> ui::Inventory {
    let release = |release: &Release| ui::Release {
        name: format!("{} {}", release.version, release.architecture),
        payload: release.payload.to_string(),
    };
    let stage = |(name, group): (&String, &super::report::GroupReport)| {
        let name = match name.as_str() {
            "ai" => "live ISO (ai)",
            "ocp" => "installed system (ocp)",
            other => other,
        };
        (name.to_owned(), group.images as u64, group.bytes)
    };
    ui::Inventory {
        digest: report.digest.to_string(),
        images: report.images as u64,
        blobs: report.blobs as u64,
        unique_bytes: report.fetch_bytes,
        disk_bytes: report.disk_bytes,
        releases: report.releases.iter().map(release).collect(),
        stages: report.groups.iter().map(stage).collect(),
        contents: lock.map(contents),
    }
}

fn contents(lock: &Inventory) -> Contents {
    let sharing = Sharing::of(lock);
    let name = |index: &usize| {
        lock.images
            .get(*index)
            .map_or("", Image::short_name)
            .to_owned()
    };
    let group = |group: &crate::inventory::GroupShare| {
        let images = group.images.iter().filter_map(|share| {
            let image = lock.images.get(share.index)?;
            Some(ui::Image {
                name: image.short_name().to_owned(),
                source: image.source.to_string(),
                stages: stages(&image.groups),
                whole: share.whole,
                own: share.own,
            })
        });
        ui::Group {
            name: group.name.clone(),
            images: images.collect(),
            needs: group.needs,
            within: group.within,
        }
    };
    let layers = sharing.shared.iter().map(|blob| ui::Layer {
        digest: blob.digest.to_string(),
        size: blob.size,
        saved: blob.saved(),
        images: blob.images.iter().map(name).collect(),
    });
    Contents {
        groups: sharing.groups.iter().map(group).collect(),
        between: sharing.between,
        layers: layers.collect(),
        saved: sharing.shared.iter().map(SharedBlob::saved).sum(),
        pairs: sharing.pairs,
    }
}

fn stages(groups: &[Group]) -> String {
    let name = |group: &Group| match group {
        Group::Ai => "ai",
        Group::Ocp => "ocp",
    };
    groups.iter().map(name).collect::<Vec<_>>().join(" + ")
}
