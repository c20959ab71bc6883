//! Kubeconfig: the current context's server, CA and credentials.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::Error;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<IgnoredAny>,
    proxy_url: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    username: Option<IgnoredAny>,
}

/// How the user proves who they are.
pub(super) enum Credentials {
    /// Certificate chain and key, PEM, joined.
    Certificate(Vec<u8>),
    /// A bearer token.
    Token(String),
}

/// What a client needs of a kubeconfig; `Debug` shows the server only.
pub struct Kubeconfig {
    pub(super) path: PathBuf,
    /// Without a `/` at the end.
    pub(super) server: String,
    /// PEM; `None` for the system's.
    pub(super) authority: Option<Vec<u8>>,
    pub(super) verify: bool,
    pub(super) credentials: Credentials,
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Kubeconfig");
        shown.field("server", &self.server).finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads a file and those that it names, whose paths are relative to it.
    ///
    /// # Errors
    /// A file cannot be read, is wrong, or holds credentials of a kind that is not known here.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = File(path);
        let text = String::from_utf8(file.bytes(path)?).map_err(|_| file.refuse("no UTF-8"))?;
        // The parser's own text may quote a key: only the place is said.
        let document: Document = serde_saphyr::from_str(&text).map_err(|e| {
            let place = e.location().map_or_else(String::new, |at| {
                format!("line {}, column {}: ", at.line(), at.column())
            });
            file.refuse(format!("{place}no kubeconfig"))
        })?;
        let Document {
            current_context,
            clusters,
            contexts,
            users,
        } = document;
        if current_context.is_empty() {
            return Err(file.refuse("it has no current-context"));
        }
        let context = contexts.into_iter().find(|c| c.name == current_context);
        let context = context
            .ok_or_else(|| file.refuse(format!("no context `{current_context}`")))?
            .context;
        let cluster = clusters.into_iter().find(|c| c.name == context.cluster);
        let cluster =
            cluster.ok_or_else(|| file.refuse(format!("no cluster `{}`", context.cluster)))?;
        let user = users.into_iter().find(|u| u.name == context.user);
        let user = user.ok_or_else(|| file.refuse(format!("no user `{}`", context.user)))?;
        let cluster = cluster.cluster;
        Ok(Self {
            path: path.to_owned(),
            server: file.server(&cluster)?,
            authority: file.either(
                "certificate-authority",
                cluster.certificate_authority_data.as_deref(),
                cluster.certificate_authority.as_deref(),
            )?,
            verify: !cluster.insecure_skip_tls_verify,
            credentials: file.credentials(&user.user)?,
        })
    }
}

/// The kubeconfig, for messages and for paths relative to it.
struct File<'a>(&'a Path);

impl File<'_> {
    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::Kubeconfig {
            path: self.0.to_owned(),
            reason: reason.into(),
        }
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        fs_err::read(path).map_err(|e| {
            let reason = match e.kind() {
                std::io::ErrorKind::NotFound => "no such file".to_owned(),
                kind => kind.to_string(),
            };
            self.refuse(format!("cannot read {}: {reason}", path.display()))
        })
    }

    /// A value that is there as base64 or as a file; the former wins, as with `kubectl`.
    fn either(
        &self,
        field: &str,
        data: Option<&str>,
        path: Option<&Path>,
    ) -> Result<Option<Vec<u8>>, Error> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            let bytes = BASE64.decode(data.trim());
            return match bytes {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => Err(self.refuse(format!("{field}-data is no base64"))),
            };
        }
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let base = self.0.parent().unwrap_or_else(|| Path::new("."));
        self.bytes(&base.join(path)).map(Some)
    }

    fn server(&self, cluster: &Cluster) -> Result<String, Error> {
        if cluster.tls_server_name.is_some() {
            return Err(
                self.refuse("tls-server-name is not supported: let `server` have that name")
            );
        }
        if cluster.proxy_url.is_some() {
            return Err(self.refuse("proxy-url is not supported: set HTTPS_PROXY instead"));
        }
        let url: Url = cluster
            .server
            .parse()
            .map_err(|_| self.refuse("`server` is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.refuse("`server` holds a user name or password"));
        }
        if !matches!(url.scheme(), "https" | "http")
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(self.refuse("`server` is no plain http or https URL"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    fn credentials(&self, user: &User) -> Result<Credentials, Error> {
        let certificate = self.either(
            "client-certificate",
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
        )?;
        let key = self.either(
            "client-key",
            user.client_key_data.as_deref(),
            user.client_key.as_deref(),
        )?;
        match (certificate, key) {
            (Some(mut pem), Some(key)) => {
                pem.push(b'\n');
                pem.extend(key);
                return Ok(Credentials::Certificate(pem));
            }
            (Some(_), None) => return Err(self.refuse("a client certificate without its key")),
            (None, Some(_)) => return Err(self.refuse("a client key without its certificate")),
            (None, None) => {}
        }
        let token = match &user.token_file {
            Some(path) => self
                .either("token", None, Some(path))?
                .and_then(|bytes| String::from_utf8(bytes).ok()),
            None => user.token.clone(),
        };
        let token = token.map(|token| token.trim().to_owned());
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            return Ok(Credentials::Token(token));
        }
        let other = if user.exec.is_some() || user.auth_provider.is_some() {
            "its user needs a credential plugin, which is not run"
        } else if user.username.is_some() {
            "its user has name and password, which no OpenShift API takes"
        } else {
            "its user has neither client certificate nor token"
        };
        Err(self.refuse(other))
    }
}
