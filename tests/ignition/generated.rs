//! Generated configs: eras, secrets, differences, exit codes.

use base64::Engine as _;
use serde_json::{Value, json};
use snoforge::exec;
use snoforge::ignition::inspect::{self, Era};
use snoforge::ignition::lint::{self, Severity};
use snoforge::ignition::{Config, diff};

use crate::{base64, file, snoforge};

const MARK: &str = "TOPSECRETVALUE";

/// A bootstrap-in-place config as `bootstrap-in-place.md` describes it, with a marked secret wherever one can be.
fn generated(era: Era, salt: &str) -> Config {
    let image = format!(
        "registry.example.com:5000/ocp/release@sha256:{}",
        "ab".repeat(32)
    );
    let marked = format!("{MARK}{salt}");
    let mut files = vec![
        file("/usr/local/bin/release-image.sh", 0o555, &format!("#!/bin/bash\n# see https://example.com/a:b\nif ! D=$( podman inspect {image} --format x ); then\n D=\"{image}\"\nfi\n")),
        file("/usr/local/bin/install-to-disk.sh", 0o555, "echo \"coreos-installer install -i x /dev/wrong\"\n  coreos-installer install -n --console tty0 --append-karg a=b \\\n    -i /opt/openshift/master.ign /dev/disk/by-id/wwn-0x5000 && touch done\n"),
        file("/root/.docker/config.json", 0o600, &json!({"auths": {"quay.io": {"auth": marked}, "registry.example.com:5000": {"auth": marked}}}).to_string()),
        file("/opt/openshift/tls/kubelet-signer.key", 0o600, &format!("-----BEGIN RSA PRIVATE KEY-----\n{marked}\n")),
        file("/opt/openshift/auth/kubeconfig", 0o600, &format!("client-key-data: {marked}\n")),
        file("/opt/openshift/openshift/99_kubeadmin-password-secret.yaml", 0o600, &format!("kind: Secret\ndata:\n  kubeadmin: {marked}\n")),
        file("/opt/openshift/manifests/user-data.yaml", 0o600, &format!("apiVersion: v1\nkind: Secret\ndata:\n  x: {marked}\n")),
        file("/opt/openshift/manifests/odd.yaml", 0o600, &format!("pullSecret: '{marked}'\n")),
        file("/etc/NetworkManager/system-connections/w.nmconnection", 0o600, &format!("[wifi-security]\nkey={marked}\n")),
        file("/etc/motd", 0o644, &format!("hello {}\n", salt.len())),
        json!({"path": "/etc/remote", "contents": {"source": format!("https://me:{marked}@example.com/x?token={marked}")}}),
        json!({"path": "/etc/broken.yaml", "contents": {"source": format!("data:, {marked}")}}),
    ];
    let mut units = vec![
        json!({"name": "install-to-disk.service", "contents": "[Unit]\nAfter=bootkube.service\n[Install]\nWantedBy=multi-user.target\n", "enabled": true}),
        json!({"name": "bootkube.service", "contents": "[Service]\nExecStart=/usr/local/bin/bootkube.sh\n"}),
        json!({"name": "proxy.service", "contents": format!("[Service]\nEnvironment=PASSWORD={marked}\n")}),
    ];
    if era >= Era::B {
        units.push(
            json!({"name": "crio-configure.service", "contents": "[Unit]\nBefore=crio.service\n"}),
        );
    }
    if era == Era::C {
        files.push(file(
            "/etc/systemd/system/node-image-pull.service",
            0o644,
            "[Unit]\nBefore=node-image-overlay.service nowhere.service\n",
        ));
        files.push(file(
            "/etc/systemd/system/node-image-overlay.service",
            0o644,
            "[Unit]\nBefore=bootkube.service\n",
        ));
    }
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKQ2RQyH1JxQvVQj3m4Yf0w3yS0uVQk7J0b0iG7yq8eK admin@laptop";
    let root = json!({
        "ignition": {"version": "3.2.0", "config": {"merge": [{"source": format!("data:,{marked}")}]}},
        "passwd": {"users": [{"name": "core", "passwordHash": format!("$6${marked}"), "sshAuthorizedKeys": [key, format!("environment=\"A={marked}\" {key}2")]}]},
        "storage": {"files": files}, "systemd": {"units": units}, "x-ours": {"inner": marked},
    });
    Config::parse(root.to_string().as_bytes()).unwrap()
}

