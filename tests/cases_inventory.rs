//! The inventory against real image sets: the golden run of 4.13.1, the tags of real mapping files, telco-ran-tools' split.
//!
//! The data lies beside the checkout (`../shared/data/imagesets`); without it these tests say so and pass.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "support/memory.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use snoforge::config::filter::ImageFilter;
use snoforge::config::imageset;
use snoforge::inventory::views::Texts;
use snoforge::inventory::{
    GraphSource, Inputs, Keyring, Resolved, Services, SignatureCheck, mapping, resolve, tags,
};
use snoforge::oci::Digest;
use snoforge::progress::Silent;
use support::{Fake, Pack, Shelf, layer, shared};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|l| !l.is_empty()).collect()
}

/// Every file below a directory as `(path in the image, contents)`.
fn files(root: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<_> = std::fs::read_dir(root).unwrap().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &name, found);
        } else {
            found.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
}

/// The registries of the golden run. The real digests cannot be made again, so the fake serves other bytes under them.
fn golden_source(root: &Path) -> Fake {
    let mut fake = Fake::default();
    let any = fake.image(
        &json!({"architecture": "amd64", "os": "linux"}),
        vec![layer(Pack::Plain, &[("f", b"x")])],
    );
    fake.any_digest = Some(any);
    let release = root.join("release/release-manifests");
    let made = fake.payload(
        "quay.io/openshift-release-dev/ocp-release",
        &std::fs::read(release.join("image-references")).unwrap(),
        &std::fs::read(release.join("release-metadata")).unwrap(),
    );
    let payload = fake.manifest_of(&made);
    fake.name("quay.io/openshift-release-dev/ocp-release@sha256:9c92b5ec203ee7f81626cc4e9f02086484056a76548961e5895916f136302b1f", &payload);
    for name in ["redhat-operator-index", "certified-operator-index"] {
        let mut found = Vec::new();
        files(
            &root.join(format!("catalogs/{name}-v4.13/configs")),
            "configs",
            &mut found,
        );
        let found: Vec<(&str, &[u8])> = found
            .iter()
            .map(|(n, c)| (n.as_str(), c.as_slice()))
            .collect();
        let base = layer(Pack::Gzip, &[("usr/bin/opm", b"elf")]);
        fake.catalog(
            &format!("registry.redhat.io/redhat/{name}:v4.13"),
            vec![base, layer(Pack::Gzip, &found)],
        );
    }
    fake
}

async fn golden_run(root: &Path, fake: &Fake) -> Resolved {
    let yaml = text(&root.join("imageset.yaml"));
    let parsed = imageset::parse("imageset.yaml", &yaml).unwrap();
    let check = SignatureCheck::WhenAvailable {
        now_unix: 0,
        keyring: Keyring::red_hat(),
    };
    let mut inputs = Inputs::new(parsed.imageset, Digest::of(yaml.as_bytes()), check);
    inputs.graph = GraphSource::File {
        name: "graph.json".to_owned(),
        bytes: std::fs::read(root.join("graph-stable-4.13-amd64.json"))
            .unwrap()
            .into(),
    };
    let services = Services {
        source: fake,
        documents: &Shelf::default(),
        reporter: &Silent,
    };
    resolve(&inputs, services).await.unwrap()
}

#[tokio::test]
async fn golden_4_13_1() {
    let Some(root) = shared("golden-e2e/4.13.1") else {
        return;
    };
    let fake = golden_source(&root);
    let resolved = golden_run(&root, &fake).await;
    let texts = Texts::of(&resolved.inventory);
    let expected = text(&root.join("mapping.txt"));
    assert_eq!(lines(&texts.mapping), lines(&expected));
    assert_eq!(lines(&texts.mapping).len(), 320);
    for (ours, name) in [(&texts.ai, "ai-images.txt"), (&texts.ocp, "ocp-images.txt")] {
        assert_eq!(lines(ours), lines(&text(&root.join(name))), "{name}");
    }
    assert!(texts.ignored.is_empty());
    // Answers of the fake come in changing order; the bytes do not change.
    let again = golden_run(&root, &fake).await;
    assert_eq!(again.inventory.render(), resolved.inventory.render());
}

