//! What verify finds at each depth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use snoforge::oci::{Digest, RawManifest};
use snoforge::progress::{Event, Reporter, Silent};
use snoforge::store::{Depth, Expected, IndexEntry, Problem, Store};

use crate::images::{Family, assemble, gzip, image, put, tar};
use crate::{cut, filled, flip_a_bit, reference};

#[test]
fn an_intact_store_verifies_at_every_depth() {
    let filled = filled();
    for depth in [Depth::Quick, Depth::Digests, Depth::Deep] {
        assert_eq!(filled.verify(depth), [""; 0], "{depth:?}");
    }
    let report = filled
        .store
        .verify(&filled.expected(), Depth::Digests, &Silent);
    let total: u64 = filled.expected().sizes().values().sum();
    assert_eq!(
        (report.bytes_read, report.items),
        (total, filled.expected().digests().len())
    );
}

#[test]
fn every_kind_of_damage_is_found_in_one_run_and_in_order() {
    let filled = filled();
    let (config, base, top) = (filled.blob(0), filled.blob(1), filled.blob(2));
    flip_a_bit(&base);
    cut(&top, 10);
    fs_err::remove_file(&config).unwrap();
    let oci_config = filled.store.blob_path(&filled.oci.blobs[0].0.digest);
    fs_err::remove_file(&oci_config).unwrap();
    std::os::unix::fs::symlink(&oci_config, &oci_config).unwrap();
    let extra = filled.store.blobs_dir().join("0".repeat(64));
    fs_err::write(&extra, b"extra").unwrap();
    fs_err::write(filled.store.blobs_dir().join("README"), b"hm").unwrap();
    fs_err::write(filled.store.partial_dir().join("f".repeat(64)), b"part").unwrap();
    fs_err::write(filled.dir.path().join(".tmp-x"), b"1").unwrap();
    fs_err::write(filled.dir.path().join("mapping.txt"), b"not ours").unwrap();

    let report = filled
        .store
        .verify(&filled.expected(), Depth::Digests, &Silent);
    let relative = |p: &Path| p.strip_prefix(filled.dir.path()).unwrap().to_owned();
    let pairs = report.findings.iter();
    let pairs = pairs.map(|finding| (finding.path.clone(), finding.problem.clone()));
    let found: BTreeMap<PathBuf, Problem> = pairs.collect();
    assert_eq!(found.len(), report.findings.len());
    assert_eq!(found[&relative(&config)], Problem::Missing);
    assert!(matches!(
        found[&relative(&top)],
        Problem::WrongSize { found: 10, .. }
    ));
    assert!(matches!(
        found[&relative(&base)],
        Problem::WrongDigest { .. }
    ));
    let Problem::Unreadable { reason } = &found[&relative(&oci_config)] else {
        panic!("{found:?}")
    };
    assert!(
        reason.contains("symbolic links"),
        "the system's reason: {reason}"
    );
    assert_eq!(found[&relative(&extra)], Problem::Extra { bytes: 5 });
    let partial = PathBuf::from(format!(".partial/{}", "f".repeat(64)));
    assert_eq!(found[&partial], Problem::Unfinished { bytes: 4 });
    assert_eq!(found[Path::new(".tmp-x")], Problem::Extra { bytes: 1 });
    assert_eq!(found.len(), 8, "{:#?}", report.findings);
    assert!(report.findings.is_sorted());
    assert_eq!(
        report,
        filled
            .store
            .verify(&filled.expected(), Depth::Digests, &Silent)
    );

    let quick = filled
        .store
        .verify(&filled.expected(), Depth::Quick, &Silent);
    assert_eq!(
        (quick.findings.len(), quick.bytes_read),
        (7, 0),
        "a wrong digest is not seen by size"
    );
}

