//! Damaged sources, full and busy destinations, directories that overlap.

use snoforge::exec;
use snoforge::progress::Silent;
use snoforge::store::{CopyPlan, Store, StoreError};

use super::{flip_a_bit, skipped, source};

#[test]
fn a_damaged_source_blob_lands_nowhere() {
    let source = source();
    let layer = &source.images[0].blobs[2].0;
    flip_a_bit(&source.store().blob_path(&layer.digest));
    let report = source.copy(&["a", "b"]);
    assert_eq!(report.refused.len(), 1);
    assert!(report.refused[0].path.ends_with(layer.digest.hex()));
    assert_eq!(report.refused[0].images, ["registry.example/ns/docker:1"]);
    for name in ["a", "b"] {
        let store = Store::open(&source.at(name)).unwrap();
        assert_eq!(store.blob_size(&layer.digest).unwrap(), None);
        assert!(!store.partial_path(&layer.digest).exists());
        let names: Vec<_> = store
            .read_index()
            .unwrap()
            .into_iter()
            .map(|e| e.label())
            .collect();
        assert_eq!(
            names,
            ["registry.example/ns/list:1", "registry.example/ns/oci:1"]
        );
    }
    // Repaired at the source, the next run completes the copies.
    fs_err::write(
        source.store().blob_path(&layer.digest),
        &source.images[0].blobs[2].1,
    )
    .unwrap();
    assert!(source.copy(&["a", "b"]).refused.is_empty());
    source.assert_whole(&source.at("a"));
    source.assert_whole(&source.at("b"));
}

#[test]
fn missing_short_and_unparsable_ones_are_named_too() {
    let source = source();
    let store = source.store();
    let (gone, short) = (&source.images[0].blobs[2].0, &source.images[1].blobs[2].0);
    fs_err::remove_file(store.blob_path(&gone.digest)).unwrap();
    let path = store.blob_path(&short.digest);
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let report = source.copy(&["a"]);
    let mut reasons: Vec<_> = report.refused.iter().map(|r| r.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.iter().any(|r| r.contains("bytes instead of")),
        "{reasons:?}"
    );
    assert!(
        Store::open(&source.at("a"))
            .unwrap()
            .read_index()
            .unwrap()
            .is_empty()
    );

    flip_a_bit(&store.blob_path(&source.images[0].manifest.descriptor().digest));
    let report = source.copy(&["a"]);
    let named: Vec<_> = report.refused.iter().flat_map(|r| &r.images).collect();
    assert!(
        named.iter().any(|n| *n == "registry.example/ns/docker:1"),
        "{named:?}"
    );
}

/// A small filesystem of its own that goes away with the test.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn new(at: std::path::PathBuf, mib: u32) -> Self {
        fs_err::create_dir_all(&at).unwrap();
        let size = format!("size={mib}m");
        let args = ["-t", "tmpfs", "-o", &size, "tmpfs", at.to_str().unwrap()];
        exec::run("mount", &args).unwrap();
        Self(at)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = exec::run("umount", &[&self.0]);
    }
}

#[test]
fn a_full_disk_does_not_stop_the_others() {
    if skipped(true, &["mount"]) {
        return;
    }
    let source = super::source_of(24 << 20);
    let small = Tmpfs::new(source.at("small"), 8);
    let filled = Tmpfs::new(source.at("filled"), 64);
    let roots = ["a", "small", "filled", "b"].map(|name| source.at(name));
    let plan = CopyPlan::new(&source.root(), &roots).unwrap();
    let refused = plan.targets()[1].error.as_ref().unwrap();
    assert!(matches!(refused, StoreError::NoSpace { .. }), "{refused}");
    // Somebody else fills it after the plan.
    fs_err::write(filled.0.join("other"), vec![1; 50 << 20]).unwrap();
    let report = plan.run(&Silent, &|| false);
    let errors: Vec<bool> = report
        .destinations
        .iter()
        .map(|d| d.error.is_some())
        .collect();
    assert_eq!(errors, [false, true, true, false]);
    assert!(report.destinations[2].error.as_ref().unwrap().is_full());
    assert_eq!(
        fs_err::read_dir(&small.0).unwrap().count(),
        0,
        "nothing was written"
    );
    source.assert_whole(&source.at("a"));
    source.assert_whole(&source.at("b"));
    assert!(!filled.0.join("oci/index.json").exists());
    // With room again it goes on.
    fs_err::remove_file(filled.0.join("other")).unwrap();
    let rest = source.copy(&["filled"]);
    assert!(rest.destinations[0].settled, "{rest:?}");
}

#[test]
fn a_busy_destination_is_left_out_and_a_busy_source_refused() {
    let source = source();
    let busy = Store::create(&source.at("busy")).unwrap();
    let held = busy.lock().unwrap();
    let report = source.copy(&["busy", "a"]);
    let error = report.destinations[0].error.as_ref().unwrap();
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    source.assert_whole(&source.at("a"));
    drop(held);
    let _downloading = source.store().lock().unwrap();
    let refused = CopyPlan::new(&source.root(), &[source.at("b")]).unwrap_err();
    assert!(matches!(refused, StoreError::Busy(_)), "{refused}");
}

#[test]
fn overlapping_directories_are_refused() {
    let source = source();
    std::os::unix::fs::symlink(source.root(), source.at("link")).unwrap();
    fs_err::create_dir(source.at("a")).unwrap();
    let table: [&[&str]; 7] = [
        &["source"],
        &["link"],
        &["source/oci"],
        &["source/new"],
        &["."],
        &["a", "a"],
        &["a", "a/../a/b"],
    ];
    for names in table {
        let roots: Vec<_> = names.iter().map(|name| source.at(name)).collect();
        let refused = CopyPlan::new(&source.root(), &roots);
        assert!(
            matches!(refused, Err(StoreError::Overlap { .. })),
            "{names:?}"
        );
    }
}
