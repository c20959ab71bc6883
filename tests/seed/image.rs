//! A real seed image in a real registry: verified, corrupted in more than ten ways, verified again.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snoforge::oci::Digest;
use snoforge::seed::facts::{Answer, paths};

use crate::apiserver::ApiServer;
use crate::facts::{Raw, collect, first, healthy, push};
use crate::registry::{DockerRegistry, Guard, installed};
use crate::run;

const LABEL: &str = "com.openshift.lifecycle-agent.seed_";

/// What is packed; a test changes it first.
#[derive(Clone)]
pub(crate) struct Parts {
    /// Name in the archive, bytes, in order.
    pub(crate) members: Vec<(String, Vec<u8>)>,
    /// A symbolic link in the layer.
    link: Option<(&'static str, &'static str)>,
    pub(crate) labels: Value,
    diff_id: Option<Digest>,
    layers: usize,
}

impl Parts {
    pub(crate) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.members.iter_mut().find(|(n, _)| n == name).unwrap().1
    }
}

/// The eleven files of `scripts/make-seed-image`, from a real ostree sysroot.
fn real(dir: &Path) -> Option<Parts> {
    if !installed(&["ostree", "python3", "tar"]) {
        return None;
    }
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: ostree needs root");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/make-seed-image");
    snoforge::exec::run(script, &[dir]).unwrap_or_else(|e| panic!("{e}"));
    let mut members: Vec<_> = fs_err::read_dir(dir.join("backup"))
        .unwrap()
        .flatten()
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs_err::read(e.path()).unwrap(),
            )
        })
        .collect();
    members.sort();
    assert_eq!(members.len(), 11);
    let info = members
        .iter()
        .find(|(n, _)| n == "manifest.json")
        .unwrap()
        .1
        .clone();
    let mut labels = json!({});
    labels[format!("{LABEL}format_version")] = json!("4");
    labels[format!("{LABEL}cluster_info")] = json!(String::from_utf8(info).unwrap());
    Some(Parts {
        members,
        link: None,
        labels,
        diff_id: None,
        layers: 1,
    })
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar whose names are written as they are, however hostile.
pub(crate) fn tar_of(members: &[(String, Vec<u8>)], link: Option<(&str, &str)>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind, target: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if !target.is_empty() {
            header.set_link_name(target).unwrap();
        }
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    };
    for (name, bytes) in members {
        add(name, tar::EntryType::Regular, "", bytes);
    }
    if let Some((name, target)) = link {
        add(name, tar::EntryType::Symlink, target, b"");
    }
    builder.into_inner().unwrap()
}

/// Writes an OCI layout, and gives the digest of its layer.
pub(crate) fn pack(parts: &Parts, dir: &Path) -> Digest {
    let blobs = dir.join("blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8], kind: &str| {
        let digest = Digest::of(bytes);
        fs_err::write(blobs.join(digest.hex()), bytes).unwrap();
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": bytes.len()})
    };
    let tar = tar_of(&parts.members, parts.link);
    let layer = gzip(&tar);
    let diff_id = parts.diff_id.clone().unwrap_or_else(|| Digest::of(&tar));
    let config = json!({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "config": {"Labels": parts.labels}, "rootfs": {"type": "layers", "diff_ids": vec![diff_id; parts.layers]}});
    let layers = vec![blob(&layer, "layer.v1.tar+gzip"); parts.layers];
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": blob(config.to_string().as_bytes(), "config.v1+json"), "layers": layers});
    let mut entry = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "seed"});
    fs_err::write(
        dir.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [entry]}).to_string(),
    )
    .unwrap();
    fs_err::write(dir.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    Digest::of(&layer)
}

pub(crate) struct Bench {
    pub(crate) registry: DockerRegistry,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) parts: Parts,
}

impl Bench {
    pub(crate) fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let parts = real(dir.path())?;
        let registry = DockerRegistry::start(Guard::Plain)?;
        Some(Self {
            registry,
            dir,
            parts,
        })
    }

    fn push(&self, layout: &Path, tag: &str) -> String {
        let image = format!("{}/sno1/seed:{tag}", self.registry.host);
        DockerRegistry::skopeo(&[
            "copy",
            "-q",
            "--dest-tls-verify=false",
            &format!("oci:{}:seed", layout.display()),
            &format!("docker://{image}"),
        ]);
        image
    }

    /// Packs, pushes and names the image, and the layer's file in the registry's storage.
    pub(crate) fn publish(&self, parts: &Parts, tag: &str) -> (String, PathBuf) {
        let layout = self.dir.path().join(tag);
        let digest = pack(parts, &layout);
        let hex = digest.hex();
        let stored = self
            .registry
            .dir
            .path()
            .join("data/docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(hex)
            .join("data");
        (self.push(&layout, tag), stored)
    }

    fn verify(&self, image: &str, more: &[&str]) -> crate::Run {
        run(
            self.dir.path(),
            &[
                &[
                    "seed",
                    "verify",
                    image,
                    "--tls-verify=false",
                    "--output",
                    "json",
                ],
                more,
            ]
            .concat(),
        )
    }
}

