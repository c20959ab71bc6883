//! Archives, read by the tools they are for.

use std::path::Path;

use snoforge::store::{StoreError, artefact_name, dir_tgz, docker_archive, oci_archive};

use crate::{REPOSITORY, filled, flip_a_bit, path, skipped, skopeo, tool};

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

/// Calls `copy_image` of the script as it is on real machines, with a storage of its own.
const COPY_IMAGE: &str = r#"set -e
export CONTAINERS_STORAGE_CONF=$2/storage.conf
source "$1"; trap - EXIT
IMG_GROUP=ai; cd "$2"
copy_image 1 1 "$3" "$4"
for name in "$3" "${3/@*}:$4"; do skopeo inspect --raw "containers-storage:$name"; done
"#;

#[test]
fn the_script_of_a_real_machine_loads_dir_tgz_under_digest_and_tag() {
    let filled = filled();
    if tool("pigz", &["--version"]).is_none() || skopeo(&["--version"]).is_none() {
        return;
    }
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("containers-storage needs root");
    }
    let Some(script) = script_of("/usr/local/bin/extract-ai.sh") else {
        return skipped("../shared/data/ignition is not there");
    };
    let out = tempfile::tempdir().unwrap();
    let here = path(out.path());
    let extract = out.path().join("extract-ai.sh");
    fs_err::write(&extract, script).unwrap();
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{here}/root\"\nrunroot = \"{here}/run\"\n"
    );
    fs_err::write(out.path().join("storage.conf"), storage).unwrap();
    for raw in [
        &filled.docker.manifest,
        &filled.oci.manifest,
        &filled.docker_list,
    ] {
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
        let args = [
            "-c",
            COPY_IMAGE,
            "extract-ai.sh",
            path(&extract),
            here,
            &uri,
            "4.13.1-x86_64-etcd",
        ];
        let said = tool("bash", &args).unwrap();
        let manifest = String::from_utf8_lossy(raw.bytes());
        assert!(
            said.contains(&*manifest),
            "{uri} is not loaded under its digest: {said}"
        );
    }
}

/// A file of the Ignition configuration that was used in the field.
fn script_of(wanted: &str) -> Option<Vec<u8>> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/ignition");
    let text = fs_err::read(Path::new(shared).join("bip-4.13.1-patched-by-hand.ign")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let files = config.pointer("/storage/files")?.as_array()?;
    let file = files.iter().find(|file| file["path"] == wanted)?;
    let source = file.pointer("/contents/source")?.as_str()?;
    let encoded = source.strip_prefix("data:text/plain;charset=utf-8;base64,")?;
    Some(base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encoded).unwrap())
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
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    fs_err::remove_file(filled.blob(2)).unwrap();
    let missing = oci_archive(&filled.store, &entries, &archive).unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    assert_eq!(fs_err::read_dir(out.path()).unwrap().count(), 0);
}
