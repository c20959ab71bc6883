//! A release whose components hold what real ones hold, in a registry, and a data directory of it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use snoforge::oci::Digest;

use super::images::{Family, Image, gzip, image, index, noise, tar};
use super::program::{Run, run};
use super::support::registry::{DockerRegistry, Guard, LOGIN};

/// One entry of a layer.
pub(crate) enum Is<'a> {
    File(&'a [u8]),
    Symlink(&'a str),
    Hardlink(&'a str),
}

/// A layer with links; `images::tar` has files only.
pub(crate) fn layer(entries: &[(&str, Is<'_>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, is) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(0);
        match is {
            Is::File(bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, *bytes).unwrap();
            }
            Is::Symlink(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, to).unwrap();
            }
            Is::Hardlink(to) => {
                header.set_entry_type(tar::EntryType::Link);
                builder.append_link(&mut header, path, to).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// The constants of the real programs, to the byte (installer `default.go` and `version.go`, oc `extract_tools.go`).
pub(crate) fn constant(word: &str) -> Vec<u8> {
    let xs = if word == "IMAGE" { 259 } else { 64 };
    format!("\0_RELEASE_{word}_LOCATION_\0{}\0", "X".repeat(xs)).into_bytes()
}

/// What `copyAndReplace` of oc makes of a program: the first occurrence of the whole constant.
pub(crate) fn replaced(program: &[u8], marks: &[(&str, &str)]) -> Vec<u8> {
    let mut made = program.to_vec();
    for (word, value) in marks {
        let constant = constant(word);
        let at = program
            .windows(constant.len())
            .position(|window| window == constant)
            .unwrap();
        made[at..at + value.len()].copy_from_slice(value.as_bytes());
        made[at + value.len()] = 0;
    }
    made
}

/// A program as a linker leaves it: the constants among others, the prefixes that it compares with apart from them.
pub(crate) fn program(seed: u64, words: &[&str]) -> Vec<u8> {
    let mut bytes = b"\x7fELF".to_vec();
    bytes.extend(noise(seed, 300_000));
    for word in words {
        bytes.extend(format!("\0_RELEASE_{word}_LOCATION_\0prefix").bytes());
        bytes.extend(noise(seed + 1, 70_000));
        bytes.extend(constant(word));
    }
    bytes.extend(noise(seed + 2, 100_000));
    bytes
}

pub(crate) struct World {
    pub(crate) registry: DockerRegistry,
    pub(crate) home: tempfile::TempDir,
    pub(crate) installer: Vec<u8>,
    pub(crate) oc: Vec<u8>,
    pub(crate) iso: Vec<u8>,
    /// `HOST/ocp/release@sha256:…`, once made.
    pub(crate) release: String,
}

impl World {
    /// `None`, with the reason printed, when there can be no registry here.
    pub(crate) fn new() -> Option<Self> {
        let registry = DockerRegistry::start(Guard::Password)?;
        let home = tempfile::tempdir().unwrap();
        let (user, password) = LOGIN;
        let auth = BASE64.encode(format!("{user}:{password}"));
        let auth = json!({"auths": {registry.host.as_str(): {"auth": auth}}}).to_string();
        fs_err::write(home.path().join("auth.json"), auth).unwrap();
        Some(Self {
            registry,
            home,
            installer: program(1, &["IMAGE", "VERSION", "ARCHITECTURE"]),
            oc: program(7, &["VERSION"]),
            iso: noise(11, 900_000),
            release: String::new(),
        })
    }

    /// The usual components: the installer in an upper layer over an older one, `oc` behind links, the ISO with its checksum.
    pub(crate) fn components(&self, architecture: &str) -> Vec<(&'static str, Image)> {
        let machine = machine(architecture);
        let base = || {
            layer(&[
                ("bin", Is::Symlink("usr/bin")),
                ("usr/bin/openshift-install", Is::File(b"of the base")),
                ("usr/bin/bash", Is::File(b"bash")),
            ])
        };
        let installer = layer(&[("usr/bin/openshift-install", Is::File(&self.installer))]);
        let late = layer(&[
            ("usr/bin/.wh.bash", Is::File(b"")),
            ("etc/motd", Is::File(b"hello")),
        ]);
        let oc = layer(&[
            ("usr/share/openshift/oc.rhel9", Is::File(&self.oc)),
            (
                "usr/bin/oc.hard",
                Is::Hardlink("usr/share/openshift/oc.rhel9"),
            ),
            ("usr/share/openshift/oc.rhel8", Is::Symlink("/bin/oc.hard")),
        ]);
        let link = layer(&[("usr/bin/oc", Is::Symlink("../share/openshift/./oc.rhel8"))]);
        let sum = Digest::of(&self.iso).hex().to_owned();
        let iso = format!("coreos/coreos-{machine}.iso");
        let iso = tar(&[
            (&format!("{iso}.sha256"), sum.as_bytes()),
            (&iso, &self.iso),
            ("coreos/coreos-stream.json", b"{}"),
        ]);
        vec![
            (
                "installer",
                image(Family::Docker, architecture, &[base(), installer, late]),
            ),
            ("cli", image(Family::Oci, architecture, &[base(), oc, link])),
            (
                "machine-os-images",
                image(Family::Docker, architecture, &[base(), iso]),
            ),
        ]
    }

    /// Pushes a single-architecture release of these components.
    pub(crate) fn make(&mut self, components: &[(&str, Image)]) {
        let tags = components
            .iter()
            .map(|(name, image)| (*name, self.push(std::slice::from_ref(image), None)));
        let tags: Vec<_> = tags.collect();
        let architecture = components[0].1.platform.architecture.clone();
        let release = payload("4.13.1", &tags, &architecture);
        self.release = self.push(&[release], None);
    }

    /// Through skopeo, under an index when there is one; the name with its digest.
    pub(crate) fn push(&self, images: &[Image], list: Option<Family>) -> String {
        let all: Vec<&Image> = images.iter().collect();
        let top = match list {
            Some(family) => index(family, &all),
            None => images[0].manifest.clone(),
        };
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
        let host = &self.registry.host;
        DockerRegistry::skopeo(&[
            "copy",
            "--quiet",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
            "--dest-creds",
            &format!("{user}:{password}"),
            &format!("dir:{}", dir.path().display()),
            &format!("docker://{host}/ocp/release:{}", &digest.hex()[..12]),
        ]);
        format!("{host}/ocp/release@{digest}")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let auth = self.path("auth.json");
        let registry = ["--tls-verify=false", "--authfile", auth.to_str().unwrap()];
        run(self.home.path(), &[args, &registry].concat())
    }

    /// `precache download` of the release into `data`.
    pub(crate) fn download(&self, architecture: &str) {
        let text = format!(
            "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\nmirror:\n  platform:\n    architectures: [{architecture}]\n    release: {}\n",
            self.release
        );
        fs_err::create_dir_all(self.path("data")).unwrap();
        fs_err::write(self.path("data/imageset.yaml"), text).unwrap();
        let args = ["precache", "download", "-r", "0.0.0", "--skip-imageset"];
        self.run(&[&args[..], &["-f", "data", "--ignore-release-signature"]].concat())
            .expect(0);
    }

    /// The installer as it belongs to the release.
    pub(crate) fn made_installer(&self, platform: &str) -> Vec<u8> {
        let marks = [
            ("IMAGE", self.release.as_str()),
            ("VERSION", "4.13.1"),
            ("ARCHITECTURE", platform),
        ];
        replaced(&self.installer, &marks)
    }

    pub(crate) fn made_oc(&self) -> Vec<u8> {
        replaced(&self.oc, &[("VERSION", "4.13.1")])
    }
}

pub(crate) fn machine(architecture: &str) -> &str {
    match architecture {
        "arm64" => "aarch64",
        _ => "x86_64",
    }
}

/// A payload image with these components.
pub(crate) fn payload(version: &str, components: &[(&str, String)], architecture: &str) -> Image {
    let tags = components
        .iter()
        .map(|(name, image)| json!({"name": name, "from": {"kind": "DockerImage", "name": image}}));
    let references = json!({
        "kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": version}, "spec": {"tags": tags.collect::<Vec<_>>()},
    });
    let references = references.to_string();
    let layer = tar(&[("release-manifests/image-references", references.as_bytes())]);
    image(Family::Docker, architecture, &[layer])
}

/// A `.tar.gz` with one program, as mirrors have it.
pub(crate) fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    gzip(&layer(&[
        ("README.md", Is::File(b"# OpenShift\n")),
        (name, Is::File(bytes)),
        ("kubectl", Is::Hardlink(name)),
    ]))
}

/// SHA-256 by the tool of the field.
pub(crate) fn sha256sum(path: &std::path::Path) -> String {
    let printed = snoforge::exec::run("sha256sum", &[path]).unwrap();
    String::from_utf8(printed).unwrap()[..64].to_owned()
}
