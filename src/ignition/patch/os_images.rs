//! OS images that a config installs: `osImageURL` of a `MachineConfig`, or the pre-built image of a `MachineOSConfig`.
//!
//! `openshift-install` puts the manifests of its `openshift/` and `manifests/` directories into the live config as files; the first
//! boot of the installed system pulls what they name, so that the mirrors have to cover it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Config;

const DIRECTORIES: [&str; 2] = ["/opt/openshift/openshift/", "/opt/openshift/manifests/"];

const PREBUILT: &str = "/metadata/annotations/machineconfiguration.openshift.io~1pre-built-image";

/// The OS images (pull specs as they are written) that the manifests of a config name, sorted.
pub fn os_images(config: &Config) -> Vec<String> {
    let ours = |path: &str| DIRECTORIES.iter().any(|dir| path.starts_with(dir));
    let files = config.files().filter(|file| ours(file.path()));
    let texts = files.filter_map(|file| String::from_utf8(file.bytes().ok()??).ok());
    // Most manifests name none, and the largest of them are CRDs.
    let texts = texts.filter(|t| t.contains("osImageURL") || t.contains("pre-built-image"));
    let mut found = BTreeSet::new();
    for text in texts {
        // What is no YAML is the installer's business.
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap_or_default();
        found.extend(objects.iter().filter_map(named));
    }
    found.into_iter().collect()
}

fn named(object: &Value) -> Option<String> {
    let pointer = match object.get("kind")?.as_str()? {
        "MachineConfig" => "/spec/osImageURL",
        "MachineOSConfig" => PREBUILT,
        _ => return None,
    };
    let image = object.pointer(pointer)?.as_str()?;
    (!image.is_empty()).then(|| image.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde_json::json;

    use super::*;

    fn config(files: &[(&str, &str)]) -> Config {
        let file = |(path, text): &(&str, &str)| {
            let source = format!("data:;base64,{}", BASE64.encode(text));
            json!({"path": path, "contents": {"source": source}})
        };
        let files: Vec<_> = files.iter().map(file).collect();
        let config = json!({"ignition": {"version": "3.2.0"}, "storage": {"files": files}});
        Config::parse(config.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn both_ways_of_naming_one() {
        let build = "kind: MachineOSConfig\nmetadata:\n  annotations:\n    machineconfiguration.openshift.io/pre-built-image: r.io/b@sha256:2\n";
        let found = os_images(&config(&[
            (
                "/opt/openshift/openshift/99_a.yaml",
                "kind: MachineConfig\nspec: {osImageURL: r.io/a@sha256:1}\n---\nkind: MachineConfig\nspec: {osImageURL: \"\"}\n",
            ),
            ("/opt/openshift/manifests/b.yml", build),
            (
                "/opt/openshift/openshift/99_c.yaml",
                "kind: ControllerConfig\nspec: {osImageURL: r.io/c}\n",
            ),
            (
                "/etc/other.yaml",
                "kind: MachineConfig\nspec: {osImageURL: r.io/d}\n",
            ),
            ("/opt/openshift/openshift/99_e.yaml", "{{ osImageURL"),
        ]));
        assert_eq!(found, ["r.io/a@sha256:1", "r.io/b@sha256:2"]);
    }
}