#[test]
fn tags_of_the_case_file() {
    let Some(path) = shared("cases/mapping-tags.examples.json") else {
        return;
    };
    let cases: Value = serde_json::from_str(&text(&path)).unwrap();
    let mut count = 0;
    for case in cases["cases"].as_array().unwrap() {
        let source = case["source"].as_str().unwrap().parse().unwrap();
        let expected = format!(
            "{}:{}",
            case["dest_repo"].as_str().unwrap(),
            case["tag"].as_str().unwrap()
        );
        assert_eq!(tags::operator_destination(&source), expected);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn split_of_the_case_file() {
    let Some(path) = shared("cases/telco-split.json") else {
        return;
    };
    let cases: Value = serde_json::from_str(&text(&path)).unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        for (source, name) in case["expect"]["artifacts"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let ours = snoforge::store::artefact_name(source) + ".tgz";
            assert_eq!(Some(ours.as_str()), name.as_str(), "{id}");
        }
        let Some(mapping) = case["mapping"].as_str() else {
            continue;
        };
        let filter =
            ImageFilter::parse("case", &json!({"patterns": case["filters"]}).to_string()).unwrap();
        let expect = &case["expect"];
        // What a filter takes out is known even where the whole mapping is not given.
        for line in expect["ignored_lines"].as_array().into_iter().flatten() {
            let (source, destination) = line.as_str().unwrap().split_once('=').unwrap();
            assert!(filter.matches(source, destination), "{id}: {source}");
        }
        let Some(file) = shared(mapping) else {
            continue;
        };
        check_split(id, &file, &filter, expect);
    }
}

fn check_split(id: &str, file: &Path, filter: &ImageFilter, expect: &Value) {
    let parsed = mapping::parse(&text(file)).unwrap();
    let texts = Texts::of_mapping(&parsed, filter, &BTreeSet::new());
    let count = |t: &str| Value::from(t.lines().count());
    assert_eq!(count(&texts.ai), expect["ai"], "{id}: ai");
    assert_eq!(count(&texts.ocp), expect["ocp"], "{id}: ocp");
    assert_eq!(count(&texts.ignored), expect["ignored"], "{id}: ignored");
    assert_eq!(Value::from(parsed.len()), expect["total"], "{id}: total");
    if let Some(ignored) = expect["ignored_lines"].as_array() {
        let ignored: BTreeSet<&str> = ignored.iter().map(|l| l.as_str().unwrap()).collect();
        assert_eq!(lines(&texts.ignored), ignored, "{id}");
    }
}

/// The 4.13.1 lists, from the mapping alone and through every filter of the case file.
#[test]
fn split_of_4_13_1() {
    let Some(root) = shared("4.13.1") else { return };
    let parsed = mapping::parse(&text(&root.join("mapping.txt"))).unwrap();
    let none = BTreeSet::new();
    let texts = Texts::of_mapping(&parsed, &ImageFilter::default(), &none);
    assert_eq!(lines(&texts.ai), lines(&text(&root.join("ai-images.txt"))));
    assert_eq!(
        lines(&texts.ocp),
        lines(&text(&root.join("ocp-images.txt")))
    );
    assert_eq!(
        lines(&texts.mapping),
        lines(&text(&root.join("mapping.txt")))
    );
    let filtered = |pattern: &str| {
        let yaml = json!({"patterns": [pattern]}).to_string();
        let filter = ImageFilter::parse("f", &yaml).unwrap();
        let texts = Texts::of_mapping(&parsed, &filter, &none);
        let count = |t: &str| t.lines().count();
        (
            count(&texts.ai),
            count(&texts.ocp),
            count(&texts.ignored),
            count(&texts.mapping),
        )
    };
    assert_eq!(filtered(".*"), (0, 0, 320, 0));
    assert_eq!(filtered("^quay\\W"), (3, 134, 184, 136));
    assert_eq!(filtered("openshift/release-images"), (17, 317, 1, 319));
    assert_eq!(filtered("thisimagedoesnotexist"), (18, 318, 0, 320));
    let ai =
        BTreeSet::from(["registry.redhat.io/lvms4/lvms-operator-bundle@sha256:aba7".to_owned()]);
    let same = Texts::of_mapping(&parsed, &ImageFilter::default(), &ai);
    assert_eq!(
        same.ai, texts.ai,
        "an --ai-img that is in no line changes nothing"
    );
}
