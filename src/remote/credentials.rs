//! Whose password for which place: `containers-auth.json(5)`, Docker's `config.json`, the legacy `.dockercfg`.
//!
//! One explicit file is read alone. Otherwise the files are asked in the order of containers/image and the first with a match
//! answers. Within a file: `credHelpers` for the host, then `auths` by the longest key (`host/ns/repo`, `host/ns`, `host`), then
//! keys as Docker writes them (`https://host/v1/`). No message of this file quotes a value out of a credential file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::Deserialize;

use super::error::{Error, Fault};
use super::secret::Secret;
use super::{Environment, Options};
use crate::exec::{self, ExecError};
use crate::io::root_text;

mod logins;

pub use logins::{Account, Login};

/// The user name that says that the secret is an identity token (docker-credential-helpers).
const TOKEN_USER: &str = "<token>";

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    Login {
        user: String,
        password: Secret,
    },
    /// An OAuth 2 refresh token.
    IdentityToken(Secret),
}

/// Where the credentials for a place were found; never the credentials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialSource {
    /// The file.
    pub file: PathBuf,
    /// The key in it; for a credential helper, `credHelpers` and the host.
    pub key: String,
}

impl std::fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key `{}` of {}", self.key, self.file.display())
    }
}

/// All credential files, read once.
#[derive(Debug)]
pub(super) struct Credentials {
    files: Vec<AuthFile>,
    /// What helpers answered, per helper and host.
    answers: tokio::sync::Mutex<BTreeMap<(String, String), Option<Credential>>>,
}

#[derive(Debug)]
struct AuthFile {
    path: PathBuf,
    /// A default file that is broken fails the first lookup that reaches it, as in containers/image.
    content: Result<Content, String>,
}

#[derive(Debug, Default)]
struct Content {
    helpers: BTreeMap<String, String>,
    logins: BTreeMap<String, Credential>,
    /// Keys without a login.
    empty: Vec<String>,
}

