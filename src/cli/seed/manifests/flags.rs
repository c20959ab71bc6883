//! Flags of the manifests; what they mean is checked with the values of seed.yaml.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The values, in one file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Write to this file instead of stdout.
    #[arg(short, value_name = "FILE")]
    pub(super) o: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DnsmasqFlags {
    #[command(flatten)]
    pub(super) common: Common,
    /// Cluster name.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Base domain.
    #[arg(long)]
    pub(super) domain: Option<String>,
    /// Address of the node.
    #[arg(long, value_name = "ADDR")]
    pub(super) ip: Option<String>,
    /// The MachineConfig instead of the site-policy subsection.
    #[arg(long)]
    pub(super) mc: bool,
    /// Annotation ran.openshift.io/ztp-deploy-wave.
    #[arg(long, value_name = "1-100")]
    pub(super) wave: Option<String>,
    /// Read the overrides file only where it exists, as assisted-service does; without it the seed logs an error at each start.
    #[arg(long)]
    pub(super) guarded: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PartitionFlags {
    #[command(flatten)]
    pub(super) common: Common,
    /// The installation disk, by a name that stays.
    #[arg(long)]
    pub(super) device: Option<String>,
    /// Where the partition begins; root gets what is before.
    #[arg(long, value_name = "N")]
    pub(super) start_mib: Option<String>,
    /// Its size; 0 for the rest of the disk [default: 0].
    #[arg(long, value_name = "N")]
    pub(super) size_mib: Option<String>,
    /// Its label; seed and targets need the same [default: varlibcontainers].
    #[arg(long)]
    pub(super) label: Option<String>,
    /// Role of the MachineConfig [default: master].
    #[arg(long)]
    pub(super) role: Option<String>,
    /// Size of the disk, as 200GiB, to check the sizes by; it is not written.
    #[arg(long, value_name = "SIZE")]
    pub(super) disk_size: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SeedgenFlags {
    #[command(flatten)]
    pub(super) common: Common,
    /// Where the image is pushed: registry/repository:tag.
    #[arg(long, value_name = "REF")]
    pub(super) seed_image: Option<String>,
    /// Credentials that may push there (containers-auth.json).
    #[arg(long, value_name = "FILE")]
    pub(super) authfile: Option<PathBuf>,
    /// Kubeconfig of the hub; lifecycle-agent reads none since February 2024.
    #[arg(long, value_name = "FILE")]
    pub(super) hub_kubeconfig: Option<PathBuf>,
    /// Version of the SeedGenerator: v1 or v1alpha1 [default: v1].
    #[arg(long, value_name = "VERSION")]
    pub(super) api: Option<String>,
    /// Another recert image than lifecycle-agent's own.
    #[arg(long, value_name = "REF")]
    pub(super) recert_image: Option<String>,
    /// Namespace of lifecycle-agent [default: openshift-lifecycle-agent].
    #[arg(long)]
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeFlags {
    #[command(flatten)]
    pub(super) common: Common,
    /// The seed image.
    #[arg(long, value_name = "REF")]
    pub(super) seed_image: Option<String>,
    /// Its OpenShift version.
    #[arg(long)]
    pub(super) version: Option<String>,
    /// Secret with credentials to pull the image.
    #[arg(long, value_name = "NAME")]
    pub(super) pull_secret: Option<String>,
    /// ConfigMap with OADP resources.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(super) oadp_content: Vec<String>,
    /// ConfigMap with manifests to apply after the upgrade.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(super) extra_manifest: Vec<String>,
    /// Version of the resource: v1 or v1alpha1 [default: v1].
    #[arg(long, value_name = "VERSION")]
    pub(super) api: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OperatorFlags {
    #[command(flatten)]
    pub(super) common: Common,
    /// Namespace of lifecycle-agent [default: openshift-lifecycle-agent].
    #[arg(long)]
    pub(super) namespace: Option<String>,
    /// Channel [default: stable].
    #[arg(long)]
    pub(super) channel: Option<String>,
    /// CatalogSource; that of a mirror has another name [default: redhat-operators].
    #[arg(long)]
    pub(super) source: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Detach {
    /// The kustomization.yaml.
    pub(super) file: PathBuf,
    /// The entry of `resources` with the seed's ClusterInstance or SiteConfig.
    #[arg(long, value_name = "FILE")]
    pub(super) resource: String,
    /// Write to this file instead of stdout; may be the same.
    #[arg(short, value_name = "FILE")]
    pub(super) o: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct All {
    /// The values.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The directory; made when absent.
    #[arg(short, value_name = "DIR")]
    pub(super) o: PathBuf,
}