#[test]
fn every_era_is_told() {
    for era in [Era::A, Era::B, Era::C] {
        let overview = inspect::inspect(&generated(era, "a"));
        let bip = overview.bootstrap_in_place.unwrap();
        assert_eq!(bip.era, era);
        assert_eq!(
            bip.install_disk.as_deref(),
            Some("/dev/disk/by-id/wwn-0x5000")
        );
        assert!(
            bip.release_image
                .unwrap()
                .starts_with("registry.example.com:5000/ocp/release@sha256:abab")
        );
        let registries: Vec<_> = bip.pull_secret_registries.unwrap().into_iter().collect();
        assert_eq!(registries, ["quay.io", "registry.example.com:5000"]);
        let remote = overview
            .files
            .iter()
            .find(|f| f.path == "/etc/remote")
            .unwrap();
        assert_eq!(remote.remote.as_deref(), Some("https://example.com/x"));
    }
    let nowhere = lint::lint(&generated(Era::C, "a"), None);
    let nowhere: Vec<_> = nowhere
        .iter()
        .filter(|f| f.message.contains("nowhere.service"))
        .collect();
    assert_eq!(
        nowhere.len(),
        1,
        "a unit that is a storage file is checked too"
    );
    assert_eq!(nowhere[0].severity, Severity::Warning);
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let overview = inspect::inspect(&generated(Era::A, "a"));
    let keys = &overview.users[0].ssh_keys;
    assert_eq!(
        (keys[0].algorithm.as_str(), keys[0].comment.as_str()),
        ("ssh-ed25519", "admin@laptop")
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.pub");
    fs_err::write(
        &path,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKQ2RQyH1JxQvVQj3m4Yf0w3yS0uVQk7J0b0iG7yq8eK a\n",
    )
    .unwrap();
    match exec::run("ssh-keygen", &["-lf", path.to_str().unwrap()]) {
        Ok(out) => {
            let out = String::from_utf8(out).unwrap();
            let theirs = out.split_whitespace().nth(1).unwrap();
            assert_eq!(keys[0].fingerprint.as_deref(), Some(theirs));
        }
        Err(e) => eprintln!("skipped: {e}"),
    }
}

#[test]
fn secrets_are_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("a.ign"), dir.path().join("b.ign"));
    fs_err::write(&one, generated(Era::B, "one").render()).unwrap();
    fs_err::write(&two, generated(Era::C, "three").render()).unwrap();
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let mut outputs = Vec::new();
    for form in ["text", "json"] {
        for args in [
            &["ignition", "inspect", one][..],
            &["ignition", "validate", one],
            &["ignition", "diff", one, two],
            &["ignition", "diff", one, "/dev/null"],
        ] {
            let args = [args, &["--output", form]].concat();
            outputs.push(match snoforge(&args) {
                Ok(out) | Err(out) => out,
            });
        }
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(MARK);
    for output in &outputs {
        assert!(!output.is_empty());
        for secret in [MARK, &MARK.to_lowercase(), encoded.trim_end_matches('=')] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
    }
    // What is no secret is shown, line by line.
    let text = snoforge(&["ignition", "diff", one, two]).unwrap();
    assert!(text.contains("    -hello 3\n    +hello 5"), "{text}");
    assert!(
        text.contains("~ file /opt/openshift/tls/kubelet-signer.key"),
        "{text}"
    );
    assert!(
        text.contains("+ unit")
            || text.contains("+ file /etc/systemd/system/node-image-pull.service"),
        "{text}"
    );
}

#[test]
fn differences_are_decoded() {
    let parse = |value: Value| Config::parse(value.to_string().as_bytes()).unwrap();
    let a = parse(
        json!({"ignition": {"version": "3.2.0"}, "storage": {"files": [
        {"path": "/etc/a", "mode": 420, "contents": {"source": "data:;base64,b25lCnR3bwo="}},
        {"path": "/etc/b", "mode": 755, "contents": {"source": "data:,b"}},
        {"path": "/etc/c", "contents": {"source": "data:;base64,AAEC"}},
    ]}, "systemd": {"units": [{"name": "a.service", "enabled": true, "contents": "[Unit]\nA=1\n"}]}}),
    );
    let b = parse(
        json!({"ignition": {"version": "3.2.0"}, "systemd": {"units": [
            {"name": "a.service", "contents": "[Unit]\nA=2\n", "dropins": [{"name": "x.conf", "contents": "[Unit]\n"}]}]},
            "storage": {"files": [
            {"path": "/etc/c", "contents": {"source": "data:;base64,AAED"}},
            {"path": "/etc/a", "contents": {"source": "data:,one%0Atwo%0A"}, "mode": 420},
            {"path": "/etc/b", "mode": 493, "contents": {"source": "data:,b"}},
        ]}}),
    );
    let text: Vec<_> = diff::diff(&a, &b).iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "~ file /etc/b\n    mode 01363 -> 0755",
            "~ file /etc/c\n    contents 3 bytes sha256:ae4b3280e56e -> 3 bytes sha256:b744d600fbe3",
            "~ unit a.service\n    enabled true -> unset\n    @@ -1,2 +1,2 @@\n     [Unit]\n    -A=1\n    +A=2\n    drop-in x.conf\n    @@ -0,0 +1,1 @@\n    +[Unit]",
        ]
    );
    assert_eq!(diff::diff(&a, &a), []);
}

#[test]
fn exit_codes_and_places() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ign");
    let path = path.to_str().unwrap();
    for (text, start) in [
        ("{\n \"ignition\": }", "2: error: "),
        (
            r#"{"ignition":{"version":"3.6.0-experimental"}}"#,
            "3: error: ",
        ),
        (
            r#"{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"a"}]}}"#,
            "2: error: ",
        ),
    ] {
        fs_err::write(path, text).unwrap();
        let out = snoforge(&["ignition", "validate", path]).unwrap_err();
        assert!(out.starts_with(start) && out.contains(path), "{out}");
    }
    let out = snoforge(&["ignition", "validate", path]).unwrap_err();
    assert!(
        out.contains("/storage/files/0/path: path a is not absolute"),
        "{out}"
    );
    fs_err::write(path, "{\n \"ignition\": }").unwrap();
    let out = snoforge(&["ignition", "inspect", path]).unwrap_err();
    assert!(out.contains("x.ign:2:14: "), "{out}");
    fs_err::write(path, format!(r#"{{"ignition":{{"version":"3.2.0"}},"storage":{{"files":[{{"path":"/a","contents":{{"source":"{}"}}}}]}}}}"#, base64(&noise(300_000)))).unwrap();
    let config = Config::parse(&fs_err::read(path).unwrap()).unwrap();
    let too_large = lint::lint(&config, Some(262_144));
    assert!(
        too_large[0].message.contains("the embed area holds 262144"),
        "{too_large:?}"
    );
    assert_eq!(lint::lint(&config, Some(1 << 20)), []);
}

/// Bytes that do not pack, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