#[test]
fn a_real_image_is_good_and_a_target_is_told() {
    let Some(bench) = Bench::new() else { return };
    // As our script packs it with python's tarfile, and as this test does with the tar crate.
    let scripted = bench.push(&bench.dir.path().join("oci"), "script");
    let (image, _) = bench.publish(&bench.parts, "good");
    for image in [&scripted, &image] {
        let shallow = bench.verify(image, &[]).expect(0).json();
        assert_eq!(
            (
                &shallow["image"]["info"]["cluster_name"],
                &shallow["image"]["format"],
                &shallow["contents"]
            ),
            (&json!("mysno"), &json!("4"), &Value::Null)
        );
        let deep = bench.verify(image, &["--deep"]).expect(0).json();
        assert_eq!(deep["findings"], json!([]));
        assert_eq!(deep["contents"]["files"].as_object().unwrap().len(), 11);
        assert_eq!(deep["contents"]["containers"], 2);
    }
    let write = |name: &str, version: &str| {
        let mut raw = healthy();
        first(&mut raw, paths::VERSION)["status"]["desired"]["version"] = json!(version);
        fs_err::write(
            bench.dir.path().join(name),
            serde_json::to_vec(&collect(&raw)).unwrap(),
        )
        .unwrap();
    };
    write("old.json", "4.18.20");
    write("same.json", "4.18.27");
    bench
        .verify(&image, &["--facts", "old.json", "--deep"])
        .expect(0);
    let same = bench
        .verify(&image, &["--facts", "same.json"])
        .expect(7)
        .json();
    assert_eq!(
        same["findings"][0]["message"],
        "seed OCP version (4.18.27) must be higher than current OCP version (4.18.27)"
    );
    bench
        .verify(&image, &["--facts", "same.json", "--for", "ibi"])
        .expect(0);
    // The same of a live target.
    for (version, code) in [("4.18.20", 0), ("4.18.27", 7)] {
        let mut raw = healthy();
        first(&mut raw, paths::VERSION)["status"]["desired"]["version"] = json!(version);
        let target = ApiServer::mutual_tls_with(raw);
        let file = bench.dir.path().join("target.kubeconfig");
        fs_err::write(file, target.kubeconfig().to_string()).unwrap();
        let live = bench.verify(&image, &["--kubeconfig", "target.kubeconfig"]);
        let live = live.expect(code).json();
        assert_eq!(live["compared"], true);
    }
    let text = run(
        bench.dir.path(),
        &[
            "seed",
            "verify",
            &image,
            "--tls-verify=false",
            "--facts",
            "same.json",
        ],
    )
    .expect(7);
    assert!(
        text.stdout
            .contains("error: version: ClusterVersion/version: seed OCP version")
            && text.stdout.ends_with("not good\n"),
        "{}",
        text.stdout
    );
    bench
        .verify(&image.replace(":good", ":none"), &[])
        .expect(5);
}

