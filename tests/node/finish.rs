//! `node finish`: what the patch writes for the installed system is gone afterwards, and nothing else.

use std::path::{Path, PathBuf};

use snoforge::exec;
use snoforge::ignition::Config;
use snoforge::ignition::patch::{Loader, Options, apply, plan};

use super::{Machine, text};

/// The paths and the units that the patched `master-update.fcc` brings to the installed system.
fn installed() -> (Vec<String>, Vec<String>) {
    let stock = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ignition/golden/stock/era-b.ign"
    );
    let mut config = Config::parse(&fs_err::read(stock).unwrap()).unwrap();
    let fcc = |config: &Config| {
        let file = config
            .files()
            .find(|f| f.path().ends_with("master-update.fcc"))
            .unwrap();
        String::from_utf8(file.bytes().unwrap().unwrap()).unwrap()
    };
    let before = fcc(&config);
    let options = Options {
        loader: Loader::Copy,
        hostname: Some("bip.example.com".to_owned()),
        ntp: vec!["ntp.example.com".to_owned()],
        ..Options::default()
    };
    let edits = plan(&config, &options).unwrap().edits;
    apply(&mut config, &edits).unwrap();
    let after = fcc(&config);
    let values = |key: &str| -> Vec<String> {
        let new = after
            .lines()
            .filter(|line| !before.lines().any(|old| old == *line));
        new.filter_map(|l| l.trim().strip_prefix(key))
            .map(|v| v.trim().to_owned())
            .collect()
    };
    (values("- path:"), values("- name:"))
}

fn everything(root: &Path) -> Vec<String> {
    let args = [
        "find".as_ref(),
        root.as_os_str(),
        "!".as_ref(),
        "-type".as_ref(),
        "d".as_ref(),
        "-printf".as_ref(),
        "/%P\n".as_ref(),
    ];
    let found = exec::run("env", &args).unwrap();
    let mut found: Vec<_> = String::from_utf8(found)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

#[test]
fn takes_away_what_the_patch_brought_and_nothing_else() {
    let machine = Machine::new();
    let root = machine.path("root");
    let put = |path: &str| {
        let path: PathBuf = root.join(path.trim_start_matches('/'));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "x").unwrap();
    };
    let (files, units) = installed();
    assert!(files.len() >= 10 && units.len() == 3, "{files:?} {units:?}");
    for file in &files {
        put(file);
    }
    let systemd = "/etc/systemd/system";
    for unit in &units {
        put(&format!("{systemd}/{unit}"));
    }
    let wants = format!("{systemd}/multi-user.target.wants");
    for link in [
        "snoforge-data.service",
        "snoforge-registry.service",
        "snoforge-load@ocp.service",
    ] {
        put(&format!("{wants}/{link}"));
    }
    let others = [
        "/etc/containers/registries.conf.d/99-site.conf".to_owned(),
        format!("{systemd}/crio.service.d/10-mco.conf"),
        format!("{systemd}/snoforge-site.service"),
        format!("{wants}/kubelet.service"),
        "/usr/local/bin/snoforge".to_owned(),
    ];
    for other in &others {
        put(other);
    }
    let kept = |path: &String| path.contains("chron") || path == "/etc/hostname";
    let mut expected: Vec<_> = files
        .iter()
        .filter(|f| kept(f))
        .chain(&others)
        .cloned()
        .collect();
    expected.sort();
    assert_eq!(expected.len(), others.len() + 4, "{expected:?}");

    let all = everything(&root);
    let call = ["finish", "--root", text(&root)];
    let (code, document, _) = machine.node(&[&call[..], &["--dry-run"]].concat());
    assert_eq!(
        (code, document["files"].as_array().unwrap().len()),
        (0, all.len() - expected.len())
    );
    assert_eq!(everything(&root), all, "nothing was done");
    assert_eq!(machine.node(&call).0, 0);
    assert_eq!(everything(&root), expected);
    assert!(root.join("etc/systemd/system/crio.service.d").is_dir());
    assert!(!root.join("etc/systemd/system/kubelet.service.d").exists());
    let (code, document, _) = machine.node(&call);
    assert_eq!((code, &document["files"]), (0, &serde_json::json!([])));
}

/// An image file with partitions 4 `root` and 5 `data`.
fn disk_with_data(machine: &Machine) -> String {
    let disk = machine.path("disk.img");
    fs_err::File::create(&disk)
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    let disk = text(&disk);
    let args = [
        "-n",
        "4:2048:+8M",
        "-c",
        "4:root",
        "-n",
        "5:0:+16M",
        "-c",
        "5:data",
        disk,
    ];
    exec::run("sgdisk", &args).unwrap();
    disk.to_owned()
}

