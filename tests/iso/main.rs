//! `snoforge iso` from outside: against coreos-installer, on files and devices, with faults.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says what it skips"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "which tools are there is for the environment to say"
)]
#![expect(clippy::too_many_lines, reason = "a test tells one story")]

mod build;
mod faults;
mod field;
mod peer;
mod verbs;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use sha2::{Digest as _, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CONFIG: &str = r#"{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"/a","mode":420,"contents":{"source":"data:;base64,aGVsbG8K"}}]}}"#;
const KEYFILE: &str = "[connection]\nid=static\ntype=ethernet\ninterface-name=ens3\n[ipv4]\nmethod=manual\naddress1=192.168.126.77/24,192.168.126.1\n";

/// A directory with an ISO in it.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs_err::write(&path, contents).unwrap();
        path
    }

    /// Runs snoforge here, with its own home.
    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("snoforge").unwrap();
        command
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env_remove("XDG_STATE_HOME")
            .args(args);
        command
    }

    /// Runs snoforge, which must succeed; its stdout.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs snoforge, which must fail with that code; its stderr.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        stderr
    }

    fn sha256(&self, name: &str) -> String {
        hex::encode(Sha256::digest(fs_err::read(self.path(name)).unwrap()))
    }
}

/// Every ISO at hand: the demo's sample, the real ones of `../shared`, those that `scripts/make-live-iso` makes.
fn isos() -> Vec<(String, Vec<u8>)> {
    let mut found = vec![(
        "sample".to_owned(),
        snoforge::demo::live_iso::bytes().unwrap(),
    )];
    found.extend(shared());
    found.extend(made());
    found
}

fn shared() -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(ROOT).join("../shared/data/live-iso");
    let Ok(files) = fs_err::read_dir(&dir) else {
        eprintln!("skipped: {} is not there", dir.display());
        return Vec::new();
    };
    let mut isos = Vec::new();
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().replace(".iso.xz", "");
        if !name.starts_with("embed-areas") {
            continue;
        }
        let mut iso = Vec::new();
        let packed = fs_err::read(file.path()).unwrap();
        liblzma::read::XzDecoder::new(packed.as_slice())
            .read_to_end(&mut iso)
            .unwrap();
        isos.push((name, iso));
    }
    isos.sort();
    isos
}

fn made() -> Vec<(String, Vec<u8>)> {
    let Some(_) = program("xorriso").and(program("python3")) else {
        eprintln!("skipped: xorriso or python3 is not installed");
        return Vec::new();
    };
    let dir = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 5] = [
        ("made-2020", &["--generation", "2020"]),
        ("made-2021", &["--generation", "2021"]),
        ("made-2022", &["--generation", "2022"]),
        ("made-plain", &["--no-hybrid"]),
        ("made-long-names", &["--names", "long"]),
    ];
    let make = |(name, flags): (&str, &[&str])| {
        let out = dir.path().join(name);
        let script = format!("{ROOT}/scripts/make-live-iso");
        let run = assert_cmd::Command::new("python3")
            .arg(script)
            .arg(&out)
            .args(["--rootfs-mib", "0"])
            .args(flags)
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        (name.to_owned(), fs_err::read(out).unwrap())
    };
    kinds.into_iter().map(make).collect()
}

/// Where a program is.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin".into(), "/sbin".into()];
    let mut dirs = std::env::split_paths(&path).chain(system);
    dirs.find_map(|dir| Some(dir.join(name)).filter(|p| p.is_file()))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Text in which no compressor finds anything.
fn noise(length: usize) -> String {
    let mut seed = 7_u64;
    let next = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char::from(alphabet[(seed >> 58) as usize])
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A valid config of about that size, which packs to three quarters of it.
fn large_config(length: usize) -> String {
    let file = |index: usize, body: &str| {
        format!(r#"{{"path":"/f{index}","mode":420,"contents":{{"source":"data:,{body}"}}}}"#)
    };
    let body = noise(length);
    let files: Vec<String> = body
        .as_bytes()
        .chunks(23_000)
        .enumerate()
        .map(|(i, part)| file(i, std::str::from_utf8(part).unwrap()))
        .collect();
    format!(
        r#"{{"ignition":{{"version":"3.2.0"}},"storage":{{"files":[{}]}}}}"#,
        files.join(",")
    )
}