/// Made as lifecycle-agent makes it: `podman build` of the eleven files, pushed by podman.
#[test]
fn podmans_own_image_is_good() {
    let Some(bench) = Bench::new() else { return };
    if !installed(&["podman"]) {
        return;
    }
    let dir = bench.dir.path();
    fs_err::write(dir.join("Containerfile"), "\nFROM scratch\nCOPY . /\n").unwrap();
    let info = fs_err::read_to_string(dir.join("backup/manifest.json")).unwrap();
    let image = format!("{}/sno1/seed:podman", bench.registry.host);
    let path = |name: &str| dir.join(name).display().to_string();
    let podman = |args: &[&str]| {
        let (root, run) = (path("store"), path("run"));
        let base = [
            "--root",
            &root,
            "--runroot",
            &run,
            "--storage-driver",
            "vfs",
        ];
        snoforge::exec::run("podman", &[&base[..], args].concat())
    };
    let labels = [
        format!("{LABEL}format_version=4"),
        format!("{LABEL}cluster_info={info}"),
    ];
    let build = [
        "build",
        "-q",
        "--file",
        &path("Containerfile"),
        "--tag",
        &image,
        "--label",
        &labels[0],
        "--label",
        &labels[1],
        &path("backup"),
    ];
    if let Err(error) = podman(&build) {
        eprintln!("skipped: podman cannot build here: {error}");
        return;
    }
    for format in ["oci", "v2s2"] {
        podman(&[
            "push",
            "-q",
            "--tls-verify=false",
            "--format",
            format,
            &image,
        ])
        .unwrap_or_else(|e| panic!("{e}"));
        let out = bench.verify(&image, &["--deep"]).expect(0).json();
        assert_eq!(out["findings"], json!([]), "{format}");
        assert_eq!(out["contents"]["files"].as_object().unwrap().len(), 11);
        assert_eq!(
            out["image"]["info"]["ingress_certificate_cn"],
            "ingress-operator@1733250000"
        );
    }
    podman(&["rmi", "-f", &image]).unwrap_or_else(|e| panic!("{e}"));
}

type Corruption = (&'static str, fn(&mut Parts), bool, &'static str);

#[test]
fn corrupted_images_are_told_apart() {
    let Some(bench) = Bench::new() else { return };
    // Name, what is done, whether the labels alone tell, what is said.
    let rows: &[Corruption] = &[
        (
            "no-format",
            |p| {
                drop(
                    p.labels
                        .as_object_mut()
                        .unwrap()
                        .remove(&format!("{LABEL}format_version")),
                );
            },
            true,
            "seed image is missing the com.openshift.lifecycle-agent.seed_format_version label",
        ),
        (
            "format-3",
            |p| p.labels[format!("{LABEL}format_version")] = json!("3"),
            true,
            "seed image format version mismatch: expected 4, got 3",
        ),
        (
            "no-info",
            |p| {
                drop(
                    p.labels
                        .as_object_mut()
                        .unwrap()
                        .remove(&format!("{LABEL}cluster_info")),
                );
            },
            true,
            "the label is missing",
        ),
        (
            "bad-info",
            |p| p.labels[format!("{LABEL}cluster_info")] = json!("{\"has_fips\":"),
            true,
            "no seed cluster info",
        ),
        (
            "no-version",
            |p| {
                p.labels[format!("{LABEL}cluster_info")] = json!(
                    "{\"node_ip\":\"10.0.0.1\",\"base_domain\":\"a\",\"cluster_name\":\"b\",\"release_registry\":\"c\",\"recert_image_pull_spec\":\"d\"}"
                );
            },
            true,
            "seed_cluster_ocp_version `` is no version",
        ),
        (
            "label-differs",
            |p| p.member("manifest.json").push(b'\n'),
            false,
            "not what the label",
        ),
        (
            "missing",
            |p| p.members.retain(|(n, _)| n != "ostree.tgz"),
            false,
            "ostree.tgz: it is not in the layer",
        ),
        (
            "no-origin",
            |p| p.members.retain(|(n, _)| !n.ends_with(".origin")),
            false,
            "ostree-<deployment>.origin: it is not in the layer",
        ),
        (
            "empty",
            |p| p.member("var.tgz").clear(),
            false,
            "var.tgz: it is empty",
        ),
        (
            "cut",
            |p| {
                let var = p.member("var.tgz");
                var.truncate(var.len() / 2);
            },
            false,
            "var.tgz: ",
        ),
        (
            "escape",
            |p| {
                p.members
                    .push(("../../etc/passwd".to_owned(), b"x".to_vec()));
            },
            false,
            "hostile member \"../../etc/passwd\": it leaves its directory",
        ),
        (
            "absolute",
            |p| {
                p.members
                    .insert(0, ("/etc/passwd".to_owned(), b"x".to_vec()));
            },
            false,
            "hostile member \"/etc/passwd\": an absolute path",
        ),
        (
            "link",
            |p| p.link = Some(("lca-cli2", "/etc/passwd")),
            false,
            "lca-cli2: it is no regular file",
        ),
        (
            "twice",
            |p| {
                let list = p.members[0].clone();
                p.members.push(list);
            },
            false,
            "containers.list: it is there twice",
        ),
        (
            "nested",
            |p| {
                *p.member("var.tgz") =
                    gzip(&tar_of(&[("etc/shadow".to_owned(), b"x".to_vec())], None));
            },
            false,
            "var.tgz: hostile member \"etc/shadow\": it is not below var/",
        ),
        (
            "nested-escape",
            |p| {
                *p.member("etc.tgz") =
                    gzip(&tar_of(&[("etc/../../x".to_owned(), b"x".to_vec())], None));
            },
            false,
            "etc.tgz: hostile member",
        ),
        (
            "deletions",
            |p| *p.member("etc.deletions") = b"/etc/a\n/etc/../usr/bin/bash\n".to_vec(),
            false,
            "hostile: it deletes \"/etc/../usr/bin/bash\"",
        ),
        (
            "deployment",
            |p| {
                let text = String::from_utf8(p.member("rpm-ostree.json").clone()).unwrap();
                *p.member("rpm-ostree.json") = text.replace(".0\"", ".1\"").into_bytes();
            },
            false,
            "the booted deployment is",
        ),
        (
            "json",
            |p| p.member("mco-currentconfig.json").truncate(20),
            false,
            "mco-currentconfig.json: it is no JSON",
        ),
        (
            "list",
            |p| p.member("containers.list").extend(b"\nnot an image"),
            false,
            "\"not an image\" is no pull spec",
        ),
        (
            "diff-id",
            |p| p.diff_id = Some(Digest::of(b"")),
            false,
            "the configuration says",
        ),
        ("two-layers", |p| p.layers = 2, true, "it has 2 layers"),
    ];
    assert!(rows.len() >= 10);
    for (tag, spoil, by_labels, said) in rows {
        let mut parts = bench.parts.clone();
        spoil(&mut parts);
        let (image, _) = bench.publish(&parts, tag);
        let shallow = bench
            .verify(&image, &[])
            .expect(if *by_labels { 7 } else { 0 });
        let deep = bench.verify(&image, &["--deep"]).expect(7);
        let out = if *by_labels { shallow } else { deep };
        let text = match out.json()["findings"].as_array() {
            Some(all) => {
                let errors: Vec<_> = all
                    .iter()
                    .filter(|f| f["severity"] == "error")
                    .map(|f| {
                        format!(
                            "{}: {}",
                            f["object"].as_str().unwrap(),
                            f["message"].as_str().unwrap()
                        )
                    })
                    .collect();
                assert_eq!(errors.len(), 1, "{tag}: {errors:#?}");
                errors.join("\n")
            }
            None => out.stderr,
        };
        assert!(text.contains(said), "{tag}: {text}");
    }
    // The registry's own disk lies: the right length, one bit another.
    let (image, stored) = bench.publish(&bench.parts, "flipped");
    let good = fs_err::read(&stored).unwrap();
    for at in [20, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        fs_err::write(&stored, bytes).unwrap();
        bench.verify(&image, &[]).expect(0);
        let found = bench.verify(&image, &["--deep"]).expect(7).json();
        assert_eq!(found["findings"][0]["rule"], "layer-digest");
        assert_eq!(found["findings"].as_array().unwrap().len(), 1);
    }
    fs_err::write(&stored, good).unwrap();
    bench.verify(&image, &["--deep"]).expect(0);
}

