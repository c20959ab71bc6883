//! Facts about this machine.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use der::Decode as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use x509_cert::Certificate;

use super::fault;
use crate::cli::build::{Files, Needs};
use crate::cli::context::{env, env_path, today};
use crate::cli::exit::Failure;
use crate::cli::global::RegistryFlags;
use crate::cli::ignition::load;
use crate::disk::{self, Device, System};
use crate::doctor::{
    self, Authority, Certificates, Clock, Disk, Fault, Filesystem, Need, Place, Role, Row, Tool,
    User,
};
use crate::exec::BESIDE_PATH;
use crate::io::root_text;
use crate::oci::Location;
use crate::remote::{self, CertificateFile};

/// Programs, rights, disks, room.
pub(super) fn rows(needs: Option<&Needs>, folder: Option<&Path>) -> Vec<Row> {
    let mut rows = doctor::tools(&tools(needs));
    rows.push(doctor::user(&user(needs)));
    rows.extend(disks(needs));
    rows.extend(doctor::places(&places(needs, folder)));
    rows
}

/// What `src/disk` spawns; everything else is done in the program itself.
fn tools(needs: Option<&Needs>) -> Vec<Tool> {
    let makes = |filesystem: &str| needs.is_none_or(|n| n.filesystems.contains(filesystem));
    let devices = needs.is_none_or(|n| n.devices);
    let all = [
        (
            "mkfs.xfs",
            "`precache partition`",
            "install xfsprogs (the same on Debian and Fedora)",
            makes("xfs"),
            makes("xfs"),
        ),
        (
            "xfs_db",
            "data disks as image files",
            "install xfsprogs (the same on Debian and Fedora)",
            makes("xfs"),
            needs.is_some_and(|n| !n.image_files.is_empty()) && makes("xfs"),
        ),
        (
            "mke2fs",
            "`precache partition --fs ext4`",
            "install e2fsprogs (the same on Debian and Fedora)",
            makes("ext4"),
            needs.is_some() && makes("ext4"),
        ),
        (
            "mount",
            "`precache copy` onto disks",
            "install mount (Debian) or util-linux (Fedora)",
            devices,
            devices,
        ),
        (
            "umount",
            "`precache copy` onto disks",
            "install mount (Debian) or util-linux (Fedora)",
            devices,
            devices,
        ),
    ];
    let asked = all.into_iter().filter(|(.., asked, _)| *asked);
    let installer = needs.and_then(|n| n.installer.as_ref());
    let installer = installer.map(|path| Tool {
        program: path.display().to_string(),
        verb: "`ignition create`".to_owned(),
        package: "`snoforge assets installer -f DIR` takes it out of the release; chmod +x"
            .to_owned(),
        needed: true,
        found: executable(path),
    });
    asked
        .map(|(program, verb, package, _, needed)| Tool {
            program: program.to_owned(),
            verb: verb.to_owned(),
            package: package.to_owned(),
            needed,
            found: find(program),
        })
        .chain(installer)
        .collect()
}

/// Where `exec` finds it: in `$PATH`, or where a user's `$PATH` does not look.
fn find(program: &str) -> Option<String> {
    let path = env("PATH").unwrap_or_default();
    let mut searched = path.split(':').chain(BESIDE_PATH);
    searched.find_map(|dir| executable(&Path::new(dir).join(program)))
}

fn executable(file: &Path) -> Option<String> {
    let meta = fs_err::metadata(file).ok()?;
    let runs = meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    runs.then(|| file.display().to_string())
}

fn user(needs: Option<&Needs>) -> User {
    let devices = needs.is_some_and(|n| n.devices);
    let needed = devices.then(|| "partition and fill the disks of the job".to_owned());
    User {
        root: nix::unistd::geteuid().is_root(),
        needs: needed.into_iter().collect(),
        known: needs.is_some(),
    }
}

fn disks(needs: Option<&Needs>) -> Vec<Row> {
    if let Some(needs) = needs {
        let named = needs.disks.iter().map(|(name, state)| Disk {
            name: name.clone(),
            usable: state.as_ref().cloned().map_err(copy),
            needed: true,
        });
        let named: Vec<Disk> = named.collect();
        return doctor::disks(&named, true);
    }
    match disk::list(&System::host()) {
        Ok(found) => {
            let found: Vec<Disk> = found.iter().map(listed).collect();
            doctor::disks(&found, false)
        }
        Err(error) => {
            let failure = Failure::from(error);
            let disk = Disk {
                name: "any".to_owned(),
                usable: Err(fault(failure)),
                needed: true,
            };
            doctor::disks(&[disk], true)
        }
    }
}

