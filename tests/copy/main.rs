//! One data directory onto others: with skopeo, full disks, kills and damage.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test stops at the first broken invariant, and says why it skips"
)]

mod cli;
mod faults;
#[path = "../support/images.rs"]
mod images;
mod kill;

use std::path::{Path, PathBuf};

use images::{Family, Image, image, index, noise, put, tar};
use snoforge::exec;
use snoforge::oci::Reference;
use snoforge::progress::Silent;
use snoforge::store::{CopyPlan, CopyReport, Expected, IndexEntry, Store};

/// A data directory with two images that share a layer, and an index over one of them.
struct Source {
    dir: tempfile::TempDir,
    images: Vec<Image>,
    expected: Expected,
}

fn source() -> Source {
    source_of(3 << 20)
}

fn source_of(shared: usize) -> Source {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("source");
    let store = Store::create(&root).unwrap();
    let base = tar(&[("bin/large", &noise(1, shared))]);
    let docker = image(
        Family::Docker,
        "amd64",
        &[base.clone(), tar(&[("a", &noise(2, 9000))])],
    );
    let oci = image(Family::Oci, "amd64", &[base, tar(&[("a", b"oci")])]);
    let list = index(Family::Oci, &[&oci]);
    let name = |text: &str| text.parse::<Reference>().unwrap();
    let entry = |text, raw: &snoforge::oci::RawManifest| {
        IndexEntry::new(&name(text), raw.descriptor().clone())
    };
    let entries = [
        entry("registry.example/ns/docker:1", &docker.manifest),
        entry("registry.example/ns/oci:1", &oci.manifest),
        entry("registry.example/ns/list:1", &list),
    ];
    for image in [&docker, &oci] {
        put(&store, image);
    }
    store.put_manifest(&list).unwrap();
    store.replace_index(entries).unwrap();
    for (path, text) in [
        ("inventory.json", "{}\n"),
        ("mapping.txt", "a=b\n"),
        ("files/deep/rootfs.img", "not small"),
        ("bin/snoforge", "#!/bin/sh\n"),
        ("files/half.partial", "no"),
        ("files/.assets/rhcos-live.x86_64.iso", "no"),
        (".hidden", "no"),
    ] {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    mode(&root.join("bin/snoforge"), 0o755);
    let images = vec![docker, oci];
    let blobs = images.iter().flat_map(|i| &i.blobs);
    let blobs = blobs.map(|(d, _)| (d.digest.clone(), d.size));
    let manifests = images.iter().map(|i| &i.manifest).chain([&list]);
    let manifests = manifests.map(|m| m.descriptor().clone());
    Source {
        expected: Expected::new(blobs, manifests),
        images,
        dir,
    }
}

impl Source {
    fn root(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn store(&self) -> Store {
        Store::open(&self.root()).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn copy(&self, names: &[&str]) -> CopyReport {
        let roots: Vec<PathBuf> = names.iter().map(|name| self.at(name)).collect();
        let plan = CopyPlan::new(&self.root(), &roots).unwrap();
        plan.run(&Silent, &|| false)
    }

    /// Asserts that a destination is whole, byte for byte, and has nothing else.
    #[track_caller]
    fn assert_whole(&self, root: &Path) {
        let store = Store::open(root).unwrap();
        let report = store.verify(&self.expected, snoforge::store::Depth::Deep, &Silent);
        let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, Vec::<String>::new());
        for path in [
            "oci/index.json",
            "inventory.json",
            "mapping.txt",
            "bin/snoforge",
            "files/deep/rootfs.img",
        ] {
            let [ours, theirs] = [&self.root(), root].map(|r| fs_err::read(r.join(path)).unwrap());
            assert!(ours == theirs, "{path}");
        }
        assert!(!root.join(".hidden").exists() && !root.join("files/half.partial").exists());
        assert!(!root.join("files/.assets").exists());
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::remove_file(path).unwrap();
    fs_err::write(path, bytes).unwrap();
}

/// `true`, and a word on stderr, when the test cannot run here.
fn skipped(needs_root: bool, tools: &[&str]) -> bool {
    if needs_root && !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return true;
    }
    let missing = |name: &&&str| exec::run("which", &[**name]).is_err();
    if let Some(name) = tools.iter().find(missing) {
        eprintln!("skipped: `{name}` is not installed");
        return true;
    }
    false
}

#[test]
fn a_copy_is_the_same_and_the_next_run_does_nothing() {
    let source = source();
    let first = source.copy(&["a"]);
    let a = source.at("a");
    source.assert_whole(&a);
    let outcome = &first.destinations[0];
    assert!(outcome.settled && outcome.error.is_none() && first.refused.is_empty());
    assert_eq!(outcome.copied.1, outcome.bytes_verified);
    assert_eq!(outcome.copied.1, first.bytes_read);
    let meta = fs_err::metadata(a.join("bin/snoforge")).unwrap();
    let original = fs_err::metadata(source.root().join("bin/snoforge")).unwrap();
    assert_eq!(meta.permissions(), original.permissions());
    assert_eq!(meta.modified().unwrap(), original.modified().unwrap());

    let index = fs_err::metadata(a.join("oci/index.json")).unwrap();
    let again = source.copy(&["a"]);
    assert_eq!(
        (again.bytes_read, again.destinations[0].copied),
        (0, (0, 0))
    );
    assert_eq!(again.destinations[0].skipped, outcome.copied);
    let after = fs_err::metadata(a.join("oci/index.json")).unwrap();
    assert_eq!(after.modified().unwrap(), index.modified().unwrap());

    // One blob goes, one file and one text change: those are written, and nothing else.
    let layer = &source.images[0].blobs[2].0;
    fs_err::remove_file(Store::open(&a).unwrap().blob_path(&layer.digest)).unwrap();
    fs_err::write(a.join("files/deep/rootfs.img"), "otherwise").unwrap();
    fs_err::write(a.join("mapping.txt"), "c=d\n").unwrap();
    let repaired = source.copy(&["a"]);
    assert_eq!(repaired.destinations[0].copied, (2, layer.size + 9));
    source.assert_whole(&a);
}

#[test]
fn skopeo_reads_the_copy() {
    if skipped(false, &["skopeo"]) {
        return;
    }
    let source = source();
    source.copy(&["a"]);
    let layout = source.at("a").join("oci");
    let from = format!("oci:{}:registry.example/ns/oci:1", layout.display());
    let to = format!("dir:{}", source.at("taken").display());
    exec::run("skopeo", &["--insecure-policy", "copy", &from, &to]).unwrap();
    let manifest = fs_err::read(source.at("taken/manifest.json")).unwrap();
    assert!(manifest == source.images[1].manifest.bytes()[..]);
}

#[test]
fn a_partial_goes_on_where_it_stopped() {
    let source = source();
    let (layer, bytes) = &source.images[0].blobs[1];
    let a = Store::create(&source.at("a")).unwrap();
    fs_err::write(a.partial_path(&layer.digest), &bytes[..1_234_567]).unwrap();
    let report = source.copy(&["a", "b"]);
    source.assert_whole(&source.at("a"));
    source.assert_whole(&source.at("b"));
    let [a, b] = &report.destinations[..] else {
        panic!()
    };
    assert_eq!(b.bytes_written - a.bytes_written, 1_234_567);
    assert_eq!(
        report.bytes_read, b.bytes_written,
        "the source is read once"
    );
}

#[test]
fn stopped_it_keeps_what_it_has() {
    let source = source();
    let plan = CopyPlan::new(&source.root(), &[source.at("a")]).unwrap();
    let asked = std::sync::atomic::AtomicU32::new(0);
    let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2;
    let report = plan.run(&Silent, &stop);
    assert!(report.interrupted && !report.destinations[0].settled);
    let a = source.at("a");
    assert!(!a.join("oci/index.json").exists() && !a.join("inventory.json").exists());
    let rest = source.copy(&["a"]);
    assert_eq!(report.bytes_read, 2 << 20);
    assert!(rest.destinations[0].bytes_written + (2 << 20) == rest.bytes_read);
    source.assert_whole(&a);
}

#[test]
fn a_delta_has_what_the_base_lacks_and_makes_it_whole() {
    let source = source();
    source.copy(&["site", "other"]);
    let layers = source.images[0].blobs.iter().map(|(d, _)| &d.digest);
    let gone: Vec<_> = layers.take(1).cloned().collect();
    let site = Store::open(&source.at("site")).unwrap();
    for digest in &gone {
        fs_err::remove_file(site.blob_path(digest)).unwrap();
    }
    let delta = source.at("delta");
    let plan = CopyPlan::delta(&source.root(), &source.at("site"), &delta).unwrap();
    assert!(plan.targets()[0].left_out.1 > 0);
    assert!(plan.run(&Silent, &|| false).destinations[0].settled);
    let made = Store::open(&delta).unwrap();
    let report = made.verify(&source.expected, snoforge::store::Depth::Deep, &Silent);
    assert_eq!(report.findings, [], "what it leaves out is not missing");
    for (blob, _) in source.images.iter().flat_map(|image| &image.blobs) {
        let there = made.blob_path(&blob.digest).exists();
        assert_eq!(there, gone.contains(&blob.digest), "{}", blob.digest);
    }
    let again = CopyPlan::delta(&source.root(), &source.at("site"), &delta).unwrap();
    assert_eq!(again.run(&Silent, &|| false).bytes_read, 0);

    // Elsewhere it is refused, before anything is written.
    let plan = CopyPlan::new(&delta, &[source.at("site"), source.at("new")]).unwrap();
    let refused = plan.targets()[1].error.as_ref();
    assert!(matches!(
        refused,
        Some(snoforge::store::StoreError::NotTheBase { .. })
    ));
    let report = plan.run(&Silent, &|| false);
    assert_eq!(report.refused, []);
    assert!(report.destinations[0].settled && !source.at("new").exists());
    source.assert_whole(&source.at("site"));
    assert!(!source.at("site/delta.json").exists());

    // A disk that is whole already takes it too; a delta made whole is a delta no more.
    let plan = CopyPlan::new(&delta, &[source.at("other")]).unwrap();
    assert!(plan.run(&Silent, &|| false).destinations[0].settled);
    source.assert_whole(&source.at("other"));
    source.copy(&["delta"]);
    source.assert_whole(&delta);
    assert!(!delta.join("delta.json").exists());
}
