//! What runs on the machine: the script with stand-ins for the system's tools, the units read by systemd, the mirrors used by skopeo.

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/images.rs"]
mod images;

use std::path::{Path, PathBuf};

use images::{Family, image, noise, put, tar};
use snoforge::exec;
use snoforge::ignition::Config;
use snoforge::ignition::patch::{Loader, Options};
use snoforge::node::registry::{Registry, serve};
use snoforge::oci::{Digest, Reference};
use snoforge::store::{IndexEntry, Store};

use super::{MIRRORS, SCRIPT, full, has_tool, patched, root, stock, text};

#[test]
fn the_script_is_clean() {
    let script = root().join("ignition/snoforge-data");
    exec::run("bash", &["-n".as_ref(), script.as_os_str()]).unwrap();
    if has_tool("shellcheck") {
        exec::run("shellcheck", &[script.as_os_str()]).unwrap();
    }
}

/// The script of a patched config in a directory of its own, with tools that only write down how they were called. `disk/` is the
/// mounted partition, `partitions` what `lsblk` lists, `mounted` is there while it is mounted.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new(partitions: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Self { dir };
        let here = machine.dir.path().display().to_string();
        let script = text(&patched(&stock("era-b"), &Options::default()), SCRIPT)
            .replace("/run/", &format!("{here}/run/"))
            .replace("/usr/local/bin/", &format!("{here}/bin/"));
        machine.write("snoforge-data", &script);
        machine.write("partitions", partitions);
        for (tool, body) in [
            (
                "lsblk",
                "case $1 in -prno) cat \"$M/partitions\" ;; *) sed -n \"s|^${!#} ||p\" \"$M/tree\" ;; esac",
            ),
            (
                "mount",
                "touch \"$M/mounted\"; cp -r \"$M/disk/.\" \"${!#}\"",
            ),
            ("umount", "[ ! -e \"$M/busy\" ] && rm -f \"$M/mounted\""),
            ("mountpoint", "[ -e \"$M/mounted\" ]"),
            ("findmnt", "echo /dev/sda5"),
            ("udevadm", ""),
            ("blockdev", ""),
            ("agetty", ""),
            ("restorecon", ""),
            ("systemctl", ""),
            ("sleep", ""),
        ] {
            let log = format!("M={here}; echo \"{tool} $*\" >>\"$M/log\"");
            machine.write(
                &format!("tools/{tool}"),
                &format!("#!/bin/bash\n{log}\n{body}\n"),
            );
            exec::run(
                "chmod",
                &["+x".into(), machine.path(&format!("tools/{tool}"))],
            )
            .unwrap();
        }
        machine.write("disk/bin/snoforge", "the binary");
        machine.write(
            "tree",
            "/dev/sda sda disk\n/dev/sda5 sda5 part\n/dev/sda5 sda disk\n/dev/sdb sdb disk\n",
        );
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn log(&self) -> String {
        let log = fs_err::read_to_string(self.path("log")).unwrap_or_default();
        fs_err::remove_file(self.path("log")).ok();
        log
    }

    /// As the units run it: the label is set for `mount` only.
    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let tools = self.path("tools");
        let mut call = vec![
            format!("PATH={}:/usr/bin:/bin", tools.display()),
            "SNOFORGE_WAIT_SECS=0".to_owned(),
        ];
        if arguments == ["mount"] {
            call.push("SNOFORGE_LABEL=data".to_owned());
        }
        call.extend([
            "bash".to_owned(),
            self.path("snoforge-data").display().to_string(),
        ]);
        call.extend(arguments.iter().map(|a| (*a).to_owned()));
        exec::run("env", &call).map(drop).map_err(|e| e.to_string())
    }
}

#[test]
fn the_partition_is_mounted_read_only_and_the_binary_copied() {
    let machine =
        Machine::new("/dev/sda1 EFI-SYSTEM\n/dev/sda5 data\n/dev/sdb1 database\n/dev/sdc\n");
    machine.run(&["mount"]).unwrap();
    let data = machine.path("run/snoforge/data");
    let log = machine.log();
    let mount = format!(
        "mount -o ro,nodev,nosuid,noatime /dev/sda5 {}\n",
        data.display()
    );
    assert!(log.contains(&mount), "{log}");
    assert!(log.contains("restorecon "));
    let binary = machine.path("bin/snoforge");
    assert_eq!(fs_err::read_to_string(&binary).unwrap(), "the binary");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&binary).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o755);
    // Again: nothing is mounted twice.
    machine.run(&["mount"]).unwrap();
    assert!(!machine.log().contains("mount -o"));
    machine.run(&["umount"]).unwrap();
    assert!(
        machine
            .log()
            .contains(&format!("\numount {}\n", data.display()))
    );
}

