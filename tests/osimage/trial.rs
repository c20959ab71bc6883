//! Push and pull, tried on a real registry with a password.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use snoforge::oci::Digest;

use crate::live::{Lab, NS};
use crate::registry::{DockerRegistry, Guard, LOGIN};

/// An image of one empty layer, as skopeo's name of it.
fn layout(dir: &Path) -> String {
    let blobs = dir.join("blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8], media_type: &str| {
        let digest = Digest::of(bytes);
        fs_err::write(blobs.join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    };
    let tar = [0u8; 1024];
    let diff = Digest::of(&tar).to_string();
    let layer = blob(&tar, "application/vnd.oci.image.layer.v1.tar");
    let config = json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff]}});
    let config = blob(
        config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]});
    let manifest = blob(
        manifest.to_string().as_bytes(),
        "application/vnd.oci.image.manifest.v1+json",
    );
    fs_err::write(
        dir.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [manifest]}).to_string(),
    )
    .unwrap();
    fs_err::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    format!("oci:{}", dir.display())
}

/// The registry is a real one with a password.
#[test]
fn push_and_pull_are_tried() {
    let Some(registry) = DockerRegistry::start(Guard::Password) else {
        return;
    };
    let lab = Lab::new();
    let auth = |password: &str| {
        let login = BASE64.encode(format!("{}:{password}", LOGIN.0));
        json!({"auths": {&registry.host: {"auth": login}}}).to_string()
    };
    fs_err::write(lab.home.path().join("good.json"), auth(LOGIN.1)).unwrap();
    fs_err::write(lab.home.path().join("bad.json"), auth("wrong")).unwrap();
    let data = BASE64.encode(auth(LOGIN.1));
    for (namespace, name) in [("openshift-config", "pull-secret"), (NS, "os-push")] {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let rest =
            json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}});
        lab.put(&path, "v1", "Secret", rest);
    }
    let base = format!("{}/base/os:1", registry.host);
    let urls = format!("/api/v1/namespaces/{NS}/configmaps/machine-config-osimageurl");
    lab.put(
        &urls,
        "v1",
        "ConfigMap",
        json!({"data": {"baseOSContainerImage": base}}),
    );
    let push = format!("{}/org/os:latest", registry.host);
    let args = |auth: &'static str| {
        [
            "osimage",
            "preflight",
            "--pool",
            "master",
            "--push-spec",
            &push,
            "--push-secret",
            "os-push",
            "--tls-verify=false",
            "--authfile",
            auth,
        ]
        .map(str::to_owned)
    };
    let rules = |auth: &'static str, code: i32| {
        let args = args(auth);
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["--output", "json"]);
        let run = lab.run(&args).expect(code);
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
        let findings = run.json()["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // The base image is not there.
    assert_eq!(rules("good.json", 7), ["pull"]);
    assert_eq!(rules("bad.json", 7), ["push", "pull"]);
    let image = layout(&lab.home.path().join("layout"));
    let to = format!("docker://{base}");
    let creds = format!("{}:{}", LOGIN.0, LOGIN.1);
    DockerRegistry::skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        "--dest-creds",
        &creds,
        &image,
        &to,
    ]);
    assert_eq!(rules("good.json", 0), [""; 0]);
}
