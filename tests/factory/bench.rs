//! A bench: a home directory with a factory.yaml and all that it names, and the sample's registry.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use snoforge::store::{IndexEntry, Store};

use super::{Run, run, snoforge};

/// The bench.
pub(crate) struct Bench {
    home: tempfile::TempDir,
    served: Option<Served>,
}

/// `precache serve` as a child; ends with it.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The sample as a store, made once.
fn sample() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let sample = snoforge::demo::sample::make().unwrap();
        let store = Store::create(dir.path()).unwrap();
        for (digest, bytes) in &sample.blobs {
            fs_err::write(store.blob_path(digest), bytes).unwrap();
        }
        let mut entries = Vec::new();
        for (reference, manifest) in &sample.manifests {
            store.put_manifest(manifest).unwrap();
            entries.push(IndexEntry::new(reference, manifest.descriptor().clone()));
        }
        store.replace_index(entries).unwrap();
        fs_err::write(dir.path().join("graph.json"), sample.graph.to_string()).unwrap();
        dir
    });
    made.path()
}

/// The job of most tests.
pub(crate) const FACTORY: &str = "\
apiVersion: snoforge.io/v1
kind: Factory
release:
  version: 4.13.1
  acmVersion: 2.7.4
  mceVersion: 2.2.4
  graph: graph.json
  ignoreReleaseSignature: true
download:
  folder: data
  registriesConf: registries.conf
disks:
- image: out/data.img
  size: 1
iso:
  live: live.iso
  ignition: bip.ign
  out: isos
  gateway: [10.1.0.1]
  nameserver: [10.1.0.1]
  interface: enp0s25
  sites:
  - hostname: bip-1
    ip: 10.1.0.5/24
  - hostname: bip-2
    ip: 10.1.0.6/24
    installation-disk: /dev/nvme0n1
report: out/report.json
";

impl Bench {
    /// With the registry.
    pub(crate) fn new() -> Self {
        let mut bench = Self::offline();
        bench.serve();
        bench
    }

    /// Without it: nothing answers where the file says that the mirrors are.
    pub(crate) fn offline() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bench = Self { home, served: None };
        bench.write("factory.yaml", FACTORY);
        bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
        let config = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/ignition/golden/stock/era-b.ign"
        );
        bench.write("bip.ign", fs_err::read(config).unwrap());
        bench.write(
            "graph.json",
            fs_err::read(sample().join("graph.json")).unwrap(),
        );
        // Nobody listens on port 1.
        bench.mirrors("127.0.0.1:1");
        bench
    }

    /// Starts the registry.
    pub(crate) fn serve(&mut self) {
        self.serve_from(sample());
    }

    /// Starts a registry over another store.
    pub(crate) fn serve_from(&mut self, store: &Path) {
        let mut child = snoforge(self.home())
            .args(["precache", "serve", "--listen", "127.0.0.1:0", "-f"])
            .arg(store)
            .args(["--output", "json", "--progress", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        self.mirrors(said["listen"].as_str().unwrap());
        self.served = Some(Served(child));
    }

    /// Stops it.
    pub(crate) fn unplug(&mut self) {
        self.served = None;
    }

    fn mirrors(&self, host: &str) {
        let entry = |name: &str| {
            format!(
                "[[registry]]\nprefix = \"{name}\"\nlocation = \"{host}/{name}\"\ninsecure = true\n"
            )
        };
        let text = ["quay.io", "registry.redhat.io"].map(entry).join("\n");
        self.write("registries.conf", text);
    }

    /// Fills a registry with the sample.
    pub(crate) fn push_sample(&self, registry: &str) {
        let store = sample().to_str().unwrap();
        self.run(&["precache", "push", "-f", store, registry])
            .expect(0);
    }

    /// A copy of the sample's store without one blob.
    pub(crate) fn damaged(&self) -> PathBuf {
        let copy = self.path("registry");
        let args = ["-a".as_ref(), sample().as_os_str(), copy.as_os_str()];
        snoforge::exec::run("cp", &args).unwrap();
        let blobs = fs_err::read_dir(copy.join("oci/blobs/sha256"))
            .unwrap()
            .flatten();
        let mut blobs: Vec<_> = blobs
            .map(|blob| (blob.metadata().unwrap().len(), blob.path()))
            .collect();
        blobs.sort();
        // The largest is the catalog, without which there is no inventory.
        let (_, layer) = &blobs[blobs.len() - 2];
        fs_err::remove_file(layer).unwrap();
        copy
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs_err::write(self.path(name), bytes).unwrap();
    }

    /// Changes the factory file.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.read("factory.yaml");
        assert!(text.contains(from), "{from}");
        self.write("factory.yaml", text.replace(from, to));
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(self.home(), args)
    }

    /// `build` with JSON.
    pub(crate) fn build(&self, more: &[&str]) -> Run {
        self.run(&[&["build", "--output", "json"], more].concat())
    }

    /// Names of the steps of a build, `+` before those that ran.
    pub(crate) fn steps(document: &Value) -> Vec<String> {
        let steps = document["steps"].as_array().unwrap().iter();
        let name = |step: &Value| {
            let ran = if step["skipped"] == true { "" } else { "+" };
            format!("{ran}{}", step["step"].as_str().unwrap())
        };
        steps.map(name).collect()
    }

    /// Every file of the home directory with its size and time of change.
    pub(crate) fn files(&self) -> Vec<String> {
        let args = [
            self.home().as_os_str(),
            "-type".as_ref(),
            "f".as_ref(),
            "-printf".as_ref(),
            "%P %s %T@\n".as_ref(),
        ];
        let found = snoforge::exec::run("find", &args).unwrap();
        let text = String::from_utf8(found).unwrap();
        let mut files: Vec<String> = text.lines().map(str::to_owned).collect();
        files.sort();
        files
    }
}