#[test]
fn no_disk_two_disks_and_an_empty_disk() {
    let issue = "run/issue.d/50_snoforge.issue";
    for (partitions, said) in [
        (
            "/dev/sda1 other\n",
            "no partition labelled 'data' found in 0 s: images come over the network",
        ),
        ("", "no partition labelled 'data'"),
        (
            "/dev/sda5 data\n/dev/sdb1 data\n",
            "more than one partition is labelled 'data' (/dev/sda5, /dev/sdb1)",
        ),
    ] {
        let machine = Machine::new(partitions);
        let error = machine.run(&["mount"]).unwrap_err();
        assert!(error.contains(said), "{error}");
        assert!(
            fs_err::read_to_string(machine.path(issue))
                .unwrap()
                .contains(said)
        );
        let log = machine.log();
        assert!(
            log.contains("agetty --reload") && !log.contains("mount -o"),
            "{log}"
        );
    }
    let machine = Machine::new("/dev/sda5 data\n");
    fs_err::remove_file(machine.path("disk/bin/snoforge")).unwrap();
    let error = machine.run(&["mount"]).unwrap_err();
    assert!(error.contains("/dev/sda5 has no bin/snoforge"), "{error}");
    machine.write("run/snoforge/data/bin/snoforge", "x");
    machine.run(&["mount"]).unwrap();
    assert!(
        !machine.path(issue).exists(),
        "the message goes when all is well"
    );
}

#[test]
fn the_partition_is_let_go_before_its_disk_is_written() {
    let machine = Machine::new("/dev/sda5 data\n");
    let released = machine.path("run/snoforge/released");
    machine.run(&["release", "/dev/sda"]).unwrap();
    assert!(!machine.log().contains("systemctl"), "nothing is mounted");
    machine.run(&["mount"]).unwrap();
    machine.log();
    machine.run(&["release", "/dev/sdb"]).unwrap();
    assert!(
        !machine.log().contains("umount") && !released.exists(),
        "another disk"
    );
    machine.write("busy", "");
    let error = machine.run(&["release", "/dev/sda"]).unwrap_err();
    assert!(
        error.contains("/dev/sda5 is in use: /dev/sda cannot be written"),
        "{error}"
    );
    fs_err::remove_file(machine.path("busy")).unwrap();
    machine.run(&["release", "/dev/sda"]).unwrap();
    let log = machine.log();
    let stop = log.find("systemctl stop snoforge-data.service").unwrap();
    assert!(log.rfind("umount ").unwrap() > stop, "{log}");
    assert!(released.exists() && !machine.path("mounted").exists());
    assert!(machine.run(&["reboot"]).unwrap_err().contains("usage: "));
}

/// systemd itself reads our units and those of the config that they order against, in a root of their own, and has nothing to say.
#[test]
fn systemd_takes_the_units() {
    if !has_tool("systemd-analyze") {
        return;
    }
    for (era, loader) in [
        ("era-a", Loader::Registry),
        ("era-b", Loader::Copy),
        ("era-c", Loader::Copy),
    ] {
        let options = Options { loader, ..full() };
        let config = patched(&stock(era), &options);
        let dir = tempfile::tempdir().unwrap();
        let call = write_units(&config, dir.path());
        assert_eq!(said(&call), "", "{era}");
        // The check can fail: a unit that nobody can start.
        let unit = dir
            .path()
            .join("etc/systemd/system/snoforge-registry.service");
        let broken = fs_err::read_to_string(&unit)
            .unwrap()
            .replace("Type=notify", "Typ=notify");
        fs_err::write(&unit, broken).unwrap();
        assert!(said(&call).contains("Unknown key"), "{era}");
    }
}

/// What `systemd-analyze verify` says; its exit status is 0 for most problems.
fn said(arguments: &[String]) -> String {
    let call = format!(
        "systemd-analyze {} 2>&1 || echo failed",
        arguments.join(" ")
    );
    String::from_utf8(exec::run("bash", &["-c", &call]).unwrap()).unwrap()
}