#[test]
fn a_damaged_index_and_a_dangling_name_are_found() {
    let filled = filled();
    let gone = image(Family::Oci, "amd64", &[]).manifest;
    let mut entries = filled.store.read_index().unwrap();
    entries.push(IndexEntry::new(
        &reference("q.io/a/b:1"),
        gone.descriptor().clone(),
    ));
    filled.store.replace_index(entries).unwrap();
    let found = filled.verify(Depth::Quick);
    assert_eq!(
        found,
        [format!(
            "oci/blobs/sha256/{}: missing",
            gone.descriptor().digest.hex()
        )]
    );
    fs_err::write(filled.store.layout_dir().join("index.json"), b"[").unwrap();
    let found = filled.verify(Depth::Quick);
    assert!(
        found.len() == 1 && found[0].starts_with("oci/index.json: malformed"),
        "{found:?}"
    );
}

#[test]
fn deep_sees_what_digests_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let content = tar(&[("a", b"content")]);
    let other = Digest::of(b"other");
    let zstd = zstd::encode_all(&content[..], 1).unwrap();
    let good = assemble(
        Family::Oci,
        "amd64",
        vec![
            (zstd, Digest::of(&content)),
            (content.clone(), Digest::of(&content)),
        ],
    );
    let lies = assemble(Family::Docker, "amd64", vec![(gzip(&content), other)]);
    let mut cut = gzip(&content);
    cut.truncate(cut.len() - 6);
    let broken = assemble(Family::Docker, "amd64", vec![(cut, Digest::of(&content))]);
    let text = RawManifest::new("application/vnd.oci.image.manifest.v1+json", "{}".into());
    store.put_manifest(&text).unwrap();
    for image in [&good, &lies, &broken] {
        put(&store, image);
    }
    let blobs = [&good, &lies, &broken].into_iter().flat_map(|i| &i.blobs);
    let manifests = [&good.manifest, &lies.manifest, &broken.manifest, &text];
    let expected = Expected::new(
        blobs.map(|(d, _)| (d.digest.clone(), d.size)),
        manifests.map(|m| m.descriptor().clone()),
    );
    let shallow = store.verify(&expected, Depth::Digests, &Silent);
    assert_eq!(shallow.findings, []);
    let deep = store.verify(&expected, Depth::Deep, &Silent);
    let problem = |digest: &Digest| {
        let mut found = deep
            .findings
            .iter()
            .filter(|f| f.digest.as_ref() == Some(digest));
        found.next().map(|f| f.problem.clone())
    };
    assert!(matches!(
        problem(&lies.blobs[1].0.digest),
        Some(Problem::WrongDiffId { .. })
    ));
    assert!(matches!(
        problem(&broken.blobs[1].0.digest),
        Some(Problem::Undecodable { .. })
    ));
    assert!(matches!(
        problem(&text.descriptor().digest),
        Some(Problem::Malformed { .. })
    ));
    assert_eq!(deep.findings.len(), 3, "{:#?}", deep.findings);
}

#[test]
fn deep_sees_an_inventory_that_forgot_a_blob() {
    let filled = filled();
    let image = &filled.oci;
    let blobs = image.blobs.iter().skip(1);
    let expected = Expected::new(
        blobs.map(|(d, _)| (d.digest.clone(), d.size)),
        [image.manifest.descriptor().clone()],
    );
    let named = image.blobs[0].0.digest.clone();
    let deep = filled.store.verify(&expected, Depth::Deep, &Silent);
    let mut problems = deep.findings.iter().map(|f| &f.problem);
    assert!(
        problems.any(|p| *p
            == Problem::Unexpected {
                named: named.clone()
            }),
        "{deep:#?}"
    );
}

/// Bytes advanced, items finished, items failed.
#[derive(Debug, Default)]
struct Counts(Mutex<[u64; 3]>);

impl Reporter for Counts {
    fn report(&self, event: Event<'_>) {
        let mut counts = self.0.lock().unwrap();
        match event {
            Event::Advanced { bytes, .. } => counts[0] += bytes,
            Event::Finished { .. } => counts[1] += 1,
            Event::Failed { .. } => counts[2] += 1,
            _ => {}
        }
    }
}

#[test]
fn progress_adds_up() {
    let filled = filled();
    fs_err::remove_file(filled.blob(2)).unwrap();
    let counts = Counts::default();
    let report = filled
        .store
        .verify(&filled.expected(), Depth::Deep, &counts);
    let items = report.items as u64;
    assert_eq!(*counts.0.lock().unwrap(), [report.bytes_read, items - 1, 1]);
}
