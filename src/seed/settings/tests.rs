//! One file, and what is wrong in it at its place.

use super::*;
use crate::config::model::At;

const GOOD: &str = "apiVersion: snoforge.io/v1\nkind: Seed\ncluster:\n  name: mysno\n  domain: sno.cluster-domain.com\n  nodeIP: 10.20.30.5\ndnsmasq: {wave: 7}\npartition: {device: /dev/disk/by-id/x, startMiB: 60000, diskSize: 200GiB}\nimage:\n  seedImage: quay.io/a/seed:4.18.27\n  authfile: auth.json\nupgrade: {version: 4.18.27, oadpContent: [openshift-adp/oadp-cm]}\n";

#[test]
fn one_file_gives_everything() {
    let settings = Settings::parse("seed.yaml", GOOD).unwrap();
    assert_eq!(settings.cluster().unwrap().0.name(), "mysno");
    assert_eq!(settings.wave().unwrap().unwrap().to_string(), "7");
    assert_eq!(settings.disk_bytes().unwrap(), Some(200 << 30));
    assert_eq!(settings.text("authfile"), Some(("auth.json", true)));
    assert_eq!(settings.upgrade().unwrap().oadp_content.len(), 1);
    let mut settings = settings;
    settings.set("wave", ["101".to_owned()]);
    assert_eq!(
        settings.located(&settings.wave().unwrap_err()).at,
        At::default()
    );
}

#[test]
fn the_sample_is_right_and_names_every_field() {
    let sample = include_str!("../../../templates/seed/seed.yaml");
    let settings = Settings::parse("templates/seed/seed.yaml", sample).unwrap();
    assert!(settings.upgrade().is_ok() && settings.partition().is_ok());
    let disk = settings.disk_bytes().unwrap();
    assert_eq!(settings.partition().unwrap().lints(disk), []);
    let left_out = ["hub-kubeconfig", "upgrade-image"];
    for (_, key, field, _) in FIELDS {
        assert!(settings.has(field) || left_out.contains(&field), "{key}");
    }
}

/// What is changed, into what, and what is said first.
const WRONG: [(&str, &str, &str); 14] = [
    (
        "v1\n",
        "v2\n",
        "seed.yaml:1:13: `apiVersion` is not snoforge.io/v1",
    ),
    (
        "name: mysno",
        "name: My_Sno",
        "seed.yaml:4:9: name `My_Sno` is refused",
    ),
    (
        "  nodeIP",
        "  nodeIp",
        "seed.yaml:6:3: unknown field `nodeIp`",
    ),
    (
        "10.20.30.5",
        "10.20.30.500",
        "seed.yaml:6:11: ip `10.20.30.500` is refused",
    ),
    (
        "wave: 7",
        "wave: 101",
        "seed.yaml:7:17: wave `101` is refused",
    ),
    (
        "wave: 7",
        "wave: [7]",
        "seed.yaml:7:17: `wave` is no text or number",
    ),
    (
        "60000",
        "0x10",
        "seed.yaml:8:50: start-mib `0x10` is refused",
    ),
    (
        "200GiB",
        "much",
        "seed.yaml:8:67: disk-size `much` is refused",
    ),
    (
        "seed:4.18.27",
        "seed",
        "seed.yaml:10:14: seed-image `quay.io/a/seed` is refused",
    ),
    (
        "kind: Seed\n",
        "kind: Seed\nkind: Seed\n",
        "seed.yaml:3:1: the key `kind` is there already",
    ),
    (
        "cluster:",
        "clusters:",
        "seed.yaml:3:1: unknown field `clusters`",
    ),
    (
        "[openshift-adp/oadp-cm]",
        "[oadp-cm]",
        "seed.yaml:12:43: oadp-content `oadp-cm` is refused",
    ),
    ("upgrade: {", "upgrade: {{", "seed.yaml:12:"),
    (
        "wave: 7",
        "guarded: maybe",
        "seed.yaml:7:20: guarded `maybe` is refused",
    ),
];

#[test]
fn what_is_wrong_has_its_place() {
    for (from, to, expected) in WRONG {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let findings = Settings::parse("seed.yaml", &text).unwrap_err();
        let first = findings[0].to_string();
        assert!(first.starts_with(expected), "{to}: {first}");
    }
    for (text, bytes) in [
        ("200G", Some(200 << 30)),
        ("1TB", Some(1_000_000_000_000)),
        ("5", Some(5)),
        ("", None),
        ("-1G", None),
        ("1.5T", None),
        ("99999999999T", None),
    ] {
        assert_eq!(disk_size(text), bytes, "{text}");
    }
}