fn copy(failure: &Failure) -> Fault {
    Fault::new(&failure.message, failure.hint.clone().unwrap_or_default())
}

fn listed(device: &Device) -> Disk {
    let texts: Vec<String> = device.uses.iter().map(ToString::to_string).collect();
    let usable = if device.read_only {
        Err(Fault::new("read-only", "move the write-protect switch"))
    } else if texts.is_empty() {
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        let words = [
            disk::human(device.size_bytes),
            known(&device.transport),
            known(&device.model),
            opened(&device.path),
        ];
        let words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).collect();
        Ok(format!("free: {}", words.join(", ")))
    } else {
        Err(Fault::new(
            texts.join(", "),
            "it is in use; nothing is wrong with that",
        ))
    };
    Disk {
        name: device.path.display().to_string(),
        usable,
        needed: false,
    }
}

/// What this user may not do with it.
fn opened(path: &Path) -> String {
    let mut options = fs_err::OpenOptions::new();
    match options.read(true).open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            "to be opened by root and the group `disk` only".to_owned()
        }
        _ => String::new(),
    }
}

/// Every directory that is written to; several on one filesystem share its room.
fn places(needs: Option<&Needs>, folder: Option<&Path>) -> Vec<Place> {
    let known = needs.and_then(|n| n.missing);
    let data = folder.or_else(|| needs.map(|n| n.folder.as_path()));
    let data = Files {
        directory: data.unwrap_or(Path::new(".")).to_owned(),
        need: known.map_or(Need::Unknown, |(bytes, _)| Need::Known(bytes)),
        largest: known.map(|(_, largest)| largest),
    };
    let mut wanted = vec![(Role::Data, data)];
    if let Some(needs) = needs {
        let files = needs.image_files.iter().cloned();
        wanted.extend(files.map(|files| (Role::Images, files)));
        let isos = needs.isos.iter().cloned();
        wanted.extend(isos.map(|files| (Role::Isos, files)));
    }
    let temporary = Files {
        directory: env_path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp")),
        need: Need::Unknown,
        largest: None,
    };
    wanted.push((Role::Temporary, temporary));
    let mut before: BTreeMap<u64, u64> = BTreeMap::new();
    wanted
        .into_iter()
        .map(|(role, files)| {
            let (device, found) = look(&files.directory);
            let taken = device.map(|device| before.entry(device).or_default());
            let found = found.map(|(name, kind, free)| {
                let taken_bytes = taken.as_ref().map_or(0, |taken| **taken);
                (name, kind, free.saturating_sub(taken_bytes))
            });
            if let (Some(taken), Need::Known(needed)) = (taken, files.need) {
                *taken += needed;
            }
            Place {
                path: files.directory.display().to_string(),
                role,
                need: files.need,
                largest: files.largest,
                found,
            }
        })
        .collect()
}

type Found = Result<(String, Filesystem, u64), Fault>;

/// The filesystem of a directory, or of the nearest that is there.
fn look(path: &Path) -> (Option<u64>, Found) {
    let there = path
        .ancestors()
        .find(|p| p.exists() || p.as_os_str().is_empty());
    let there = match there {
        Some(there) if !there.as_os_str().is_empty() => there,
        _ => Path::new("."),
    };
    let failed = |message: String, cure: &str| Err(Fault::new(message, cure));
    let meta = match fs_err::metadata(there) {
        Ok(meta) => meta,
        Err(error) => return (None, failed(root_text(&error), "name another directory")),
    };
    if !meta.is_dir() {
        let message = format!("{} is no directory", there.display());
        return (None, failed(message, "name another directory"));
    }
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let message = format!("{} cannot be written by this user", there.display());
        return (
            None,
            failed(message, "name another directory, or change its owner"),
        );
    }
    match rustix::fs::statfs(there) {
        Ok(stat) => {
            let (name, kind) = filesystem(stat.f_type.cast_unsigned());
            let free = stat.f_bavail.saturating_mul(stat.f_bsize.cast_unsigned());
            (Some(meta.dev()), Ok((name.to_owned(), kind, free)))
        }
        Err(error) => (None, failed(root_text(&error), "name another directory")),
    }
}

