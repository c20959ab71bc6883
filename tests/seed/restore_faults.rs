//! What is refused to be restored, and what is left of a restore that fails or is killed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;
use snoforge::exec;

use crate::image::{Bench, Parts, gzip, tar_of};
use crate::program::snoforge;
use crate::registry::installed;
use crate::restore::{OS, Sysroots, comparable, restore, restore_args, rich, same, text, tool};

type Bad = (
    &'static str,
    fn(&mut Parts),
    &'static [&'static str],
    i32,
    &'static str,
);

#[test]
fn a_bad_image_leaves_the_sysroot_alone() {
    let Some(bench) = Bench::new() else { return };
    let label = "com.openshift.lifecycle-agent.seed_format_version";
    let rows: &[Bad] = &[
        (
            "version",
            |_| {},
            &["--version", "4.18.28"],
            2,
            "version specified in seed image (4.18.27) differs from --version (4.18.28)",
        ),
        (
            "missing",
            |p| p.members.retain(|(n, _)| n != "var.tgz"),
            &[],
            7,
            "var.tgz: it is not in the layer",
        ),
        (
            "cut",
            |p| {
                let var = p.member("var.tgz");
                var.truncate(var.len() - 9);
            },
            &[],
            7,
            "var.tgz: ",
        ),
        (
            "outside",
            |p| {
                *p.member("var.tgz") =
                    gzip(&tar_of(&[("etc/shadow".to_owned(), b"x".to_vec())], None));
            },
            &[],
            7,
            "hostile member \"etc/shadow\"",
        ),
        (
            "up",
            |p| {
                *p.member("ostree.tgz") =
                    gzip(&tar_of(&[("../../x".to_owned(), b"x".to_vec())], None));
            },
            &[],
            7,
            "hostile member \"../../x\"",
        ),
        (
            "absolute",
            |p| *p.member("etc.tgz") = gzip(&tar_of(&[("/etc/x".to_owned(), b"x".to_vec())], None)),
            &[],
            7,
            "hostile member \"/etc/x\"",
        ),
        (
            "device",
            |p| *p.member("var.tgz") = gzip(&device()),
            &[],
            7,
            "a device node",
        ),
        (
            "through",
            |p| *p.member("var.tgz") = gzip(&linked()),
            &[],
            7,
            "written through the link \"var/l\"",
        ),
        (
            "karg",
            |p| {
                *p.member("mco-currentconfig.json") =
                    br#"{"spec":{"kernelArguments":["a\nlinux /x"]}}"#.to_vec();
            },
            &[],
            7,
            "is no kernel argument",
        ),
        (
            "deletion",
            |p| p.member("etc.deletions").extend(b"/etc/../usr\n"),
            &[],
            7,
            "hostile: it deletes",
        ),
        (
            "id",
            |p| {
                let m = p.member("rpm-ostree.json");
                *m = String::from_utf8(m.clone())
                    .unwrap()
                    .replace("rhcos-", "")
                    .into_bytes();
            },
            &[],
            7,
            "names no deployment",
        ),
    ];
    let sysroots = Sysroots::new();
    let sysroot = sysroots.installed("sysroot");
    let before = comparable(&sysroot);
    let refuse = |image: &str, more: &[&str], code: i32, said: &str| {
        let out = restore(&bench, image, &sysroot, more).expect(code);
        assert!(out.stderr.contains(said), "{said}: {}", out.stderr);
        same(&comparable(&sysroot), &before, said);
    };
    for (tag, spoil, more, code, said) in rows {
        let mut parts = bench.parts.clone();
        spoil(&mut parts);
        let (image, _) = bench.publish(&parts, tag);
        refuse(&image, more, *code, said);
    }
    let mut parts = bench.parts.clone();
    parts.labels[label] = json!("3");
    let (image, _) = bench.publish(&parts, "format");
    refuse(
        &image,
        &[],
        7,
        "seed image format version mismatch: expected 4, got 3",
    );
    // The registry's disk lies, in the middle and at the very end, when all is unpacked.
    let (image, stored) = bench.publish(&bench.parts, "flipped");
    let good = fs_err::read(&stored).unwrap();
    for at in [good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        fs_err::write(&stored, bytes).unwrap();
        refuse(&image, &[], 7, "the bytes do not have this digest");
    }
    // Fails late, when the deployment is there already: the commit's own tree leads the archive astray.
    let (image, _) = bench.publish(&astray(&bench), "astray");
    refuse(
        &image,
        &[],
        7,
        "it goes through the deployment's link \"etc/out\"",
    );
    fs_err::write(&stored, good).unwrap();
    let (image, _) = bench.publish(&bench.parts, "good");
    restore(&bench, &image, &sysroot, &[]).expect(0);
}

