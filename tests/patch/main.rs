//! `ignition::patch` on stock configs of three eras and on the one patched by hand, against the field's checkers and goldens.
//!
//! `SNOFORGE_UPDATE_GOLDENS=1 cargo test --test patch` writes the goldens anew; read the diff before you commit it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says when it is skipped"
)]

mod cli;
mod machine;

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use snoforge::exec;
use snoforge::ignition::edit::Secret;
use snoforge::ignition::lint::{Severity, lint};
use snoforge::ignition::patch::{Loader, Note, Options, apply, plan};
use snoforge::ignition::{Config, Edit};

const ERAS: [&str; 3] = ["era-a", "era-b", "era-c"];
const FCC: &str = "/opt/openshift/bootstrap-in-place/master-update.fcc";
const INSTALL: &str = "/usr/local/bin/install-to-disk.sh";
const MIRRORS: &str = "/etc/containers/registries.conf.d/50-snoforge.conf";
const SCRIPT: &str = "/usr/local/bin/snoforge-data";
const HOOK: &str = "50-snoforge.conf";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn stock(era: &str) -> Config {
    read(&root().join(format!("ignition/golden/stock/{era}.ign")))
}

fn read(path: &Path) -> Config {
    Config::parse(&fs_err::read(path).unwrap()).unwrap()
}

fn by_hand() -> Option<Config> {
    let path = root().join("../shared/data/ignition/bip-4.13.1-patched-by-hand.ign");
    if !path.exists() {
        eprintln!("skipped: no ../shared/data/ignition");
        return None;
    }
    Some(read(&path))
}

fn patched(config: &Config, options: &Options) -> Config {
    let mut config = config.clone();
    let plan = plan(&config, options).unwrap();
    apply(&mut config, &plan.edits).unwrap();
    config
}

fn text(config: &Config, path: &str) -> String {
    let file = config.file(path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes().unwrap().unwrap()).unwrap()
}

fn full() -> Options {
    Options {
        hostname: Some("bip.example.com".to_owned()),
        ntp: vec!["ntp.example.com".to_owned(), "192.0.2.123".to_owned()],
        ..Options::default()
    }
}

fn has_tool(program: &str) -> bool {
    let found = !matches!(
        exec::run(program, &["--version"]),
        Err(exec::ExecError::Missing(_))
    );
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Our lints and Ignition's own reader find nothing that is not in the config before.
fn assert_clean(before: &Config, after: &Config) {
    let errors = |config: &Config| -> BTreeSet<String> {
        let findings = lint(config, None).into_iter();
        let errors = findings.filter(|f| f.severity == Severity::Error);
        errors.map(|f| f.message).collect()
    };
    let new: Vec<_> = errors(after).difference(&errors(before)).cloned().collect();
    assert!(new.is_empty(), "{new:?}");
    if has_tool("ignition-validate") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.ign");
        fs_err::write(&path, after.render()).unwrap();
        exec::run("ignition-validate", &[path.as_os_str()]).unwrap();
    }
}

/// A readable form of a config: every file decoded, every unit, in order; heading and body.
fn listing(config: &Config) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for file in config.files() {
        let mode = file.mode().unwrap_or_default();
        let appended = file.append().map(|part| part.decode().unwrap());
        let whole = file.bytes().unwrap().unwrap_or_default();
        let body: Vec<u8> = std::iter::once(whole).chain(appended).flatten().collect();
        let body = String::from_utf8_lossy(&body).into_owned();
        out.push((format!("file {} {mode:04o}", file.path()), body));
    }
    for unit in config.units() {
        let mut body = unit.contents().unwrap_or_default().to_owned();
        for dropin in unit.dropins() {
            let text = dropin.contents().unwrap();
            body = format!("{body}--- {}\n{text}", dropin.name());
        }
        out.push((format!("unit {} {:?}", unit.name(), unit.enabled()), body));
    }
    out
}

/// What a patch changed: new and other entries whole, then what is gone.
fn changes(before: &Config, after: &Config) -> String {
    let (before, after) = (listing(before), listing(after));
    let mut out = String::new();
    for entry in after.iter().filter(|entry| !before.contains(entry)) {
        out = format!("{out}=== {}\n{}\n", entry.0, entry.1.trim_end());
    }
    for (heading, _) in before
        .iter()
        .filter(|(b, _)| !after.iter().any(|(a, _)| a == b))
    {
        out = format!("{out}=== gone: {heading}\n");
    }
    out
}

