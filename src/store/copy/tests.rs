//! What only the room itself can do: damage a destination between its write and its read-back.

use super::*;
use crate::oci::{Descriptor, Digest, RawManifest, media_type};
use crate::progress::Silent;
use crate::store::{IndexEntry, Store};

const LAYER: usize = 3 << 20;

/// A store with one image of one layer.
fn source(root: &std::path::Path) -> Digest {
    let store = Store::create(root).unwrap();
    let put = |bytes: &[u8], kind: &str| {
        let digest = Digest::of(bytes);
        fs_err::write(store.blob_path(&digest), bytes).unwrap();
        Descriptor::new(kind, digest, bytes.len() as u64)
    };
    let layer: Vec<u8> = (0..=250).cycle().take(LAYER).collect();
    let layer = put(&layer, "application/vnd.oci.image.layer.v1.tar");
    let config = put(b"{}", "application/vnd.oci.image.config.v1+json");
    let text = serde_json::json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, text.to_string().into());
    store.put_manifest(&manifest).unwrap();
    let name = "q.io/a/b:1".parse().unwrap();
    let entry = IndexEntry::new(&name, manifest.descriptor().clone());
    store.replace_index([entry]).unwrap();
    layer.digest
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs_err::read(path).unwrap();
    bytes[LAYER / 2] ^= 1;
    fs_err::write(path, bytes).unwrap();
}

struct Begun {
    dir: tempfile::TempDir,
    lanes: Vec<Lane>,
    read: feed::Read,
    layer: Digest,
}

const JOB: Job<'_> = Job {
    reporter: &Silent,
    stop: &|| false,
};

/// A copy to `a` and `b` whose bytes are written and not read back.
fn begun(before: impl FnOnce(&std::path::Path, &Digest)) -> Begun {
    let dir = tempfile::tempdir().unwrap();
    let layer = source(&dir.path().join("source"));
    before(dir.path(), &layer);
    let roots = [dir.path().join("a"), dir.path().join("b")];
    let plan = CopyPlan::new(&dir.path().join("source"), &roots).unwrap();
    let mut lanes: Vec<Lane> = plan.targets.into_iter().map(Lane::open).collect();
    let mut read = feed::Read::of(plan.survey);
    read.copy(&mut lanes, &JOB);
    Begun {
        dir,
        lanes,
        read,
        layer,
    }
}

#[test]
fn a_medium_that_does_not_keep_its_bytes_is_found_out() {
    let mut begun = begun(|_, _| ());
    let [a, b] = ["a", "b"].map(|name| Store::at(&begun.dir.path().join(name)));
    flip(&a.partial_path(&begun.layer));
    assert!(!readback::all(&mut begun.lanes, &begun.read, &JOB));
    settle::all(&mut begun.lanes, &begun.read.survey);
    let outcomes: Vec<_> = begun
        .lanes
        .iter_mut()
        .map(|l| l.outcome(&begun.read.survey))
        .collect();
    assert!(outcomes[0].wrong[0].ends_with(begun.layer.hex()) && !outcomes[0].settled);
    assert!(outcomes[1].wrong.is_empty() && outcomes[1].settled);
    assert_eq!(a.blob_size(&begun.layer).unwrap(), None);
    assert!(!a.partial_path(&begun.layer).exists());
    assert!(!a.layout_dir().join("index.json").exists());
    assert_eq!(b.read_index().unwrap().len(), 1);
}

#[test]
fn what_an_earlier_run_left_damaged_is_written_once_more() {
    // Half of it at `a`, all of it at `b`; both with a wrong byte, as after a crash of the machine.
    let mut begun = begun(|dir, layer| {
        let bytes = fs_err::read(Store::at(&dir.join("source")).blob_path(layer)).unwrap();
        for (name, length) in [("a", LAYER / 2 + 1), ("b", LAYER)] {
            let store = Store::create(&dir.join(name)).unwrap();
            let mut part = bytes[..length].to_vec();
            part[LAYER / 2] ^= 1;
            fs_err::write(store.partial_path(layer), part).unwrap();
        }
    });
    assert!(readback::all(&mut begun.lanes, &begun.read, &JOB));
    begun.read.copy(&mut begun.lanes, &JOB);
    assert!(!readback::all(&mut begun.lanes, &begun.read, &JOB));
    settle::all(&mut begun.lanes, &begun.read.survey);
    assert!(
        begun
            .lanes
            .iter()
            .all(|lane| lane.settled && lane.wrong.is_empty())
    );
    assert_eq!(begun.lanes[0].copied.0, 3);
}
