//! `ignition create` with a stand-in for openshift-install: what it gets and what stays.

use std::path::Path;

use serde_json::Value;

use super::desk::{Desk, FILES, IGNITION, mode};
use super::images::{Family, image};
use super::installer;
use super::world::{Is, World, constant, layer};

/// The stand-in with places for a release, as the real one has them.
fn with_places(python: &Path) -> Vec<u8> {
    let places = ["IMAGE", "VERSION"].map(|word| {
        let mark = format!("#{word}");
        [mark.as_bytes(), &constant(word)].concat()
    });
    installer::standin(python, &places.concat())
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
