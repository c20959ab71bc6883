//! The whole job on an embedded sample: own registry on loopback, sample release and catalog. No network, no root.
//!
//! Every step is a command line that a user could type, run through the same code. The sample keeps the real names
//! (`quay.io/…`, `registry.redhat.io/…`); a registries.conf sends them to the loopback registry.

pub mod image;
pub mod live_iso;
mod registry;
pub mod sample;

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::cli::{Context, Exit, Failure, execute};
use crate::io::atomic;
use crate::ui::format;
use registry::Registry;

/// Size of the disk image: room for the smallest partition that can be asked for. Sparse.
const DISK_BYTES: u64 = 2 << 30;

const LIVE_ISO: &str = "live.iso";
const CONFIG: &str = "bootstrap-in-place-for-live-iso.ign";

/// Runs the sample into `dir`.
///
/// # Errors
/// Any step fails.
pub fn run(context: &Context, dir: &Path) -> Result<(), Failure> {
    let started = Instant::now();
    let io = |e: std::io::Error| Failure::new(Exit::Io, format!("cannot prepare the sample: {e}"));
    fs_err::create_dir_all(dir).map_err(io)?;
    let dir = &fs_err::canonicalize(dir).map_err(io)?;
    let work = tempfile::tempdir().map_err(io)?;
    let registry = Registry::start(work.path())?;
    let disk = dir.join("data-disk.img");
    // A run before this one may have left a partition in it.
    fs_err::File::create(&disk)
        .and_then(|file| file.set_len(DISK_BYTES))
        .map_err(io)?;
    let sample = live_iso::bytes().map_err(io)?;
    atomic::write(&dir.join(LIVE_ISO), &sample).map_err(io)?;
    atomic::write(&dir.join(CONFIG), live_iso::CONFIG).map_err(io)?;
    let medium = medium(dir);
    for step in steps(dir, &registry, &disk).into_iter().chain(medium) {
        step.run(context)?;
    }
    let bytes = fs_err::read_dir(dir.join("data/oci/blobs/sha256"))
        .map_err(io)?
        .count();
    let document = json!({"dir": dir, "seconds": started.elapsed().as_secs_f64(), "blobs": bytes, "diskImage": disk});
    context.result(&document, || {
        let dir = dir.display();
        format!(
            "\nDone in {}. In {dir}:\n{}",
            format::duration(started.elapsed()),
            tour()
        )
    })
}

fn tour() -> String {
    let lines = [
        ("imageset.yaml", "what was asked for"),
        ("inventory/", "the lock and the field's text files"),
        ("data/", "the data directory: every image once, verified"),
        (
            "data-disk.img",
            "a disk with a GPT partition `data` that holds the same (gdisk -l data-disk.img)",
        ),
        (
            LIVE_ISO,
            "a sample live ISO, as RHCOS lays it out (it does not boot)",
        ),
        (
            "site.iso",
            "the same for one machine: config, name, static address",
        ),
    ];
    lines
        .map(|(name, what)| format!("  {name:<15} {what}"))
        .join("\n")
}

/// One command line with its reason.
struct Step {
    why: &'static str,
    args: Vec<String>,
}

impl Step {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let context = context.nested();
        context.say(&format!(
            "\n# {}\n$ snoforge {}",
            self.why,
            self.args.join(" ")
        ));
        execute(
            std::iter::once("snoforge".to_owned()).chain(self.args),
            &context,
        )
    }
}

fn steps(dir: &Path, registry: &Registry, disk: &Path) -> Vec<Step> {
    let path = |name: &str| dir.join(name).display().to_string();
    let (set, inventory, data) = (path("imageset.yaml"), path("inventory"), path("data"));
    let disk = disk.display().to_string();
    let versions = words(&[
        "-r",
        sample::RELEASE,
        "--acm-version",
        sample::ACM_VERSION,
        "--mce-version",
        sample::MCE_VERSION,
    ]);
    let sample = registry.flags();
    let step = |why, line: &[&str], more: &[&[String]]| Step {
        why,
        args: [words(line), more.concat()].concat(),
    };
    let download = ["precache", "download", "--parallel", "10", "-f", &data];
    let partition = [
        "precache",
        "partition",
        "-d",
        &disk,
        "-s",
        "1",
        "--populate",
        &data,
        "--yes",
    ];
    vec![
        step(
            "An image set for the release",
            &["imageset", "init", "-o", &set],
            &[&versions],
        ),
        step(
            "Check it, without any network",
            &["imageset", "check", "-c", &set],
            &[],
        ),
        step(
            "Work out and pin every image",
            &["imageset", "resolve", "-c", &set, "-o", &inventory],
            &[&sample],
        ),
        step("Fetch every blob once", &download, &[&versions, &sample]),
        step(
            "Read everything back and compare digests",
            &["precache", "verify", "-f", &data],
            &[],
        ),
        step("A data disk with the same content", &partition, &[]),
    ]
}

/// The boot medium of one machine.
fn medium(dir: &Path) -> Vec<Step> {
    let path = |name: &str| dir.join(name).display().to_string();
    let (iso, config, site) = (path(LIVE_ISO), path(CONFIG), path("site.iso"));
    let build = ["iso", "build", "--iso", &iso, "--ignition", &config];
    let machine = "--hostname bip --interface enp0s25 --ip 192.168.86.45/24 --gateway 192.168.86.1 --nameserver 192.168.86.27";
    let machine: Vec<&str> = machine.split(' ').collect();
    let step = |why, line: &[&str]| Step {
        why,
        args: words(line),
    };
    vec![
        step(
            "A boot medium for one machine",
            &[&build[..], &machine, &["--force", "-o", &site]].concat(),
        ),
        step("What is on it now", &["iso", "inspect", &site]),
    ]
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}
