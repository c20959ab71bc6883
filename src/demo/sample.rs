//! The embedded sample: a release payload, an operator catalog and the images that they name, in their real formats under their
//! real names, about 60 MB. Digests are of the sample's own content.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::image::{Family, Image, Layer, index};
use crate::oci::{Digest, RawManifest, Reference};

/// The release of the sample.
pub const RELEASE: &str = "4.13.1";
/// The Advanced Cluster Management version of the sample.
pub const ACM_VERSION: &str = "2.7.4";
/// The multicluster engine version of the sample.
pub const MCE_VERSION: &str = "2.2.4";

const COMPONENTS: [&str; 16] = [
    "agent-installer-utils",
    "cli",
    "cluster-bootstrap",
    "cluster-config-operator",
    "cluster-etcd-operator",
    "cluster-ingress-operator",
    "cluster-kube-apiserver-operator",
    "cluster-version-operator",
    "coredns",
    "etcd",
    "hyperkube",
    "machine-config-operator",
    "machine-os-content",
    "must-gather",
    "ovn-kubernetes",
    "pod",
];

/// Package, its channels as (name, versions oldest first), default channel first; operand images per version.
type SamplePackage = (
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
    &'static [&'static str],
);

const PACKAGES: [SamplePackage; 3] = [
    (
        "multicluster-engine",
        &[
            ("stable-2.4", &["2.4.0"]),
            ("stable-2.2", &["2.2.3", "2.2.4"]),
        ],
        &[
            "assisted-installer-rhel8",
            "assisted-installer-reporter-rhel8",
            "backplane-rhel8-operator",
            "hive-rhel8",
        ],
    ),
    (
        "advanced-cluster-management",
        &[
            ("release-2.9", &["2.9.0"]),
            ("release-2.7", &["2.7.3", "2.7.4"]),
        ],
        &["acm-operator-rhel8", "search-v2-api-rhel8"],
    ),
    (
        "local-storage-operator",
        &[("stable", &["4.13.0"])],
        &["ose-local-storage-operator", "ose-kube-rbac-proxy"],
    ),
];

/// Everything that the sample registry serves.
#[derive(Debug, Default)]
pub struct Sample {
    /// Manifests with the reference they are pushed under, children of an index before it.
    pub manifests: Vec<(Reference, RawManifest)>,
    /// Configurations and layers.
    pub blobs: BTreeMap<Digest, bytes::Bytes>,
    /// The update graph of channel `stable-4.13`.
    pub graph: Value,
}

/// Makes the sample; the same bytes every time.
///
/// # Errors
/// Only if a tar cannot be written to memory.
pub fn make() -> io::Result<Sample> {
    let mut sample = Sample::default();
    let bases = Bases::make()?;
    let payload = sample.release(&bases)?;
    sample.graph = json!({"nodes": [{"version": RELEASE, "payload": payload.to_string(), "metadata": {}}], "edges": []});
    sample.catalog(
        "registry.redhat.io/redhat/redhat-operator-index:v4.13",
        &bases,
    )?;
    sample.catalog(
        "registry.redhat.io/redhat/certified-operator-index:v4.13",
        &bases,
    )?;
    Ok(sample)
}

/// Layers that many images share, as the RHEL base layers are.
struct Bases {
    os: Layer,
    runtime: Layer,
}

impl Bases {
    fn make() -> io::Result<Self> {
        Ok(Self {
            os: Layer::of_noise(1, 12_000_000)?,
            runtime: Layer::of_noise(2, 5_000_000)?,
        })
    }

    /// An image on the shared layers with one layer of its own.
    fn image(&self, name: &str, architecture: &str) -> io::Result<Image> {
        let seed = Digest::of(format!("{name}/{architecture}").as_bytes());
        let seed =
            u64::from_str_radix(seed.hex().get(..15).unwrap_or_default(), 16).unwrap_or_default();
        let own = Layer::of_noise(
            seed,
            200_000 + usize::try_from(seed % 1_500_000).unwrap_or_default(),
        )?;
        let family = if seed.is_multiple_of(6) {
            Family::Oci
        } else {
            Family::Docker
        };
        let layers = [self.os.clone(), self.runtime.clone(), own];
        Ok(Image::new(
            family,
            architecture,
            &layers,
            &[("io.openshift.build.name", name)],
        ))
    }
}

impl Sample {
    fn push(&mut self, name: &str, image: &Image) -> Reference {
        self.blobs.extend(image.blobs.clone());
        self.push_manifest(name, &image.manifest)
    }

    /// Files a manifest under its digest, and under the tag when `name` has one.
    fn push_manifest(&mut self, name: &str, manifest: &RawManifest) -> Reference {
        let named: Reference = name.parse().expect("sample names are valid");
        let pinned = named.pinned(manifest.descriptor().digest.clone());
        if named.tag().is_some() {
            self.manifests.push((named, manifest.clone()));
        }
        self.manifests.push((pinned.clone(), manifest.clone()));
        pinned
    }

