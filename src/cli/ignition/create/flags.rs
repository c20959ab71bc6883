//! Flags for what the clusters of a job have in common.

use std::path::PathBuf;

use clap::Args;

use super::{at, text};
use crate::cli::exit::Failure;
use crate::site::install_config::{self, Cidr, Options};

/// What becomes the same in every cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterFlags {
    /// Network of the machine, when it is not told by a static address; one per address family.
    #[arg(long, value_name = "CIDR")]
    machine_network: Vec<Cidr>,
    /// Network of the pods; one per address family. Default: 10.128.0.0/14, `fd01::/48`.
    #[arg(long, value_name = "CIDR")]
    cluster_network: Vec<Cidr>,
    /// Network of the services; one per address family. Default: 172.30.0.0/16, `fd02::/112`.
    #[arg(long, value_name = "CIDR")]
    service_network: Vec<Cidr>,
    /// Network plugin.
    #[arg(long, value_name = "TYPE", default_value = "OVNKubernetes")]
    network_type: String,
    /// Architecture of the machines (amd64, arm64, ppc64le, s390x).
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    pub(super) arch: String,
    /// Validated cryptography only.
    #[arg(long)]
    fips: bool,
    /// PEM certificates that the machines trust, a registry's CA for one.
    #[arg(long, value_name = "FILE")]
    additional_trust_bundle: Option<PathBuf>,
}

impl ClusterFlags {
    /// Checked.
    ///
    /// # Errors
    /// The trust bundle is not readable, or none.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let bundle = self.additional_trust_bundle.as_deref();
        let bundle = bundle.map(|path| -> Result<String, Failure> {
            let text = text(path)?;
            install_config::trust_bundle(&text).map_err(|e| at(path, e))
        });
        Ok(Options {
            network_type: self.network_type.clone(),
            machine_networks: self.machine_network.clone(),
            cluster_networks: self.cluster_network.clone(),
            service_networks: self.service_network.clone(),
            architecture: self.arch.clone(),
            fips: self.fips,
            trust_bundle: bundle.transpose()?,
        })
    }
}