fn golden(name: &str, actual: &str) {
    let path = root().join("ignition/golden").join(name);
    #[expect(clippy::disallowed_methods, reason = "the flag that updates goldens")]
    if std::env::var_os("SNOFORGE_UPDATE_GOLDENS").is_some() {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, actual).unwrap();
    }
    let expected = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; SNOFORGE_UPDATE_GOLDENS=1 writes it anew",
        path.display()
    );
}

#[test]
fn stock_configs_of_every_era() {
    for era in ERAS {
        let before = stock(era);
        let after = patched(&before, &full());
        assert_clean(&before, &after);
        golden(&format!("patched/{era}.txt"), &changes(&before, &after));
        assert!(plan(&after, &full()).unwrap().edits.is_empty(), "{era}");
    }
}

#[test]
fn the_loader_is_up_before_anything_pulls() {
    for (era, hooked) in [
        (
            "era-a",
            ["release-image", "kubelet", "bootkube", "crio"].as_slice(),
        ),
        (
            "era-b",
            &[
                "release-image",
                "crio-configure",
                "kubelet",
                "bootkube",
                "crio",
            ],
        ),
        (
            "era-c",
            &[
                "release-image",
                "crio-configure",
                "kubelet",
                "bootkube",
                "crio",
                "node-image-pull",
            ],
        ),
    ] {
        let config = patched(&stock(era), &Options::default());
        for name in hooked {
            let name = format!("{name}.service");
            let path = format!("/etc/systemd/system/{name}.d/{HOOK}");
            let dropin = config.unit(&name).and_then(|u| u.dropin(HOOK)?.contents());
            let hook = dropin.map_or_else(|| text(&config, &path), str::to_owned);
            for line in [
                "Wants=snoforge-registry.service",
                "After=snoforge-registry.service",
            ] {
                assert!(hook.lines().any(|l| l == line), "{era} {name}");
            }
            // A drop-in of a unit that lies as a file is a file too, and there is exactly one.
            assert_ne!(
                config.file(&path).is_some(),
                config.unit(&name).is_some(),
                "{era} {name}"
            );
        }
        for unit in ["snoforge-data.service", "snoforge-registry.service"] {
            let unit = config.unit(unit).unwrap();
            assert_eq!(unit.enabled(), Some(true));
            assert!(unit.contents().unwrap().contains("\nIgnoreOnIsolate=yes\n"));
        }
        assert!(config.unit("snoforge-load@.service").is_none());
    }
}

#[test]
fn the_loader_that_copies() {
    let options = Options {
        loader: Loader::Copy,
        ..Options::default()
    };
    let config = patched(&stock("era-b"), &options);
    assert_clean(&stock("era-b"), &config);
    let hook = config
        .unit("release-image.service")
        .unwrap()
        .dropin(HOOK)
        .unwrap();
    let wants = "Wants=snoforge-registry.service snoforge-load@ai.service\n";
    assert!(hook.contents().unwrap().contains(wants));
    assert!(config.unit("snoforge-load@.service").is_some());
    let staged = text(&config, "/opt/openshift/snoforge/hook.conf");
    assert!(staged.contains("After=snoforge-registry.service snoforge-load@ocp.service\n"));
    assert!(text(&config, FCC).contains("    - name: snoforge-load@.service\n"));
}