/// Writes the units of a config, with stand-ins for those of the image, and returns the arguments of `systemd-analyze`.
fn write_units(config: &Config, root: &Path) -> Vec<String> {
    let system = root.join("etc/systemd/system");
    let put = |path: PathBuf, text: &str| {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        let mode = if text.starts_with("#!") {
            "0755"
        } else {
            "0644"
        };
        exec::run("chmod", &[mode.into(), path]).unwrap();
    };
    stand_ins(root, &put);
    for file in config.files() {
        let path = file.path().trim_start_matches('/');
        if let Ok(Some(bytes)) = file.bytes() {
            put(root.join(path), &String::from_utf8_lossy(&bytes));
        }
    }
    let mut names = Vec::new();
    for unit in config.units() {
        if let Some(text) = unit.contents() {
            put(system.join(unit.name()), text);
        }
        for dropin in unit.dropins() {
            let directory = system.join(format!("{}.d", unit.name()));
            put(directory.join(dropin.name()), dropin.contents().unwrap());
        }
        if unit.name().starts_with("snoforge-") {
            names.push(unit.name().replace("@.", "@ai."));
        }
    }
    let theirs = [
        "release-image",
        "kubelet",
        "bootkube",
        "crio",
        "chronyd",
        "install-to-disk",
    ];
    names.extend(theirs.map(|name| format!("{name}.service")));
    if config
        .file("/etc/systemd/system/node-image-pull.service")
        .is_some()
    {
        names.push("node-image-pull.service".to_owned());
    }
    let root = format!("--root={}", root.display());
    [
        vec!["verify".to_owned(), "--man=no".to_owned(), root],
        names,
    ]
    .concat()
}

/// Units and programs that the image has.
fn stand_ins(root: &Path, put: &dyn Fn(PathBuf, &str)) {
    let system = root.join("etc/systemd/system");
    let targets = "sysinit basic multi-user shutdown network-online network getty local-fs";
    for target in targets.split(' ') {
        let text = "[Unit]\nDescription=x\nDefaultDependencies=no\n";
        put(system.join(format!("{target}.target")), text);
    }
    for service in [
        "crio",
        "crio-wipe",
        "rpc-statd",
        "NetworkManager",
        "chronyd",
    ] {
        let text = "[Service]\nExecStart=/bin/true\n";
        put(system.join(format!("{service}.service")), text);
    }
    for program in [
        "bin/true",
        "bin/sh",
        "usr/bin/systemctl",
        "usr/local/bin/snoforge",
    ] {
        put(root.join(program), "#!/bin/sh\n");
    }
}

/// The mirrors as written send containers/image to the loopback registry under the images' own names, by digest and by tag.
#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_through_the_mirrors() {
    if !has_tool("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let one = image(
        Family::Docker,
        "amd64",
        &[tar(&[("file", &noise(3, 100_000))])],
    );
    put(&store, &one);
    store.put_manifest(&one.manifest).unwrap();
    let descriptor = one.manifest.descriptor().clone();
    let name: Reference = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
        .parse()
        .unwrap();
    let catalog: Reference = "registry.redhat.io/redhat/redhat-operator-index"
        .parse()
        .unwrap();
    let pinned = name.pinned(descriptor.digest.clone());
    let tagged = catalog.with_tag("v4.13").unwrap();
    let entries = [&pinned, &tagged].map(|r| IndexEntry::new(r, descriptor.clone()));
    store.replace_index(entries.to_vec()).unwrap();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let registry = Registry::open(Store::open(dir.path()).unwrap()).unwrap();
    let server = tokio::spawn(serve(registry, listener, None, std::future::pending()));
    let mirrors = text(&patched(&stock("era-c"), &Options::default()), MIRRORS);
    let conf = dir.path().join("mirrors.conf");
    fs_err::write(&conf, mirrors.replace("127.0.0.1:5000", &address)).unwrap();

    for (number, reference) in [&pinned, &tagged].into_iter().enumerate() {
        let target = dir.path().join(format!("out{number}"));
        let call = [
            "60".to_owned(),
            "skopeo".to_owned(),
            "--insecure-policy".to_owned(),
            format!("--registries-conf={}", conf.display()),
            "copy".to_owned(),
            "-q".to_owned(),
            format!("docker://{reference}"),
            format!("dir:{}", target.display()),
        ];
        let done = tokio::task::spawn_blocking(move || exec::run("timeout", &call));
        let done = done.await.unwrap();
        assert!(done.is_ok(), "{reference}: {done:?}");
        let manifest = fs_err::read(target.join("manifest.json")).unwrap();
        assert_eq!(Digest::of(&manifest), descriptor.digest);
    }
    server.abort();
}
