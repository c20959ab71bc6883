//! Configs that people have booted.

use serde_json::Value;
use snoforge::ignition::inspect::{self, Era};
use snoforge::ignition::lint::{self, Severity};
use snoforge::ignition::{Config, diff, fit};

use crate::{shared, snoforge};

#[test]
fn finds_what_is_wrong_in_the_hand_patched_config() {
    let Some(path) = shared("bip-4.13.1-patched-by-hand.ign") else {
        return;
    };
    let bytes = fs_err::read(&path).unwrap();
    let config = Config::parse(&bytes).unwrap();
    let found: Vec<_> = lint::lint(&config, Some(262_144))
        .into_iter()
        .map(|f| (f.severity, f.pointer, f.message))
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    for (index, file) in [
        "/usr/local/bin/extract-ai.sh",
        "/opt/openshift/bootstrap-in-place/extract-ocp.sh",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(
            found[index],
            (
                Severity::Warning,
                format!("/storage/files/{index}/mode"),
                format!("mode of file {file} is decimal 755, which is 01363"),
            )
        );
    }
    assert!(found[2].2.contains("agent.service"));

    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(config.render(), serde_json::to_vec(&value).unwrap());
    let overview = inspect::inspect(&config);
    assert_eq!((overview.files.len(), overview.units.len()), (105, 12));
    let bip = overview.bootstrap_in_place.unwrap();
    assert_eq!(bip.era, Era::B);
    assert_eq!(bip.install_disk.as_deref(), Some("/dev/sda"));
    let image = "quay.io/openshift-release-dev/ocp-release@sha256:9c92b5ec203ee7f81626cc4e9f02086484056a76548961e5895916f136302b1f";
    assert_eq!(bip.release_image.as_deref(), Some(image));
    assert_eq!(bip.pull_secret_registries, None, "it was blanked");

    let out = snoforge(&["ignition", "validate", path.to_str().unwrap(), "--strict"]).unwrap_err();
    assert!(
        out.starts_with("2: ") && out.contains("write 493 when 0755 was meant"),
        "{out}"
    );
    snoforge(&["ignition", "validate", path.to_str().unwrap()]).unwrap();
}

#[test]
fn the_ladder_on_the_hand_patched_config() {
    let Some(path) = shared("bip-4.13.1-patched-by-hand.ign") else {
        return;
    };
    let bytes = fs_err::read(&path).unwrap();
    let config = Config::parse(&bytes).unwrap();
    let fitted = fit::fit(&bytes, &config, 1, &fit::packed_size);
    // live-iso.md section 2.1: 14,336 bytes as it is, 9,880 to 10,080 re-encoded.
    let before = fit::packed_size(&bytes);
    assert!((13_500..15_500).contains(&before), "{before}");
    assert!((9_500..10_500).contains(&fitted.packed_bytes), "{fitted:?}");
    let after = Config::parse(&fitted.bytes).unwrap();
    assert_eq!(diff::diff(&config, &after), []);
}

#[test]
fn the_upstream_samples_are_clean() {
    for name in ["dest.ign", "dest-2.ign", "live.ign", "live-2.ign"] {
        let Some(path) = shared(name) else {
            return;
        };
        let config = Config::parse(&fs_err::read(&path).unwrap()).unwrap();
        assert_eq!(lint::lint(&config, Some(262_144)), [], "{name}");
        assert_eq!(inspect::era(&config), None, "{name}");
        let json = snoforge(&[
            "ignition",
            "inspect",
            path.to_str().unwrap(),
            "--output",
            "json",
        ])
        .unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["version"], "3.3.0");
        assert_eq!(json["units"][0]["enabled"], true);
    }
}
