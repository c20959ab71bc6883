//! Resolving image sets against a source in memory: releases, catalogs of several layers, lists, failures, mappings.
#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test stops at what it did not expect, and its table may be long"
)]

#[path = "support/memory.rs"]
mod support;

use serde_json::json;
use snoforge::config::filter::ImageFilter;
use snoforge::config::imageset;
use snoforge::inventory::catalog::model::Catalog;
use snoforge::inventory::lock::{Group, Inventory, Origin, Signature};
use snoforge::inventory::{
    Category, GraphSource, Inputs, InventoryError, Keyring, Options, Resolved, Services,
    SignatureCheck, Summary, diff, from_mapping, mapping, read_catalog, resolve, views,
};
use snoforge::oci::{Digest, Reference};
use snoforge::progress::Silent;
use support::{
    Fake, Fault, INDEX, PAYLOADS, Pack, Shelf, WORLD, layer, package, references, world,
};

fn inputs(yaml: &str) -> Inputs {
    let parsed = imageset::parse("imageset.yaml", yaml).unwrap();
    let check = SignatureCheck::WhenAvailable {
        now_unix: 0,
        keyring: Keyring::red_hat(),
    };
    let mut inputs = Inputs::new(parsed.imageset, Digest::of(yaml.as_bytes()), check);
    inputs.graph = GraphSource::None;
    inputs
}

fn yaml(mirror: &str) -> String {
    format!(
        "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror:\n{mirror}"
    )
}

async fn run(fake: &Fake, inputs: &Inputs) -> Result<Resolved, InventoryError> {
    let services = Services {
        source: fake,
        documents: &Shelf::default(),
        reporter: &Silent,
    };
    resolve(inputs, services).await
}

fn parts(error: InventoryError) -> (Vec<InventoryError>, Resolved) {
    match error {
        InventoryError::Incomplete { failures, partial } => (failures, *partial),
        other => panic!("{other}"),
    }
}

fn destinations(inventory: &Inventory) -> Vec<&str> {
    inventory
        .images
        .iter()
        .map(|i| i.destination.as_str())
        .collect()
}

