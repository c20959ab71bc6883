//! The store against the field's tools and against damage.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first broken invariant"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a test may stop at the first broken invariant"
)]

#[path = "support/images.rs"]
mod images;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use images::{Family, Image, assemble, gzip, image, index, noise, put, tar};
use snoforge::exec;
use snoforge::oci::{
    BlobRequest, Digest, ImageSource as _, RawManifest, Reference, SourceErrorKind,
};
use snoforge::progress::Silent;
use snoforge::store::{
    Depth, Expected, Header, IndexEntry, Problem, Store, StoreError, artefact_name, dir_tgz,
    docker_archive, oci_archive,
};

const REPOSITORY: &str = "registry.example/ns/name";

/// A store with a Docker image, an OCI image that shares its base layer, and a two-architecture list of either family, of which
/// only the amd64 image is there.
struct Filled {
    dir: tempfile::TempDir,
    store: Store,
    docker: Image,
    oci: Image,
    docker_list: RawManifest,
    oci_index: RawManifest,
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn filled() -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let base = tar(&[
        ("etc/os-release", b"ID=rhcos\n"),
        ("bin/large", &noise(1, 3 << 20)),
    ]);
    let docker = image(
        Family::Docker,
        "amd64",
        &[base.clone(), tar(&[("a", b"docker")])],
    );
    let oci = image(Family::Oci, "amd64", &[base, tar(&[("a", b"oci")])]);
    let arm = image(Family::Oci, "arm64", &[tar(&[("a", b"arm")])]);
    let docker_list = index(Family::Docker, &[&docker, &arm]);
    let oci_index = index(Family::Oci, &[&arm, &oci]);
    for image in [&docker, &oci] {
        put(&store, image);
    }
    for list in [&docker_list, &oci_index] {
        store.put_manifest(list).unwrap();
    }
    let pinned = |raw: &RawManifest| {
        let digest = raw.descriptor().digest.clone();
        IndexEntry::new(
            &reference(REPOSITORY).pinned(digest),
            raw.descriptor().clone(),
        )
    };
    let tagged = |tag: &str, raw: &RawManifest| {
        let name = reference(REPOSITORY).with_tag(tag).unwrap();
        IndexEntry::new(&name, raw.descriptor().clone())
    };
    let entries = [
        pinned(&docker.manifest),
        pinned(&oci.manifest),
        pinned(&docker_list),
        pinned(&oci_index),
        tagged("docker", &docker.manifest),
        tagged("oci", &oci.manifest),
        tagged("list", &docker_list),
    ];
    store.replace_index(entries).unwrap();
    Filled {
        dir,
        store,
        docker,
        oci,
        docker_list,
        oci_index,
    }
}

impl Filled {
    fn images(&self) -> [&Image; 2] {
        [&self.docker, &self.oci]
    }

    fn expected(&self) -> Expected {
        let blobs = self.images().into_iter().flat_map(|i| &i.blobs);
        let manifests = [
            &self.docker.manifest,
            &self.oci.manifest,
            &self.docker_list,
            &self.oci_index,
        ];
        Expected::new(
            blobs.map(|(d, _)| (d.digest.clone(), d.size)),
            manifests.map(|m| m.descriptor().clone()),
        )
    }

    fn verify(&self, depth: Depth) -> Vec<String> {
        let report = self.store.verify(&self.expected(), depth, &Silent);
        report.findings.iter().map(ToString::to_string).collect()
    }

    fn blob(&self, position: usize) -> PathBuf {
        self.store.blob_path(&self.docker.blobs[position].0.digest)
    }
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(path, bytes).unwrap();
}

fn cut(path: &Path, len: u64) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(len).unwrap();
}