/// Everything that the Butane file takes from the live system is there, and its own lines are as they were.
#[test]
fn the_installed_stage() {
    for era in ERAS {
        let before = text(&stock(era), FCC);
        let config = patched(&stock(era), &full());
        let after = text(&config, FCC);
        let mut rest = after.lines();
        for line in before.lines() {
            assert!(rest.any(|l| l == line), "{era}: `{line}` is gone or moved");
        }
        let document: serde_json::Value = serde_saphyr::from_str(&after).unwrap();
        let files = document["storage"]["files"].as_array().unwrap();
        let paths: Vec<_> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
        let unique: BTreeSet<_> = paths.iter().collect();
        assert_eq!(unique.len(), paths.len(), "{era}: {paths:?}");
        for file in files {
            if let Some(local) = file["contents"]["local"]
                .as_str()
                .filter(|l| l.starts_with("snoforge/"))
            {
                assert!(
                    config.file(&format!("/opt/openshift/{local}")).is_some(),
                    "{era}: {local}"
                );
            }
        }
        for unit in [
            "machine-config-daemon-pull",
            "machine-config-daemon-firstboot",
            "nodeip-configuration",
            "crio",
            "kubelet",
            "chronyd",
        ] {
            let path = format!("/etc/systemd/system/{unit}.service.d/{HOOK}");
            assert!(paths.contains(&path.as_str()), "{era}: {path}");
        }
        let hostname = files.iter().find(|f| f["path"] == "/etc/hostname").unwrap();
        assert_eq!(hostname["contents"]["inline"], "bip.example.com\n");
        let units = document["systemd"]["units"].as_array().unwrap();
        let ours = |name: &str| units.iter().find(|u| u["name"] == name).unwrap();
        for name in ["snoforge-data.service", "snoforge-registry.service"] {
            let live = config.unit(name).unwrap().contents().unwrap();
            assert_eq!(ours(name)["contents"], live, "the same unit at both stages");
            assert_eq!(ours(name)["enabled"], true);
        }
    }
}

#[test]
fn the_command_that_writes_the_disk() {
    let options = Options {
        save_partlabel: Some("cache".to_owned()),
        ..Options::default()
    };
    for (era, line) in [
        (
            "era-a",
            "  coreos-installer install --copy-network --save-partlabel cache -i /opt/openshift/master.ign /dev/sda",
        ),
        (
            "era-b",
            "  coreos-installer install --save-partlabel cache -n -i /opt/openshift/master.ign /dev/vda",
        ),
        (
            "era-c",
            "  coreos-installer install --copy-network --save-partlabel cache --console ttyS0,115200n8 -i /opt/openshift/master.ign \
            /dev/disk/by-id/wwn-0x5000c500a0b1c2d3",
        ),
    ] {
        let script = text(&patched(&stock(era), &options), INSTALL);
        let mut lines = script
            .lines()
            .skip_while(|l| !l.contains("snoforge-data release"));
        let release = lines.next().unwrap();
        let device = line.rsplit(' ').next().unwrap();
        assert_eq!(release, format!("  {SCRIPT} release {device} # snoforge"));
        assert_eq!(lines.next(), Some(line));
    }
    let off = Options {
        save_partlabel: None,
        ..Options::default()
    };
    assert!(!text(&patched(&stock("era-a"), &off), INSTALL).contains("--save-partlabel"));
}

#[test]
fn a_config_patched_by_hand() {
    let Some(before) = by_hand() else { return };
    let plan = plan(&before, &full()).unwrap();
    let wrong: Vec<_> = plan
        .notes
        .iter()
        .filter(|n| matches!(n, Note::Wrong(_)))
        .map(Note::text)
        .collect();
    for said in [
        "/usr/local/bin/extract-ai.sh: mode 755 is decimal and means 01363; 0755 is written 493",
        "/opt/openshift/bootstrap-in-place/extract-ocp.sh: mode 755 is decimal",
        "/usr/local/bin/extract-ai.sh: the retry loop",
        "release-image.service was removed",
        "precache-ocp-images.service: ordered before the network only",
    ] {
        assert!(
            wrong.iter().any(|w| w.starts_with(said)),
            "{said}: {wrong:?}"
        );
    }
    let mut after = before.clone();
    apply(&mut after, &plan.edits).unwrap();
    assert_clean(&before, &after);
    // No other error is left either: the decimal modes and the missing unit were the only ones.
    let left: Vec<_> = lint(&after, None)
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(patched(&after, &full()).render(), after.render());
    let all = format!("{:?}", listing(&after));
    for gone in [
        "precache-images",
        "precache-ocp-images",
        "extract-ai",
        "extract-ocp",
    ] {
        assert!(!all.contains(gone), "{gone} is still there");
    }
    let crio = after
        .unit("crio-configure.service")
        .unwrap()
        .contents()
        .unwrap();
    assert!(crio.contains("After=release-image.service\nRequires=release-image.service\n"));
    let script = text(&after, INSTALL);
    assert_eq!(script.matches("--save-partlabel data").count(), 1);
    assert_eq!(script.matches("coreos-installer install -n ").count(), 1);
    assert_eq!(text(&after, FCC).matches("path: /etc/hostname").count(), 1);
    // Without the option the name that was set by hand stays.
    let kept = text(&patched(&before, &Options::default()), FCC);
    assert!(kept.contains(
        "- path: /etc/hostname\n      mode: 0644\n      contents:\n        inline: bip\n"
    ));
    golden("patched/by-hand.txt", &changes(&before, &after));
}