#[tokio::test]
async fn a_whole_image_set() {
    let world = world();
    let mut asked = inputs(&yaml(WORLD));
    asked.options.ai_images = vec!["quay.io/tools/tools:v2".parse().unwrap()];
    let resolved = run(&world.fake, &asked).await.unwrap();
    let inventory = &resolved.inventory;
    let source: Reference = world.list.parse().unwrap();
    let list_line = snoforge::inventory::tags::operator_destination(&source);
    let mut expected = vec![
        "openshift/release-images:4.13.1-x86_64",
        "openshift/release:4.13.1-x86_64-etcd",
        "op/bundle:v1",
        &list_line,
        "tools/tools:v2",
    ];
    let mut got = destinations(inventory);
    expected.sort_unstable();
    got.sort_unstable();
    assert_eq!(
        got, expected,
        "the last of two components with one digest gives the tag"
    );
    let by = |destination: &str| {
        inventory
            .images
            .iter()
            .find(|i| i.destination == destination)
            .unwrap()
    };
    assert_eq!(by("openshift/release:4.13.1-x86_64-etcd").origins.len(), 2);
    let bundle = by("op/bundle:v1");
    assert_eq!(
        bundle.requested.as_deref(),
        Some("registry.example.com/op/bundle:v1")
    );
    assert!(bundle.source.digest().is_some() && bundle.source.tag().is_none());
    assert!(
        matches!(&bundle.origins[..], [Origin::Operator { package, channels, .. }] if package == "nfd" && channels == &["stable"])
    );
    assert_eq!(by("tools/tools:v2").groups, [Group::Ai]);
    let listed = by(&list_line);
    assert_eq!(listed.source, source, "a list keeps its digest");
    assert_eq!(listed.contents.len(), 1);
    assert_eq!(
        listed.contents[0].platform.as_ref().unwrap().architecture,
        "amd64"
    );
    let release = &inventory.releases[0];
    assert_eq!(release.payload.to_string(), world.payload);
    assert!(matches!(release.signature, Signature::Unavailable { .. }));
    assert!(
        resolved
            .warnings
            .iter()
            .any(|w| w.contains("signature not checked"))
    );
    for image in &inventory.images {
        for blob in image.blobs() {
            assert!(inventory.blobs.contains_key(blob), "{blob}");
        }
    }
    // Bytes: written, read back, and the same from another run.
    let bytes = inventory.render();
    assert_eq!(&Inventory::parse(&bytes).unwrap(), inventory);
    let again = run(&world.fake, &asked).await.unwrap();
    assert_eq!(again.inventory.render(), bytes);
    let newer = String::from_utf8(bytes).unwrap().replacen(
        "\"format\": 1",
        "\"format\": 2, \"more\": 0",
        1,
    );
    assert!(
        Inventory::parse(newer.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("newer")
    );
}

#[tokio::test]
async fn architectures() {
    let world = world();
    let mut asked =
        inputs(&yaml("  additionalImages:\n  - name: LIST\n").replace("LIST", &world.list));
    let count = |r: &Resolved| r.inventory.images[0].contents.len();
    asked.options.architectures = vec!["arm64".into(), "amd64".into(), "arm64".into()];
    assert_eq!(count(&run(&world.fake, &asked).await.unwrap()), 2);
    asked.options.architectures = vec!["amd64".into(), "s390x".into()];
    let some = run(&world.fake, &asked).await.unwrap();
    assert_eq!(count(&some), 1);
    assert!(
        some.warnings[0].contains("not available for s390x"),
        "{:?}",
        some.warnings
    );
    asked.options.architectures = vec!["s390x".into()];
    let (failures, _) = parts(run(&world.fake, &asked).await.unwrap_err());
    assert!(
        failures[0]
            .to_string()
            .contains("no linux/s390x in it (it has linux/amd64, linux/arm64"),
        "{}",
        failures[0]
    );
    asked.options.all_architectures = true;
    assert_eq!(count(&run(&world.fake, &asked).await.unwrap()), 3);
}

#[tokio::test]
async fn one_failure_does_not_hide_the_others() {
    let mut world = world();
    let gone = format!("quay.io/gone/gone@sha256:{}", "0".repeat(64));
    let mirror = format!("{WORLD}  - name: {gone}\n  - name: quay.io/no/tag:v9\n  - name: quay.io/blocked/x:v9\n  blockedImages:\n  - name: quay.io/blocked\n")
        .replace("minVersion: 4.13.0", "minVersion: 4.13.9")
        .replace("maxVersion: 4.13.0", "maxVersion: 4.13.9");
    let broken = world.fake.manifest_of(&world.payload);
    let digest = broken.parse().unwrap();
    let snoforge::oci::Manifest::Image { layers, .. } = digest else {
        panic!()
    };
    world.fake.fault(&layers[1].digest, Fault::Breaks);
    let error = run(&world.fake, &inputs(&yaml(&mirror))).await.unwrap_err();
    assert_eq!(error.category(), Category::Remote);
    let (failures, partial) = parts(error);
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 4, "{texts:#?}");
    assert!(texts[0].contains("connection reset"), "{texts:#?}");
    assert_eq!(
        texts[1],
        format!("nfd version 4.13.9 not found in channel stable: Catalog {INDEX}")
    );
    assert!(failures[1].hint().unwrap().contains("4.13.0"));
    assert!(failures[1].place().unwrap().line > 0);
    assert!(
        texts[2].contains("quay.io/no/tag:v9") && texts[3].contains(&gone),
        "{texts:#?}"
    );
    assert_eq!(destinations(&partial.inventory), ["tools/tools:v2"]);
}

