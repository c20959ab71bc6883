//! `seed precache-list`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{facts, findings_text};
use crate::cli::context::{Context, block_on, raw};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::io::atomic;
use crate::oci::Reference;
use crate::seed::image;
use crate::seed::precache::{Mirrors, mapping};
use crate::ui::format;

/// Flags of `precache-list`.
#[derive(Debug, Args)]
#[command(
    after_help = "The layer is read only up to the list, which comes first in it.\n\nExample:\n  snoforge seed precache-list quay.io/org/seed:4.18.27 --release-registry infra.lab:8443 -o mapping.txt\n  snoforge precache download -r 4.18.27 -f /mnt/data --mapping mapping.txt"
)]
pub(crate) struct PrecacheList {
    /// The seed image.
    image: Reference,
    /// The target's facts: its mirrors, and the registry of its release.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Registries that the target has mirrors for.
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    mirrors: Vec<String>,
    /// Registry of the target's release.
    #[arg(long, value_name = "HOST")]
    release_registry: Option<String>,
    /// Write the mapping to this file instead of stdout.
    #[arg(short, value_name = "FILE")]
    o: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl PrecacheList {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let flags = Mirrors::new(&self.mirrors, self.release_registry.as_deref())?;
        let mirrors = match &self.facts {
            Some(path) => Mirrors::from_facts(&facts::read(path)?).with_release_registry(flags),
            None => flags,
        };
        let client = self.registry.client()?;
        let (seed, list) = block_on(async {
            let seed = image::inspect(&client, &self.image).await?;
            let list = image::containers(&client, &seed, context.reporter.as_ref()).await?;
            Ok((seed, list))
        })?;
        let Some(info) = &seed.info else {
            let failure = Failure::new(Exit::Verification, findings_text(&seed.findings));
            return Err(failure.hint("`snoforge seed verify` tells more"));
        };
        let images = mirrors.rewrite(info, &list)?;
        let text = mapping(&images);
        context.say(&format!(
            "{} in the list, {} different",
            format::count(list.len() as u64, "image"),
            images.len()
        ));
        let document =
            json!({"image": seed.reference.to_string(), "digest": seed.digest, "images": images});
        match &self.o {
            Some(path) => {
                atomic::write(path, text.as_bytes())?;
                context.result(&document, || format!("wrote {}", path.display()))
            }
            None if context.is_json() => context.result(&document, String::new),
            None => raw(text.as_bytes()),
        }
    }
}
