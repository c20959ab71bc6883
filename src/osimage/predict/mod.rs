//! The name and the tag of a build, before there is one.
//!
//! ```text
//! v1:   NAME-md5( salt | yaml(pool.spec.configuration) | yaml(MachineOSConfig.spec) | yaml(OS image URLs) )
//! 4.14: build-RENDERED, and the tag is RENDERED
//! ```
//!
//! Source: `pkg/controller/build/buildrequest/machineosbuild.go` of the operator; vector `mosb_name.json`.
//!
//! The hash is over the text that `gopkg.in/yaml.v2` writes, so that text is part of the format. What differs between that writer's
//! versions (it folds lines of more than 80 columns in 2.4 and not in 2.3) or is not covered here is refused, never guessed. A
//! release of the operator that hashes more than this gives other names: compare one prediction with one build before you rely on it.

mod go_yaml;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::Era;
use super::error::Error;
use super::names::PushSpec;

/// 80 random bytes, the operator's own; also those of the names of rendered `MachineConfigs`.
const SALT: [u8; 80] = [
    16, 124, 206, 228, 139, 56, 175, 175, 79, 229, 134, 118, 157, 154, 211, 110, 25, 93, 47, 253,
    172, 106, 37, 7, 174, 13, 160, 185, 110, 17, 87, 52, 219, 131, 12, 206, 218, 141, 116, 135,
    188, 181, 192, 151, 233, 62, 126, 165, 64, 83, 179, 119, 15, 168, 208, 197, 146, 107, 58, 227,
    133, 188, 238, 26, 33, 26, 235, 202, 32, 173, 31, 234, 41, 144, 148, 79, 6, 206, 23, 22,
];

/// `ConfigMap` with the URLs of the release's OS images.
pub const URLS: &str = "machine-config-osimageurl";

/// The OS images of a release, as the `ConfigMap` [`URLS`] has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImages {
    /// `baseOSContainerImage`.
    pub base: String,
    /// `baseOSExtensionsContainerImage`.
    pub extensions: String,
    /// `releaseVersion`.
    pub release: String,
}

impl OsImages {
    /// From the `ConfigMap`.
    ///
    /// # Errors
    /// A key is missing.
    pub fn from_config_map(file: &str, object: &Value) -> Result<Self, Error> {
        let key = |name: &str| {
            let value = object.get("data").and_then(|data| data.get(name));
            let value = value.and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| {
                Error::file(
                    file,
                    format!("`data.{name}` is missing: it is no ConfigMap {URLS}"),
                )
            })
        };
        Ok(Self {
            base: key("baseOSContainerImage")?,
            extensions: key("baseOSExtensionsContainerImage")?,
            release: key("releaseVersion")?,
        })
    }
}

/// What a build will be called.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// The `MachineOSBuild`; in 4.14 there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_os_build: Option<String>,
    /// The Job, or in 4.14 the pod.
    pub build: String,
    /// What is pushed.
    pub image: String,
    /// `ConfigMaps` of the Containerfile and of the rendered `MachineConfig`, while the build is going on or has failed.
    pub config_maps: [String; 2],
}

/// `spec.configuration` of a pool: the rendered `MachineConfig` and those that went into it, in order.
pub fn configuration(rendered: &str, sources: &[String]) -> Value {
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(rendered));
    let source = |name: &String| json!({"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfig", "name": name});
    if !sources.is_empty() {
        map.insert("source".to_owned(), sources.iter().map(source).collect());
    }
    Value::Object(map)
}

