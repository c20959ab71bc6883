//! A credential file that becomes a Secret: `containers-auth.json(5)`, read only to tell whether it has an entry for an image.
//!
//! The bytes go into the Secret as they are; they are redacted everywhere else.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::error::Error;
use crate::oci::Reference;

/// Bytes that only the Secret's manifest may show.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Base64 for a Secret's `data`.
    pub(crate) fn base64(&self) -> String {
        BASE64.encode(&self.0)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} secret bytes)", self.0.len())
    }
}

/// A credential file with an entry for an image's registry.
#[derive(Debug, Clone)]
pub struct AuthFile {
    pub(crate) bytes: SecretBytes,
    /// The key that answers for the image: `host` or `host/path`.
    pub key: String,
    /// Keys for other places, which nobody needs on the cluster.
    pub others: Vec<String>,
}

impl AuthFile {
    /// Reads the file's bytes for an image to push; `path` is for messages.
    ///
    /// # Errors
    /// No JSON object with `auths`, no entry for the image's registry and repository, or an entry without user and password.
    pub fn parse(path: &Path, bytes: Vec<u8>, image: &Reference) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Auth {
            path: path.to_owned(),
            reason,
        };
        // Not serde's text: it may quote the file.
        let document: Value = serde_json::from_slice(&bytes)
            .map_err(|e| refuse(format!("it is no JSON (line {})", e.line())))?;
        let auths = document.get("auths").and_then(Value::as_object);
        let auths = auths.ok_or_else(|| refuse("it has no object `auths`".to_owned()))?;
        let found = auths.iter().filter(|(key, _)| matches(key, image));
        let Some((key, entry)) = found.max_by_key(|(key, _)| normal(key).len()) else {
            return Err(refuse(missing(&document, auths.keys(), image)));
        };
        usable(entry).map_err(|why| refuse(format!("the entry `{key}` {why}")))?;
        let others = auths
            .keys()
            .filter(|other| *other != key)
            .cloned()
            .collect();
        Ok(Self {
            key: key.clone(),
            others,
            bytes: SecretBytes(bytes),
        })
    }
}

/// A credential file for pulling, with its keys.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(crate) bytes: SecretBytes,
    /// `host` or `host/path`, as written, sorted.
    pub keys: Vec<String>,
}

impl Credentials {
    /// Reads the file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// No JSON object with entries in `auths`, or an entry without user and password.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Auth {
            path: path.to_owned(),
            reason,
        };
        let keys = keys(&bytes, false).map_err(refuse)?;
        Ok(Self {
            keys,
            bytes: SecretBytes(bytes),
        })
    }

    /// Whether there is an entry for an image.
    pub fn covers(&self, image: &Reference) -> bool {
        self.keys.iter().any(|key| covers(key, image))
    }
}

/// The keys of a credential document whose entries can be used; `legacy` for `.dockercfg`, which has no `auths` around them.
///
/// # Errors
/// It is none, it is empty, or an entry is of no use. The text quotes no entry.
pub fn keys(bytes: &[u8], legacy: bool) -> Result<Vec<String>, String> {
    let document: Value =
        serde_json::from_slice(bytes).map_err(|e| format!("it is no JSON (line {})", e.line()))?;
    let auths = if legacy {
        document.as_object()
    } else {
        document.get("auths").and_then(Value::as_object)
    };
    let auths = auths.ok_or_else(|| "it has no object `auths`".to_owned())?;
    if auths.is_empty() {
        return Err("`auths` is empty".to_owned());
    }
    for (key, entry) in auths {
        usable(entry).map_err(|why| format!("the entry `{key}` {why}"))?;
    }
    let mut keys: Vec<String> = auths.keys().cloned().collect();
    keys.sort();
    Ok(keys)
}

/// Whether a key of a credential document answers for an image.
pub fn covers(key: &str, image: &Reference) -> bool {
    matches(key, image)
}

/// Without the scheme and the version that Docker writes (`https://host/v1/`).
fn normal(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let key = key.trim_end_matches('/');
    let bare = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2"));
    bare.filter(|bare| !bare.contains('/')).unwrap_or(key)
}

