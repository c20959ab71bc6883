//! On the node: what machine-config-daemon asks podman, after `node load` and after a pull from `node serve`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::images::tar;
use super::support::registry::installed;
use super::world::{World, labelled};

/// containers-storage of its own; the vfs driver needs no mounts.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Option<Self> {
        if !installed(&["podman", "skopeo"]) {
            return None;
        }
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let text = format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = \"{at}/run\"\ngraphroot = \"{at}/graph\"\n"
        );
        fs_err::write(dir.path().join("storage.conf"), text).unwrap();
        Some(Self(dir))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a child process is the point")]
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf"))
            .args(args)
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn good(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let output = self.command(program, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
        output.stdout
    }

    /// `GetPodmanImageInfoByReference`: the entry of `RepoDigests` that equals the reference, which the rebase is made from.
    fn repo_digest(&self, reference: &str) -> Option<String> {
        let filter = format!("reference={reference}");
        let listed = self.good("podman", &["images", "--format=json", "--filter", &filter]);
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        let digests = listed.get(0)?["RepoDigests"].as_array()?;
        let mut digests = digests.iter().filter_map(Value::as_str);
        digests.find(|d| *d == reference).map(str::to_owned)
    }
}

/// A data directory with an OS image of one architecture, and one that is an index of two.
fn worlds() -> Option<[(World, String); 2]> {
    let (single, multi) = (World::new("4.18.1")?, World::new("4.18.1")?);
    let name = single.push("os/rhcos", &single.os_image("one"));
    let other = labelled("s390x", &json!({}), &[tar(&[("s390x", b"s390x")])]);
    let index = multi.push_index("os/rhcos", &[multi.os_image("one"), other]);
    for (world, image) in [(&single, &name), (&multi, &index)] {
        world.download(None);
        world.precache(image, &[]);
    }
    Some([(single, name), (multi, index)])
}

#[test]
fn the_daemon_finds_both_images_after_load() {
    let (Some(machine), Some(worlds)) = (Machine::new(), worlds()) else {
        return;
    };
    let program = env!("CARGO_BIN_EXE_snoforge");
    for (world, name) in &worlds {
        let data = world.path("data");
        let args = [
            "node",
            "load",
            "--folder",
            data.to_str().unwrap(),
            "--group",
            "ocp",
        ];
        machine.good(program, &args);
        for image in [name, &world.operator] {
            assert_eq!(machine.repo_digest(image).as_deref(), Some(image.as_str()));
        }
    }
    let absent = format!("r.example.com/os/rhcos@sha256:{}", "0".repeat(64));
    assert_eq!(machine.repo_digest(&absent), None);
}

/// `node serve`, killed at the end.
struct Served(Child, String);

impl Served {
    fn new(machine: &Machine, world: &World) -> Self {
        let data = world.path("data");
        let args = [
            "node",
            "serve",
            "--folder",
            data.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ];
        let mut child = machine
            .command(env!("CARGO_BIN_EXE_snoforge"), &args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.as_mut().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let address = address.split(',').next().unwrap().to_owned();
        Self(child, address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_daemon_finds_both_images_after_a_pull_without_network() {
    let (Some(machine), Some(worlds)) = (Machine::new(), worlds()) else {
        return;
    };
    for (mut world, name) in worlds {
        // The real registry is gone: whatever comes, comes from the data directory.
        world.registry = None;
        let served = Served::new(&machine, &world);
        let host = world.host();
        let text = format!(
            "[[registry]]\nprefix = \"{host}\"\nlocation = \"{host}\"\n\n[[registry.mirror]]\nlocation = \"{}\"\ninsecure = true\n",
            served.1
        );
        fs_err::write(machine.path("registries.conf"), text).unwrap();
        for image in [&name, &world.operator] {
            machine.good("podman", &["pull", "--quiet", image]);
            assert_eq!(machine.repo_digest(image).as_deref(), Some(image.as_str()));
        }
    }
}