/// The build of a `MachineOSConfig`, by the pool's `spec.configuration` and the release's images.
///
/// # Errors
/// It is no `MachineOSConfig`, or its text is one that this room does not write as the operator does.
pub fn machine_os_build(
    file: &str,
    config: &Value,
    configuration: &Value,
    images: &OsImages,
) -> Result<Prediction, Error> {
    let refuse = |reason: &str| Error::file(file, reason);
    let name = config.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| refuse("there is no `metadata.name`"))?;
    let spec = config.get("spec").and_then(Value::as_object);
    let spec = stored(spec.ok_or_else(|| refuse("there is no `spec`"))?);
    let push = spec.get("renderedImagePushSpec").and_then(Value::as_str);
    let push = push.ok_or_else(|| refuse("there is no `spec.renderedImagePushSpec`"))?;
    let urls = json!({
        "BaseOSContainerImage": images.base,
        "BaseOSExtensionsContainerImage": images.extensions,
        "OSImageURL": "",
        "ReleaseVersion": images.release,
    });
    let mut hash = Md5::new();
    hash.update(SALT);
    for part in [configuration, &Value::Object(spec.clone()), &urls] {
        hash.update(go_yaml::write(part).map_err(Error::Unpredictable)?);
    }
    let build = format!("{name}-{}", hex::encode(hash.finalize()));
    Ok(Prediction {
        image: PushSpec::new(push, Era::V1)?.tagged(&build)?,
        config_maps: [format!("containerfile-{build}"), format!("mc-{build}")],
        build: format!("build-{build}"),
        machine_os_build: Some(build),
    })
}

/// The build of a rendered `MachineConfig` in 4.14.
///
/// # Errors
/// The name is no tag.
pub fn build_of_4_14(rendered: &str, push: &PushSpec) -> Result<Prediction, Error> {
    Ok(Prediction {
        machine_os_build: None,
        build: format!("build-{rendered}"),
        image: push.tagged(rendered)?,
        config_maps: [format!("dockerfile-{rendered}"), format!("mc-{rendered}")],
    })
}

/// A spec as the API server keeps it and the operator's Go types write it: the default architecture is there, and a list that was
/// left out is null, because its Go field is not `omitempty`.
fn stored(spec: &Map<String, Value>) -> Map<String, Value> {
    let mut spec = spec.clone();
    let files = spec.entry("containerFile").or_insert(Value::Null);
    for file in files.as_array_mut().into_iter().flatten() {
        if let Value::Object(file) = file {
            let arch = file.entry("containerfileArch");
            arch.or_insert_with(|| json!("NoArch"));
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_out_default_changes_nothing() {
        let images = OsImages {
            base: "a@sha256:1".to_owned(),
            extensions: "b@sha256:2".to_owned(),
            release: "4.20.1".to_owned(),
        };
        let name = |config: Value| {
            let pool = configuration("rendered-master-1", &["00-master".to_owned()]);
            machine_os_build("m.yaml", &config, &pool, &images).map(|p| p.image)
        };
        let with = |file: Value| json!({"metadata": {"name": "master"}, "spec": {"renderedImagePushSpec": "q.io/a/b:t", "containerFile": file}});
        let short = name(with(json!([{"content": "FROM configs"}]))).unwrap();
        let long = json!([{"containerfileArch": "NoArch", "content": "FROM configs"}]);
        assert_eq!(short, name(with(long)).unwrap());
        assert_ne!(
            name(with(Value::Null)).unwrap(),
            name(with(json!([]))).unwrap()
        );
        assert!(short.starts_with("q.io/a/b:master-"));
        let long = format!("RUN {}", "word ".repeat(30));
        assert!(matches!(
            name(with(json!([{ "content": long }]))),
            Err(Error::Unpredictable(_))
        ));
        assert!(matches!(name(json!({"spec": {}})), Err(Error::File { .. })));
    }

    #[test]
    fn the_builds_of_4_14_have_the_name_of_the_config() {
        let push = PushSpec::new("quay.io/myorg/myrepo:latest", Era::V414).unwrap();
        let rendered = "rendered-worker-dd37180cefa6a1e88834966330c0c028";
        let build = build_of_4_14(rendered, &push).unwrap();
        assert_eq!(build.image, format!("quay.io/myorg/myrepo:{rendered}"));
        assert_eq!(build.config_maps[1], format!("mc-{rendered}"));
    }
}
