//! The store against the field's tools and against damage.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first broken invariant"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a test may stop at the first broken invariant"
)]

mod contents;
mod export;
#[path = "../support/images.rs"]
mod images;
mod verify;

use std::path::{Path, PathBuf};

use images::{Family, Image, image, index, noise, put, tar};
use snoforge::exec;
use snoforge::oci::{RawManifest, Reference};
use snoforge::progress::Silent;
use snoforge::store::{Depth, Expected, IndexEntry, Store};

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
