//! A release payload image: its `image-references` name every component (`imageset.md` §2.4).
//!
//! The file sits in the last layers, so layers are read top-down until one decides: it has the file, or removes it.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use serde::Deserialize;

use crate::oci::Reference;

use super::InventoryError;
use super::architecture::machine;
use super::layer;
use super::session::Session;
use super::tarball::{self, Kind, Whiteout};

const DIRECTORY: &str = "release-manifests";
const REFERENCES: &str = "image-references";
const METADATA: &str = "release-metadata";
const BOOT_IMAGES: &str = "0000_50_installer_coreos-bootimages.yaml";

/// The file is about 100 KiB.
const MAX_FILE: u64 = 16 << 20;

/// A payload, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload {
    /// The payload image by digest.
    pub(super) image: Reference,
    /// `metadata.name` of the stream: `4.13.1`.
    pub(super) version: String,
    /// As it stands in tags: `x86_64`, `aarch64`, …, `multi`.
    pub(super) architecture: String,
    /// The components in file order.
    pub(super) components: Vec<Component>,
}

/// A component image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) image: Reference,
}

/// Reads a payload; `image` has a digest. With `kubevirt` the boot image for `KubeVirt` machines becomes a component too.
///
/// # Errors
/// It cannot be read, or is no release payload.
pub(super) async fn read(
    session: &Session<'_>,
    image: &Reference,
    kubevirt: bool,
) -> Result<Payload, InventoryError> {
    let single = session.single_image(image, "amd64").await?;
    let config = session.config(&single).await?;
    let architecture = if single.from_index {
        "multi".to_owned()
    } else {
        let written = config.get("architecture").and_then(|a| a.as_str());
        machine(written.unwrap_or("amd64")).to_owned()
    };
    let fail = |detail: String| InventoryError::Image {
        image: image.to_string(),
        detail,
        hint: Some(
            "is this a release payload (quay.io/openshift-release-dev/ocp-release)?".to_owned(),
        ),
    };
    for layer in single.layers.iter().rev().filter(|l| !l.is_foreign()) {
        let found = layer::read(session, &single.reference, layer, |tar| scan(tar)).await?;
        match found {
            Found {
                references: Some(bytes),
                metadata,
                boot_images,
                ..
            } => {
                let (version, mut components) = parse_references(&bytes).map_err(fail)?;
                check_metadata(metadata.as_deref(), &version).map_err(fail)?;
                if kubevirt {
                    let image = kubevirt_image(boot_images.as_deref(), &architecture);
                    components.push(image.map_err(fail)?);
                }
                return Ok(Payload {
                    image: image.clone(),
                    version,
                    architecture,
                    components,
                });
            }
            Found { removed: true, .. } => break,
            Found { .. } => {}
        }
    }
    Err(fail(format!("no {DIRECTORY}/{REFERENCES} in its layers")))
}

#[derive(Default)]
struct Found {
    references: Option<Vec<u8>>,
    metadata: Option<Vec<u8>>,
    boot_images: Option<Vec<u8>>,
    /// A whiteout hides what lower layers have.
    removed: bool,
}

fn scan(tar: &mut dyn io::Read) -> io::Result<Found> {
    let mut found = Found::default();
    tarball::walk(tar, &mut |entry| {
        match tarball::whiteout(entry.path) {
            Some(Whiteout::Opaque("" | DIRECTORY)) => found.removed = true,
            Some(Whiteout::Path { parent: "", name }) => found.removed |= name == DIRECTORY,
            Some(Whiteout::Path { parent, name }) => {
                found.removed |= parent == DIRECTORY && name == REFERENCES;
            }
            _ => {}
        }
        let Some((DIRECTORY, name)) = entry.path.split_once('/') else {
            return Ok(());
        };
        let slot = match name {
            REFERENCES => &mut found.references,
            METADATA => &mut found.metadata,
            BOOT_IMAGES => &mut found.boot_images,
            _ => return Ok(()),
        };
        if entry.kind == Kind::File {
            *slot = Some(capped(entry.body, entry.path)?);
        }
        Ok(())
    })?;
    Ok(found)
}

fn capped(body: &mut dyn io::Read, path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = body.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if count as u64 > MAX_FILE {
        return Err(io::Error::other(format!(
            "{path} is larger than {MAX_FILE} bytes"
        )));
    }
    Ok(bytes)
}

