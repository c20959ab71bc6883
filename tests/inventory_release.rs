//! Finding release payloads: by graph, by tag, by name; and what is said when they are not there.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/memory.rs"]
mod support;

use serde_json::json;
use snoforge::config::imageset;
use snoforge::inventory::{
    Category, Documents, GraphSource, Inputs, InventoryError, Keyring, Offline, Resolved, Services,
    SignatureCheck, resolve,
};
use snoforge::oci::Digest;
use snoforge::progress::Silent;
use support::{Fake, Shelf};

const PAYLOADS: &str = "quay.io/openshift-release-dev/ocp-release";
const SERVICE: &str = "https://api.openshift.com/api/upgrades_info/v1/graph";

fn inputs(channels: &str) -> Inputs {
    let yaml = format!(
        "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror:\n  platform:\n    channels:\n{channels}"
    );
    let parsed = imageset::parse("imageset.yaml", &yaml).unwrap();
    let check = SignatureCheck::WhenAvailable {
        now_unix: 0,
        keyring: Keyring::red_hat(),
    };
    Inputs::new(parsed.imageset, Digest::of(yaml.as_bytes()), check)
}

fn exact(version: &str) -> Inputs {
    inputs(&format!(
        "    - name: stable-4.13\n      minVersion: {version}\n      maxVersion: {version}\n"
    ))
}

/// Payloads of two versions, for amd64 by tag and digest.
fn registry() -> (Fake, Vec<String>) {
    let mut fake = Fake::default();
    let mut made = Vec::new();
    for version in ["4.13.1", "4.13.2"] {
        let component = fake.small("quay.io/o/component");
        let references = json!({"kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "metadata": {"name": version},
            "spec": {"tags": [{"name": "pod", "from": {"kind": "DockerImage", "name": component}}]}});
        let pinned = fake.payload(
            PAYLOADS,
            references.to_string().as_bytes(),
            b"{\"kind\":\"other\",\"version\":\"\"}",
        );
        let manifest = fake.manifest_of(&pinned);
        fake.name(&format!("{PAYLOADS}:{version}-x86_64"), &manifest);
        made.push(pinned);
    }
    (fake, made)
}

fn graph(payloads: &[String]) -> Vec<u8> {
    json!({"nodes": [{"version": "4.13.1", "payload": payloads[0]}, {"version": "4.13.2", "payload": payloads[1]}], "edges": [[0, 1]]})
        .to_string()
        .into_bytes()
}

async fn run(
    fake: &Fake,
    documents: &dyn Documents,
    inputs: &Inputs,
) -> Result<Resolved, InventoryError> {
    let services = Services {
        source: fake,
        documents,
        reporter: &Silent,
    };
    resolve(inputs, services).await
}

fn versions(resolved: &Resolved) -> Vec<String> {
    let releases = resolved.inventory.releases.iter();
    releases
        .map(|r| format!("{}-{} {}", r.version, r.architecture, r.payload))
        .collect()
}