    fn release(&mut self, bases: &Bases) -> io::Result<Reference> {
        let mut tags = Vec::new();
        for component in COMPONENTS {
            let image = bases.image(component, "amd64")?;
            let pinned = self.push("quay.io/openshift-release-dev/ocp-v4.0-art-dev", &image);
            tags.push(json!({"name": component, "from": {"kind": "DockerImage", "name": pinned.to_string()}}));
        }
        let stream = json!({
            "kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": RELEASE}, "spec": {"tags": tags},
        });
        let metadata =
            json!({"kind": "cincinnati-metadata-v0", "version": RELEASE, "previous": []});
        let references = Layer::of_files(&[
            (
                "release-manifests/image-references",
                stream.to_string().as_bytes(),
            ),
            (
                "release-manifests/release-metadata",
                metadata.to_string().as_bytes(),
            ),
        ])?;
        let layers = [bases.os.clone(), references];
        let payload = Image::new(
            Family::Docker,
            "amd64",
            &layers,
            &[("io.openshift.release", RELEASE)],
        );
        Ok(self.push(
            &format!("quay.io/openshift-release-dev/ocp-release:{RELEASE}-x86_64"),
            &payload,
        ))
    }

    fn catalog(&mut self, name: &str, bases: &Bases) -> io::Result<()> {
        let mut files = Vec::new();
        let packages: &[SamplePackage] = if name.contains("certified") {
            &[]
        } else {
            &PACKAGES
        };
        for package in packages {
            let objects = self.package(package, bases)?;
            let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
            let text = lines.join("\n");
            files.push((format!("configs/{}/catalog.json", package.0), text));
        }
        let placeholder =
            json!({"schema": "olm.package", "name": "sample-empty", "defaultChannel": "stable"});
        let channel = json!({"schema": "olm.channel", "package": "sample-empty", "name": "stable", "entries": [{"name": "sample-empty.v0.1.0"}]});
        let bundle = self.bundle("sample-empty", "0.1.0", &[], bases)?;
        files.push((
            "configs/sample-empty/catalog.json".into(),
            format!("{placeholder}\n{channel}\n{bundle}\n"),
        ));
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_bytes()))
            .collect();
        let layers = [bases.os.clone(), Layer::of_files(&files)?];
        let labels = [(
            "operators.operatorframework.io.index.configs.v1",
            "/configs",
        )];
        self.push(name, &Image::new(Family::Docker, "amd64", &layers, &labels));
        Ok(())
    }

    fn package(
        &mut self,
        (name, channels, operands): &SamplePackage,
        bases: &Bases,
    ) -> io::Result<Vec<Value>> {
        let default = channels.first().map(|(channel, _)| *channel);
        let mut objects =
            vec![json!({"schema": "olm.package", "name": name, "defaultChannel": default})];
        for (channel, versions) in *channels {
            let entry = |(i, version): (usize, &&str)| {
                let replaces = i
                    .checked_sub(1)
                    .and_then(|p| versions.get(p))
                    .map(|v| format!("{name}.v{v}"));
                json!({"name": format!("{name}.v{version}"), "replaces": replaces})
            };
            let entries: Vec<_> = versions.iter().enumerate().map(entry).collect();
            objects.push(json!({"schema": "olm.channel", "package": name, "name": channel, "entries": entries}));
            for version in *versions {
                objects.push(self.bundle(name, version, operands, bases)?);
            }
        }
        Ok(objects)
    }

    fn bundle(
        &mut self,
        package: &str,
        version: &str,
        operands: &[&str],
        bases: &Bases,
    ) -> io::Result<Value> {
        let mut related = Vec::new();
        for operand in operands {
            let repository = format!("registry.redhat.io/{package}/{operand}");
            let amd64 = bases.image(&format!("{operand} {version}"), "amd64")?;
            let arm64 = bases.image(&format!("{operand} {version}"), "arm64")?;
            self.push(&repository, &amd64);
            self.push(&repository, &arm64);
            let list = index(Family::Docker, &[("amd64", &amd64), ("arm64", &arm64)]);
            let pinned = self.push_manifest(&repository, &list);
            related.push(json!({"name": operand, "image": pinned.to_string()}));
        }
        let manifest = format!("{{\"package\": \"{package}\", \"version\": \"{version}\"}}");
        let image = Image::new(
            Family::Docker,
            "amd64",
            &[Layer::of_files(&[(
                "manifests/csv.json",
                manifest.as_bytes(),
            )])?],
            &[],
        );
        let bundle = self
            .push(
                &format!("registry.redhat.io/{package}/{package}-operator-bundle"),
                &image,
            )
            .to_string();
        related.push(json!({"name": "", "image": bundle}));
        Ok(json!({
            "schema": "olm.bundle", "package": package, "name": format!("{package}.v{version}"), "image": bundle,
            "properties": [{"type": "olm.package", "value": {"packageName": package, "version": version}}],
            "relatedImages": related,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Manifest;

    #[test]
    fn every_manifest_finds_its_blobs() {
        let sample = make().unwrap();
        for (reference, manifest) in &sample.manifests {
            if let Manifest::Image { config, layers } = manifest.parse().unwrap() {
                for blob in layers.iter().chain([&config]) {
                    assert!(sample.blobs.contains_key(&blob.digest), "{reference}");
                }
            }
        }
        assert!(sample.manifests.len() > 40);
    }
}
