//! Which files must never be shown.
//!
//! `bootstrap-in-place.md` section 6: `/opt/openshift/tls` and `auth`, registry credentials, kubeconfigs, manifests with Secrets; and
//! whatever looks like one wherever it stands. When in doubt a file counts as secret: what is shown of those is size and digest.

/// Directories whose files are all secret.
const DIRECTORIES: [&str; 5] = [
    "/opt/openshift/tls/",
    "/opt/openshift/auth/",
    "/etc/kubernetes/bootstrap-secrets/",
    "/root/.ssh/",
    "/etc/ssh/",
];
/// Words in a path that mark a secret.
const PATH_WORDS: [&str; 13] = [
    "secret",
    "password",
    "passwd",
    "shadow",
    "credential",
    "kubeconfig",
    "token",
    ".key",
    ".pem",
    ".docker/",
    "authorized_keys",
    "id_rsa",
    "auth.json",
];
/// Words in contents that mark a secret.
const CONTENT_WORDS: [&str; 12] = [
    "PRIVATE KEY",
    "\"auths\"",
    "\"auth\"",
    "kind: Secret",
    "\"kind\":\"Secret\"",
    "\"kind\": \"Secret\"",
    "client-key-data",
    "pullSecret",
    "passwordHash",
    "password:",
    "password=",
    "psk=",
];

/// Whether contents of this file are to be kept from every output.
pub fn is_secret(path: &str, bytes: &[u8]) -> bool {
    let lower = path.to_ascii_lowercase();
    DIRECTORIES.iter().any(|d| path.starts_with(d))
        || lower == "/root/.docker/config.json"
        || lower == "/var/lib/kubelet/config.json"
        || lower.contains("/networkmanager/system-connections/")
        || PATH_WORDS.iter().any(|word| lower.contains(word))
        || text_is_secret(&String::from_utf8_lossy(bytes))
}

/// Whether a text, a unit for example, holds what looks like a secret.
pub fn text_is_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    CONTENT_WORDS
        .iter()
        .any(|word| lower.contains(&word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_by_place_and_by_contents() {
        for path in [
            "/opt/openshift/tls/root-ca.crt",
            "/opt/openshift/auth/kubeadmin",
            "/root/.docker/config.json",
            "/opt/openshift/manifests/openshift-config-secret-pull-secret.yaml",
            "/etc/NetworkManager/system-connections/eth0.nmconnection",
            "/etc/x.KEY",
        ] {
            assert!(is_secret(path, b""), "{path}");
        }
        for contents in [
            "a\n-----BEGIN RSA PRIVATE KEY-----\n",
            "{\"auths\":{}}",
            "kind: Secret",
            "Password: x",
        ] {
            assert!(is_secret("/etc/a.yaml", contents.as_bytes()), "{contents}");
        }
        for path in ["/usr/local/bin/bootkube.sh", "/etc/motd", "/etc/hostname"] {
            assert!(!is_secret(path, b"#!/bin/sh\necho hi\n"), "{path}");
        }
    }
}