#[test]
fn the_images_inside_become_a_mapping() {
    let Some(bench) = Bench::new() else { return };
    let (image, stored) = bench.publish(&bench.parts, "list");
    let dir = bench.dir.path();
    let base = ["seed", "precache-list", &image, "--tls-verify=false"];
    let recert = "edge-infrastructure/recert:v0";
    let same = run(dir, &base).expect(0).stdout;
    assert!(
        same.contains(&format!("quay.io/{recert}={recert}\n")),
        "{same}"
    );
    // The seed has mirrors, the target none: its own registry stands in.
    let other = run(
        dir,
        &[&base[..], &["--release-registry", "infra.lab:8443"]].concat(),
    )
    .expect(0)
    .stdout;
    assert!(
        other.contains(&format!("infra.lab:8443/{recert}={recert}\n")),
        "{other}"
    );
    let covered = run(
        dir,
        &[
            &base[..],
            &[
                "--release-registry",
                "infra.lab:8443",
                "--mirrors",
                "quay.io",
            ],
        ]
        .concat(),
    )
    .expect(0)
    .stdout;
    assert_eq!(covered, same);
    // The same from the target's facts: its release's registry, and what its mirrors cover.
    let mut raw = healthy();
    if let Some(Answer::Items(items)) = raw.get_mut(paths::DEPLOYMENTS) {
        items[1]["spec"]["template"]["spec"]["containers"][0]["image"] =
            json!("infra.lab:8443/ocp/release@sha256:1");
    }
    let facts = |raw: &Raw| {
        fs_err::write(
            dir.join("facts.json"),
            serde_json::to_vec(&collect(raw)).unwrap(),
        )
        .unwrap();
    };
    let told = [&base[..], &["--facts", "facts.json"]].concat();
    facts(&raw);
    assert_eq!(run(dir, &told).expect(0).stdout, other);
    push(
        &mut raw,
        paths::IDMS,
        json!({"metadata": {"name": "m"}, "spec": {"imageDigestMirrors": [{"source": "quay.io/openshift-release-dev", "mirrors": ["infra.lab:8443/x"]}]}}),
    );
    facts(&raw);
    assert_eq!(run(dir, &told).expect(0).stdout, same);
    // Where the mapping goes: `precache download --mapping` reads it.
    run(dir, &[&base[..], &["-o", "mapping.txt"]].concat()).expect(0);
    let lines = snoforge::inventory::mapping::parse(
        &fs_err::read_to_string(dir.join("mapping.txt")).unwrap(),
    )
    .unwrap();
    assert_eq!(lines.len(), 2);
    // What is behind the list is not fetched: damage there does not matter.
    let mut bytes = fs_err::read(&stored).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 4;
    fs_err::write(&stored, bytes).unwrap();
    run(dir, &base).expect(0);
    let mut parts = bench.parts.clone();
    parts.members.retain(|(n, _)| n != "containers.list");
    let (image, _) = bench.publish(&parts, "no-list");
    let none = run(
        dir,
        &["seed", "precache-list", &image, "--tls-verify=false"],
    )
    .expect(7);
    assert!(
        none.stderr.contains("has no containers.list"),
        "{}",
        none.stderr
    );
}

