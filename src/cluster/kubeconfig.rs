//! Kubeconfig: the current context's server, CA and credentials, as kube reads and merges them.

use std::fmt;
use std::path::{Path, PathBuf};

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use kube::Config;
use kube::client::ConfigExt as _;
use kube::config::{AuthInfo, KubeconfigError, LoadDataError};
use secrecy::ExposeSecret as _;

use super::Error;

/// What a client needs of a kubeconfig; `Debug` shows the server only.
pub struct Kubeconfig {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    /// The proxy on the way to the server.
    pub(super) proxy: Option<Intercept>,
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Kubeconfig");
        shown
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads a file and those that it names, whose paths are relative to it. Several files are separated by colons, as in
    /// `$KUBECONFIG`: for a name that is in more than one the first counts, and files that are not there are left out, as long
    /// as one is.
    ///
    /// # Errors
    /// A file cannot be read, is wrong, or holds credentials of a kind that is not known here.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let source = Source(path);
        let mut merged = source.merged()?;
        let cluster = merged
            .contexts
            .iter()
            .find(|c| Some(&c.name) == merged.current_context.as_ref())
            .and_then(|c| c.context.as_ref())
            .and_then(|c| merged.clusters.iter_mut().find(|n| n.name == c.cluster))
            .and_then(|c| c.cluster.as_mut());
        // Taken out, because kube holds NO_PROXY against the proxy's name, not the server's.
        let proxy = cluster.and_then(|c| c.proxy_url.take());
        let mut config = Config::try_from(merged).map_err(|e| source.kube(e))?;
        let proxy = match proxy.filter(|url| !url.is_empty()) {
            Some(url) => Matcher::builder().all(url).build(),
            None => Matcher::from_env(),
        };
        let proxy = proxy.intercept(&config.cluster_url);
        if proxy
            .as_ref()
            .is_some_and(|p| p.uri().scheme_str() != Some("http"))
        {
            return Err(source.refuse("the proxy on the way to `server` is no http:// URL"));
        }
        source.server(&config.cluster_url)?;
        if config.cluster_url.scheme_str() == Some("http") {
            // The system's certificates are of no use and need not be there.
            config.root_cert = Some(Vec::new());
        } else if config.root_cert.as_ref().is_some_and(Vec::is_empty) {
            return Err(source.refuse(NO_AUTHORITY));
        }
        source.credentials(&mut config)?;
        Ok(Self {
            path: path.to_owned(),
            config,
            proxy,
        })
    }

    /// The API's URL, without a `/` at the end.
    pub fn server(&self) -> String {
        let url = self.config.cluster_url.to_string();
        url.trim_end_matches('/').to_owned()
    }

    /// Whether the user has a client certificate. A token dies when the cluster's signing keys are made anew, as the imaging of
    /// a seed does; the installation's client certificate lives on.
    pub fn has_client_certificate(&self) -> bool {
        let user = &self.config.auth_info;
        user.client_certificate_data.is_some() || user.client_certificate.is_some()
    }
}

const NO_AUTHORITY: &str = "certificate-authority is no PEM certificate";

/// Where the kubeconfig is, for messages: one path, or several with colons.
struct Source<'a>(&'a Path);

