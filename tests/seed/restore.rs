//! A real seed image restored into real sysroots: what ostree says of it, and what lifecycle-agent's own commands would have made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snoforge::exec;
use snoforge::oci::Digest;
use snoforge::seed::image::{Deployment, kernel_arguments};
use snoforge::seed::restore::{karg_options, stateroot};

use crate::image::{Bench, Parts};
use crate::{golden, run, shared};

pub(crate) const OS: &str = "rhcos_4.18.27";
/// What a shell would make something else of.
const KARGS: [&str; 4] = [
    "tsc=nowatchdog",
    "cgroup_no_v1=\"all\"",
    "x=$(touch /tmp/snoforge-karg)`id` $HOME;'q'",
    "--os",
];

/// Lifecycle-agent's tables; ours are copies.
fn table(name: &str) -> Value {
    let own: Value = serde_json::from_str(&golden(name)).unwrap();
    if let Some(path) = shared(&format!("data/seed-image/tables/{name}")) {
        let theirs: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        assert_eq!(own, theirs, "{name} is no copy any more");
    }
    own
}

#[test]
fn deployments_are_named_as_lifecycle_agent_does() {
    for case in table("deployment_id.json")["cases"].as_array().unwrap() {
        let found = Deployment::from_id(case["in"].as_str().unwrap());
        match case["out"].as_str() {
            Some(out) => assert_eq!(found.unwrap().to_string(), out),
            None => assert!(found.is_err(), "{case}"),
        }
    }
    for (version, name) in [
        ("4.18.27", OS),
        (
            "4.15.0-0.nightly-2023-12-04",
            "rhcos_4.15.0_0.nightly_2023_12_04",
        ),
    ] {
        assert_eq!(stateroot(&version.parse().unwrap()), name);
    }
}

#[test]
fn kernel_arguments_are_those_of_lifecycle_agent() {
    for case in table("kargs_from_mco.json")["cases"].as_array().unwrap() {
        let config =
            json!({"spec": {"kernelArguments": case["kernelArguments"], "fips": case["fips"]}});
        let found = kernel_arguments(&mut config.to_string().as_bytes()).unwrap();
        // Theirs is for a shell: an option, and its value quoted as JSON does, or bare.
        let words: Vec<&str> = case["expect"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap())
            .collect();
        let theirs: Vec<String> = words
            .chunks(2)
            .map(|pair| {
                let value = serde_json::from_str(pair[1]).unwrap_or_else(|_| pair[1].to_owned());
                format!("{}={value}", pair[0])
            })
            .collect();
        assert_eq!(karg_options(&found), theirs);
    }
}

