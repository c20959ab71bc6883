//! Operator catalogs of an image set: read, filtered, every selected image with the bundles that need it.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};

use crate::config::model::{Located, OperatorSet};
use crate::oci::{Digest, Reference};

use super::candidates::{Candidate, Destination};
use super::catalog::filter::{Selection, Semantics, select};
use super::catalog::model::Catalog;
use super::catalog::parse::load_dir;
use super::catalog::pins::verify_pins;
use super::lock::{self, Origin};
use super::session::{Services, Session};
use super::{InventoryError, index_image};

/// A catalog takes a blocking thread for decompression and parsing; more at once only share the cores.
const CATALOGS_AT_ONCE: usize = 2;

/// Reads the catalog that an image set names: an image, or a local directory written as `file:///dir`, `/dir` or `./dir`. Images are
/// read from `cache` when they are there by digest, and kept there.
///
/// # Errors
/// It cannot be read, or is no file-based catalog.
pub async fn read_catalog(
    services: Services<'_>,
    name: &str,
    cache: Option<&Path>,
) -> Result<(Digest, Catalog), InventoryError> {
    read(&Session::new(services), name, cache).await
}

async fn read(
    session: &Session<'_>,
    name: &str,
    cache: Option<&Path>,
) -> Result<(Digest, Catalog), InventoryError> {
    if let Some(directory) = local_directory(name) {
        return read_directory(name, directory).await;
    }
    if name.starts_with("oci:") {
        return Err(InventoryError::Unsupported {
            detail: format!("{name}: a catalog in an OCI layout cannot be read"),
            hint: "push it to a registry (`skopeo copy oci:… docker://…`), or name its unpacked configs directory as file:///dir"
                .to_owned(),
        });
    }
    let bare = name.strip_prefix("docker://").unwrap_or(name);
    let image: Reference = bare.parse().map_err(|error| InventoryError::Reference {
        place: "catalog".to_owned(),
        error,
    })?;
    index_image::read(session, &image, cache).await
}

fn local_directory(name: &str) -> Option<PathBuf> {
    let path = name.strip_prefix("file://").or_else(|| {
        let written = name.starts_with("./") || name.starts_with("../") || name.starts_with('/');
        written.then_some(name)
    })?;
    Some(PathBuf::from(path))
}

/// The digest is over the parsed catalog, so that it changes only when something that matters does.
async fn read_directory(
    name: &str,
    directory: PathBuf,
) -> Result<(Digest, Catalog), InventoryError> {
    let loaded = tokio::task::spawn_blocking(move || load_dir(&directory)).await;
    let loaded = loaded.map_err(|e| InventoryError::Unsupported {
        detail: format!("{name}: the reader stopped: {e}"),
        hint: "please report this catalog".to_owned(),
    })?;
    let catalog = loaded.map_err(|error| InventoryError::Catalog {
        catalog: name.to_owned(),
        error,
    })?;
    let bytes = serde_json::to_vec(&catalog).unwrap_or_default();
    Ok((Digest::of(&bytes), catalog))
}

/// Pins first: the engines drop some of what does not exist without a word. What can be selected all the same is selected, so that
/// a wrong pin does not hide the rest; what follows from it is not said twice.
fn filter(
    catalog: &Catalog,
    set: &OperatorSet,
    semantics: Semantics,
) -> (Option<Selection>, Vec<InventoryError>) {
    let mut failures: Vec<InventoryError> = verify_pins(catalog, set)
        .iter()
        .map(|pin| InventoryError::Request {
            detail: pin.to_string(),
            at: Some(pin.at),
            hint: pin.hint(),
        })
        .collect();
    let name = &set.catalog.value;
    let selection = match select(catalog, set, semantics) {
        Ok(selection) => selection,
        Err(error) => {
            if failures.is_empty() {
                failures.push(InventoryError::Request {
                    detail: format!("{name}: {error}"),
                    at: error.place(),
                    hint: error.hint().map(str::to_owned),
                });
            }
            return (None, failures);
        }
    };
    if failures.is_empty() {
        let missing = selection.missing_packages.iter();
        failures.extend(missing.map(|package| nothing_left(name, package)));
    }
    (Some(selection), failures)
}

fn nothing_left(catalog: &str, package: &Located<String>) -> InventoryError {
    let (package, at) = (&package.value, package.at);
    InventoryError::Request {
        detail: format!(
            "{catalog}: nothing of package {package} is left by its channels and versions"
        ),
        at: Some(at),
        hint: Some(format!(
            "`snoforge imageset operators --catalog {catalog} --package {package}` lists what there is"
        )),
    }
}

/// What the operators of an image set come to.
#[derive(Debug, Default)]
pub(super) struct Operators {
    pub(super) catalogs: Vec<lock::Catalog>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) failures: Vec<InventoryError>,
    pub(super) warnings: Vec<String>,
}

/// Reads and filters every catalog; one that fails does not stop the others.
pub(super) async fn gather(
    session: &Session<'_>,
    sets: &[OperatorSet],
    semantics: Semantics,
    cache: Option<&Path>,
) -> Operators {
    let reads = sets.iter().map(|set| async move {
        let read = read(session, &set.catalog.value, cache).await;
        let filtered = read.map(|(digest, catalog)| (digest, filter(&catalog, set, semantics)));
        (set.catalog.value.as_str(), filtered)
    });
    let results: Vec<_> = stream::iter(reads)
        .buffered(CATALOGS_AT_ONCE)
        .collect()
        .await;
    let mut operators = Operators::default();
    for (name, result) in results {
        match result {
            Err(error) => operators.failures.push(error),
            Ok((digest, (selection, failures))) => {
                operators.failures.extend(failures);
                operators.catalogs.push(lock::Catalog {
                    name: name.to_owned(),
                    digest,
                });
                if let Some(selection) = selection {
                    operators.add(name, selection);
                }
            }
        }
    }
    operators.catalogs.sort_by(|a, b| a.name.cmp(&b.name));
    operators.catalogs.dedup();
    operators
}

impl Operators {
    fn add(&mut self, catalog: &str, selection: Selection) {
        for warning in selection.warnings {
            self.warnings.push(format!("{catalog}: {warning}"));
        }
        if let Some(error) = selection.validation_error {
            self.warnings.push(format!(
                "{catalog}: oc-mirror v1 would stop here: {error} (it matters only when a filtered catalog is served)"
            ));
        }
        for (text, origins) in selection.images {
            let reference: Reference = match text.parse() {
                Ok(reference) => reference,
                Err(error) => {
                    let bundles: Vec<&str> = origins.iter().map(|o| o.bundle.as_str()).collect();
                    self.failures.push(InventoryError::Reference {
                        place: format!("{catalog}, bundle {}", bundles.join(", ")),
                        error,
                    });
                    continue;
                }
            };
            for origin in origins {
                self.candidates.push(Candidate {
                    text: text.clone(),
                    reference: reference.clone(),
                    destination: Destination::Operator,
                    origin: Origin::Operator {
                        catalog: catalog.to_owned(),
                        package: origin.package,
                        channels: origin.channels,
                        bundle: origin.bundle,
                    },
                });
            }
        }
    }
}
