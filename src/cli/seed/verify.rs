//! `seed verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{For, facts, findings_text, printable, unmet};
use crate::cli::context::{Context, block_on};
use crate::cli::exit::Failure;
use crate::cli::global::RegistryFlags;
use crate::cli::live::Live;
use crate::oci::Reference;
use crate::seed::image::{self, DeepReport, SeedImage};
use crate::ui::{format, table};

/// Flags of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --deep only manifest and configuration are fetched, some KiB. Exit codes: 0 good, 5 registry or target, 7 not good, or not for the target.\n\nExamples:\n  snoforge seed verify quay.io/org/seed:4.18.27\n  snoforge seed verify quay.io/org/seed:4.18.27 --facts target.json --deep\n  snoforge seed verify quay.io/org/seed:4.18.27 --kubeconfig target/auth/kubeconfig"
)]
pub(crate) struct Verify {
    /// The seed image.
    image: Reference,
    /// A target's facts: would it take the image?
    #[arg(long, value_name = "FILE", conflicts_with = "kubeconfig")]
    facts: Option<PathBuf>,
    #[command(flatten)]
    target: Live,
    /// What the target does with it: installations compare no versions.
    #[arg(long, value_enum, default_value_t, value_name = "USE")]
    r#for: For,
    /// Stream the whole layer: digests, files, hostile paths. Needs no disk space.
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let facts = match &self.facts {
            Some(path) => Some(facts::read(path)?),
            // The environment's kubeconfig is no target: most often it is the seed's.
            None if self.target.is_named() => Some(facts::live(&self.target)?),
            None => None,
        };
        let client = self.registry.client()?;
        let (seed, deep) = block_on(async {
            let seed = image::inspect(&client, &self.image).await?;
            let deep = if self.deep {
                Some(image::deep(&client, &seed, context.reporter.as_ref()).await?)
            } else {
                None
            };
            Ok((seed, deep))
        })?;
        let mut findings = seed.findings.clone();
        if let Some(facts) = &facts {
            findings.extend(image::compare(&seed, facts, self.r#for.into()));
        }
        findings.extend(deep.iter().flat_map(|d| d.findings.clone()));
        let ok = !crate::seed::has_errors(&findings);
        let contents = deep.as_ref().map(|d| json!({"unpacked_bytes": d.unpacked_bytes, "files": d.files, "containers": d.containers}));
        let document = json!({
            "ok": ok, "image": seed.summary(), "compared": facts.is_some(), "contents": contents, "findings": findings,
        });
        context.result(&document, || {
            let mut parts = vec![head(&seed, deep.as_ref())];
            if !findings.is_empty() {
                parts.push(findings_text(&findings));
            }
            parts.push(verdict(ok, facts.is_some(), self.deep).to_owned());
            parts.join("\n\n")
        })?;
        unmet(&findings, &format!("{}", self.image))
    }
}

pub(super) fn head(seed: &SeedImage, deep: Option<&DeepReport>) -> String {
    let summary = seed.summary();
    let mut rows = vec![
        ("Image", summary.image),
        ("Digest", summary.digest.to_string()),
        ("Format", summary.format.unwrap_or("none").to_owned()),
        ("Architecture", summary.architecture.to_owned()),
        ("Created", summary.created.to_owned()),
        (
            "Layer",
            format!("{}, {}", summary.layer, format::bytes(summary.layer_bytes)),
        ),
    ];
    if let Some(info) = summary.info {
        let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
        rows.extend([
            (
                "Seed Cluster",
                format!(
                    "{}.{}, {}",
                    info.cluster_name,
                    info.base_domain,
                    info.addresses().join(", ")
                ),
            ),
            ("OpenShift", info.seed_cluster_ocp_version.clone()),
            ("Release Registry", info.release_registry.clone()),
            (
                "Proxy, FIPS",
                format!("{}, {}", yes(info.has_proxy), yes(info.has_fips)),
            ),
            (
                "Container Storage",
                info.container_storage_mountpoint_target.clone(),
            ),
        ]);
    }
    if let Some(deep) = deep {
        let size = deep
            .unpacked_bytes
            .map_or_else(|| "unknown".to_owned(), format::bytes);
        rows.push((
            "Unpacked",
            format!(
                "{size}, {}, {}",
                format::count(deep.files.len() as u64, "file"),
                format::count(deep.containers as u64, "image")
            ),
        ));
    }
    printable(&table::summary(&rows))
}

fn verdict(ok: bool, compared: bool, deep: bool) -> &'static str {
    match (ok, compared, deep) {
        (false, ..) => "not good",
        (true, true, true) => "good, whole, and for this target",
        (true, true, false) => "good by its labels, and for this target; --deep checks the bytes",
        (true, false, true) => "good and whole",
        (true, false, false) => {
            "good by its labels; --deep checks the bytes, --facts or --kubeconfig compares a target"
        }
    }
}