fn device() -> Vec<u8> {
    one("var/d", tar::EntryType::Char)
}

fn linked() -> Vec<u8> {
    tar_with(&[
        ("var/l", tar::EntryType::Symlink, "/etc"),
        ("var/l/f", tar::EntryType::Regular, ""),
    ])
}

fn one(path: &str, kind: tar::EntryType) -> Vec<u8> {
    tar_with(&[(path, kind, "")])
}

fn tar_with(members: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, link) in members {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(0);
        header.set_path(path).unwrap();
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A commit whose `/usr/etc/out` is a link to elsewhere, and an `etc.tgz` that writes below it.
fn astray(bench: &Bench) -> Parts {
    let mut parts = bench.parts.clone();
    let dir = bench.dir.path().join("astray");
    fs_err::create_dir_all(&dir).unwrap();
    let (repo, tree) = (dir.join("repo"), dir.join("tree"));
    fs_err::create_dir(&repo).unwrap();
    let archive = dir.join("ostree.tgz");
    fs_err::write(&archive, parts.member("ostree.tgz")).unwrap();
    tool("tar", &["xzf", &text(&archive), "-C", &text(&repo)]);
    let at = format!("--repo={}", repo.display());
    tool("ostree", &["checkout", &at, "ocp", &text(&tree)]);
    symlink("/tmp", tree.join("usr/etc/out")).unwrap();
    let from = format!("--tree=dir={}", tree.display());
    let commit = tool("ostree", &["commit", &at, "-b", "ocp", &from])
        .trim()
        .to_owned();
    tool("tar", &["czf", &text(&archive), "-C", &text(&repo), "."]);
    *parts.member("ostree.tgz") = fs_err::read(&archive).unwrap();
    *parts.member("etc.tgz") = gzip(&tar_of(
        &[("etc/out/snoforge-astray".to_owned(), b"x".to_vec())],
        None,
    ));
    let status = json!({"deployments": [{"id": format!("rhcos-{commit}.0"), "booted": true}]});
    *parts.member("rpm-ostree.json") = status.to_string().into_bytes();
    let origin = parts
        .members
        .iter_mut()
        .find(|(n, _)| n.ends_with(".origin"))
        .unwrap();
    origin.0 = format!("ostree-{commit}.0.origin");
    parts
}

#[test]
fn a_place_that_is_no_target_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let (image, _) = bench.publish(&bench.parts, "place");
    let sysroots = Sysroots::new();
    let refuse = |sysroot: &Path, code: i32, said: &str| {
        let out = restore(&bench, &image, sysroot, &[]).expect(code);
        assert!(
            out.stderr.contains(said) && out.stderr.contains("hint: "),
            "{said}: {}",
            out.stderr
        );
    };
    refuse(Path::new("/"), 2, "it is the running system's");
    refuse(Path::new("/tmp/../"), 2, "it is the running system's");
    refuse(Path::new("/no/such/place"), 2, "no such directory");
    refuse(sysroots.0.path(), 2, "it is no sysroot");
    let taken = sysroots.empty("taken");
    tool(
        "ostree",
        &["admin", "os-init", "--sysroot", &text(&taken), OS],
    );
    refuse(
        &taken,
        2,
        "stateroot rhcos_4.18.27 is there, and not from a restore",
    );
    let unmounted = sysroots.installed("unmounted");
    fs_err::rename(unmounted.join("boot"), unmounted.join("elsewhere")).unwrap();
    fs_err::create_dir(unmounted.join("boot")).unwrap();
    refuse(&unmounted, 4, "boot/loader is not there");
    // Two at once.
    let busy = sysroots.empty("busy");
    let lock = fs_err::File::open(busy.join("ostree/deploy")).unwrap();
    lock.file().lock().unwrap();
    refuse(&busy, 4, "another restore is at work");
    drop(lock);
    restore(&bench, &image, &busy, &[]).expect(0);
    // Anyone but root.
    if installed(&["setpriv"]) {
        let program = sysroots.0.path().join("snoforge");
        fs_err::copy(env!("CARGO_BIN_EXE_snoforge"), &program).unwrap();
        for dir in [sysroots.0.path(), bench.dir.path()] {
            fs_err::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let fresh = text(&sysroots.empty("fresh"));
        let args = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "env",
            &format!("HOME={}", text(bench.dir.path())),
            &text(&program),
        ];
        let denied = exec::run(
            "setpriv",
            &[&args[..], &restore_args(&image, &fresh)].concat(),
        );
        let denied = denied.unwrap_err().to_string();
        assert!(
            denied.contains("exit status: 4") && denied.contains("only root may"),
            "{denied}"
        );
    }
}

