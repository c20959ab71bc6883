//! Prune, list, the store as a source, and layouts that other tools write and read.

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use snoforge::oci::{BlobRequest, Digest, ImageSource as _, RawManifest, SourceErrorKind};
use snoforge::progress::Silent;
use snoforge::store::{Depth, Expected, Header, Store};

use crate::{REPOSITORY, filled, reference, skopeo};

#[test]
fn prune_keeps_what_is_named_and_what_a_download_goes_on_with() {
    let filled = filled();
    let keep: BTreeSet<Digest> = [&filled.oci.manifest, &filled.oci_index]
        .map(|m| m.descriptor().digest.clone())
        .into_iter()
        .chain(filled.oci.blobs.iter().map(|(d, _)| d.digest.clone()))
        .collect();
    let waiting = Digest::of(b"waiting");
    let done = &filled.oci.blobs[0].0.digest;
    let stale = Digest::of(b"stale");
    for digest in [&waiting, done, &stale] {
        fs_err::write(filled.store.partial_path(digest), b"part").unwrap();
    }
    let keep: BTreeSet<Digest> = keep.into_iter().chain([waiting.clone()]).collect();
    let plan = filled.store.plan_prune(&keep).unwrap();
    // Docker image, its config and own layer, its list; two partials.
    assert_eq!((plan.images.len(), plan.files.len()), (4, 6), "{plan:#?}");
    assert!(plan.bytes() > 8);
    let lock = filled.store.lock().unwrap();
    filled.store.prune(&lock, &plan).unwrap();
    assert!(filled.store.plan_prune(&keep).unwrap().is_empty());
    assert_eq!(filled.store.read_index().unwrap().len(), 3);
    assert!(filled.store.partial_path(&waiting).exists());
    assert!(
        !filled.store.partial_path(done).exists() && !filled.store.partial_path(&stale).exists()
    );
    let closure = filled.store.closure(filled.oci_index.descriptor()).unwrap();
    assert!(
        closure
            .blobs
            .iter()
            .all(|(d, s)| filled.store.blob_size(d).unwrap() == Some(*s))
    );
}

#[test]
fn list_tells_unique_from_shared() {
    let filled = filled();
    let pinned = reference(REPOSITORY).pinned(filled.oci.manifest.descriptor().digest.clone());
    let header = Header {
        inventory: Digest::of(b""),
        created: "2026-11-20T00:00:00Z".into(),
        tool: "t".into(),
        groups: [
            ("ai".to_owned(), vec![pinned.clone()]),
            ("ocp".to_owned(), vec![pinned]),
        ]
        .into(),
    };
    filled.store.write_header(&header).unwrap();
    fs_err::remove_file(filled.blob(2)).unwrap();
    let listing = filled.store.list().unwrap();
    assert_eq!(listing.images.len(), 4);
    let of = |raw: &RawManifest| {
        let mut images = listing.images.iter();
        images
            .find(|i| i.descriptor.digest == raw.descriptor().digest)
            .unwrap()
    };
    let oci = of(&filled.oci.manifest);
    assert_eq!(oci.groups, ["ai", "ocp"]);
    assert_eq!(oci.names.len(), 2);
    assert!(
        oci.missing.is_empty() && oci.unique_bytes == 0,
        "its index uses all of it too"
    );
    let list = of(&filled.docker_list);
    assert_eq!(list.unique_bytes, filled.docker_list.descriptor().size);
    assert_eq!(list.missing, [filled.docker.blobs[2].0.digest.clone()]);
    let once: u64 = filled.expected().sizes().values().sum();
    assert_eq!(listing.unique_bytes, once);
    assert!(listing.whole_bytes > 2 * once);
}