#[tokio::test]
async fn a_package_of_which_nothing_is_left() {
    let mut world = world();
    let image = world.fake.small("q.io/a/b");
    let two = package("two", &["2.0.0"], &[&image]);
    let nfd = package("nfd", &["4.13.0"], &[&image]);
    let files: [(&str, &[u8]); 2] = [("configs/two/c.json", &two), ("configs/nfd/c.json", &nfd)];
    world.fake.catalog(INDEX, vec![layer(Pack::Gzip, &files)]);
    let mirror = format!(
        "  operators:\n  - catalog: {INDEX}\n    packages:\n    - name: nfd\n    - name: two\n      minVersion: 1.0.0\n      maxVersion: 1.5.0\n"
    );
    let (failures, partial) = parts(run(&world.fake, &inputs(&yaml(&mirror))).await.unwrap_err());
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].to_string().contains("two"), "{}", failures[0]);
    assert!(failures[0].hint().is_some() && failures[0].place().is_some());
    assert_eq!(
        partial.inventory.images.len(),
        1,
        "the other package is there"
    );
}

async fn catalog_of(
    fake: &Fake,
    cache: Option<&std::path::Path>,
) -> Result<Catalog, InventoryError> {
    let services = Services {
        source: fake,
        documents: &Shelf::default(),
        reporter: &Silent,
    };
    read_catalog(services, INDEX, cache)
        .await
        .map(|(_, catalog)| catalog)
}

fn names(catalog: &Catalog) -> Vec<&str> {
    catalog.packages.iter().map(|p| p.name.as_str()).collect()
}