#[derive(Debug)]
enum Found<'a> {
    Known(&'a Credential),
    Helper(&'a str),
}

impl Credentials {
    pub(super) fn load(options: &Options) -> Result<Self, Error> {
        let environment = &options.environment;
        let explicit = options
            .authfile
            .as_ref()
            .or(environment.registry_auth_file.as_ref());
        let files = if let Some(path) = explicit {
            let file = AuthFile::read(path, parse).unwrap_or_else(|| AuthFile {
                path: path.clone(),
                content: Err("there is no such file".to_owned()),
            });
            if let Err(reason) = &file.content {
                return Err(file.error(reason));
            }
            vec![file]
        } else {
            let current = default_files(environment);
            let legacy = environment
                .home
                .as_ref()
                .map(|home| home.join(".dockercfg"));
            let current = current
                .iter()
                .filter_map(|path| AuthFile::read(path, parse));
            let legacy = legacy
                .iter()
                .filter_map(|path| AuthFile::read(path, parse_legacy));
            current.chain(legacy).collect()
        };
        Ok(Self {
            files,
            answers: tokio::sync::Mutex::default(),
        })
    }

    /// The files that were read, for messages.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Which file and key answer for a place.
    pub(super) fn source(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<CredentialSource>, Error> {
        Ok(self.find(registry, repository)?.map(|(source, _)| source))
    }

    /// The credential for a place; may ask a helper program.
    pub(super) async fn get(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<(CredentialSource, Credential)>, Fault> {
        let Some((source, found)) = self.find(registry, repository)? else {
            return Ok(None);
        };
        let credential = match found {
            Found::Known(credential) => Some(credential.clone()),
            Found::Helper(helper) => self.help(helper, registry, &source).await?,
        };
        Ok(credential.map(|credential| (source, credential)))
    }

    fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<(CredentialSource, Found<'_>)>, Error> {
        for file in &self.files {
            let content = file.content.as_ref().map_err(|reason| file.error(reason))?;
            if let Some((key, found)) = content.find(registry, repository) {
                let file = file.path.clone();
                return Ok(Some((CredentialSource { file, key }, found)));
            }
        }
        Ok(None)
    }

    async fn help(
        &self,
        helper: &str,
        registry: &str,
        source: &CredentialSource,
    ) -> Result<Option<Credential>, Fault> {
        let key = (helper.to_owned(), registry.to_owned());
        // Held while the program runs: it may ask a person, so once is enough.
        let mut answers = self.answers.lock().await;
        if let Some(answer) = answers.get(&key) {
            return Ok(answer.clone());
        }
        let (program, input) = (format!("docker-credential-{helper}"), registry.to_owned());
        let asked = tokio::task::spawn_blocking(move || ask_helper(&program, &input)).await;
        let answer = asked
            .map_err(|e| Fault::config(e.to_string()))?
            .map_err(|reason| Fault::config(format!("{source}: {reason}")))?;
        answers.insert(key, answer.clone());
        Ok(answer)
    }
}

/// The order of containers/image, `pkg/docker/config`.
fn default_files(environment: &Environment) -> Vec<PathBuf> {
    let runtime = match &environment.xdg_runtime_dir {
        Some(directory) => directory.join("containers/auth.json"),
        None => environment
            .run
            .join(format!("containers/{}/auth.json", environment.uid)),
    };
    let user = environment
        .config_home()
        .map(|d| d.join("containers/auth.json"));
    let docker = match &environment.docker_config {
        Some(directory) => Some(directory.join("config.json")),
        None => environment
            .home
            .as_ref()
            .map(|home| home.join(".docker/config.json")),
    };
    [Some(runtime), user, docker]
        .into_iter()
        .flatten()
        .collect()
}

impl AuthFile {
    /// `None` when there is no such file.
    fn read(path: &Path, parse: fn(&[u8]) -> Result<Content, String>) -> Option<Self> {
        let content = match fs_err::read(path) {
            Ok(bytes) => parse(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => Err(root_text(&error)),
        };
        Some(Self {
            path: path.to_owned(),
            content,
        })
    }

    fn error(&self, reason: &str) -> Error {
        Error::AuthFile {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

fn parse(bytes: &[u8]) -> Result<Content, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| syntax(&e))?;
    let (logins, empty) = decode(document.auths)?;
    Ok(Content {
        helpers: document.helpers,
        logins,
        empty,
    })
}

fn parse_legacy(bytes: &[u8]) -> Result<Content, String> {
    let auths: BTreeMap<String, Entry> = serde_json::from_slice(bytes).map_err(|e| syntax(&e))?;
    let (logins, empty) = decode(auths)?;
    Ok(Content {
        helpers: BTreeMap::new(),
        logins,
        empty,
    })
}

/// `serde_json`'s own text may quote the value that it did not expect, which here is a secret.
fn syntax(error: &serde_json::Error) -> String {
    format!(
        "not a JSON file of credentials (line {}, column {})",
        error.line(),
        error.column()
    )
}

type Logins = BTreeMap<String, Credential>;

/// The logins, and the keys that have none.
fn decode(auths: BTreeMap<String, Entry>) -> Result<(Logins, Vec<String>), String> {
    let mut logins = BTreeMap::new();
    let mut empty = Vec::new();
    for (key, entry) in auths {
        if let Some(token) = entry.identitytoken.filter(|token| !token.is_empty()) {
            logins.insert(key, Credential::IdentityToken(Secret::new(token)));
        } else if let Some(auth) = entry.auth.filter(|auth| !auth.is_empty()) {
            let bad = || format!("key `{key}`: `auth` is not base64 of user:password");
            let decoded = base64::engine::general_purpose::STANDARD
                .decode(auth.trim())
                .map_err(|_| bad())?;
            let text = String::from_utf8(decoded).map_err(|_| bad())?;
            // Without a colon containers/image takes the entry as empty.
            if let Some((user, password)) = text.split_once(':') {
                let password = Secret::new(password.trim_end_matches('\0'));
                let user = user.to_owned();
                logins.insert(key, Credential::Login { user, password });
            } else {
                empty.push(key);
            }
        } else {
            empty.push(key);
        }
    }
    Ok((logins, empty))
}

impl Content {
    fn find(&self, registry: &str, repository: &str) -> Option<(String, Found<'_>)> {
        if let Some(helper) = self.helpers.get(registry) {
            return Some((format!("credHelpers.{registry}"), Found::Helper(helper)));
        }
        let mut name = format!("{registry}/{repository}");
        loop {
            if let Some(credential) = self.logins.get(&name) {
                return Some((name, Found::Known(credential)));
            }
            match name.rfind('/') {
                Some(end) => name.truncate(end),
                None => break,
            }
        }
        let wanted = canonical_host(registry);
        self.logins
            .iter()
            .find(|(key, _)| canonical_host(docker_key(key)) == wanted)
            .map(|(key, credential)| (key.clone(), Found::Known(credential)))
    }
}

/// The host in a key as `docker login` writes it; a key without a scheme is taken whole.
fn docker_key(key: &str) -> &str {
    let stripped = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    match stripped {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key,
    }
}

fn canonical_host(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

/// Speaks the protocol of docker-credential-helpers; `None` when the helper knows nothing of the host.
fn ask_helper(program: &str, registry: &str) -> Result<Option<Credential>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let output = match exec::run_with_input(program, &["get"], registry.as_bytes()) {
        Ok(output) => output,
        Err(ExecError::Failed { stderr, .. }) if stderr.contains("credentials not found") => {
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    let answer: Answer = serde_json::from_slice(&output)
        .map_err(|_| format!("`{program}` did not print the JSON of a credential helper"))?;
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == TOKEN_USER {
        Credential::IdentityToken(secret)
    } else {
        Credential::Login {
            user: answer.username,
            password: secret,
        }
    }))
}

#[cfg(test)]
mod tests;