#[tokio::test]
async fn a_store_is_an_image_source() {
    let filled = filled();
    let store = &filled.store;
    for (name, raw) in [
        (
            reference(REPOSITORY).with_tag("docker").unwrap(),
            &filled.docker.manifest,
        ),
        (
            reference(REPOSITORY).pinned(filled.oci_index.descriptor().digest.clone()),
            &filled.oci_index,
        ),
    ] {
        assert_eq!(&store.manifest(&name).await.unwrap(), raw);
    }
    let tags = store.tags(&reference(REPOSITORY)).await.unwrap();
    assert_eq!(tags, ["docker", "list", "oci"]);
    let (layer, bytes) = &filled.oci.blobs[1];
    let name = reference(REPOSITORY);
    let ask = |digest, size, offset| BlobRequest {
        image: &name,
        digest,
        size,
        offset,
        avoid: &[],
    };
    let stream = store.blob(ask(&layer.digest, layer.size, 7)).await.unwrap();
    let body: Vec<bytes::Bytes> = stream.body.try_collect().await.unwrap();
    assert!(body.concat() == bytes[7..]);

    let kind = |e: snoforge::oci::SourceError| e.kind;
    let missing = Digest::of(b"?");
    let error = store.blob(ask(&missing, 1, 0)).await.map(drop).unwrap_err();
    assert_eq!(kind(error), SourceErrorKind::NotFound);
    let error = store
        .blob(ask(&layer.digest, layer.size + 1, 0))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(kind(error), SourceErrorKind::Digest);
    let error = store
        .manifest(&name.with_tag("no").unwrap())
        .await
        .unwrap_err();
    assert_eq!(kind(error), SourceErrorKind::NotFound);
    assert!(store.tags(&reference("q.io/no/such")).await.is_err());
}

#[test]
fn skopeo_opens_oci_images_by_their_pull_spec() {
    let filled = filled();
    let layout = filled.store.layout_dir();
    let out = tempfile::tempdir().unwrap();
    for (position, raw) in [&filled.oci.manifest, &filled.oci_index]
        .into_iter()
        .enumerate()
    {
        let digest = &raw.descriptor().digest;
        let source = format!("oci:{}:{REPOSITORY}@{digest}", layout.display());
        let target = out.path().join(position.to_string());
        if skopeo(&["copy", &source, &format!("dir:{}", target.display())]).is_none() {
            return;
        }
        let manifest = fs_err::read(target.join("manifest.json")).unwrap();
        assert_eq!(
            Digest::of(&manifest),
            filled.oci.manifest.descriptor().digest
        );
    }
    let tagged = format!("oci:{}:{REPOSITORY}:oci", layout.display());
    let shown = skopeo(&["inspect", "--raw", &tagged]).unwrap();
    assert_eq!(shown.as_bytes(), &filled.oci.manifest.bytes()[..]);
}

#[test]
fn layouts_of_skopeo_open_here() {
    let filled = filled();
    let out = tempfile::tempdir().unwrap();
    let source = format!(
        "oci:{}:{REPOSITORY}:oci",
        filled.store.layout_dir().display()
    );
    let target = format!("oci:{}:latest", out.path().join("oci").display());
    if skopeo(&["copy", &source, &target]).is_none() {
        return;
    }
    let theirs = Store::open(out.path()).unwrap();
    let entry = theirs.find_image("latest").unwrap();
    assert_eq!(
        entry.descriptor.digest,
        filled.oci.manifest.descriptor().digest
    );
    assert_eq!(entry.reference(), None);
    let closure = theirs.closure(&entry.descriptor).unwrap();
    let manifests = closure.manifests.iter().map(|m| m.descriptor().clone());
    let expected = Expected::new(closure.blobs.clone(), manifests);
    let report = theirs.verify(&expected, Depth::Deep, &Silent);
    assert_eq!(report.findings, []);
    assert!(!out.path().join(".lock").exists() && !out.path().join(".partial").exists());
}

#[test]
fn list_goes_on_behind_a_damaged_manifest() {
    let filled = filled();
    let digest = &filled.oci.manifest.descriptor().digest;
    crate::flip_a_bit(&filled.store.blob_path(digest));
    let listing = filled.store.list().unwrap();
    assert_eq!(listing.images.len(), 4);
    let damaged = listing
        .images
        .iter()
        .filter(|image| image.missing.contains(digest));
    assert_eq!(damaged.count(), 2, "the image and its index");
}