impl Source<'_> {
    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::Kubeconfig {
            path: self.0.to_owned(),
            reason: reason.into(),
        }
    }

    fn merged(&self) -> Result<kube::config::Kubeconfig, Error> {
        let mut files = vec![self.0.to_owned()];
        // A name with a colon in it is a name, too.
        if !self.0.exists() {
            let several = std::env::split_paths(self.0);
            let there: Vec<_> = several.filter(|p| p.exists()).collect();
            files = if there.is_empty() { files } else { there };
        }
        let mut merged = kube::config::Kubeconfig::default();
        for file in files {
            let next = kube::config::Kubeconfig::read_from(file);
            merged = next
                .and_then(|n| merged.merge(n))
                .map_err(|e| self.kube(e))?;
        }
        Ok(merged)
    }

    fn server(&self, url: &Uri) -> Result<(), Error> {
        let authority = url.authority().map_or("", |a| a.as_str());
        let reason = match url.scheme_str() {
            None => "`server` is no URL",
            Some("http" | "https") if authority.contains('@') => {
                "`server` holds a user name or password"
            }
            Some("http" | "https") if url.query().is_none() => return Ok(()),
            Some(_) => "`server` is no plain http or https URL",
        };
        Err(self.refuse(reason))
    }

    /// Checks certificate, key and token, and takes out what kube would run or send besides them.
    fn credentials(&self, config: &mut Config) -> Result<(), Error> {
        let user = &mut config.auth_info;
        let plugin = user.exec.take().is_some() | user.auth_provider.take().is_some();
        let password = user.username.take().is_some() | user.password.take().is_some();
        config.rustls_client_config().map_err(|e| match e {
            kube::Error::InferKubeconfig(e) => self.kube(e),
            kube::Error::RustlsTls(kube::client::RustlsTlsError::AddRootCertificate(_)) => {
                self.refuse(NO_AUTHORITY)
            }
            _ => self.refuse("client certificate and key are no PEM, or do not belong together"),
        })?;
        let AuthInfo {
            token,
            token_file,
            client_certificate,
            client_certificate_data,
            ..
        } = &config.auth_info;
        if let Some(token) = token {
            let header = HeaderValue::from_str(token.expose_secret());
            header.map_err(|_| self.refuse("the token has characters that no token has"))?;
        }
        let known = token.is_some()
            || token_file.is_some()
            || client_certificate.is_some()
            || client_certificate_data.is_some();
        let reason = match (known, plugin, password) {
            (true, ..) => return Ok(()),
            (_, true, _) => "its user needs a credential plugin, which is not run",
            (_, _, true) => "its user has name and password, which no OpenShift API takes",
            _ => "its user has neither client certificate nor token",
        };
        Err(self.refuse(reason))
    }

    /// kube's error in our words: its own may quote the file, and so a key.
    fn kube(&self, error: KubeconfigError) -> Error {
        let data = |field: &str, pair: &str, error: LoadDataError| match error {
            LoadDataError::DecodeBase64(_) => format!("{field}-data is no base64"),
            LoadDataError::ReadFile(e, path) => unreadable(&path, &e),
            LoadDataError::NoBase64DataOrFile => pair.to_owned(),
        };
        let reason = match error {
            KubeconfigError::CurrentContextNotSet => "it has no current-context".to_owned(),
            KubeconfigError::LoadContext(name) => format!("no context `{name}`"),
            KubeconfigError::LoadClusterOfContext(name) => format!("no cluster `{name}`"),
            KubeconfigError::ReadConfig(e, path) => unreadable(&path, &e),
            KubeconfigError::Parse(e) => {
                let place = e.location().map_or_else(String::new, |at| {
                    format!("line {}, column {}: ", at.line(), at.column())
                });
                format!("{place}no kubeconfig")
            }
            KubeconfigError::MissingClusterUrl | KubeconfigError::ParseClusterUrl(_) => {
                "`server` is no URL".to_owned()
            }
            KubeconfigError::LoadCertificateAuthority(e) => {
                data("certificate-authority", NO_AUTHORITY, e)
            }
            KubeconfigError::LoadClientCertificate(e) => data(
                "client-certificate",
                "a client key without its certificate",
                e,
            ),
            KubeconfigError::LoadClientKey(e) => {
                data("client-key", "a client certificate without its key", e)
            }
            KubeconfigError::ParseCertificates(_) => NO_AUTHORITY.to_owned(),
            KubeconfigError::ParseProxyUrl(_) => "HTTPS_PROXY is no URL".to_owned(),
            KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
                "not all of its files are kubeconfigs".to_owned()
            }
            KubeconfigError::FindPath => "no file is named".to_owned(),
        };
        self.refuse(reason)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    };
    format!("cannot read {}: {reason}", path.display())
}
