//! A catalog image, read without unpacking it (`imageset.md` §3.1).
//!
//! The config label names the directory of the file-based catalog. Layers are applied bottom-up, streamed; of each file only the parsed
//! objects are kept, by path, so that an upper layer can replace or remove them. A sqlite index is refused.
//!
//! Memory: one layer's channel and decompressor, one object being parsed, and the parsed catalog.

use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;

use crate::oci::{Digest, Reference};

use super::catalog::model::Catalog;
use super::catalog::parse::{self, Builder, Format};
use super::layer;
use super::session::{Session, SingleImage};
use super::tarball::{self, Kind, Whiteout};
use super::{InventoryError, catalog_cache};

const CONFIGS_LABEL: &str = "operators.operatorframework.io.index.configs.v1";
const SQLITE_LABEL: &str = "operators.operatorframework.io.index.database.v1";

/// The largest package of the field is about 100 MB.
const MAX_JSON: u64 = 2 << 30;

/// YAML catalogs are written by hand or by templates; the field's are a few MB.
const MAX_YAML: u64 = 32 << 20;

/// Catalogs are the same for every architecture; upstream reads the amd64 image.
const ARCHITECTURE: &str = "amd64";

/// Reads a catalog image, from the cache when it was read before; returns its pinned digest as well.
pub(super) async fn read(
    session: &Session<'_>,
    image: &Reference,
    cache: Option<&std::path::Path>,
) -> Result<(Digest, Catalog), InventoryError> {
    let pinned = session.pin(image).await?;
    let digest = pinned.digest().cloned().ok_or_else(|| lost_pin(image))?;
    if let Some(catalog) = cache.and_then(|c| catalog_cache::load(c, &digest)) {
        return Ok((digest, catalog));
    }
    let single = session.single_image(&pinned, ARCHITECTURE).await?;
    let directory = directory(session, image, &single).await?;
    let catalog = read_layers(session, image, &single, &directory).await?;
    if let Some(cache) = cache {
        // A cache that cannot be written costs time only.
        if let Err(error) = catalog_cache::save(cache, &digest, &catalog) {
            tracing::warn!("catalog cache: {error}");
        }
    }
    Ok((digest, catalog))
}

fn lost_pin(image: &Reference) -> InventoryError {
    InventoryError::Image {
        image: image.to_string(),
        detail: "the registry gave no digest for it".to_owned(),
        hint: None,
    }
}

async fn directory(
    session: &Session<'_>,
    image: &Reference,
    single: &SingleImage,
) -> Result<String, InventoryError> {
    let config = session.config(single).await?;
    let label = |name: &str| {
        let labels = config.get("config")?.get("Labels")?;
        labels.get(name)?.as_str().map(str::to_owned)
    };
    if let Some(directory) = label(CONFIGS_LABEL) {
        return Ok(directory);
    }
    if label(SQLITE_LABEL).is_some() {
        return Err(InventoryError::Unsupported {
            detail: format!("{image} is a sqlite catalog (releases up to 4.10)"),
            hint: "use a file-based catalog: v4.11 or later, or `opm migrate` it".to_owned(),
        });
    }
    Err(InventoryError::Image {
        image: image.to_string(),
        detail: format!("not an operator catalog: no label {CONFIGS_LABEL}"),
        hint: None,
    })
}

async fn read_layers(
    session: &Session<'_>,
    image: &Reference,
    single: &SingleImage,
    directory: &str,
) -> Result<Catalog, InventoryError> {
    let root: Arc<str> = directory.trim_matches('/').into();
    let mut whole = Builder::new();
    for layer in single.layers.iter().filter(|l| !l.is_foreign()) {
        let below = Arc::clone(&root);
        let visit = move |tar: &mut dyn io::Read| Overlay::read(tar, &below);
        let overlay = layer::read(session, &single.reference, layer, visit).await?;
        overlay.apply(&mut whole);
    }
    whole.finish().map_err(|error| InventoryError::Catalog {
        catalog: image.to_string(),
        error,
    })
}

/// What one layer does to the catalog's directory. Paths are relative to it.
struct Overlay {
    /// What lower layers lose; the empty path is the directory itself.
    removed: Vec<String>,
    /// What the layer brings.
    added: Builder,
}

impl Overlay {
    fn read(tar: &mut dyn io::Read, root: &str) -> io::Result<Self> {
        let mut overlay = Self {
            removed: Vec::new(),
            added: Builder::new(),
        };
        tarball::walk(tar, &mut |entry| {
            let gone = match tarball::whiteout(entry.path) {
                Some(Whiteout::Opaque(directory)) => Some(directory.to_owned()),
                Some(Whiteout::Path { parent: "", name }) => Some(name.to_owned()),
                Some(Whiteout::Path { parent, name }) => Some(format!("{parent}/{name}")),
                // What is no directory replaces whatever was at that path.
                None if entry.kind != Kind::Directory => Some(entry.path.to_owned()),
                None => None,
            };
            let is_whiteout = tarball::whiteout(entry.path).is_some();
            if let Some(gone) = gone.and_then(|path| effect(&path, root)) {
                overlay.removed.push(gone);
            }
            match inside(entry.path, root) {
                Some(path) if entry.kind == Kind::File && !is_whiteout && !path.is_empty() => {
                    let bounded = Bounded::new(path, entry.body)?;
                    overlay.added.file(path, bounded)
                }
                _ => Ok(()),
            }
        })?;
        Ok(overlay)
    }

    /// Removals hit lower layers only, wherever they stand in the tar.
    fn apply(self, lower: &mut Builder) {
        for path in &self.removed {
            lower.remove(path);
        }
        lower.stack(self.added);
    }
}

/// A catalog file that fails when it is larger than any real one. JSON is parsed as it streams; YAML documents are held whole.
struct Bounded<'a> {
    path: &'a str,
    body: BufReader<&'a mut dyn Read>,
    left: u64,
}

impl<'a> Bounded<'a> {
    fn new(path: &'a str, body: &'a mut dyn Read) -> io::Result<Self> {
        let mut body = BufReader::new(body);
        let left = match parse::sniff(body.fill_buf()?) {
            Format::Json => MAX_JSON,
            Format::Yaml => MAX_YAML,
        };
        Ok(Self { path, body, left })
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| {
            let path = self.path;
            io::Error::other(format!("{path} is too large for a catalog file"))
        })?;
        Ok(count)
    }
}

/// What losing `path` means for the catalog: a path below it, the whole of it (empty), or nothing.
fn effect(path: &str, root: &str) -> Option<String> {
    if let Some(below) = inside(path, root) {
        return Some(below.to_owned());
    }
    inside(root, path).map(|_| String::new())
}

/// `path` relative to `root`; empty when it is the root.
fn inside<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    if root.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}