/// A filesystem of its own, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn mount(dir: &Path, size: &str) -> Option<Self> {
        fs_err::create_dir_all(dir).unwrap();
        let option = format!("size={size}");
        if let Err(error) = exec::run(
            "mount",
            &["-t", "tmpfs", "-o", &option, "tmpfs", &text(dir)],
        ) {
            eprintln!("skipped: cannot mount a tmpfs: {error}");
            return None;
        }
        Some(Self(dir.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        exec::run("umount", &["-l", &text(&self.0)]).ok();
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    let Some(bench) = Bench::new() else { return };
    let sysroots = Sysroots::new();
    let Some(_small) = Small::mount(&sysroots.0.path().join("small"), "16m") else {
        return;
    };
    let sysroot = sysroots.installed("small");
    let before = comparable(&sysroot);
    let full = |parts: &Parts, tag: &str, said: &str| {
        let (image, _) = bench.publish(parts, tag);
        let out = restore(&bench, &image, &sysroot, &[]).expect(6);
        assert!(out.stderr.contains(said), "{said}: {}", out.stderr);
        same(&comparable(&sysroot), &before, said);
    };
    let mut parts = bench.parts.clone();
    // Small in the layer, large on disk.
    let zeros = [("var/zeros".to_owned(), vec![0; 32 << 20])];
    *parts.member("var.tgz") = gzip(&tar_of(&zeros, None));
    full(&parts, "zeros", "the disk is too small");
    let mut parts = bench.parts.clone();
    *parts.member("etc.tgz") = gzip(&tar_of(
        &[("etc/zeros".to_owned(), vec![0; 32 << 20])],
        None,
    ));
    full(&parts, "etc", "the disk is too small");
    // What cannot fit is not begun.
    let mut parts = bench.parts.clone();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    *parts.member("lca-cli") = noise.take((20 << 20) / 8).flatten().collect();
    full(&parts, "noise", "too little room");
    let (image, _) = bench.publish(&bench.parts, "fits");
    restore(&bench, &image, &sysroot, &[]).expect(0);
}

/// A program in front of the real one, which kills the one who starts it: before or after the work that `when` matches.
fn killer(dir: &Path, program: &str, when: &str, before: bool) {
    let real = tool("sh", &["-c", &format!("command -v {program}")]);
    let real = real.trim();
    let (early, late) = if before {
        ("kill -9 $PPID", ":")
    } else {
        (":", "kill -9 $PPID")
    };
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*\"{when}\"*) {early}; {real} \"$@\"; code=$?; {late}; exit $code ;;\n*) exec {real} \"$@\" ;;\nesac\n"
    );
    executable(&dir.join(program), &script);
}