#[test]
fn gives_the_space_of_the_data_partition_back() {
    if exec::run("sgdisk", &["--version"]).is_err() {
        eprintln!("skipped: `sgdisk` is not installed");
        return;
    }
    let machine = Machine::new();
    let disk = &disk_with_data(&machine);
    let root = machine.path("root");
    fs_err::create_dir(&root).unwrap();
    let call = [
        "finish",
        "--root",
        text(&root),
        "--reclaim",
        "--device",
        disk,
    ];
    let table = || String::from_utf8(exec::run("sgdisk", &["-p", disk]).unwrap()).unwrap();
    let before = table();
    let (code, document, _) = machine.node(&[&call[..], &["--dry-run"]].concat());
    assert_eq!(
        (code, &document["reclaim"]["destroy"][0]["number"]),
        (0, &5.into())
    );
    let unasked = machine.tool(
        env!("CARGO_BIN_EXE_snoforge"),
        &[&["node"], &call[..]].concat(),
    );
    assert_eq!(unasked.status.code(), Some(2), "no terminal, no --yes");
    assert_eq!(table(), before);
    let (code, _, said) = machine.node(&[&call[..], &["--yes"]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("DESTROY   5: `data`") && said.contains("keep      4: `root`"),
        "{said}"
    );
    let after = table();
    assert!(after.contains("root") && !after.contains("data"), "{after}");
    let judged = exec::run("sgdisk", &["-v", disk]).unwrap();
    assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
    let (code, document, _) = machine.node(&[&call[..], &["--yes"]].concat());
    assert_eq!((code, &document["reclaim"]), (0, &serde_json::Value::Null));
    let other = machine.tool(
        env!("CARGO_BIN_EXE_snoforge"),
        &["node", "finish", "--device", disk],
    );
    assert_eq!(
        other.status.code(),
        Some(2),
        "--device means nothing without --reclaim"
    );
}

/// A loop device with the partitions of an image, and the mounts on it; all go away with it.
struct Live {
    device: String,
    mounts: Vec<PathBuf>,
}

impl Live {
    /// `None`, with the reason, where the machine cannot do it.
    fn new(machine: &Machine) -> Option<Self> {
        let tools = ["losetup", "addpart", "mkfs.ext4", "sgdisk"];
        if !nix::unistd::geteuid().is_root()
            || tools.iter().any(|t| exec::run("which", &[*t]).is_err())
        {
            eprintln!("skipped: needs root, losetup, addpart, mkfs.ext4 and sgdisk");
            return None;
        }
        let disk = disk_with_data(machine);
        let Ok(device) = exec::run("losetup", &["-f", "--show", &disk]) else {
            eprintln!("skipped: no loop devices");
            return None;
        };
        let device = String::from_utf8(device).unwrap().trim().to_owned();
        let live = Self {
            device,
            mounts: Vec::new(),
        };
        // Not every kernel reads a GPT itself, and such a one forgets no partition either.
        live.forget_partitions();
        for (number, start, sectors) in [("4", "2048", "16384"), ("5", "18432", "32768")] {
            exec::run("addpart", &[&live.device, number, start, sectors]).unwrap();
        }
        Some(live)
    }

    fn forget_partitions(&self) {
        for number in ["4", "5"] {
            exec::run("delpart", &[&self.device, number]).ok();
        }
    }

    fn mount(&mut self, number: u32, at: PathBuf) {
        let node = format!("{}p{number}", self.device);
        exec::run("mkfs.ext4", &["-q", &node]).unwrap();
        fs_err::create_dir(&at).unwrap();
        exec::run("mount", &[&node, text(&at)]).unwrap();
        self.mounts.push(at);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for mount in &self.mounts {
            exec::run("umount", &[mount]).ok();
        }
        self.forget_partitions();
        exec::run("losetup", &["-d", &self.device]).ok();
    }
}

#[test]
fn reclaims_from_the_disk_that_the_system_runs_from() {
    let machine = Machine::new();
    let Some(mut live) = Live::new(&machine) else {
        return;
    };
    live.mount(4, machine.path("system"));
    live.mount(5, machine.path("data"));
    fs_err::write(machine.path("system/file"), "before").unwrap();
    let root = machine.path("root");
    fs_err::create_dir(&root).unwrap();
    let call = [
        "finish",
        "--root",
        text(&root),
        "--reclaim",
        "--yes",
        "--device",
        &live.device,
    ];
    let refused = machine.tool(
        env!("CARGO_BIN_EXE_snoforge"),
        &[&["node"], &call[..]].concat(),
    );
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("is mounted at") && said.contains("/data"),
        "{said}"
    );

    let data = live.mounts.pop().unwrap();
    exec::run("umount", &[&data]).unwrap();
    let (code, _, said) = machine.node(&call);
    assert_eq!(code, 0, "{said}");
    let node = |number: u32| PathBuf::from(format!("{}p{number}", live.device));
    assert!(node(4).exists() && !node(5).exists(), "the kernel knows");
    assert_eq!(
        fs_err::read_to_string(machine.path("system/file")).unwrap(),
        "before"
    );
    fs_err::write(machine.path("system/file"), "after").unwrap();
    exec::run("umount", &[machine.path("system")]).unwrap();
    let device = node(4);
    exec::run("e2fsck", &["-f", "-n", text(&device)]).unwrap();
}