/// Whether a key answers for an image, as podman decides: the registry, or a path of its repository by whole parts.
fn matches(key: &str, image: &Reference) -> bool {
    let name = image.name();
    name.strip_prefix(normal(key))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn missing<'a>(
    document: &Value,
    keys: impl Iterator<Item = &'a String>,
    image: &Reference,
) -> String {
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    let registry = image.registry();
    let helper = |name: &str| {
        document
            .get(name)
            .is_some_and(|h| h.get(registry).is_some() || h.is_string())
    };
    if helper("credHelpers") || helper("credsStore") {
        return format!(
            "{registry} is left to a credential helper, which the cluster does not have"
        );
    }
    if keys.is_empty() {
        return format!("no entry for {registry}; `auths` is empty");
    }
    format!("no entry for {registry}; it has {}", keys.join(", "))
}

fn usable(entry: &Value) -> Result<(), &'static str> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    if !text("identitytoken").is_empty() || !text("registrytoken").is_empty() {
        return Ok(());
    }
    let auth = text("auth");
    if auth.is_empty() {
        let both = !text("username").is_empty() && !text("password").is_empty();
        return if both { Ok(()) } else { Err("has no `auth`") };
    }
    let decoded = BASE64
        .decode(auth.trim())
        .map_err(|_| "has an `auth` that is no base64")?;
    match decoded.iter().position(|b| *b == b':') {
        Some(at) if at > 0 && at + 1 < decoded.len() => Ok(()),
        _ => Err("has an `auth` that is no `user:password`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, image: &str) -> Result<AuthFile, String> {
        let image: Reference = image.parse().unwrap();
        AuthFile::parse(Path::new("auth.json"), text.as_bytes().to_vec(), &image)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_longest_key_answers() {
        // user:pass
        let text = r#"{"auths":{"quay.io":{"auth":"dXNlcjpwYXNz"},"quay.io/my":{"auth":"dXNlcjpwYXNz"},"quay.io/myuserid":{"auth":"dXNlcjpwYXNz"}}}"#;
        let auth = parse(text, "quay.io/myuserid/seed:t").unwrap();
        assert_eq!(auth.key, "quay.io/myuserid");
        assert_eq!(auth.others, ["quay.io", "quay.io/my"]);
        assert_eq!(
            format!("{:?}", auth.bytes),
            format!("({} secret bytes)", text.len())
        );
        assert_eq!(parse(text, "quay.io/my/seed:t").unwrap().key, "quay.io/my");
        assert_eq!(parse(text, "quay.io/mine/seed:t").unwrap().key, "quay.io");
        let docker = r#"{"auths":{"https://infra.lab:8443/v1/":{"username":"u","password":"p"}}}"#;
        assert!(parse(docker, "infra.lab:8443/sno1/seed:t").is_ok());
    }

    #[test]
    fn what_cannot_push_is_refused() {
        for (text, why) in [
            ("hunter2", "no JSON"),
            ("[]", "no object `auths`"),
            (r#"{"auths":{}}"#, "`auths` is empty"),
            (
                r#"{"auths":{"quay.io.evil":{"auth":"dXNlcjpwYXNz"}}}"#,
                "it has quay.io.evil",
            ),
            (
                r#"{"auths":{"quay.io/other":{"auth":"dXNlcjpwYXNz"}}}"#,
                "it has quay.io/other",
            ),
            (
                r#"{"auths":{},"credHelpers":{"quay.io":"secretservice"}}"#,
                "credential helper",
            ),
            (r#"{"auths":{"quay.io":{}}}"#, "no `auth`"),
            (r#"{"auths":{"quay.io":{"auth":"hunter2!"}}}"#, "no base64"),
            (
                r#"{"auths":{"quay.io":{"auth":"dXNlcg=="}}}"#,
                "no `user:password`",
            ),
        ] {
            let message = parse(text, "quay.io/a/seed:t").unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
