//! What the caller decides: plain data made by `cli`, which alone reads the environment and the clock.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::oci::Mirror;

/// How the client finds its way: files, TLS, limits, patience.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directories and variables of the user.
    pub environment: Environment,
    /// `--authfile`: then no other credential file is read, and a missing one is an error.
    pub authfile: Option<PathBuf>,
    /// `--registries-conf`: then neither the user's nor the system's file is read.
    pub registries_conf: Option<PathBuf>,
    /// `--mirror`: asked in this order, before the places of registries.conf.
    pub mirrors: Vec<Mirror>,
    /// `--cert-dir`: then certs.d is not looked at.
    pub cert_dir: Option<PathBuf>,
    /// `--tls-verify`: when false, certificates are not checked and plain HTTP is tried where TLS is not spoken.
    pub tls_verify: bool,
    /// `--limit-rate`: bytes per second over all blobs together.
    pub limit_rate: Option<NonZeroU64>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// When to try again, and when to give up.
    pub retry: RetryPolicy,
    /// Requests in flight per host, a blob's body included; 0 counts as 1.
    pub per_host: usize,
    /// Seed of the back-off jitter; machines with different seeds do not come back in step.
    pub jitter_seed: u64,
}

impl Options {
    /// The directory with the certificates of a host, when there is one.
    pub fn certificate_directory(&self, host: &str) -> Option<PathBuf> {
        super::tls::directory(self, host)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            environment: Environment::default(),
            authfile: None,
            registries_conf: None,
            mirrors: Vec::new(),
            cert_dir: None,
            tls_verify: true,
            limit_rate: None,
            user_agent: concat!("snoforge/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry: RetryPolicy::default(),
            per_host: 16,
            jitter_seed: 0,
        }
    }
}

/// The directories and variables that decide which files are read. An empty variable is given as `None`.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`; when unset, `/run/containers/<uid>` is used as containers/image does.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`; when unset, `~/.config`.
    pub xdg_config_home: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, a directory; when unset, `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// `$REGISTRY_AUTH_FILE`: exclusive like `--authfile`, which beats it.
    pub registry_auth_file: Option<PathBuf>,
    /// `$CONTAINERS_REGISTRIES_CONF`, which `--registries-conf` beats.
    pub containers_registries_conf: Option<PathBuf>,
    /// The user's numeric id.
    pub uid: u32,
    /// `/etc`, elsewhere in tests.
    pub etc: PathBuf,
    /// `/run`, elsewhere in tests.
    pub run: PathBuf,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            home: None,
            xdg_runtime_dir: None,
            xdg_config_home: None,
            docker_config: None,
            registry_auth_file: None,
            containers_registries_conf: None,
            uid: 0,
            etc: PathBuf::from("/etc"),
            run: PathBuf::from("/run"),
        }
    }
}

impl Environment {
    /// `$XDG_CONFIG_HOME` or `~/.config`.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        self.xdg_config_home
            .clone()
            .or_else(|| Some(self.home.as_ref()?.join(".config")))
    }
}

/// When a request is tried again. Counted per place; a blob that went on by 1 MiB or more starts anew.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Tries per place, the first included; 0 counts as 1.
    pub attempts: u32,
    /// Wait after the first failure; doubles each time up to [`RetryPolicy::max_delay`], and is cut by up to a half at random.
    pub base_delay: Duration,
    /// Longest wait between two tries that is ours; a server's `Retry-After` may ask for more.
    pub max_delay: Duration,
    /// Time from the first failure (without progress since) after which no new try begins.
    pub deadline: Duration,
    /// Time without a byte after which an answer counts as stalled.
    pub stall_timeout: Duration,
    /// Time to connect.
    pub connect_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_mins(1),
            deadline: Duration::from_mins(15),
            stall_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
        }
    }
}