#[test]
fn site_mirrors_and_inventories() {
    let config = patched(&stock("era-c"), &Options::default());
    let document: toml::Table = text(&config, MIRRORS).parse().unwrap();
    let entries = document["registry"].as_array().unwrap();
    let release = entries
        .iter()
        .find(|e| e["prefix"].as_str() == Some("quay.io/openshift-release-dev/ocp-release"))
        .unwrap();
    let mirrors: Vec<_> = release["mirror"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["location"].as_str().unwrap())
        .collect();
    let ours = "127.0.0.1:5000/quay.io/openshift-release-dev/ocp-release";
    assert_eq!(mirrors, [ours, "registry.bip.example.com:8443/ocp/release"]);
    assert_eq!(release["mirror-by-digest-only"].as_bool(), Some(true));
    assert!(
        entries
            .iter()
            .any(|e| e["prefix"].as_str() == Some("registry.redhat.io"))
    );
    assert_eq!(
        text(&config, MIRRORS),
        text(
            &config,
            "/opt/openshift/snoforge/etc-containers-registries.conf.d-50-snoforge.conf"
        )
    );

    let options = Options {
        sources: vec![
            "quay.io/a/b".to_owned(),
            "registry.redhat.io/x/y".to_owned(),
        ],
        ..Options::default()
    };
    let document: toml::Table = text(&patched(&stock("era-b"), &options), MIRRORS)
        .parse()
        .unwrap();
    let prefixes: Vec<_> = document["registry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["prefix"].as_str().unwrap())
        .collect();
    assert_eq!(
        prefixes,
        [
            "quay.io/a/b",
            "quay.io/openshift-release-dev/ocp-release",
            "registry.redhat.io/x/y"
        ]
    );
}

#[test]
fn the_pull_secret_is_left_alone_and_never_shown() {
    let before = stock("era-b");
    let without = plan(&before, &Options::default()).unwrap();
    assert!(without.notes.contains(&Note::Found(
        "the config has no pull secret (its /root/.docker/config.json): the node can pull what needs no login".to_owned()
    )));
    assert!(
        !without
            .edits
            .iter()
            .any(|e| matches!(e, Edit::SetContents { path, .. } if path.contains("docker")))
    );
    let secret = r#"{"auths":{"quay.io":{"auth":"czNjcjN0"}}}"#;
    let options = Options {
        pull_secret: Some(Secret(secret.as_bytes().to_vec())),
        ..Options::default()
    };
    let plan = plan(&before, &options).unwrap();
    assert!(!format!("{plan:?} {options:?}").contains("czNjcjN0"));
    let after = patched(&before, &options);
    assert_eq!(text(&after, "/root/.docker/config.json"), secret);
    assert_eq!(
        after.file("/root/.docker/config.json").unwrap().mode(),
        Some(0o600)
    );
    // It is the user's then: a patch without the option does not take it away.
    assert_eq!(
        text(
            &patched(&after, &Options::default()),
            "/root/.docker/config.json"
        ),
        secret
    );
}

#[test]
fn what_cannot_be_patched() {
    let mut config = stock("era-b");
    config
        .apply(&Edit::RemoveFile {
            path: INSTALL.to_owned(),
        })
        .unwrap();
    let error = plan(&config, &Options::default()).unwrap_err();
    assert!(
        error.to_string().contains("no bootstrap-in-place config"),
        "{error}"
    );
    for (path, contents, said) in [
        (INSTALL, "#!/bin/bash\nagent install\n", "no line that runs"),
        (
            FCC,
            "storage: {files: []}\n",
            "master-update.fcc:1: `storage` is not written as a block",
        ),
        (FCC, "storage:\n  files: [\n", "is not YAML"),
        (
            FCC,
            "# snoforge: begin\nstorage:\n  files:\n",
            "without its partner",
        ),
        (
            "/etc/containers/registries.conf",
            "[registries.search]\nregistries = []\n",
            "version 1",
        ),
    ] {
        let mut config = stock("era-b");
        let contents = Secret(contents.as_bytes().to_vec());
        config
            .apply(&Edit::SetContents {
                path: path.to_owned(),
                contents,
            })
            .unwrap();
        let error = plan(&config, &Options::default()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Butane files of other shapes than the installer's.
#[test]
fn butane_files_that_people_edited() {
    for fcc in [
        "variant: fcos\nversion: 1.1.0\n",
        "variant: fcos\nstorage:\n  trees:\n    - local: x\n      path: /x\n# the end\n",
        "systemd:\n  units:\n  - name: a.service\n    contents: |\n      [Unit]\n      # not a comment of YAML\n\nstorage:\n  files:\n  - path: /a # first\n\n    mode: 0555\n  # of b\n  - mode: 0644\n    path: \"/b\"\n\n# last\n",
        "storage:\n    files:\n        - path: /usr/local/bin/snoforge-data\n          mode: 0755\n        - path: /etc/hostname\n          contents:\n            inline: old\nsystemd:\n    units: # none\n",
    ] {
        let mut config = stock("era-a");
        let contents = Secret(fcc.as_bytes().to_vec());
        config
            .apply(&Edit::SetContents {
                path: FCC.to_owned(),
                contents,
            })
            .unwrap();
        let once = patched(&config, &full());
        let document: serde_json::Value = serde_saphyr::from_str(&text(&once, FCC)).unwrap();
        let files = document["storage"]["files"].as_array().unwrap();
        assert_eq!(
            files.iter().filter(|f| f["path"] == SCRIPT).count(),
            1,
            "{fcc}"
        );
        assert_eq!(
            files
                .iter()
                .filter(|f| f["path"] == "/etc/hostname")
                .count(),
            1,
            "{fcc}"
        );
        assert!(document["systemd"]["units"].as_array().unwrap().len() >= 2);
        for line in fcc.lines().filter(|l| l.trim_start().starts_with('#')) {
            assert!(text(&once, FCC).lines().any(|l| l == line), "{line}");
        }
        assert_eq!(patched(&once, &full()).render(), once.render(), "{fcc}");
    }
}

fn any_options() -> impl Strategy<Value = Options> {
    let label = "[a-z0-9][a-z0-9._-]{0,12}";
    (
        proptest::option::of("[a-z][a-z0-9]{0,8}(\\.[a-z]{1,5}){0,2}"),
        any::<bool>(),
        label,
        proptest::option::of(label),
        proptest::collection::vec("[a-z]{1,5}\\.example", 0..3),
        proptest::option::of("[ -~\n]{0,40}"),
        proptest::collection::vec(
            "(quay\\.io|r\\.example:5000)/[a-z]{1,4}(/[a-z]{1,4})?",
            0..4,
        ),
    )
        .prop_map(
            |(hostname, copy, label, save_partlabel, ntp, motd, sources)| Options {
                installation_disk: copy.then(|| "/dev/disk/by-id/wwn-0x1".to_owned()),
                hostname,
                loader: if copy { Loader::Copy } else { Loader::Registry },
                label,
                save_partlabel,
                ntp,
                motd,
                pull_secret: None,
                sources,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn twice_is_once_and_the_last_options_win(
        era in 0..3_usize,
        first in any_options(),
        second in any_options(),
    ) {
        let before = stock(ERAS[era]);
        let once = patched(&before, &second);
        prop_assert_eq!(patched(&once, &second).render(), once.render());
        prop_assert!(plan(&once, &second).unwrap().edits.is_empty());
        let over = patched(&patched(&before, &first), &second);
        prop_assert_eq!(over.render(), once.render());
    }
}
