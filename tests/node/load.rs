//! `node load` and `node status`.

use snoforge::oci::Digest;

use super::data::{Data, OPERATOR, RELEASE, TAGGED};
use super::{Machine, skipped};

const ETCD: &str = "openshift/release:4.13.1-x86_64-etcd";
const POD: &str = "openshift/release:4.13.1-x86_64-pod";

fn load<'a>(data: &'a Data, group: &'a str) -> Vec<&'a str> {
    vec!["load", "--folder", data.folder(), "--group", group]
}

#[test]
fn every_form_of_image_under_its_own_name_and_only_once() {
    if skipped() {
        return;
    }
    let (data, machine) = (Data::new(), Machine::new());
    let (code, document, said) = machine.node(&load(&data, "ocp"));
    assert_eq!((code, &document["loaded"]), (0, &4.into()), "{said}");
    for image in &data.inventory.images {
        let name = image.source.to_string();
        assert!(machine.exists(&name), "{name}");
        assert!(said.contains(&format!("load: {name}\n")), "{said}");
        let args = [
            "images",
            "--filter",
            &format!("reference={name}"),
            "--format",
            "json",
        ];
        let listed: serde_json::Value =
            serde_json::from_slice(&machine.good("podman", &args)).unwrap();
        let names = listed[0]["Names"].as_array().unwrap();
        assert!(names.contains(&name.as_str().into()), "{listed}");
        let source = format!("containers-storage:{name}");
        let raw = machine.good("skopeo", &["inspect", "--raw", &source]);
        assert_eq!(Digest::of(&raw), image.manifest.digest, "{name}");
    }
    assert!(machine.exists(&format!("{TAGGED}:v1")));
    assert!(
        !machine.exists(&format!("{RELEASE}:4.13.1-x86_64-etcd")),
        "a tag of the live stage"
    );
    let (code, document, _) = machine.node(&load(&data, "ocp"));
    assert_eq!(
        (code, &document["loaded"], &document["present"]),
        (0, &0.into(), &4.into())
    );

    // The live stage has tags beside the digests; the images themselves are there.
    let (code, document, said) = machine.node(&load(&data, "ai"));
    assert_eq!((code, &document["loaded"]), (0, &2.into()), "{said}");
    for tag in [
        format!("{RELEASE}:4.13.1-x86_64-etcd"),
        format!("{OPERATOR}:7a58d3f6"),
    ] {
        assert!(machine.exists(&tag), "{tag}");
    }
    let (_, document, _) = machine.node(&load(&data, "ai"));
    assert_eq!(
        (&document["loaded"], &document["present"]),
        (&0.into(), &2.into())
    );
}

/// Changes one byte of a file and gives back what it was.
fn damage(path: &std::path::Path) -> Vec<u8> {
    let good = fs_err::read(path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs_err::write(path, &bad).unwrap();
    good
}

/// Why an image was not loaded.
fn reason<'a>(document: &'a serde_json::Value, image: &str) -> &'a str {
    let mut failed = document["failed"].as_array().unwrap().iter();
    let entry = failed.find(|entry| entry["image"] == image).unwrap();
    entry["reason"].as_str().unwrap()
}

#[test]
fn a_damaged_blob_fails_its_image_only_and_the_next_run_goes_on() {
    if skipped() {
        return;
    }
    let (data, machine) = (Data::new(), Machine::new());
    let (damaged, missing) = (data.own_layer(ETCD), data.own_layer(POD));
    let good = damage(&damaged);
    fs_err::rename(&missing, missing.with_extension("gone")).unwrap();

    let args = [load(&data, "ocp"), vec!["--attempts", "2"]].concat();
    let (code, document, said) = machine.node(&args);
    assert_eq!((code, &document["loaded"]), (8, &2.into()), "{said}");
    let (etcd, pod) = (
        data.find(ETCD).source.to_string(),
        data.find(POD).source.to_string(),
    );
    assert!(
        reason(&document, &etcd).to_lowercase().contains("digest"),
        "{}",
        reason(&document, &etcd)
    );
    assert!(
        reason(&document, &pod).ends_with("is not in the store"),
        "{}",
        reason(&document, &pod)
    );
    assert!(
        said.contains(&format!("{etcd}: try 1 of 2 failed, again in 1 s")),
        "{said}"
    );
    assert!(
        !said.contains(&format!("{pod}: try 1")),
        "no retry brings it: {said}"
    );
    assert!(said.contains("error: 2 images not loaded\nhint:"), "{said}");

    let status = [
        "status",
        "--folder",
        data.folder(),
        "--listen",
        "127.0.0.1:9",
    ];
    let (code, document, _) = machine.node(&status);
    assert_eq!((code, &document["registry"]["ok"]), (8, &false.into()));
    let group = &document["groups"]["ocp"];
    assert_eq!(
        (&group["images"], &group["loaded"], &group["served"]),
        (&4.into(), &2.into(), &0.into())
    );
    assert_eq!(group["missing"].as_array().unwrap().len(), 2);

    fs_err::write(&damaged, &good).unwrap();
    fs_err::rename(missing.with_extension("gone"), &missing).unwrap();
    let (code, document, said) = machine.node(&args);
    assert_eq!(
        (code, &document["loaded"], &document["present"]),
        (0, &2.into(), &2.into()),
        "{said}"
    );
    assert_eq!(
        machine.node(&[&status[..], &["--group", "ocp"]].concat()).0,
        0
    );
}

#[test]
fn what_is_no_data_directory() {
    let machine = Machine::new();
    let empty = machine.path("empty");
    fs_err::create_dir(&empty).unwrap();
    let empty = super::text(&empty);
    let output = machine.tool(
        env!("CARGO_BIN_EXE_snoforge"),
        &["node", "load", "--folder", empty, "--group", "ai"],
    );
    assert_eq!(output.status.code(), Some(2));
    let (code, document, _) =
        machine.node(&["status", "--folder", empty, "--listen", "127.0.0.1:9"]);
    assert_eq!(code, 8);
    assert_eq!(document["store"]["ok"], false);
    assert!(
        document["store"]["reason"]
            .as_str()
            .unwrap()
            .contains("is not a snoforge data directory")
    );
}
