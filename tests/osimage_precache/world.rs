//! A registry with a release of three components, the OS image that was built on one of them, and a data directory of the release.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use snoforge::inventory::lock::Inventory;
use snoforge::oci::{Descriptor, Digest, RawManifest};

use super::images::{self, Family, Image, image, index, noise, tar};
use super::program::{Run, run};
use super::support::registry::{DockerRegistry, Guard, LOGIN};

/// The architecture that containers can run on here.
pub(crate) fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

pub(crate) struct World {
    pub(crate) registry: Option<DockerRegistry>,
    pub(crate) home: tempfile::TempDir,
    /// `HOST/ocp/art@sha256:…` of machine-config-operator.
    pub(crate) operator: String,
    /// Of the release's own OS image.
    pub(crate) base: String,
    pub(crate) release: String,
    host: String,
    bases: Vec<Vec<u8>>,
}

impl World {
    /// `None`, with the reason printed, when there can be no registry here. `version` is the release's.
    pub(crate) fn new(version: &str) -> Option<Self> {
        let registry = DockerRegistry::start(Guard::Password)?;
        let (host, home) = (registry.host.clone(), tempfile::tempdir().unwrap());
        let (user, password) = LOGIN;
        let auth = BASE64.encode(format!("{user}:{password}"));
        let auth = json!({"auths": {host.as_str(): {"auth": auth}}}).to_string();
        fs_err::write(home.path().join("auth.json"), auth).unwrap();
        let mut world = Self {
            registry: Some(registry),
            home,
            operator: String::new(),
            base: String::new(),
            release: String::new(),
            host,
            bases: vec![
                tar(&[("usr/lib/os-release", b"rhcos")]),
                tar(&[("usr/big", &noise(1, 400_000))]),
            ],
        };
        world.operator = world.component("machine-config-operator", &[tar(&[("mcd", b"mcd")])]);
        world.base = world.component("rhel-coreos", &world.bases.clone());
        let etcd = world.component("etcd", &[tar(&[("etcd", &noise(2, 100_000))])]);
        let tags = [
            ("etcd", &etcd),
            ("machine-config-operator", &world.operator),
            ("rhel-coreos", &world.base),
        ];
        let tags =
            tags.map(|(n, r)| json!({"name": n, "from": {"kind": "DockerImage", "name": r}}));
        let references = json!({
            "kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": version}, "spec": {"tags": tags},
        });
        let layer = tar(&[(
            "release-manifests/image-references",
            references.to_string().as_bytes(),
        )]);
        world.release = world.push("ocp/release", &image(Family::Docker, machine(), &[layer]));
        Some(world)
    }

    fn component(&self, name: &str, layers: &[Vec<u8>]) -> String {
        let made = labelled(machine(), &json!({"io.k8s.display-name": name}), layers);
        self.push("ocp/art", &made)
    }

    /// An OS image as the operator's build pushes it: the base's layers, labels, a layer of its own.
    pub(crate) fn os_image(&self, own: &str) -> Image {
        let labels = json!({"ostree.bootable": "true", "machineconfigpool": "master", "baseOSContainerImage": self.base});
        let mut layers = self.bases.clone();
        layers.push(tar(&[("usr/bin/own", own.as_bytes())]));
        labelled(machine(), &labels, &layers)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Through skopeo; the name with its digest.
    pub(crate) fn push(&self, repository: &str, image: &Image) -> String {
        self.copy(repository, &image.manifest, std::slice::from_ref(image))
    }

    /// Two images under an index of both.
    pub(crate) fn push_index(&self, repository: &str, images: &[Image]) -> String {
        let all: Vec<&Image> = images.iter().collect();
        self.copy(repository, &index(Family::Oci, &all), images)
    }

    fn copy(&self, repository: &str, top: &RawManifest, images: &[Image]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs_err::write(dir.path().join(name), bytes).unwrap();
        put("version", b"Directory Transport Version: 1.1\n");
        put("manifest.json", top.bytes());
        for image in images {
            let hex = image.manifest.descriptor().digest.hex().to_owned();
            put(&format!("{hex}.manifest.json"), image.manifest.bytes());
            for (descriptor, bytes) in &image.blobs {
                put(descriptor.digest.hex(), bytes);
            }
        }
        let digest = &top.descriptor().digest;
        let (user, password) = LOGIN;
        let tag = &digest.hex()[..12];
        DockerRegistry::skopeo(&[
            "copy",
            "--quiet",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
            "--dest-creds",
            &format!("{user}:{password}"),
            &format!("dir:{}", dir.path().display()),
            &format!("docker://{}/{repository}:{tag}", self.host),
        ]);
        format!("{}/{repository}@{digest}", self.host)
    }

    /// Runs the program with this registry's login and without TLS.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let auth = self.path("auth.json");
        let registry = ["--tls-verify=false", "--authfile", auth.to_str().unwrap()];
        run(self.home.path(), &[args, &registry].concat())
    }

    /// `osimage precache -f data REF …`, its document.
    pub(crate) fn precache(&self, image: &str, more: &[&str]) -> Value {
        let args = [
            "osimage", "precache", "-f", "data", image, "--output", "json",
        ];
        self.run(&[&args, more].concat()).expect(0).json()
    }

    /// `precache download` of the release into `data`; `extra` is an additional image.
    pub(crate) fn download(&self, extra: Option<&str>) {
        let additional = extra.map_or_else(String::new, |image| {
            format!("  additionalImages:\n  - name: {image}\n")
        });
        let text = format!(
            "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\nmirror:\n  platform:\n    architectures: [{}]\n    release: {}\n{additional}",
            machine(),
            self.release
        );
        fs_err::create_dir_all(self.path("data")).unwrap();
        fs_err::write(self.path("data/imageset.yaml"), text).unwrap();
        let args = [
            "precache",
            "download",
            "-r",
            "0.0.0",
            "--skip-imageset",
            "-f",
            "data",
        ];
        self.run(&[&args[..], &["--ignore-release-signature"]].concat())
            .expect(0);
    }

    pub(crate) fn lock(&self) -> Inventory {
        Inventory::parse(self.read("data/inventory.json").as_bytes()).unwrap()
    }

    /// Flags that name the release when the data directory holds none.
    pub(crate) fn release_flags(&self, version: &'static str) -> Vec<&str> {
        let arch = ["--ignore-release-signature", "--arch", machine()];
        [
            &["-r", version, "--release-image", &self.release][..],
            &arch,
        ]
        .concat()
    }

    /// `precache verify --deep` finds nothing.
    #[track_caller]
    pub(crate) fn verify(&self) {
        let args = ["precache", "verify", "-f", "data", "--deep"];
        run(self.home.path(), &args).expect(0);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }
}

/// An image whose configuration has labels.
pub(crate) fn labelled(architecture: &str, labels: &Value, layers: &[Vec<u8>]) -> Image {
    let plain = image(Family::Oci, architecture, layers);
    let mut config: Value = serde_json::from_slice(&plain.blobs[0].1).unwrap();
    config["config"]["Labels"] = labels.clone();
    let bytes = config.to_string().into_bytes();
    let mut blobs = plain.blobs.clone();
    let described = |bytes: &[u8], media_type: &str| {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    };
    let [_, manifest_type, config_type, _] = Family::Oci.types();
    blobs[0] = (described(&bytes, config_type), bytes.into());
    let mut manifest: Value = serde_json::from_slice(plain.manifest.bytes()).unwrap();
    manifest["config"] = serde_json::to_value(&blobs[0].0).unwrap();
    images::Image {
        manifest: RawManifest::new(manifest_type, manifest.to_string().into()),
        blobs,
        ..plain
    }
}

/// Names of the rules in a document.
pub(crate) fn rules(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| f["rule"].as_str().unwrap())
        .collect()
}

/// Every file below a directory with its contents, except what only says when it was written.
pub(crate) fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs_err::read_dir(&dir).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path => found.push((path.clone(), fs_err::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}