/// From the list to the data disk: the mapping is what `precache download` takes.
#[test]
fn the_images_inside_reach_the_data_disk() {
    let Some(bench) = Bench::new() else { return };
    let dir = bench.dir.path();
    let inner = bench.push(&bench.dir.path().join("oci"), "inner");
    let mut parts = bench.parts.clone();
    *parts.member("containers.list") =
        b"quay.io/sno1/seed:inner\n\nquay.io/sno1/seed:inner".to_vec();
    let (image, _) = bench.publish(&parts, "outer");
    let host = &bench.registry.host;
    run(
        dir,
        &[
            "seed",
            "precache-list",
            &image,
            "--tls-verify=false",
            "--release-registry",
            host,
            "-o",
            "mapping.txt",
        ],
    )
    .expect(0);
    let out = run(
        dir,
        &[
            "precache",
            "download",
            "-r",
            "4.18.27",
            "-f",
            "disk",
            "--mapping",
            "mapping.txt",
            "--tls-verify=false",
        ],
    )
    .expect(0);
    assert!(out.stdout.contains("Downloaded"), "{}", out.stdout);
    let listed = run(dir, &["precache", "list", "-f", "disk"]).expect(0);
    assert!(listed.stdout.contains(&inner), "{}", listed.stdout);
    run(dir, &["precache", "verify", "-f", "disk", "--deep"]).expect(0);
}

/// A layer far larger than what is held of it.
#[test]
fn a_large_layer_takes_little_memory() {
    const LARGE: usize = 192 << 20;
    let Some(bench) = Bench::new() else { return };
    if !installed(&["/usr/bin/time"]) {
        return;
    }
    let mut parts = bench.parts.clone();
    // Does not compress: xorshift.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(LARGE / 8)
    .flatten()
    .collect();
    *parts.member("var.tgz") = gzip(&tar_of(&[("var/large".to_owned(), noise)], None));
    let (image, stored) = bench.publish(&parts, "large");
    assert!(fs_err::metadata(stored).unwrap().len() > LARGE as u64 / 2);
    let peak = bench.dir.path().join("peak");
    let peak_text = peak.display().to_string();
    let args = [
        "-f",
        "%M",
        "-o",
        &peak_text,
        env!("CARGO_BIN_EXE_snoforge"),
        "seed",
        "verify",
        &image,
        "--tls-verify=false",
        "--deep",
    ];
    snoforge::exec::run("/usr/bin/time", &args).unwrap_or_else(|e| panic!("{e}"));
    let kib: u64 = fs_err::read_to_string(peak)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(kib < 64 << 10, "{kib} KiB");
}