fn failure(error: InventoryError) -> InventoryError {
    match error {
        InventoryError::Incomplete { mut failures, .. } if failures.len() == 1 => {
            failures.remove(0)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_graph_is_asked_once_per_channel() {
    let (fake, payloads) = registry();
    let mut shelf = Shelf::default();
    let url = format!("{SERVICE}?arch=amd64&channel=stable-4.13");
    shelf.documents.insert(url.clone(), graph(&payloads).into());
    let resolved = run(
        &fake,
        &shelf,
        &inputs("    - name: stable-4.13\n      full: true\n"),
    )
    .await
    .unwrap();
    let expected = [
        format!("4.13.1-x86_64 {}", payloads[0]),
        format!("4.13.2-x86_64 {}", payloads[1]),
    ];
    assert_eq!(versions(&resolved), expected);
    let asked = shelf
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|u| **u == url)
        .count();
    assert_eq!(asked, 1);
    // Heads only, as the image set says nothing else.
    let head = run(&fake, &shelf, &inputs("    - name: stable-4.13\n"))
        .await
        .unwrap();
    assert_eq!(versions(&head), expected[1..]);
}

#[tokio::test]
async fn without_a_graph_an_exact_version_is_found_by_tag() {
    let (fake, payloads) = registry();
    let asked = exact("4.13.1");
    let resolved = run(&fake, &Offline, &asked).await.unwrap();
    assert_eq!(
        versions(&resolved),
        [format!("4.13.1-x86_64 {}", payloads[0])]
    );
    assert!(
        resolved.warnings[0]
            .contains("taken from quay.io/openshift-release-dev/ocp-release:4.13.1-x86_64"),
        "{:?}",
        resolved.warnings
    );
    let by_digest = resolved
        .inventory
        .images
        .iter()
        .all(|i| i.source.tag().is_none());
    assert!(by_digest, "a tag is never a source");
    let range = failure(
        run(
            &fake,
            &Offline,
            &inputs("    - name: stable-4.13\n      minVersion: 4.13.1\n"),
        )
        .await
        .unwrap_err(),
    );
    assert_eq!(range.category(), Category::Input);
    assert!(range.to_string().contains("channel stable-4.13"), "{range}");
    // A version that nobody has.
    let gone = failure(run(&fake, &Offline, &exact("4.13.77")).await.unwrap_err());
    assert!(
        gone.to_string().contains("ocp-release:4.13.77-x86_64"),
        "{gone}"
    );
}

#[tokio::test]
async fn a_version_that_the_channel_does_not_have() {
    let (fake, payloads) = registry();
    let mut asked = exact("4.13.9");
    asked.graph = GraphSource::File {
        name: "graph.json".to_owned(),
        bytes: graph(&payloads).into(),
    };
    let error = failure(run(&fake, &Offline, &asked).await.unwrap_err());
    assert_eq!(error.hint().unwrap(), "nearest versions: 4.13.1, 4.13.2");
    assert!(error.place().unwrap().line > 0);
    assert_eq!(error.category(), Category::Input);
    // -r asks for that version wherever it is; the channel is only where it is looked for first.
    asked.release = Some("4.13.1".to_owned());
    let resolved = run(&fake, &Offline, &asked).await.unwrap();
    assert_eq!(
        versions(&resolved),
        [format!("4.13.1-x86_64 {}", payloads[0])]
    );
    asked.graph = GraphSource::File {
        name: "graph.json".to_owned(),
        bytes: br#"{"nodes":[{"version":"4.13.5","payload":"quay.io/a/b:c"}],"edges":[]}"#
            .to_vec()
            .into(),
    };
    let resolved = run(&fake, &Offline, &asked).await.unwrap();
    assert_eq!(
        versions(&resolved),
        [format!("4.13.1-x86_64 {}", payloads[0])]
    );
    asked.release = Some("4.13".to_owned());
    let error = failure(run(&fake, &Offline, &asked).await.unwrap_err());
    assert!(
        error
            .to_string()
            .contains("`4.13` is not a release version"),
        "{error}"
    );
    asked.release = None;
    asked.graph = GraphSource::File {
        name: "graph.json".to_owned(),
        bytes: b"<html>".to_vec().into(),
    };
    let error = run(&fake, &Offline, &exact("4.13.1")).await;
    assert!(error.is_ok());
    let broken = failure(run(&fake, &Offline, &asked).await.unwrap_err());
    assert!(broken.to_string().contains("graph.json"), "{broken}");
}

#[tokio::test]
async fn a_wrong_signature_keeps_the_release_out() {
    let (fake, payloads) = registry();
    let digest = payloads[0].split_once("@sha256:").unwrap().1.to_owned();
    let mut shelf = Shelf::default();
    let store = "https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release";
    shelf.documents.insert(
        format!("{store}/sha256={digest}/signature-1"),
        b"no signature".to_vec().into(),
    );
    let mut asked = exact("4.13.1");
    asked.graph = GraphSource::None;
    let error = run(&fake, &shelf, &asked).await.unwrap_err();
    assert_eq!(error.category(), Category::Verification);
    let InventoryError::Incomplete { partial, .. } = error else {
        panic!()
    };
    assert!(partial.inventory.images.is_empty());
    asked.signature = SignatureCheck::Skip;
    let resolved = run(&fake, &shelf, &asked).await.unwrap();
    assert_eq!(resolved.inventory.images.len(), 2);
}