/// tar only warns then, and exits with 0: a system without its labels would not start.
#[test]
fn attributes_that_are_not_kept_are_an_error() {
    let Some(bench) = Bench::new() else { return };
    let (image, _) = bench.publish(&bench.parts, "labels");
    let sysroots = Sysroots::new();
    let sysroot = sysroots.installed("sysroot");
    let before = comparable(&sysroot);
    let bin = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\ncat >/dev/null\necho 'tar: var/lib/etcd: Cannot setfilecon: Invalid argument' >&2\n";
    executable(&bin.path().join("tar"), script);
    let (place, path) = (text(&sysroot), search(bin.path()));
    let mut command = snoforge(bench.dir.path());
    command.env("PATH", path).args(restore_args(&image, &place));
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(
        said.contains("with all attributes: tar: var/lib/etcd") && said.contains("setenforce 0"),
        "{said}"
    );
    same(&comparable(&sysroot), &before, "labels");
}

fn executable(path: &Path, script: &str) {
    fs_err::write(path, script).unwrap();
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A `PATH` with a directory in front.
fn search(bin: &Path) -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display())
}

#[test]
fn killed_anywhere_it_begins_anew() {
    let Some(bench) = Bench::new() else { return };
    if !installed(&["flock"]) {
        return;
    }
    let (image, _) = bench.publish(&rich(&bench), "killed");
    let sysroots = Sysroots::new();
    let clean = sysroots.installed("clean");
    restore(&bench, &image, &clean, &[]).expect(0);
    let expected = comparable(&clean);
    let points = [
        ("ostree", "refs --repo", false),
        ("tar", "restore/ostree", true),
        ("tar", "restore/root", true),
        ("tar", "restore/root", false),
        ("ostree", "pull-local", true),
        ("ostree", "pull-local", false),
        ("ostree", "admin os-init", false),
        ("ostree", "admin deploy", true),
        ("ostree", "admin deploy", false),
        ("ostree", "admin status", false),
        ("tar", OS, true),
        ("tar", OS, false),
    ];
    for (n, (program, when, before)) in points.iter().enumerate() {
        let sysroot = sysroots.installed(&format!("killed-{n}"));
        let place = text(&sysroot);
        let bin = tempfile::tempdir().unwrap();
        killer(bin.path(), program, when, *before);
        let path = search(bin.path());
        let args = restore_args(&image, &place);
        let status = snoforge(bench.dir.path())
            .env("PATH", path)
            .args(&args)
            .output()
            .unwrap();
        assert_eq!(
            status.status.code(),
            None,
            "{when}: {}",
            String::from_utf8_lossy(&status.stderr)
        );
        // What it had started goes on alone; it holds the lock as long.
        tool("flock", &[&format!("{place}/ostree/deploy"), "true"]);
        let stage = sysroot.join("ostree/.snoforge-restore");
        if *when != "refs --repo" {
            assert!(stage.exists(), "{when}");
            let look = restore(&bench, &image, &sysroot, &["--dry-run"])
                .expect(0)
                .json();
            assert_eq!(look["plan"]["interrupted"], OS, "{when}");
        }
        let again = restore(&bench, &image, &sysroot, &[]).expect(0).json();
        assert_eq!(again["already_restored"], false, "{when}");
        same(&comparable(&sysroot), &expected, when);
        tool(
            "ostree",
            &["fsck", "--repo", &format!("{place}/ostree/repo")],
        );
    }
    // After the last step but one: whole, and still with the journal.
    let stage = clean.join("ostree/.snoforge-restore");
    fs_err::create_dir(&stage).unwrap();
    let journal = json!({"stateroot": OS, "refs": []}).to_string();
    fs_err::write(stage.join("journal.json"), journal).unwrap();
    let again = restore(&bench, &image, &clean, &[]).expect(0).json();
    assert_eq!(again["already_restored"], true);
    assert!(!stage.exists());
    same(&comparable(&clean), &expected, "marked");
}