/// Runs a tool; `None`, with a printed reason, when it is not installed.
fn tool(program: &str, args: &[&str]) -> Option<String> {
    match exec::run(program, args) {
        Ok(out) => Some(String::from_utf8_lossy(&out).into_owned()),
        Err(exec::ExecError::Missing(name)) => {
            skipped(&format!("`{name}` is not installed"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn skopeo(args: &[&str]) -> Option<String> {
    tool("skopeo", &[&["--insecure-policy"], args].concat())
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

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

/// The core of `copy_image` in the older `extract-ai.sh`: name by `basename`, pigz, tar, `skopeo copy dir:`.
const EXTRACT: &str = r#"set -e
uri=$1; cd "$2"
name=$(basename "${uri/:/_}")
tar --use-compress-program=pigz -xf "${name}.tgz"
skopeo --insecure-policy copy -q "dir://${PWD}/${name}" "$3"
"#;

#[test]
fn the_older_scripts_read_dir_tgz() {
    let filled = filled();
    if tool("pigz", &["--version"]).is_none() || skopeo(&["--version"]).is_none() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let images = [
        (&filled.docker.manifest, &filled.docker.manifest),
        (&filled.oci.manifest, &filled.oci.manifest),
        (&filled.docker_list, &filled.docker.manifest),
        (&filled.oci_index, &filled.oci.manifest),
    ];
    for (raw, platform) in images {
        let uri = format!("{REPOSITORY}@{}", raw.descriptor().digest);
        let name = artefact_name(&uri);
        let tgz = out.path().join(format!("{name}.tgz"));
        let entry = filled.store.find_image(&uri).unwrap();
        dir_tgz(&filled.store, &entry, &name, &tgz).unwrap();
        let first = fs_err::read(&tgz).unwrap();
        dir_tgz(&filled.store, &entry, &name, &tgz).unwrap();
        assert!(
            first == fs_err::read(&tgz).unwrap(),
            "same image, same bytes"
        );
        let target = out.path().join(format!("{name}.out"));
        let target_spec = format!("dir:{}", target.display());
        tool(
            "bash",
            &[
                "-c",
                EXTRACT,
                "extract",
                &uri,
                path(out.path()),
                &target_spec,
            ],
        );
        let copied = fs_err::read(target.join("manifest.json")).unwrap();
        assert_eq!(&copied[..], &platform.bytes()[..], "{uri}");
        let version = fs_err::read_to_string(out.path().join(&name).join("version")).unwrap();
        assert_eq!(
            version,
            fs_err::read_to_string(target.join("version")).unwrap()
        );
    }
}

/// What the scripts do in the end: the image is in `containers-storage` under its original digest.
#[test]
fn dir_tgz_reaches_containers_storage_under_its_digest() {
    let filled = filled();
    if tool("pigz", &["--version"]).is_none() || skopeo(&["--version"]).is_none() {
        return;
    }
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("containers-storage needs root");
    }
    let out = tempfile::tempdir().unwrap();
    for raw in [&filled.docker.manifest, &filled.docker_list] {
        let uri = format!("{REPOSITORY}@{}", raw.descriptor().digest);
        let entry = filled.store.find_image(&uri).unwrap();
        let name = artefact_name(&uri);
        dir_tgz(
            &filled.store,
            &entry,
            &name,
            &out.path().join(format!("{name}.tgz")),
        )
        .unwrap();
        let root = out.path().join("storage");
        let storage = format!(
            "containers-storage:[vfs@{0}/root+{0}/run]{uri}",
            root.display()
        );
        tool(
            "bash",
            &["-c", EXTRACT, "extract", &uri, path(out.path()), &storage],
        );
        let found = skopeo(&["inspect", "--raw", &storage]).unwrap();
        assert_eq!(found.as_bytes(), &raw.bytes()[..], "{uri}");
    }
}

#[test]
fn skopeo_reads_archives() {
    let filled = filled();
    if skopeo(&["--version"]).is_none() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let oci = filled
        .store
        .find_image(&format!("{REPOSITORY}:oci"))
        .unwrap();
    let docker = filled
        .store
        .find_image(&format!("{REPOSITORY}:docker"))
        .unwrap();
    let list = filled
        .store
        .find_image(&format!("{REPOSITORY}:list"))
        .unwrap();

    let archive = out.path().join("oci.tar");
    oci_archive(&filled.store, &[oci.clone(), docker.clone()], &archive).unwrap();
    let spec = format!("oci-archive:{}:{REPOSITORY}:oci", archive.display());
    let shown = skopeo(&["inspect", "--raw", &spec]).unwrap();
    assert_eq!(shown.as_bytes(), &filled.oci.manifest.bytes()[..]);
    skopeo(&[
        "copy",
        &spec,
        &format!("dir:{}", out.path().join("a").display()),
    ])
    .unwrap();

    let archive = out.path().join("docker.tar");
    let images = [oci, docker, list];
    docker_archive(&filled.store, &images, "amd64", &archive).unwrap();
    let names = skopeo(&[
        "list-tags",
        &format!("docker-archive:{}", archive.display()),
    ])
    .unwrap();
    for tag in ["oci", "docker", "list"] {
        assert!(names.contains(&format!("{REPOSITORY}:{tag}")), "{names}");
        let spec = format!("docker-archive:{}:{REPOSITORY}:{tag}", archive.display());
        let target = out.path().join(tag);
        skopeo(&["copy", &spec, &format!("dir:{}", target.display())]).unwrap();
        let config = if tag == "oci" {
            &filled.oci
        } else {
            &filled.docker
        };
        assert!(
            target.join(config.blobs[0].0.digest.hex()).exists(),
            "{tag}"
        );
    }
    podman_loads(&archive, out.path());
}

fn podman_loads(archive: &Path, scratch: &Path) {
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("podman load needs root");
    }
    let (root, run) = (scratch.join("root"), scratch.join("run"));
    let at = [
        "--root",
        path(&root),
        "--runroot",
        path(&run),
        "--storage-driver",
        "vfs",
    ];
    let load = ["load", "-i", path(archive)];
    if let Some(loaded) = tool("podman", &[&at[..], &load[..]].concat()) {
        assert!(loaded.contains(&format!("{REPOSITORY}:docker")), "{loaded}");
    }
}

#[test]
fn a_damaged_image_leaves_no_archive() {
    let filled = filled();
    flip_a_bit(&filled.blob(1));
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("x");
    let entry = filled
        .store
        .find_image(&format!("{REPOSITORY}:docker"))
        .unwrap();
    let entries = [entry.clone()];
    let all = [
        dir_tgz(&filled.store, &entry, "x", &archive),
        oci_archive(&filled.store, &entries, &archive),
        docker_archive(&filled.store, &entries, "amd64", &archive),
    ];
    for failed in all {
        let error = failed.unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
    }
    fs_err::remove_file(filled.blob(2)).unwrap();
    let missing = oci_archive(&filled.store, &entries, &archive).unwrap_err();
    assert!(
        matches!(missing, StoreError::Io { .. } | StoreError::Missing(_)),
        "{missing}"
    );
    assert_eq!(fs_err::read_dir(out.path()).unwrap().count(), 0);
}
