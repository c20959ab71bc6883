//! The registry client from flags, environment and clock.

use std::num::NonZeroU64;

use async_trait::async_trait;
use bytes::Bytes;

use super::context::env_path;
use super::exit::{Categorised, Exit, Failure};
use super::global::RegistryFlags;
use crate::inventory::{DocumentError, Documents};
use crate::oci::{SourceError, SourceErrorKind};
use crate::remote::{self, Client, Environment, Options};

impl RegistryFlags {
    /// The client that these flags describe.
    ///
    /// # Errors
    /// A file that was named is missing or wrong.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.options())?)
    }

    /// What a client goes by.
    pub(super) fn options(&self) -> Options {
        let environment = Environment {
            home: env_path("HOME"),
            xdg_runtime_dir: env_path("XDG_RUNTIME_DIR"),
            xdg_config_home: env_path("XDG_CONFIG_HOME"),
            docker_config: env_path("DOCKER_CONFIG"),
            uid: nix::unistd::getuid().as_raw(),
            ..Environment::default()
        };
        Options {
            environment,
            authfile: self.authfile.clone(),
            registries_conf: self.registries_conf.clone(),
            mirrors: self.mirror.clone(),
            cert_dir: self.cert_dir.clone(),
            tls_verify: self.tls_verify,
            limit_rate: self.limit_rate.and_then(NonZeroU64::new),
            jitter_seed: u64::from(std::process::id())
                ^ jiff::Timestamp::now().as_microsecond().unsigned_abs(),
            ..Options::default()
        }
    }

    /// Graphs and signatures through the client that these flags describe.
    ///
    /// # Errors
    /// As [`RegistryFlags::client`].
    pub(super) fn web(&self) -> Result<Web, Failure> {
        Ok(Web(self.client()?))
    }
}

/// Graphs and signatures over the same client.
#[derive(Debug)]
pub(super) struct Web(pub Client);

#[async_trait]
impl Documents for Web {
    async fn get(&self, url: &str, accept: &str) -> Result<Option<Bytes>, DocumentError> {
        let failed = |e: SourceError| DocumentError {
            url: url.to_owned(),
            detail: e.detail,
        };
        self.0.get_document(url, accept).await.map_err(failed)
    }
}

impl Categorised for remote::Error {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}

impl Categorised for SourceError {
    fn exit(&self) -> Exit {
        category(self.kind)
    }

    fn advice(&self) -> Option<String> {
        let unreachable = self.kind == SourceErrorKind::Unavailable;
        let go_on = "check the network and the registry's name, then run the same command again: nothing that is there is sent twice";
        self.hint.clone().or(unreachable.then(|| go_on.to_owned()))
    }
}

/// The exit category of a source's failure.
pub(super) fn category(kind: SourceErrorKind) -> Exit {
    match kind {
        SourceErrorKind::NotFound
        | SourceErrorKind::Unauthorized
        | SourceErrorKind::Unavailable
        | SourceErrorKind::Protocol => Exit::Remote,
        SourceErrorKind::Digest => Exit::Verification,
        SourceErrorKind::Config => Exit::Usage,
        SourceErrorKind::Io => Exit::Io,
    }
}