#[derive(Deserialize)]
struct ImageStream {
    #[serde(default)]
    kind: String,
    #[serde(rename = "apiVersion", default)]
    api_version: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
struct Spec {
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    name: String,
    from: Option<From>,
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

/// Parses `image-references`: version and components in file order.
fn parse_references(bytes: &[u8]) -> Result<(String, Vec<Component>), String> {
    let stream: ImageStream =
        serde_json::from_slice(bytes).map_err(|e| format!("{REFERENCES}: {e}"))?;
    if stream.kind != "ImageStream" || stream.api_version != "image.openshift.io/v1" {
        return Err("unrecognized image-references in release payload".to_owned());
    }
    if stream.metadata.name.is_empty() {
        return Err(format!("{REFERENCES} has no version"));
    }
    let mut components = Vec::new();
    for tag in stream.spec.tags {
        let Some(from) = tag.from.filter(|f| f.kind == "DockerImage") else {
            continue;
        };
        let image: Reference = from
            .name
            .parse()
            .map_err(|e| format!("{REFERENCES}: {e}"))?;
        if image.digest().is_none() || image.tag().is_some() {
            return Err(format!(
                "image-references should only contain pointers to images by digest: {}",
                from.name
            ));
        }
        components.push(Component {
            name: tag.name,
            image,
        });
    }
    Ok((stream.metadata.name, components))
}

/// `release-metadata` beside it must tell the same version.
fn check_metadata(bytes: Option<&[u8]>, version: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Cincinnati {
        kind: String,
        version: String,
    }
    let Some(bytes) = bytes else { return Ok(()) };
    let metadata: Cincinnati =
        serde_json::from_slice(bytes).map_err(|e| format!("{METADATA}: {e}"))?;
    if metadata.kind == "cincinnati-metadata-v0" && metadata.version != version {
        return Err(format!(
            "{REFERENCES} is of {version}, {METADATA} of {}",
            metadata.version
        ));
    }
    Ok(())
}

/// The `KubeVirt` disk image named in the boot images' `ConfigMap` (openshift/installer `data/data/coreos/rhcos.json`).
fn kubevirt_image(bytes: Option<&[u8]>, architecture: &str) -> Result<Component, String> {
    #[derive(Deserialize)]
    struct ConfigMap {
        data: BTreeMap<String, String>,
    }
    let fail = |what: &str| format!("{BOOT_IMAGES}: {what}");
    let bytes = bytes.ok_or_else(|| fail("not in the payload, so there is no KubeVirt image"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| fail("not UTF-8"))?;
    let map: ConfigMap = serde_saphyr::from_str(text).map_err(|_| fail("not a ConfigMap"))?;
    let stream = map.data.get("stream").ok_or_else(|| fail("no `stream`"))?;
    let stream: serde_json::Value =
        serde_json::from_str(stream).map_err(|_| fail("`stream` is not JSON"))?;
    let architecture = if architecture == "multi" {
        "x86_64"
    } else {
        architecture
    };
    let pointer = format!("/architectures/{architecture}/images/kubevirt/digest-ref");
    let name = stream.pointer(&pointer).and_then(|v| v.as_str());
    let name = name.ok_or_else(|| fail(&format!("no KubeVirt image for {architecture}")))?;
    Ok(Component {
        name: "kube-virt-container".to_owned(),
        image: name.parse().map_err(|e| fail(&format!("{e}")))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(tags: &str) -> String {
        format!(
            r#"{{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{{"name":"4.13.1"}},"spec":{{"tags":[{tags}]}}}}"#
        )
    }

    #[test]
    fn references_by_digest_only() {
        let image = format!("quay.io/o/r@sha256:{}", "a".repeat(64));
        let good = format!(
            r#"{{"name":"etcd","from":{{"kind":"DockerImage","name":"{image}"}}}},{{"name":"x","from":{{"kind":"ImageStreamTag","name":"y:z"}}}},{{"name":"w"}}"#
        );
        let (version, components) = parse_references(stream(&good).as_bytes()).unwrap();
        assert_eq!((version.as_str(), components.len()), ("4.13.1", 1));
        for name in [
            "quay.io/o/r:tag".to_owned(),
            image.replace('@', ":t@"),
            "quay.io/o/r".to_owned(),
        ] {
            let tag =
                format!(r#"{{"name":"etcd","from":{{"kind":"DockerImage","name":"{name}"}}}}"#);
            let error = parse_references(stream(&tag).as_bytes()).unwrap_err();
            assert!(error.contains("pointers to images by digest"), "{error}");
        }
        let other = stream("").replace("ImageStream", "ImageStreamTag");
        let error = parse_references(other.as_bytes()).unwrap_err();
        assert_eq!(error, "unrecognized image-references in release payload");
        assert!(parse_references(b"[]").is_err());
    }

    #[test]
    fn kubevirt_image_of_the_architecture() {
        let image = format!("quay.io/o/rhcos@sha256:{}", "a".repeat(64));
        let yaml = format!(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  releaseVersion: 4.14.1\n  stream: |\n    {{\"architectures\":{{\"x86_64\":{{\"images\":{{\"kubevirt\":{{\"image\":\"x:y\",\"digest-ref\":\"{image}\"}}}}}}}}}}\n"
        );
        let found = kubevirt_image(Some(yaml.as_bytes()), "x86_64").unwrap();
        assert_eq!(found.image.to_string(), image);
        assert!(kubevirt_image(Some(yaml.as_bytes()), "aarch64").is_err());
        assert!(kubevirt_image(None, "x86_64").is_err());
        assert!(kubevirt_image(Some(b"[]"), "x86_64").is_err());
    }

    #[test]
    fn metadata_must_agree() {
        let text = br#"{"kind":"cincinnati-metadata-v0","version":"4.13.2","previous":[]}"#;
        assert!(check_metadata(Some(text), "4.13.2").is_ok());
        assert!(check_metadata(Some(text), "4.13.1").is_err());
        assert!(check_metadata(None, "4.13.1").is_ok());
    }
}