pub(crate) fn tool(program: &str, args: &[&str]) -> String {
    let out = exec::run(program, args).unwrap_or_else(|e| panic!("{e}"));
    String::from_utf8(out).unwrap()
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A directory of sysroots, which ostree makes partly immutable.
pub(crate) struct Sysroots(pub(crate) tempfile::TempDir);

impl Drop for Sysroots {
    fn drop(&mut self) {
        let find = [
            "-type",
            "d",
            "-path",
            "*/ostree/deploy/*/deploy/*",
            "-prune",
            "-exec",
            "chattr",
            "-i",
            "{}",
            "+",
        ];
        let root = text(self.0.path());
        exec::run("find", &[&[root.as_str()][..], &find].concat()).ok();
    }
}

impl Sysroots {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Empty, as `ostree admin init-fs` makes it.
    pub(crate) fn empty(&self, name: &str) -> PathBuf {
        let sysroot = self.0.path().join(name);
        fs_err::create_dir_all(&sysroot).unwrap();
        let place = text(&sysroot);
        tool("ostree", &["admin", "init-fs", &place]);
        let repo = format!("{place}/ostree/repo");
        tool(
            "ostree",
            &[
                "config",
                "--repo",
                &repo,
                "set",
                "sysroot.bootloader",
                "none",
            ],
        );
        sysroot
    }

    /// With a system of its own, as `coreos-installer install` leaves it.
    pub(crate) fn installed(&self, name: &str) -> PathBuf {
        let sysroot = self.empty(name);
        let tree = self.0.path().join("tree");
        for dir in [
            "usr/lib/modules/6",
            "usr/etc",
            "usr/bin",
            "boot",
            "dev",
            "proc",
            "run",
            "sys",
            "sysroot",
            "tmp",
            "var",
        ] {
            fs_err::create_dir_all(tree.join(dir)).unwrap();
        }
        for (file, content) in [
            ("usr/lib/modules/6/vmlinuz", "old kernel"),
            ("usr/lib/modules/6/initramfs.img", "old initrd"),
            ("usr/lib/os-release", "ID=rhcos\nVERSION_ID=1\n"),
            ("usr/etc/old", "old"),
        ] {
            fs_err::write(tree.join(file), content).unwrap();
        }
        let (place, repo) = (text(&sysroot), text(&sysroot.join("ostree/repo")));
        let date = "--timestamp=2026-01-01 00:00:00 +0000";
        let from = format!("--tree=dir={}", tree.display());
        tool(
            "ostree",
            &["commit", "--repo", &repo, "-b", "old", date, &from],
        );
        tool(
            "ostree",
            &["admin", "os-init", "--sysroot", &place, "rhcos"],
        );
        tool(
            "ostree",
            &[
                "admin",
                "deploy",
                "--sysroot",
                &place,
                "--os",
                "rhcos",
                "--karg-append=root=LABEL=root",
                "old",
            ],
        );
        sysroot
    }
}

/// Everything below a directory, with all that tar keeps, by path.
fn listing(root: &Path) -> BTreeMap<String, String> {
    fn below(root: &Path, path: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs_err::read_dir(path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let meta = fs_err::symlink_metadata(&path).unwrap();
            let mut line = format!("{:o} {} {}", meta.mode(), meta.uid(), meta.gid());
            if meta.is_symlink() {
                write!(line, " -> {}", fs_err::read_link(&path).unwrap().display()).unwrap();
            } else if meta.is_file() {
                let bytes = fs_err::read(&path).unwrap();
                write!(line, " {} {}", bytes.len(), Digest::of(&bytes)).unwrap();
            }
            write!(line, " {:?}", attributes(&path)).unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.insert(name, line);
            if meta.is_dir() {
                below(root, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    below(root, root, &mut found);
    found
}

/// Extended attributes, ACLs and labels among them.
fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap();
    names[..length]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = vec![0; 4096];
            let length = rustix::fs::lgetxattr(path, &*name, &mut value).unwrap();
            value.truncate(length);
            (name, value)
        })
        .collect()
}

/// What is where after both, without what the two are meant to differ in.
pub(crate) fn comparable(sysroot: &Path) -> BTreeMap<String, String> {
    let mut all = listing(sysroot);
    all.retain(|path, line| {
        let file = path.rsplit('/').next().unwrap();
        let ours = [".snoforge-restore.json", "containers.list"].contains(&file)
            || path.ends_with("var/tmp/manifest.json");
        // Locks, and directories that ostree leaves empty.
        let kept = ["ostree/repo/objects/", "ostree/repo/refs/"]
            .iter()
            .any(|dir| path.starts_with(dir) && line.starts_with("40"));
        !ours && !kept && !path.starts_with("ostree/repo/tmp") && ![".lock", "lock"].contains(&file)
    });
    all
}

/// Stops the test with what differs, one line each.
#[track_caller]
pub(crate) fn same(
    found: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
    when: &str,
) {
    let lacking = expected.iter().filter(|(k, v)| found.get(*k) != Some(v));
    let more = found.iter().filter(|(k, v)| expected.get(*k) != Some(v));
    let lines = lacking
        .map(|(k, v)| format!("- {k}: {v}"))
        .chain(more.map(|(k, v)| format!("+ {k}: {v}")));
    let lines: Vec<String> = lines.collect();
    assert!(lines.is_empty(), "{when}:\n{}", lines.join("\n"));
}

/// The seed of `scripts/make-seed-image`, with what a real one has besides: labels, capabilities, owners, hard links, odd names.
pub(crate) fn rich(bench: &Bench) -> Parts {
    let mut parts = bench.parts.clone();
    let dir = bench.dir.path().join("rich");
    fs_err::create_dir_all(&dir).unwrap();
    let var = dir.join("var.tgz");
    fs_err::write(&var, parts.member("var.tgz")).unwrap();
    tool("tar", &["xzf", &text(&var), "-C", &text(&dir)]);
    let lib = dir.join("var/lib");
    let file = |name: &str, mode: u32, content: &str| {
        let path = lib.join(name);
        fs_err::write(&path, content).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    };
    let label = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    let etcd = file("etcd/member", 0o600, "m");
    label(
        &etcd,
        "security.selinux",
        b"system_u:object_r:no_such_type_t:s0\0",
    );
    label(&etcd, "user.note", b"n");
    let owned = file("owned", 0o755, "o");
    std::os::unix::fs::chown(&owned, Some(1234), Some(5678)).unwrap();
    fs_err::set_permissions(&owned, PermissionsExt::from_mode(0o4755)).unwrap();
    let set = file("capable", 0o755, "c");
    label(
        &set,
        "security.capability",
        &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    fs_err::hard_link(&set, lib.join("capable too")).unwrap();
    file(&"n".repeat(200), 0o644, "long");
    file("gr\u{fc}n: a\\b", 0o644, "odd");
    symlink("/etc/passwd", lib.join("link")).unwrap();
    label(
        &lib.join("cni"),
        "security.selinux",
        b"system_u:object_r:cni_t:s0\0",
    );
    let pack = [
        "czf",
        &text(&var),
        "--selinux",
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "-C",
        &text(&dir),
        "var",
    ];
    tool("tar", &pack);
    *parts.member("var.tgz") = fs_err::read(&var).unwrap();
    let mut config: Value = serde_json::from_slice(parts.member("mco-currentconfig.json")).unwrap();
    config["spec"]["kernelArguments"] = json!(KARGS);
    config["spec"]["fips"] = json!(true);
    *parts.member("mco-currentconfig.json") = config.to_string().into_bytes();
    // MGMT-19505: what is not there need not be deleted.
    parts.member("etc.deletions").extend(b"/etc/never/was\n");
    parts
}

/// What lifecycle-agent's `SetupStateroot` runs (`reference/seed-fixture`), with the arguments of the boot entry past its shell.
fn reference(parts: &Parts, work: &Path, sysroot: &Path) {
    let place = |name: &str| work.join(name);
    for (name, bytes) in &parts.members {
        fs_err::write(place(name), bytes).unwrap();
    }
    let attributes = ["--selinux", "--xattrs", "--xattrs-include=*", "--acls"];
    let untar = |archive: &str, to: &Path| {
        let from = text(&place(archive));
        tool(
            "tar",
            &[&["xzf", &from, "-C", &text(to)][..], &attributes].concat(),
        );
    };
    fs_err::create_dir(place("repo")).unwrap();
    untar("ostree.tgz", &place("repo"));
    let (root, repo) = (text(sysroot), text(&sysroot.join("ostree/repo")));
    tool(
        "ostree",
        &["pull-local", "--repo", &repo, &text(&place("repo"))],
    );
    tool("ostree", &["admin", "os-init", "--sysroot", &root, OS]);
    let status: Value =
        serde_json::from_slice(&fs_err::read(place("rpm-ostree.json")).unwrap()).unwrap();
    let commit = status["deployments"][0]["checksum"].as_str().unwrap();
    let mut args = vec![
        "admin",
        "deploy",
        "--os",
        OS,
        "--no-prune",
        "--sysroot",
        &root,
    ];
    let kargs: Vec<String> = KARGS.iter().map(|k| format!("--karg-append={k}")).collect();
    args.extend(kargs.iter().map(String::as_str));
    args.extend([
        "--karg-append",
        "fips=1",
        "--karg-append",
        "boot=LABEL=boot",
        commit,
    ]);
    tool("ostree", &args);
    let stateroot = sysroot.join("ostree/deploy").join(OS);
    let deployment = stateroot.join(format!("deploy/{commit}.0"));
    let origin = place(&format!("ostree-{commit}.0.origin"));
    fs_err::copy(origin, stateroot.join(format!("deploy/{commit}.0.origin"))).unwrap();
    untar("var.tgz", &stateroot);
    untar("etc.tgz", &deployment);
    fs_err::remove_file(deployment.join("etc/todelete")).unwrap();
}

pub(crate) fn restore_args<'a>(image: &'a str, sysroot: &'a str) -> Vec<&'a str> {
    vec![
        "seed",
        "restore",
        image,
        "--sysroot",
        sysroot,
        "--tls-verify=false",
        "--output",
        "json",
    ]
}

pub(crate) fn restore(bench: &Bench, image: &str, sysroot: &Path, more: &[&str]) -> crate::Run {
    let sysroot = text(sysroot);
    run(
        bench.dir.path(),
        &[&restore_args(image, &sysroot)[..], more].concat(),
    )
}

fn options(sysroot: &Path, stateroot: &str) -> String {
    let entries = fs_err::read_dir(sysroot.join("boot/loader/entries")).unwrap();
    let entries = entries.map(|e| fs_err::read_to_string(e.unwrap().path()).unwrap());
    let own: Vec<String> = entries
        .filter(|e| e.contains(&format!("/{stateroot}-")))
        .collect();
    assert_eq!(own.len(), 1);
    let line = own[0].lines().find(|l| l.starts_with("options ")).unwrap();
    line.to_owned()
}

#[test]
fn what_is_restored_is_what_lifecycle_agent_restores() {
    let Some(bench) = Bench::new() else { return };
    let parts = rich(&bench);
    let (image, _) = bench.publish(&parts, "rich");
    let sysroots = Sysroots::new();
    for kind in ["empty", "installed"] {
        let make = |name: &str| match kind {
            "empty" => sysroots.empty(&format!("{kind}-{name}")),
            _ => sysroots.installed(&format!("{kind}-{name}")),
        };
        let (own, theirs) = (make("own"), make("theirs"));
        let work = tempfile::tempdir().unwrap();
        reference(&parts, work.path(), &theirs);
        let said = restore(&bench, &image, &own, &["--version", "4.18.27"]).expect(0);
        let document = said.json();
        assert_eq!(document["already_restored"], false);
        let restored = &document["restored"];
        assert_eq!(restored["deleted"], 1);
        assert_eq!(restored["not_there"], json!(["/etc/never/was"]));
        let kargs = [&KARGS[..], &["fips=1", "boot=LABEL=boot"]].concat();
        assert_eq!(restored["kernel_arguments"], json!(kargs));
        // Every file, mode, owner, link, attribute and boot entry.
        let (found, expected) = (comparable(&own), comparable(&theirs));
        same(&found, &expected, kind);
        assert!(found.len() > 60);
        // What ostree says.
        let place = text(&own);
        let status =
            |sysroot: &Path| tool("ostree", &["admin", "status", "--sysroot", &text(sysroot)]);
        assert_eq!(status(&own), status(&theirs));
        assert!(status(&own).starts_with(&format!(
            "  {OS} {}",
            restored["deployment"].as_str().unwrap()
        )));
        let repo = format!("{place}/ostree/repo");
        tool("ostree", &["fsck", "--repo", &repo]);
        let line = options(&own, OS);
        assert!(
            line.starts_with(&format!("options {} ostree=/ostree/boot.", kargs.join(" "))),
            "{line}"
        );
        assert!(!Path::new("/tmp/snoforge-karg").exists());
        if kind == "installed" {
            assert!(options(&own, "rhcos").starts_with("options root=LABEL=root ostree="));
        }
        // The tests' own look, in case listing and reference are blind to the same.
        let lib = own.join("ostree/deploy").join(OS).join("var/lib");
        assert_eq!(
            attributes(&lib.join("etcd/member"))["security.selinux"],
            b"system_u:object_r:no_such_type_t:s0\0"
        );
        assert_eq!(fs_err::metadata(lib.join("capable")).unwrap().nlink(), 2);
        let meta = fs_err::metadata(lib.join("owned")).unwrap();
        assert_eq!(
            (meta.mode() & 0o7777, meta.uid(), meta.gid()),
            (0o4755, 1234, 5678)
        );
        let deployment = PathBuf::from(restored["directory"].as_str().unwrap());
        assert_eq!(
            fs_err::read_to_string(deployment.join("etc/changed")).unwrap(),
            "new\n"
        );
        assert!(!deployment.join("etc/todelete").exists());
        let list = lib.join("../tmp/containers.list");
        assert_eq!(
            &fs_err::read(list).unwrap(),
            bench.parts.clone().member("containers.list")
        );
        assert!(!own.join("ostree/.snoforge-restore").exists());
        let again = restore(&bench, &image, &own, &[]).expect(0).json();
        assert_eq!(again["already_restored"], true);
        same(&comparable(&own), &found, "again");
    }
}

#[test]
fn an_image_on_the_data_disk_is_enough() {
    let Some(bench) = Bench::new() else { return };
    let (image, _) = bench.publish(&bench.parts, "offline");
    let dir = bench.dir.path().to_owned();
    let mapping = format!("{image}=sno1/seed:offline\n");
    fs_err::write(dir.join("mapping.txt"), mapping).unwrap();
    let download = [
        "precache",
        "download",
        "-r",
        "4.18.27",
        "-f",
        "disk",
        "--mapping",
        "mapping.txt",
        "--tls-verify=false",
    ];
    run(&dir, &download).expect(0);
    let mut other = bench.parts.clone();
    other.member("containers.list").extend(b"\nquay.io/a/b:c");
    let (other, _) = bench.publish(&other, "other");
    let sysroots = Sysroots::new();
    let sysroot = sysroots.empty("sysroot");
    let from = ["--from", "disk"];
    // A look changes nothing.
    let before = comparable(&sysroot);
    let plan = restore(
        &bench,
        &image,
        &sysroot,
        &[&from[..], &["--dry-run"]].concat(),
    )
    .expect(0)
    .json();
    assert_eq!(
        (&plan["plan"]["stateroot"], &plan["restored"]),
        (&json!(OS), &Value::Null)
    );
    same(&comparable(&sysroot), &before, "dry run");
    // Another image of the same version is not put over it.
    let Bench {
        registry,
        dir: _kept,
        parts: _,
    } = bench;
    restore_offline(&dir, &image, &sysroot, 0);
    let place = text(&sysroot);
    let refused = run(&dir, &restore_args(&other, &place)).expect(2);
    assert!(
        refused
            .stderr
            .contains("stateroot rhcos_4.18.27 is there, restored from image sha256:"),
        "{}",
        refused.stderr
    );
    drop(registry);
    let none = run(
        &dir,
        &restore_args("quay.io/no/such:1", &place)[..]
            .iter()
            .copied()
            .chain(from)
            .collect::<Vec<_>>(),
    )
    .expect(5);
    assert!(none.stderr.contains("no/such"), "{}", none.stderr);
    // The registry is gone: the data disk alone.
    let second = sysroots.empty("second");
    restore_offline(&dir, &image, &second, 0);
    assert_eq!(
        restore_offline(&dir, &image, &second, 0)["already_restored"],
        true
    );
    same(&comparable(&second), &comparable(&sysroot), "second");
    let people = [
        "seed",
        "restore",
        &image,
        "--sysroot",
        &place,
        "--from",
        "disk",
    ];
    let said = run(&dir, &people).expect(0);
    assert_eq!(said.stdout, "already restored\n");
    assert!(
        said.stderr.contains("New Stateroot:") && said.stderr.contains(OS),
        "{}",
        said.stderr
    );
}

fn restore_offline(dir: &Path, image: &str, sysroot: &Path, code: i32) -> Value {
    let place = text(sysroot);
    let args = [&restore_args(image, &place)[..], &["--from", "disk"]].concat();
    run(dir, &args).expect(code).json()
}
