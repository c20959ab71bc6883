//! `ignition create` with a stand-in for openshift-install: what it gets, what stays, and that no secret is seen.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::images::{Family, image};
use super::installer;
use super::program::{Run, snoforge};
use super::support::registry::installed;
use super::world::{Is, World, constant, layer};

const IGNITION: &str = "bootstrap-in-place-for-live-iso.ign";
const FILES: [&str; 4] = ["auth", IGNITION, "install.json", "metadata.json"];
const PASSWORD: &str = "hunter2-hunter2";

/// A desk with a pull secret, a key and the stand-in.
struct Desk {
    home: tempfile::TempDir,
}

/// The stand-in with places for a release, as the real one has them.
fn with_places(python: &Path) -> Vec<u8> {
    let places = ["IMAGE", "VERSION"].map(|word| {
        let mark = format!("#{word}");
        [mark.as_bytes(), &constant(word)].concat()
    });
    installer::standin(python, &places.concat())
}

fn secret(password: &str) -> String {
    let auth = BASE64.encode(format!("me:{password}"));
    json!({"auths": {"quay.io": {"auth": auth, "email": "me@example.com"}}}).to_string()
}

impl Desk {
    fn new() -> Option<Self> {
        if !installed(&["openssl", "ssh-keygen"]) {
            return None;
        }
        let python = installer::python()?;
        let desk = Self {
            home: tempfile::tempdir().unwrap(),
        };
        installer::equip(desk.home.path(), &python, &secret(PASSWORD));
        Some(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write_secret(&self, password: &str) {
        fs_err::write(self.path("pull-secret.json"), secret(password)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = snoforge(self.home.path());
        command.args(["ignition", "create", "--pull-secret", "pull-secret.json"]);
        command.args(["--ssh-key", "key.pub"]).args(args);
        command
    }

    /// Runs it in a mode of the stand-in, and looks at all that was printed for secrets.
    fn run(&self, mode: &str, args: &[&str]) -> Run {
        let mut command = self.command(args);
        let output = command.env("STANDIN", mode).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.assert_no_secret(&run.stdout);
        self.assert_no_secret(&run.stderr);
        run
    }

    fn one(&self, standin: &str, more: &[&str]) -> Run {
        let args = ["--hostname", "bip", "--domain", "lab.example.com"];
        let machine = ["--installation-disk", "/dev/sda", "--machine-network"];
        let to = ["192.168.86.0/24", "-o", "out", "--output", "json"];
        let installer = ["--installer", "openshift-install"];
        self.run(
            standin,
            &[&args[..], &machine, &to, &installer, more].concat(),
        )
    }

    #[track_caller]
    fn assert_no_secret(&self, text: &str) {
        let key = fs_err::read_to_string(self.path("key.pub")).unwrap();
        let body = key.split(' ').nth(1).unwrap();
        let auth = BASE64.encode(format!("me:{PASSWORD}"));
        for word in [PASSWORD, body, &auth, &auth[..auth.len() - 4]] {
            assert!(!text.contains(word), "a secret is in: {text}");
        }
    }

    /// Names in a directory, sorted.
    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.path(dir)).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn one_cluster_and_its_files() {
    let Some(desk) = Desk::new() else { return };
    let made = desk.one("", &[]).expect(0);
    let site = made.json()["sites"][0].clone();
    assert_eq!(site["cluster"], "bip.lab.example.com");
    assert_eq!(site["kept"], false);
    assert!(
        site["releaseImage"]
            .as_str()
            .unwrap()
            .contains("@sha256:aaaa")
    );
    // The stand-in's signer lives a day.
    let ends: jiff::Timestamp = site["useBefore"].as_str().unwrap().parse().unwrap();
    let left = ends.duration_since(jiff::Timestamp::now()).as_hours();
    assert!((23..=24).contains(&left), "{left}");
    assert!(
        made.stderr.contains("snoforge iso build"),
        "{}",
        made.stderr
    );
    assert!(
        made.stderr.contains("Consuming Install Config"),
        "{}",
        made.stderr
    );
    assert_eq!(desk.names("out"), FILES);
    for name in [
        IGNITION,
        "install.json",
        "metadata.json",
        "auth/kubeconfig",
        "auth/kubeadmin-password",
    ] {
        assert_eq!(mode(&desk.path("out").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&desk.path("out")), 0o700);
    assert_eq!(mode(&desk.path("out/auth")), 0o700);
    let kubeconfig = fs_err::read_to_string(desk.path("out/auth/kubeconfig")).unwrap();
    assert!(kubeconfig.contains("https://api.bip.lab.example.com:6443"));
    desk.assert_no_secret(&fs_err::read_to_string(desk.path("out/install.json")).unwrap());
}

#[test]
fn the_same_again_makes_nothing_and_other_inputs_are_told() {
    let Some(desk) = Desk::new() else { return };
    desk.one("", &[]).expect(0);
    let bytes = fs_err::read(desk.path("out").join(IGNITION)).unwrap();
    let again = desk.one("", &[]).expect(0).json();
    assert_eq!(again["sites"][0]["kept"], true);
    desk.write_secret("another-password");
    let other = desk.one("", &[]).expect(2);
    assert!(
        other.stderr.contains("another install config"),
        "{}",
        other.stderr
    );
    assert!(other.stderr.contains("--force"), "{}", other.stderr);
    assert!(fs_err::read(desk.path("out").join(IGNITION)).unwrap() == bytes);
    desk.one("", &["--force"]).expect(0);
    let path = desk.path("out").join(IGNITION);
    let first = bytes;
    let bytes = fs_err::read(&path).unwrap();
    assert!(bytes != first);
    // Force replaces what is of other inputs: not what it made itself.
    fs_err::create_dir(desk.path("out/.tmp-install-killed")).unwrap();
    let again = desk.one("", &["--force"]).expect(0).json();
    assert_eq!(again["sites"][0]["kept"], true);
    assert!(fs_err::read(&path).unwrap() == bytes);
    // What a killed run left goes, whatever else there is to do.
    assert_eq!(desk.names("out"), FILES);
    // One that somebody changed is not kept either.
    let mut changed = fs_err::read(&path).unwrap();
    changed.push(b'\n');
    fs_err::write(&path, changed).unwrap();
    let changed = desk.one("", &[]).expect(2);
    assert!(
        changed.stderr.contains("changed since"),
        "{}",
        changed.stderr
    );
}

#[test]
fn a_kubeconfig_stays_with_its_config() {
    let Some(desk) = Desk::new() else { return };
    desk.one("", &[]).expect(0);
    let (path, kubeconfig) = (
        desk.path("out").join(IGNITION),
        desk.path("out/auth/kubeconfig"),
    );
    // `oc project` writes into it: it is still the kubeconfig of this config.
    let own = fs_err::read_to_string(&kubeconfig).unwrap() + "# used\n";
    fs_err::write(&kubeconfig, &own).unwrap();
    let kept = desk.one("", &["--force"]).expect(0).json();
    assert_eq!(kept["sites"][0]["kept"], true);
    // Burnt and moved away: the kubeconfig may be the only one of a machine that runs.
    let away = desk.path("burnt.ign");
    fs_err::rename(&path, &away).unwrap();
    let alone = desk.one("", &[]).expect(2);
    let said = format!("auth/kubeconfig is there, without its {IGNITION}");
    assert!(alone.stderr.contains(&said), "{}", alone.stderr);
    assert!(fs_err::read_to_string(&kubeconfig).unwrap() == own);

    // A run that ends between the kubeconfig and the config.
    fs_err::create_dir(&path).unwrap();
    desk.one("", &["--force"]).expect(6);
    assert!(fs_err::read_to_string(&kubeconfig).unwrap() != own);
    fs_err::remove_dir(&path).unwrap();
    fs_err::rename(&away, &path).unwrap();
    let torn = desk.one("", &[]).expect(2);
    let said = "nothing tells what it was made from";
    assert!(torn.stderr.contains(said), "{}", torn.stderr);
}

#[test]
fn certificates_live_as_long_as_asked() {
    let Some(desk) = Desk::new() else { return };
    let made = desk.one("", &["--extend", "365d"]).expect(0).json();
    let ends: jiff::Timestamp = made["sites"][0]["useBefore"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let days = ends.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert!((364..=365).contains(&days), "{days}");
    let again = desk.one("", &["--extend", "365d"]).expect(0).json();
    assert_eq!(again["sites"][0]["kept"], true);
    // A config for a day is another one.
    desk.one("", &[]).expect(2);
}

#[test]
fn every_site_becomes_a_cluster_and_then_a_medium() {
    let Some(desk) = Desk::new() else { return };
    let list = "hostname,interface,ip,gateway,installation-disk,ignition\n\
                bip-1,e,10.1.0.5/24,10.1.0.1,/dev/sda,\n\
                bip-2,e,10.1.0.6/24 fd00:1::6/64,10.1.0.1,/dev/nvme0n1,\n\
                bip-3,e,10.1.0.7/24,10.1.0.1,/dev/sda,own.ign\n";
    fs_err::write(desk.path("sites.csv"), list).unwrap();
    let flags = [
        "--sites",
        "sites.csv",
        "--domain",
        "lab.example.com",
        "-o",
        "clusters",
    ];
    let installer = ["--installer", "openshift-install", "--output", "json"];
    let run = desk.run("", &[&flags[..], &installer].concat()).expect(0);
    assert!(
        run.stderr.contains("bip-3: the list names a config"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["sites"].as_array().unwrap().len(), 2);
    assert_eq!(desk.names("clusters"), ["bip-1", "bip-2"]);
    // Straight into the boot media: one each, of its own config.
    fs_err::write(
        desk.path("live.iso"),
        snoforge::demo::live_iso::bytes().unwrap(),
    )
    .unwrap();
    fs_err::write(desk.path("sites.csv"), &list[..list.find("bip-3").unwrap()]).unwrap();
    let args = [
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--sites",
        "sites.csv",
        "--ignition",
        "clusters",
    ];
    let args = [&args[..], &["-o", "isos", "--output", "json"]].concat();
    let built = super::program::run(desk.home.path(), &args).expect(0);
    assert!(built.stdout.contains("bip-2.iso"), "{}", built.stdout);
    for name in ["bip-1", "bip-2"] {
        let iso = format!("isos/{name}.iso");
        let shown =
            super::program::run(desk.home.path(), &["iso", "ignition", "show", &iso]).expect(0);
        let own = fs_err::read(desk.path("clusters").join(name).join(IGNITION)).unwrap();
        let own: Value = serde_json::from_slice(&own).unwrap();
        let signer = |config: &Value| {
            let files = config["storage"]["files"].as_array().unwrap();
            let path = "/opt/openshift/tls/kubelet-signer.crt";
            let found = files.iter().find(|f| f["path"] == path).unwrap();
            found["contents"]["source"].clone()
        };
        let embedded: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(signer(&embedded), signer(&own), "{name}");
    }
}

#[test]
fn a_site_without_a_disk_stops_the_job_before_anything_is_made() {
    let Some(desk) = Desk::new() else { return };
    let flags = [
        "--sites",
        "sites.csv",
        "--domain",
        "lab.example.com",
        "-o",
        "clusters",
    ];
    let installer = ["--installer", "openshift-install"];
    fs_err::write(
        desk.path("sites.csv"),
        "hostname,interface,ip\nbip-4,e,10.1.0.8/24\n",
    )
    .unwrap();
    let wrong = desk.run("", &[&flags[..], &installer].concat()).expect(2);
    assert!(
        wrong
            .stderr
            .contains("site bip-4: `installation-disk` is missing"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn refusals_are_told_without_the_secrets() {
    let Some(desk) = Desk::new() else { return };
    let leak = desk.one("leak", &[]).expect(2);
    for stream in [&leak.stderr, &leak.stdout] {
        assert!(stream.contains("pullSecret: Invalid value: "), "{stream}");
        assert!(stream.contains("(secret)"), "{stream}");
    }
    let broken = desk.one("broken", &[]).expect(7);
    assert!(
        broken.stderr.contains("/storage/files/"),
        "{}",
        broken.stderr
    );
    let without = desk.one("no-auth", &[]).expect(7);
    assert!(
        without.stderr.contains("auth/kubeconfig"),
        "{}",
        without.stderr
    );
    // Nothing of the attempts stays, and above all no install config.
    assert!(!desk.path("out").join(IGNITION).exists());
    assert!(desk.names("out").is_empty());
    let none = [
        "--hostname",
        "bip.lab",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "x",
    ];
    let none = [&none[..], &["--machine-network", "10.0.0.0/24"]].concat();
    let missing = desk.run("", &none).expect(4);
    assert!(
        missing.stderr.contains("`openshift-install` is not there"),
        "{}",
        missing.stderr
    );
    fs_err::write(
        desk.path("openshift-install"),
        b"\x7fELF of another machine",
    )
    .unwrap();
    let foreign = desk.one("", &[]).expect(4);
    assert!(
        foreign.stderr.contains("is it for this machine?"),
        "{}",
        foreign.stderr
    );
    fs_err::copy(desk.path("key"), desk.path("key.pub")).unwrap();
    let mut private = desk.command(&none);
    let private = private.output().unwrap();
    assert_eq!(private.status.code(), Some(2));
    assert!(
        String::from_utf8(private.stderr)
            .unwrap()
            .contains("key.pub: the SSH key is not usable: it is a private key")
    );
}

#[test]
fn the_config_alone_for_the_real_installer() {
    let Some(desk) = Desk::new() else { return };
    let args = [
        "--cluster",
        "bip",
        "--domain",
        "lab",
        "--installation-disk",
        "/dev/sda",
    ];
    let args = [
        &args[..],
        &[
            "--machine-network",
            "10.1.0.0/24",
            "-o",
            "out",
            "--config-only",
        ],
    ]
    .concat();
    desk.run("", &args).expect(0);
    assert_eq!(desk.names("out"), ["install-config.yaml"]);
    let config = desk.path("out/install-config.yaml");
    assert_eq!(mode(&config), 0o600);
    // One that was edited is not lost.
    let written = fs_err::read_to_string(&config).unwrap();
    desk.run("", &args).expect(0);
    fs_err::write(&config, format!("{written}# mine\n")).unwrap();
    let there = desk.run("", &args).expect(2);
    assert!(there.stderr.contains("--force"), "{}", there.stderr);
    assert!(
        fs_err::read_to_string(&config)
            .unwrap()
            .ends_with("# mine\n")
    );
    desk.run("", &[&args[..], &["--force"]].concat()).expect(0);
    assert_eq!(fs_err::read_to_string(&config).unwrap(), written);
    // The stand-in checks it as the installer does.
    let installer = desk.path("openshift-install");
    let out = desk.path("out");
    let args = [
        "create",
        "single-node-ignition-config",
        "--dir",
        out.to_str().unwrap(),
    ];
    snoforge::exec::run(installer.to_str().unwrap(), &args).unwrap();
    assert!(desk.names("out").contains(&IGNITION.to_owned()));
}

#[test]
fn an_interrupted_run_takes_the_secret_with_it() {
    let Some(desk) = Desk::new() else { return };
    let args = [
        "--hostname",
        "bip.lab",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "out",
    ];
    let args = [
        &args[..],
        &[
            "--machine-network",
            "10.0.0.0/24",
            "--installer",
            "openshift-install",
        ],
    ]
    .concat();
    let work = || {
        let entries = fs_err::read_dir(desk.path("out"))
            .into_iter()
            .flatten()
            .flatten();
        let mut paths = entries.map(|e| e.path());
        paths.find(|p| p.join(".openshift_install_state.json").exists())
    };
    for (signal, left) in [("INT", false), ("KILL", true)] {
        let mut command = desk.command(&args);
        command
            .env("STANDIN", "hang")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while work().is_none() {
            assert!(Instant::now() < deadline, "the installer was not begun");
            std::thread::sleep(Duration::from_millis(5));
        }
        snoforge::exec::run("kill", &[format!("-{signal}"), child.id().to_string()]).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(code, (signal == "INT").then_some(130));
        assert_eq!(work().is_some(), left, "{signal}");
        assert!(!desk.path("out").join(IGNITION).exists());
    }
    // A killed one could not; the next run does.
    let done = desk.run("", &args).expect(0);
    assert!(done.stdout.contains("made"), "{}", done.stdout);
    assert_eq!(desk.names("out"), FILES);
}

#[test]
fn the_installer_out_of_the_payload_knows_its_release() {
    let Some(desk) = Desk::new() else { return };
    let Some(mut world) = World::new() else {
        return;
    };
    let program = with_places(&installer::python().unwrap());
    let files = layer(&[("usr/bin/openshift-install", Is::File(&program))]);
    world.make(&[("installer", image(Family::Docker, "amd64", &[files]))]);
    world.download("amd64");
    let data = world.path("data");
    let args = [
        "--hostname",
        "bip.lab",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "out",
        "-f",
    ];
    let machine = ["--machine-network", "10.0.0.0/24", "--output", "json"];
    let args = [&args[..], &[data.to_str().unwrap()], &machine].concat();
    let made = desk.run("", &args).expect(0).json();
    assert_eq!(made["sites"][0]["releaseImage"], world.release.as_str());
    assert!(data.join("files/openshift-install").exists());
}
