//! Whether a target takes an image: one difference, one finding, in lifecycle-agent's words.

use serde_json::{Value, json};
use snoforge::oci::{Descriptor, Digest, media_type};
use snoforge::seed::facts::{Answer, paths};
use snoforge::seed::image::{Info, SeedImage, compare};
use snoforge::seed::preflight::Purpose;

use crate::facts::{CONFIG, Raw, collect, first, healthy};
use crate::golden;

/// The example of the data folder, as an image that a healthy target on 4.18.20 takes.
fn image(edit: impl FnOnce(&mut Value)) -> SeedImage {
    let mut value: Value = serde_json::from_str(&golden("seed-manifest-example.json")).unwrap();
    value["container_storage_mountpoint_target"] = json!("/dev/disk/by-partlabel/varlibcontainers");
    edit(&mut value);
    let info: Info = serde_json::from_value(value).unwrap();
    SeedImage {
        reference: "quay.io/a/seed:t".parse().unwrap(),
        digest: Digest::of(b""),
        architecture: "amd64".to_owned(),
        created: String::new(),
        layer: Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b""), 0),
        diff_id: None,
        format: Some("4".to_owned()),
        info_text: None,
        info: Some(info),
        findings: Vec::new(),
    }
}

fn target() -> Raw {
    let mut raw = healthy();
    first(&mut raw, paths::VERSION)["status"]["desired"]["version"] = json!("4.18.20");
    raw
}

fn user_ca() -> Answer {
    Answer::Object(
        json!({"metadata": {"name": "user-ca-bundle"}, "data": {"ca-bundle.crt": "-----BEGIN"}}),
    )
}

#[test]
fn the_version_gate_is_lifecycle_agents() {
    let table: Value = serde_json::from_str(&golden("ocp_version_gate.json")).unwrap();
    for case in table["cases"].as_array().unwrap() {
        let mut raw = target();
        first(&mut raw, paths::VERSION)["status"]["desired"]["version"] = table["target"].clone();
        let image = image(|info| info["seed_cluster_ocp_version"] = case["seed"].clone());
        let found = compare(&image, &collect(&raw), Purpose::Upgrade);
        let messages: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
        let expected: Vec<_> = case["err"].as_str().into_iter().collect();
        assert_eq!(messages, expected, "{case}");
        assert!(compare(&image, &collect(&raw), Purpose::Install).is_empty());
    }
}

type Spoil = (&'static str, fn(&mut Value), fn(&mut Raw), &'static str);

#[test]
fn one_difference_is_one_finding() {
    let none = |_: &mut Value| ();
    assert_eq!(
        compare(&image(none), &collect(&target()), Purpose::Upgrade),
        []
    );
    let rows: &[Spoil] = &[
        (
            "proxy",
            |i| i["has_proxy"] = json!(true),
            |_| (),
            "seed image has a proxy but the cluster being upgraded does not, this combination is not supported",
        ),
        (
            "proxy",
            |_| (),
            |r| first(r, paths::PROXY)["spec"]["noProxy"] = json!(".x"),
            "seed image does not have a proxy but the cluster being upgraded does, this combination is not supported",
        ),
        (
            "fips",
            |i| i["has_fips"] = json!(true),
            |_| (),
            "seed image has FIPS enabled but the cluster being upgraded does not, this combination is not supported",
        ),
        (
            "fips",
            |_| (),
            |r| first(r, CONFIG)["spec"]["fips"] = json!(true),
            "seed image does not have FIPS enabled but the cluster being upgraded does, this combination is not supported",
        ),
        (
            "trust-bundle",
            |i| i["additionalTrustBundle"]["hasUserCaBundle"] = json!(true),
            |_| (),
            "seed image has an openshift-config/user-ca-bundle configmap but the cluster being upgraded does not, this combination is not supported",
        ),
        (
            "trust-bundle",
            |_| (),
            |r| drop(r.insert(paths::USER_CA.to_owned(), user_ca())),
            "seed image does not have an openshift-config/user-ca-bundle configmap but the cluster being upgraded does, this combination is not supported",
        ),
        (
            "trust-bundle",
            |i| i["additionalTrustBundle"]["proxyConfigmapName"] = json!("a"),
            |_| (),
            "seed image's Proxy trustedCA configmap name \"a\" (oc get proxy -oyaml) mismatches cluster's name \"\", this combination is not supported",
        ),
        (
            "container-storage",
            |i| {
                i["container_storage_mountpoint_target"] =
                    json!("/dev/disk/by-partlabel/var-lib-containers");
            },
            |_| (),
            "container storage mountpoint target mismatch: seed=/dev/disk/by-partlabel/var-lib-containers, cluster=/dev/disk/by-partlabel/varlibcontainers",
        ),
        (
            "ip-family",
            |i| i["node_ips"] = json!(["fd00::5"]),
            |_| (),
            "the seed is IPv6, the target IPv4",
        ),
        (
            "ip-family",
            |i| i["node_ips"] = json!(["10.0.0.1", "fd00::5"]),
            |_| (),
            "the seed is dual-stack, the target IPv4",
        ),
        (
            "topology",
            |_| (),
            |r| {
                first(r, paths::INFRASTRUCTURE)["status"]["infrastructureTopology"] =
                    json!("HighlyAvailable");
            },
            "the target is `HighlyAvailable`, not SingleReplica",
        ),
        (
            "architecture",
            |_| (),
            |r| first(r, paths::NODES)["status"]["nodeInfo"]["architecture"] = json!("arm64"),
            "the image is for amd64, the target is arm64",
        ),
    ];
    for (rule, seed, cluster, message) in rows {
        let mut raw = target();
        cluster(&mut raw);
        let found = compare(&image(seed), &collect(&raw), Purpose::Upgrade);
        assert_eq!(found.len(), 1, "{message}: {found:#?}");
        assert_eq!(
            (found[0].rule, found[0].message.as_str()),
            (*rule, *message)
        );
    }
    // What old images do not say is not compared.
    let old = image(|i| {
        let map = i.as_object_mut().unwrap();
        for key in [
            "additionalTrustBundle",
            "container_storage_mountpoint_target",
            "node_ips",
        ] {
            map.remove(key);
        }
        map.insert("node_ip".to_owned(), json!("10.20.30.9"));
    });
    assert_eq!(compare(&old, &collect(&target()), Purpose::Upgrade), []);
}

#[test]
fn what_the_target_does_not_tell_is_a_finding() {
    for path in [
        paths::VERSION,
        paths::PROXY,
        paths::USER_CA,
        paths::NODES,
        paths::INFRASTRUCTURE,
        CONFIG,
    ] {
        let mut raw = target();
        raw.insert(path.to_owned(), Answer::Error("timeout".to_owned()));
        let found = compare(&image(|_| ()), &collect(&raw), Purpose::Upgrade);
        assert!(
            found.iter().any(|f| f.message.contains("do not tell")),
            "{path}: {found:#?}"
        );
    }
}