/// Magic numbers of `statfs(2)`.
fn filesystem(magic: u64) -> (&'static str, Filesystem) {
    match magic & 0xffff_ffff {
        0x5846_5342 => ("XFS", Filesystem::Sharing),
        0xef53 => ("ext4", Filesystem::Local),
        0x9123_683e => ("btrfs", Filesystem::Sharing),
        0x2fc1_2fc1 => ("ZFS", Filesystem::Sharing),
        0x794c_7630 => ("overlayfs", Filesystem::Sharing),
        0x2011_bab0 => ("exFAT", Filesystem::Local),
        0x4d44 => ("FAT", Filesystem::Fat),
        0x6969 => ("NFS", Filesystem::Network),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => ("SMB", Filesystem::Network),
        0x0102_1997 => ("9p", Filesystem::Network),
        0x00c3_6400 => ("Ceph", Filesystem::Network),
        0x0102_1994 => ("tmpfs", Filesystem::Memory),
        0x8584_58f6 => ("ramfs", Filesystem::Memory),
        0x6573_5546 => ("FUSE", Filesystem::Local),
        _ => ("its filesystem", Filesystem::Sharing),
    }
}

/// The clock, and by how much servers differ.
pub(super) fn clock(heard: Vec<(String, i64)>, verified: bool) -> Row {
    doctor::clock(&Clock {
        now: today().as_second(),
        heard,
        verified,
    })
}

/// Certificates in files: of registries, and in the Ignition configs of the job.
pub(super) fn certificates(flags: &RegistryFlags, needs: Option<&Needs>) -> Vec<Row> {
    let now = today().as_second();
    let options = flags.options();
    let own = |location: &'_ Location| host_of(location).to_owned();
    let mut hosts: Vec<String> = match needs {
        Some(needs) => {
            let images = needs.images.iter().map(|(image, _)| image.registry());
            let images = images.map(str::to_owned);
            images.chain(needs.push.iter().map(own)).collect()
        }
        None => [
            "quay.io",
            "registry.redhat.io",
            "registry.connect.redhat.com",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    hosts.extend(flags.mirror.iter().map(|mirror| own(mirror.location())));
    hosts.sort_unstable();
    hosts.dedup();
    let mut directories: Vec<PathBuf> = hosts
        .iter()
        .filter_map(|host| options.certificate_directory(host))
        .collect();
    directories.dedup();
    let files: Vec<Authority> = directories
        .iter()
        .flat_map(|dir| authorities(dir))
        .collect();
    let mut rows = doctor::authorities(&files, now);
    let configs = needs.iter().flat_map(|needs| &needs.configs);
    // One that cannot be read is told with the file that names it.
    let configs = configs.filter_map(|path| {
        let (_, config) = load(path).ok()?;
        let survey = crate::ignition::certs::survey(&config);
        let first = survey.use_before();
        Some(Certificates {
            path: path.display().to_string(),
            first: first.map(|found| (found.subject.clone(), found.not_after.as_second())),
        })
    });
    rows.extend(doctor::certificates(&configs.collect::<Vec<_>>(), now));
    rows
}

fn host_of(location: &Location) -> &str {
    location.name().split('/').next().unwrap_or_default()
}

fn authorities(directory: &Path) -> Vec<Authority> {
    let reason = |error| match error {
        remote::Error::Certificate { reason, .. } => reason,
        other => other.to_string(),
    };
    let files = match remote::certificate_files(directory) {
        Ok(files) => files,
        Err(error) => {
            return vec![Authority {
                path: directory.display().to_string(),
                client: false,
                found: Err(reason(error)),
            }];
        }
    };
    let judged = files.iter().map(|file| Authority {
        path: file.path().display().to_string(),
        client: matches!(file, CertificateFile::Client(_)),
        found: file.read().map_err(reason).and_then(|pem| ends(&pem)),
    });
    judged.collect()
}

/// Subject and end of each certificate, as the client reads them: whatever else stands between is passed over.
fn ends(pem: &[u8]) -> Result<Vec<(String, i64)>, String> {
    let read = |der: Result<CertificateDer<'_>, pem::Error>| {
        let der = der.map_err(|e| e.to_string())?;
        let certificate = Certificate::from_der(&der).map_err(|e| e.to_string())?;
        Ok(end(&certificate))
    };
    CertificateDer::pem_slice_iter(pem).map(read).collect()
}

fn end(certificate: &Certificate) -> (String, i64) {
    let own = certificate.tbs_certificate();
    let end = own.validity().not_after.to_unix_duration().as_secs();
    (
        own.subject().to_string(),
        i64::try_from(end).unwrap_or(i64::MAX),
    )
}
