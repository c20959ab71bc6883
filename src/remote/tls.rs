//! Certificates per host (`containers-certs.d(5)`) and one HTTP client per TLS profile.
//!
//! `DIR/*.crt` are certificate authorities added to the system's, `DIR/*.cert` with `DIR/*.key` of the same stem is the client's.
//! The first existing `certs.d/HOST[:PORT]` counts: the user's, `/etc/containers`, `/etc/docker`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;

use super::{Error, Options};
use crate::io::root_text;

/// Hops of one redirect chain, as in reqwest and Go.
const MAX_REDIRECTS: usize = 10;

/// What makes two HTTP clients different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Profile {
    pub(super) verify: bool,
    pub(super) certificates: Option<PathBuf>,
}

/// Certificates in a directory, PEM.
#[derive(Default)]
pub(super) struct Certificates {
    /// One file of authorities each.
    pub(super) authorities: Vec<(PathBuf, Vec<u8>)>,
    /// Certificate chain and key, joined.
    pub(super) client: Option<(PathBuf, Vec<u8>)>,
}

/// A file of a certificate directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFile {
    /// Authorities that are added to the system's.
    Authorities(PathBuf),
    /// The client's own; its key is in the file of the same stem that ends in `.key`.
    Client(PathBuf),
}

/// What a directory has for TLS, in the order of the names.
///
/// # Errors
/// It cannot be listed.
pub fn certificate_files(directory: &Path) -> Result<Vec<CertificateFile>, Error> {
    let entries = fs_err::read_dir(directory).map_err(|e| wrong(directory, root_text(&e)))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let kind = |path: PathBuf| match path.extension().and_then(|e| e.to_str()) {
        Some("crt") => Some(CertificateFile::Authorities(path)),
        Some("cert") => Some(CertificateFile::Client(path)),
        _ => None,
    };
    Ok(paths.into_iter().filter_map(kind).collect())
}

impl CertificateFile {
    /// The file.
    pub fn path(&self) -> &Path {
        let (Self::Authorities(path) | Self::Client(path)) = self;
        path
    }

    /// Its PEM; that of a client with its key behind.
    ///
    /// # Errors
    /// Not readable, or without a key.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let read = |path: &Path| fs_err::read(path).map_err(|e| wrong(path, root_text(&e)));
        let mut pem = read(self.path())?;
        if let Self::Client(path) = self {
            let key = path.with_extension("key");
            if !key.exists() {
                return Err(wrong(path, format!("its key {} is missing", key.display())));
            }
            pem.push(b'\n');
            pem.extend(read(&key)?);
        }
        Ok(pem)
    }
}

impl Certificates {
    /// Reads a directory.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let mut found = Self::default();
        for file in certificate_files(directory)? {
            let pem = file.read()?;
            match file {
                CertificateFile::Authorities(path) => found.authorities.push((path, pem)),
                CertificateFile::Client(path) => found.client = Some((path, pem)),
            }
        }
        Ok(found)
    }
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Certificate {
        path: path.to_owned(),
        reason,
    }
}

/// Makes HTTP clients and keeps one per profile, so that hosts of one profile share its pool and root store.
#[derive(Debug)]
pub(super) struct Clients {
    user_agent: String,
    connect_timeout: Duration,
    made: Mutex<BTreeMap<Profile, reqwest::Client>>,
}

impl Clients {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            user_agent: options.user_agent.clone(),
            connect_timeout: options.retry.connect_timeout,
            made: Mutex::default(),
        }
    }

    pub(super) fn get(&self, profile: &Profile) -> Result<reqwest::Client, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(profile) {
            return Ok(client.clone());
        }
        let client = self.build(profile)?;
        made.insert(profile.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, profile: &Profile) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_mins(1))
            .redirect(redirects(profile.verify))
            // Without verification the system's CA store is not even read: a machine without one still reaches plain HTTP.
            .tls_danger_accept_invalid_certs(!profile.verify);
        if let Some(directory) = &profile.certificates {
            let certificates = Certificates::read(directory)?;
            for (path, pem) in certificates.authorities {
                let bundle =
                    reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| unusable(&path, &e))?;
                builder = builder.tls_certs_merge(bundle);
            }
            if let Some((path, pem)) = certificates.client {
                let identity =
                    reqwest::Identity::from_pem(&pem).map_err(|e| unusable(&path, &e))?;
                builder = builder.identity(identity);
            }
        }
        builder.build().map_err(|e| Error::Https(root_text(&e)))
    }
}

fn unusable(path: &Path, error: &reqwest::Error) -> Error {
    wrong(path, root_text(error))
}

/// Follows redirects (reqwest drops `Authorization` when host, port or scheme change), but not from TLS to plain HTTP.
fn redirects(verify: bool) -> Policy {
    Policy::custom(move |attempt| {
        let from_tls = attempt.previous().last().map(reqwest::Url::scheme) == Some("https");
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if verify && from_tls && attempt.url().scheme() == "http" {
            attempt.error("redirected from https to http")
        } else {
            attempt.follow()
        }
    })
}

/// The certificate directory of a host, when there is one.
pub(super) fn directory(options: &Options, host: &str) -> Option<PathBuf> {
    if let Some(directory) = &options.cert_dir {
        return Some(directory.clone());
    }
    let environment = &options.environment;
    let user = environment.config_home().map(|d| d.join("containers"));
    let system = ["containers", "docker"].map(|name| environment.etc.join(name));
    user.into_iter()
        .chain(system)
        .map(|base| base.join("certs.d").join(host))
        .find(|directory| directory.is_dir())
}
