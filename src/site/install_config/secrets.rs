//! What an install config has that nobody may see, checked, and taken out of what others print.

use std::fmt;

use base64::Engine as _;
use serde_json::Value;

use super::Error;
use crate::objects::auth;

/// Pull secret and SSH key; neither is ever shown.
#[derive(Clone)]
pub struct Secrets {
    pub(super) pull_secret: String,
    pub(super) ssh_key: String,
    /// What is taken out of others' output, longest first.
    words: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Shorter words are parts of others.
const SHORTEST: usize = 4;

impl Secrets {
    /// Checks both.
    ///
    /// # Errors
    /// The pull secret has no usable entry, or the key is no public key. Nothing of either is quoted.
    pub fn new(pull_secret: &[u8], ssh_key: &str) -> Result<Self, Error> {
        auth::keys(pull_secret, false).map_err(Error::PullSecret)?;
        let document: Value = serde_json::from_slice(pull_secret)
            .map_err(|_| Error::PullSecret("it is no JSON".to_owned()))?;
        let ssh_key = public_keys(ssh_key)?;
        let pull_secret = document.to_string();
        let mut words = vec![pull_secret.clone()];
        logins(&document, &mut words);
        for line in ssh_key.lines() {
            words.push(line.to_owned());
            words.extend(line.split_whitespace().nth(1).map(str::to_owned));
        }
        words.retain(|word| word.len() >= SHORTEST);
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Ok(Self {
            pull_secret,
            ssh_key,
            words,
        })
    }

    /// The text without anything of the secrets.
    pub fn mask(&self, text: &str) -> String {
        let hide = |text: String, word: &String| text.replace(word.as_str(), "(secret)");
        self.words.iter().fold(text.to_owned(), hide)
    }
}

/// What proves something in a credential document: entries' values, and the two halves of decoded logins. Also as a Go or JSON string
/// would quote them.
fn logins(document: &Value, words: &mut Vec<String>) {
    let auths = document.get("auths").and_then(Value::as_object);
    for (key, value) in auths
        .into_iter()
        .flatten()
        .filter_map(|(_, e)| e.as_object())
        .flatten()
    {
        let Some(text) = value.as_str().filter(|_| key != "email") else {
            continue;
        };
        words.push(text.to_owned());
        if key != "auth" {
            continue;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
        let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(login) = decoded else { continue };
        let password = login
            .split_once(':')
            .map(|(_, password)| password.to_owned());
        for word in std::iter::once(login.clone()).chain(password) {
            let quoted = Value::from(word.as_str()).to_string();
            words.push(quoted.trim_matches('"').to_owned());
            words.push(word);
        }
    }
}

/// One key per line, as `sshKey` takes them.
fn public_keys(text: &str) -> Result<String, Error> {
    if text.contains("PRIVATE KEY") {
        return Err(Error::SshKey("it is a private key"));
    }
    let lines = text.lines().map(str::trim);
    let keys: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let is_key = |line: &&str| {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
        let body = words.next().unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(body);
        // The body names its type itself, behind a length of four bytes (RFC 4253 section 6.6).
        let named =
            decoded.is_ok_and(|b| b.get(4..).is_some_and(|b| b.starts_with(kind.as_bytes())));
        known.iter().any(|k| kind.starts_with(k)) && named
    };
    match keys.as_slice() {
        [] => Err(Error::SshKey("it is empty")),
        keys if !keys.iter().all(is_key) => Err(Error::SshKey("a line of it is no public key")),
        keys => Ok(keys.join("\n")),
    }
}