#[tokio::test]
async fn layers_are_applied_bottom_up() {
    let pkg = |name: &str| package(name, &["1.0.0"], &["q.io/a/b:1"]);
    let (a, b, c, d) = (pkg("a"), pkg("b"), pkg("c"), pkg("d"));
    let all: Vec<(&str, &[u8])> = vec![
        ("etc/passwd", b"not a catalog"),
        ("configs/a/catalog.json", &a),
        ("configs/b/catalog.json", &b),
        ("configs/c/one.json", &c),
    ];
    let base = layer(Pack::Gzip, &all);
    let table: Vec<(Vec<u8>, Vec<&str>)> = vec![
        (
            layer(Pack::Zstd, &[("configs/a/catalog.json", &d)]),
            vec!["d", "b", "c"],
        ),
        (
            layer(Pack::Plain, &[("configs/b/.wh.catalog.json", b"")]),
            vec!["a", "c"],
        ),
        (
            layer(Pack::Plain, &[("configs/.wh.b", b"")]),
            vec!["a", "c"],
        ),
        (
            layer(
                Pack::Gzip,
                &[(".wh.configs", b""), ("configs/d/x.json", &d)],
            ),
            vec!["d"],
        ),
        (
            layer(
                Pack::Gzip,
                &[("configs/.wh..wh..opq", b""), ("configs/d/x.json", &d)],
            ),
            vec!["d"],
        ),
        (
            layer(
                Pack::Gzip,
                &[(".wh..wh..opq", b""), ("configs/d/x.json", &d)],
            ),
            vec!["d"],
        ),
        // A whiteout that stands behind the file of the same layer hides the lower layer's only.
        (
            layer(
                Pack::Gzip,
                &[("configs/d/x.json", &d), ("configs/.wh..wh..opq", b"")],
            ),
            vec!["d"],
        ),
        (
            layer(
                Pack::Gzip,
                &[
                    ("configs/a/catalog.json", &d),
                    ("configs/a/.wh.catalog.json", b""),
                ],
            ),
            vec!["d", "b", "c"],
        ),
        (
            layer(Pack::Gzip, &[("configs/.indexignore", b"b/\n")]),
            vec!["a", "c"],
        ),
        // A file where a directory was.
        (layer(Pack::Gzip, &[("configs/a", &d)]), vec!["d", "b", "c"]),
        (
            layer(
                Pack::Gzip,
                &[("configsx/.wh.a", b""), ("other/.wh.configs", b"")],
            ),
            vec!["a", "b", "c"],
        ),
    ];
    for (upper, expected) in table {
        let mut fake = Fake::default();
        fake.catalog(INDEX, vec![base.clone(), upper]);
        assert_eq!(names(&catalog_of(&fake, None).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn wrong_bytes_are_asked_for_elsewhere_and_then_refused() {
    let base = layer(
        Pack::Gzip,
        &[(
            "configs/a/c.json",
            &package("a", &["1.0.0"], &["q.io/a/b:1"]),
        )],
    );
    let mut fake = Fake::default();
    let digest = Digest::of(&base);
    fake.catalog(INDEX, vec![base]);
    fake.fault(&digest, Fault::WrongOnce);
    assert_eq!(names(&catalog_of(&fake, None).await.unwrap()), ["a"]);
    assert_eq!(fake.requests(&format!("blob {digest}")), 2);
    fake.fault(&digest, Fault::WrongAlways);
    let error = catalog_of(&fake, None).await.unwrap_err();
    assert_eq!(error.category(), Category::Verification);
    assert!(
        error.to_string().contains("wrong bytes from two"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_file_based_catalog() {
    let mut fake = Fake::default();
    for (labels, expected, category) in [
        (
            json!({"operators.operatorframework.io.index.database.v1": "/db"}),
            "sqlite catalog",
            Category::Unsupported,
        ),
        (json!({}), "not an operator catalog", Category::Remote),
        (json!(null), "not an operator catalog", Category::Remote),
    ] {
        let image = fake.image(
            &json!({"config": {"Labels": labels}}),
            vec![layer(Pack::Plain, &[("x", b"")])],
        );
        fake.name(INDEX, &image);
        fake.push("registry.example.com/redhat/index", &image);
        let error = catalog_of(&fake, None).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.category(), category);
    }
    fake.catalog(
        INDEX,
        vec![layer(
            Pack::Plain,
            &[("configs/a/c.json", b"{\"name\":\"x\"}")],
        )],
    );
    let error = catalog_of(&fake, None).await.unwrap_err();
    assert!(error.to_string().contains("a/c.json"), "{error}");
    // YAML is held whole while it is parsed, so there is a bound to it; a gzip bomb ends here.
    let bomb = vec![b'\n'; 40 << 20];
    fake.catalog(
        INDEX,
        vec![layer(Pack::Gzip, &[("configs/a/c.yaml", &bomb)])],
    );
    let error = catalog_of(&fake, None).await.unwrap_err();
    assert!(
        error.to_string().contains("a/c.yaml is too large"),
        "{error}"
    );
    // A tar that ends in the middle, under the right digest.
    let whole = layer(
        Pack::Plain,
        &[(
            "configs/a/c.json",
            &package("a", &["1.0.0"], &["q.io/a/b:1"]),
        )],
    );
    fake.catalog(INDEX, vec![whole[..700].to_vec()]);
    let error = catalog_of(&fake, None).await.unwrap_err();
    assert!(matches!(error, InventoryError::Layer { .. }), "{error}");
}

#[tokio::test]
async fn a_catalog_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let mut fake = Fake::default();
    fake.catalog(
        INDEX,
        vec![layer(
            Pack::Gzip,
            &[(
                "configs/a/c.json",
                &package("a", &["1.0.0"], &["q.io/a/b:1"]),
            )],
        )],
    );
    let first = catalog_of(&fake, Some(&cache)).await.unwrap();
    let blobs = fake.requests("blob");
    assert_eq!(blobs, 2);
    assert_eq!(catalog_of(&fake, Some(&cache)).await.unwrap(), first);
    assert_eq!(
        fake.requests("blob"),
        blobs,
        "the second time the tag is asked for, nothing else"
    );
    let file = std::fs::read_dir(&cache)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    snoforge::io::atomic::write(&file, b"{\"packages\":[]").unwrap();
    assert_eq!(catalog_of(&fake, Some(&cache)).await.unwrap(), first);
    assert_eq!(fake.requests("blob"), 2 * blobs);
}

#[tokio::test]
async fn a_local_directory_is_a_catalog() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("a")).unwrap();
    let file = directory.path().join("a/catalog.json");
    let mut fake = Fake::default();
    let image = fake.small("q.io/a/b");
    snoforge::io::atomic::write(&file, &package("a", &["1.0.0"], &[&image])).unwrap();
    let mirror = format!(
        "  operators:\n  - catalog: file://{}\n",
        directory.path().display()
    );
    let asked = inputs(&yaml(&mirror));
    let resolved = run(&fake, &asked).await.unwrap();
    assert_eq!(resolved.inventory.images.len(), 1);
    let before = resolved.inventory.catalogs[0].digest.clone();
    snoforge::io::atomic::write(&file, &package("a", &["1.0.1"], &[&image])).unwrap();
    let changed = run(&fake, &asked).await.unwrap();
    assert_ne!(changed.inventory.catalogs[0].digest, before);
}

#[tokio::test]
async fn payloads() {
    let mut fake = Fake::default();
    let component = fake.small("quay.io/o/c");
    let good = references("4.14.2", &[("pod", &component)]);
    let payload = |fake: &mut Fake, layers: Vec<Vec<u8>>| {
        let image = fake.image(&json!({"architecture": "arm64"}), layers);
        fake.push(PAYLOADS, &image)
    };
    let file = |contents: &[u8]| {
        layer(
            Pack::Gzip,
            &[("./release-manifests/image-references", contents)],
        )
    };
    let whiteout = layer(
        Pack::Gzip,
        &[("release-manifests/.wh.image-references", b"")],
    );
    let other = layer(Pack::Zstd, &[("usr/share/x", b"x")]);
    let ask = |image: &str| {
        let mut asked = inputs(&yaml("  additionalImages:\n"));
        asked.release_image = Some(image.parse().unwrap());
        asked
    };
    // The uppermost one counts, layers above without it do not matter.
    let old = references("4.14.1", &[("pod", &component)]);
    let image = payload(&mut fake, vec![file(&old), file(&good), other.clone()]);
    let resolved = run(&fake, &ask(&image)).await.unwrap();
    let mut got = destinations(&resolved.inventory);
    got.sort_unstable();
    assert_eq!(
        got,
        [
            "openshift/release-images:4.14.2-aarch64",
            "openshift/release:4.14.2-aarch64-pod"
        ]
    );
    let mut wrong_version = ask(&image);
    wrong_version.release = Some("4.14.1".to_owned());
    let (failures, _) = parts(run(&fake, &wrong_version).await.unwrap_err());
    assert!(
        failures[0].to_string().contains("4.14.1 was asked for"),
        "{}",
        failures[0]
    );
    // Removed by an upper layer, or never there.
    for layers in [vec![file(&good), whiteout], vec![other]] {
        let image = payload(&mut fake, layers);
        let (failures, _) = parts(run(&fake, &ask(&image)).await.unwrap_err());
        assert!(
            failures[0]
                .to_string()
                .contains("no release-manifests/image-references"),
            "{}",
            failures[0]
        );
    }
    // A list is a multi payload; its amd64 image is read.
    let image = payload(&mut fake, vec![file(&good)]);
    let single = fake.manifest_of(&image);
    let list = Fake::list(&[("arm64", &single), ("amd64", &single)]);
    let list = fake.push(PAYLOADS, &list);
    let resolved = run(&fake, &ask(&list)).await.unwrap();
    assert_eq!(resolved.inventory.releases[0].architecture, "multi");
    assert!(destinations(&resolved.inventory).contains(&"openshift/release:4.14.2-multi-pod"));
}

#[tokio::test]
async fn mappings() {
    let world = world();
    let resolved = run(&world.fake, &inputs(&yaml(WORLD))).await.unwrap();
    let text = views::Texts::of(&resolved.inventory).mapping;
    let lines = mapping::parse(&text).unwrap();
    let services = Services {
        source: &world.fake,
        documents: &Shelf::default(),
        reporter: &Silent,
    };
    let mut options = Options {
        filter: ImageFilter::parse("f", "patterns: ['^quay.io/tools']").unwrap(),
        ..Options::default()
    };
    let digest = Digest::of(text.as_bytes());
    let from = from_mapping(&lines, &digest, &options, services)
        .await
        .unwrap()
        .inventory;
    assert_eq!(from.images.len(), lines.len() - 1);
    assert_eq!(from.ignored.len(), 1);
    assert!(from.ignored[0].ends_with("=tools/tools:v2"));
    let texts = views::Texts::of(&from);
    let offline =
        views::Texts::of_mapping(&lines, &options.filter, &std::collections::BTreeSet::new());
    assert_eq!(
        texts, offline,
        "online and offline write the same text files"
    );
    options.filter = ImageFilter::default();
    // By tag, while the mapping has the digest.
    options.ai_images = vec!["quay.io/tools/tools:v2".parse().unwrap()];
    let marked = from_mapping(&lines, &digest, &options, services)
        .await
        .unwrap()
        .inventory;
    let tools = marked
        .images
        .iter()
        .find(|i| i.destination == "tools/tools:v2");
    assert_eq!(tools.unwrap().groups, [Group::Ai]);
    assert_eq!(
        marked.images.len(),
        lines.len(),
        "a mapping is taken as it is"
    );
    options.ai_images.clear();
    let all = from_mapping(&lines, &digest, &options, services)
        .await
        .unwrap()
        .inventory;
    assert_eq!(all.blobs, resolved.inventory.blobs);

    let directory = tempfile::tempdir().unwrap();
    views::write_all(directory.path(), &from, Some("yaml")).unwrap();
    let mut written: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(
        written,
        [
            "ai-images.txt",
            "ignored-images.txt",
            "imageset.yaml",
            "inventory.json",
            "mapping.txt",
            "ocp-images.txt"
        ]
    );
    let bytes = std::fs::read(directory.path().join("inventory.json")).unwrap();
    assert_eq!(Inventory::parse(&bytes).unwrap(), from);

    let changes = diff(&from, &all);
    assert_eq!(
        (changes.added.len(), changes.dropped.len(), changes.kept),
        (1, 0, from.images.len())
    );
    assert!(changes.fetch_bytes > 0 && changes.freed_bytes == 0);
    assert_eq!(diff(&all, &from).freed_bytes, changes.fetch_bytes);
}

#[tokio::test]
async fn figures() {
    let world = world();
    let inventory = run(&world.fake, &inputs(&yaml(WORLD)))
        .await
        .unwrap()
        .inventory;
    let summary = Summary::of(&inventory);
    assert_eq!(
        (summary.images, summary.ai_images, summary.ocp_images),
        (5, 2, 5)
    );
    let kinds: Vec<(&str, usize)> = summary
        .kinds
        .iter()
        .map(|k| (k.name.as_str(), k.images))
        .collect();
    assert_eq!(
        kinds,
        [
            ("release 4.13.1 x86_64", 2),
            (INDEX, 2),
            ("additional images", 1)
        ]
    );
    let manifests: u64 = inventory.manifests().values().sum();
    assert_eq!(
        summary.fetch_bytes,
        manifests + inventory.blobs.values().sum::<u64>()
    );
    assert_eq!(summary.disk_bytes % 4096, 0);
    assert!(
        summary.disk_bytes >= summary.fetch_bytes
            && summary.whole_bytes >= inventory.blobs.values().sum()
    );
    let partition = &summary.partition;
    let total = partition.contents_bytes + partition.filesystem_bytes + partition.reserve_bytes;
    assert_eq!(partition.gib, 1);
    assert!(partition.gib << 30 >= total);
}
